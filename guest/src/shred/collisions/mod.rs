//! Keys with the same name: `userId` and `user_id`, `# of items` and `% of items`, 名前 and 住所.
//!
//! A name belongs to one key of a table: the first with a value. If several keys of the first such
//! record have the name, it belongs to the one whose value dlt would keep. dlt overwrites values,
//! and visits an object's own values first and then the objects in it, in reverse order. Every
//! other key has a separate column, named by its path, with a warning: nothing is lost, and no
//! column mixes the values of two keys. The same holds for lists and their tables, where the first
//! list with elements owns the name.
//!
//! The schema stores the key of such columns and tables in the hint [`KEY_HINT`], and that of a
//! name that says little of its key (`__of_items`, `x`), so that later loads decide in the same
//! way. Other names have no hint: their schemas are dlt's.
//!
//! Without a collision this costs nothing, because each key of an object is resolved to its column
//! once. If two keys of one row have a name that no record had before, the walk restarts, and the
//! values of such names wait for the end of their row.

mod columns;
mod lists;
mod occupied;
mod own_name;
mod weigh;

pub(super) use columns::{new_column, other_key};
pub(super) use lists::own_table_of;
pub(super) use occupied::put_into_occupied;
pub(super) use weigh::weigh_held;

/// The hint of a column or table with the key of its values: the path from the row, or from the
/// record.
pub(crate) const KEY_HINT: &str = "x-snowcat-key";
