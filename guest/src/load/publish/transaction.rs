//! From staged files to the tables people read: one transaction.
//!
//! The lock first, then the check that no other load came first (see [`super::lock`]). Then the data, resource
//! by resource; then the load's own record. Files go straight into the tables they are for; only the root
//! rows of a merge pass through a staging table, because the rows they replace have to be found and rows of
//! one key have to be ranked. That table is empty before and after, inside the same transaction, so loads
//! never see each other's rows in it.
//!
//! Every effect is checked: the rows that COPY says it loaded are the rows that were staged.

use super::merge::{self as family_merge, Merge};

use super::lock::{Fence, rewritten};
use crate::dlt::schema::{Schema, Table};
use crate::dlt::state::{Cell, Instant, LoadId, LoadRow, State, StateRow, VersionRow};
use crate::dlt::types::Kind;
use crate::fault::{Context, Fault, Result};
use crate::load::plan::merge::WriteAction;
use crate::load::plan::refresh::RefreshPlan;
use crate::load::session::{Session, SqlReply};
use crate::load::target::Target;
use crate::load::target::catalog::Catalog;
use crate::shred::SEQ;
use crate::sql::copy::{Json, copy_into};
use crate::sql::merge::children::fill_root_ids;
use crate::sql::merge::{self, Links};
use crate::sql::state::Value;
use crate::sql::{Column, Name};

/// Longer schemas are stored compressed, which dlt reads at any size: they travel inside a statement,
/// and Snowflake's statements end at 1 MB.
const MAX_TEXT: usize = 512 << 10;

/// What a resource brought, table by table, and what is to become of it.
pub(crate) struct StagedFamily {
    pub(crate) resource: String,
    /// The root table.
    pub(crate) root: String,
    pub(crate) action: WriteAction,
    pub(crate) tables: Vec<StagedTable>,
    /// Whether rows have come for the root table, now or before.
    pub(crate) known: bool,
    /// Whether the contract had anything left out.
    pub(crate) left_out: bool,
}

/// The rows of one table, staged.
pub(crate) struct StagedTable {
    pub(crate) name: String,
    /// The columns that have values, in the table's order.
    pub(crate) columns: Vec<StagedColumn>,
    pub(crate) rows: u64,
    /// Where the files are under the stage.
    pub(crate) directory: String,
}

/// A column that has values.
pub(crate) struct StagedColumn {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Bytes of its longest value, where one is longer than what the type holds by default; else 0.
    pub(crate) longest: u64,
}

impl StagedFamily {
    fn staged_rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// Whether the tables are to change at all.
    pub(crate) fn changes(&self) -> bool {
        self.staged_rows() > 0 || (self.known && self.ends_absent())
    }

    /// Whether rows that are there give way though none came. What the contract leaves out came, and is
    /// not there, as in dlt.
    pub(crate) fn ends_absent(&self) -> bool {
        match &self.action {
            WriteAction::Append => false,
            WriteAction::Replace => true,
            WriteAction::Merge(plan) => self.left_out && plan.ends_absent(),
        }
    }

    /// Whether child rows may have to wait in staging tables of their own.
    pub(crate) fn stages_children(&self) -> bool {
        matches!(&self.action, WriteAction::Merge(plan) if plan.stages_children())
    }
}

/// What is to be published.
pub(crate) struct Transaction<'a> {
    pub(crate) target: &'a Target,
    pub(crate) schema: &'a Schema,
    /// Whether the schema's row must be written.
    pub(crate) schema_changed: bool,
    pub(crate) state: &'a State,
    /// Whether the state's row must be written.
    pub(crate) state_changed: bool,
    /// Whether this load inserted the row that it locks.
    pub(crate) seeded: bool,
    pub(crate) load_id: &'a LoadId,
    pub(crate) now: Instant,
    /// When the schema's row is stored: after the one before, for dlt takes the last one.
    pub(crate) schema_stored_at: Instant,
    /// What is started over with.
    pub(crate) refresh: &'a RefreshPlan,
    pub(crate) staged: &'a [StagedFamily],
    /// The schema as this load found it.
    pub(crate) before: &'a Schema,
    /// The tables and columns of the database before this load.
    pub(crate) catalog: &'a Catalog,
    /// What the load has read, and must still be so.
    pub(crate) fence: Fence<'a>,
}

