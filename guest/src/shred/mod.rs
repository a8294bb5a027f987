//! Documents to rows: one walk over each record, straight into typed columns of a family of tables.
//!
//! The tables are dlt's (`common/normalizers/json/relational.py`): objects are flattened into their
//! row, lists become nested tables, and every row has an id that its nested rows refer to. dlt
//! builds the record, a flat copy of it and a list of rows; here nothing is built. Each key of each
//! object is resolved once, to a column, a nested object or a nested table (`mapping`), and is
//! found by comparing bytes from then on.
//!
//! The walk over a record restarts if it repeats a key or contains its own row id (`restart`);
//! before that, its rows are undone. A rejected record is undone completely.
//!
//! From the top down: `family` is the interface for the load. It starts a `walk` for each record,
//! which asks `mapping` for the target of each value and puts it into a `table`. `collisions`
//! handles keys that share a name, `collapse` too many keys, and `discard` what a `contract` does
//! not allow.

mod arena;
mod collapse;
mod collisions;
mod contract;
mod discard;
mod family;
mod held;
mod layout;
mod limits;
mod mapping;
mod notices;
mod options;
mod origin;
mod owners;
mod restart;
mod row;
mod row_id;
mod table;
mod tables;
mod walk;

#[cfg(test)]
mod tests;

pub(crate) use arena::TableId;
pub(crate) use collisions::KEY_HINT;
pub(crate) use contract::TableContract;
pub(crate) use family::Family;
pub(crate) use family::cells::CellTargets;
pub(crate) use options::{NestedRoot, Preferred, RootId, RootKey, SEQ, Sequence, ShredOptions};
pub(crate) use table::{KnownColumn, SeenColumn, ShredTable};
