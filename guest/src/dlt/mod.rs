//! What dlt does, ported: names, types, coercion, hashes, the stored schema and the stored state.

pub mod coerce;
pub mod datetime;
pub mod hash;
pub mod merge_strategy;
pub mod naming;
pub mod orjson;
pub(crate) mod python;
pub mod schema;
pub mod state;
pub mod types;
