//! A session: statements one after the other, in one transaction or in none.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use ureq::http::Method;

use super::answer::Answer;
use super::attempts::Attempts;
use super::connection::Connection;
use super::effect::Effect;
use super::error::{ErrorKind, SnowflakeError};
use super::heartbeat::Heartbeat;
use super::query::{self, Running};
use super::tokens::Tokens;
use super::wire::Call;

/// The time for a log-out or an abort.
const PARTING: Duration = Duration::from_secs(5);

/// A session with Snowflake. It is closed when it is dropped.
///
/// ```no_run
/// use snowcat_host::snowflake::{Connection, Session, SnowflakeError};
///
/// # fn main() -> Result<(), SnowflakeError> {
/// let connection =
///     Connection::of([("account", "acme-prod"), ("user", "loader"), ("password", "hunter2")])?;
/// let mut session = Session::open(&connection)?;
/// let answer = session.execute("SELECT CURRENT_VERSION()")?;
/// println!("{:?}", answer.rows);
/// session.close()
/// # }
/// ```
pub struct Session {
    tokens: Arc<Tokens>,
    running: Arc<Running>,
    heartbeat: Option<Heartbeat>,
    /// `true` if a transaction is open, by the statements sent.
    transaction: bool,
    /// The last statement got no answer.
    unanswered: bool,
    open: bool,
}

impl Session {
    /// Logs in.
    ///
    /// # Errors
    /// If the service cannot be reached, or rejects the login.
    pub fn open(connection: &Connection) -> Result<Self, SnowflakeError> {
        let tokens = Tokens::open(connection)
            .map_err(|error| error.during(format_args!("login at {}", connection.address())))?;
        let tokens = Arc::new(tokens);
        let mut session = Self {
            tokens: Arc::clone(&tokens),
            running: Arc::default(),
            heartbeat: None,
            transaction: false,
            unanswered: false,
            open: true,
        };
        session.heartbeat = Some(Heartbeat::start(&tokens)?);
        Ok(session)
    }

    /// Runs one statement. It is executed at most once, however often it is sent.
    ///
    /// After a statement without an answer the next one is sent once only: a load that fails because
    /// the service does not answer does not repeat its ROLLBACK for a minute.
    ///
    /// A session that is lost outside of a transaction is replaced by a new one, in which the
    /// statement runs.
    ///
    /// # Errors
    /// If the statement fails, or if there is no answer: [`SnowflakeError::kind`] shows if it may
    /// have been executed.
    pub fn execute(&mut self, statement: &str) -> Result<Answer, SnowflakeError> {
        self.run(statement, query::execute)
    }

    /// Runs a PUT, and returns the answer of the service: the location for the upload, with
    /// credentials.
    ///
    /// # Errors
    /// Those of [`Self::execute`].
    pub fn upload_info(&mut self, statement: &str) -> Result<Value, SnowflakeError> {
        self.run(statement, query::run)
    }

    /// Returns a handle with which another thread aborts the running statement.
    #[must_use]
    pub fn aborter(&self) -> Aborter {
        Aborter { tokens: Arc::clone(&self.tokens), running: Arc::clone(&self.running) }
    }

    /// Returns `true` if a transaction is open, by the statements sent.
    #[must_use]
    pub const fn in_transaction(&self) -> bool {
        self.transaction
    }

    /// Logs out, within 5 seconds. The service rolls back an open transaction.
    ///
    /// # Errors
    /// If the service did not confirm it. The session then ends after some idle hours.
    pub fn close(mut self) -> Result<(), SnowflakeError> {
        self.log_out()
    }

    fn run<T>(
        &mut self,
        statement: &str,
        run: impl Fn(&Tokens, &Running, &str, Attempts) -> Result<T, SnowflakeError>,
    ) -> Result<T, SnowflakeError> {
        let effect = Effect::of(statement);
        let attempts = if self.unanswered { Attempts::single() } else { Attempts::default() };
        let mut result = run(&self.tokens, &self.running, statement, attempts);
        if lost(&result) {
            // A new session has no transaction, so a rollback is not needed.
            let alone = !self.transaction || effect == Effect::Rollback;
            self.transaction = false;
            if !alone {
                return result;
            }
            self.tokens.replace()?;
            result = run(&self.tokens, &self.running, statement, Attempts::default());
        }
        self.unanswered = result.as_ref().is_err_and(|error| {
            matches!(error.kind(), ErrorKind::OutcomeUnknown | ErrorKind::Unavailable)
        });
        match (&result, effect) {
            (Ok(_), Effect::Begin) => self.transaction = true,
            // A definition that failed may have left the transaction open.
            (Ok(_), Effect::Commit | Effect::Define | Effect::Rollback) => self.transaction = false,
            _ => {}
        }
        result.map_err(|error| self.weighed(error, effect))
    }

    /// The same error, if a lost answer has no permanent effect.
    fn weighed(&self, error: SnowflakeError, effect: Effect) -> SnowflakeError {
        let lost = error.kind() == ErrorKind::OutcomeUnknown;
        let lasts = match effect {
            Effect::Read | Effect::Begin | Effect::Rollback => false,
            Effect::Commit | Effect::Define => true,
            Effect::Change => !self.transaction,
        };
        if lost && !lasts { error.with_kind(ErrorKind::NoAnswer) } else { error }
    }

    fn log_out(&mut self) -> Result<(), SnowflakeError> {
        self.open = false;
        self.heartbeat = None;
        let token = self.tokens.session();
        let query = [("delete", "true".to_owned())];
        let call =
            Call { query: &query, token: Some(&token), ..Call::new(Method::POST, "/session") };
        let answer = self.tokens.wire.call::<Value>(&call, &mut Attempts::within(PARTING))?;
        if answer.success { Ok(()) } else { Err(answer.error(ErrorKind::Answer)) }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.open {
            // There is no caller to return an error to. The service ends an idle session.
            _ = self.log_out();
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("transaction", &self.transaction).finish_non_exhaustive()
    }
}

/// Aborts the statement of a session, from another thread.
#[derive(Clone)]
pub struct Aborter {
    tokens: Arc<Tokens>,
    running: Arc<Running>,
}

impl Aborter {
    /// Aborts the running statement, if there is one. It then fails with the code 604.
    ///
    /// # Errors
    /// If the service does not confirm it within 5 seconds.
    pub fn abort(&self) -> Result<(), SnowflakeError> {
        match self.running.id() {
            Some(id) => query::abort(&self.tokens, &id, PARTING),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Aborter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Aborter")
    }
}

fn lost<T>(result: &Result<T, SnowflakeError>) -> bool {
    result.as_ref().is_err_and(|error| error.kind() == ErrorKind::SessionLost)
}
