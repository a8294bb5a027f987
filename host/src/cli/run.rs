//! `snowcat run`: a load into Snowflake, from this machine.

use std::env;
use std::fs::File;
use std::io::BufWriter;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Map, Value, json};
use snowcat_host::snowflake::{
    Connection, ConnectionPlaces, ErrorKind, Session, Snowflake, SnowflakeError,
};
use snowcat_host::transcript::Transcript;
use snowcat_host::watch::{
    Collector, EventSink, HealthServer, LoadWatch, Numbers, Push, WatchedSteps,
};
use snowcat_host::{DryRun, Engine, Error, Observer, Report, Runner, Settings};

use super::delivery::{sessions, upload_limits};
use super::events::EventLines;
use super::exit::{Exit, of_error};
use super::load::{LoadArguments, sources, stores};
use super::log::{self, LogForm};
use super::progress::ProgressDisplay;
use super::scripts::Scripts;
use super::signals::Signals;
use super::slice::SliceArguments;
use super::{Failed, show};

/// Load a job into Snowflake
///
/// The connection is that of your other tools: the variables SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER and so on, a
/// connection in connections.toml or config.toml in ~/.snowflake, or dlt's secrets.toml; arguments replace
/// single parameters. Secrets of the job's credentials are taken from SNOWCAT_<SECRET>_USERNAME,
/// SNOWCAT_<SECRET>_PASSWORD and SNOWCAT_<SECRET>_TOKEN.
///
/// Exit codes: 0 committed; 1 the job, or the parameters of the connection; 2 the command line or a file; 3 the
/// source; 4 Snowflake, or the login: the failed transaction is not committed; 5 the data or a contract; 6 another
/// load committed first; 7 no answer to a statement, which may have been executed; 8 a limit, or a defect; 130 or 143
/// stopped by SIGINT or SIGTERM.
#[derive(Args)]
pub(super) struct RunJob {
    #[command(flatten)]
    load: LoadArguments,
    /// The form of messages on stderr; `json` also writes the events of the load there
    #[arg(long, value_enum, default_value_t = LogForm::Text)]
    log: LogForm,
    /// Serve /metrics (Prometheus), /healthz and /readyz at this address, such as 127.0.0.1:9090
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Seconds without progress after which /readyz answers 503
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    stalled_after: u64,
    #[command(flatten)]
    slices: SliceArguments,
    #[command(flatten)]
    connection: ConnectionArguments,
}

/// What the command line says of the connection.
#[derive(Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct ConnectionArguments {
    /// The name of a connection in connections.toml or config.toml
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// The account's identifier, such as acme-prod
    #[arg(long)]
    account: Option<String>,
    /// The host, if it does not follow from the account
    #[arg(long)]
    host: Option<String>,
    /// The user
    #[arg(long)]
    user: Option<String>,
    /// How the user logs in: snowflake (a password), snowflake_jwt, oauth, programmatic_access_token
    #[arg(long)]
    authenticator: Option<String>,
    /// The file of a private key
    #[arg(long, value_name = "FILE")]
    private_key_file: Option<String>,
    /// The file of a token
    #[arg(long, value_name = "FILE")]
    token_file_path: Option<String>,
    /// The role
    #[arg(long)]
    role: Option<String>,
    /// The warehouse
    #[arg(long)]
    warehouse: Option<String>,
}

impl ConnectionArguments {
    pub(super) fn find(&self) -> Result<Connection, SnowflakeError> {
        Connection::find(self.connection.as_deref(), &self.given(), &|name| env::var(name).ok())
    }

    /// Returns the places of the parameters of the connection.
    pub(super) fn places(&self) -> Result<ConnectionPlaces, SnowflakeError> {
        Connection::places(self.connection.as_deref(), &self.given(), &|name| env::var(name).ok())
    }

    fn given(&self) -> Vec<(&str, &str)> {
        let given = [
            ("account", &self.account),
            ("host", &self.host),
            ("user", &self.user),
            ("authenticator", &self.authenticator),
            ("private_key_file", &self.private_key_file),
            ("token_file_path", &self.token_file_path),
            ("role", &self.role),
            ("warehouse", &self.warehouse),
        ];
        given.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect()
    }
}

