//! Snowflake as the destination of a load.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::connection::Connection;
use super::effect::Effect;
use super::error::{ErrorKind, SnowflakeError};
use super::pool::SessionPool;
use super::put::list_statement;
use super::session::Session;
use super::stopping;
use super::uploads::SharedSession;
use crate::host::{Host, Pulled, SqlReply};
use crate::interface::{Failure, Order, Outcome, Pull, Request, Response, Script, Upload};
use crate::stage::{Queue, QueueLimits, StagePath};
use crate::stop::{Stop, StopHook};

/// A host that runs statements in a session with Snowflake and uploads files to its stages. Another
/// host performs requests, inputs and waits.
///
/// If the connection has a [`Stop`], every step after the stop fails, except for the ROLLBACK and the DROP of the
/// stage, and waits end early; they are then performed here.
///
/// ```no_run
/// use snowcat_host::credentials::{Credentials, Environment};
/// use snowcat_host::http::{Http, HttpLimits};
/// use snowcat_host::snowflake::{Connection, Session, Snowflake};
/// use snowcat_host::{DryRun, Engine, Runner, Settings};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let job = std::fs::read_to_string("orders.json")?;
/// let credentials = Credentials::of_job(&serde_json::from_str(&job)?, Box::new(Environment))?;
/// let sources = DryRun::new().http(Http::new(credentials, HttpLimits::default()));
///
/// let connection = Connection::find(None, &[], &|name| std::env::var(name).ok())?;
/// let mut host = Snowflake::new(Session::open(&connection)?, sources);
/// let engine = Engine::new(&Settings::default())?;
/// let report = Runner::new(&engine).run(&job, "2026-01-01T00:00:00Z", &mut host)?;
/// println!("load {}", report.load_id);
/// host.close()?;
/// # Ok(())
/// # }
/// ```
pub struct Snowflake<S> {
    // It is dropped before the session, which its threads use.
    uploads: Queue,
    session: SharedSession,
    /// `None`: all statements run in the one session.
    pool: Option<SessionPool>,
    sources: S,
    outcome_unknown: bool,
    commit_unknown: bool,
    stop: Option<Stop>,
    _hook: Option<StopHook>,
}

impl<S> Snowflake<S> {
    /// Returns a host of this session. `sources` performs requests, inputs and waits.
    #[must_use]
    pub fn new(session: Session, sources: S) -> Self {
        Self::with_limits(session, sources, QueueLimits::default())
    }

    /// Returns the same host, with limits of its uploads.
    #[must_use]
    pub fn with_limits(session: Session, sources: S, limits: QueueLimits) -> Self {
        let (aborter, stop) = (session.aborter(), session.stop().cloned());
        let session = SharedSession::new(session);
        let uploads = Queue::new(Arc::new(session.clone()), limits);
        let stopped_by = |stop| stopping::stopped_by(stop, aborter, Some(uploads.stopper()));
        let _hook = stop.as_ref().map(stopped_by);
        let (outcome_unknown, commit_unknown) = (false, false);
        let pool = None;
        Self { uploads, session, pool, sources, outcome_unknown, commit_unknown, stop, _hook }
    }

    /// Runs the statements of scripts in any order in up to `most` sessions at once, outside of transactions.
    /// The others are opened with this connection when they are needed.
    #[must_use]
    pub fn sessions(mut self, connection: Connection, most: usize) -> Self {
        self.pool = (most > 1).then(|| SessionPool::new(connection, most));
        self
    }

    /// Returns why a further session could not be opened. Scripts are run in the others.
    #[must_use]
    pub fn refused_session(&self) -> Option<&SnowflakeError> {
        self.pool.as_ref().and_then(SessionPool::refused)
    }

    /// Returns the host that performs requests, inputs and waits.
    #[must_use]
    pub const fn sources(&self) -> &S {
        &self.sources
    }

    /// Uploads a file, and waits until it has arrived. Returns `false` if it exists and is not to be replaced.
    /// `stage` is qualified, without the `@`.
    ///
    /// # Errors
    /// If a statement or the upload fails.
    pub fn put_file(
        &mut self,
        stage: &str,
        path: &str,
        bytes: Vec<u8>,
        overwrite: bool,
    ) -> Result<bool, Failure> {
        if !overwrite {
            let listed = self.session.lock().execute(&list_statement(stage, path))?;
            // It lists every file whose path begins with this one.
            let suffix = format!("/{path}");
            let name = |row: &Vec<Option<String>>| {
                row.first().and_then(Option::as_deref).map(str::to_owned)
            };
            if listed.rows.iter().filter_map(name).any(|name| name.ends_with(&suffix)) {
                return Ok(false);
            }
        }
        self.uploads.submit(StagePath::new(stage, path), bytes);
        self.uploads.finish()?;
        Ok(true)
    }

    /// Waits until all files have arrived.
    ///
    /// # Errors
    /// The failure of the first file that did not.
    pub fn finish_uploads(&self) -> Result<(), Failure> {
        self.uploads.finish()
    }

