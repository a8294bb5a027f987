//! Keys of one row whose name has no owner yet: the end of the row decides which of them owns it.

use rustc_hash::FxHashSet;

use super::columns::{claim_column, own_column};
use super::occupied::put_into_own_column;
use crate::json::unescape;
use crate::shred::discard::handle_put;
use crate::shred::held::Held;
use crate::shred::layout::Layouts;
use crate::shred::mapping::Mapping;
use crate::shred::restart::{Restart, WalkResult};
use crate::shred::row::OpenRow;

/// Puts the values that wait for the end of this row into their columns.
#[cold]
pub(in crate::shred) fn weigh_held(mapping: &mut Mapping, row: &OpenRow<'_>) -> WalkResult<()> {
    let held = mapping.held.take((row.table, row.row));
    let name = |held: &Held| mapping.layouts[held.key].name.clone();
    let mut named: Vec<(String, Held)> = held.into_iter().map(|held| (name(&held), held)).collect();
    // Values of one name together, in the order in which dlt visits them.
    named.sort_by_cached_key(|(name, held)| (name.clone(), held.origin().order()));
    for group in named.chunk_by(|a, b| a.0 == b.0) {
        if repeats_key(group, &mapping.layouts) {
            return Err(Restart::RepeatedKey.into());
        }
        // dlt keeps the last value: its key owns the name, and the column is ordered where dlt
        // first sees the name.
        let mut first = group.first().map(|(_, first)| first.origin());
        for (_, held) in group.iter().rev() {
            let named_at = first.take();
            let column = match named_at {
                Some(_) => claim_column(mapping, held.key, row)?,
                None => Some(own_column(mapping, held.key, row)?),
            };
            let Some(column) = column else { break };
            let origin = named_at.unwrap_or(held.origin());
            let table = &mut mapping.tables[row.table];
            let put = table.put(row.cell(column), &held.scalar(), origin, &mapping.options);
            if !handle_put(mapping, put, row.table)? {
                put_into_own_column(mapping, held.key, &held.scalar(), held.origin(), row)?;
            }
        }
    }
    Ok(())
}

/// Returns `true` if two of these have the same key, spelled with escapes.
fn repeats_key(group: &[(String, Held)], layouts: &Layouts) -> bool {
    let key = |held: &Held| (held.key.layout, unescape(&layouts[held.key].key));
    let mut keys = FxHashSet::default();
    group.len() > 1 && group.iter().any(|(_, held)| !keys.insert(key(held)))
}
