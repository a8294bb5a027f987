//! Values, rows and lists of new tables that a schema contract discards.

use super::arena::{ColumnId, TableId};
use super::contract::frozen;
use super::mapping::Mapping;
use super::restart::WalkResult;
use super::table::PutOutcome;
use crate::dlt::schema::ContractMode;
use crate::fault::{Fault, Result};
use crate::json::Reader;

/// Handles the outcome of a put. Returns `false` if the row already has a value in the column.
#[cold]
pub(super) fn handle_put(
    mapping: &mut Mapping,
    put: Result<PutOutcome>,
    table: TableId,
) -> WalkResult<bool> {
    let place = |fault: Fault| fault.at(format_args!("table {}", mapping.tables[table].name));
    match put.map_err(place)? {
        PutOutcome::Stored => return Ok(true),
        PutOutcome::Occupied => return Ok(false),
        PutOutcome::ValueRejected(column) => {
            mapping.tables[table].reject_value(column);
            note(mapping, "values of", table, column);
        }
        PutOutcome::RowRejected(column) => {
            mapping.tables[table].reject_row(column);
            mapping.row_rejected = true;
            note(mapping, "rows with", table, column);
        }
    }
    Ok(true)
}

fn note(mapping: &mut Mapping, what: &str, table: TableId, column: ColumnId) {
    let table = &mapping.tables[table];
    let what = format!("{what} the new column {}", table.column_name(column));
    mapping.notices.discarded.add(&table.name, what);
}

/// Skips a list if its table is new and the contract discards new tables. Returns `true` if it did.
#[cold]
pub(super) fn discards_list(
    mapping: &mut Mapping,
    reader: &mut Reader<'_>,
    table: TableId,
) -> WalkResult<bool> {
    let table = &mapping.tables[table];
    let Some(mode) = table.rejected() else { return Ok(false) };
    let mut ahead = reader.clone();
    if !ahead.enter() {
        return Ok(false);
    }
    if mode == ContractMode::Freeze {
        let found = format_args!("one for the lists of {}", table.name);
        let fault = frozen("no new tables", found);
        return Err(fault.at(format_args!("table {}", table.name)).into());
    }
    reader.skip()?;
    mapping.notices.discarded.add(&table.name, "lists of the new table".to_owned());
    Ok(true)
}
