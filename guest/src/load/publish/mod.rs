//! From staged files to the tables people read.

pub(crate) mod commit;
mod ddl;
mod keyed;
pub(crate) mod lock;
mod merge;
mod scd2;
pub(crate) mod transaction;
