//! The login, and the examination of the account that the component has.

use serde_json::json;
use snowcat_host::http::Finding;
use snowcat_host::snowflake::{Connection, Session, Snowflake};
use snowcat_host::stage::QueueLimits;
use snowcat_host::{
    Check, DryRun, Engine, Examination, Failure, Host, Pull, Pulled, Request, Response, Runner,
    Script, Settings, SqlReply, Upload, Verdict,
};

use super::super::load::instant;
use super::super::run::of_load;
use super::findings::Findings;
use super::{LONGEST_STEP, Target, refusals};

/// The subjects of an examination that one session can perform.
const SUBJECTS: [&str; 11] = [
    "session",
    "rights",
    "parameters",
    "catalogue",
    "stage",
    "copy",
    "types",
    "ddl",
    "transaction",
    "lock",
    "load",
];

/// Checks about the rights of procedures only.
const OF_PROCEDURES: [&str; 2] = ["stage.read", "stage.remove"];

/// Logs in and examines the account. `connection` is `None` if the service is not reached.
pub(super) fn examine(
    connection: Option<&Connection>,
    target: Result<&Target, &str>,
    findings: &mut Findings,
) {
    let Some(connection) = connection else {
        return findings.untried(&["login", "account"], "Snowflake is not reached");
    };
    let connection = of_load(connection.clone()).attempts(2).request_timeout(LONGEST_STEP * 3);
    let session = match Session::open(&connection) {
        Ok(session) => session,
        Err(error) => {
            findings.add("login", Finding::wrong(error.to_string(), refusals::remedy(&error)));
            return findings.untried(&["account"], "see login");
        }
    };
    findings.add("login", Finding::Good("a session is open".to_owned()));
    let target = match target {
        Ok(target) => target,
        Err(reason) => return findings.untried(&["account"], reason),
    };
    let limits = QueueLimits { first_wait: LONGEST_STEP / 200, ..QueueLimits::default() };
    let snowflake = Snowflake::with_limits(session, DryRun::new(), limits);
    let mut host = Examined { snowflake, unreached: None };
    let role = connection.role().map_or_else(|| "<YOUR ROLE>".to_owned(), str::to_owned);
    match examined(target, &mut host) {
        Ok(examination) => shown(&examination.checks, &role, findings),
        Err(error) => findings.add("account", Finding::wrong(error, "")),
    }
    if let Err(error) = host.snowflake.close() {
        findings.add("log-out", Finding::wrong(error.to_string(), ""));
    }
}

fn examined(target: &Target, host: &mut Examined) -> Result<Examination, String> {
    let engine = Engine::new(&Settings::default()).map_err(|error| error.to_string())?;
    let options = json!({
        "database": target.database, "dataset": target.dataset, "subjects": SUBJECTS, "wait_seconds": 0,
    });
    let now = instant();
    Runner::new(&engine)
        .examine(&options.to_string(), &now, host)
        .map_err(|error| error.to_string())
}

/// A session whose uploads have ended when they are answered, so that each has its own result.
struct Examined {
    snowflake: Snowflake<DryRun>,
    /// The failure of an upload to storage that was not reached. Further uploads would wait as long.
    unreached: Option<Failure>,
}

impl Host for Examined {
    fn sql(&mut self, script: &Script) -> Result<SqlReply, Failure> {
        self.snowflake.sql(script)
    }

    fn upload(&mut self, upload: &Upload, payload: Vec<u8>) -> Result<(), Failure> {
        if let Some(failure) = &self.unreached {
            return Err(failure.clone());
        }
        self.snowflake.upload(upload, payload)?;
        let done = self.snowflake.finish_uploads();
        self.unreached = done.as_ref().err().filter(|failure| failure.code.is_empty()).cloned();
        done
    }

    fn fetch(&mut self, requests: &[Request]) -> Vec<Result<Response, Failure>> {
        self.snowflake.fetch(requests)
    }

    fn pull(&mut self, pull: &Pull) -> Result<Pulled, Failure> {
        self.snowflake.pull(pull)
    }

    fn wait(&mut self, seconds: f64, reason: &str) {
        self.snowflake.wait(seconds, reason);
    }
}

