//! Typed column builders. Values are kept densely (only those that are there) in the layout Parquet
//! wants, so that writing a page is copying bytes; which rows have one is a bitmap. A sparse column
//! costs nothing for the rows that lack it: hundreds of columns of which a record has ten are the
//! ordinary case for nested data.
//!
//! Nothing here knows Parquet beyond the layout of its values.

mod bytes;
mod presence;
mod strings;

use std::fmt;

use crate::dlt::types::{DataType, Kind};
use crate::fault::Fault;

pub(crate) use self::presence::{Bits, Presence};
pub(crate) use self::strings::Strings;
pub(crate) use self::strings::index_width;

/// The digits of a decimal that fit 64 bits. Parquet's rule for INT64 decimals.
const NARROW_DIGITS: u32 = 18;

/// The values of one column for the rows of the current batch.
#[derive(Clone, Debug)]
pub struct ColumnBuffer {
    kind: Kind,
    present: Presence,
    values: BufferValues,
}

impl ColumnBuffer {
    /// An empty column.
    pub fn new(kind: Kind) -> Self {
        let values = match kind.data_type {
            DataType::Bool => BufferValues::Bools(Bits::default()),
            DataType::Bigint => BufferValues::fixed(NumberLayout::Int),
            DataType::Date => BufferValues::fixed(NumberLayout::Days),
            DataType::Double => BufferValues::fixed(NumberLayout::Double),
            DataType::Time | DataType::Timestamp if kind.is_fine() => {
                BufferValues::fixed(NumberLayout::Wide)
            }
            DataType::Time | DataType::Timestamp => BufferValues::fixed(NumberLayout::Micros),
            DataType::Decimal | DataType::Wei if is_narrow(kind) => {
                BufferValues::fixed(NumberLayout::Narrow)
            }
            DataType::Decimal | DataType::Wei => BufferValues::fixed(NumberLayout::Wide),
            DataType::Binary => BufferValues::Bytes(Strings::default()),
            DataType::Json | DataType::Text => BufferValues::Texts(Strings::default()),
        };
        Self { kind, present: Presence::default(), values }
    }

    /// Sets the text of a `text` or `json` column.
    ///
    /// # Errors
    /// As every setter: refuses, and leaves the column as it was, when the column is of another
    /// type or the row does not come after the last one.
    pub fn set_text(&mut self, row: u32, value: &str) -> Result<(), BufferError> {
        match &mut self.values {
            BufferValues::Texts(texts) => {
                self.present.admit(row)?;
                texts.push(value.as_bytes())?;
                self.present.insert(row);
                Ok(())
            }
            _ => Err(BufferError::Kind),
        }
    }

    /// Sets the text of a `text` column to these characters, which are known to be ASCII: an id's.
    ///
    /// # Errors
    /// See [`Self::set_text`].
    pub fn set_ascii(&mut self, row: u32, value: &[u8]) -> Result<(), BufferError> {
        debug_assert!(value.is_ascii(), "an id is ASCII");
        match &mut self.values {
            BufferValues::Texts(texts) => {
                self.present.admit(row)?;
                texts.push(value)?;
                self.present.insert(row);
                Ok(())
            }
            _ => Err(BufferError::Kind),
        }
    }

    /// Sets the text of a `text` column to the last one that was set, which costs less than finding it
    /// anew; says no, and sets nothing, if there is none.
    ///
    /// # Errors
    /// See [`Self::set_text`].
    pub fn repeat_text(&mut self, row: u32) -> Result<bool, BufferError> {
        match &mut self.values {
            BufferValues::Texts(texts) => {
                self.present.admit(row)?;
                let repeated = texts.repeat()?;
                if repeated {
                    self.present.insert(row);
                }
                Ok(repeated)
            }
            _ => Err(BufferError::Kind),
        }
    }

    /// Sets the bytes of a `binary` column.
    ///
    /// # Errors
    /// See [`Self::set_text`].
    pub fn set_bytes(&mut self, row: u32, value: &[u8]) -> Result<(), BufferError> {
        match &mut self.values {
            BufferValues::Bytes(bytes) => {
                self.present.admit(row)?;
                bytes.push(value)?;
                self.present.insert(row);
                Ok(())
            }
            _ => Err(BufferError::Kind),
        }
    }

    /// Sets the number of a `bigint` column.
    ///
    /// # Errors
    /// See [`Self::set_text`].
    pub fn set_int(&mut self, row: u32, value: i64) -> Result<(), BufferError> {
        self.set_fixed(row, NumberLayout::Int, value.to_le_bytes())
    }

    /// Sets the number of a `double` column; NaN and the infinities are kept.
    ///
    /// # Errors
    /// See [`Self::set_text`].
    pub fn set_double(&mut self, row: u32, value: f64) -> Result<(), BufferError> {
        self.set_fixed(row, NumberLayout::Double, value.to_le_bytes())
    }

