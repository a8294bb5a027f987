//! Moving staged rows into the tables people read: transactions, DELETE, INSERT, MERGE.
//!
//! No `OR` in a join and no `NOT IN (subquery)`: neither becomes a hash join. Rows are de-duplicated in
//! the source of each statement, by a total order, because Snowflake refuses a MERGE whose source
//! repeats a matched key (error 100090) and silently inserts repeated unmatched ones.
//! Source: Snowflake documentation, "MERGE", nondeterministic results.

use super::{Column, Name, join, list, quote};
use crate::kind::DataType;

/// Begins a transaction.
pub const BEGIN: &str = "BEGIN TRANSACTION";
/// Ends it.
pub const COMMIT: &str = "COMMIT";
/// Undoes it.
pub const ROLLBACK: &str = "ROLLBACK";

/// The staged root rows of a merge: where they are, what makes two of them the same, and which of
/// those is kept.
#[derive(Clone, Debug)]
pub struct Staged<'a> {
    /// The staging table.
    pub table: &'a Name,
    /// The columns of the primary key.
    pub keys: &'a [Column],
    /// What ranks rows of one key, best first, such as `"UPDATED" DESC NULLS LAST`.
    pub order: &'a str,
}

impl Staged<'_> {
    /// Picks the rows of this rank: `= 1` those that are kept, `> 1` the others.
    fn qualify(&self, rank: &str) -> String {
        format!(
            "QUALIFY ROW_NUMBER() OVER (PARTITION BY {} ORDER BY {}) {rank}",
            list(self.keys),
            self.order
        )
    }

    /// `d` and `s` have the same key. A key may hold NULLs: they are equal to one another.
    fn same_key(&self) -> String {
        join(self.keys, " AND ", |key| {
            let name = key.quoted();
            if key.nullable {
                format!("d.{name} IS NOT DISTINCT FROM s.{name}")
            } else {
                format!("d.{name} = s.{name}")
            }
        })
    }
}

/// Every row of a table, inside the transaction (TRUNCATE would do too, but also forgets the load
/// history).
pub fn delete_all(table: &Name) -> String {
    format!("DELETE FROM {table}")
}

/// The rows of a child table whose root is about to be replaced.
pub fn delete_children(
    child: &Name,
    root: &Name,
    staged: &Staged<'_>,
    columns: Links<'_>,
) -> String {
    format!(
        "DELETE FROM {child} WHERE {} IN (SELECT d.{} FROM {root} AS d JOIN {} AS s ON {})",
        quote(columns.root_id),
        quote(columns.id),
        staged.table,
        staged.same_key()
    )
}

/// The rows of a child table that belong to staged roots which another row of the same key beat.
pub fn delete_losers(child: &Name, staged: &Staged<'_>, columns: Links<'_>) -> String {
    format!(
        "DELETE FROM {child} WHERE {} IN (SELECT {} FROM {} {})",
        quote(columns.root_id),
        quote(columns.id),
        staged.table,
        staged.qualify("> 1")
    )
}

/// The root rows that staged rows replace.
pub fn delete_matched(root: &Name, staged: &Staged<'_>) -> String {
    format!(
        "DELETE FROM {root} AS d WHERE EXISTS (SELECT 1 FROM {} AS s WHERE {})",
        staged.table,
        staged.same_key()
    )
}

/// How many staged rows are beaten by another of the same key: one row, one number as text.
pub fn count_losers(staged: &Staged<'_>) -> String {
    format!(
        "SELECT COUNT(*)::VARCHAR FROM (SELECT 1 AS \"X\" FROM {} {})",
        staged.table,
        staged.qualify("> 1")
    )
}

/// The staged rows that are kept, into the root table.
pub fn insert_winners(root: &Name, columns: &[Column], staged: &Staged<'_>) -> String {
    format!(
        "INSERT INTO {root} ({}) SELECT {} FROM {} {}",
        list(columns),
        join(columns, ", ", parsed),
        staged.table,
        staged.qualify("= 1")
    )
}

/// All staged rows, into the root table: their keys are known not to repeat.
pub fn insert_all(root: &Name, columns: &[Column], staged: &Name) -> String {
    format!(
        "INSERT INTO {root} ({}) SELECT {} FROM {staged}",
        list(columns),
        join(columns, ", ", parsed),
    )
}

/// What ranks rows, best first: these columns, each by its greatest value or by its least.
pub fn order_by(columns: &[(String, bool)]) -> String {
    join(columns, ", ", |(name, descending)| {
        format!("{} {} NULLS LAST", quote(name), if *descending { "DESC" } else { "ASC" })
    })
}

/// The staged rows that are kept, updating the root rows of the same key and adding the others.
pub fn merge_winners(root: &Name, columns: &[Column], staged: &Staged<'_>) -> String {
    let is_key = |column: &&Column| staged.keys.iter().any(|key| key.name == column.name);
    let set = join(columns.iter().filter(|c| !is_key(c)), ", ", |column| {
        let name = column.quoted();
        format!("{name} = s.{name}")
    });
    let select = join(columns, ", ", |column| match column.kind.data_type {
        DataType::Json => format!("{} AS {}", parsed(column), column.quoted()),
        _ => column.quoted(),
    });
    format!(
        "MERGE INTO {root} AS d USING (SELECT {select} FROM {} {}) AS s ON {} \
         WHEN MATCHED THEN UPDATE SET {set} WHEN NOT MATCHED THEN INSERT ({}) VALUES ({})",
        staged.table,
        staged.qualify("= 1"),
        staged.same_key(),
        list(columns),
        join(columns, ", ", |column| format!("s.{}", column.quoted())),
    )
}

/// The staged child rows whose root row is kept, into the child table. Only where root ids repeat
/// with their keys: a root's rank is known by its sequence number then, which both carry.
pub fn insert_children_of_winners(
    child: &Name,
    columns: &[Column],
    staged_child: &Name,
    staged: &Staged<'_>,
    links: Links<'_>,
) -> String {
    format!(
        "INSERT INTO {child} ({}) SELECT {} FROM {staged_child} AS c JOIN \
         (SELECT {seq} FROM {} {}) AS w ON c.{seq} = w.{seq}",
        list(columns),
        join(columns, ", ", |column| match column.kind.data_type {
            DataType::Json => format!("PARSE_JSON(c.{})", column.quoted()),
            _ => format!("c.{}", column.quoted()),
        }),
        staged.table,
        staged.qualify("= 1"),
        seq = quote(links.seq),
    )
}

/// The system columns that tie a family of tables together, as Snowflake stores their names.
#[derive(Clone, Copy, Debug)]
pub struct Links<'a> {
    /// A row's own id.
    pub id: &'a str,
    /// In a child row, the id of its root row.
    pub root_id: &'a str,
    /// In a staged row, the number of its root row in the load.
    pub seq: &'a str,
}

/// A staged value as the final table wants it.
fn parsed(column: &Column) -> String {
    match column.kind.data_type {
        DataType::Json => format!("PARSE_JSON({})", column.quoted()),
        _ => column.quoted(),
    }
}