impl RunJob {
    pub(super) fn run(&self) -> Result<(), Failed> {
        log::set(self.log);
        let events = Arc::new(EventLines::new(self.load.json, self.log == LogForm::Json));
        let loaded = self.load(&events);
        if let Err(failed) = &loaded {
            events.failed(failed);
        }
        loaded
    }

    fn load(&self, events: &Arc<EventLines>) -> Result<(), Failed> {
        let began = Instant::now();
        let signals = Signals::listen(events)
            .map_err(|error| Failed::Work(format!("signals cannot be received: {error}")))?;
        let mut job = self.load.job()?;
        self.slices.set(&mut job, &|name| env::var(name).ok());
        let transcript = self.load.transcript()?;
        let connection = self.connection.find().map_err(|error| not_opened(&error))?;
        let engine = Engine::new(&Settings::default()).map_err(|error| failed(&error, false))?;
        let compiled = began.elapsed();
        let now = self.load.now();
        events.print(&started(&job, &now, &connection));
        let numbers = Arc::new(Numbers::new());
        let _server = self.served(&numbers)?;
        let push = pushed(&numbers)?;
        let mut sinks: Vec<Arc<dyn EventSink>> = vec![numbers.clone(), events.clone()];
        sinks.extend(push.as_ref().map(Push::sink));
        let watch = LoadWatch::new(sinks);
        let stop = &signals.stop;
        signals.logging_in();
        let connection = of_load(connection).stopped_by(stop).observed_by(Arc::new(watch.clone()));
        let session = Session::open(&connection);
        let session = session.map_err(|error| stopped_or(&signals, not_opened(&error)))?;
        signals.loading(session.aborter());
        numbers.session(true);
        let sources = sources(&job, &stores(stop), stop);
        let host = Snowflake::with_limits(session, sources, upload_limits(&job))
            .sessions(connection, sessions(&job));
        let runner = Runner::new(&engine).limits(self.load.limits());
        let run = PreparedRun { runner, job: job.to_string(), now, transcript };
        let mut seen = Seen::new(&numbers, watch.steps());
        if self.log == LogForm::Json {
            seen.progress.hide();
        }
        let report = run.finish(host, &mut seen, &signals);
        numbers.session(false);
        if let Ok(report) = &report {
            numbers.committed(report);
        }
        // After a signal there is no time for it.
        if let Some(push) = push.filter(|_| signals.received().is_none()) {
            let error = report.as_ref().err().map(|failed| failed.message().to_owned());
            if let Err(why) = push.finish("load", error) {
                log::say("warn", format_args!("the numbers were not pushed: {why}"));
            }
        }
        let report = report?;
        let shown = show::Shown {
            report: &report,
            scripts: seen.scripts.all(),
            files: &[],
            timings: seen.progress.timings,
            compiled,
            total: began.elapsed(),
        };
        events.print(&shown.event());
        if self.load.json {
            return Ok(());
        }
        if let Err(error) = self.load.print(&shown, |out| shown.loaded(out)) {
            // The load is committed.
            log::say("warn", format_args!("the result was not printed: {error}"));
        }
        Ok(())
    }
}

impl RunJob {
    /// Serves the numbers, if it is requested.
    fn served(&self, numbers: &Arc<Numbers>) -> Result<Option<HealthServer>, Failed> {
        let Some(address) = self.listen else { return Ok(None) };
        let stalled_after = Duration::from_secs(self.stalled_after);
        let server = HealthServer::start(address, numbers, stalled_after);
        server.map(Some).map_err(|error| Failed::Usage(format!("--listen {address}: {error}")))
    }
}

/// Pushes the numbers and the trace, if the environment names a collector.
fn pushed(numbers: &Arc<Numbers>) -> Result<Option<Push>, Failed> {
    let collector = Collector::find(&|name| env::var(name).ok()).map_err(Failed::Usage)?;
    let push = collector.map(|collector| Push::start(collector, numbers)).transpose();
    push.map_err(|error| Failed::Work(format!("numbers cannot be pushed: {error}")))
}

