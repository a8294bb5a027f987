//! The undo log of a table for a record that is rejected or restarted.

use super::order::OrderMark;
use crate::shred::arena::ColumnId;

/// The state of a table before the current record, and the columns to which the record gave their
/// first value.
#[derive(Debug, Default)]
pub(super) struct UndoLog {
    /// The number of the last record that opened a row; 0 for none.
    record: u64,
    before: Before,
    first_seen: Vec<ColumnId>,
}

/// The state of a table before a record.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Before {
    /// The rows of the batch.
    pub(super) rows: u32,
    pub(super) order: OrderMark,
    /// Whether the table had columns.
    pub(super) has_columns: bool,
}

impl UndoLog {
    /// Returns `true` if the record has opened a row of the table already.
    #[inline]
    pub(super) fn has_begun(&self, record: u64) -> bool {
        self.record == record
    }

    /// Begins a record.
    #[inline]
    pub(super) fn begin(&mut self, record: u64, before: Before) {
        self.record = record;
        self.before = before;
        self.first_seen.clear();
    }

    /// Records that the current record is the first of the load with a value for a column.
    pub(super) fn first_seen(&mut self, column: ColumnId) {
        self.first_seen.push(column);
    }

    /// Keeps the last column that the record filled first, even if the record is undone. Returns
    /// `false` if that is another column.
    pub(super) fn keep_last(&mut self, column: ColumnId) -> bool {
        self.first_seen.pop_if(|last| *last == column).is_some()
    }

    /// Keeps the ranks assigned so far, even if the record is undone.
    pub(super) fn keep_order(&mut self, now: OrderMark) {
        self.before.order = now;
    }

    /// Ends the record. Returns the state before it, and the columns to which it gave their first
    /// value.
    pub(super) fn take(&mut self) -> (Before, Vec<ColumnId>) {
        self.record = 0;
        (self.before, std::mem::take(&mut self.first_seen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shred::arena::ArenaId;

    fn before(rows: u32) -> Before {
        Before { rows, ..Before::default() }
    }

    #[test]
    fn undo_returns_the_columns_of_the_record() {
        let mut log = UndoLog::default();
        log.begin(1, before(0));
        log.first_seen(ColumnId::new(0));
        assert!(log.has_begun(1) && !log.has_begun(2));
        log.begin(2, before(3));
        log.first_seen(ColumnId::new(1));
        log.first_seen(ColumnId::new(2));
        let (state, columns) = log.take();
        assert_eq!((state.rows, columns), (3, vec![ColumnId::new(1), ColumnId::new(2)]));
        // The record may begin again, and has added nothing yet.
        assert!(!log.has_begun(2));
        assert_eq!(log.take().1, []);
    }

    #[test]
    fn kept_column_is_not_undone() {
        let mut log = UndoLog::default();
        log.begin(1, before(0));
        log.first_seen(ColumnId::new(0));
        log.first_seen(ColumnId::new(1));
        assert!(!log.keep_last(ColumnId::new(0)));
        assert!(log.keep_last(ColumnId::new(1)));
        assert_eq!(log.take().1, [ColumnId::new(0)]);
    }
}
