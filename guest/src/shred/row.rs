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
    /// What the rows nested in it have for `_dlt_root_id`, if they have it.
    pub(super) root: Option<&'r RowIdentity>,
    /// The number of its root row.
    pub(super) seq: u64,
    pub(super) sequence: Sequence,
    /// Where this row's part of the trail begins.
    pub(super) base: usize,
    /// It is a root row whose id the record may still bring.
    pub(super) may_bring_id: bool,
}

/// How a row is tied to others.
pub(super) enum RowLink<'r> {
    /// An element of a list: its parent's id, its place in the list, and what it knows its root row by.
    Nested(&'r RowIdentity, u64, Option<&'r RowIdentity>),
    /// A root row: what it knows the root row around it by, if it is an element of a list.
    Root(Option<&'r RowIdentity>),
}

impl OpenRow<'_> {
    /// The cell of a column in this row.
    #[inline]
    pub(super) fn cell(&self, column: ColumnId) -> CellId {
        CellId { row: self.row, column }
    }

    /// The position of a value in this row. `trail`: the places of all open containers.
    #[inline]
    pub(super) fn origin<'t>(&self, trail: &'t [u32], place: u32) -> Origin<'t> {
        Origin { trail: trail.get(self.base..).unwrap_or_default(), place }
    }
}
