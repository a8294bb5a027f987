//! A job, its secrets, and the first request of each of its resources.

use std::collections::BTreeSet;

use serde_json::Value;
use snowcat_host::credentials::{Credentials, Environment, Origin};
use snowcat_host::http::{Finding, Http, HttpLimits, reach};
use snowcat_host::{
    DryRun, Engine, Error, Failure, FaultKind, Host, Pull, Pulled, Request, Response, Runner,
    Script, Settings, SqlReply, Stop, Upload,
};

use super::super::load::{instant, stores};
use super::LONGEST_STEP;
use super::findings::Findings;

/// The number of requests that are sent.
const MOST_REQUESTS: usize = 20;

/// Examines a job. Its sources are requested as a load does, but only for their first page.
pub(super) fn examine(job: &Value, findings: &mut Findings) {
    let engine = match Engine::new(&Settings::default()) {
        Ok(engine) => engine,
        Err(error) => return findings.add("job", Finding::wrong(error.to_string(), "")),
    };
    let credentials = Credentials::of_job(job, Box::new(Environment));
    let missing = credentials.as_ref().map(|it| missing(job, it)).unwrap_or_default();
    let http = credentials.ok().map(|it| Http::new(it, limits()));
    let files = DryRun::new().stores(stores(&Stop::new()));
    let mut sources = FirstPages { http, files, seen: BTreeSet::new(), sent: 0, found: Vec::new() };
    let run = Runner::new(&engine).run(&job.to_string(), &instant(), &mut sources);
    match run {
        Err(Error::Fault(fault)) if fault.kind == FaultKind::Config => {
            let error = Error::Fault(fault).to_string();
            findings.add("job", Finding::wrong(error, "snowcat check names the line"));
            return findings.untried(&["secrets", "sources"], "see job");
        }
        // What an empty page does to a load is no finding.
        Ok(_) | Err(Error::Fault(_)) => findings.add("job", Finding::Good("valid".to_owned())),
        Err(error) => findings.add("job", Finding::wrong(error.to_string(), "")),
    }
    secrets(job, &missing, findings);
    if sources.found.is_empty() {
        findings.untried(&["sources"], "the job sent no request and read no file");
    }
    for (name, finding) in sources.found {
        findings.add(&name, finding);
    }
}

fn limits() -> HttpLimits {
    HttpLimits { connect: LONGEST_STEP, total: LONGEST_STEP * 3, ..HttpLimits::default() }
}

/// Returns the errors of the credentials without a value.
fn missing(job: &Value, credentials: &Credentials) -> Vec<String> {
    let hosts = names(job).into_iter().filter_map(|name| {
        let host =
            job.pointer("/credentials")?.get(&name)?.get("hosts")?.get(0)?.as_str()?.to_owned();
        Some((name, host))
    });
    let missing = hosts.filter_map(|(name, host)| {
        let port = host.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let bare = port.map_or(host.as_str(), |_| host.rsplit_once(':').map_or("", |it| it.0));
        credentials.addition(&name, &Origin::new(bare, port, 443)).err()
    });
    missing.collect()
}

/// Returns the names of the credentials.
fn names(job: &Value) -> Vec<String> {
    let named = job.get("credentials").and_then(Value::as_object);
    let names = named.into_iter().flatten().map(|(name, _)| name);
    names.filter(|name| !name.starts_with("//")).cloned().collect()
}

fn secrets(job: &Value, missing: &[String], findings: &mut Findings) {
    let names = names(job);
    if missing.is_empty() {
        let seen =
            if names.is_empty() { "the job needs none".to_owned() } else { names.join(", ") };
        findings.add("secrets", Finding::Good(seen));
    }
    for why in missing {
        findings.add("secrets", Finding::wrong(why.clone(), ""));
    }
}

/// A host that has the first page of each resource, and nothing after it.
struct FirstPages {
    http: Option<Http>,
    files: DryRun,
    /// The resources that were requested.
    seen: BTreeSet<String>,
    sent: usize,
    found: Vec<(String, Finding)>,
}

impl FirstPages {
    fn first(&mut self, request: &Request) -> Result<Response, Failure> {
        let new = self.sent < MOST_REQUESTS && self.seen.insert(request.resource.clone());
        let Some(http) = self.http.as_ref().filter(|_| new) else { return Ok(nothing()) };
        self.sent += 1;
        let answer = http.fetch(std::slice::from_ref(request)).pop();
        let (place, shown) = place(&request.url);
        let proof = request.auth.as_ref().map_or_else(
            || "without a credential".to_owned(),
            |name| format!("with the credential {name}"),
        );
        let finding = match &answer {
            None => Finding::Untried("there is no answer".to_owned()),
            Some(Err(failure)) => unanswered(&place, &failure.message),
            Some(Ok(response)) => {
                let seen = format!("{} to {} {shown}, {proof}", response.status, request.method);
                match response.status {
                    200..=399 => Finding::Good(seen),
                    401 | 403 => Finding::wrong(
                        seen,
                        "check the values of the secret, and its rights in the source",
                    ),
                    404 => Finding::wrong(seen, "check the base URL and the path in the job"),
                    _ => Finding::wrong(seen, "see the documentation of the source"),
                }
            }
        };
        self.found.push((format!("source {}", request.resource), finding));
        match answer {
            Some(Ok(response)) if response.status < 400 => Ok(response),
            _ => Ok(nothing()),
        }
    }
}

/// Returns the server of a URL, and the URL without its query, which may have keys.
fn place(url: &str) -> (String, String) {
    let shown = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = shown.split_once("://").unwrap_or(("https", shown));
    let host = rest.split('/').next().unwrap_or_default();
    (format!("{scheme}://{host}"), shown.to_owned())
}

/// The finding of a source that does not answer: the step on the way to it that fails.
fn unanswered(server: &str, message: &str) -> Finding {
    let step = reach(server, LONGEST_STEP).into_iter().find(|(_, finding)| finding.is_wrong());
    match step {
        Some((step, Finding::Wrong { seen, remedy })) => {
            Finding::wrong(format!("{}: {seen}", step.name()), remedy)
        }
        _ => Finding::wrong(message, ""),
    }
}

/// A page without records.
fn nothing() -> Response {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Response { status: 200, headers, body: "[]".to_owned() }
}

impl Host for FirstPages {
    fn sql(&mut self, _: &Script) -> Result<SqlReply, Failure> {
        Ok(SqlReply::DryRun)
    }

    fn upload(&mut self, _: &Upload, _: Vec<u8>) -> Result<(), Failure> {
        Ok(())
    }

    fn fetch(&mut self, requests: &[Request]) -> Vec<Result<Response, Failure>> {
        requests.iter().map(|request| self.first(request)).collect()
    }

    fn pull(&mut self, pull: &Pull) -> Result<Pulled, Failure> {
        if !self.seen.insert(pull.resource.clone()) {
            return Ok(Pulled::End);
        }
        let files = pull.files.join(", ");
        let finding = match self.files.pull(pull) {
            Ok(Pulled::End) => {
                Finding::wrong(format!("{files}: no file"), "check the paths in the job")
            }
            Ok(Pulled::File(file)) => Finding::Good(format!("{} can be opened", file.name)),
            Ok(_) => Finding::Good(format!("{files} can be read")),
            Err(failure) => Finding::wrong(failure.message, ""),
        };
        self.found.push((format!("source {}", pull.resource), finding));
        Ok(Pulled::End)
    }

    fn wait(&mut self, _: f64, _: &str) {}
}
