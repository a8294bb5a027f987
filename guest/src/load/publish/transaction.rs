//! The transaction that publishes.
//!
//! The lock first, then the check that no other load committed first (see [`super::lock`]). Then the data, resource
//! by resource; then the load's own record. Files go straight into the tables they are for; only the root
//! rows of a merge pass through a staging table, because the rows they replace have to be found and rows of
//! one key have to be ranked. That table is empty before and after, inside the same transaction, so loads
//! never see each other's rows in it.
//!
//! Every effect is checked: the number of rows that COPY reports must be the number that was
//! staged.

use super::destination::{CopyInto, Destination};
use super::lock::{Fence, rewritten};
use super::merge::FamilyMerge;
use super::slices::{Claim, SliceWork};
use super::strategies;
use crate::dlt::schema::{Schema, Table, VERSION_TABLE};
use crate::dlt::state::{Instant, LoadId, LoadRow, State, StateRow, VersionRow};
use crate::fault::{Context, Fault, Result};
use crate::load::extract::staged::StagedFamily;
use crate::load::plan::merge::WriteAction;
use crate::load::plan::refresh::RefreshPlan;
use crate::load::session::Session;
use crate::load::target::records::cells;
use crate::sql::merge::children::fill_root_ids;
use crate::sql::merge::{self, Links};

/// Longer schemas are stored compressed, which dlt reads at any size: they are part of a statement,
/// and the limit of a statement is 1 MB.
const MAX_TEXT: usize = 512 << 10;

/// Everything that one transaction writes.
pub(crate) struct Transaction<'a> {
    pub(crate) destination: Destination<'a>,
    /// Whether the schema's row must be written.
    pub(crate) schema_changed: bool,
    pub(crate) state: &'a State,
    /// Whether the state's row must be written.
    pub(crate) state_changed: bool,
    /// Whether this load inserted the row that it locks.
    pub(crate) seeded: bool,
    pub(crate) load_id: &'a LoadId,
    pub(crate) now: Instant,
    /// The instant for the schema's row: after that of the row before, because dlt reads the last
    /// one.
    pub(crate) schema_stored_at: Instant,
    /// The tables that a refresh empties.
    pub(crate) refresh: &'a RefreshPlan,
    pub(crate) staged: &'a [StagedFamily],
    /// The schema as this load found it.
    pub(crate) before: &'a Schema,
    /// The versions that the load has read.
    pub(crate) fence: Fence<'a>,
    /// What the load does with slices of a backfill.
    pub(crate) slices: SliceWork<'a>,
    pub(crate) claim: Claim<'a>,
}

