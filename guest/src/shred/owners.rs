//! Which key has which name: the keys whose values the columns hold, and the lists whose rows the tables hold.

use rustc_hash::FxHashMap;

use super::arena::{ColumnId, KeyId, LayoutId, TableId};
use super::layout::Layouts;

/// The keys that have the names of columns and tables.
#[derive(Debug, Default)]
pub(super) struct NameOwners {
    columns: FxHashMap<(TableId, ColumnId), ColumnOwner>,
    /// The keys of tables, from the record on.
    tables: FxHashMap<TableId, Vec<String>>,
    /// The keys that the schema stores, or is to store: of columns, by the table.
    stored_columns: FxHashMap<(TableId, Vec<String>), ColumnId>,
    stored_tables: FxHashMap<Vec<String>, TableId>,
    /// What the record that is being walked decided.
    decisions: Vec<Decision>,
    /// The number of that record.
    record: u64,
}

/// The key that has a column.
#[derive(Debug)]
pub(super) enum ColumnOwner {
    /// This key, since a row of a record.
    Key { key: KeyId, record: u64, row: u32 },
    /// These keys from the row on, as the schema stores them.
    Stored(Vec<String>),
}

/// What is forgotten if the record is undone.
#[derive(Debug)]
enum Decision {
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

    /// Takes the key of a column from the schema.
    pub(super) fn know_column(&mut self, table: TableId, column: ColumnId, key: Vec<String>) {
        self.stored_columns.insert((table, key.clone()), column);
        self.columns.insert((table, column), ColumnOwner::Stored(key));
    }

    /// Takes the key of a table from the schema.
    pub(super) fn know_table(&mut self, table: TableId, key: Vec<String>) {
        self.stored_tables.insert(key.clone(), table);
        self.tables.insert(table, key);
    }

    /// The keys that the schema is to store: of a table, or of a column of it.
    pub(super) fn stored(&self) -> impl Iterator<Item = (TableId, Option<ColumnId>, &[String])> {
        let columns = self.stored_columns.iter();
        let columns = columns.map(|((table, key), column)| (*table, Some(*column), key.as_slice()));
        let tables = self.stored_tables.iter().map(|(key, table)| (*table, None, key.as_slice()));
        columns.chain(tables)
    }

    /// Returns `true` if the schema stores, or is to store, the key of any column.
    pub(super) fn stores_columns(&self) -> bool {
        !self.stored_columns.is_empty()
    }

    /// The column that the schema stores for a key: the keys from the row on.
    pub(super) fn stored_column(
        &self,
        table: TableId,
        within_row: Vec<String>,
    ) -> Option<ColumnId> {
        self.stored_columns.get(&(table, within_row)).copied()
    }

    /// The columns of a table that the schema stores keys for.
    pub(super) fn stored_columns_of(
        &self,
        table: TableId,
    ) -> impl Iterator<Item = (&[String], ColumnId)> {
        let stored = self.stored_columns.iter().filter(move |((of, _), _)| *of == table);
        stored.map(|((_, key), column)| (key.as_slice(), *column))
    }

    /// Has the schema store the key of a column.
    pub(super) fn store_column(
        &mut self,
        table: TableId,
        within_row: Vec<String>,
        column: ColumnId,
    ) {
        self.stored_columns.insert((table, within_row), column);
    }

    /// The table that the schema stores for a key: the keys from the record on.
    pub(super) fn stored_table(&self, key: &[String]) -> Option<TableId> {
        self.stored_tables.get(key).copied()
    }

    /// Has the schema store the key of a table.
    pub(super) fn store_table(&mut self, key: Vec<String>, table: TableId) {
        self.stored_tables.insert(key, table);
    }

    /// The owner of a column.
    pub(super) fn column_owner(&self, table: TableId, column: ColumnId) -> Option<&ColumnOwner> {
        self.columns.get(&(table, column))
    }

    /// The owner of a table: the keys from the record on.
    pub(super) fn table_owner(&self, table: TableId) -> Option<&[String]> {
        self.tables.get(&table).map(Vec::as_slice)
    }

    /// Gives a column to a key, since this row of the record.
    pub(super) fn own_column(&mut self, key: KeyId, table: TableId, column: ColumnId, row: u32) {
        let owner = ColumnOwner::Key { key, record: self.record, row };
        self.columns.insert((table, column), owner);
    }

    /// Gives a table to the lists under a key, whose path from the record on is this one.
    pub(super) fn own_table(
        &mut self,
        key: KeyId,
        list: LayoutId,
        table: TableId,
        path: Vec<String>,
    ) {
        self.tables.insert(table, path);
        self.decisions.push(Decision::Table { key, list, table });
    }

    /// Returns `true` if the key that owns a column got it in this row of the record.
    pub(super) fn is_of_row(&self, owner: &ColumnOwner, of_row: u32) -> bool {
        matches!(owner, ColumnOwner::Key { record, row, .. } if (*record, *row) == (self.record, of_row))
    }

    /// Notes that the values of a key go to a column from now on.
    pub(super) fn resolve(
        &mut self,
        layouts: &mut Layouts,
        key: KeyId,
        table: TableId,
        column: ColumnId,
    ) {
        layouts[key].column = Some(column);
        self.decisions.push(Decision::Column { key, table, column });
    }

    /// Forgets what the record decided.
    pub(super) fn undo(&mut self, layouts: &mut Layouts) {
        for decision in std::mem::take(&mut self.decisions) {
            match decision {
                Decision::Column { key, table, column } => {
                    layouts[key].column = None;
                    let owner = self.columns.get(&(table, column));
                    if matches!(owner, Some(ColumnOwner::Key { record, .. }) if *record == self.record)
                    {
                        self.columns.remove(&(table, column));
                        self.stored_columns.remove(&(table, layouts.within_row(key)));
                    }
                }
                Decision::Table { key, list, table } => {
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

    /// The keys from the row on whose values the column holds.
    pub(super) fn path(&self, layouts: &Layouts) -> Vec<String> {
        match self {
            Self::Key { key, .. } => layouts.within_row(*key),
            Self::Stored(path) => path.clone(),
        }
    }
}
