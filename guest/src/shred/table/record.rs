//! The begin and end of rows, and the undo of a record's rows.

use super::ShredTable;
use super::undo::Before;
use crate::shred::arena::{ColumnId, TableId};

impl ShredTable {
    /// Saves the state before a record. Returns `false` if the record has begun in this table
    /// already.
    #[inline]
    pub(in crate::shred) fn begin_record(&mut self, record: u64) -> bool {
        if self.undo.has_begun(record) {
            return false;
        }
        let (rows, has_columns) = (self.rows, self.has_columns);
        self.undo.begin(record, Before { rows, order: self.order.mark(), has_columns });
        true
    }

    /// Begins a row. Returns its number in the batch.
    #[inline]
    pub(in crate::shred) fn open_row(&mut self) -> u32 {
        let row = self.rows;
        self.rows += 1;
        row
    }

    /// Ends a row and ranks its new columns. Returns a required column without a value.
    #[inline]
    pub(in crate::shred) fn close_row(&mut self, row: u32) -> Option<ColumnId> {
        self.order.end_row();
        self.has_columns = true;
        self.required.iter().find(|column| !self.has_value(**column, row)).copied()
    }

    /// Records that the contract discards a value of this column.
    pub(in crate::shred) fn reject_value(&mut self, column: ColumnId) {
        self.rejected.reject(column);
    }

    /// Records that the contract discards the open row because of this column.
    pub(in crate::shred) fn reject_row(&mut self, column: ColumnId) {
        self.rejected.reject(column);
        // dlt recognizes the next such row by its keys, and no key has the name of a variant
        // column.
        if !self.is_variant(column) {
            self.rejected.discard_row(column);
        }
    }

    /// Discards the last row, which has no nested rows. Columns that it added stay, as in dlt,
    /// unless an earlier row was discarded for the same columns: dlt does not infer columns of such
    /// a row again.
    pub(in crate::shred) fn discard_row(&mut self, row: u32) {
        if self.rejected.end_row() {
            for column in self.order.take_new() {
                self.forget(column);
            }
            self.forget_system();
        }
        self.order.end_row();
        self.rows = row;
        self.columns.truncate(row);
    }

    /// Restores the state before the record.
    pub(in crate::shred) fn undo_record(&mut self) {
        let (before, first_seen) = self.undo.take();
        if self.rows > before.rows {
            self.rows = before.rows;
            self.columns.truncate(before.rows);
        }
        for column in first_seen {
            self.forget(column);
        }
        self.order.undo(before.order);
        self.forget_system();
        self.numbering = None;
        self.misfit = None;
        self.rejected.undo_row();
        self.has_columns = before.has_columns;
    }

    /// Resets a column to having no values in this load.
    fn forget(&mut self, column: ColumnId) {
        let forgotten = &mut self.columns.all[column];
        forgotten.forget();
        if !forgotten.known {
            self.order.forget(column);
        }
    }

    /// Removes the system columns without values.
    fn forget_system(&mut self) {
        self.system.retain(|&(_, column)| self.columns.all[column].seen);
    }

    /// The index of the next element in a list of this parent row.
    #[inline]
    pub(in crate::shred) fn next_index(&self, parent: (TableId, u32)) -> u64 {
        match self.numbering {
            Some((last, next)) if last == parent => next,
            _ => 0,
        }
    }

    #[inline]
    pub(in crate::shred) fn set_next_index(&mut self, parent: (TableId, u32), next: u64) {
        self.numbering = Some((parent, next));
    }
}
