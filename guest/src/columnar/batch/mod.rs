//! Typed column buffers. Values are stored densely (only those that are set) in Parquet's layout,
//! so that writing a page copies bytes; a bitmap has the rows with a value. A sparse column costs
//! nothing for the rows that lack it: nested data often has hundreds of columns of which a record
//! sets ten.
//!
//! Of Parquet, this module knows only the layout of values.

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