/// One run of a job.
struct PreparedRun {
    runner: Runner,
    job: String,
    now: String,
    transcript: Option<Transcript<BufWriter<File>>>,
}

/// What observes it.
struct Seen {
    progress: ProgressDisplay,
    scripts: Scripts,
    steps: WatchedSteps,
}

impl Seen {
    fn new(numbers: &Arc<Numbers>, steps: WatchedSteps) -> Self {
        let progress = ProgressDisplay::of_uploads(numbers);
        Self { progress, scripts: Scripts::default(), steps }
    }
}

impl PreparedRun {
    /// Runs it, and closes the session.
    fn finish(
        mut self,
        mut host: Snowflake<DryRun>,
        seen: &mut Seen,
        signals: &Signals,
    ) -> Result<Report, Failed> {
        let mut observers: Vec<&mut dyn Observer> =
            vec![&mut seen.progress, &mut seen.scripts, &mut seen.steps];
        if let Some(transcript) = &mut self.transcript {
            observers.push(transcript);
        }
        let run = self.runner.run_observed(&self.job, &self.now, &mut host, &mut observers);
        seen.progress.finish();
        let unknown = (host.outcome_unknown(), host.commit_unknown());
        if let Some(error) = host.refused_session() {
            log::say("warn", format_args!("a further session could not be opened: {error}"));
        }
        if let Err(error) = host.close() {
            // The service ends the session when it has been idle.
            log::say("warn", format_args!("the session was not closed: {error}"));
        }
        let report = run.map_err(|error| {
            let failed = failed(&error, unknown.0);
            if unknown.1 { failed } else { stopped_or(signals, failed) }
        })?;
        if let Some(signal) = signals.received() {
            let name = signal.name();
            let message = "arrived after the COMMIT: the load is committed";
            log::say("warn", format_args!("{name} {message}"));
        }
        Ok(report)
    }
}

/// The first event.
fn started(job: &Value, now: &str, connection: &Connection) -> Map<String, Value> {
    Map::from_iter([
        ("event".to_owned(), json!("started")),
        ("version".to_owned(), json!(env!("CARGO_PKG_VERSION"))),
        ("pipeline".to_owned(), job["pipeline"].clone()),
        ("database".to_owned(), job["database"].clone()),
        ("dataset".to_owned(), job["dataset"].clone()),
        ("now".to_owned(), json!(now)),
        ("service".to_owned(), json!(connection.address())),
    ])
}

/// The same connection, with the parameters that a load wants of its session. `task.sql` sets the same.
pub(super) fn of_load(connection: Connection) -> Connection {
    connection
        // Seconds that a load waits for another one. The server's default is 12 hours.
        .session_parameter("LOCK_TIMEOUT", 900)
        .session_parameter("AUTOCOMMIT", true)
        .session_parameter("ERROR_ON_NONDETERMINISTIC_MERGE", true)
        .session_parameter("TIMEZONE", "UTC")
}

/// The failure of a load that a signal stopped, or this one.
fn stopped_or(signals: &Signals, failed: Failed) -> Failed {
    match (signals.received(), failed) {
        (Some(signal), Failed::Exit(_, message)) => {
            Failed::Exit(Exit::Stopped(signal), format!("stopped by {}: {message}", signal.name()))
        }
        (_, failed) => failed,
    }
}

pub(super) fn not_opened(error: &SnowflakeError) -> Failed {
    let exit = match error.kind() {
        ErrorKind::Connection => Exit::Job,
        _ => Exit::Destination,
    };
    Failed::Exit(exit, error.to_string())
}

pub(super) fn failed(error: &Error, outcome_unknown: bool) -> Failed {
    let exit = if outcome_unknown { Exit::OutcomeUnknown } else { of_error(error) };
    Failed::Exit(exit, error.to_string())
}
