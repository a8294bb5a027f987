//! The errors of Snowflake.

use std::fmt;

use crate::interface::Failure;

/// The kind of an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The connection's parameters are incomplete or not valid, or the server's certificate is not
    /// valid. No statement was sent.
    Connection,
    /// The server rejected the login.
    Login,
    /// The server ran the statement, which failed.
    Statement,
    /// The session ended, and with it an open transaction, before the statement was executed.
    SessionLost,
    /// The server was not reached or was busy, after all attempts. The statement was not executed.
    Unavailable,
    /// No answer arrived, after all attempts: the statement may have been executed.
    OutcomeUnknown,
    /// No answer arrived, after all attempts. The statement only reads, or its transaction was not
    /// committed.
    NoAnswer,
    /// The server's answer does not conform to the protocol.
    Answer,
}

/// An error of Snowflake, or of the connection to it. It contains no secret.
///
/// ```
/// use snowcat_host::snowflake::{Connection, ErrorKind, Session};
///
/// // Nothing listens on this port.
/// let parameters = [
///     ("account", "acme"), ("host", "127.0.0.1"), ("port", "1"), ("protocol", "http"),
///     ("user", "loader"), ("password", "hunter2"),
/// ];
/// let connection = Connection::of(parameters)?.attempts(1);
/// let error = Session::open(&connection).err().ok_or("expected an error")?;
/// assert_eq!(error.kind(), ErrorKind::Unavailable);
/// assert!(!error.to_string().contains("hunter2"), "{error}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SnowflakeError {
    kind: ErrorKind,
    code: String,
    sqlstate: Option<String>,
    query_id: Option<String>,
    message: String,
}

impl SnowflakeError {
    pub(super) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, code: String::new(), sqlstate: None, query_id: None, message: message.into() }
    }

    /// An answer that does not conform to the protocol.
    pub(super) fn answer(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Answer, message)
    }

    pub(super) fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = code.into();
        self
    }

    pub(super) fn with_sqlstate(mut self, sqlstate: Option<String>) -> Self {
        self.sqlstate = sqlstate;
        self
    }

    pub(super) fn with_query_id(mut self, query_id: Option<String>) -> Self {
        self.query_id = query_id.or(self.query_id);
        self
    }

    pub(super) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    pub(super) fn with_message(mut self, message: String) -> Self {
        self.message = message;
        self
    }

    /// The same, with the operation before the message.
    pub(super) fn during(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// Returns the kind of the error.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the server's error number, or the HTTP status, without leading zeros. Empty if there is none.
    #[must_use]
    pub fn code(&self) -> &str {
        self.code.trim_start_matches('0')
    }

    /// Returns the SQLSTATE, if the server sent one.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        self.sqlstate.as_deref()
    }

    /// Returns the id of the statement in the account's query history, if the server sent one.
    #[must_use]
    pub fn query_id(&self) -> Option<&str> {
        self.query_id.as_deref()
    }

    /// Returns the server's message, without the number and the ids.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns `true` if the statement had no effect and another attempt may succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self.kind {
            ErrorKind::SessionLost | ErrorKind::Unavailable => true,
            // A lock was not granted.
            ErrorKind::Statement => self.code() == "625",
            ErrorKind::Answer
            | ErrorKind::Connection
            | ErrorKind::Login
            | ErrorKind::NoAnswer
            | ErrorKind::OutcomeUnknown => false,
        }
    }
}

impl fmt::Display for SnowflakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.sqlstate.as_ref().map(|state| format!("SQLSTATE {state}"));
        let id = self.query_id.as_ref().map(|id| format!("query {id}"));
        let facts: Vec<String> = state.into_iter().chain(id).collect();
        match self.code.as_str() {
            "" => {}
            code => write!(f, "{code}: ")?,
        }
        f.write_str(&self.message)?;
        match facts.as_slice() {
            [] => Ok(()),
            facts => write!(f, " ({})", facts.join(", ")),
        }
    }
}

impl std::error::Error for SnowflakeError {}

impl From<SnowflakeError> for Failure {
    fn from(error: SnowflakeError) -> Self {
        let (code, transient) = (error.code().to_owned(), error.is_transient());
        let message = match &error.query_id {
            Some(id) if error.kind != ErrorKind::Statement => {
                format!("{} (query {id})", error.message)
            }
            _ => error.message,
        };
        Self { code, message, transient }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_code_state_and_query() {
        let check = |error: SnowflakeError, shown: &str| assert_eq!(error.to_string(), shown);
        let plain = SnowflakeError::new(ErrorKind::Statement, "no such table");
        check(plain.clone(), "no such table");
        let whole = plain
            .with_code("002003")
            .with_sqlstate(Some("42S02".to_owned()))
            .with_query_id(Some("01".to_owned()));
        assert_eq!(whole.code(), "2003");
        check(whole, "002003: no such table (SQLSTATE 42S02, query 01)");
    }

    #[test]
    fn only_what_had_no_effect_is_transient() {
        let check = |kind, code: &str, expected| {
            let error = SnowflakeError::new(kind, "").with_code(code);
            assert_eq!(Failure::from(error).transient, expected, "{kind:?} {code}");
        };
        check(ErrorKind::Statement, "000625", true);
        check(ErrorKind::Statement, "002003", false);
        check(ErrorKind::SessionLost, "390114", true);
        check(ErrorKind::Unavailable, "503", true);
        check(ErrorKind::OutcomeUnknown, "503", false);
        check(ErrorKind::NoAnswer, "", false);
        check(ErrorKind::Login, "390100", false);
        check(ErrorKind::Connection, "", false);
        check(ErrorKind::Answer, "", false);
    }
}
