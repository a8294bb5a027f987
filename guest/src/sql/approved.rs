//! The statement that reads an approved job.

use super::{literal, quote};

/// Selects the jobs with this name from the table. LIMIT 2 shows whether the name is ambiguous.
pub(crate) fn select(table: &[String], name: &str) -> String {
    let table = table.iter().map(|part| quote(part)).collect::<Vec<_>>().join(".");
    format!("SELECT JOB::VARCHAR FROM {table} WHERE NAME = {} LIMIT 2", literal(name))
}
