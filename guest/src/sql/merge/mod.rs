//! Statements that move staged rows into the final tables: transactions, DELETE, INSERT, MERGE.
//! `keyed` replaces and updates rows by their key, `children` does so for nested tables, `history` writes
//! the versions of scd2, and `key_stats` counts keys before a MERGE.
//!
//! There is no `OR` in a join and no `NOT IN (subquery)`, because neither becomes a hash join. Rows
//! are de-duplicated in the source of each statement, by a total order, because Snowflake rejects a
//! MERGE whose source repeats a matched key (error 100090) and silently inserts repeated unmatched
//! ones.
//! Source: Snowflake documentation, "MERGE", nondeterministic results.
//!
//! In every statement `d` is the final table and `s` are the staged rows. The user's conditions
//! (`source_filter`, `destination_scope`) name columns without an alias, so each is in a separate
//! SELECT, where a column belongs to one table only.

pub(crate) mod children;
pub(crate) mod history;
mod key_stats;
pub(crate) mod keyed;

pub(crate) use key_stats::{KeyRange, KeyStats, key_stats};

use super::{Name, SqlColumn, in_utc, join, list, quote};
use crate::dlt::types::DataType;

/// Begins a transaction.
pub(crate) const BEGIN: &str = "BEGIN TRANSACTION";
/// Commits it.
pub(crate) const COMMIT: &str = "COMMIT";
/// Rolls it back.
pub(crate) const ROLLBACK: &str = "ROLLBACK";

/// The staged root rows of a merge, and which of them are kept.
#[derive(Clone, Debug)]
pub(crate) struct StagedRows<'a> {
    /// The staging table.
    pub(crate) table: &'a Name,
    /// The choice among several rows with the same key. `None`: all are kept.
    pub(crate) rank: Option<Rank<'a>>,
    /// The column that marks rows as deleted at the source.
    pub(crate) deleted: Option<&'a SqlColumn>,
}

/// The order of the staged rows with the same key. The first is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rank<'a> {
    /// The columns of the key.
    pub(crate) keys: &'a [SqlColumn],
    /// The order, such as `"UPDATED" DESC NULLS LAST`.
    pub(crate) order: &'a str,
}

/// The match of existing rows and staged rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Match<'a> {
    /// The columns of the key: rows with the same values match.
    pub(crate) keys: &'a [SqlColumn],
    /// The ranges of the staged keys, so that Snowflake reads only the partitions that may have
    /// them.
    pub(crate) ranges: &'a [KeyRange],
}

/// The existing rows that are deleted or retired if they are not staged.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope<'a> {
    /// All of them.
    All,
    /// Those that have the same merge key as a staged row.
    Key(Match<'a>),
    /// Those that meet a condition of the user.
    Condition(&'a str),
}

/// The system columns that link a family of tables, with the names that Snowflake stores.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links<'a> {
    /// The id of a row.
    pub(crate) id: &'a str,
    /// In a nested row, the id of its parent.
    pub(crate) parent_id: &'a str,
    /// In a root row, the value that its nested rows carry: its id, unless the job sets another
    /// column.
    pub(crate) key: &'a str,
    /// In a nested row, the key of its root row.
    pub(crate) root_id: &'a str,
    /// In a staged row, the number of its root row in the load.
    pub(crate) seq: &'a str,
}

impl StagedRows<'_> {
    /// The FROM clause: the rows that are kept and are not deleted at the source.
    fn kept(&self) -> String {
        self.only(self.deleted.map(|column| format!("NOT {}", is_deleted("", column))))
    }

    /// The FROM clause: the rows that are kept, including those deleted at the source.
    fn winners(&self) -> String {
        self.only(None)
    }

    fn only(&self, condition: Option<String>) -> String {
        let first = self.rank.map(|rank| format!("{} = 1", rank.number()));
        let word = if first.is_some() { "QUALIFY" } else { "WHERE" };
        let conditions: Vec<String> = first.into_iter().chain(condition).collect();
        match conditions.is_empty() {
            true => self.table.to_string(),
            false => format!("{} {word} {}", self.table, conditions.join(" AND ")),
        }
    }

    /// The FROM clause: the rows that are not kept, or are deleted at the source.
    fn dropped(&self) -> String {
        let first = self.rank.map(|rank| format!("{} = 1", rank.number()));
        let word = if first.is_some() { "QUALIFY" } else { "WHERE" };
        let kept = self.deleted.map(|column| format!("NOT {}", is_deleted("", column)));
        let conditions: Vec<String> = first.into_iter().chain(kept).collect();
        match conditions.is_empty() {
            true => format!("{} WHERE FALSE", self.table),
            false => format!("{} {word} NOT ({})", self.table, conditions.join(" AND ")),
        }
    }
}

