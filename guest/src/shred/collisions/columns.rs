//! The column of each key.

use super::own_name::own_name;
use crate::dlt::coerce::Scalar;
use crate::dlt::naming::says_little;
use crate::fault::Fault;
use crate::shred::arena::{ColumnId, KeyId, TableId};
use crate::shred::collapse::may_have_column;
use crate::shred::mapping::Mapping;
use crate::shred::origin::Origin;
use crate::shred::restart::{Restart, WalkResult};
use crate::shred::row::OpenRow;

/// Chooses the column of a key that had no value yet. `None` if the value is not stored now: it
/// waits for the end of the row, or the walk restarts.
#[cold]
pub(in crate::shred) fn new_column(
    mapping: &mut Mapping,
    key: KeyId,
    value: &Scalar<'_>,
    origin: Origin<'_>,
    row: &OpenRow<'_>,
) -> WalkResult<Option<ColumnId>> {
    if let Some(column) = stored_column(mapping, key, row.table) {
        return Ok(Some(column));
    }
    let column = mapping.tables[row.table].column_of(&mapping.layouts[key].name);
    let owner = column.and_then(|column| mapping.owners.column_owner(row.table, column));
    let is_weighing = mapping.held.is_weighing;
    match (column, owner) {
        (Some(column), Some(owner)) if owner.is(key, &mapping.layouts) => {
            mapping.owners.resolve(&mut mapping.layouts, key, row.table, column);
            Ok(Some(column))
        }
        // The order of the two keys must not decide which of them gets the name.
        (_, Some(owner)) if mapping.owners.is_of_row(owner, row.row) && !is_weighing => {
            Err(Restart::NameContested.into())
        }
        (_, Some(_)) => own_column(mapping, key, row).map(Some),
        (_, None) if is_weighing => {
            mapping.held.hold((row.table, row.row), key, *value, origin);
            Ok(None)
        }
        (_, None) => claim_column(mapping, key, row),
    }
}

/// Gives an unowned name to a key. `None` if the value is nested in a collapsed object.
pub(super) fn claim_column(
    mapping: &mut Mapping,
    key: KeyId,
    row: &OpenRow<'_>,
) -> WalkResult<Option<ColumnId>> {
    if !may_have_column(mapping, key, row.table)? {
        return Ok(None);
    }
    let table = &mut mapping.tables[row.table];
    let column = table.column(&mapping.layouts[key].name);
    // The key of which this is the variant column may have values here in the same rows.
    if !table.is_variant(column) {
        mapping.owners.own_column(key, row.table, column, row.row);
        let within_row = mapping.layouts.within_row(key);
        let naming = mapping.options.convention.naming;
        if within_row.iter().any(|key| says_little(naming, key)) {
            mapping.owners.store_column(row.table, within_row, column);
        }
    }
    mapping.owners.resolve(&mut mapping.layouts, key, row.table, column);
    Ok(Some(column))
}

/// The column that the schema stores for this key.
fn stored_column(mapping: &mut Mapping, key: KeyId, table: TableId) -> Option<ColumnId> {
    if !mapping.owners.stores_columns() {
        return None;
    }
    let within_row = mapping.layouts.within_row(key);
    let column = mapping.owners.stored_column(table, within_row)?;
    if mapping.tables[table].column_name(column) != mapping.layouts[key].name {
        warn_of_column(mapping, key, table, column);
    }
    mapping.owners.resolve(&mut mapping.layouts, key, table, column);
    Some(column)
}

/// The column of a key whose name belongs to another key.
#[cold]
pub(super) fn own_column(
    mapping: &mut Mapping,
    key: KeyId,
    row: &OpenRow<'_>,
) -> WalkResult<ColumnId> {
    let column = add_own_column(mapping, key, row.table)?;
    mapping.owners.own_column(key, row.table, column, row.row);
    mapping.owners.resolve(&mut mapping.layouts, key, row.table, column);
    // The schema stores both keys from now on.
    let within_row = mapping.layouts.within_row(key);
    mapping.owners.store_column(row.table, within_row, column);
    let named = mapping.tables[row.table].column_of(&mapping.layouts[key].name);
    if let Some(named) = named
        && let Some(path) = path_of(mapping, row.table, named)
    {
        mapping.owners.store_column(row.table, path, named);
    }
    warn_of_column(mapping, key, row.table, column);
    Ok(column)
}

/// Adds the separate column of a key.
pub(super) fn add_own_column(
    mapping: &mut Mapping,
    key: KeyId,
    table: TableId,
) -> WalkResult<ColumnId> {
    let path = mapping.layouts.path_to(key);
    let name = &mapping.layouts[key].name;
    for attempt in 0.. {
        let own = own_name(&[name], &path, attempt, &mapping.options.convention);
        let found = mapping.tables[table].column_of(&own);
        let owner = found.and_then(|column| mapping.owners.column_owner(table, column));
        if owner.is_none_or(|owner| owner.is(key, &mapping.layouts)) {
            let known = &mut mapping.tables[table];
            known
                .check_columns(&own, &mapping.options)
                .map_err(|fault| fault.at(format_args!("table {}", known.name)))?;
            return Ok(known.column(&own));
        }
    }
    Err(Fault::internal("no name is free").into())
}

/// The key of a row whose values have a separate column, because this column belongs to another
/// key.
pub(in crate::shred) fn other_key(
    mapping: &Mapping,
    table: TableId,
    column: ColumnId,
    row: u32,
) -> Option<String> {
    let known = &mapping.tables[table];
    let convention = &mapping.options.convention;
    let mut stored = mapping.owners.stored_columns_of(table);
    let (path, _) = stored.find(|(path, own)| {
        if *own == column || !known.has_value(*own, row) {
            return false;
        }
        let names: Vec<String> = path.iter().map(|key| convention.norm(key)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        convention.shorten_fragments(&names) == known.column_name(column)
    })?;
    Some(path.join("."))
}

/// The keys of the values that a column stores, starting at the row.
fn path_of(mapping: &Mapping, table: TableId, column: ColumnId) -> Option<Vec<String>> {
    Some(mapping.owners.column_owner(table, column)?.path(&mapping.layouts))
}

fn warn_of_column(mapping: &mut Mapping, key: KeyId, table: TableId, column: ColumnId) {
    let resolved = &mapping.layouts[key];
    let known = &mapping.tables[table];
    let named = known.column_of(&resolved.name);
    let other = named.and_then(|named| path_of(mapping, table, named));
    let other = other.unwrap_or_default().join(".");
    let key = mapping.layouts.within_row(key).join(".");
    let warning = format!(
        "table {}: the keys {other:?} and {key:?} have the same name: {key:?} is in the column {}, {other:?} in {}",
        known.name,
        known.column_name(column),
        resolved.name,
    );
    mapping.notices.warn(warning);
}
