//! `snowcat doctor`: what is wrong with a set-up, from the files of the connection to the sources of a job.

mod account;
mod findings;
mod refusals;
mod source;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use snowcat_host::http::{Finding, ReachStep, reach};
use snowcat_host::snowflake::Connection;

use self::findings::Findings;
use super::placeholders::{Setting, filled};
use super::run::ConnectionArguments;
use super::{Failed, read_text};

/// Find out what is wrong with a set-up, and what to do about it
///
/// Examines, one after the other: the connection's files, variables and parameters; the way to Snowflake (proxy,
/// name, connection, certificate, clock); the login; the account, by every kind of statement and file that loads
/// send, in two scratch schemas that are dropped at the end; then the job, its secrets, and its sources. Nothing is
/// loaded.
///
/// Prints a line for each check: `ok`, `wrong` with what to do, or `not tried` with the reason. No line has a secret.
/// The exit code is 0 if nothing is wrong, 1 otherwise.
#[derive(Args)]
pub(super) struct Doctor {
    /// A job, a file of JSON: its dataset, its secrets and its sources are examined, too
    job: Option<PathBuf>,
    /// The value of a placeholder {{NAME}} in the job
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<Setting>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Send no statement to the account
    #[arg(long)]
    quick: bool,
    /// The database that loads write to, without a job
    #[arg(long)]
    database: Option<String>,
    /// The dataset that loads write to, without a job
    #[arg(long)]
    dataset: Option<String>,
    #[command(flatten)]
    connection: ConnectionArguments,
}

/// The longest wait for one step on the way to a server.
const LONGEST_STEP: Duration = Duration::from_secs(10);

/// The database and the dataset that loads write to.
struct Target {
    database: String,
    dataset: String,
}

impl Doctor {
    pub(super) fn run(&self) -> Result<(), Failed> {
        let job = self.job.as_ref().map(|file| self.parsed(file));
        let mut findings = Findings::new(self.json);
        let connection = self.connection(&mut findings);
        let reached = connection.as_ref().is_some_and(|it| way(it, &mut findings));
        let target = self.target(job.as_ref().and_then(|it| it.as_ref().ok()), connection.as_ref());
        let target = match &target {
            _ if self.quick => Err("--quick"),
            None => Err("no database is named: name a job, or --database"),
            Some(target) => Ok(target),
        };
        account::examine(connection.as_ref().filter(|_| reached), target, &mut findings);
        match job {
            None => {}
            Some(Ok(job)) => source::examine(&job, &mut findings),
            Some(Err(why)) => {
                findings.add("job", Finding::wrong(why, ""));
                findings.untried(&["secrets", "sources"], "see job");
            }
        }
        findings.finish()
    }

    fn parsed(&self, file: &Path) -> Result<Value, String> {
        let wrong = |why: String| format!("{}: {why}", file.display());
        let text = read_text(file).map_err(Failed::into_message)?;
        let text = filled(&text, &self.set).map_err(wrong)?;
        serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))
    }

    /// Examines the files, variables and parameters of the connection.
    fn connection(&self, findings: &mut Findings) -> Option<Connection> {
        let places = match self.connection.places() {
            Ok(places) => places,
            Err(error) => {
                findings.add("connection", Finding::wrong(error.to_string(), ""));
                findings.untried(&["parameters"], "see connection");
                untried_way(findings, "see connection");
                return None;
            }
        };
        let found = match places.found.as_slice() {
            [] => "no parameter is set".to_owned(),
            some => some.join("; "),
        };
        findings.add("connection", Finding::Good(found));
        match self.connection.find() {
            Err(error) => {
                findings.add("parameters", Finding::wrong(error.to_string(), ""));
                untried_way(findings, "see parameters");
                None
            }
            Ok(connection) => {
                if places.conflicts.is_empty() {
                    findings.add("parameters", Finding::Good(connection.address()));
                }
                for conflict in places.conflicts {
                    findings.add("parameters", Finding::wrong(conflict, ""));
                }
                Some(connection)
            }
        }
    }

    fn target(&self, job: Option<&Value>, connection: Option<&Connection>) -> Option<Target> {
        let of_job = |key: &str| Some(job?.get(key)?.as_str()?.to_owned());
        let database = self.database.clone().or_else(|| of_job("database"));
        let database = database.or_else(|| connection?.database().map(str::to_owned))?;
        let dataset = self.dataset.clone().or_else(|| of_job("dataset"));
        let dataset = dataset.or_else(|| connection?.schema().map(str::to_owned));
        Some(Target { database, dataset: dataset.unwrap_or_else(|| "snowcat".to_owned()) })
    }
}

/// Goes the way to the service. Returns `true` if it answers.
fn way(connection: &Connection, findings: &mut Findings) -> bool {
    let mut reached = true;
    for (step, mut finding) in reach(&connection.address(), LONGEST_STEP) {
        if let (ReachStep::Dns, Finding::Wrong { remedy, .. }) = (step, &mut finding) {
            remedy.push_str(
                "; check account and host: a locator has its region, except in AWS us-west-2 \
                 (xy12345.eu-central-1)",
            );
        }
        // A wrong clock does not prevent a login with a password.
        reached &= step == ReachStep::Clock || !finding.is_wrong();
        findings.add(step.name(), finding);
    }
    reached
}

fn untried_way(findings: &mut Findings, reason: &str) {
    findings.untried(&ReachStep::ALL.map(ReachStep::name), reason);
}
