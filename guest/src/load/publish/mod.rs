//! From staged files to the tables people read: one transaction.
//!
//! State first: its row is fenced by the version that was read, and takes the lock that makes a second
//! load of the same pipeline wait and then see that it lost. Then the data, resource by resource; then
//! the load's own record. Files go straight into the tables they are for; only the root rows of a
//! merge pass through a staging table, because what they replace has to be found and rows of one key
//! have to be ranked. That table is empty before and after, inside the same transaction, so loads
//! never see each other's rows in it.
//!
//! Every effect is checked: the rows that COPY says it loaded are the rows that were staged.

mod history;
mod keyed;
mod merging;
mod plan;

pub(super) use plan::{Action, action};

use merging::Merging;

use super::Target;
use super::refresh::Fresh;
use super::session::{Answer, Session};
use crate::fault::{Context, Fault, Result};
use crate::kind::Kind;
use crate::schema::{LOADS_TABLE, STATE_TABLE, Schema, Table, VERSION_TABLE};
use crate::shred::SEQ;
use crate::sql::copy::{Json, copy_into};
use crate::sql::merge::children::fill_root_ids;
use crate::sql::merge::{self, Links};
use crate::sql::state::Value;
use crate::sql::{Column, Name};
use crate::state::{Cell, Instant, LoadId, LoadRow, State, StateRow, VersionRow};

/// Longer schemas are stored compressed, which dlt reads at any size: they travel inside a statement,
/// and Snowflake's statements end at 1 MB.
const MAX_TEXT: usize = 512 << 10;

/// What a resource brought, table by table, and what is to become of it.
pub(super) struct Ingested {
    pub(super) resource: String,
    /// The root table.
    pub(super) root: String,
    pub(super) action: Action,
    pub(super) tables: Vec<IngestedTable>,
    /// Whether rows have come for the root table, now or before.
    pub(super) known: bool,
    /// Whether the contract had anything left out.
    pub(super) left_out: bool,
}

/// The rows of one table, staged.
pub(super) struct IngestedTable {
    pub(super) name: String,
    /// The columns that have values, in the table's order.
    pub(super) columns: Vec<IngestedColumn>,
    pub(super) rows: u64,
    /// Where the files are under the stage.
    pub(super) directory: String,
}

/// A column that has values.
pub(super) struct IngestedColumn {
    pub(super) name: String,
    pub(super) kind: Kind,
}

impl Ingested {
    fn staged_rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// Whether the tables are to change at all.
    pub(super) fn changes(&self) -> bool {
        self.staged_rows() > 0 || (self.known && self.ends_absent())
    }

    /// Whether rows that are there give way though none came. What the contract leaves out came, and is
    /// not there, as in dlt.
    fn ends_absent(&self) -> bool {
        match &self.action {
            Action::Append => false,
            Action::Replace => true,
            Action::Merge(plan) => self.left_out && plan.ends_absent(),
        }
    }

    /// Whether child rows may have to wait in staging tables of their own.
    pub(super) fn stages_children(&self) -> bool {
        matches!(&self.action, Action::Merge(plan) if plan.stages_children())
    }
}

/// What is to be published.
pub(super) struct Publication<'a> {
    pub(super) target: &'a Target,
    pub(super) schema: &'a Schema,
    /// Whether the schema's row must be written.
    pub(super) schema_changed: bool,
    pub(super) state: &'a State,
    /// Whether the state's row must be written.
    pub(super) state_changed: bool,
    pub(super) load_id: &'a LoadId,
    pub(super) now: Instant,
    /// When the schema's row is stored: after the one before, for dlt takes the last one.
    pub(super) schema_stored_at: Instant,
    /// What is started over with.
    pub(super) fresh: &'a Fresh,
    pub(super) ingested: &'a [Ingested],
    /// The schema as this load found it.
    pub(super) before: &'a Schema,
    /// The tables that were there before this load.
    pub(super) live: &'a dyn Fn(&Name) -> bool,
}

