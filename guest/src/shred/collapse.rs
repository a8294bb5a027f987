//! Documents whose keys are data: `{"users": {"u1": {..}, "u2": {..}, ..}}` would give a table one
//! column per user. When a table has reached its maximum of columns, the widest object around the
//! next new key is collapsed: from then on it is stored as JSON, in one column of its parent. Its
//! existing columns stay. The result depends only on the records and their order. The schema stores
//! the collapsed key as a JSON column, which dlt treats in the same way.

use super::arena::{KeyId, LayoutId, TableId};
use super::layout::{ListTarget, ObjectTarget};
use super::mapping::Mapping;
use super::restart::WalkResult;
use crate::fault::Fault;

/// Returns `true` if the table may have a column for this key; `false` if the value is nested in an
/// object that is now collapsed, so that the walk over the record restarts.
pub(super) fn may_have_column(
    mapping: &mut Mapping,
    key: KeyId,
    table: TableId,
) -> WalkResult<bool> {
    let resolved = &mapping.layouts[key];
    let known = &mapping.tables[table];
    if known.column_of(&resolved.name).is_some() || known.rejects_columns() {
        return Ok(true);
    }
    if resolved.is_collapsed {
        let place = |fault: Fault| fault.at(format_args!("table {}", known.name));
        known.check_columns(&resolved.name, &mapping.options).map_err(place)?;
    } else if known.width() >= mapping.options.max_columns {
        collapse_around(mapping, key, table)?;
        return Ok(false);
    }
    Ok(true)
}

/// Collapses the widest object around a key. The walk continues, so that it collapses everything in
/// the record that must be; then it restarts.
fn collapse_around(mapping: &mut Mapping, key: KeyId, table: TableId) -> WalkResult<()> {
    if mapping.layouts.is_collapsed(key.layout) {
        return Ok(());
    }
    let Some(widest) = widest(mapping, key.layout) else {
        return Err(too_many_columns(mapping, key, table).into());
    };
    let entry = &mut mapping.layouts[widest];
    entry.is_collapsed = true;
    entry.object = Some(ObjectTarget::Json);
    entry.list = Some(ListTarget::Json);
    let warning = format!(
        "table {}: it has {} columns, the most it may have (max_columns): what is nested under {} is \
         kept as JSON",
        mapping.tables[table].name,
        mapping.options.max_columns,
        mapping.layouts.path_to(widest).join(".")
    );
    mapping.notices.warn(warning);
    mapping.collapsed = true;
    Ok(())
}

/// The key of the object with the most keys around a key, up to its row; of several, the innermost.
fn widest(mapping: &Mapping, innermost: LayoutId) -> Option<KeyId> {
    let mut widest = None;
    let mut most = 0;
    let mut at = innermost;
    loop {
        let layout = &mapping.layouts[at];
        let Some(origin) = layout.origin else { return widest };
        if layout.entries.len() > most && !mapping.layouts[origin].is_collapsed {
            most = layout.entries.len();
            widest = Some(origin);
        }
        if layout.is_row {
            return widest;
        }
        at = origin.layout;
    }
}

/// The fault for a key that needs a column in a table with the maximum of columns, if no object
/// around it can be collapsed.
#[cold]
fn too_many_columns(mapping: &Mapping, key: KeyId, table: TableId) -> Fault {
    let most = mapping.options.max_columns;
    let key = mapping.layouts.path_to(key).join(".");
    Fault::data(format_args!(
        "expected at most {most} columns (max_columns), found one more key: {key}; raise max_columns, or exclude keys \
         (processing_steps)"
    ))
    .at(format_args!("table {}", mapping.tables[table].name))
}
