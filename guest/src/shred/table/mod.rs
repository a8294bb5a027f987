//! One table of a family: the columns known so far, and the rows of the current batch.

mod cell;
mod column;
mod lack;
mod order;
mod put;
mod record;
mod system;
mod undo;
mod widen;

use self::cell::Misfit;
use self::column::Columns;
use self::order::ColumnOrder;
use self::undo::UndoLog;
use super::arena::{ColumnId, TableId};
use super::contract::{RejectedColumns, TableContract};
use super::options::{NestedRoot, ShredOptions};
use crate::columnar::batch::ColumnBuffer;
use crate::dlt::schema::ContractMode;
use crate::dlt::types::Kind;
use crate::fault::{Fault, Result};

pub(super) use self::cell::{CellId, PutOutcome};
pub(crate) use self::column::{KnownColumn, SeenColumn};

/// The factor for the weight of strings in mostly-unique columns. A larger batch would not compress
/// such strings better, and would no longer fit in the processor's cache.
const UNIQUE_FACTOR: usize = 2;

/// The factor in tables of at least [`WIDE`] columns: with hundreds of columns growing in turn,
/// each has a smaller share of the cache.
const UNIQUE_FACTOR_OF_WIDE: usize = 4;
const WIDE: usize = 256;

/// A table with the rows of the current batch.
#[derive(Debug)]
pub(crate) struct ShredTable {
    /// The normalized name.
    pub(crate) name: String,
    /// The table of its rows' parents.
    pub(crate) parent: Option<TableId>,
    columns: Columns,
    order: ColumnOrder,
    /// dlt's columns that have values.
    system: Vec<(&'static str, ColumnId)>,
    /// The required columns.
    required: Vec<ColumnId>,
    /// The rows of this batch and the ones before it.
    rows: u32,
    flushed_rows: u64,
    undo: UndoLog,
    /// The parent row whose list was read last, and its number of elements so far.
    numbering: Option<((TableId, u32), u64)>,
    pub(super) contract: TableContract,
    rejected: RejectedColumns,
    /// Whether the table had columns before the open row.
    has_columns: bool,
    /// Whether the schema declares its parent.
    pub(super) is_declared: bool,
    /// For a table of list elements that are also root rows.
    pub(super) nested_root: Option<Box<NestedRoot>>,
    /// The last value that did not fit a required column.
    misfit: Option<Box<Misfit>>,
}

impl ShredTable {
    pub(super) fn new(name: String, parent: Option<TableId>, contract: TableContract) -> Self {
        Self {
            name,
            parent,
            columns: Columns::default(),
            order: ColumnOrder::default(),
            system: Vec::new(),
            required: Vec::new(),
            rows: 0,
            flushed_rows: 0,
            undo: UndoLog::default(),
            numbering: None,
            contract,
            rejected: RejectedColumns::default(),
            has_columns: false,
            is_declared: false,
            nested_root: None,
            misfit: None,
        }
    }

    /// The number of rows in the current batch.
    pub(crate) fn rows(&self) -> u32 {
        self.rows
    }

    /// The number of rows of the load, including the current batch.
    pub(crate) fn total_rows(&self) -> u64 {
        self.flushed_rows + u64::from(self.rows)
    }

    /// The weight of the batch: a weighted estimate of its memory, in which strings of mostly-unique columns count
    /// several times. It flushes pending strings.
    pub(crate) fn weight(&mut self) -> usize {
        self.flush_pending();
        let factor =
            if self.columns.all.len() < WIDE { UNIQUE_FACTOR } else { UNIQUE_FACTOR_OF_WIDE };
        let weight = |values: &ColumnBuffer| values.bytes() + values.unique_bytes() * (factor - 1);
        self.columns.all.iter().map(|column| weight(&column.values)).sum()
    }

    /// The memory of the batch's values, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.columns.all.iter().map(|column| column.values.bytes()).sum()
    }

    /// Flushes the pending strings of all columns, so that their values can be read.
    pub(crate) fn flush_pending(&mut self) {
        for column in self.columns.all.iter_mut() {
            column.values.flush_pending();
        }
    }

