//! Values whose column already has a value in the same row.

use super::columns::add_own_column;
use crate::dlt::coerce::Scalar;
use crate::json::unescape;
use crate::shred::arena::KeyId;
use crate::shred::discard::handle_put;
use crate::shred::mapping::Mapping;
use crate::shred::origin::Origin;
use crate::shred::restart::{Restart, WalkResult};
use crate::shred::row::OpenRow;

/// Handles a value whose column already has a value in this row: the same key is repeated, spelled
/// with escapes, or the column is a variant of another one, which the value did not fit.
#[cold]
pub(in crate::shred) fn put_into_occupied(
    mapping: &mut Mapping,
    key: KeyId,
    value: &Scalar<'_>,
    origin: Origin<'_>,
    row: &OpenRow<'_>,
) -> WalkResult<()> {
    let entries = &mapping.layouts[key.layout].entries;
    let (spelled, number) = (unescape(&entries[key.entry].key), entries[key.entry].object_number);
    let is_repeated = entries.enumerate().any(|(entry, other)| {
        entry != key.entry && other.object_number == number && unescape(&other.key) == spelled
    });
    if is_repeated {
        return Err(Restart::RepeatedKey.into());
    }
    put_into_own_column(mapping, key, value, origin, row)
}

/// Puts a value into the separate column of its key.
pub(super) fn put_into_own_column(
    mapping: &mut Mapping,
    key: KeyId,
    value: &Scalar<'_>,
    origin: Origin<'_>,
    row: &OpenRow<'_>,
) -> WalkResult<()> {
    let column = add_own_column(mapping, key, row.table)?;
    let table = &mut mapping.tables[row.table];
    let put = table.put(row.cell(column), value, origin, &mapping.options);
    if !handle_put(mapping, put, row.table)? {
        return Err(Restart::RepeatedKey.into());
    }
    let table = &mapping.tables[row.table];
    let warning = format!(
        "table {}: the column {} has values that do not fit another column in rows in which the key {:?} has one: \
         that is in the column {}",
        table.name,
        mapping.layouts[key].name,
        mapping.layouts.within_row(key).join("."),
        table.column_name(column),
    );
    mapping.notices.warn(warning);
    Ok(())
}
