//! The tables of a family.

use std::ops::{Index, IndexMut};

use rustc_hash::FxHashMap;

use super::arena::{Arena, TableId};
use super::contract::TableContract;
use super::table::ShredTable;

/// The tables of a family, in the order of first use.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) all: Arena<TableId, ShredTable>,
    by_name: FxHashMap<String, TableId>,
}

impl Tables {
    /// The table with this name.
    pub(super) fn find(&self, name: &str) -> Option<TableId> {
        self.by_name.get(name).copied()
    }

    /// The table with this name. Adds one with this parent if there is none.
    pub(super) fn find_or_add(&mut self, name: &str, parent: Option<TableId>) -> TableId {
        if let Some(table) = self.find(name) {
            return table;
        }
        let contract = parent.map(|parent| self[parent].contract.nested());
        let contract = contract.unwrap_or(TableContract::EVOLVE);
        let table = self.all.push(ShredTable::new(name.to_owned(), parent, contract));
        self.by_name.insert(name.to_owned(), table);
        table
    }

    /// Sets the parent of a table.
    pub(super) fn set_parent(&mut self, table: TableId, parent: TableId) {
        let contract = self[parent].contract.nested();
        let table = &mut self[table];
        (table.parent, table.contract) = (Some(parent), contract);
    }

    /// The memory of the rows of the batch, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.all.iter().map(ShredTable::bytes).sum()
    }

    /// The root table of a table: its last ancestor.
    pub(super) fn root_of(&self, table: TableId) -> TableId {
        self.ancestors(table).last().unwrap_or(table)
    }

    /// The tables, each after its parent.
    pub(super) fn descending(&self) -> Vec<TableId> {
        let mut tables: Vec<TableId> = self.all.enumerate().map(|(table, _)| table).collect();
        tables.sort_by_cached_key(|table| self.ancestors(*table).count());
        tables
    }

    /// A table, its parent, and so on up to the root.
    fn ancestors(&self, table: TableId) -> impl Iterator<Item = TableId> {
        let parent = |table: &TableId| self[*table].parent;
        // A table has fewer ancestors than there are tables.
        std::iter::successors(Some(table), parent).take(self.all.len())
    }
}

impl Index<TableId> for Tables {
    type Output = ShredTable;

    #[inline]
    fn index(&self, table: TableId) -> &ShredTable {
        &self.all[table]
    }
}

impl IndexMut<TableId> for Tables {
    #[inline]
    fn index_mut(&mut self, table: TableId) -> &mut ShredTable {
        &mut self.all[table]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_come_after_their_parents() {
        let mut tables = Tables::default();
        let root = tables.find_or_add("t", None);
        let late = tables.find_or_add("t__a", Some(root));
        let inner = tables.find_or_add("t__a__b", Some(late));
        let outer = tables.find_or_add("t__c", Some(root));
        assert_eq!(tables.find_or_add("t__c", None), outer);
        tables.set_parent(late, outer);
        assert_eq!(tables.descending(), [root, outer, late, inner]);
        assert_eq!(tables.root_of(inner), root);
        let other = tables.find_or_add("u", None);
        assert_eq!(tables.root_of(other), other);
    }
}
