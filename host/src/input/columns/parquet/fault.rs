//! The errors of invalid Parquet.

use std::io;

use parquet::errors::ParquetError;

use super::super::fault::invalid;

#[cold]
pub(super) fn unreadable(error: ParquetError) -> io::Error {
    invalid(&error.to_string())
}

#[cold]
pub(super) fn damaged() -> io::Error {
    invalid("the Parquet is damaged")
}
