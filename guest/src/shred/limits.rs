//! The limits for the tables of a family and the rows of a record. The number of columns is limited
//! where columns are added ([`super::collapse`]).

use super::arena::{LayoutId, TableId};
use super::mapping::Mapping;
use super::restart::WalkResult;
use super::tables::Tables;
use crate::fault::Fault;
use crate::json::Reader;

/// The weight of a record is checked after this number of rows of a nested table.
pub(super) const WEIGHED: u32 = 4096;
/// The maximum memory of the rows of a batch while a record is walked, per table and in total: a
/// record is in one batch, the rows of a table in a batch are one file, and a file is passed to the
/// host in one piece.
const MOST_OF_TABLE: usize = 88 << 20;
const MOST: usize = 384 << 20;

/// Fails if this list is the first with elements for its table, and the family has reached its
/// maximum of tables.
#[cold]
pub(super) fn check_tables(
    mapping: &Mapping,
    reader: &Reader<'_>,
    list: LayoutId,
) -> WalkResult<()> {
    let most = mapping.options.max_tables;
    let layout = &mapping.layouts[list];
    let table = &mapping.tables[layout.table];
    // The table of the list is counted already.
    if mapping.tables.all.len() <= most || table.rows() > 0 || !reader.clone().enter() {
        return Ok(());
    }
    let tables = mapping.tables.all.iter().filter(|table| table.rows() > 0 || !table.is_open());
    if tables.count() < most {
        return Ok(());
    }
    let root = &mapping.options.table;
    Err(Fault::data(format_args!(
        "expected at most {most} tables (max_tables), found a list under {} that needs one more: keep the \
         list as JSON (max_table_nesting, unnest), or raise max_tables",
        layout.raw_path.join(".")
    ))
    .at(format_args!("table {root}"))
    .into())
}

/// Fails if the current record has more rows than a batch can store.
#[cold]
pub(super) fn check_weight(tables: &Tables, table: TableId) -> WalkResult<()> {
    let table = &tables[table];
    let is_large = table.bytes() > MOST_OF_TABLE;
    if !is_large && tables.bytes() <= MOST {
        return Ok(());
    }
    let most = if is_large { MOST_OF_TABLE } else { MOST } >> 20;
    Err(Fault::data(format_args!(
        "expected at most {most} MiB of rows from one record, found a record with more: {} rows of the table {} \
         by now; have the source give smaller records, or keep the lists as JSON (max_table_nesting, unnest)",
        table.rows(),
        table.name
    ))
    .into())
}
