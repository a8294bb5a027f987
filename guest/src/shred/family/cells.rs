//! Rows of cells, stored directly: each column of the input is resolved once, to an entry of the
//! root layout, and each scalar cell goes from there into its column. The content of a JSON cell is
//! walked as anywhere in a record.
//!
//! Rows that need more (ids derived from values, contracts, keys that share a name, objects that
//! repeat a key) are written as JSON and walked as records. The entries keep the types.

use std::borrow::Cow;

use super::Family;
use crate::columnar::cells::{CellColumn, CellForm, CellReader};
use crate::dlt::coerce::{Scalar, Typed};
use crate::dlt::types::DataType;
use crate::fault::{Fault, Result};
use crate::json::Reader;
use crate::shred::arena::{EntryId, KeyId, LayoutId, TableId};
use crate::shred::layout::KeyRole;
use crate::shred::options::{RootId, RootKey};
use crate::shred::restart::{WalkResult, WalkStop};
use crate::shred::row::{OpenRow, RowLink};

/// The columns of the input, and the targets of their cells.
#[derive(Debug)]
pub(crate) struct CellTargets<'f> {
    columns: &'f [CellColumn],
    /// The entry of each column in the root layout.
    entries: Vec<EntryId>,
    /// A buffer for a row as JSON.
    json: String,
}

impl Family {
    /// Resolves the columns of the input. Their types apply until the next call.
    pub(crate) fn cells<'f>(&mut self, columns: &'f [CellColumn]) -> CellTargets<'f> {
        let mapping = &mut self.walk.mapping;
        for entry in mapping.layouts[LayoutId::ROOT].entries.iter_mut() {
            entry.typed = None;
            if entry.role == KeyRole::Typed {
                entry.role = KeyRole::Plain;
            }
        }
        let entries = columns.iter().map(|column| {
            let entry = mapping.entry_named(LayoutId::ROOT, &column.key);
            if let CellForm::Typed(kind) = column.form {
                let resolved = &mut mapping.layouts[KeyId { layout: LayoutId::ROOT, entry }];
                resolved.typed = Some(kind);
                if resolved.role == KeyRole::Plain {
                    resolved.role = KeyRole::Typed;
                }
            }
            entry
        });
        CellTargets { entries: entries.collect(), columns, json: String::new() }
    }

    /// Reads the current row of `row` as a record.
    pub(crate) fn row(&mut self, row: &CellReader<'_>, cells: &mut CellTargets<'_>) -> Result<()> {
        let options = &self.walk.mapping.options;
        let is_plain = !self.walk.has_contracts
            && options.root_id == RootId::Numbered
            && matches!(options.root_key, RootKey::None | RootKey::Id);
        if is_plain {
            self.walk.begin_record();
            match self.cells_row(row, cells) {
                Ok(()) => return Ok(()),
                Err(WalkStop::Fault(fault)) => {
                    self.walk.undo();
                    return Err(fault);
                }
                Err(WalkStop::Restart(_)) => self.walk.undo(),
            }
        }
        row.json(cells.columns, &mut cells.json);
        self.record(&mut Reader::new(&cells.json))
    }

    fn cells_row(&mut self, cells: &CellReader<'_>, of: &CellTargets<'_>) -> WalkResult<()> {
        let seq = self.root_rows;
        let id = self.root_ids.id(seq);
        let (table, row) = (TableId::ROOT, self.walk.open_row(TableId::ROOT));
        let options = &self.walk.mapping.options;
        let sequence = options.sequence;
        let root = (options.root_key != RootKey::None).then_some(&id);
        let row = OpenRow { table, row, id: &id, root, seq, sequence, base: 0, may_bring_id: true };
        for (place, (column, &entry)) in of.columns.iter().zip(&of.entries).enumerate() {
            if let Some(cell) = cells.cell_at(place) {
                self.cell(cell, column, (entry, place as u32), &row)?;
            }
        }
        self.walk.end_row(&row, RowLink::Root(None), true)?;
        self.walk.end_record()?;
        self.root_rows += 1;
        Ok(())
    }

    /// Puts a non-null cell into its column, or walks its content.
    #[inline]
    fn cell(
        &mut self,
        cell: &str,
        column: &CellColumn,
        (entry, place): (EntryId, u32),
        row: &OpenRow<'_>,
    ) -> WalkResult<()> {
        let key = KeyId { layout: LayoutId::ROOT, entry };
        let (kind, declared) = match column.form {
            CellForm::Json => return self.json_cell(cell, column, (key, place), row),
            CellForm::Text => return self.walk.scalar(Scalar::Text(cell), key, place, row),
            CellForm::Declared(kind) => (kind, true),
            CellForm::Typed(kind) => (kind, false),
        };
        let typed = Typed { text: Cow::Borrowed(cell), kind };
        let scalar = match kind.data_type {
            // JSON has the same notation for integers.
            DataType::Bigint => typed.scalar(),
            _ if !declared => Scalar::Typed(&typed),
            DataType::Binary => {
                let spelled = typed.spelled();
                return self.walk.typed_scalar(Scalar::Text(&spelled), key, place, row);
            }
            _ => typed.scalar(),
        };
        self.walk.typed_scalar(scalar, key, place, row)
    }

    /// A cell that holds a JSON value.
    fn json_cell(
        &mut self,
        cell: &str,
        column: &CellColumn,
        (key, place): (KeyId, u32),
        row: &OpenRow<'_>,
    ) -> WalkResult<()> {
        let mut reader = Reader::new(cell);
        let at = |fault: Fault| fault.at(format_args!("column {}", column.name));
        match self.walk.member(&mut reader, key, place, row) {
            Ok(()) if reader.at_end() => Ok(()),
            Ok(()) => {
                Err(at(Fault::protocol("expected one JSON value in a cell, found more")).into())
            }
            Err(WalkStop::Fault(fault)) => Err(at(fault).into()),
            Err(restart) => Err(restart),
        }
    }
}
