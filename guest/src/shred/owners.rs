//! The owners of names: the keys whose values the columns store, and the lists whose rows the
//! tables store.

use rustc_hash::FxHashMap;

use super::arena::{ColumnId, KeyId, LayoutId, TableId};
use super::layout::Layouts;

/// The keys that own the names of columns and tables.
#[derive(Debug, Default)]
pub(super) struct NameOwners {
    columns: FxHashMap<(TableId, ColumnId), ColumnOwner>,
    /// The keys of tables: the path from the record.
    tables: FxHashMap<TableId, Vec<String>>,
    /// The keys of columns that the schema stores or will store, by table.
    stored_columns: FxHashMap<(TableId, Vec<String>), ColumnId>,
    stored_tables: FxHashMap<Vec<String>, TableId>,
    /// The decisions of the current record.
    decisions: Vec<NameDecision>,
    /// The number of that record.
    record: u64,
}

/// The key that owns a column.
#[derive(Debug)]
pub(super) enum ColumnOwner {
    /// A key of the documents, and the row of the record in which it became the owner.
    Key { key: KeyId, record: u64, row: u32 },
    /// A path from the row that the schema stores.
    Stored(Vec<String>),
}

/// A decision that is dropped if the record is undone.
#[derive(Debug)]
enum NameDecision {
    /// The column of a key.
    Column { key: KeyId, table: TableId, column: ColumnId },
    /// The table of the lists under a key.
    Table { key: KeyId, list: LayoutId, table: TableId },
}

impl NameOwners {
    /// Begins a record.
    #[inline]
    pub(super) fn begin(&mut self, record: u64) {
        self.record = record;
        self.decisions.clear();
    }

    /// Sets the key of a column from the schema.
    pub(super) fn know_column(&mut self, table: TableId, column: ColumnId, key: Vec<String>) {
        self.stored_columns.insert((table, key.clone()), column);
        self.columns.insert((table, column), ColumnOwner::Stored(key));
    }

    /// Sets the key of a table from the schema.
    pub(super) fn know_table(&mut self, table: TableId, key: Vec<String>) {
        self.stored_tables.insert(key.clone(), table);
        self.tables.insert(table, key);
    }

    /// The keys that the schema must store, of tables and their columns.
    pub(super) fn stored(&self) -> impl Iterator<Item = (TableId, Option<ColumnId>, &[String])> {
        let columns = self.stored_columns.iter();
        let columns = columns.map(|((table, key), column)| (*table, Some(*column), key.as_slice()));
        let tables = self.stored_tables.iter().map(|(key, table)| (*table, None, key.as_slice()));
        columns.chain(tables)
    }

    /// Returns `true` if the schema stores, or will store, the key of any column.
    pub(super) fn stores_columns(&self) -> bool {
        !self.stored_columns.is_empty()
    }

    /// The column that the schema stores for a key: the path from the row.
    pub(super) fn stored_column(
        &self,
        table: TableId,
        within_row: Vec<String>,
    ) -> Option<ColumnId> {
        self.stored_columns.get(&(table, within_row)).copied()
    }

    /// The columns of a table whose keys the schema stores.
    pub(super) fn stored_columns_of(
        &self,
        table: TableId,
    ) -> impl Iterator<Item = (&[String], ColumnId)> {
        let stored = self.stored_columns.iter().filter(move |((of, _), _)| *of == table);
        stored.map(|((_, key), column)| (key.as_slice(), *column))
    }

    /// Marks the key of a column to be stored in the schema.
    pub(super) fn store_column(
        &mut self,
        table: TableId,
        within_row: Vec<String>,
        column: ColumnId,
    ) {
        self.stored_columns.insert((table, within_row), column);
    }

    /// The table that the schema stores for a key: the path from the record.
    pub(super) fn stored_table(&self, key: &[String]) -> Option<TableId> {
        self.stored_tables.get(key).copied()
    }

    /// Marks the key of a table to be stored in the schema.
    pub(super) fn store_table(&mut self, key: Vec<String>, table: TableId) {
        self.stored_tables.insert(key, table);
    }

    /// The owner of a column.
    pub(super) fn column_owner(&self, table: TableId, column: ColumnId) -> Option<&ColumnOwner> {
        self.columns.get(&(table, column))
    }

    /// The owner of a table: the path from the record.
    pub(super) fn table_owner(&self, table: TableId) -> Option<&[String]> {
        self.tables.get(&table).map(Vec::as_slice)
    }

    /// Makes a key the owner of a column, since this row of the record.
    pub(super) fn own_column(&mut self, key: KeyId, table: TableId, column: ColumnId, row: u32) {
        let owner = ColumnOwner::Key { key, record: self.record, row };
        self.columns.insert((table, column), owner);
    }

    /// Makes the lists under a key the owner of a table. `path` starts at the record.
    pub(super) fn own_table(
        &mut self,
        key: KeyId,
        list: LayoutId,
        table: TableId,
        path: Vec<String>,
    ) {
        self.tables.insert(table, path);
        self.decisions.push(NameDecision::Table { key, list, table });
    }

    /// Returns `true` if the key became the owner of the column in this row of the record.
    pub(super) fn is_of_row(&self, owner: &ColumnOwner, of_row: u32) -> bool {
        matches!(owner, ColumnOwner::Key { record, row, .. } if (*record, *row) == (self.record, of_row))
    }

    /// Records that the values of a key go to a column from now on.
    pub(super) fn resolve(
        &mut self,
        layouts: &mut Layouts,
        key: KeyId,
        table: TableId,
        column: ColumnId,
    ) {
        layouts[key].column = Some(column);
        self.decisions.push(NameDecision::Column { key, table, column });
    }

    /// Drops the decisions of the record.
    pub(super) fn undo(&mut self, layouts: &mut Layouts) {
        for decision in std::mem::take(&mut self.decisions) {
            match decision {
                NameDecision::Column { key, table, column } => {
                    layouts[key].column = None;
                    let owner = self.columns.get(&(table, column));
                    if matches!(owner, Some(ColumnOwner::Key { record, .. }) if *record == self.record)
                    {
                        self.columns.remove(&(table, column));
                        self.stored_columns.remove(&(table, layouts.within_row(key)));
                    }
                }
                NameDecision::Table { key, list, table } => {
                    layouts[key].list = None;
                    if let Some(path) = self.tables.remove(&table) {
                        self.stored_tables.remove(&path);
                    }
                    layouts[list].owns_table = false;
                }
            }
        }
    }
}

impl ColumnOwner {
    /// Returns `true` if the owner is this key.
    pub(super) fn is(&self, other: KeyId, layouts: &Layouts) -> bool {
        match self {
            Self::Key { key, .. } => {
                *key == other || layouts.within_row(*key) == layouts.within_row(other)
            }
            Self::Stored(path) => *path == layouts.within_row(other),
        }
    }

    /// The path of the values in the column, starting at the row.
    pub(super) fn path(&self, layouts: &Layouts) -> Vec<String> {
        match self {
            Self::Key { key, .. } => layouts.within_row(*key),
            Self::Stored(path) => path.clone(),
        }
    }
}
