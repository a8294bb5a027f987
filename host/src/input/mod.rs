//! The input of a load that is not HTTP: files, where they are, and how they become pages.

pub mod buckets;
mod columns;
pub mod files;
mod pages;

pub(crate) use self::columns::ParquetRows;
pub(crate) use self::pages::MARK;
pub use self::pages::{PAGE, Pages};
