//! Columns in memory: batches of rows, the Parquet files they become, and typed cells that the host sends.

pub mod batch;
pub mod cells;
pub mod parquet;
