//! One cell of a table, and the outcome of putting a value into it.

use crate::shred::arena::ColumnId;

/// A row and a column of a table.
#[derive(Clone, Copy, Debug)]
pub(in crate::shred) struct CellId {
    pub(in crate::shred) row: u32,
    pub(in crate::shred) column: ColumnId,
}

/// The outcome of putting a value into a cell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::shred) enum PutOutcome {
    /// The value is in the column or in its variant.
    Stored,
    /// The contract rejects the column: the value is discarded.
    ValueRejected(ColumnId),
    /// The contract rejects the column: the row must be discarded.
    RowRejected(ColumnId),
    /// The row already has a value there: two keys of the record share a name.
    Occupied,
}

/// A value that did not fit its column.
#[derive(Debug)]
pub(super) struct Misfit {
    pub(super) row: u32,
    pub(super) column: ColumnId,
    /// The column that stores it.
    pub(super) variant: ColumnId,
    /// The value for messages.
    pub(super) value: String,
}
