//! Batches to Parquet: one file that grows in memory, a row group a batch. Snappy, data pages v1.
//!
//! The only module that names arrow2, parquet2, snap and the Parquet format. The pages are made here, from
//! columns that hold them nearly ready (arrow2's encoder would want every sparse column padded with
//! its nulls first), and so is the footer: row groups are kept as the bytes they will be there.
//! Parquet2's writer keeps most of a kilobyte of structures for each column of each row group, more
//! than the data of a sparse column takes; neither does it write the column orders without which a
//! reader must ignore the statistics.

mod file;
mod footer;
mod page;
mod rle;
mod schema;
mod thrift;

#[cfg(test)]
mod tests;

pub(crate) use self::file::{PageEncoder, ParquetFile};
pub(crate) use self::schema::FileColumn;
