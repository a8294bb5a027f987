//! The typed buffer of one column.

use super::bytes::recycle;
use super::error::BufferError;
use super::presence::{Bits, Presence};
use super::strings::Strings;
use crate::dlt::types::{Kind, StorageType};

/// The maximum number of digits of a decimal in 64 bits, by Parquet's rule for INT64 decimals.
const NARROW_DIGITS: u32 = 18;

/// The values of one column for the rows of the current batch.
#[derive(Clone, Debug)]
pub(crate) struct ColumnBuffer {
    kind: Kind,
    present: Presence,
    values: BufferValues,
}

impl ColumnBuffer {
    /// An empty column.
    pub(crate) fn new(kind: Kind) -> Self {
        let values = match kind.storage() {
            StorageType::Bool => BufferValues::Bools(Bits::default()),
            StorageType::Int => BufferValues::fixed(NumberLayout::Int),
            StorageType::Days => BufferValues::fixed(NumberLayout::Days),
            StorageType::Double => BufferValues::fixed(NumberLayout::Double),
            StorageType::Micros | StorageType::TimeMicros => {
                BufferValues::fixed(NumberLayout::Micros)
            }
            StorageType::Decimal if is_narrow(kind) => BufferValues::fixed(NumberLayout::Narrow),
            StorageType::Decimal | StorageType::Nanos => BufferValues::fixed(NumberLayout::Wide),
            StorageType::Bytes => BufferValues::Bytes(Strings::default()),
            StorageType::Json | StorageType::Text => BufferValues::Texts(Strings::default()),
        };
        Self { kind, present: Presence::default(), values }
    }

