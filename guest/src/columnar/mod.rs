//! Columns in memory: batches of rows, the Parquet files they become, and typed cells that the host sends.

pub(crate) mod batch;
pub(crate) mod cells;
pub(crate) mod parquet;
