//! The errors of column buffers.

use std::fmt;

use crate::fault::Fault;

/// The reason why a column buffer rejected a value or a read. Each is a defect of the caller, never
/// of the input.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BufferError {
    /// The strings of a batch need more than 4 GiB.
    Full,
    /// The value is of another type than the column.
    Kind,
    /// The row is not after the last one that was set.
    Order,
    /// The value has more digits than the column's precision.
    Range,
    /// The values were read while strings are pending.
    Pending,
}

impl fmt::Display for BufferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "expected at most 4 GiB of text in a batch, found more",
            Self::Kind => "expected a value of the column's type, found one of another type",
            Self::Order => "expected a row after the last one that was set, found an earlier one",
            Self::Range => "expected a decimal within the column's precision, found more digits",
            Self::Pending => "expected no pending strings, found some",
        })
    }
}

impl std::error::Error for BufferError {}

impl From<BufferError> for Fault {
    fn from(error: BufferError) -> Self {
        Self::internal(error)
    }
}
