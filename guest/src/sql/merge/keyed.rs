//! Root rows by their keys: delete-insert, upsert, insert-only, cdc.

use super::{
    Column, Links, Match, Name, Scope, Staged, is_deleted, join, list, parsed, parsed_as, quote,
    same,
};

/// The root rows that staged rows replace.
pub fn delete_matched(root: &Name, staging: &Name, matched: Match<'_>) -> String {
    let bounds = join(matched.bounds, "", |bound| format!("{} AND ", bound.condition("d")));
    let same = join(matched.keys, " AND ", |key| same(key, "d", "s"));
    format!(
        "DELETE FROM {root} AS d WHERE {bounds}EXISTS (SELECT 1 FROM {staging} AS s WHERE {same})"
    )
}

/// The root rows that meet the user's condition.
pub fn delete_scope(root: &Name, condition: &str) -> String {
    format!("DELETE FROM {root} WHERE ({condition})")
}

/// The root rows that did not come, in the scope.
pub fn delete_absent(
    root: &Name,
    staging: &Name,
    matched: Match<'_>,
    scope: Scope<'_>,
    links: Links<'_>,
) -> String {
    let id = quote(links.id);
    let absent = absent(links.id, root, staging, matched, scope, links);
    format!("DELETE FROM {root} WHERE {id} IN ({absent})")
}

/// This column of root rows that did not come, in the scope.
pub(super) fn absent(
    column: &str,
    root: &Name,
    staging: &Name,
    matched: Match<'_>,
    scope: Scope<'_>,
    links: Links<'_>,
) -> String {
    // The bounds are of the rows that came: those that did not may be beyond.
    let matched = Match { bounds: &[], ..matched };
    format!(
        "SELECT d.{} FROM {} LEFT JOIN {staging} AS s ON {} WHERE s.{} IS NULL",
        quote(column),
        scope.rows(root, staging),
        matched.condition("d", "s"),
        quote(links.seq),
    )
}

impl Scope<'_> {
    /// What follows FROM: the root rows in the scope, as `d`.
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

/// The staged rows that are kept, into the root table.
pub fn insert_kept(root: &Name, columns: &[Column], staged: &Staged<'_>) -> String {
    format!(
        "INSERT INTO {root} ({}) SELECT {} FROM {}",
        list(columns),
        join(columns, ", ", parsed),
        staged.kept()
    )
}

/// The staged rows that are kept: those with a new key are added, and nothing else happens.
pub fn merge_new(
    root: &Name,
    columns: &[Column],
    staged: &Staged<'_>,
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

/// The staged rows that are kept, updating the root rows of the same key and adding the others.
/// Those that are deleted at the source delete, and are never added. Where columns to compare are
/// given, rows that do not differ in them are left alone.
pub fn merge_kept(
    root: &Name,
    columns: &[Column],
    staged: &Staged<'_>,
    matched: Match<'_>,
    compared: &[Column],
) -> String {
    let is_key = |column: &&Column| matched.keys.iter().any(|key| key.name == column.name);
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

/// ` AND` that the staged row differs in one of these columns; nothing where there are none.
pub(super) fn changed(compared: &[Column]) -> String {
    if compared.is_empty() {
        return String::new();
    }
    let equal = join(compared, " AND ", |column| {
        let name = column.quoted();
        format!("s.{name} IS NOT DISTINCT FROM d.{name}")
    });
    format!(" AND NOT ({equal})")
}

/// What is selected from the staging table: the columns, and these too where they are not among them.
fn select(columns: &[Column], more: &[&[Column]]) -> String {
    let missing = more.iter().copied().flatten();
    let missing = missing.filter(|column| columns.iter().all(|other| other.name != column.name));
    join(columns.iter().chain(missing), ", ", parsed_as)
}

pub(super) fn insert(columns: &[Column]) -> String {
    format!(
        "INSERT ({}) VALUES ({})",
        list(columns),
        join(columns, ", ", |column| format!("s.{}", column.quoted())),
    )
}
