//! One cell of a table, and what becomes of a value that is put into it.

use crate::shred::arena::ColumnId;

/// A row and a column of a table.
#[derive(Clone, Copy, Debug)]
pub(in crate::shred) struct CellId {
    pub(in crate::shred) row: u32,
    pub(in crate::shred) column: ColumnId,
}

/// What became of a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::shred) enum PutOutcome {
    /// It is in the column, or in a variant of it.
    Stored,
    /// The contract rejects this column: the value is discarded.
    ValueRejected(ColumnId),
    /// The contract rejects this column: the row is to be discarded.
    RowRejected(ColumnId),
    /// The row has a value there already: two keys of the record have the same name.
    Occupied,
}

/// A value that did not fit its column.
#[derive(Debug)]
pub(super) struct Misfit {
    pub(super) row: u32,
    pub(super) column: ColumnId,
    /// The column that holds it.
    pub(super) variant: ColumnId,
    /// The value, for people.
    pub(super) value: String,
}
