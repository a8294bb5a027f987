//! The order of a table's columns, as in dlt.

use crate::shred::arena::{ArenaId, ColumnId};

/// The rank of each column. Columns that a row adds are ranked after those of earlier rows, by
/// their positions in the row.
#[derive(Debug, Default)]
pub(super) struct ColumnOrder {
    ranks: Vec<Option<u32>>,
    next: u32,
    /// The columns that the open row added, with their positions.
    new: Vec<(Vec<u32>, ColumnId)>,
}

/// The next rank at some time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OrderMark(u32);

impl ColumnOrder {
    /// The rank of a column, if it has one.
    pub(super) fn rank(&self, column: ColumnId) -> Option<u32> {
        self.ranks.get(column.index()).copied().flatten()
    }

    /// Ranks a column after all others.
    pub(super) fn append(&mut self, column: ColumnId) {
        self.set(column, Some(self.next));
        self.next += 1;
    }

    /// Records that the open row added a column at this position.
    pub(super) fn add_new(&mut self, column: ColumnId, position: Vec<u32>) {
        self.new.push((position, column));
    }

    /// The number of columns that the open row added.
    pub(super) fn new_columns(&self) -> usize {
        self.new.len()
    }

    /// Ranks a column of the open row after all others at once.
    pub(super) fn append_now(&mut self, column: ColumnId) {
        self.new.retain(|(_, new)| *new != column);
        self.append(column);
    }

    /// Ends a row: ranks the columns that it added.
    #[inline]
    pub(super) fn end_row(&mut self) {
        if !self.new.is_empty() {
            self.place_new();
        }
    }

    #[cold]
    fn place_new(&mut self) {
        let mut new = std::mem::take(&mut self.new);
        new.sort();
        for (_, column) in new {
            self.append(column);
        }
    }

    /// Removes and returns the columns that the open row added.
    pub(super) fn take_new(&mut self) -> Vec<ColumnId> {
        self.new.drain(..).map(|(_, column)| column).collect()
    }

    /// Removes the rank of a column.
    pub(super) fn forget(&mut self, column: ColumnId) {
        self.set(column, None);
    }

    pub(super) fn mark(&self) -> OrderMark {
        OrderMark(self.next)
    }

    /// Removes the columns that the open row added. The next rank is that of the mark again.
    pub(super) fn undo(&mut self, mark: OrderMark) {
        self.next = mark.0;
        self.new.clear();
    }

    fn set(&mut self, column: ColumnId, rank: Option<u32>) {
        let at = column.index();
        if at >= self.ranks.len() {
            self.ranks.resize(at + 1, None);
        }
        if let Some(slot) = self.ranks.get_mut(at) {
            *slot = rank;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(column: usize) -> ColumnId {
        ColumnId::new(column)
    }

    fn in_order(order: &ColumnOrder) -> Vec<usize> {
        let mut columns: Vec<usize> = (0..10).filter(|at| order.rank(id(*at)).is_some()).collect();
        columns.sort_by_key(|at| order.rank(id(*at)));
        columns
    }

    #[test]
    fn columns_of_a_row_are_ranked_by_position_after_earlier_ones() {
        let mut order = ColumnOrder::default();
        order.append(id(7));
        order.add_new(id(1), vec![2]);
        order.add_new(id(0), vec![1, 9]);
        order.add_new(id(5), vec![1]);
        assert_eq!(in_order(&order), [7]);
        order.end_row();
        order.add_new(id(2), vec![0]);
        order.end_row();
        assert_eq!(in_order(&order), [7, 5, 0, 1, 2]);
    }

    #[test]
    fn undone_record_restores_the_ranks() {
        let mut order = ColumnOrder::default();
        order.append(id(0));
        let mark = order.mark();
        order.add_new(id(1), vec![0]);
        order.end_row();
        order.add_new(id(2), vec![0]);
        order.undo(mark);
        order.forget(id(1));
        order.add_new(id(3), vec![0]);
        order.end_row();
        assert_eq!(in_order(&order), [0, 3]);
        assert_eq!(order.rank(id(3)), Some(1));
    }

    #[test]
    fn column_ranked_at_once_is_not_ranked_again() {
        let mut order = ColumnOrder::default();
        order.add_new(id(0), vec![0]);
        order.add_new(id(1), vec![1]);
        order.append_now(id(1));
        assert_eq!(order.take_new(), [id(0)]);
        order.end_row();
        assert_eq!(in_order(&order), [1]);
    }
}
