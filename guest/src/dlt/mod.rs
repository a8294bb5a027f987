//! What dlt does, ported: names, types, coercion, hashes, the stored schema and the stored state.

pub(crate) mod coerce;
pub(crate) mod datetime;
pub(crate) mod hash;
pub(crate) mod merge_strategy;
pub(crate) mod naming;
pub(crate) mod orjson;
pub(crate) mod python;
pub(crate) mod schema;
pub(crate) mod state;
pub(crate) mod types;
