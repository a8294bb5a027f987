//! Rows in which a column that must have a value has none.

use super::ShredTable;
use crate::fault::Fault;

/// A value that did not fit its column.
pub(super) struct Misfit {
    pub(super) row: u32,
    pub(super) column: usize,
    /// The column it went to.
    pub(super) variant: usize,
    /// The value, for people.
    pub(super) value: String,
}

impl ShredTable {
    /// The fault of a row in which a column has no value and must have one. `other`: the key of the row that
    /// has a column of its own, because another key has this one.
    #[cold]
    pub(in crate::shred) fn lacks(&self, at: usize, row: u32, other: Option<String>) -> Fault {
        let column = &self.columns[at];
        let what = if column.primary_key { "a primary key" } else { "the column" };
        let misfit = self.misfit.as_deref().filter(|m| (m.row, m.column) == (row, at));
        let message = match (misfit, other) {
            (Some(Misfit { value, variant, .. }), _) => format!(
                "expected a value of the type {}, found {value}, which does not fit and is in the column {} \
                 now: {what} may not be null. Give the column a type that holds both in \"columns\", such as \
                 text",
                column.kind.map_or("text", |kind| kind.data_type.name()),
                self.column_name(*variant)
            ),
            (None, Some(key)) => format!(
                "expected a value, found none: the row has the key {key:?}, but the column holds the \
                 values of another key with the same name, and {what} may not be null"
            ),
            (None, None) => "expected a value, found null or nothing".to_owned(),
        };
        Fault::data(message)
            .at(format_args!("column {}", column.name))
            .at(format_args!("table {}", self.name))
    }
}