    /// Sets the value of a `bool` column.
    ///
    /// # Errors
    /// See [`Self::set_text`].
    pub fn set_bool(&mut self, row: u32, value: bool) -> Result<(), BufferError> {
        match &mut self.values {
            BufferValues::Bools(bits) => {
                self.present.admit(row)?;
                bits.push(value);
                self.present.insert(row);
                Ok(())
            }
            _ => Err(BufferError::Kind),
        }
    }

    /// Sets the value of a `timestamp` column, in microseconds since 1970 (UTC, or the wall clock
    /// where it has no time zone), or of a `time` column, in microseconds since midnight.
    ///
    /// # Errors
    /// See [`Self::set_text`].
    pub fn set_micros(&mut self, row: u32, value: i64) -> Result<(), BufferError> {
        match self.kind.is_fine() {
            true => self.set_nanos(row, i128::from(value) * 1000),
            false => self.set_fixed(row, NumberLayout::Micros, value.to_le_bytes()),
        }
    }

    /// Sets the value of a column of more than six digits behind the seconds, in nanoseconds.
    ///
    /// # Errors
    /// See [`Self::set_text`].
    pub fn set_nanos(&mut self, row: u32, value: i128) -> Result<(), BufferError> {
        match self.kind.is_fine() {
            true => self.set_fixed(row, NumberLayout::Wide, value.to_be_bytes()),
            false => Err(BufferError::Kind),
        }
    }

    /// Sets the value of a `date` column, in days since 1970-01-01.
    ///
    /// # Errors
    /// See [`Self::set_text`].
    pub fn set_days(&mut self, row: u32, value: i32) -> Result<(), BufferError> {
        self.set_fixed(row, NumberLayout::Days, value.to_le_bytes())
    }

    /// Sets the value of a `decimal` or `wei` column, in units of its last digit (1.5 with a scale
    /// of two is 150).
    ///
    /// # Errors
    /// See [`Self::set_text`]; also refuses a value with more digits than the column's precision.
    pub fn set_decimal(&mut self, row: u32, value: i128) -> Result<(), BufferError> {
        let digits = self.kind.decimal().0;
        let fits = 10u128.checked_pow(digits).is_none_or(|limit| value.unsigned_abs() < limit);
        match (&self.values, i64::try_from(value)) {
            (BufferValues::Fixed { role: NumberLayout::Narrow | NumberLayout::Wide, .. }, _)
                if !fits =>
            {
                Err(BufferError::Range)
            }
            (BufferValues::Fixed { role: NumberLayout::Narrow, .. }, Ok(narrow)) => {
                self.set_fixed(row, NumberLayout::Narrow, narrow.to_le_bytes())
            }
            // Parquet: big-endian two's complement.
            _ => self.set_fixed(row, NumberLayout::Wide, value.to_be_bytes()),
        }
    }

