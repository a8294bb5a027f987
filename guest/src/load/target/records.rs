//! Rows of dlt's own tables, as the columns of the database take them.

use super::Target;
use super::catalog::Catalog;
use crate::dlt::state::Cell;
use crate::sql::Name;
use crate::sql::state::SqlValue;

/// The values of a row of dlt's tables, as its columns in the database take them.
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
