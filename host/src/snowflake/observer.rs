//! The observer of a session: statements with the ids of the service, uploads, and what was repeated.

use std::time::Duration;

use super::error::SnowflakeError;
use crate::stage::UploadEvent;

/// An observer of a session and its uploads. Several threads call it, and wait for it.
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// use snowcat_host::snowflake::{Connection, SessionEvent, SessionObserver};
///
/// #[derive(Default)]
/// struct QueryIds(Mutex<Vec<String>>);
///
/// impl SessionObserver for QueryIds {
///     fn event(&self, event: &SessionEvent<'_>) {
///         if let SessionEvent::Statement(statement) = event
///             && let (Some(id), Ok(mut ids)) = (statement.query_id, self.0.lock())
///         {
///             ids.push(id.to_owned());
///         }
///     }
/// }
///
/// let user = [("account", "acme"), ("user", "loader"), ("password", "hunter2")];
/// let ids = Arc::new(QueryIds::default());
/// let connection = Connection::of(user)?.observed_by(ids.clone());
/// # Ok::<(), snowcat_host::snowflake::SnowflakeError>(())
/// ```
pub trait SessionObserver: Send + Sync {
    /// Called after each event.
    fn event(&self, event: &SessionEvent<'_>);
}

/// An event of a session. None has a secret.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum SessionEvent<'a> {
    /// A statement ended.
    Statement(StatementEvent<'a>),
    /// Something happened to an upload.
    Upload(UploadEvent<'a>),
    /// A request to the service failed, and is sent again.
    Retry {
        /// The reason.
        reason: &'a str,
        /// The time before it is sent.
        wait: Duration,
    },
    /// The session's token had expired and was renewed.
    Renewed,
}

/// A statement that ended.
#[derive(Clone, Copy, Debug)]
pub struct StatementEvent<'a> {
    /// Its text.
    pub sql: &'a str,
    /// Its first word in small letters, if it is one that loads use; else `other`.
    pub kind: &'static str,
    /// The id in the account's query history. `None` if no answer arrived.
    pub query_id: Option<&'a str>,
    /// The number of rows that it changed or returned.
    pub rows: Option<u64>,
    /// The time until its answer.
    pub time: Duration,
    /// Why it failed.
    pub error: Option<&'a SnowflakeError>,
}

/// The kinds of statements.
const KINDS: [&str; 17] = [
    "alter", "begin", "commit", "copy", "create", "delete", "desc", "describe", "drop", "insert",
    "list", "merge", "put", "rollback", "select", "show", "update",
];

/// Returns `true` if the rows of a statement's answer are data. Other answers have a row with a message.
pub(super) fn returns_rows(sql: &str) -> bool {
    matches!(kind(sql), "desc" | "describe" | "list" | "select" | "show")
}

/// Returns the kind of a statement.
pub(super) fn kind(sql: &str) -> &'static str {
    let word = sql.split_whitespace().next().unwrap_or_default();
    let word = word.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    KINDS.into_iter().find(|kind| kind.eq_ignore_ascii_case(word)).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_the_first_word() {
        let check = |sql: &str, expected: &str| assert_eq!(kind(sql), expected, "{sql}");
        check("COPY INTO T", "copy");
        check(" begin TRANSACTION", "begin");
        check("COMMIT;", "commit");
        check("TRUNCATE TABLE T", "other");
        check("SELECTED", "other");
        check("", "other");
    }
}
