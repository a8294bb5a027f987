//! Rows of cells, straight into their columns: each column of the input is resolved once, to an entry of
//! the root's layout, and a cell of a scalar type goes from there into its column. What is nested in a JSON
//! cell is walked as it is anywhere in a record.
//!
//! Rows that need another look (ids made of values, contracts, keys that share a name, objects that repeat
//! a key) are written as JSON and go the way of every record; the entries remember the types.

use std::borrow::Cow;

use super::layout::KeyRole;
use super::{Family, Halt, OpenRow, RootId, RootKey, RowLink};
use crate::columnar::cells::{CellColumn, CellForm, CellReader};
use crate::dlt::coerce::{self, Scalar, Typed};
use crate::dlt::types::{DataType, Kind};
use crate::fault::{Fault, Result};
use crate::json::Reader;

/// The columns of the input, and where their cells go.
#[derive(Debug)]
pub struct CellTargets<'f> {
    fields: &'f [CellColumn],
    /// For each column, its entry of the root's layout.
    entries: Vec<usize>,
    /// A row as JSON, where that is asked for.
    json: String,
}

/// The layout of the records.
const ROOT: usize = 0;

impl Family {
    /// Resolves the columns of the input. Their types count until the next call.
    pub fn cells<'f>(&mut self, fields: &'f [CellColumn]) -> CellTargets<'f> {
        for entry in &mut self.layouts[ROOT].entries {
            entry.typed = None;
            if entry.role == KeyRole::Typed {
                entry.role = KeyRole::Plain;
            }
        }
        let entries = fields.iter().map(|field| {
            let at = self.entry_named(ROOT, &field.key);
            if let CellForm::Typed(kind) = field.form {
                let entry = &mut self.layouts[ROOT].entries[at];
                entry.typed = Some(kind);
                if entry.role == KeyRole::Plain {
                    entry.role = KeyRole::Typed;
                }
            }
            at
        });
        CellTargets { entries: entries.collect(), fields, json: String::new() }
    }

    /// Takes the row that was read last, as a record.
    pub fn row(&mut self, row: &CellReader<'_>, cells: &mut CellTargets<'_>) -> Result<()> {
        let plain = !self.guarded
            && self.options.root_id == RootId::Numbered
            && matches!(self.options.root_key, RootKey::None | RootKey::Id);
        if plain {
            self.begin_record();
            match self.cells_row(row, cells) {
                Ok(()) => return Ok(()),
                Err(Halt::Fault(fault)) => {
                    self.undo();
                    return Err(fault);
                }
                Err(_) => self.undo(),
            }
        }
        row.json(cells.fields, &mut cells.json);
        self.record(&mut Reader::new(&cells.json))
    }

    fn cells_row(&mut self, cells: &CellReader<'_>, of: &CellTargets<'_>) -> Result<(), Halt> {
        self.trail.clear();
        let seq = self.root_rows;
        let id = self.root_ids.id(seq);
        let row = self.open_row(0);
        let sequence = self.options.sequence;
        let root = (self.options.root_key != RootKey::None).then_some(&id);
        let row = OpenRow { table: 0, row, id: &id, root, seq, sequence, base: 0, ours: true };
        for (place, (field, &entry)) in of.fields.iter().zip(&of.entries).enumerate() {
            if let Some(cell) = cells.cell_at(place) {
                self.cell(cell, field, (entry, place as u32), &row)?;
            }
        }
        self.end_row(&row, RowLink::Root(None), true)?;
        if self.squashed {
            return Err(Halt::Squashed);
        }
        self.root_rows += 1;
        self.left_out.keep();
        Ok(())
    }

    /// Puts a cell that is not NULL into its column, or takes what is nested in it.
    #[inline]
    fn cell(
        &mut self,
        cell: &str,
        field: &CellColumn,
        (entry, place): (usize, u32),
        row: &OpenRow<'_>,
    ) -> Result<(), Halt> {
        let (kind, declared) = match field.form {
            CellForm::Json => return self.json_cell(cell, field, (entry, place), row),
            CellForm::Text => return self.scalar(Scalar::Text(cell), (ROOT, entry), place, row),
            CellForm::Declared(kind) => (kind, true),
            CellForm::Typed(kind) => (kind, false),
        };
        let typed = Typed { text: Cow::Borrowed(cell), kind };
        let scalar = match kind.data_type {
            // An integer that says nothing but itself.
            DataType::Bigint => typed.scalar(),
            _ if !declared => Scalar::Typed(&typed),
            DataType::Binary => {
                let spelled = typed.spelled();
                return self.typed_scalar(Scalar::Text(&spelled), (ROOT, entry), place, row);
            }
            _ => typed.scalar(),
        };
        self.typed_scalar(scalar, (ROOT, entry), place, row)
    }

    #[inline]
    fn typed_scalar(
        &mut self,
        scalar: Scalar<'_>,
        (layout, entry): (usize, usize),
        place: u32,
        row: &OpenRow<'_>,
    ) -> Result<(), Halt> {
        match self.layouts[layout].entries[entry].role {
            KeyRole::Plain | KeyRole::Typed => self.plain(scalar, (layout, entry), place, row),
            KeyRole::System => self.special(scalar, (layout, entry), place, row),
        }
    }

    /// A value of JSON.
    fn json_cell(
        &mut self,
        cell: &str,
        field: &CellColumn,
        (entry, place): (usize, u32),
        row: &OpenRow<'_>,
    ) -> Result<(), Halt> {
        let mut reader = Reader::new(cell);
        let at = |fault: Fault| fault.at(format_args!("column {}", field.name));
        match self.member(&mut reader, (ROOT, entry), place, row) {
            Ok(()) if reader.at_end() => Ok(()),
            Ok(()) => {
                Err(at(Fault::protocol("expected one JSON value in a cell, found more")).into())
            }
            Err(Halt::Fault(fault)) => Err(at(fault).into()),
            Err(halt) => Err(halt),
        }
    }
}

/// The value of a record that was written as JSON, with the type that its column has in the input.
pub(super) fn lifted<'v>(scalar: Scalar<'v>, kind: Kind) -> Option<Typed<'v>> {
    let text = match (scalar, kind.data_type) {
        (Scalar::Number(_), DataType::Bigint) => return None,
        (Scalar::Number(text), DataType::Decimal | DataType::Double | DataType::Wei) => {
            Cow::Borrowed(text)
        }
        (Scalar::Text(text @ ("NaN" | "Infinity" | "-Infinity")), DataType::Double) => {
            Cow::Borrowed(text)
        }
        (Scalar::Text(text), DataType::Binary) => Cow::Owned(coerce::hexadecimal_of(text)?),
        (
            Scalar::Text(text),
            DataType::Text | DataType::Date | DataType::Time | DataType::Timestamp,
        ) => Cow::Borrowed(text),
        _ => return None,
    };
    Some(Typed { text, kind })
}
