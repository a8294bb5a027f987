//! Our client, driven through a plan; what it returned, and which requests each step sent.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use snowcat_host::Failure;
use snowcat_host::snowflake::{Connection, Session, SnowflakeError};
use snowcat_tests::recorded::{Arrival, Replayer};

use crate::completion;
use crate::endpoint::Endpoint;
use crate::plan::{CONTAINER_TOKEN, Parameters, Plan, SERVICE_TOKEN, Statement};
use crate::rows::Row;
use crate::upload;

/// No wait between attempts is longer here.
const LONGEST_WAIT: Duration = Duration::from_millis(2);
/// How often a step is repeated at most.
const REPEATS: usize = 12;
/// How long an abort waits for the statement to run.
const STARTS_WITHIN: Duration = Duration::from_secs(3);

/// What a step was, what it sent and returned.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) step: Step,
    pub(crate) arrivals: Vec<Arrival>,
    pub(crate) ended: Result<Option<Vec<Row>>, Refusal>,
}

/// A step of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Open,
    Run,
    Upload,
    Abort,
    /// A statement that is aborted.
    Aborted,
    Close,
}

/// An error of our client.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl From<SnowflakeError> for Refusal {
    fn from(error: SnowflakeError) -> Self {
        Self { code: error.code().to_owned(), message: error.to_string() }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self { code: failure.code, message: failure.message }
    }
}

/// Drives our client through a plan. `endpoints` are those of the recording's mappings.
fn drive(plan: &Plan, replayer: &Replayer, endpoints: &[Endpoint]) -> Vec<Taken> {
    let tokens = plan.logins.iter().filter(|login| login.contains_key("token")).count();
    let mut drive = Drive {
        replayer,
        endpoints,
        taken: Vec::new(),
        tokens_change: tokens > 1,
        secrets: Folder::new(replayer),
    };
    for (number, login) in plan.logins.iter().enumerate() {
        let is_last = number + 1 == plan.logins.len();
        drive.repeat(&[Endpoint::Login], |drive| {
            let Some(session) = drive.open(login) else { return };
            let session = if is_last { drive.run_all(plan, session) } else { Some(session) };
            if let Some(session) = session {
                drive.step(Step::Close, || session.close().map(|()| None));
            }
        });
    }
    drive.taken
}

struct Drive<'a> {
    replayer: &'a Replayer,
    endpoints: &'a [Endpoint],
    taken: Vec<Taken>,
    /// Tokens are in a file, because one follows another.
    tokens_change: bool,
    secrets: Folder,
}

/// A folder for files with secrets. It is deleted when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(replayer: &Replayer) -> Self {
        let port = replayer.address().port();
        let name = format!("snowcat-recorded-{}-{port}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It is in the folder for temporary files.
        drop(fs::remove_dir_all(&self.0));
    }
}

