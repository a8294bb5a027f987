//! Child rows: they belong to root rows, and go and come with them.

use super::keyed::{absent, changed, insert};
use super::{Column, Links, Match, Name, Scope, Staged, join, list, parsed_of, quote};

/// The rows of a child table whose root is about to be replaced.
pub fn delete_replaced(
    child: &Name,
    root: &Name,
    staging: &Name,
    matched: Match<'_>,
    links: Links<'_>,
) -> String {
    format!(
        "DELETE FROM {child} WHERE {} IN (SELECT d.{} FROM {root} AS d JOIN {staging} AS s ON {})",
        quote(links.root_id),
        quote(links.key),
        matched.condition("d", "s")
    )
}

/// The rows of a child table whose root meets the user's condition.
pub fn delete_scope(child: &Name, root: &Name, condition: &str, links: Links<'_>) -> String {
    format!(
        "DELETE FROM {child} WHERE {} IN (SELECT {} FROM {root} WHERE ({condition}))",
        quote(links.root_id),
        quote(links.key),
    )
}

/// The rows of a child table whose root did not come, in the scope.
pub fn delete_absent(
    child: &Name,
    root: &Name,
    staging: &Name,
    matched: Match<'_>,
    scope: Scope<'_>,
    links: Links<'_>,
) -> String {
    let root_id = quote(links.root_id);
    let absent = absent(links.key, root, staging, matched, scope, links);
    format!("DELETE FROM {child} WHERE {root_id} IN ({absent})")
}

/// The rows of a child table that belong to staged roots which are not kept.
pub fn delete_dropped(child: &Name, staged: &Staged<'_>, links: Links<'_>) -> String {
    format!(
        "DELETE FROM {child} WHERE {} IN (SELECT {} FROM {})",
        quote(links.root_id),
        quote(links.key),
        staged.dropped()
    )
}

/// The rows of a child table that their roots no longer have: of the roots that came, what is not
/// staged for one that is kept.
pub fn delete_removed(
    child: &Name,
    root: &Name,
    waiting: &Name,
    staged: &Staged<'_>,
    matched: Match<'_>,
    links: Links<'_>,
) -> String {
    let [id, key, root_id] = [links.id, links.key, links.root_id].map(quote);
    format!(
        "DELETE FROM {child} WHERE {id} IN (SELECT c.{id} FROM {child} AS c JOIN \
         (SELECT DISTINCT d.{key} FROM {root} AS d JOIN {} AS s ON {}) AS r ON r.{key} = c.{root_id} \
         LEFT JOIN (SELECT c.{id} FROM {}) AS k ON k.{id} = c.{id} WHERE k.{id} IS NULL)",
        staged.table,
        matched.condition("d", "s"),
        of_kept(waiting, staged, links),
    )
}

/// The staged child rows whose root row is kept, into the child table.
pub fn insert_kept(
    child: &Name,
    columns: &[Column],
    waiting: &Name,
    staged: &Staged<'_>,
    links: Links<'_>,
) -> String {
    format!(
        "INSERT INTO {child} ({}) SELECT {} FROM {}",
        list(columns),
        join(columns, ", ", |column| parsed_of("c.", column)),
        of_kept(waiting, staged, links),
    )
}

/// The staged child rows whose root row is kept: those that differ in a column that is compared
/// update, and those that are new are added.
pub fn merge_kept(
    child: &Name,
    columns: &[Column],
    waiting: &Name,
    staged: &Staged<'_>,
    compared: &[Column],
    links: Links<'_>,
) -> String {
    let id = quote(links.id);
    let set = join(columns.iter().filter(|column| column.name != links.id), ", ", |column| {
        let name = column.quoted();
        format!("{name} = s.{name}")
    });
    format!(
        "MERGE INTO {child} AS d USING (SELECT {} FROM {}) AS s ON d.{id} = s.{id} \
         WHEN MATCHED{} THEN UPDATE SET {set} WHEN NOT MATCHED THEN {}",
        join(columns, ", ", |column| {
            format!("{} AS {}", parsed_of("c.", column), column.quoted())
        }),
        of_kept(waiting, staged, links),
        changed(compared),
        insert(columns),
    )
}

/// The staged child rows of kept rows that are in the root table, those whose ids are not there.
pub fn insert_new(
    child: &Name,
    columns: &[Column],
    waiting: &Name,
    root: &Name,
    staged: &Staged<'_>,
    links: Links<'_>,
) -> String {
    let id = quote(links.id);
    format!(
        "INSERT INTO {child} ({}) SELECT {} FROM {} LEFT JOIN {child} AS d ON d.{id} = c.{id} \
         WHERE d.{id} IS NULL AND w.{id} IN (SELECT {id} FROM {root})",
        list(columns),
        join(columns, ", ", |column| parsed_of("c.", column)),
        of_kept(waiting, staged, links),
    )
}

/// What follows FROM: the staged child rows, as `c`, of the root rows that are kept, as `w`. A root
/// row is known by its number in the load: ids repeat where they are made of keys.
fn of_kept(waiting: &Name, staged: &Staged<'_>, links: Links<'_>) -> String {
    let (id, seq) = (quote(links.id), quote(links.seq));
    format!(
        "{waiting} AS c JOIN (SELECT {seq}, {id} FROM {}) AS w ON w.{seq} = c.{seq}",
        staged.kept()
    )
}

/// The ids of roots for child rows that have none because nothing asked for them when they came.
/// Tables are done from the root on: `parent` has the ids, unless it is the root itself.
pub fn fill_root_ids(child: &Name, parent: Option<&Name>, root: &Name, links: Links<'_>) -> String {
    let [id, parent_id, root_id] = [links.id, links.parent_id, links.root_id].map(quote);
    let (from, key) = match parent {
        Some(parent) => (parent, root_id.clone()),
        None => (root, quote(links.key)),
    };
    match parent {
        None if links.key == links.id => {
            format!("UPDATE {child} SET {root_id} = {parent_id} WHERE {root_id} IS NULL")
        }
        _ => format!(
            "MERGE INTO {child} AS d USING (SELECT {id}, {key} FROM {from}) AS s \
             ON d.{parent_id} = s.{id} AND d.{root_id} IS NULL \
             WHEN MATCHED THEN UPDATE SET {root_id} = s.{key}"
        ),
    }
}
