//! Batches to Parquet: one file that is built in memory, with one row group per batch. Snappy or
//! gzip, data pages v1.
//!
//! The only module that uses arrow2, parquet2, snap and the Parquet format. Pages are encoded here,
//! from columns that have almost the final layout (arrow2's encoder would need every sparse column
//! padded with nulls first). The footer is encoded here, too, and row groups are stored as the
//! bytes of their footer entries: parquet2's writer keeps almost a kilobyte of structures for each
//! column of each row group, more than the data of a sparse column, and does not write the column
//! orders without which a reader must ignore the statistics.

mod file;
mod footer;
mod page;
mod rle;
mod schema;
mod thrift;

#[cfg(test)]
mod tests;

pub(crate) use self::file::{PageCompression, PageEncoder, ParquetFile};
pub(crate) use self::schema::FileColumn;
