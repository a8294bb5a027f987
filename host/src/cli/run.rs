//! `snowcat run`: a load into Snowflake, from this machine.

use std::env;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use serde_json::Value;
use snowcat_host::credentials::{Credentials, Environment};
use snowcat_host::http::{Http, HttpLimits};
use snowcat_host::input::buckets::Buckets;
use snowcat_host::input::files::{LocalFiles, Store};
use snowcat_host::snowflake::{Connection, ErrorKind, Session, Snowflake, SnowflakeError};
use snowcat_host::transcript::Transcript;
use snowcat_host::{DryRun, Engine, Error, Limits, Observer, Runner, Settings};

use super::exit::{Exit, of_error};
use super::placeholders::{Setting, filled};
use super::progress::ProgressDisplay;
use super::scripts::Scripts;
use super::terminal::Escaped;
use super::{Failed, private, show};

/// Load a job into Snowflake
///
/// The connection is that of your other tools: the variables SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER and so on, a
/// connection in connections.toml or config.toml in ~/.snowflake, or dlt's secrets.toml; arguments replace
/// single parameters. Secrets of the job's credentials are taken from SNOWCAT_<SECRET>_USERNAME,
/// SNOWCAT_<SECRET>_PASSWORD and SNOWCAT_<SECRET>_TOKEN.
///
/// Exit codes: 0 committed; 1 the job or the connection; 2 the command line or a file; 3 the source; 4 Snowflake,
/// nothing was committed; 5 the data or a contract; 6 another load committed first; 7 no answer to the last
/// statement, which may have been executed; 8 a limit, or a defect.
#[derive(Args)]
pub(super) struct RunJob {
    /// The job, a file of JSON
    job: PathBuf,
    #[command(flatten)]
    connection: ConnectionArguments,
    /// The value of a placeholder {{NAME}} in the job
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<Setting>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// The instant to load at, instead of now
    #[arg(long, value_name = "RFC3339", value_parser = DateTime::parse_from_rfc3339)]
    now: Option<DateTime<chrono::FixedOffset>>,
    /// Write the run down, a JSON object a line
    #[arg(long, value_name = "FILE")]
    transcript: Option<PathBuf>,
    /// Memory the load may have, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    memory: u16,
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
    fn find(&self) -> Result<Connection, SnowflakeError> {
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
        let given = given.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        let given: Vec<(&str, &str)> = given.collect();
        Connection::find(self.connection.as_deref(), &given, &|name| env::var(name).ok())
    }
}

impl RunJob {
    pub(super) fn run(&self) -> Result<(), Failed> {
        let began = Instant::now();
        let job = self.job()?;
        let mut transcript = self.transcript()?;
        let connection = self.connection.find().map_err(|error| not_opened(&error))?;
        let engine = Engine::new(&Settings::default()).map_err(|error| failed(&error, false))?;
        let compiled = began.elapsed();
        let session = Session::open(&connection).map_err(|error| not_opened(&error))?;
        let mut host = Snowflake::new(session, sources(&job));
        let mut progress = ProgressDisplay::new();
        let mut scripts = Scripts::default();
        let mut observers: Vec<&mut dyn Observer> = vec![&mut progress, &mut scripts];
        if let Some(transcript) = &mut transcript {
            observers.push(transcript);
        }
        let limits = Limits { memory: usize::from(self.memory) << 20, ..Limits::default() };
        let run = Runner::new(&engine).limits(limits).run_observed(
            &job.to_string(),
            &self.now(),
            &mut host,
            &mut observers,
        );
        progress.finish();
        let report = run.map_err(|error| failed(&error, host.outcome_unknown()))?;
        if let Err(error) = host.close() {
            // The load is committed. The service ends the session when it has been idle.
            _ = writeln!(Escaped(io::stderr()), "snowcat: the session was not closed: {error}");
        }
        self.print(&show::Shown {
            report: &report,
            scripts: scripts.all(),
            files: &[],
            timings: progress.timings,
            compiled,
            total: began.elapsed(),
        })
    }

    fn job(&self) -> Result<Value, Failed> {
        let wrong =
            |why: &dyn fmt::Display| Failed::Usage(format!("{}: {why}", self.job.display()));
        let text = fs::read_to_string(&self.job).map_err(|e| wrong(&e))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let text = filled(text, &self.set).map_err(|e| wrong(&e))?;
        serde_json::from_str(&text).map_err(|e| wrong(&e))
    }

    fn transcript(&self) -> Result<Option<Transcript<BufWriter<File>>>, Failed> {
        let Some(file) = &self.transcript else { return Ok(None) };
        let created =
            private::create(file).map_err(|e| Failed::Usage(format!("{}: {e}", file.display())))?;
        Ok(Some(Transcript::new(BufWriter::new(created))))
    }

    fn now(&self) -> String {
        self.now.map_or_else(
            || Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true),
            |now| now.to_rfc3339(),
        )
    }

    fn print(&self, shown: &show::Shown<'_>) -> Result<(), Failed> {
        let mut out = Escaped(BufWriter::new(io::stdout()));
        let written = if self.json { shown.json(&mut out.0) } else { shown.loaded(&mut out) };
        match written.and_then(|()| out.flush()) {
            // The reader has closed the pipe: `snowcat run .. | head`.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|e| Failed::Work(e.to_string())),
        }
    }
}

/// Returns the inputs of a job, and the network with its credentials.
fn sources(job: &Value) -> DryRun {
    let stores: [Arc<dyn Store>; 2] = [Arc::new(LocalFiles), Arc::new(Buckets::new())];
    let host = DryRun::new().stores(stores);
    // If the credentials are not valid, the error of the load is better: it reads them first.
    match Credentials::of_job(job, Box::new(Environment)) {
        Ok(credentials) => host.http(Http::new(credentials, HttpLimits::default())),
        Err(_) => host,
    }
}

fn not_opened(error: &SnowflakeError) -> Failed {
    let exit = match error.kind() {
        ErrorKind::Connection => Exit::Job,
        _ => Exit::Destination,
    };
    Failed::Exit(exit, error.to_string())
}

fn failed(error: &Error, outcome_unknown: bool) -> Failed {
    let exit = if outcome_unknown { Exit::OutcomeUnknown } else { of_error(error) };
    Failed::Exit(exit, error.to_string())
}
