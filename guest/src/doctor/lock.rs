//! The statements by which loads of one pipeline exclude each other, in one session, with the
//! number of rows that each reports. Checks with two sessions are in [`super::sessions`].

use super::examiner::{Examiner, Found, Rule};
use crate::dlt::types::{DataType, Kind};
use crate::sql::state::{Bookkeeping, SqlValue};
use crate::sql::{Name, SqlColumn, ddl};

const REWRITE: Rule = Rule {
    name: "lock.rewritten_rows",
    assumed: "UPDATE .. SET version = version rewrites the rows it names and says how many",
    remedy: "Please report it: loads cannot lock their state",
};
const INSERT: Rule = Rule {
    name: "lock.fenced_insert",
    assumed: "A MERGE inserts the new state if there is no later one, and says so",
    remedy: "Please report it: loads cannot tell whether another one committed first",
};

pub(super) const RULES: &[&Rule] = &[&REWRITE, &INSERT];

pub(super) const PIPELINE: &str = "snowcat_doctor";
/// The version of the state that is committed first.
pub(super) const OLD: u64 = 7;
/// The version that a load writes next.
pub(super) const NEW: u64 = 8;

/// dlt's tables, with the state in the given table.
pub(super) fn books(state: &Name) -> Bookkeeping<'_> {
    Bookkeeping {
        loads: state.object("DOCTOR_LOADS"),
        version: state.object("DOCTOR_VERSION"),
        state: state.clone(),
        fold: Box::new(str::to_uppercase),
    }
}

/// A row of the state.
pub(super) fn row(version: u64) -> [(&'static str, SqlValue); 2] {
    let version = SqlValue::Int(i64::try_from(version).unwrap_or(i64::MAX));
    [("version", version), ("pipeline_name", SqlValue::Text(PIPELINE.to_owned()))]
}

/// Creates a table of states.
pub(super) async fn make(x: &mut Examiner, name: &str) -> Found<Name> {
    let table = x.scratch.object(name);
    let columns = [
        SqlColumn::new("VERSION", Kind::of(DataType::Bigint)),
        SqlColumn::new("PIPELINE_NAME", Kind::of(DataType::Text)),
    ];
    x.need(ddl::create_table(&table, &columns, &ddl::TableOptions::default())).await?;
    Ok(table)
}

pub(super) async fn run(x: &mut Examiner) -> Found {
    let table = make(x, "DOCTOR_LOCK").await?;
    let books = books(&table);
    x.need(books.insert(&table, &row(OLD))).await?;
    x.begin().await?;
    let locked = x.need(books.rewrite_states(PIPELINE, OLD)).await?.affected;
    let later = x.need(books.rewrite_states(PIPELINE, NEW)).await?.affected;
    let seen = format!("{} of 1 row, {} of 0", count(locked), count(later));
    x.note(&REWRITE, (locked, later) == (Some(1), Some(0)), seen);
    let inserted = x.need(books.insert_state_fenced(PIPELINE, NEW, &row(NEW))).await?.affected;
    let again = x.need(books.insert_state_fenced(PIPELINE, NEW, &row(NEW))).await?.affected;
    let seen = format!("{} of 1 row, then {} of 0", count(inserted), count(again));
    x.note(&INSERT, (inserted, again) == (Some(1), Some(0)), seen);
    x.commit().await
}

/// A number of rows for a message.
pub(super) fn count(rows: Option<u64>) -> String {
    rows.map_or("an unknown number".to_owned(), |rows| rows.to_string())
}
