//! How many tables and columns a family may have. Documents whose keys are data would make a table for
//! every list of theirs and a column for every value: what is nested is kept as JSON instead ([`super::collapse`]), and
//! where nothing is nested the load fails and names the place.

use super::collapse::keys_to;
use super::{Family, Halt, ShredOptions, ShredTable};
use crate::fault::{Fault, Result};
use crate::json::Reader;

/// After so many rows of a nested table the record is weighed.
pub(super) const WEIGHED: u32 = 4096;
/// What the rows of a batch may hold of memory while a record is taken, in one table and in all: a record is whole in
/// one batch, a table's rows of a batch are in one file, and a file passes the border of the component at once.
const MOST_OF_TABLE: usize = 88 << 20;
const MOST: usize = 384 << 20;

impl ShredOptions {
    /// Columns a table may have with those that no limit keeps out: objects that are kept as JSON, values
    /// that do not fit their column, keys whose name another key has.
    fn most_columns(&self) -> usize {
        self.max_columns.saturating_mul(2)
    }
}

impl Family {
    /// Fails if this list is the first with elements for its table, and the family has all its tables.
    #[cold]
    pub(super) fn check_tables(&self, reader: &Reader<'_>, list: usize) -> Result<(), Halt> {
        let most = self.options.max_tables;
        let layout = &self.layouts[list];
        let table = &self.tables[layout.table];
        // This one is among them already.
        if self.tables.len() <= most || table.rows() > 0 || !reader.clone().enter() {
            return Ok(());
        }
        let tables = self.tables.iter().filter(|table| table.rows() > 0 || !table.is_open());
        if tables.count() < most {
            return Ok(());
        }
        let root = &self.options.table;
        Err(Fault::data(format_args!(
            "expected at most {most} tables (max_tables), found a list under {} that needs one more: keep the \
             list as JSON (max_table_nesting, unnest), or raise max_tables",
            layout.raw_path().join(".")
        ))
        .at(format_args!("table {root}"))
        .into())
    }

    /// The fault of a key that needs a column in a table that has all it may have, and stands in no
    /// object that could be kept as JSON.
    #[cold]
    pub(super) fn too_many_columns(&self, layout: usize, entry: usize, table: usize) -> Fault {
        let most = self.options.max_columns;
        let key = keys_to(&self.layouts[layout], entry);
        Fault::data(format_args!(
            "expected at most {most} columns (max_columns), found one more key: {key}; raise max_columns, or exclude keys \
             (processing_steps)"
        ))
        .at(format_args!("table {}", self.tables[table].name))
    }
}

impl Family {
    /// Fails if the record that is being taken has more rows than a batch can hold.
    #[cold]
    pub(super) fn check_weight(&self, table: usize) -> Result<(), Halt> {
        let table = &self.tables[table];
        let is_large = table.bytes() > MOST_OF_TABLE;
        if !is_large && self.tables.iter().map(ShredTable::bytes).sum::<usize>() <= MOST {
            return Ok(());
        }
        let most = if is_large { MOST_OF_TABLE } else { MOST } >> 20;
        Err(Fault::data(format_args!(
            "expected at most {most} MiB of rows from one record, found a record with more: {} rows of the table {} \
             by now; have the source give smaller records, or keep the lists as JSON (max_table_nesting, unnest)",
            table.rows(),
            table.name
        ))
        .into())
    }
}

impl ShredTable {
    /// Fails if the table has so many columns that it may have no other one, whatever it is for.
    #[cold]
    pub(super) fn check_columns(&self, name: &str, options: &ShredOptions) -> Result<()> {
        let most = options.most_columns();
        if self.width() < most || self.column_of(name).is_some() || self.own_width() < most {
            return Ok(());
        }
        Err(Fault::data(format_args!(
            "expected at most {most} columns, twice max_columns, found one more: {name}"
        )))
    }
}