impl Rank<'_> {
    fn number(&self) -> String {
        format!("ROW_NUMBER() OVER (PARTITION BY {} ORDER BY {})", list(self.keys), self.order)
    }
}

impl Match<'_> {
    /// The condition that `left` and `right` have the same key, which is in the ranges.
    fn condition(&self, left: &str, right: &str) -> String {
        let ranges = self.ranges.iter().map(|range| range.condition(left));
        let same = self.keys.iter().map(|key| same(key, left, right));
        ranges.chain(same).collect::<Vec<_>>().join(" AND ")
    }
}

/// The condition that two rows have the same value in a key column. NULLs are equal to one another.
fn same(key: &SqlColumn, left: &str, right: &str) -> String {
    let name = key.quoted();
    let equals = if key.nullable { "IS NOT DISTINCT FROM" } else { "=" };
    format!("{left}.{name} {equals} {right}.{name}")
}

/// The condition that a row is marked as deleted. `alias` is empty, or ends with a dot. As in dlt,
/// a boolean column marks it by true, any other column by not being NULL.
fn is_deleted(alias: &str, column: &SqlColumn) -> String {
    let name = column.quoted();
    match column.kind.data_type {
        DataType::Bool => format!("COALESCE({alias}{name}, FALSE)"),
        _ => format!("({alias}{name} IS NOT NULL)"),
    }
}

/// Deletes all rows of a table. TRUNCATE would also reset the load history.
pub(crate) fn delete_all(table: &Name) -> String {
    format!("DELETE FROM {table}")
}

/// The direction of an order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Direction {
    /// The smallest value first.
    Ascending,
    /// The largest value first.
    Descending,
}

/// An order by these columns.
pub(crate) fn order_by(columns: &[(String, Direction)]) -> String {
    join(columns, ", ", |(name, direction)| {
        let direction = match direction {
            Direction::Ascending => "ASC",
            Direction::Descending => "DESC",
        };
        format!("{} {direction} NULLS LAST", quote(name))
    })
}

/// Deletes the staged root rows that do not meet the user's condition. `columns` are those of the
/// final table, so that the condition reads JSON as JSON.
pub(crate) fn delete_filtered(
    staging: &Name,
    columns: &[SqlColumn],
    condition: &str,
    links: Links<'_>,
) -> String {
    let seq = quote(links.seq);
    let json = columns.iter().any(|column| column.kind.data_type == DataType::Json);
    let rows = match json {
        false => staging.to_string(),
        true => format!("(SELECT {}, {seq} FROM {staging})", join(columns, ", ", parsed_as)),
    };
    format!(
        "DELETE FROM {staging} WHERE {seq} IN \
         (SELECT {seq} FROM {rows} WHERE NOT COALESCE(({condition}), FALSE))"
    )
}

/// Deletes the staged root rows that are older than the existing row with the same key. A row
/// without an age is older than any row with one.
pub(crate) fn delete_stale(
    staging: &Name,
    root: &Name,
    matched: Match<'_>,
    age: &SqlColumn,
    links: Links<'_>,
) -> String {
    format!(
        "DELETE FROM {staging} WHERE {seq} IN (SELECT s.{seq} FROM {staging} AS s JOIN {root} AS d ON {} \
         WHERE NOT COALESCE(s.{age} >= d.{age}, d.{age} IS NULL))",
        matched.condition("d", "s"),
        seq = quote(links.seq),
        age = age.quoted(),
    )
}

/// A staged value, converted for the final table.
fn parsed(column: &SqlColumn) -> String {
    parsed_of("", column)
}

/// The staged value of the row with this alias, which ends with a dot.
fn parsed_of(alias: &str, column: &SqlColumn) -> String {
    let value = format!("{alias}{}", column.quoted());
    match column.kind.data_type {
        DataType::Json => format!("PARSE_JSON({value})"),
        DataType::Timestamp if column.with_offset => in_utc(&format!("{value}::TIMESTAMP_LTZ")),
        _ => value,
    }
}

/// The staged value with the column's name.
fn parsed_as(column: &SqlColumn) -> String {
    let (value, name) = (parsed(column), column.quoted());
    if value == name { name } else { format!("{value} AS {name}") }
}
