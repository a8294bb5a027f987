//! The core of Snowcat: nested JSON in, relational tables and Snowflake SQL out.
//!
//! It never does I/O. A [`load`] says what it needs as a [`step`], its host does it and answers; the
//! interface is `wit/loads.wit`, and [`component`] is the thin layer that speaks it in WebAssembly.
//! Everything else here is an ordinary library, and is tested as one.
//!
//! Dependencies point one way:
//! `component -> doctor -> load -> {source, shred, schema, sql, parquet, state} -> {kind, name, ...}`.

pub mod approved;
pub mod batch;
pub mod canonical;
pub mod cells;
pub mod coerce;
pub mod datetime;
pub mod digest;
pub mod doctor;
pub mod fault;
pub mod frame;
pub mod job;
pub mod json;
pub mod kind;
pub mod load;
pub mod name;
pub mod page;
pub mod parquet;
mod python;
pub mod schema;
pub mod shred;
pub mod source;
pub mod sql;
pub mod state;
pub mod step;

#[cfg(target_family = "wasm")]
mod component;
