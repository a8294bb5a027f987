//! Puts values into columns, and handles those that do not fit.

use super::ShredTable;
use super::cell::{CellId, Misfit, PutOutcome};
use super::widen::WidenOutcome;
use crate::columnar::batch::ColumnBuffer;
use crate::dlt::coerce::Scalar;
use crate::dlt::schema::ContractMode;
use crate::dlt::types::Kind;
use crate::fault::{Fault, Result};
use crate::shred::arena::ColumnId;
use crate::shred::contract::frozen;
use crate::shred::options::ShredOptions;
use crate::shred::origin::Origin;

impl ShredTable {
    /// Puts a value into a column of the row, or into the variant of that column that it fits.
    ///
    /// The value is borrowed on purpose. A fresh copy would be read in wider pieces than it was
    /// written in; the processor would then wait until all earlier writes have reached the cache,
    /// which took an eighth of a load's time.
    #[inline(always)]
    pub(in crate::shred) fn put(
        &mut self,
        cell: CellId,
        value: &Scalar<'_>,
        origin: Origin<'_>,
        options: &ShredOptions,
    ) -> Result<PutOutcome> {
        let CellId { row, column: id } = cell;
        let column = &mut self.columns.all[id];
        if column.values.last_row() == Some(row) {
            return Ok(PutOutcome::Occupied);
        }
        let may_widen = options.widen && value.number().is_some();
        if column.seen && !may_widen && column.set(row, value)? {
            return Ok(PutOutcome::Stored);
        }
        self.put_otherwise(cell, value, origin, options)
    }

    /// Puts a value that is the first of its column, may change its type, or does not fit it.
    #[inline(never)]
    fn put_otherwise(
        &mut self,
        cell: CellId,
        value: &Scalar<'_>,
        origin: Origin<'_>,
        options: &ShredOptions,
    ) -> Result<PutOutcome> {
        let CellId { row, column: id } = cell;
        let column = &self.columns.all[id];
        if !column.seen || column.kind.is_none() {
            match self.mode_of(id) {
                ContractMode::Evolve => self.first_value(id, *value, origin, options),
                ContractMode::DiscardRow => return Ok(PutOutcome::RowRejected(id)),
                ContractMode::DiscardValue => return Ok(PutOutcome::ValueRejected(id)),
                ContractMode::Freeze => return Err(self.frozen(id, *value)),
            }
        }
        let outcome = match options.widen {
            true => self.widen_for(id, *value, options)?,
            false => WidenOutcome::Fits,
        };
        match outcome {
            WidenOutcome::Fits if self.columns.all[id].set(row, value)? => Ok(PutOutcome::Stored),
            WidenOutcome::Widened => self.put(cell, value, origin, options),
            WidenOutcome::Fits | WidenOutcome::Variant => {
                let variant = self.variant(id, *value, options)?;
                if !self.columns.all[id].nullable {
                    let value = shown(*value);
                    self.misfit = Some(Box::new(Misfit { row, column: id, variant, value }));
                }
                self.put(CellId { row, column: variant }, value, origin, options)
            }
        }
    }

    /// The mode of the contract for a column without values.
    #[cold]
    fn mode_of(&self, id: ColumnId) -> ContractMode {
        let column = &self.columns.all[id];
        if column.known || column.name.starts_with("_dlt") {
            ContractMode::Evolve
        } else if column.is_variant {
            self.contract.modes.data_type
        } else {
            self.contract.new_columns(self.has_columns)
        }
    }

    #[cold]
    fn frozen(&self, id: ColumnId, value: Scalar<'_>) -> Fault {
        let column = &self.columns.all[id];
        let expected = match column.is_variant {
            true => "a value of the column's type, not one that needs a variant column",
            false => "no new columns",
        };
        frozen(expected, value.form().name()).at(format_args!("column {}", column.name))
    }

    /// Prepares a column for its first value in this load, which may set its type.
    #[cold]
    fn first_value(
        &mut self,
        id: ColumnId,
        value: Scalar<'_>,
        origin: Origin<'_>,
        options: &ShredOptions,
    ) {
        let column = &mut self.columns.all[id];
        column.seen = true;
        self.undo.first_seen(id);
        if !column.known {
            self.order.add_new(id, origin.order());
        }
        let kind = column.kind.unwrap_or_else(|| match options.preferred(&column.name) {
            Some(data_type) if !column.is_variant => Kind::of(data_type),
            _ => {
                column.inferred = options.widen && !column.is_variant;
                options.inferred(value)
            }
        });
        if column.kind.is_none() || column.values.is_empty() {
            column.values = ColumnBuffer::new(kind);
        }
        column.kind = Some(kind);
        self.columns.note_type(id);
    }

    /// Returns `true` if the variant column for these digits has a value in this row or a later
    /// one: the data has a key with that name.
    pub(super) fn has_variant_from(
        &mut self,
        id: ColumnId,
        row: u32,
        digits: &str,
        options: &ShredOptions,
    ) -> Result<bool> {
        let variant = self.variant(id, Scalar::Number(digits), options)?;
        Ok(self.columns.all[variant].values.last_row().is_some_and(|last| last >= row))
    }

    /// Moves an integer of an earlier row to the variant of a column that was widened. The variant
    /// stays even if the record that widened the column is undone.
    pub(super) fn spill(
        &mut self,
        id: ColumnId,
        row: u32,
        digits: &str,
        options: &ShredOptions,
    ) -> Result<()> {
        let value = Scalar::Number(digits);
        let variant = self.variant(id, value, options)?;
        let origin = Origin { trail: &[], place: 0 };
        let cell = CellId { row, column: variant };
        if self.put(cell, &value, origin, options)? != PutOutcome::Stored {
            return Err(Fault::internal("a variant column took no value"));
        }
        if self.undo.keep_last(variant) {
            self.order.append_now(variant);
            self.undo.keep_order(self.order.mark());
        }
        Ok(())
    }

    /// The variant column for values that do not fit this one.
    #[cold]
    fn variant(
        &mut self,
        id: ColumnId,
        value: Scalar<'_>,
        options: &ShredOptions,
    ) -> Result<ColumnId> {
        let suffix = value.form().name();
        let column = &self.columns.all[id];
        if let Some(&(_, variant)) = column.variants.iter().find(|(known, _)| *known == suffix) {
            return Ok(variant);
        }
        let tail = format!("v_{suffix}");
        let name = options.convention.shorten_fragments(&[&column.name, &tail]);
        self.check_columns(&name, options)?;
        let variant = self.column(&name);
        self.columns.all[variant].is_variant = true;
        self.columns.all[id].variants.push((suffix, variant));
        Ok(variant)
    }
}

/// The beginning of a value in JSON's notation.
fn shown(value: Scalar<'_>) -> String {
    const MOST: usize = 60;
    let beginning = |text: &str| text.chars().take(MOST).collect::<String>();
    match value {
        Scalar::Bool(value) => value.to_string(),
        Scalar::Text(text) => format!("{:?}", beginning(text)),
        Scalar::Json(text) | Scalar::Number(text) => beginning(text),
        Scalar::Typed(typed) => format!("{:?}", beginning(&typed.text)),
    }
}
