//! Columns in memory: batches of rows, the files they become, and typed cells that the host sends.

pub(crate) mod batch;
pub(crate) mod cells;
pub(crate) mod gzip;
pub(crate) mod parquet;
pub(crate) mod text;
