//! The sources of records: REST APIs, and files by their format; and what is done with each record
//! before it is loaded, by processing steps and the cursor.

pub(crate) mod formats;
pub(crate) mod incremental;
pub(crate) mod process;
pub(crate) mod rest;
