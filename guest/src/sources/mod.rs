//! Where records come from: REST APIs, and files by their format.

pub mod formats;
pub mod rest;
