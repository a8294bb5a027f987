//! The statement that reads an approved job.

use super::{literal, quote};

/// Reads the jobs of this name from the table: its name has a row at most, and two rows show that it has more.
pub fn select(table: &[String], name: &str) -> String {
    let table = table.iter().map(|part| quote(part)).collect::<Vec<_>>().join(".");
    format!("SELECT JOB::VARCHAR FROM {table} WHERE NAME = {} LIMIT 2", literal(name))
}
