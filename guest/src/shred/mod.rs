//! Documents to rows: one walk over each record, straight into typed columns of a family of tables.
//!
//! The tables are dlt's (`common/normalizers/json/relational.py`): objects are flattened into their
//! row, lists become child tables, every row has an id that its children refer to. dlt builds the record, a flat copy of
//! it and a list of rows; here nothing is built. Each key of each object is resolved once, to a column, a nested object
//! or a child table (`mapping`), and looked up by comparing bytes from then on.
//!
//! A record that needs another look (it repeats a key, or brings its own row id) is undone and walked again
//! (`restart`). A rejected record is undone: nothing of it remains.
//!
//! From the top down: `family` is what the load uses. It starts a `walk` for each record, which asks `mapping`
//! where a value goes and puts it into a `table`. `collisions`, `collapse` and `discard` are what happens
//! where several keys have one name, where there are too many keys, and where a `contract` forbids new ones.

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