/// Adds the checks of an examination: those of a subject that hold, or that have one reason, in one line.
fn shown(checks: &[Check], role: &str, findings: &mut Findings) {
    let subject =
        |check: &Check| format!("account {}", check.name.split('.').next().unwrap_or_default());
    let mut lines: Vec<(String, Finding, usize)> = Vec::new();
    let causes = Causes::of(checks);
    for check in checks.iter().filter(|check| !OF_PROCEDURES.contains(&check.name.as_str())) {
        let finding = causes.finding(check, role);
        findings.keep(&check.name, &finding);
        let (key, line) = match finding {
            Finding::Good(_) => (subject(check), Finding::Good(String::new())),
            Finding::Untried(reason) => (subject(check), Finding::Untried(reason)),
            wrong @ Finding::Wrong { .. } => (check.name.clone(), wrong),
        };
        match lines.iter_mut().find(|(name, known, _)| *name == key && *known == line) {
            Some((.., count)) => *count += 1,
            None => lines.push((key, line, 1)),
        }
    }
    for (name, line, count) in lines {
        let checks = super::super::quantity::counted(count as u64, "check");
        let line = match line {
            Finding::Good(_) => Finding::Good(checks),
            Finding::Untried(reason) => Finding::Untried(format!("{checks}: {reason}")),
            wrong @ Finding::Wrong { .. } => wrong,
        };
        findings.summary(&name, &line);
    }
}

/// Remedies for a session of the command line. The others of an examination are for procedures and for both.
const REMEDIES: [(&str, &str); 3] = [
    (
        "session.warehouse",
        "name a warehouse (--warehouse, SNOWFLAKE_WAREHOUSE, or warehouse in the connection) that the role may use",
    ),
    (
        "rights.create_schema",
        "check the database; an administrator grants the rights: GRANT USAGE, CREATE SCHEMA ON DATABASE .. TO ROLE SNOWCAT_OWNER",
    ),
    (
        "stage.upload",
        "the storage of stages must be reached from here: a firewall or proxy may forbid its host",
    ),
];

/// Subjects that loads cannot do without: a statement that fails there is wrong, even if it is no check.
const NEEDED: [&str; 6] = ["catalogue.", "stage.", "copy.", "ddl.", "transaction.", "lock."];

/// What to do if a statement failed because no warehouse is active.
const IDLE: &str = "the warehouse is suspended and the role may not resume it, or it does not exist: grant USAGE and \
                    OPERATE on it to the role";

/// The checks whose failure makes others fail.
struct Causes<'a> {
    /// The first check for which no warehouse was active.
    idle: Option<&'a str>,
    /// The first check that does not hold, except for whole loads.
    first: Option<&'a str>,
    /// If every check holds that was tried: the first one that was not, because a statement failed.
    stopped: Option<&'a str>,
}

impl<'a> Causes<'a> {
    fn of(checks: &'a [Check]) -> Self {
        let first = |is: &dyn Fn(&Check) -> bool| {
            checks.iter().find(|check| is(check)).map(|check| check.name.as_str())
        };
        let fails = |check: &Check| {
            check.verdict == Verdict::Fails && !OF_PROCEDURES.contains(&check.name.as_str())
        };
        let needed = |check: &Check| {
            let named = NEEDED.iter().any(|subject| check.name.starts_with(subject));
            check.verdict == Verdict::Untried && named && check.seen.contains("error ")
        };
        Self {
            idle: first(&is_idle),
            first: first(&|check| fails(check) && !check.name.starts_with("load.")),
            stopped: first(&needed).filter(|_| first(&fails).is_none()),
        }
    }

    fn finding(&self, check: &Check, role: &str) -> Finding {
        let name = Some(check.name.as_str());
        match (check.verdict, self.first) {
            (Verdict::Holds, _) => Finding::Good(check.seen.clone()),
            _ if self.idle == name => Finding::wrong(check.seen.clone(), IDLE),
            _ if is_idle(check) => Finding::Untried("no warehouse is active".to_owned()),
            (Verdict::Untried, _) if self.stopped == name => {
                Finding::wrong(check.seen.clone(), "the text has the reason")
            }
            (Verdict::Untried, _) => Finding::Untried(check.seen.clone()),
            (Verdict::Fails, Some(cause)) if check.name.starts_with("load.") => {
                Finding::Untried(format!("it fails: see {cause}"))
            }
            (Verdict::Fails, _) => {
                let own = REMEDIES.iter().find(|(name, _)| *name == check.name);
                let remedy = own.map_or(check.remedy.as_str(), |(_, remedy)| remedy);
                let seen = format!("expected: {}; found: {}", check.assumed, check.seen);
                Finding::wrong(seen, remedy.replace("SNOWCAT_OWNER", role))
            }
        }
    }
}

/// Returns `true` if a statement of the check failed because no warehouse was active.
fn is_idle(check: &Check) -> bool {
    check.verdict != Verdict::Holds && check.seen.contains("error 606:")
}
