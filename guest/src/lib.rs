//! The core of Snowcat: nested JSON in, relational tables and Snowflake SQL out.
//!
//! It never does I/O. A [`load`] says what it needs as a [`step`], its host does it and answers; the
//! interface is `wit/loads.wit`, and [`component`] is the thin layer that speaks it in WebAssembly.
//! Everything else here is an ordinary library, and is tested as one.
//!
//! Dependencies point one way:
//! `component -> doctor -> load -> {source, shred, schema, sql, parquet, state} -> {kind, name, ...}`.

pub mod columnar;
pub mod dlt;
pub mod doctor;
pub mod fault;
pub mod job;
pub mod json;
pub mod load;
pub mod protocol;
pub mod shred;
pub mod sources;
pub mod sql;

#[cfg(target_family = "wasm")]
mod component;
