//! Keys that become one name: `userId` and `user_id`, `# of items` and `% of items`, 名前 and 住所.
//!
//! A name belongs to one key of a table, the first that brings a value for it. If several keys of the
//! record that is the first with it do, it belongs to the one whose value dlt would keep: dlt writes them one
//! over the other, and visits an object's own values first, then the objects in it, the last one first.
//! Every other key has a column of its own, named for its path, with a warning: nothing is lost, and
//! no column holds the values of two keys. The same holds for lists and their tables, where the first
//! list with elements has the name.
//!
//! The schema stores the key of such columns and tables in the hint [`KEY_HINT`], and that of a name
//! which says little of its key (`__of_items`, `x`), so that later loads decide likewise. Other names have
//! no hint: their schemas are dlt's.
//!
//! It costs nothing without a collision, for the key of an object is resolved to its column once. When two keys of
//! one row have a name that no record had before, the record is walked again, and the values of such names
//! wait for the end of their row.

mod columns;
mod lists;
mod occupied;
mod own_name;
mod weigh;

pub(super) use columns::{new_column, other_key};
pub(super) use lists::own_table_of;
pub(super) use occupied::put_into_occupied;
pub(super) use weigh::weigh_held;

/// The hint of a column, or of a table, that holds the key of its values: the keys from the row,
/// or from the record.
pub(crate) const KEY_HINT: &str = "x-snowcat-key";
