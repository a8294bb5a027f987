//! What `plan` and `run` share: the arguments of a load, its files, and its sources.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use serde_json::Value;
use snowcat_host::credentials::{Credentials, Environment};
use snowcat_host::http::{Http, HttpLimits};
use snowcat_host::input::buckets::Buckets;
use snowcat_host::input::files::{LocalFiles, Store};
use snowcat_host::transcript::Transcript;
use snowcat_host::{DryRun, Limits, Stop};

use super::placeholders::{Setting, filled};
use super::show::Shown;
use super::terminal::Escaped;
use super::{Failed, private, read_text};

/// The arguments of a load.
#[derive(Args)]
pub(super) struct LoadArguments {
    /// The job, a file of JSON
    job: PathBuf,
    /// The value of a placeholder {{NAME}} in the job
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<Setting>,
    /// Print JSON: `plan` one object, `run` one object per event
    #[arg(long)]
    pub(super) json: bool,
    /// The instant of the load, instead of now
    #[arg(long, value_name = "RFC3339", value_parser = DateTime::parse_from_rfc3339)]
    now: Option<DateTime<chrono::FixedOffset>>,
    /// Write a transcript of the run, one JSON object per line
    #[arg(long, value_name = "FILE")]
    transcript: Option<PathBuf>,
    /// The maximum memory of the load, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    memory: u16,
}

/// The standard output, without control characters.
pub(super) type Output = Escaped<BufWriter<io::Stdout>>;

impl LoadArguments {
    /// Returns the job, with the settings in the place of its placeholders.
    pub(super) fn job(&self) -> Result<Value, Failed> {
        let wrong = |why: String| Failed::Usage(format!("{}: {why}", self.job.display()));
        let text = filled(&read_text(&self.job)?, &self.set).map_err(|e| wrong(e.to_string()))?;
        serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))
    }

    /// Creates the file of the transcript, if one is requested.
    pub(super) fn transcript(&self) -> Result<Option<Transcript<BufWriter<File>>>, Failed> {
        let Some(file) = &self.transcript else { return Ok(None) };
        let created =
            private::create(file).map_err(|e| Failed::Usage(format!("{}: {e}", file.display())))?;
        Ok(Some(Transcript::new(BufWriter::new(created))))
    }

    pub(super) fn limits(&self) -> Limits {
        Limits { memory: usize::from(self.memory) << 20, ..Limits::default() }
    }

    /// Returns the instant of the load (RFC 3339).
    pub(super) fn now(&self) -> String {
        self.now.map_or_else(instant, |now| now.to_rfc3339())
    }

    /// Prints the result as JSON, or as `text` does.
    pub(super) fn print(
        &self,
        shown: &Shown<'_>,
        text: impl FnOnce(&mut Output) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut out = Escaped(BufWriter::new(io::stdout()));
        let written = if self.json { shown.json(&mut out.0) } else { text(&mut out) };
        match written.and_then(|()| out.flush()) {
            // The reader has closed the pipe: `snowcat plan .. | head`.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }
}

/// Returns the instant (RFC 3339), to the microsecond.
pub(super) fn instant() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The places where files can be.
pub(super) fn stores(stop: &Stop) -> [Arc<dyn Store>; 2] {
    [Arc::new(LocalFiles), Arc::new(Buckets::new().stopped_by(stop))]
}

/// Returns a host that reads the sources of a job, with their credentials.
pub(super) fn sources(job: &Value, stores: &[Arc<dyn Store>], stop: &Stop) -> DryRun {
    let host = DryRun::new().stores(stores.iter().cloned());
    // If the credentials are invalid, the load reports it, because it parses them first.
    match Credentials::of_job(job, Box::new(Environment)) {
        Ok(credentials) => {
            host.http(Http::new(credentials, HttpLimits::default()).stopped_by(stop))
        }
        Err(_) => host,
    }
}
