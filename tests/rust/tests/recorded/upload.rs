//! Files for a stage, through our client.

use snowcat_host::snowflake::{Session, SnowflakeError};

/// The path of the file in the statement of an upload.
pub(crate) const FILE: &str = "/snowcat/x";

/// Uploads one small file.
pub(crate) fn put(session: &mut Session, stage: &str) -> Result<(), SnowflakeError> {
    let put = format!("PUT 'file://{FILE}' {stage}/x AUTO_COMPRESS=FALSE OVERWRITE=TRUE");
    session.execute(&put).map(|_| ())
}