    /// The columns that have a type, in dlt's order.
    pub(crate) fn columns(&self) -> Vec<SeenColumn<'_>> {
        let mut columns: Vec<(u32, SeenColumn<'_>)> = self
            .columns
            .all
            .enumerate()
            .filter_map(|(id, column)| {
                let seen = SeenColumn {
                    name: &column.name,
                    kind: column.kind?,
                    variant: column.is_variant,
                    seen: column.seen,
                    values: &column.values,
                };
                Some((self.order.rank(id).unwrap_or(u32::MAX), seen))
            })
            .collect();
        columns.sort_by_key(|(rank, _)| *rank);
        columns.into_iter().map(|(_, column)| column).collect()
    }

    /// The type of the column with this name, if it exists and has one.
    pub(crate) fn kind_of(&self, name: &str) -> Option<Kind> {
        self.kind_at(self.column_of(name)?)
    }

    /// Ends the batch: clears the rows and keeps the columns.
    pub(crate) fn clear(&mut self) {
        self.flushed_rows += u64::from(self.rows);
        self.rows = 0;
        self.numbering = None;
        self.misfit = None;
        for column in self.columns.all.iter_mut() {
            column.end_batch();
        }
    }

    /// The number of columns, including those without a type, but not those that the contract
    /// rejects.
    pub(super) fn width(&self) -> usize {
        self.columns.all.len() - self.rejected.len()
    }

    /// Fails if the table has reached the maximum of columns for any purpose.
    #[cold]
    pub(super) fn check_columns(&self, name: &str, options: &ShredOptions) -> Result<()> {
        let most = options.most_columns();
        if self.width() < most || self.column_of(name).is_some() {
            return Ok(());
        }
        let is_system = |name: &str| name.starts_with("_dlt_");
        let system = self.columns.all.iter().filter(|column| is_system(&column.name)).count();
        if self.width().saturating_sub(system) < most {
            return Ok(());
        }
        Err(Fault::data(format_args!(
            "expected at most {most} columns, twice max_columns, found one more: {name}"
        )))
    }

    /// Returns `true` if the contract rejects new columns.
    pub(super) fn rejects_columns(&self) -> bool {
        self.contract.new_columns(self.has_columns) != ContractMode::Evolve
    }

    /// The mode of new tables, if this table is new and its contract restricts new tables.
    pub(super) fn rejected(&self) -> Option<ContractMode> {
        let mode = self.contract.modes.tables;
        (!self.has_columns && mode != ContractMode::Evolve).then_some(mode)
    }

    /// Returns `true` if the parent is not fixed yet: the schema does not declare it, and the table
    /// has no rows.
    pub(super) fn is_open(&self) -> bool {
        !self.has_columns && !self.is_declared
    }

    /// The column with this name.
    pub(super) fn column_of(&self, name: &str) -> Option<ColumnId> {
        self.columns.find(name)
    }

    /// The column with this name. Adds one without a type if there is none.
    pub(super) fn column(&mut self, name: &str) -> ColumnId {
        self.columns.find_or_add(name)
    }

    /// Returns `true` if the column is the variant of another one.
    pub(super) fn is_variant(&self, column: ColumnId) -> bool {
        self.columns.all[column].is_variant
    }

    /// Returns `true` if the column has a value in this row, which is the last one.
    pub(super) fn has_value(&self, column: ColumnId, row: u32) -> bool {
        self.columns.all[column].values.last_row() == Some(row)
    }

    /// The type of a column, if it has one.
    pub(super) fn kind_at(&self, column: ColumnId) -> Option<Kind> {
        self.columns.all[column].kind
    }

    /// The name of a column.
    pub(super) fn column_name(&self, column: ColumnId) -> &str {
        &self.columns.all[column].name
    }

    /// Declares a column of the saved schema or the job. Returns its id if it is new.
    pub(super) fn know(&mut self, known: &KnownColumn) -> Option<ColumnId> {
        if self.column_of(&known.name).is_some() {
            return None;
        }
        let id = self.columns.find_or_add(&known.name);
        self.order.append(id);
        let column = &mut self.columns.all[id];
        column.nullable = known.nullable;
        column.primary_key = known.primary_key;
        if let Some(kind) = known.kind {
            column.known = true;
            column.kind = Some(kind);
            column.values = ColumnBuffer::new(kind);
            self.has_columns = true;
            self.columns.note_type(id);
        }
        if !known.nullable && !known.name.starts_with("_dlt_") {
            self.required.push(id);
        }
        Some(id)
    }
}
