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

use super::Target;
use super::refresh::Fresh;
use super::session::{Answer, Session};
use crate::fault::{Context, Fault, Result};
use crate::kind::{DataType, Kind};
use crate::schema::{LOADS_TABLE, STATE_TABLE, Schema, VERSION_TABLE};
use crate::shred::SEQ;
use crate::sql::copy::{Json, copy_into};
use crate::sql::merge::{self, Links, Staged};
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

/// How the rows that came meet those that are there.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    Append,
    Replace,
    Merge(MergePlan),
}

/// A merge by keys.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MergePlan {
    /// Update in place, or delete and insert.
    pub(super) upsert: bool,
    /// Rows that share the values of one of these sets of columns are the same row.
    pub(super) keys: Vec<Vec<String>>,
    /// Of the rows that came with one primary key, one is kept: whether there can be several.
    pub(super) deduplicate: bool,
    /// The column that decides which, and whether the greatest wins.
    pub(super) dedup_sort: Option<(String, bool)>,
}

impl Ingested {
    fn staged_rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// Whether the tables are to change at all.
    pub(super) fn changes(&self) -> bool {
        self.staged_rows() > 0 || (self.action == Action::Replace && self.known)
    }

    /// Whether child rows wait in staging tables of their own when keys repeat: when their root rows'
    /// ids are made of the keys, and so repeat with them.
    pub(super) fn stages_children(&self) -> bool {
        matches!(&self.action, Action::Merge(plan) if plan.upsert)
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
    /// The tables that were there before this load.
    pub(super) live: &'a dyn Fn(&Name) -> bool,
}

impl Publication<'_> {
    /// Does it all, or nothing.
    pub(super) async fn run(&self, session: &mut Session) -> Result<()> {
        session.begin().await?;
        if self.state_changed {
            write_state(session, self.target, self.state, self.load_id, self.now).await?;
        }
        for table in self.fresh.emptied(self.target).filter(|table| (self.live)(table)) {
            session.sql(merge::delete_all(&table)).await?;
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

    async fn resource(&self, session: &mut Session, ingested: &Ingested) -> Result<()> {
        match &ingested.action {
            Action::Append => {}
            Action::Replace => {
                for table in self.schema.chain(&ingested.root) {
                    let name = self.target.table(table.name());
                    if (self.live)(&name) {
                        session.sql(merge::delete_all(&name)).await?;
                    }
                }
            }
            Action::Merge(plan) => return self.merge(session, ingested, plan).await,
        }
        for table in &ingested.tables {
            self.copy(session, table, &self.target.table(&table.name), Json::Parse, &[]).await?;
        }
        Ok(())
    }

    async fn merge(
        &self,
        session: &mut Session,
        ingested: &Ingested,
        plan: &MergePlan,
    ) -> Result<()> {
        let fold = |name: &str| self.target.convention.fold(name);
        let (id, root_id, seq) = (fold("_dlt_id"), fold("_dlt_root_id"), fold(SEQ));
        let links = Links { id: &id, root_id: &root_id, seq: &seq };
        let [root, children @ ..] = ingested.tables.as_slice() else { return Ok(()) };
        let table = self.target.table(&root.name);
        let staging = self.target.staging(&root.name);
        let seq_column = Column::new(seq.clone(), Kind::of(DataType::Bigint));
        let keys = self.keys(&root.name, plan);
        let order = self.order(plan, &seq);
        let staged: Vec<Staged<'_>> =
            keys.iter().map(|keys| Staged { table: &staging, keys, order: &order }).collect();
        let Some(primary) = staged.first() else {
            return Err(Fault::internal("a merge without a key"));
        };

        session.sql(merge::delete_all(&staging)).await?;
        self.copy(session, root, &staging, Json::Text, std::slice::from_ref(&seq_column)).await?;
        let losers = if plan.deduplicate {
            count(&session.sql(merge::count_losers(primary)).await?)?
        } else {
            0
        };

        let was_live = (self.live)(&table);
        if was_live {
            for child in self.schema.chain(&root.name).into_iter().skip(1) {
                let child = self.target.table(child.name());
                for staged in staged.iter().filter(|_| (self.live)(&child)) {
                    session.sql(merge::delete_children(&child, &table, staged, links)).await?;
                }
            }
        }
        let columns = self.columns(root);
        if plan.upsert {
            session.sql(merge::merge_winners(&table, &columns, primary)).await?;
        } else {
            if was_live {
                for staged in &staged {
                    session.sql(merge::delete_matched(&table, staged)).await?;
                }
            }
            let insert = if plan.deduplicate {
                merge::insert_winners(&table, &columns, primary)
            } else {
                merge::insert_all(&table, &columns, &staging)
            };
            let expected = root.rows - losers.min(root.rows);
            match session.sql(insert).await? {
                Answer::Ran(outcome) if outcome.affected.is_some_and(|rows| rows != expected) => {
                    return Err(Fault::destination(format_args!(
                        "expected {expected} rows to be inserted from the staging table, found {}",
                        outcome.affected.unwrap_or(0)
                    ))
                    .at(format_args!("table {}", root.name)));
                }
                Answer::Ran(_) | Answer::Assumed => {}
            }
        }
        for child in children.iter().filter(|child| child.rows > 0) {
            let table = self.target.table(&child.name);
            if plan.upsert && losers > 0 {
                let waiting = self.target.staging(&child.name);
                session.sql(merge::delete_all(&waiting)).await?;
                let seq = std::slice::from_ref(&seq_column);
                self.copy(session, child, &waiting, Json::Text, seq).await?;
                let columns = self.columns(child);
                let insert =
                    merge::insert_children_of_winners(&table, &columns, &waiting, primary, links);
                session.sql(insert).await?;
                session.sql(merge::delete_all(&waiting)).await?;
            } else {
                self.copy(session, child, &table, Json::Parse, &[]).await?;
                if losers > 0 {
                    session.sql(merge::delete_losers(&table, primary, links)).await?;
                }
            }
        }
        session.sql(merge::delete_all(&staging)).await.map(drop)
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

    /// The table's columns that have values, as the statements want them.
    fn columns(&self, table: &IngestedTable) -> Vec<Column> {
        let columns = table.columns.iter().filter(|column| column.name != SEQ);
        columns
            .map(|column| Column::new(self.target.convention.fold(&column.name), column.kind))
            .collect()
    }

    fn keys(&self, table: &str, plan: &MergePlan) -> Vec<Vec<Column>> {
        let known = self.schema.table(table);
        let column = |name: &String| {
            let nullable = known.and_then(|t| t.column(name)).is_none_or(|c| c.nullable());
            let kind = known.and_then(|t| t.column(name)).and_then(|c| c.kind());
            let kind = kind.unwrap_or(Kind::of(DataType::Text));
            Column { nullable, ..Column::new(self.target.convention.fold(name), kind) }
        };
        plan.keys.iter().map(|key| key.iter().map(column).collect()).collect()
    }

    /// What ranks the rows that came with one key: the column the job names, then the last one read.
    fn order(&self, plan: &MergePlan, seq: &str) -> String {
        let mut order = Vec::new();
        if let Some((column, descending)) = &plan.dedup_sort {
            order.push((self.target.convention.fold(column), *descending));
        }
        order.push((seq.to_owned(), true));
        merge::order_by(&order)
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

/// The number in the one row of the answer.
fn count(answer: &Answer) -> Result<u64> {
    let Answer::Ran(outcome) = answer else { return Ok(0) };
    let text = outcome.rows.first().and_then(|row| row.first()).and_then(|value| value.as_deref());
    text.and_then(|text| text.parse().ok()).ok_or_else(|| {
        Fault::destination(format_args!("expected one row with a number, found {text:?}"))
    })
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