impl Drive<'_> {
    /// Repeats a step while it leads on to a mapping of these endpoints that has not answered.
    fn repeat(&mut self, endpoints: &[Endpoint], mut step: impl FnMut(&mut Self)) {
        for _ in 0..REPEATS {
            let before = self.replayer.unused().len();
            step(self);
            let due = self.replayer.due();
            let leads_on = due
                .iter()
                .any(|index| self.endpoints.get(*index).is_some_and(|it| endpoints.contains(it)));
            if !leads_on || self.replayer.unused().len() == before {
                return;
            }
        }
    }

    fn step<E: Into<Refusal>>(
        &mut self,
        step: Step,
        act: impl FnOnce() -> Result<Option<Vec<Row>>, E>,
    ) {
        let from = self.replayer.journal().len();
        let ended = act().map_err(Into::into);
        let arrivals = self.replayer.journal().split_off(from);
        self.taken.push(Taken { step, arrivals, ended });
    }

    fn open(&mut self, login: &Parameters) -> Option<Session> {
        let connection = self.connection(login);
        let mut session = None;
        self.step(Step::Open, || {
            session = Some(Session::open(&connection?)?);
            Ok::<_, SnowflakeError>(None)
        });
        session
    }

    fn connection(&self, login: &Parameters) -> Result<Connection, SnowflakeError> {
        let address = self.replayer.address();
        let mut parameters = login.clone();
        parameters.insert("host", address.ip().to_string());
        parameters.insert("port", address.port().to_string());
        parameters.insert("protocol", "http".to_owned());
        let connection = match parameters.remove(SERVICE_TOKEN) {
            Some(service) => {
                let token = parameters.remove(CONTAINER_TOKEN).unwrap_or_default();
                self.in_container(&parameters, &token, &service)
            }
            None => {
                if self.tokens_change
                    && let Some(token) = parameters.remove("token")
                {
                    let file = self.secret("token", &token);
                    parameters.insert("token_file_path", file.display().to_string());
                }
                Connection::of(parameters)
            }
        };
        Ok(connection?.sleeping(|wait| thread::sleep(wait.min(LONGEST_WAIT))))
    }

    /// The connection of a container whose files have these tokens.
    fn in_container(
        &self,
        parameters: &Parameters,
        token: &str,
        service: &str,
    ) -> Result<Connection, SnowflakeError> {
        let file = self.secret("token", token);
        self.secret("spcs_token", service);
        let arguments: Vec<(&str, &str)> =
            parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let variable = |name: &str| match name {
            "SNOWFLAKE_RUNNING_INSIDE_SPCS" => Some("true".to_owned()),
            "SNOWFLAKE_TOKEN_FILE_PATH" => Some(file.display().to_string()),
            _ => None,
        };
        Connection::find(None, &arguments, &variable)
    }

    /// Writes a file that only its owner can read.
    fn secret(&self, name: &str, text: &str) -> PathBuf {
        let file = self.secrets.path().join(name);
        let mut options = fs::OpenOptions::new();
        let mut open =
            options.write(true).create(true).truncate(true).mode(0o600).open(&file).unwrap();
        open.write_all(text.as_bytes()).unwrap();
        file
    }

    /// Runs the statements. Returns the session unless it was lost to a panic.
    fn run_all(&mut self, plan: &Plan, session: Session) -> Option<Session> {
        if plan.aborts {
            return self.abort(session);
        }
        let session = Arc::new(Mutex::new(session));
        for statement in &plan.statements {
            self.repeat(&[Endpoint::Query, Endpoint::Renewal], |drive| match statement {
                Statement::Put(stage) => {
                    drive.step(Step::Upload, || upload::put(&session, stage).map(|()| None));
                }
                Statement::Sql(sql) => {
                    let run = || session.lock().unwrap().execute(sql);
                    drive.step(Step::Run, || run().map(|it| Some(it.rows)));
                }
            });
        }
        Arc::into_inner(session)?.into_inner().ok()
    }

    /// Aborts a statement while it runs.
    fn abort(&mut self, mut session: Session) -> Option<Session> {
        let aborter = session.aborter();
        let from = self.replayer.journal().len();
        let running = thread::spawn(move || {
            let ended = session.execute("SELECT 1").map(|it| Some(it.rows));
            (session, ended)
        });
        let started = Instant::now();
        while self.replayer.journal().len() < from + 2 && started.elapsed() < STARTS_WITHIN {
            thread::sleep(Duration::from_millis(1));
        }
        self.step(Step::Abort, || aborter.abort().map(|()| None));
        self.replayer.set_state(completion::SCENARIO, completion::ABORTED);
        let (session, ended) = running.join().ok()?;
        self.step(Step::Aborted, || ended);
        Some(session)
    }
}

/// A private key in PEM, which no server knows.
pub(crate) fn private_key() -> String {
    include_str!("../../../../host/tests/integration/snowflake/keys/pkcs8.pem").to_owned()
}

/// Drives on a thread of its own, and waits no longer than this for its end.
pub(crate) fn drive_within(
    limit: Duration,
    plan: Plan,
    replayer: &Arc<Replayer>,
    endpoints: Vec<Endpoint>,
) -> Result<Vec<Taken>, String> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let own = Arc::clone(replayer);
    let driving = thread::spawn(move || {
        let taken = drive(&plan, &own, &endpoints);
        drop(sender.send(taken));
    });
    match receiver.recv_timeout(limit) {
        Ok(taken) => Ok(taken),
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => Err(format!("no end after {limit:?}")),
        Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => {
            let panic = driving.join().err();
            let text = panic.and_then(|it| {
                let text = it.downcast_ref::<&str>().map(|it| (*it).to_owned());
                text.or_else(|| it.downcast_ref::<String>().cloned())
            });
            Err(format!("panic: {}", text.unwrap_or_default()))
        }
    }
}
