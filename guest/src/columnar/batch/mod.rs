//! Typed column buffers. Values are stored densely (only those that are set) in the layout Parquet
//! wants, so that writing a page is copying bytes; which rows have one is a bitmap. A sparse column
//! costs nothing for the rows that lack it: hundreds of columns of which a record has ten are the
//! ordinary case for nested data.
//!
//! Nothing here knows Parquet beyond the layout of its values.

mod buffer;
mod bytes;
mod error;
mod presence;
mod strings;

#[cfg(test)]
mod tests;

pub(crate) use self::buffer::{BufferValues, ColumnBuffer, NumberLayout, is_narrow};
pub(crate) use self::error::BufferError;
pub(crate) use self::presence::Bits;
pub(crate) use self::strings::{Strings, index_width};
