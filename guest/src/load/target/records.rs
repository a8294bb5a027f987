//! Rows of dlt's own tables, in the form of the columns of the database.

use super::Target;
use super::catalog::Catalog;
use crate::dlt::state::Cell;
use crate::sql::Name;
use crate::sql::state::SqlValue;

/// The values of a row of dlt's tables, in the form of its columns in the database.
pub(crate) fn cells<const N: usize>(
    target: &Target,
    catalog: &Catalog,
    table: &Name,
    cells: [(&'static str, Cell); N],
) -> Vec<(&'static str, SqlValue)> {
    let value = |name, cell| match cell {
        Cell::Int(number) => SqlValue::Int(i64::try_from(number).unwrap_or(i64::MAX)),
        Cell::Instant(instant) => match catalog.has_offset(table, &target.convention.fold(name)) {
            true => SqlValue::InstantWithOffset(instant.micros()),
            false => SqlValue::Instant(instant.micros()),
        },
        Cell::Text(text) => SqlValue::Text(text),
    };
    cells.into_iter().map(|(name, cell)| (name, value(name, cell))).collect()
}
