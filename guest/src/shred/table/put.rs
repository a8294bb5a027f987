//! Values into columns, and what becomes of those that do not fit.

use super::{Misfit, Origin, PutOutcome, ShredColumn, ShredTable};
use crate::columnar::batch::{BufferError, ColumnBuffer};
use crate::dlt::coerce::{self, Datum, Scalar};
use crate::dlt::schema::Mode;
use crate::dlt::types::{DataType, Kind};
use crate::fault::{Fault, Result};
use crate::shred::ShredOptions;
use crate::shred::contract::{TableContract, frozen};
use crate::shred::widen::WidenOutcome;

impl ShredTable {
    /// Puts a value into a column of the row, or into the variant of that column that it fits.
    ///
    /// The value is borrowed on purpose. A copy, made right after it was put together, is read in wider
    /// pieces than it was written in; the processor then waits until every write before it has reached
    /// the cache, which was an eighth of a load's time.
    #[inline(always)]
    pub(in crate::shred) fn put(
        &mut self,
        row: u32,
        at: usize,
        value: &Scalar<'_>,
        origin: Origin<'_>,
        options: &ShredOptions,
    ) -> Result<PutOutcome> {
        let column = &mut self.columns[at];
        if column.values.last_row() == Some(row) {
            return Ok(PutOutcome::Occupied);
        }
        let may_widen = options.widen && value.number().is_some();
        if column.seen && !may_widen && column.set(row, value)? {
            return Ok(PutOutcome::Stored);
        }
        self.put_otherwise(row, at, value, origin, options)
    }

    /// A value that is its column's first, may change its type, or does not fit it.
    #[inline(never)]
    fn put_otherwise(
        &mut self,
        row: u32,
        at: usize,
        value: &Scalar<'_>,
        origin: Origin<'_>,
        options: &ShredOptions,
    ) -> Result<PutOutcome> {
        let column = &self.columns[at];
        if !column.seen || column.kind.is_none() {
            match self.refuses(at, *value)? {
                None => self.first_value(at, *value, origin, options),
                Some(row) => return Ok(PutOutcome::Rejected { column: at, row }),
            }
        }
        let meeting = match options.widen {
            true => self.meet(at, *value, options)?,
            false => WidenOutcome::Fits,
        };
        match meeting {
            WidenOutcome::Fits if self.columns[at].set(row, value)? => Ok(PutOutcome::Stored),
            WidenOutcome::Widened => self.put(row, at, value, origin, options),
            WidenOutcome::Fits | WidenOutcome::Variant => {
                let variant = self.variant(at, *value, options)?;
                if !self.columns[at].nullable {
                    let value = shown(*value);
                    self.misfit = Some(Box::new(Misfit { row, column: at, variant, value }));
                }
                self.put(row, variant, value, origin, options)
            }
        }
    }

    /// Whether the rules refuse a column for this value: then whether the row goes with it.
    #[cold]
    fn refuses(&self, at: usize, value: Scalar<'_>) -> Result<Option<bool>> {
        let column = &self.columns[at];
        let TableContract { modes, evolves_once } = self.contract;
        if column.known || column.name.starts_with("_dlt") {
            return Ok(None);
        }
        let (mode, expected) = match column.variant {
            true => (
                modes.data_type,
                "a value of the column's type, not one that needs a variant column",
            ),
            false if evolves_once || !self.settled => return Ok(None),
            false => (modes.columns, "no new columns"),
        };
        match mode {
            Mode::Evolve => Ok(None),
            Mode::DiscardRow => Ok(Some(true)),
            Mode::DiscardValue => Ok(Some(false)),
            Mode::Freeze => {
                Err(frozen(expected, value.form().name())
                    .at(format_args!("column {}", column.name)))
            }
        }
    }

    /// A column's first value in this load: it may decide the type.
    #[cold]
    fn first_value(
        &mut self,
        at: usize,
        value: Scalar<'_>,
        origin: Origin<'_>,
        options: &ShredOptions,
    ) {
        let column = &mut self.columns[at];
        column.seen = true;
        self.first_seen.push(at);
        if !column.known {
            self.fresh.push((origin.order(), at));
        }
        let kind = column.kind.unwrap_or_else(|| match options.preferred(&column.name) {
            Some(data_type) if !column.variant => Kind::of(data_type),
            _ => {
                column.inferred = options.widen && !column.variant;
                options.inferred(value)
            }
        });
        if column.kind.is_none() || column.values.is_empty() {
            column.values = ColumnBuffer::new(kind);
        }
        column.kind = Some(kind);
        self.note_type(at);
    }

