//! Statements about job services in containers.

use super::{literal, quote};

/// Selects the last lines of the log of a container of a job service with one instance.
/// Source: Snowflake documentation, "SYSTEM$GET_SERVICE_LOGS".
pub(crate) fn select_log(service: &[String], container: &str, lines: u32) -> String {
    let name = service.iter().map(|part| quote(part)).collect::<Vec<_>>().join(".");
    format!(
        "SELECT SYSTEM$GET_SERVICE_LOGS({}, '0', {}, {lines})",
        literal(&name),
        literal(container)
    )
}

/// Shows the job services of a schema.
/// Source: Snowflake documentation, "SHOW SERVICES".
pub(crate) fn show_job_services(database: &str, schema: &str) -> String {
    format!("SHOW JOB SERVICES IN SCHEMA {}.{}", quote(database), quote(schema))
}

/// The columns of [`show_job_services`] with the name and the status.
pub(crate) const SHOWN: [usize; 2] = [0, 1];