impl Transaction<'_> {
    /// That all of it can be done, as far as it can be told before a table is changed.
    pub(crate) fn check(&self) -> Result<()> {
        for staged in self.staged.iter().filter(|staged| staged.changes()) {
            if matches!(staged.action, WriteAction::Merge(_)) {
                Merge::new(self, staged)
                    .and_then(|merging| merging.map_or(Ok(()), |merging| merging.check_links()))
                    .at(|| format!("resource {}", staged.resource))?;
            }
        }
        Ok(())
    }

    /// Does it all, or nothing.
    pub(crate) async fn run(&self, session: &mut Session) -> Result<()> {
        let work = async |session: &mut Session| self.write(session).await;
        self.fence.transaction(session, self.load_id, work).await
    }

    /// Writes everything under the lock, and commits.
    async fn write(&self, session: &mut Session) -> Result<()> {
        let books = self.target.bookkeeping();
        if self.state_changed {
            let row = StateRow::new(self.load_id, self.state, self.now);
            self.fence.insert_state(session, self.catalog, &row).await?;
        } else {
            self.fence.check_state(session).await?;
        }
        if self.seeded && self.state_changed {
            session.sql(books.delete_seeds(self.state.pipeline())).await?;
        }
        if self.schema_changed {
            self.write_schema(session).await?;
        }
        for table in self.refresh.emptied(self.target).filter(|table| self.catalog.has(table)) {
            session.sql(merge::delete_all(&table)).await?;
        }
        for staged in self.staged {
            self.fill_root_ids(session, staged).await?;
        }
        for staged in self.staged.iter().filter(|staged| staged.changes()) {
            self.resource(session, staged).await.at(|| format!("resource {}", staged.resource))?;
        }
        let row = LoadRow::new(self.load_id, self.schema, self.now);
        let row = cells(self.target, self.catalog, &books.loads, row.cells());
        session.sql(books.insert(&books.loads, &row)).await?;
        session.commit().await
    }

    /// Stores the schema, unless another load stored one meanwhile.
    async fn write_schema(&self, session: &mut Session) -> Result<()> {
        let books = self.target.bookkeeping();
        self.fence.lock_schema(session).await?;
        if self.refresh.drops() {
            self.fence.check_schema(session).await?;
            session.sql(books.delete_versions(&books.version, self.schema.name())).await?;
        }
        let row = VersionRow::new(self.schema, self.schema_stored_at, MAX_TEXT);
        let row = cells(self.target, self.catalog, &books.version, row.cells());
        let later = self.fence.later_schema();
        let statement = books.insert_version_fenced(self.schema.name(), later, &row);
        match rewritten(session, statement).await? {
            Some(0) => Err(self.fence.schema_lost()),
            _ => Ok(()),
        }
    }

    /// Gives the rows of child tables the ids of their roots, where this load is the first that wants
    /// them. Whether it is, the stored schema knows, which changes in the same transaction.
    async fn fill_root_ids(&self, session: &mut Session, staged: &StagedFamily) -> Result<()> {
        let has_root_key = |table: &Table| table.columns_with("root_key").next().is_some();
        let fold = |name: &str| self.target.convention.fold(name);
        let key = self.schema.root_key(&staged.root);
        let names = ["_dlt_id", key, "_dlt_parent_id", "_dlt_root_id"].map(fold);
        let [id, key, parent_id, root_id] = names.each_ref().map(String::as_str);
        let links = Links { id, key, parent_id, root_id, seq: "" };
        let root = self.target.table(&staged.root);
        for child in self.schema.chain(&staged.root).into_iter().skip(1) {
            let table = self.target.table(child.name());
            let had = self.before.table(child.name()).is_some_and(has_root_key);
            if had || !has_root_key(child) || !self.catalog.has(&table) {
                continue;
            }
            let parent = child.parent().filter(|parent| *parent != staged.root);
            let parent = parent.map(|parent| self.target.table(parent));
            session.sql(fill_root_ids(&table, parent.as_ref(), &root, links)).await?;
        }
        Ok(())
    }

    async fn resource(&self, session: &mut Session, staged: &StagedFamily) -> Result<()> {
        match &staged.action {
            WriteAction::Append | WriteAction::Replace => {
                for table in self.schema.chain(&staged.root) {
                    let name = self.target.table(table.name());
                    if self.catalog.has(&name) && self.is_emptied(staged, table) {
                        session.sql(merge::delete_all(&name)).await?;
                    }
                }
            }
            WriteAction::Merge(_) => {
                return match Merge::new(self, staged)? {
                    Some(merging) => merging.run(session).await,
                    None => Ok(()),
                };
            }
        }
        for table in &staged.tables {
            self.copy(session, table, &self.target.table(&table.name), Json::Parse, &[]).await?;
        }
        Ok(())
    }

    /// Whether what a table held gives way to what came. A table of a list may say for itself, and for
    /// those nested in it, what becomes of its rows: where its root is appended to, with every load
    /// that brings some.
    /// Source: dlt 1.31, `load/utils.py`, `_extend_tables_with_table_chain`.
    fn is_emptied(&self, staged: &StagedFamily, table: &Table) -> bool {
        let disposition = self.schema.inherited(table.name(), "write_disposition");
        let came = || staged.tables.iter().any(|came| came.name == table.name() && came.rows > 0);
        let replaced = disposition.and_then(|disposition| disposition.as_str()) == Some("replace");
        replaced && (staged.action == WriteAction::Replace || came())
    }

    /// COPY, and whether everything arrived.
    pub(crate) async fn copy(
        &self,
        session: &mut Session,
        table: &StagedTable,
        into: &Name,
        json: Json,
        more: &[Column],
    ) -> Result<()> {
        if table.rows == 0 {
            return Ok(());
        }
        // The files' columns, with the types of the table that they go into.
        let mut columns = self.columns(table, into);
        columns.extend_from_slice(more);
        let stage = &self.target.stage;
        let statement = copy_into(into, &columns, stage, &table.directory, json);
        let SqlReply::Ran(outcome) = session.sql(statement).await? else { return Ok(()) };
        // file, status, rows_parsed, rows_loaded, ...: one row a file; one column when there was none.
        let loaded: Option<u64> = outcome
            .rows
            .iter()
            .map(|row| row.get(3).map_or(Some(0), |n| n.as_deref().unwrap_or("0").parse().ok()))
            .sum();
        if loaded != Some(table.rows) {
            return Err(Fault::destination(format_args!(
                "expected COPY to load the {} rows that were staged, found {}: \
                 has a later load of this pipeline finished and cleared the stage away?",
                table.rows,
                loaded.map_or("no number of rows in its result".to_owned(), |n| n.to_string())
            ))
            .at(format_args!("table {}", table.name)));
        }
        Ok(())
    }

    /// All columns of a table, as the statements want them.
    pub(crate) fn all_columns(&self, table: &Table) -> Vec<Column> {
        let columns = table.complete_columns();
        columns.map(|column| family_merge::column(self, table, column.name())).collect()
    }

    /// The table's columns that have values, as the statements want them for this table of the database.
    pub(crate) fn columns(&self, table: &StagedTable, into: &Name) -> Vec<Column> {
        let columns = table.columns.iter().filter(|column| column.name != SEQ);
        columns
            .map(|column| {
                let name = self.target.convention.fold(&column.name);
                Column {
                    with_offset: self.catalog.has_offset(into, &name),
                    large: column.longest > 0,
                    ..Column::new(name, column.kind)
                }
            })
            .collect()
    }
}

/// The values of a row of dlt's tables, as its columns in the database take them.
pub(crate) fn cells<const N: usize>(
    target: &Target,
    catalog: &Catalog,
    table: &Name,
    cells: [(&'static str, Cell); N],
) -> Vec<(&'static str, Value)> {
    let value = |name, cell| match cell {
        Cell::Int(number) => Value::Int(i64::try_from(number).unwrap_or(i64::MAX)),
        Cell::Instant(instant) => match catalog.has_offset(table, &target.convention.fold(name)) {
            true => Value::InstantWithOffset(instant.micros()),
            false => Value::Instant(instant.micros()),
        },
        Cell::Text(text) => Value::Text(text),
    };
    cells.into_iter().map(|(name, cell)| (name, value(name, cell))).collect()
}