impl Publication<'_> {
    /// That all of it can be done, as far as it can be told before a table is changed.
    pub(super) fn check(&self) -> Result<()> {
        for ingested in self.ingested.iter().filter(|ingested| ingested.changes()) {
            if matches!(ingested.action, Action::Merge(_)) {
                Merging::new(self, ingested)
                    .and_then(|merging| merging.map_or(Ok(()), |merging| merging.check_links()))
                    .at(|| format!("resource {}", ingested.resource))?;
            }
        }
        Ok(())
    }

    /// Does it all, or nothing.
    pub(super) async fn run(&self, session: &mut Session) -> Result<()> {
        session.begin().await?;
        if self.state_changed {
            write_state(session, self.target, self.state, self.load_id, self.now).await?;
        }
        for table in self.fresh.emptied(self.target).filter(|table| (self.live)(table)) {
            session.sql(merge::delete_all(&table)).await?;
        }
        for ingested in self.ingested {
            self.fill_root_ids(session, ingested).await?;
        }
        for ingested in self.ingested.iter().filter(|ingested| ingested.changes()) {
            self.resource(session, ingested)
                .await
                .at(|| format!("resource {}", ingested.resource))?;
        }
        let books = self.target.bookkeeping();
        if self.schema_changed {
            let row = VersionRow::new(self.schema, self.schema_stored_at, MAX_TEXT);
            let table = self.target.table(VERSION_TABLE);
            if self.fresh.drops() {
                session.sql(books.delete_versions(&table, self.schema.name())).await?;
            }
            session.sql(books.insert(&table, &cells(row.cells()))).await?;
        }
        let row = LoadRow::new(self.load_id, self.schema, self.now);
        let table = self.target.table(LOADS_TABLE);
        session.sql(books.insert(&table, &cells(row.cells()))).await?;
        session.commit().await
    }

    /// Gives the rows of child tables the ids of their roots, where this load is the first that wants
    /// them. Whether it is, the stored schema knows, which changes in the same transaction.
    async fn fill_root_ids(&self, session: &mut Session, ingested: &Ingested) -> Result<()> {
        let has_root_key = |table: &Table| table.columns_with("root_key").next().is_some();
        let fold = |name: &str| self.target.convention.fold(name);
        let key = self.schema.root_key(&ingested.root);
        let names = ["_dlt_id", key, "_dlt_parent_id", "_dlt_root_id"].map(fold);
        let [id, key, parent_id, root_id] = names.each_ref().map(String::as_str);
        let links = Links { id, key, parent_id, root_id, seq: "" };
        let root = self.target.table(&ingested.root);
        for child in self.schema.chain(&ingested.root).into_iter().skip(1) {
            let table = self.target.table(child.name());
            let had = self.before.table(child.name()).is_some_and(has_root_key);
            if had || !has_root_key(child) || !(self.live)(&table) {
                continue;
            }
            let parent = child.parent().filter(|parent| *parent != ingested.root);
            let parent = parent.map(|parent| self.target.table(parent));
            session.sql(fill_root_ids(&table, parent.as_ref(), &root, links)).await?;
        }
        Ok(())
    }

    async fn resource(&self, session: &mut Session, ingested: &Ingested) -> Result<()> {
        match &ingested.action {
            Action::Append | Action::Replace => {
                for table in self.schema.chain(&ingested.root) {
                    let name = self.target.table(table.name());
                    if (self.live)(&name) && self.is_emptied(ingested, table) {
                        session.sql(merge::delete_all(&name)).await?;
                    }
                }
            }
            Action::Merge(_) => {
                return match Merging::new(self, ingested)? {
                    Some(merging) => merging.run(session).await,
                    None => Ok(()),
                };
            }
        }
        for table in &ingested.tables {
            self.copy(session, table, &self.target.table(&table.name), Json::Parse, &[]).await?;
        }
        Ok(())
    }

    /// Whether what a table held gives way to what came. A table of a list may say for itself, and for
    /// those nested in it, what becomes of its rows: where its root is appended to, with every load
    /// that brings some.
    /// Source: dlt 1.31, `load/utils.py`, `_extend_tables_with_table_chain`.
    fn is_emptied(&self, ingested: &Ingested, table: &Table) -> bool {
        let disposition = self.schema.inherited(table.name(), "write_disposition");
        let came = || ingested.tables.iter().any(|came| came.name == table.name() && came.rows > 0);
        let replaced = disposition.and_then(|disposition| disposition.as_str()) == Some("replace");
        replaced && (ingested.action == Action::Replace || came())
    }

    /// COPY, and whether everything arrived.
    async fn copy(
        &self,
        session: &mut Session,
        table: &IngestedTable,
        into: &Name,
        json: Json,
        more: &[Column],
    ) -> Result<()> {
        if table.rows == 0 {
            return Ok(());
        }
        let mut columns = self.columns(table);
        columns.extend_from_slice(more);
        let stage = &self.target.stage;
        let statement = copy_into(into, &columns, stage, &table.directory, json);
        let Answer::Ran(outcome) = session.sql(statement).await? else { return Ok(()) };
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
    fn all_columns(&self, table: &Table) -> Vec<Column> {
        let columns = table.complete_columns();
        columns.map(|column| merging::column(self, table, column.name())).collect()
    }

    /// The table's columns that have values, as the statements want them.
    fn columns(&self, table: &IngestedTable) -> Vec<Column> {
        let columns = table.columns.iter().filter(|column| column.name != SEQ);
        columns
            .map(|column| Column::new(self.target.convention.fold(&column.name), column.kind))
            .collect()
    }
}

/// The state's row, first in its transaction: fails when another load has written one meanwhile.
pub(super) async fn write_state(
    session: &mut Session,
    target: &Target,
    state: &State,
    load_id: &LoadId,
    now: Instant,
) -> Result<()> {
    let row = StateRow::new(load_id, state, now);
    let version = i64::try_from(state.version())
        .map_err(|_| Fault::destination("the state's version is out of range"))?;
    let books = target.bookkeeping();
    let statement = books.insert_state_fenced(state.pipeline(), version, &cells(row.cells()));
    match session.sql(statement).await? {
        Answer::Ran(outcome) if outcome.affected == Some(0) => Err(Fault::destination(format_args!(
            "another load of the pipeline {} committed while this one ran (state version {version} is taken): \
             nothing of this one was written; run it again",
            state.pipeline()
        ))
        .at(format_args!("table {STATE_TABLE}"))),
        Answer::Ran(_) | Answer::Assumed => Ok(()),
    }
}

pub(super) fn cells<const N: usize>(
    cells: [(&'static str, Cell); N],
) -> Vec<(&'static str, Value)> {
    let value = |cell| match cell {
        Cell::Int(number) => Value::Int(i64::try_from(number).unwrap_or(i64::MAX)),
        Cell::Instant(instant) => Value::Instant(instant.micros()),
        Cell::Text(text) => Value::Text(text),
    };
    cells.into_iter().map(|(name, cell)| (name, value(cell))).collect()
}