    /// The integers of a `bigint` or `wei` column, with their rows; nothing of other columns.
    pub fn integers(&self) -> Vec<(u32, i128)> {
        let BufferValues::Fixed { role, bytes } = &self.values else { return Vec::new() };
        let mut rows = (0u32..).zip(self.present.words()).flat_map(|(n, word)| {
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| n * 64 + bit)
        });
        let narrow = |bytes: &[u8]| bytes.try_into().ok().map(i64::from_le_bytes).map(i128::from);
        let value = |bytes: &[u8]| match role {
            NumberLayout::Int | NumberLayout::Narrow => narrow(bytes),
            NumberLayout::Wide => bytes.try_into().ok().map(i128::from_be_bytes),
            NumberLayout::Days | NumberLayout::Double | NumberLayout::Micros => None,
        };
        bytes.chunks_exact(role.width()).filter_map(|bytes| rows.next().zip(value(bytes))).collect()
    }

    /// The type of its values.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The last row that was set.
    pub fn last_row(&self) -> Option<u32> {
        self.present.last()
    }

    /// The number of rows that were set.
    pub fn count(&self) -> u32 {
        self.present.count()
    }

    /// Whether no row was set.
    pub fn is_empty(&self) -> bool {
        self.present.count() == 0
    }

    /// Brings everything that was set to its place, where [`Self::values`] finds it. Cheap to ask.
    pub fn settle(&mut self) {
        if let BufferValues::Bytes(strings) | BufferValues::Texts(strings) = &mut self.values {
            strings.settle();
        }
    }

    /// The memory its values hold, in bytes. Cheap to ask.
    pub fn bytes(&self) -> usize {
        let values = match &self.values {
            BufferValues::Bools(bits) => bits.words().len() * 8,
            BufferValues::Fixed { bytes, .. } => bytes.len(),
            BufferValues::Bytes(strings) | BufferValues::Texts(strings) => strings.bytes(),
        };
        values + self.present.words().len() * 8
    }

    /// The part of that memory that holds texts hardly any of which comes twice.
    pub fn plain_bytes(&self) -> usize {
        match &self.values {
            BufferValues::Bytes(strings) | BufferValues::Texts(strings) => strings.plain_bytes(),
            BufferValues::Bools(_) | BufferValues::Fixed { .. } => 0,
        }
    }

    /// Forgets every row from `rows` on: those of a record that was rejected. Costs as much as the
    /// values that are forgotten.
    pub fn truncate(&mut self, rows: u32) {
        if self.last_row().is_none_or(|last| last < rows) {
            return;
        }
        let count = self.present.truncate(rows) as usize;
        match &mut self.values {
            BufferValues::Bools(bits) => bits.truncate(count),
            BufferValues::Fixed { role, bytes } => bytes.truncate(count * role.width()),
            BufferValues::Bytes(strings) | BufferValues::Texts(strings) => strings.truncate(count),
        }
    }

    /// Bytes of the longest text or binary, if it is longer than this; else 0. The values are settled.
    pub fn longest(&self, over: u64) -> u64 {
        match &self.values {
            BufferValues::Bytes(strings) | BufferValues::Texts(strings) => {
                strings.longest(usize::try_from(over).unwrap_or(usize::MAX)) as u64
            }
            BufferValues::Bools(_) | BufferValues::Fixed { .. } => 0,
        }
    }

    /// Forgets every row, after a flush. Keeps the memory the next batch is likely to need.
    pub fn clear(&mut self) {
        self.present.clear();
        match &mut self.values {
            BufferValues::Bools(bits) => bits.clear(),
            BufferValues::Fixed { bytes, .. } => bytes::recycle(bytes),
            BufferValues::Bytes(strings) | BufferValues::Texts(strings) => strings.clear(),
        }
    }

    /// Which rows are set.
    pub(crate) fn present(&self) -> &Presence {
        &self.present
    }

    /// The values, in the order of their rows, once they are settled.
    pub(crate) fn values(&self) -> Result<&BufferValues, BufferError> {
        match &self.values {
            BufferValues::Bytes(strings) | BufferValues::Texts(strings)
                if !strings.is_settled() =>
            {
                Err(BufferError::Unsettled)
            }
            values => Ok(values),
        }
    }

    #[inline]
    fn set_fixed<const WIDTH: usize>(
        &mut self,
        row: u32,
        wanted: NumberLayout,
        value: [u8; WIDTH],
    ) -> Result<(), BufferError> {
        match &mut self.values {
            BufferValues::Fixed { role, bytes } if *role == wanted => {
                self.present.admit(row)?;
                bytes.extend_from_slice(&value);
                self.present.insert(row);
                Ok(())
            }
            _ => Err(BufferError::Kind),
        }
    }
}

/// Why a column did not take or give a value. Each is a defect of the caller, never of the input.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BufferError {
    /// The texts of a batch need more than 4 GiB.
    Full,
    /// The value is of another type than the column.
    Kind,
    /// The row does not come after the last one that was set.
    Order,
    /// The value has more digits than the column's precision.
    Range,
    /// The values are read before they are settled.
    Unsettled,
}

impl fmt::Display for BufferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "expected at most 4 GiB of text in a batch, found more",
            Self::Kind => "expected a value of the column's type, found one of another type",
            Self::Order => "expected a row after the last one that was set, found an earlier one",
            Self::Range => "expected a decimal within the column's precision, found more digits",
            Self::Unsettled => "expected values that are settled, found some that wait",
        })
    }
}

impl std::error::Error for BufferError {}

impl From<BufferError> for Fault {
    fn from(error: BufferError) -> Self {
        Self::internal(error)
    }
}

/// The values of a column, one of these layouts.
#[derive(Clone, Debug)]
pub(crate) enum BufferValues {
    /// Parquet's PLAIN layout of BOOLEAN.
    Bools(Bits),
    /// Any bytes.
    Bytes(Strings),
    /// Parquet's PLAIN layout of numbers.
    Fixed {
        /// What the numbers mean.
        role: NumberLayout,
        /// The numbers, one after the other.
        bytes: Vec<u8>,
    },
    /// UTF-8.
    Texts(Strings),
}

impl BufferValues {
    fn fixed(role: NumberLayout) -> Self {
        Self::Fixed { role, bytes: Vec::new() }
    }
}

/// What the numbers of a column mean.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NumberLayout {
    /// Days since 1970-01-01, 32 bits, little-endian.
    Days,
    /// A 64 bit float, little-endian.
    Double,
    /// A 64 bit integer, little-endian.
    Int,
    /// Microseconds, 64 bits, little-endian.
    Micros,
    /// A decimal of up to 18 digits, 64 bits, little-endian.
    Narrow,
    /// A decimal of up to 38 digits, or nanoseconds, 128 bits, big-endian.
    Wide,
}

impl NumberLayout {
    /// Bytes a value.
    pub(crate) const fn width(self) -> usize {
        match self {
            Self::Days => 4,
            Self::Double | Self::Int | Self::Micros | Self::Narrow => 8,
            Self::Wide => 16,
        }
    }
}

/// Whether decimals of that type are kept in 64 bits.
pub(crate) fn is_narrow(kind: Kind) -> bool {
    kind.decimal().0 <= NARROW_DIGITS
}

#[cfg(test)]
mod tests;
