//! The schema contract of a table: dlt's, applied to one row at a time.
//!
//! A row is judged before its lists are read, as in dlt: a discarded row has no descendants, and
//! they are never read. So each object of a family with a contract is walked twice, first for its
//! values and then for its lists ([`super::walk`]). Families without a contract are walked once.
//!
//! Source: dlt 1.31, `common/schema/schema.py` (`apply_schema_contract`) and
//! `normalize/items_normalizers/jsonl.py` (`_normalize_chunk`).

use rustc_hash::FxHashSet;

use super::arena::ColumnId;
use crate::dlt::schema::{Contract, ContractMode};
use crate::fault::{Fault, FaultKind};

/// The schema contract of a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TableContract {
    /// The modes for new tables (this one, and nested ones), for new columns of an existing table,
    /// and for values that need a variant column.
    pub(crate) modes: Contract,
    /// Whether the table is new in this load: all of its rows may add columns.
    pub(crate) evolves_once: bool,
}

impl TableContract {
    /// Everything new is added.
    pub(super) const EVOLVE: Self = Self { modes: Contract::EVOLVE, evolves_once: false };

    /// Returns `true` if anything new can be rejected or discarded.
    pub(super) fn restricts(&self) -> bool {
        self.modes != Contract::EVOLVE
    }

    /// The contract of a new table nested in one with this contract.
    pub(super) fn nested(&self) -> Self {
        Self { evolves_once: false, ..*self }
    }

    /// The mode of new columns. `has_columns`: the table had columns before the row.
    pub(super) fn new_columns(&self, has_columns: bool) -> ContractMode {
        if self.evolves_once || !has_columns { ContractMode::Evolve } else { self.modes.columns }
    }
}

/// The columns of a table that its contract rejects.
#[derive(Debug, Default)]
pub(super) struct RejectedColumns {
    all: FxHashSet<ColumnId>,
    /// Columns that caused a row to be discarded.
    discarded_rows: FxHashSet<ColumnId>,
    /// Columns that cause the open row to be discarded.
    of_open_row: Vec<ColumnId>,
}

impl RejectedColumns {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Records that the contract discards a value of this column.
    pub(super) fn reject(&mut self, column: ColumnId) {
        self.all.insert(column);
    }

    /// Records that the contract discards the open row because of this column.
    pub(super) fn discard_row(&mut self, column: ColumnId) {
        self.of_open_row.push(column);
    }

    /// Ends the discarded open row. Returns `true` if an earlier row was discarded because of one
    /// of the same columns.
    pub(super) fn end_row(&mut self) -> bool {
        let is_again = self.of_open_row.iter().any(|column| self.discarded_rows.contains(column));
        if !is_again {
            self.discarded_rows.extend(self.of_open_row.iter().copied());
        }
        self.of_open_row.clear();
        is_again
    }

    /// Removes the records of the open row.
    pub(super) fn undo_row(&mut self) {
        self.of_open_row.clear();
    }
}

/// The fault for something new that a contract freezes.
#[cold]
pub(super) fn frozen(expected: &str, found: impl std::fmt::Display) -> Fault {
    Fault::new(
        FaultKind::Contract,
        format_args!("expected {expected}, for the schema contract freezes them, found {found}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shred::arena::ArenaId;

    #[test]
    fn rows_discarded_for_a_known_column_are_recognized() {
        let mut rejected = RejectedColumns::default();
        let mut row = |columns: &[usize]| {
            for column in columns {
                rejected.discard_row(ColumnId::new(*column));
            }
            rejected.end_row()
        };
        assert!(!row(&[1]));
        assert!(row(&[2, 1]));
        // A later row that is discarded for the same columns adds none.
        assert!(!row(&[2]));
        assert!(row(&[2]));
        assert!(!row(&[]));
    }

    #[test]
    fn undone_row_leaves_no_records() {
        let mut rejected = RejectedColumns::default();
        rejected.discard_row(ColumnId::new(1));
        rejected.undo_row();
        assert!(!rejected.end_row());
        rejected.discard_row(ColumnId::new(1));
        assert!(!rejected.end_row());
    }
}
