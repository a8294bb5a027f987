//! Root rows by their keys: delete-insert, upsert, insert-only, cdc.

use super::{
    Match, Name, Scope, SqlColumn, StagedRows, is_deleted, join, list, parsed, parsed_as, quote,
    same,
};

/// Deletes the root rows that staged rows replace.
pub(crate) fn delete_matched(root: &Name, staging: &Name, matched: Match<'_>) -> String {
    let ranges = join(matched.ranges, "", |range| format!("{} AND ", range.condition("d")));
    let same = join(matched.keys, " AND ", |key| same(key, "d", "s"));
    format!(
        "DELETE FROM {root} AS d WHERE {ranges}EXISTS (SELECT 1 FROM {staging} AS s WHERE {same})"
    )
}

/// Deletes the root rows that meet the user's condition.
pub(crate) fn delete_scope(root: &Name, condition: &str) -> String {
    format!("DELETE FROM {root} WHERE ({condition})")
}

/// The root rows in a scope that are not staged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AbsentRows<'a> {
    /// The root table.
    pub(crate) root: &'a Name,
    /// The staging table.
    pub(crate) staging: &'a Name,
    /// The match of root rows and staged rows.
    pub(crate) matched: Match<'a>,
    /// The rows that may be deleted.
    pub(crate) scope: Scope<'a>,
    /// The column with the number of a staged row.
    pub(crate) seq: &'a str,
}

impl AbsentRows<'_> {
    /// Deletes them by the column of their ids.
    pub(crate) fn delete(&self, id: &str) -> String {
        format!("DELETE FROM {} WHERE {} IN ({})", self.root, quote(id), self.select(id))
    }

    /// Selects this column of them.
    pub(super) fn select(&self, column: &str) -> String {
        // The key ranges are those of the staged rows: absent rows may be outside of them.
        let matched = Match { ranges: &[], ..self.matched };
        format!(
            "SELECT d.{} FROM {} LEFT JOIN {} AS s ON {} WHERE s.{} IS NULL",
            quote(column),
            self.scope.rows(self.root, self.staging),
            self.staging,
            matched.condition("d", "s"),
            quote(self.seq),
        )
    }
}

impl Scope<'_> {
    /// The FROM clause: the root rows in the scope, as `d`.
    pub(super) fn rows(&self, root: &Name, staging: &Name) -> String {
        match self {
            Self::All => format!("{root} AS d"),
            Self::Condition(condition) => {
                format!("(SELECT * FROM {root} WHERE ({condition})) AS d")
            }
            Self::Key(matched) => format!(
                "{root} AS d JOIN (SELECT DISTINCT {} FROM {staging}) AS p ON {}",
                list(matched.keys),
                matched.condition("d", "p")
            ),
        }
    }
}

/// Inserts the staged rows that are kept.
pub(crate) fn insert_kept(root: &Name, columns: &[SqlColumn], staged: &StagedRows<'_>) -> String {
    format!(
        "INSERT INTO {root} ({}) SELECT {} FROM {}",
        list(columns),
        join(columns, ", ", parsed),
        staged.kept()
    )
}

/// Inserts the staged rows that are kept and whose key does not exist.
pub(crate) fn merge_new(
    root: &Name,
    columns: &[SqlColumn],
    staged: &StagedRows<'_>,
    matched: Match<'_>,
) -> String {
    format!(
        "MERGE INTO {root} AS d USING (SELECT {} FROM {}) AS s ON {} WHEN NOT MATCHED THEN {}",
        select(columns, &[matched.keys]),
        staged.kept(),
        matched.condition("d", "s"),
        insert(columns),
    )
}

/// Merges the staged rows that are kept: they update the root rows of the same key, or are inserted. Rows
/// that are deleted at the source delete the root row, and are not inserted. If `compared` has columns, rows
/// that do not differ in them are not updated.
pub(crate) fn merge_kept(
    root: &Name,
    columns: &[SqlColumn],
    staged: &StagedRows<'_>,
    matched: Match<'_>,
    compared: &[SqlColumn],
) -> String {
    let is_key = |column: &&SqlColumn| matched.keys.iter().any(|key| key.name == column.name);
    let set = join(columns.iter().filter(|c| !is_key(c)), ", ", |column| {
        let name = column.quoted();
        format!("{name} = s.{name}")
    });
    let (delete, lives) = match staged.deleted {
        None => (String::new(), String::new()),
        Some(column) => {
            let deleted = is_deleted("s.", column);
            (format!(" WHEN MATCHED AND {deleted} THEN DELETE"), format!(" AND NOT {deleted}"))
        }
    };
    format!(
        "MERGE INTO {root} AS d USING (SELECT {} FROM {}) AS s ON {}{delete} \
         WHEN MATCHED{} THEN UPDATE SET {set} WHEN NOT MATCHED{lives} THEN {}",
        select(columns, &[matched.keys, staged.deleted.map_or(&[][..], std::slice::from_ref)]),
        staged.winners(),
        matched.condition("d", "s"),
        changed(compared),
        insert(columns),
    )
}

/// An AND condition that the staged row differs in one of these columns; empty if there are none.
pub(super) fn changed(compared: &[SqlColumn]) -> String {
    if compared.is_empty() {
        return String::new();
    }
    let equal = join(compared, " AND ", |column| {
        let name = column.quoted();
        format!("s.{name} IS NOT DISTINCT FROM d.{name}")
    });
    format!(" AND NOT ({equal})")
}

/// The columns to select from the staging table: `columns`, and those of `more` that are not among
/// them.
fn select(columns: &[SqlColumn], more: &[&[SqlColumn]]) -> String {
    let missing = more.iter().copied().flatten();
    let missing = missing.filter(|column| columns.iter().all(|other| other.name != column.name));
    join(columns.iter().chain(missing), ", ", parsed_as)
}

pub(super) fn insert(columns: &[SqlColumn]) -> String {
    format!(
        "INSERT ({}) VALUES ({})",
        list(columns),
        join(columns, ", ", |column| format!("s.{}", column.quoted())),
    )
}
