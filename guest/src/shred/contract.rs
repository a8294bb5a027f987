//! The schema contract of a table: dlt's, applied to one row at a time.
//!
//! A row is judged before the lists in it are read, as in dlt: a discarded row takes its descendants along, and they
//! are never read. So each object of a family with a contract is walked twice, first for its values and then for its
//! lists ([`super::walk`]); families without a contract are walked once.
//!
//! Source: dlt 1.31, `common/schema/schema.py` (`apply_schema_contract`) and
//! `normalize/items_normalizers/jsonl.py` (`_normalize_chunk`).

use rustc_hash::FxHashSet;

use super::arena::ColumnId;
use crate::dlt::schema::{Contract, Mode};
use crate::fault::{Fault, FaultKind};

/// The schema contract of a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TableContract {
    /// What becomes of new tables (this one, and those nested in it), of new columns of a table that is not
    /// new, and of values that need a variant column.
    pub(crate) modes: Contract,
    /// The table is new in this load: all of its rows may add columns.
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
    pub(super) fn new_columns(&self, has_columns: bool) -> Mode {
        if self.evolves_once || !has_columns { Mode::Evolve } else { self.modes.columns }
    }
}

/// The columns of a table that its contract rejects.
#[derive(Debug, Default)]
pub(super) struct RejectedColumns {
    all: FxHashSet<ColumnId>,
    /// Those because of which a row was discarded.
    discarded_rows: FxHashSet<ColumnId>,
    /// Those because of which the open row is discarded.
    of_open_row: Vec<ColumnId>,
}

impl RejectedColumns {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Notes that the contract discards a value of this column.
    pub(super) fn reject(&mut self, column: ColumnId) {
        self.all.insert(column);
    }

    /// Notes that the contract discards the open row because of this column.
    pub(super) fn discard_row(&mut self, column: ColumnId) {
        self.of_open_row.push(column);
    }

    /// Ends the open row, which is discarded. Returns `true` if an earlier row was discarded because of one of the same
    /// columns.
    pub(super) fn end_row(&mut self) -> bool {
        let is_again = self.of_open_row.iter().any(|column| self.discarded_rows.contains(column));
        if !is_again {
            self.discarded_rows.extend(self.of_open_row.iter().copied());
        }
        self.of_open_row.clear();
        is_again
    }

    /// Forgets the open row.
    pub(super) fn undo_row(&mut self) {
        self.of_open_row.clear();
    }
}

/// The fault of something new that a contract freezes.
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
    fn a_row_is_discarded_again_for_a_column_of_an_earlier_one() {
        let mut rejected = RejectedColumns::default();
        let mut row = |columns: &[usize]| {
            for column in columns {
                rejected.discard_row(ColumnId::new(*column));
            }
            rejected.end_row()
        };
        assert!(!row(&[1]));
        assert!(row(&[2, 1]));
        // A row that is discarded again adds no column.
        assert!(!row(&[2]));
        assert!(row(&[2]));
        assert!(!row(&[]));
    }

    #[test]
    fn an_undone_row_leaves_nothing() {
        let mut rejected = RejectedColumns::default();
        rejected.discard_row(ColumnId::new(1));
        rejected.undo_row();
        assert!(!rejected.end_row());
        rejected.discard_row(ColumnId::new(1));
        assert!(!rejected.end_row());
    }
}
