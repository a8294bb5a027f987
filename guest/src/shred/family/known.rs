//! Tables and columns that a family knows before its first record, from the saved schema and the
//! job.

use super::Family;
use crate::shred::contract::TableContract;
use crate::shred::options::NestedRoot;
use crate::shred::table::KnownColumn;

impl Family {
    /// Declares a nested table before its first row.
    pub(crate) fn know_table(&mut self, name: &str, parent: &str) {
        let tables = &mut self.walk.mapping.tables;
        let parent = tables.find(parent);
        let table = tables.find_or_add(name, parent);
        tables[table].is_declared = true;
    }

    /// Declares the key of the lists of a table: the path from the record.
    pub(crate) fn know_table_key(&mut self, name: &str, key: Vec<String>) {
        if let Some(table) = self.walk.mapping.tables.find(name) {
            self.walk.mapping.owners.know_table(table, key);
        }
    }

    /// Declares a column before its first value, after the declared ones.
    pub(crate) fn know_column(&mut self, table: &str, mut column: KnownColumn) {
        let mapping = &mut self.walk.mapping;
        if let Some(table) = mapping.tables.find(table) {
            let key = column.key.take();
            if let (Some(column), Some(key)) = (mapping.tables[table].know(&column), key) {
                mapping.owners.know_column(table, column, key);
            }
        }
    }

    /// Declares the contract of a table, and of new tables nested in it.
    pub(crate) fn know_contract(&mut self, table: &str, contract: TableContract) {
        if let Some(table) = self.walk.mapping.tables.find(table) {
            self.walk.mapping.tables[table].contract = contract;
            self.walk.has_contracts |= contract.restricts();
        }
    }

    /// Declares a table whose rows are elements of lists and also root rows.
    pub(crate) fn know_root(&mut self, name: &str, nested_root: NestedRoot) {
        let tables = &mut self.walk.mapping.tables;
        let table = tables.find_or_add(name, None);
        tables[table].is_declared = true;
        tables[table].nested_root = Some(Box::new(nested_root));
    }
}
