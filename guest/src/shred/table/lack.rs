//! Rows that lack a required value.

use super::ShredTable;
use super::cell::Misfit;
use crate::fault::Fault;
use crate::shred::arena::ColumnId;

impl ShredTable {
    /// The fault for a row without a value in a required column. `other`: the key of the row whose
    /// values have a separate column, because the column's name belongs to another key.
    #[cold]
    pub(in crate::shred) fn lacks(&self, id: ColumnId, row: u32, other: Option<String>) -> Fault {
        let column = &self.columns.all[id];
        let what = if column.primary_key { "a primary key" } else { "the column" };
        let misfit = self.misfit.as_deref().filter(|m| (m.row, m.column) == (row, id));
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