    /// Whether the variant of a column for these digits has a value in this row or behind it: the data
    /// itself has a key of that name.
    pub(in crate::shred) fn has_variant_behind(
        &mut self,
        at: usize,
        row: u32,
        digits: &str,
        options: &ShredOptions,
    ) -> Result<bool> {
        let variant = self.variant(at, Scalar::Number(digits), options)?;
        Ok(self.columns[variant].values.last_row().is_some_and(|last| last >= row))
    }

    /// Moves an integer of an earlier row into the variant of a column that was widened. The variant
    /// stays, even if the record that widened the column is undone.
    pub(in crate::shred) fn spill(
        &mut self,
        at: usize,
        row: u32,
        digits: &str,
        options: &ShredOptions,
    ) -> Result<()> {
        let value = Scalar::Number(digits);
        let variant = self.variant(at, value, options)?;
        let origin = Origin { trail: &[], place: 0 };
        match self.put(row, variant, &value, origin, options)? {
            PutOutcome::Stored => {}
            PutOutcome::Rejected { .. } | PutOutcome::Occupied => {
                return Err(Fault::internal("a variant column took no value"));
            }
        }
        if self.first_seen.last() == Some(&variant) {
            self.first_seen.pop();
            self.fresh.retain(|(_, column)| *column != variant);
            self.columns[variant].rank = self.next_rank;
            self.next_rank += 1;
            self.first_rank = self.next_rank;
        }
        Ok(())
    }

    /// The column for values that do not fit this one.
    #[cold]
    fn variant(&mut self, at: usize, value: Scalar<'_>, options: &ShredOptions) -> Result<usize> {
        let suffix = value.form().name();
        if let Some(&(_, variant)) = self.columns[at].variants.iter().find(|(s, _)| *s == suffix) {
            return Ok(variant);
        }
        let tail = format!("v_{suffix}");
        let name = options.convention.shorten_fragments(&[&self.columns[at].name, &tail]);
        self.check_columns(&name, options)?;
        let variant = self.column(&name);
        self.columns[variant].variant = true;
        self.columns[at].variants.push((suffix, variant));
        Ok(variant)
    }
}

impl ShredColumn {
    /// Sets the value of a row; says no if it does not fit the column's type, or there is none yet.
    #[inline]
    fn set(&mut self, row: u32, value: &Scalar<'_>) -> Result<bool> {
        let Some(kind) = &self.kind else { return Ok(false) };
        // Most values are of their column's type as they stand.
        let stored = match (value, kind.data_type) {
            (Scalar::Text(text), DataType::Text) => self.values.set_text(row, text),
            (Scalar::Typed(typed), DataType::Text) if typed.kind.data_type == DataType::Text => {
                self.values.set_text(row, &typed.text)
            }
            (Scalar::Bool(value), DataType::Bool) => self.values.set_bool(row, *value),
            _ => match coerce::coerce(value, kind) {
                Some(datum) => store(&mut self.values, row, datum),
                None => return Ok(false),
            },
        };
        match stored {
            Ok(()) => Ok(true),
            Err(refused) => Err(Fault::internal(refused).at(format_args!("column {}", self.name))),
        }
    }
}

/// The beginning of a value, as JSON has it.
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

#[inline]
pub(in crate::shred) fn store(
    values: &mut ColumnBuffer,
    row: u32,
    datum: Datum<'_>,
) -> Result<(), BufferError> {
    match datum {
        Datum::Null => Ok(()),
        Datum::Text(text) | Datum::Json(text) => values.set_text(row, &text),
        Datum::Int(value) => values.set_int(row, value),
        Datum::Double(value) => values.set_double(row, value),
        Datum::Bool(value) => values.set_bool(row, value),
        Datum::Micros(value) | Datum::TimeMicros(value) => values.set_micros(row, value),
        Datum::Nanos(value) => values.set_nanos(row, value),
        Datum::Days(value) => values.set_days(row, value),
        Datum::Decimal(value) => values.set_decimal(row, value),
        Datum::Bytes(value) => values.set_bytes(row, &value),
    }
}
