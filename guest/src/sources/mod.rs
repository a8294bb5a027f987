//! The sources of records: REST APIs, and files by their format; and what is done with each record
//! before it is loaded, by processing steps and the cursor.

pub mod formats;
pub mod incremental;
pub mod process;
pub mod rest;
