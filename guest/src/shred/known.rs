//! What a family knows before its first record: tables and columns of the saved schema and of the job.

use super::{Family, KnownColumn, NestedRoot, TableContract};

impl Family {
    /// Makes a child table known before its first row.
    pub fn know_table(&mut self, name: &str, parent: &str) {
        let parent = self.by_name.get(parent).copied();
        let table = self.table(name, parent);
        self.tables[table].declared = true;
    }

    /// Makes the key known whose lists a table holds: the keys from the record on.
    pub fn know_table_key(&mut self, name: &str, key: Vec<String>) {
        if let Some(&table) = self.by_name.get(name) {
            self.claims.know_table(table, key);
        }
    }

    /// Makes a column known before its first value, behind those known already.
    pub fn know_column(&mut self, table: &str, mut column: KnownColumn) {
        if let Some(&table) = self.by_name.get(table) {
            let key = column.key.take();
            if let (Some(column), Some(key)) = (self.tables[table].know(column), key) {
                self.claims.know_column(table, column, key);
            }
        }
    }

    /// Says what the data may bring to a table that is known, and to those nested in it that are not.
    pub fn know_contract(&mut self, table: &str, contract: TableContract) {
        if let Some(&table) = self.by_name.get(table) {
            self.tables[table].contract = contract;
            self.guarded |= contract.restricts();
        }
    }

    /// Makes a table known that is filled from lists, and yet begins a family of its own.
    pub fn know_root(&mut self, name: &str, rooted: NestedRoot) {
        let table = self.table(name, None);
        self.tables[table].declared = true;
        self.tables[table].rooted = Some(Box::new(rooted));
    }
}