impl Transaction<'_> {
    /// Checks, before a table is changed, that every merge can be done.
    pub(crate) fn check(&self) -> Result<()> {
        for staged in self.staged.iter().filter(|staged| staged.changes()) {
            if matches!(staged.action, WriteAction::Merge(_)) {
                FamilyMerge::new(&self.destination, self.load_id, staged)
                    .and_then(|merge| merge.map_or(Ok(()), |merge| merge.check_links()))
                    .at(|| format!("resource {}", staged.resource))?;
            }
        }
        Ok(())
    }

    /// Runs the transaction.
    pub(crate) async fn run(&self, session: &mut Session) -> Result<()> {
        if !self.slices.is_slice() {
            let work = async |session: &mut Session| self.write(session).await;
            return self.fence.transaction(session, self.load_id, work).await;
        }
        let work = async |session: &mut Session| self.write_slice(session).await;
        // A merge deletes or changes existing rows, so merges run one after the other.
        let merges = |staged: &StagedFamily| matches!(staged.action, WriteAction::Merge(_));
        let merges = self.staged.iter().any(|staged| staged.changes() && merges(staged));
        let fence = if merges { self.fence.clone() } else { self.fence.without_lock() };
        fence.transaction(session, self.load_id, work).await
    }

    /// Writes everything under the lock, and commits.
    async fn write(&self, session: &mut Session) -> Result<()> {
        let books = self.destination.target.bookkeeping();
        if self.state_changed {
            let row = StateRow::new(self.load_id, self.state, self.now);
            self.fence.insert_state(session, self.destination.catalog, &row).await?;
        } else {
            self.fence.check_state(session).await?;
        }
        if self.seeded && self.state_changed {
            session.sql(books.delete_seeds(self.state.pipeline())).await?;
        }
        if self.schema_changed {
            self.write_schema(session).await?;
        }
        self.slices.run(session, &self.claim).await?;
        if self.refresh.acts() {
            self.claim.forget(session, self.destination.catalog, self.refresh).await?;
        }
        let emptied = self.refresh.emptied().map(|table| self.destination.target.table(table));
        for table in emptied.filter(|table| self.destination.catalog.has(table)) {
            session.sql(merge::delete_all(&table)).await?;
        }
        self.write_rows(session).await?;
        self.end(session).await
    }

    /// Writes the rows of a slice, then takes the locks: of its row, and of the schema if that has changed.
    async fn write_slice(&self, session: &mut Session) -> Result<()> {
        self.write_rows(session).await?;
        self.slices.run(session, &self.claim).await?;
        if self.schema_changed {
            if !self.fence.has_schema_row {
                return Err(Fault::destination(
                    "expected the stored schema that the plan of the slices stores, found none: run it again",
                )
                .at(format_args!("table {VERSION_TABLE}")));
            }
            self.write_schema(session).await?;
        }
        self.end(session).await
    }

    async fn write_rows(&self, session: &mut Session) -> Result<()> {
        for staged in self.staged {
            self.fill_root_ids(session, staged).await?;
        }
        for staged in self.staged.iter().filter(|staged| staged.changes()) {
            self.resource(session, staged).await.at(|| format!("resource {}", staged.resource))?;
        }
        Ok(())
    }

    /// Writes the record of the load, and commits.
    async fn end(&self, session: &mut Session) -> Result<()> {
        let books = self.destination.target.bookkeeping();
        let row = LoadRow::new(self.load_id, self.destination.schema, self.now);
        let row =
            cells(self.destination.target, self.destination.catalog, &books.loads, row.cells());
        session.sql(books.insert(&books.loads, &row)).await?;
        session.commit().await
    }

    /// Stores the schema, unless another load stored one meanwhile.
    async fn write_schema(&self, session: &mut Session) -> Result<()> {
        let books = self.destination.target.bookkeeping();
        self.fence.lock_schema(session).await?;
        if self.refresh.drops() {
            self.fence.check_schema(session).await?;
            session
                .sql(books.delete_versions(&books.version, self.destination.schema.name()))
                .await?;
        }
        let row = VersionRow::new(self.destination.schema, self.schema_stored_at, MAX_TEXT);
        let row =
            cells(self.destination.target, self.destination.catalog, &books.version, row.cells());
        let later = self.fence.later_schema();
        let statement = books.insert_version_fenced(self.destination.schema.name(), later, &row);
        match rewritten(session, statement).await? {
            Some(0) => Err(self.fence.schema_lost()),
            _ => Ok(()),
        }
    }

    /// Fills the root ids of nested tables if this load is the first that needs them. The stored schema shows
    /// whether it is, and changes in the same transaction.
    async fn fill_root_ids(&self, session: &mut Session, staged: &StagedFamily) -> Result<()> {
        let has_root_key = |table: &Table| table.columns_with("root_key").next().is_some();
        let fold = |name: &str| self.destination.fold(name);
        let key = self.destination.schema.root_key(&staged.root);
        let names = ["_dlt_id", key, "_dlt_parent_id", "_dlt_root_id"].map(fold);
        let [id, key, parent_id, root_id] = names.each_ref().map(String::as_str);
        let links = Links { id, key, parent_id, root_id, seq: "" };
        let root = self.destination.target.table(&staged.root);
        for child in self.destination.schema.chain(&staged.root).into_iter().skip(1) {
            let table = self.destination.target.table(child.name());
            let had = self.before.table(child.name()).is_some_and(has_root_key);
            if had || !has_root_key(child) || !self.destination.catalog.has(&table) {
                continue;
            }
            let parent = child.parent().filter(|parent| *parent != staged.root);
            let parent = parent.map(|parent| self.destination.target.table(parent));
            session.sql(fill_root_ids(&table, parent.as_ref(), &root, links)).await?;
        }
        Ok(())
    }

    async fn resource(&self, session: &mut Session, staged: &StagedFamily) -> Result<()> {
        match &staged.action {
            WriteAction::Append | WriteAction::Replace => {
                for table in self.destination.schema.chain(&staged.root) {
                    let name = self.destination.target.table(table.name());
                    if self.destination.catalog.has(&name) && self.is_emptied(staged, table) {
                        session.sql(merge::delete_all(&name)).await?;
                    }
                }
            }
            WriteAction::Merge(_) => {
                return match FamilyMerge::new(&self.destination, self.load_id, staged)? {
                    Some(merge) => run_merge(&merge, session).await,
                    None => Ok(()),
                };
            }
        }
        for table in &staged.tables {
            let into = self.destination.target.table(&table.name);
            self.destination.copy(session, table, CopyInto::Table(&into)).await?;
        }
        Ok(())
    }

    /// Returns `true` if the existing rows of a table are deleted. The table of a list may have a write disposition
    /// of its own, which holds for the tables nested in it too: under a root that is appended to, its rows are
    /// replaced by every load that has staged some.
    /// Source: dlt 1.31, `load/utils.py`, `_extend_tables_with_table_chain`.
    fn is_emptied(&self, staged: &StagedFamily, table: &Table) -> bool {
        let disposition = self.destination.schema.inherited(table.name(), "write_disposition");
        let has_rows = || staged.tables.iter().any(|it| it.name == table.name() && it.rows > 0);
        let replaced = disposition.and_then(|disposition| disposition.as_str()) == Some("replace");
        replaced && (staged.action == WriteAction::Replace || has_rows())
    }
}

/// Stages the root rows, merges the family by its strategy, and leaves the staging table empty.
async fn run_merge(merge: &FamilyMerge<'_>, session: &mut Session) -> Result<()> {
    let filtered = merge.stage_root(session).await?;
    strategies::run(merge, session, filtered).await?;
    session.sql(merge::delete_all(&merge.staging)).await.map(drop)
}
