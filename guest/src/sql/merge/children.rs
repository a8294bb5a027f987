//! Nested rows: they belong to root rows, and are inserted and deleted with them.

use super::keyed::{AbsentRows, changed, insert};
use super::{Links, Match, Name, Scope, SqlColumn, StagedRows, join, list, parsed_of, quote};

/// A nested table in a merge of its root table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChildMerge<'a> {
    /// The nested table.
    pub(crate) child: &'a Name,
    /// The root table.
    pub(crate) root: &'a Name,
    /// The staged root rows.
    pub(crate) staged: &'a StagedRows<'a>,
    /// The columns that link the tables.
    pub(crate) links: Links<'a>,
}

impl ChildMerge<'_> {
    /// Deletes the nested rows of the root rows that staged rows replace.
    pub(crate) fn delete_replaced(&self, matched: Match<'_>) -> String {
        let Self { child, root, staged, links } = self;
        format!(
            "DELETE FROM {child} WHERE {} IN (SELECT d.{} FROM {root} AS d JOIN {} AS s ON {})",
            quote(links.root_id),
            quote(links.key),
            staged.table,
            matched.condition("d", "s")
        )
    }

    /// Deletes the nested rows of the root rows that meet the user's condition.
    pub(crate) fn delete_scope(&self, condition: &str) -> String {
        let Self { child, root, links, .. } = self;
        format!(
            "DELETE FROM {child} WHERE {} IN (SELECT {} FROM {root} WHERE ({condition}))",
            quote(links.root_id),
            quote(links.key),
        )
    }

    /// Deletes the nested rows of the root rows in the scope that are not staged.
    pub(crate) fn delete_absent(&self, matched: Match<'_>, scope: Scope<'_>) -> String {
        let Self { child, root, staged, links } = self;
        let absent = AbsentRows { root, staging: staged.table, matched, scope, seq: links.seq };
        format!(
            "DELETE FROM {child} WHERE {} IN ({})",
            quote(links.root_id),
            absent.select(links.key)
        )
    }

    /// Deletes the nested rows of the staged root rows that are not kept.
    pub(crate) fn delete_dropped(&self) -> String {
        let Self { child, staged, links, .. } = self;
        format!(
            "DELETE FROM {child} WHERE {} IN (SELECT {} FROM {})",
            quote(links.root_id),
            quote(links.key),
            staged.dropped()
        )
    }

    /// Deletes existing nested rows of staged root rows that are not staged again. `waiting` is the
    /// staging table of the nested rows.
    pub(crate) fn delete_removed(&self, waiting: &Name, matched: Match<'_>) -> String {
        let Self { child, root, staged, links } = self;
        let [id, key, root_id] = [links.id, links.key, links.root_id].map(quote);
        format!(
            "DELETE FROM {child} WHERE {id} IN (SELECT c.{id} FROM {child} AS c JOIN \
             (SELECT DISTINCT d.{key} FROM {root} AS d JOIN {} AS s ON {}) AS r ON r.{key} = c.{root_id} \
             LEFT JOIN (SELECT c.{id} FROM {}) AS k ON k.{id} = c.{id} WHERE k.{id} IS NULL)",
            staged.table,
            matched.condition("d", "s"),
            self.of_kept(waiting),
        )
    }

    /// Inserts the `waiting` nested rows of the root rows that are kept.
    pub(crate) fn insert_kept(&self, columns: &[SqlColumn], waiting: &Name) -> String {
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM {}",
            self.child,
            list(columns),
            join(columns, ", ", |column| parsed_of("c.", column)),
            self.of_kept(waiting),
        )
    }

    /// Merges the `waiting` nested rows of the root rows that are kept: updates those that differ
    /// in a column of `compared`, and inserts the new ones.
    pub(crate) fn merge_kept(
        &self,
        columns: &[SqlColumn],
        waiting: &Name,
        compared: &[SqlColumn],
    ) -> String {
        let Self { child, links, .. } = self;
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
            self.of_kept(waiting),
            changed(compared),
            insert(columns),
        )
    }

    /// Inserts the `waiting` nested rows whose ids do not exist, of the root rows that are kept and
    /// exist.
    pub(crate) fn insert_new(&self, columns: &[SqlColumn], waiting: &Name) -> String {
        let Self { child, root, links, .. } = self;
        let id = quote(links.id);
        format!(
            "INSERT INTO {child} ({}) SELECT {} FROM {} LEFT JOIN {child} AS d ON d.{id} = c.{id} \
             WHERE d.{id} IS NULL AND w.{id} IN (SELECT {id} FROM {root})",
            list(columns),
            join(columns, ", ", |column| parsed_of("c.", column)),
            self.of_kept(waiting),
        )
    }

    /// The FROM clause: the `waiting` nested rows, as `c`, of the root rows that are kept, as `w`.
    /// They are joined by the number of the root row in the load, because ids made of keys repeat.
    fn of_kept(&self, waiting: &Name) -> String {
        let (id, seq) = (quote(self.links.id), quote(self.links.seq));
        format!(
            "{waiting} AS c JOIN (SELECT {seq}, {id} FROM {}) AS w ON w.{seq} = c.{seq}",
            self.staged.kept()
        )
    }
}

/// Sets the root ids of nested rows that were loaded when nothing needed them. Call it for the
/// tables from the root on: `parent` has the ids, unless it is the root itself.
pub(crate) fn fill_root_ids(
    child: &Name,
    parent: Option<&Name>,
    root: &Name,
    links: Links<'_>,
) -> String {
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