    /// Sets the text of a `text` or `json` column.
    ///
    /// # Errors
    /// As for every setter: the column has another type, or the row is not after the last one. The
    /// column is then unchanged.
    pub(crate) fn set_text(&mut self, row: u32, value: &str) -> Result<(), BufferError> {
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

    /// Sets the text of a `text` column to an id, whose characters are known to be ASCII.
    ///
    /// # Errors
    /// See [`Self::set_text`].
    pub(crate) fn set_ascii(&mut self, row: u32, value: &[u8]) -> Result<(), BufferError> {
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

    /// Sets the text of a `text` column to the last one that was set, which is cheaper than another
    /// lookup. Returns `false` and sets nothing if there is none.
    ///
    /// # Errors
    /// See [`Self::set_text`].
    pub(crate) fn repeat_text(&mut self, row: u32) -> Result<bool, BufferError> {
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
    pub(crate) fn set_bytes(&mut self, row: u32, value: &[u8]) -> Result<(), BufferError> {
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
    pub(crate) fn set_int(&mut self, row: u32, value: i64) -> Result<(), BufferError> {
        self.set_fixed(row, NumberLayout::Int, value.to_le_bytes())
    }

    /// Sets the number of a `double` column; NaN and the infinities are kept.
    ///
    /// # Errors
    /// See [`Self::set_text`].
    pub(crate) fn set_double(&mut self, row: u32, value: f64) -> Result<(), BufferError> {
        self.set_fixed(row, NumberLayout::Double, value.to_le_bytes())
    }

    /// Sets the value of a `bool` column.
    ///
    /// # Errors
    /// See [`Self::set_text`].
    pub(crate) fn set_bool(&mut self, row: u32, value: bool) -> Result<(), BufferError> {
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

    /// Sets the value of a `timestamp` column, in microseconds since 1970 (UTC, or local time
    /// without a time zone), or of a `time` column, in microseconds since midnight.
    ///
    /// # Errors
    /// See [`Self::set_text`].
    pub(crate) fn set_micros(&mut self, row: u32, value: i64) -> Result<(), BufferError> {
        match self.kind.is_fine() {
            true => self.set_nanos(row, i128::from(value) * 1000),
            false => self.set_fixed(row, NumberLayout::Micros, value.to_le_bytes()),
        }
    }

    /// Sets the value of a column of more than six fractional digits, in nanoseconds.
    ///
    /// # Errors
    /// See [`Self::set_text`].
    pub(crate) fn set_nanos(&mut self, row: u32, value: i128) -> Result<(), BufferError> {
        match self.kind.is_fine() {
            true => self.set_fixed(row, NumberLayout::Wide, value.to_be_bytes()),
            false => Err(BufferError::Kind),
        }
    }

    /// Sets the value of a `date` column, in days since 1970-01-01.
    ///
    /// # Errors
    /// See [`Self::set_text`].
    pub(crate) fn set_days(&mut self, row: u32, value: i32) -> Result<(), BufferError> {
        self.set_fixed(row, NumberLayout::Days, value.to_le_bytes())
    }

    /// Sets the value of a column of decimals, in units of its last digit (1.5 with a scale of two
    /// is 150).
    ///
    /// # Errors
    /// See [`Self::set_text`]; also a value with more digits than the column's precision.
    pub(crate) fn set_decimal(&mut self, row: u32, value: i128) -> Result<(), BufferError> {
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

    /// The integers of a column of integers or decimals (in units of the last digit) with their rows; empty
    /// for other columns.
    pub(crate) fn integers(&self) -> Vec<(u32, i128)> {
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
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The last row that was set.
    pub(crate) fn last_row(&self) -> Option<u32> {
        self.present.last()
    }

    /// The number of rows that were set.
    pub(crate) fn count(&self) -> u32 {
        self.present.count()
    }

    /// Returns `true` if no row was set.
    pub(crate) fn is_empty(&self) -> bool {
        self.present.count() == 0
    }

    /// Looks up the pending strings, so that [`Self::values`] can be read. Cheap if there are none.
    pub(crate) fn flush_pending(&mut self) {
        if let BufferValues::Bytes(strings) | BufferValues::Texts(strings) = &mut self.values {
            strings.flush_pending();
        }
    }

    /// The memory of its values, in bytes. Cheap.
    pub(crate) fn bytes(&self) -> usize {
        let values = match &self.values {
            BufferValues::Bools(bits) => bits.words().len() * 8,
            BufferValues::Fixed { bytes, .. } => bytes.len(),
            BufferValues::Bytes(strings) | BufferValues::Texts(strings) => strings.bytes(),
        };
        values + self.present.words().len() * 8
    }

    /// The memory of mostly-unique strings, in bytes.
    pub(crate) fn unique_bytes(&self) -> usize {
        match &self.values {
            BufferValues::Bytes(strings) | BufferValues::Texts(strings) => strings.unique_bytes(),
            BufferValues::Bools(_) | BufferValues::Fixed { .. } => 0,
        }
    }

    /// Drops all rows from `rows` on: those of a rejected record. The cost is that of the dropped
    /// values.
    pub(crate) fn truncate(&mut self, rows: u32) {
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

    /// The length of the longest string or binary in bytes, or 0 if none is longer than `over`.
    /// There must be no pending strings.
    pub(crate) fn longest(&self, over: u64) -> u64 {
        match &self.values {
            BufferValues::Bytes(strings) | BufferValues::Texts(strings) => {
                strings.longest(usize::try_from(over).unwrap_or(usize::MAX)) as u64
            }
            BufferValues::Bools(_) | BufferValues::Fixed { .. } => 0,
        }
    }

    /// Clears all rows after a flush. Keeps the memory that the next batch is likely to need.
    pub(crate) fn clear(&mut self) {
        self.present.clear();
        match &mut self.values {
            BufferValues::Bools(bits) => bits.clear(),
            BufferValues::Fixed { bytes, .. } => recycle(bytes),
            BufferValues::Bytes(strings) | BufferValues::Texts(strings) => strings.clear(),
        }
    }

    /// The rows that have a value.
    pub(crate) fn present(&self) -> &Presence {
        &self.present
    }

    /// The values, in the order of their rows.
    ///
    /// # Errors
    /// If strings are pending.
    pub(crate) fn values(&self) -> Result<&BufferValues, BufferError> {
        match &self.values {
            BufferValues::Bytes(strings) | BufferValues::Texts(strings)
                if strings.has_pending() =>
            {
                Err(BufferError::Pending)
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

/// The values of a column, in one of these layouts.
#[derive(Clone, Debug)]
pub(crate) enum BufferValues {
    /// Parquet's PLAIN layout of BOOLEAN.
    Bools(Bits),
    /// Any bytes.
    Bytes(Strings),
    /// Parquet's PLAIN layout of numbers.
    Fixed {
        /// The meaning of the numbers.
        role: NumberLayout,
        /// The numbers, concatenated.
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

/// The meaning of the numbers of a column.
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
    /// The number of bytes per value.
    pub(crate) const fn width(self) -> usize {
        match self {
            Self::Days => 4,
            Self::Double | Self::Int | Self::Micros | Self::Narrow => 8,
            Self::Wide => 16,
        }
    }
}

/// Returns `true` if decimals of that type are stored in 64 bits.
pub(crate) fn is_narrow(kind: Kind) -> bool {
    kind.decimal().0 <= NARROW_DIGITS
}
