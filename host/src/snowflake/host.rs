//! Snowflake as the destination of a load.

use std::fmt;
use std::sync::Arc;

use super::error::{ErrorKind, SnowflakeError};
use super::session::Session;
use super::uploads::SharedSession;
use crate::host::{Host, Pulled, SqlReply};
use crate::interface::{Failure, Outcome, Pull, Request, Response, Script, Upload};
use crate::stage::{Queue, QueueLimits, StagePath};

/// A host that runs statements in a session with Snowflake and uploads files to its stages. Another
/// host performs requests, inputs and waits.
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
    sources: S,
    outcome_unknown: bool,
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
        let session = SharedSession::new(session);
        let uploads = Queue::new(Arc::new(session.clone()), limits);
        Self { uploads, session, sources, outcome_unknown: false }
    }

    /// Returns the host that performs requests, inputs and waits.
    #[must_use]
    pub const fn sources(&self) -> &S {
        &self.sources
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

    /// Logs out. An open transaction is rolled back.
    ///
    /// # Errors
    /// Those of [`Session::close`].
    pub fn close(self) -> Result<(), SnowflakeError> {
        let Self { uploads, session, .. } = self;
        drop(uploads);
        match session.into_inner() {
            Some(session) => session.close(),
            None => Err(SnowflakeError::answer("an upload still uses the session")),
        }
    }

    fn kept<T>(&mut self, result: Result<T, SnowflakeError>) -> Result<T, Failure> {
        result.map_err(|error| {
            self.outcome_unknown |= error.kind() == ErrorKind::OutcomeUnknown;
            error.into()
        })
    }
}

impl<S: Host> Host for Snowflake<S> {
    fn sql(&mut self, script: &Script) -> Result<SqlReply, Failure> {
        self.uploads.finish()?;
        // Statements in any order may run one after the other, too.
        let mut outcomes = Vec::with_capacity(script.statements.len());
        for statement in &script.statements {
            let answer = self.session.lock().execute(statement);
            outcomes.push(Outcome::from(self.kept(answer)?));
        }
        Ok(SqlReply::Outcomes(outcomes))
    }

    fn fetch(&mut self, requests: &[Request]) -> Vec<Result<Response, Failure>> {
        self.sources.fetch(requests)
    }

    fn pull(&mut self, pull: &Pull) -> Result<Pulled, Failure> {
        self.sources.pull(pull)
    }

    fn upload(&mut self, upload: &Upload, payload: Vec<u8>) -> Result<(), Failure> {
        // A load of hours does not go on without a file that did not arrive.
        if self.uploads.has_failed() {
            self.uploads.finish()?;
        }
        self.uploads.submit(StagePath::new(&upload.stage, &upload.path), payload);
        Ok(())
    }

    fn wait(&mut self, seconds: f64, reason: &str) {
        self.sources.wait(seconds, reason);
    }
}

impl<S> fmt::Debug for Snowflake<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snowflake").field("session", &*self.session.lock()).finish_non_exhaustive()
    }
}
