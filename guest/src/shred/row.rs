//! The row that is being written.

use super::arena::{ColumnId, TableId};
use super::options::Sequence;
use super::origin::Origin;
use super::row_id::RowIdentity;
use super::table::CellId;

/// The row that is being written.
pub(super) struct OpenRow<'r> {
    pub(super) table: TableId,
    /// Its number in the batch.
    pub(super) row: u32,
    pub(super) id: &'r RowIdentity,
    /// The value that nested rows carry as `_dlt_root_id`, if there is one.
    pub(super) root: Option<&'r RowIdentity>,
    /// The number of its root row.
    pub(super) seq: u64,
    pub(super) sequence: Sequence,
    /// The start of this row's part of the trail.
    pub(super) base: usize,
    /// Whether it is a root row whose id may still follow in the record.
    pub(super) may_bring_id: bool,
}

/// The link of a row to other rows.
pub(super) enum RowLink<'r> {
    /// An element of a list: its parent's id, its position in the list, and the value that refers
    /// to its root row.
    Nested(&'r RowIdentity, u64, Option<&'r RowIdentity>),
    /// A root row. If it is an element of a list: the value that refers to the root row around it.
    Root(Option<&'r RowIdentity>),
}

impl OpenRow<'_> {
    /// The cell of a column in this row.
    #[inline]
    pub(super) fn cell(&self, column: ColumnId) -> CellId {
        CellId { row: self.row, column }
    }

    /// The position of a value in this row. `trail`: the positions of all open containers.
    #[inline]
    pub(super) fn origin<'t>(&self, trail: &'t [u32], place: u32) -> Origin<'t> {
        Origin { trail: trail.get(self.base..).unwrap_or_default(), place }
    }
}
