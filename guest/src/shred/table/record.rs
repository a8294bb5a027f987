//! Where a record begins in a table, and how its rows are forgotten.

use super::ShredTable;

impl ShredTable {
    /// Remembers where a record begins. Returns `false` if this one has begun here before.
    #[inline]
    pub(in crate::shred) fn begin_record(&mut self, record: u64) -> bool {
        if self.record == record {
            return false;
        }
        self.record = record;
        self.first_row = self.rows;
        self.first_rank = self.next_rank;
        self.first_seen.clear();
        self.first_settled = self.settled;
        true
    }

    /// Notes that the contract discards a value of this column.
    pub(in crate::shred) fn refuse(&mut self, column: usize) {
        self.unwelcome.insert(column);
    }

    /// Notes that the contract discards the open row, because of this column.
    pub(in crate::shred) fn refusing(&mut self, column: usize) {
        // dlt knows the next row of a kind by its keys, and none is named like a variant.
        if !self.columns[column].variant {
            self.refusing.push(column);
        }
    }

    /// Leaves out the row that was opened last, which nothing is nested in. Columns it brought that
    /// were welcome stay, as in dlt, which does not look twice at what it leaves out, though.
    pub(in crate::shred) fn drop_row(&mut self, row: u32) {
        if self.refusing.iter().any(|column| self.refused.contains(column)) {
            for (_, at) in self.fresh.drain(..) {
                self.columns[at].forget();
            }
            self.system.retain(|&(_, at)| self.columns[at].seen);
        } else {
            self.refused.extend(self.refusing.drain(..));
        }
        self.refusing.clear();
        self.place_fresh();
        self.rows = row;
        self.truncate(row);
    }

    /// Forgets the values of all rows from this one on.
    fn truncate(&mut self, row: u32) {
        for &at in &self.typed {
            self.columns[at].values.truncate(row);
        }
    }

    /// Notes that a column has a type.
    pub(super) fn note_type(&mut self, at: usize) {
        if !std::mem::replace(&mut self.columns[at].typed, true) {
            self.typed.push(at);
        }
    }

    /// Back to where the record began.
    pub(in crate::shred) fn undo_record(&mut self) {
        let rows = self.first_row;
        // The record may be walked again.
        self.record = 0;
        if self.rows > rows {
            self.rows = rows;
            self.truncate(rows);
        }
        for at in self.first_seen.drain(..) {
            self.columns[at].forget();
        }
        self.next_rank = self.first_rank;
        self.system.retain(|&(_, at)| self.columns[at].seen);
        self.numbering = None;
        self.misfit = None;
        self.refusing.clear();
        self.fresh.clear();
        self.settled = self.first_settled;
    }
}
