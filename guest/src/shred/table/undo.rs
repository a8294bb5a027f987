//! What is undone in a table when a record is rejected or walked again.

use super::order::OrderMark;
use crate::shred::arena::ColumnId;

/// The state of a table before the record that is being walked, and the columns that the record filled first.
#[derive(Debug, Default)]
pub(super) struct UndoLog {
    /// The number of the record that opened a row last; 0 for none.
    record: u64,
    before: Before,
    first_seen: Vec<ColumnId>,
}

/// The state of a table before a record.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Before {
    /// Rows of the batch.
    pub(super) rows: u32,
    pub(super) order: OrderMark,
    /// The table had columns.
    pub(super) has_columns: bool,
}

impl UndoLog {
    /// Returns `true` if a record has opened a row of the table already.
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

    /// Notes that the record is the first of the load with a value for a column.
    pub(super) fn first_seen(&mut self, column: ColumnId) {
        self.first_seen.push(column);
    }

    /// Keeps the column that the record filled first last, even if the record is undone. Returns `false` if that is
    /// another column.
    pub(super) fn keep_last(&mut self, column: ColumnId) -> bool {
        self.first_seen.pop_if(|last| *last == column).is_some()
    }

    /// Keeps the ranks that were given up to now, even if the record is undone.
    pub(super) fn keep_order(&mut self, now: OrderMark) {
        self.before.order = now;
    }

    /// Ends the record, which may be walked again: the state before it, and the columns it filled first.
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
    fn a_record_undoes_what_it_added() {
        let mut log = UndoLog::default();
        log.begin(1, before(0));
        log.first_seen(ColumnId::new(0));
        assert!(log.has_begun(1) && !log.has_begun(2));
        log.begin(2, before(3));
        log.first_seen(ColumnId::new(1));
        log.first_seen(ColumnId::new(2));
        let (state, columns) = log.take();
        assert_eq!((state.rows, columns), (3, vec![ColumnId::new(1), ColumnId::new(2)]));
        // It may begin again, and has added nothing yet.
        assert!(!log.has_begun(2));
        assert_eq!(log.take().1, []);
    }

    #[test]
    fn a_column_that_is_kept_is_not_taken_back() {
        let mut log = UndoLog::default();
        log.begin(1, before(0));
        log.first_seen(ColumnId::new(0));
        log.first_seen(ColumnId::new(1));
        assert!(!log.keep_last(ColumnId::new(0)));
        assert!(log.keep_last(ColumnId::new(1)));
        assert_eq!(log.take().1, [ColumnId::new(0)]);
    }
}
