//! Our client, driven through a plan; what it returned, and which requests each step sent.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use snowcat_host::snowflake::{Connection, Session, SnowflakeError};
use snowcat_tests::recorded::{Arrival, Replayer};

use crate::completion;
use crate::endpoint::Endpoint;
use crate::plan::{Parameters, Plan, Statement};
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

/// Drives our client through a plan. `endpoints` are those of the recording's mappings.
fn drive(plan: &Plan, replayer: &Replayer, endpoints: &[Endpoint]) -> Vec<Taken> {
    let mut drive = Drive { replayer, endpoints, taken: Vec::new(), token_file: None };
    let tokens = plan.logins.iter().filter(|login| login.contains_key("token")).count();
    if tokens > 1 {
        drive.token_file = Some(std::env::temp_dir().join(format!(
            "snowcat-recorded-{}-{}",
            std::process::id(),
            replayer.address().port()
        )));
    }
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
    if let Some(file) = &drive.token_file {
        // It is in the folder for temporary files.
        drop(fs::remove_file(file));
    }
    drive.taken
}

struct Drive<'a> {
    replayer: &'a Replayer,
    endpoints: &'a [Endpoint],
    taken: Vec<Taken>,
    /// Where tokens are, for recordings in which one follows another.
    token_file: Option<PathBuf>,
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

    fn step(
        &mut self,
        step: Step,
        act: impl FnOnce() -> Result<Option<Vec<Row>>, SnowflakeError>,
    ) -> bool {
        let from = self.replayer.journal().len();
        let ended = act().map_err(Refusal::from);
        let arrivals = self.replayer.journal().split_off(from);
        let succeeded = ended.is_ok();
        self.taken.push(Taken { step, arrivals, ended });
        succeeded
    }

    fn open(&mut self, login: &Parameters) -> Option<Session> {
        let connection = self.connection(login);
        let mut session = None;
        self.step(Step::Open, || {
            session = Some(Session::open(&connection?)?);
            Ok(None)
        });
        session
    }

    fn connection(&self, login: &Parameters) -> Result<Connection, SnowflakeError> {
        let address = self.replayer.address();
        let mut parameters = login.clone();
        parameters.insert("host", address.ip().to_string());
        parameters.insert("port", address.port().to_string());
        parameters.insert("protocol", "http".to_owned());
        if let (Some(file), Some(token)) = (&self.token_file, parameters.remove("token")) {
            write_secret(file, &token);
            parameters.insert("token_file_path", file.display().to_string());
        } else if let Some(token) = login.get("token") {
            parameters.insert("token", token.clone());
        }
        let connection = Connection::of(parameters)?;
        Ok(connection.sleeping(|wait| thread::sleep(wait.min(LONGEST_WAIT))))
    }

    /// Runs the statements. Returns the session unless it was lost to a panic.
    fn run_all(&mut self, plan: &Plan, mut session: Session) -> Option<Session> {
        if plan.aborts {
            return self.abort(session);
        }
        for statement in &plan.statements {
            self.repeat(&[Endpoint::Query, Endpoint::Renewal], |drive| match statement {
                Statement::Sql(sql) => {
                    drive.step(Step::Run, || session.execute(sql).map(|it| Some(it.rows)));
                }
                Statement::Put(stage) => {
                    drive.step(Step::Upload, || upload::put(&mut session, stage).map(|()| None));
                }
            });
        }
        Some(session)
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

fn write_secret(file: &PathBuf, token: &str) {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(file).unwrap();
    file.write_all(token.as_bytes()).unwrap();
}

/// A private key in PEM, which no server knows.
pub(crate) fn private_key() -> String {
    static KEY: OnceLock<String> = OnceLock::new();
    let make = || {
        let mut openssl = Command::new("openssl");
        openssl.args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
        let output = openssl.output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    KEY.get_or_init(make).clone()
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
