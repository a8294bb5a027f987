//! The begin and end of rows, and their system columns.

use super::Walk;
use crate::dlt::coerce::Scalar;
use crate::shred::arena::{KeyId, TableId};
use crate::shred::collisions::{other_key, weigh_held};
use crate::shred::limits::{WEIGHED, check_weight};
use crate::shred::options::{SEQ, Sequence};
use crate::shred::restart::{Restart, WalkResult};
use crate::shred::row::{OpenRow, RowLink};
use crate::shred::table::ShredTable;

impl Walk {
    /// Begins a row of a table. Returns its number in the batch.
    #[inline]
    pub(in crate::shred) fn open_row(&mut self, id: TableId) -> u32 {
        let table = &mut self.mapping.tables[id];
        if table.begin_record(self.record) {
            self.opened.push(id);
        }
        table.open_row()
    }

    /// Ends a row: sets its system columns, ranks its new columns, and checks required values. A
    /// discarded row leaves the columns that it added, system columns included, as in dlt.
    #[inline]
    pub(in crate::shred) fn end_row(
        &mut self,
        row: &OpenRow<'_>,
        link: RowLink<'_>,
        kept: bool,
    ) -> WalkResult<()> {
        if !self.mapping.held.is_empty() {
            weigh_held(&mut self.mapping, row)?;
        }
        let table = &mut self.mapping.tables[row.table];
        let is_root = matches!(link, RowLink::Root(_));
        match link {
            RowLink::Nested(parent, index, root) => {
                // The elements of a list have one parent, set by the first of them.
                let again = index != 0 && !self.has_contracts;
                let set = if again { ShredTable::system_id_again } else { ShredTable::system_id };
                if let Some(root) = root {
                    set(table, row.row, "_dlt_root_id", root)?;
                }
                set(table, row.row, "_dlt_parent_id", parent)?;
                table.system_int(row.row, "_dlt_list_idx", index)?;
            }
            RowLink::Root(around) => {
                if let Some(root) = around {
                    table.system_id(row.row, "_dlt_root_id", root)?;
                }
                table.system_text(row.row, "_dlt_load_id", &self.mapping.options.load_id)?;
            }
        }
        table.system_id(row.row, "_dlt_id", row.id)?;
        if row.sequence == Sequence::All || (row.sequence == Sequence::Root && is_root) {
            table.system_int(row.row, SEQ, row.seq)?;
        }
        if !kept {
            table.discard_row(row.row);
            return Ok(());
        }
        if let Some(column) = table.close_row(row.row) {
            let other = other_key(&self.mapping, row.table, column, row.row);
            return Err(self.mapping.tables[row.table].lacks(column, row.row, other).into());
        }
        if row.table != TableId::ROOT && row.row % WEIGHED == WEIGHED - 1 {
            check_weight(&self.mapping.tables, row.table)?;
        }
        Ok(())
    }

    /// Handles a value with the name of a system column: a root row may contain its own id; any
    /// other value is discarded with a warning.
    #[cold]
    pub(super) fn system_value(
        &mut self,
        scalar: Scalar<'_>,
        key: KeyId,
        place: u32,
        row: &OpenRow<'_>,
    ) -> WalkResult<()> {
        let name = self.mapping.layouts[key].name.as_str();
        let table = &mut self.mapping.tables[row.table];
        let is_record = row.table == TableId::ROOT;
        if is_record
            && let Some(name) = ["_dlt_id", "_dlt_load_id"].into_iter().find(|n| *n == name)
        {
            table.bring_system(name, row.origin(&self.trail, place));
        }
        if is_record
            && name == "_dlt_id"
            && let Some(id) = scalar.text()
            && !id.is_empty()
        {
            let id = Restart::GivenId(id.to_owned());
            return if row.may_bring_id { Err(id.into()) } else { Ok(()) };
        }
        let warning = format!("table {}: the data's own {name} was discarded", table.name);
        self.mapping.notices.warn(warning);
        Ok(())
    }
}
