//! Input of a load other than HTTP: files, their locations, and their conversion to pages.

pub mod buckets;
mod columns;
pub mod files;
mod pages;

pub(crate) use self::columns::ParquetRows;
pub(crate) use self::pages::MARK;
pub use self::pages::{PAGE, Pages};
