//! One column of a batch, read row by row.

use super::value::TextValue;
use crate::columnar::batch::{Bits, BufferValues, ColumnBuffer, NumberLayout, Strings};
use crate::dlt::types::{Kind, StorageType};
use crate::fault::{Fault, Result};

/// The values of a column, in the order of rows.
pub(super) struct ColumnCursor<'a> {
    kind: Kind,
    present: &'a [u64],
    values: &'a BufferValues,
    /// The number of values that were read.
    read: usize,
}

impl<'a> ColumnCursor<'a> {
    pub(super) fn new(column: &'a ColumnBuffer) -> Result<Self> {
        let (kind, present) = (column.kind(), column.present().words());
        Ok(Self { kind, present, values: column.values()?, read: 0 })
    }

    /// The value of a row, which is after the last one; `None` for NULL.
    ///
    /// # Errors
    /// An internal fault if the buffer has no value for a row that has one.
    pub(super) fn next(&mut self, row: u32) -> Result<Option<TextValue<'a>>> {
        // Rows after the last value have no bit.
        let word = self.present.get(row as usize / 64).copied().unwrap_or_default();
        if word >> (row % 64) & 1 == 0 {
            return Ok(None);
        }
        let value = self.value().ok_or_else(|| {
            Fault::internal(format_args!("expected a value in row {row} of a batch, found none"))
        })?;
        Ok(Some(value))
    }

    /// The next value of the buffer.
    fn value(&mut self) -> Option<TextValue<'a>> {
        let at = self.read;
        self.read += 1;
        match self.values {
            BufferValues::Bools(bits) => bit(bits, at).map(TextValue::Bool),
            BufferValues::Bytes(strings) => string(strings, at).map(TextValue::Bytes),
            BufferValues::Texts(strings) => string(strings, at).map(TextValue::Text),
            BufferValues::Fixed { role, bytes } => {
                let width = role.width();
                let bytes = bytes.get(at * width..(at + 1) * width)?;
                number(self.kind, *role, bytes)
            }
        }
    }
}

fn bit(bits: &Bits, at: usize) -> Option<bool> {
    bits.words().get(at / 64).map(|word| word >> (at % 64) & 1 == 1)
}

fn string(strings: &Strings, at: usize) -> Option<&[u8]> {
    let index = match strings.indices() {
        Some(indices) => *indices.get(at)? as usize,
        None => at,
    };
    strings.starts().get(index).map(|start| strings.data().at(*start))
}

fn number(kind: Kind, role: NumberLayout, bytes: &[u8]) -> Option<TextValue<'static>> {
    const DAY: i128 = 86_400 * 1_000_000_000;
    let narrow = || bytes.try_into().ok().map(i64::from_le_bytes);
    let decimal = |value: i128| match kind.storage() {
        StorageType::Nanos => TextValue::Integer(value),
        _ => TextValue::Decimal(value, kind.decimal().1),
    };
    match role {
        NumberLayout::Days => {
            let days = bytes.try_into().ok().map(i32::from_le_bytes)?;
            Some(TextValue::Integer(i128::from(days) * DAY))
        }
        NumberLayout::Double => {
            bytes.try_into().ok().map(f64::from_le_bytes).map(TextValue::Double)
        }
        NumberLayout::Int => narrow().map(TextValue::Int),
        NumberLayout::Micros => narrow().map(|it| TextValue::Integer(i128::from(it) * 1000)),
        NumberLayout::Narrow => narrow().map(|value| decimal(i128::from(value))),
        NumberLayout::Wide => bytes.try_into().ok().map(i128::from_be_bytes).map(decimal),
    }
}
