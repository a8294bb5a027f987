//! Where records come from: REST APIs, and files by their format; and what becomes of a record of either
//! before it is loaded, its processing steps and its cursor.

pub mod formats;
pub mod incremental;
pub mod process;
pub mod rest;
