//! A session: statements one after the other, in one transaction or in none.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::answer::Answer;
use super::attempts::Attempts;
use super::connection::Connection;
use super::effect::Effect;
use super::error::{ErrorKind, SnowflakeError};
use super::heartbeat::Heartbeat;
use super::observer::{SessionEvent, SessionObserver, StatementEvent, kind, returns_rows};
use super::query::{self, Running};
use super::tokens::Tokens;
use crate::stop::Stop;

/// The time for a log-out or an abort.
const PARTING: Duration = Duration::from_secs(5);
/// The time for a log-out after a stop, since the stop.
const AFTER_STOP: Duration = Duration::from_millis(4400);

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
        self.run(statement, query::execute, |answer| {
            let returned = || returns_rows(statement).then_some(answer.rows.len() as u64);
            (Some(answer.query_id.as_str()), answer.affected.or_else(returned))
        })
    }

    /// Runs a PUT, and returns the answer of the service: the location for the upload, with
    /// credentials.
    ///
    /// # Errors
    /// Those of [`Self::execute`].
    pub fn upload_info(&mut self, statement: &str) -> Result<Value, SnowflakeError> {
        self.run(statement, query::run, |data| (data["queryId"].as_str(), None))
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
        facts: impl Fn(&T) -> (Option<&str>, Option<u64>),
    ) -> Result<T, SnowflakeError> {
        let began = Instant::now();
        let result = self.run_in_session(statement, run);
        let error = result.as_ref().err();
        let (query_id, rows) = match &result {
            Ok(answer) => facts(answer),
            Err(error) => (error.query_id(), None),
        };
        let (kind, time) = (kind(statement), began.elapsed());
        let query_id = query_id.filter(|id| !id.is_empty());
        let event = StatementEvent { sql: statement, kind, query_id, rows, time, error };
        self.tokens.wire.pace.observe(&SessionEvent::Statement(event));
        result
    }

    fn run_in_session<T>(
        &mut self,
        statement: &str,
        run: impl Fn(&Tokens, &Running, &str, Attempts) -> Result<T, SnowflakeError>,
    ) -> Result<T, SnowflakeError> {
        let effect = Effect::of(statement);
        let pace = &self.tokens.wire.pace;
        let attempts = Attempts::of_statement(pace);
        let attempts = if self.unanswered { attempts.once() } else { attempts };
        let mut result = run(&self.tokens, &self.running, statement, attempts);
        if lost(&result) {
            // A new session has no transaction, so a rollback is not needed.
            let alone = !self.transaction || effect == Effect::Rollback;
            self.transaction = false;
            if !alone || self.tokens.is_closed() || pace.stopped().is_some() {
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
            (Ok(_), Effect::Commit | Effect::Define | Effect::DropStage | Effect::Rollback) => {
                self.transaction = false;
            }
            _ => {}
        }
        result.map_err(|error| self.weighed(error, effect))
    }

    /// The same error, if a lost answer has no permanent effect.
    fn weighed(&self, error: SnowflakeError, effect: Effect) -> SnowflakeError {
        let lost = error.kind() == ErrorKind::OutcomeUnknown;
        let lasts = match effect {
            Effect::Read | Effect::Begin | Effect::Rollback => false,
            Effect::Commit | Effect::Define | Effect::DropStage => true,
            Effect::Change => !self.transaction,
        };
        if lost && !lasts { error.with_kind(ErrorKind::NoAnswer) } else { error }
    }

    /// Logs out; the second time it does nothing.
    pub(super) fn log_out(&mut self) -> Result<(), SnowflakeError> {
        self.heartbeat = None;
        let time = match self.tokens.wire.pace.stopped() {
            Some(since) => AFTER_STOP.saturating_sub(since),
            None => PARTING,
        };
        self.tokens.close(time)
    }

    /// Returns the observer of the connection.
    pub(super) fn observer(&self) -> Option<&Arc<dyn SessionObserver>> {
        self.tokens.wire.pace.observer.as_ref()
    }

    /// Returns the stop of the connection.
    pub(super) fn stop(&self) -> Option<&Stop> {
        self.tokens.wire.pace.stop.as_ref()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // There is no caller to return an error to. The service ends an idle session.
        _ = self.log_out();
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("transaction", &self.transaction).finish_non_exhaustive()
    }
}

/// Aborts the statement of a session, and closes it, from another thread.
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
        match self.running.current() {
            Some((id, _)) => query::abort(&self.tokens, &id, PARTING),
            None => Ok(()),
        }
    }

    /// Closes the session while another thread waits for an answer in it, which then fails. The service aborts the
    /// running statement, and rolls back an open transaction.
    ///
    /// # Errors
    /// If the service does not confirm it within this time.
    pub fn close(&self, time: Duration) -> Result<(), SnowflakeError> {
        self.tokens.close(time)
    }

    /// Returns `true` if a COMMIT was sent and not answered yet.
    #[must_use]
    pub fn is_committing(&self) -> bool {
        self.running.current().is_some_and(|(_, effect)| effect == Effect::Commit)
    }

    /// Returns the id of the running statement, unless it is one that a stop waits for.
    pub(super) fn abortable(&self) -> Option<String> {
        let (id, effect) = self.running.current()?;
        (!effect.ends_a_load()).then_some(id)
    }

    /// Aborts the statement with this id.
    pub(super) fn abort_id(&self, id: &str, time: Duration) -> Result<(), SnowflakeError> {
        query::abort(&self.tokens, id, time)
    }

    /// Ends the requests on their way, which fail.
    pub(super) fn interrupt(&self) {
        self.tokens.wire.interrupt();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.tokens.is_closed()
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