    /// Returns `true` if a statement without an answer may have changed something permanently, such
    /// as a COMMIT.
    #[must_use]
    pub const fn outcome_unknown(&self) -> bool {
        self.outcome_unknown
    }

    /// Returns `true` if a COMMIT got no answer, so that the load may be committed.
    #[must_use]
    pub const fn commit_unknown(&self) -> bool {
        self.commit_unknown
    }

    /// Logs out. An open transaction is rolled back.
    ///
    /// # Errors
    /// Those of [`Session::close`].
    pub fn close(self) -> Result<(), SnowflakeError> {
        let Self { uploads, session, pool, .. } = self;
        drop(uploads);
        let others = pool.map_or(Ok(()), SessionPool::close);
        session.lock().log_out().and(others)
    }

    fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(Stop::is_stopped)
    }

    /// Runs the statements of a script at once, if that is possible.
    fn at_once(&mut self, script: &Script) -> Option<Result<SqlReply, Failure>> {
        let alone = script.statements.len() < 2 || self.is_stopped();
        let pool = self.pool.as_mut().filter(|_| script.order == Order::Any && !alone)?;
        if self.session.lock().in_transaction() {
            return None;
        }
        let ended = pool.run(&self.session, &script.statements, self.stop.as_ref());
        let is_whole = ended.len() == script.statements.len();
        let mut outcomes = Vec::with_capacity(ended.len());
        let mut failure = None;
        for (number, answer) in ended {
            let effect = script.statements.get(number).map_or(Effect::Change, |it| Effect::of(it));
            match self.kept(answer, effect) {
                Ok(answer) => outcomes.push(Outcome::from(answer)),
                Err(error) => _ = failure.get_or_insert(error),
            }
        }
        if !is_whole && failure.is_none() {
            failure = Some(if self.is_stopped() { stopped() } else { self.defect() });
        }
        Some(failure.map_or(Ok(SqlReply::Outcomes(outcomes)), Err))
    }

    /// A statement whose thread panicked may have been executed.
    fn defect(&mut self) -> Failure {
        self.outcome_unknown = true;
        let message = "a thread panicked: a defect in Snowcat, please report it".to_owned();
        Failure { code: String::new(), message, transient: false }
    }

    fn kept<T>(&mut self, result: Result<T, SnowflakeError>, effect: Effect) -> Result<T, Failure> {
        result.map_err(|error| {
            let unknown = error.kind() == ErrorKind::OutcomeUnknown;
            self.outcome_unknown |= unknown;
            self.commit_unknown |= unknown && effect == Effect::Commit;
            error.into()
        })
    }
}

impl<S: Host> Host for Snowflake<S> {
    fn sql(&mut self, script: &Script) -> Result<SqlReply, Failure> {
        let uploaded = self.uploads.finish();
        // After a stop the uploads were cancelled, and the clean-up is not to fail for it.
        if !self.is_stopped() {
            uploaded?;
        }
        if let Some(reply) = self.at_once(script) {
            return reply;
        }
        // Statements in any order may run one after the other, too.
        let mut outcomes = Vec::with_capacity(script.statements.len());
        for statement in &script.statements {
            let effect = Effect::of(statement);
            if self.is_stopped() && !effect.cleans_up() {
                return Err(stopped());
            }
            let answer = self.session.lock().execute(statement);
            outcomes.push(Outcome::from(self.kept(answer, effect)?));
        }
        Ok(SqlReply::Outcomes(outcomes))
    }

    fn fetch(&mut self, requests: &[Request]) -> Vec<Result<Response, Failure>> {
        if self.is_stopped() {
            return requests.iter().map(|_| Err(stopped())).collect();
        }
        let mut answers = self.sources.fetch(requests);
        if self.is_stopped() {
            answers.iter_mut().filter(|answer| answer.is_err()).for_each(|it| *it = Err(stopped()));
        }
        answers
    }

    fn pull(&mut self, pull: &Pull) -> Result<Pulled, Failure> {
        if self.is_stopped() {
            return Err(stopped());
        }
        self.sources
            .pull(pull)
            .map_err(|failure| if self.is_stopped() { stopped() } else { failure })
    }

    fn upload(&mut self, upload: &Upload, payload: Vec<u8>) -> Result<(), Failure> {
        if self.is_stopped() {
            return Err(stopped());
        }
        // A load of hours does not go on without a file that did not arrive.
        if self.uploads.has_failed() {
            self.uploads.finish()?;
        }
        self.uploads.submit(StagePath::new(&upload.stage, &upload.path), payload);
        Ok(())
    }

    fn wait(&mut self, seconds: f64, reason: &str) {
        match &self.stop {
            // The next step finds the stop.
            Some(stop) => _ = stop.wait(Duration::try_from_secs_f64(seconds).unwrap_or_default()),
            None => self.sources.wait(seconds, reason),
        }
    }
}

/// The failure of every step after a stop.
fn stopped() -> Failure {
    let message = "the load was stopped".to_owned();
    Failure { code: String::new(), message, transient: false }
}

impl<S> fmt::Debug for Snowflake<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snowflake").field("session", &*self.session.lock()).finish_non_exhaustive()
    }
}
