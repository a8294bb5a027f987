//! Lists whose keys have the same name: each has its own table.

use super::own_name::own_name;
use crate::dlt::naming::says_little;
use crate::fault::Fault;
use crate::json::Reader;
use crate::shred::arena::{LayoutId, TableId};
use crate::shred::layout::ListTarget;
use crate::shred::mapping::Mapping;
use crate::shred::restart::WalkResult;

/// Decides the table of a list. If the list has elements, it becomes the owner of its table, or
/// gets another table.
#[cold]
pub(in crate::shred) fn own_table_of(
    mapping: &mut Mapping,
    reader: &Reader<'_>,
    list: LayoutId,
    parent: TableId,
) -> WalkResult<LayoutId> {
    if !reader.clone().enter() {
        return Ok(list);
    }
    let path = mapping.layouts[list].raw_path.clone();
    let owner = mapping.owners.table_owner(mapping.layouts[list].table);
    if owner.is_some_and(|owner| *owner == path) {
        mapping.layouts[list].owns_table = true;
        return Ok(list);
    }
    let Some(key) = mapping.layouts[list].origin else {
        return Err(Fault::internal("a list that stands nowhere").into());
    };
    let list = match owner.map(<[String]>::to_vec) {
        None => list,
        Some(other) => with_own_table(mapping, list, other, parent),
    };
    mapping.layouts[list].owns_table = true;
    mapping.layouts[key].list = Some(ListTarget::Rows(list));
    let table = mapping.layouts[list].table;
    if mapping.owners.table_owner(table).is_some() {
        // The schema stores it as the table of this list.
        return Ok(list);
    }
    let naming = mapping.options.convention.naming;
    if mapping.layouts.within_row(key).iter().any(|key| says_little(naming, key)) {
        mapping.owners.store_table(path.clone(), table);
    }
    mapping.owners.own_table(key, list, table, path);
    Ok(list)
}

/// The layout of a list with its own table, because the name of its table belongs to another list.
fn with_own_table(
    mapping: &mut Mapping,
    list: LayoutId,
    other: Vec<String>,
    parent: TableId,
) -> LayoutId {
    let named = mapping.layouts[list].table;
    let path = mapping.layouts[list].raw_path.clone();
    let table = match mapping.owners.stored_table(&path) {
        Some(table) => table,
        None => {
            let own = free_name(mapping, list, &path);
            mapping.tables.find_or_add(&own, Some(parent))
        }
    };
    let name = mapping.tables[table].name.clone();
    let layout = mapping.layouts[list].with_table(table, name.clone());
    let layout = mapping.layouts.all.push(layout);
    let warning = format!(
        "the lists {other:?} and {path:?} have the same name: the rows of {path:?} are in the table {name}, those of \
         {other:?} in {}",
        mapping.tables[named].name,
        other = other.join("."),
        path = path.join("."),
    );
    mapping.owners.store_table(path, table);
    mapping.owners.store_table(other, named);
    mapping.notices.warn(warning);
    layout
}

/// A table name that no other list has.
fn free_name(mapping: &Mapping, list: LayoutId, path: &[String]) -> String {
    let parts: Vec<&str> = mapping.layouts[list].table_path.iter().map(String::as_str).collect();
    let is_free = |own: &String| {
        let found = mapping.tables.find(own);
        found.is_none_or(|table| mapping.owners.table_owner(table).is_none())
    };
    let own = |attempt| own_name(&parts, path, attempt, &mapping.options.convention);
    // The attempts never end, so one is free.
    (0..).map(own).find(is_free).unwrap_or_default()
}
