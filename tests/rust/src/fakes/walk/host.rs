//! A host between a load and a service, without a socket and without waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use flate2::read::MultiGzDecoder;
use serde_json::Value;
use snowcat_guest::load;
use snowcat_guest::protocol::{Failure, Reply, Request, Response, Step};

use super::{Run, Trouble, Walk};
use crate::fakes::Action;
use crate::fakes::answer::respond;
use crate::fakes::http::{self, Request as Asked};

type Answer = Result<Response, Failure>;
type List = (String, BTreeSet<(String, String)>);

/// The maximum size of a body in bytes.
const LARGEST: usize = 1 << 20;
/// Parameters that differ between the pages of a list.
const PLACES: &[&str] =
    &["nextPageToken", "startAt", "offset", "page", "$skiptoken", "after", "cursor", "start_time"];

/// One run.
pub(super) struct Host<'w> {
    walk: &'w Walk,
    token: Option<String>,
    /// The last answer of each list.
    last: BTreeMap<List, Answer>,
    run: Run,
}

impl<'w> Host<'w> {
    pub(super) fn new(walk: &'w Walk) -> Self {
        Self { walk, token: None, last: BTreeMap::new(), run: Run::default() }
    }

    /// Runs the job to its end.
    pub(super) fn run(mut self, trouble: Option<&Trouble<'_>>) -> Run {
        self.run.fault = self.drive(trouble).err().map(|fault| fault.to_string());
        self.run
    }

    fn drive(&mut self, trouble: Option<&Trouble<'_>>) -> snowcat_guest::fault::Result<()> {
        let load = load::start(&self.walk.job.to_string(), "2026-11-20T07:08:09.123456+00:00")?;
        let mut reply = Reply::Start;
        loop {
            reply = match load.resume(reply)? {
                Step::Sql(script) => {
                    self.run.sql.extend(script.statements);
                    Reply::DryRun
                }
                Step::Fetch(requests) => Reply::Responses(
                    requests.iter().map(|request| self.answer(request, trouble)).collect(),
                ),
                Step::Upload(upload) => {
                    self.run.uploads.push((upload.path, load.payload()?.to_vec()));
                    Reply::Done
                }
                Step::Wait(pause) => {
                    self.run.waited += pause.seconds;
                    Reply::Done
                }
                Step::Pull(pull) => panic!("{} is pulled", pull.resource),
                Step::Examined(_) | Step::Found(_) | Step::Listed(_) => {
                    panic!("a load ended as an examination")
                }
                Step::Finished(report) => {
                    self.run.report = report;
                    return Ok(());
                }
            };
        }
    }

    fn answer(&mut self, request: &Request, trouble: Option<&Trouble<'_>>) -> Answer {
        let first = !self.run.requests.contains(request);
        self.run.requests.push(request.clone());
        assert!(self.run.requests.len() < 500, "it would never end");
        let list = list(request);
        let answer = match trouble.filter(|it| it.at == request && (it.lasts || first)) {
            None => self.send(request, None),
            Some(trouble) => {
                let right = self.send(request, None);
                let answer = match trouble.action {
                    "slow" => failed("no answer within 120 s", true),
                    "repeat" => self.last.get(&list).unwrap_or(&right).clone(),
                    // The job recognizes an error by its text, which the fault may remove.
                    "broken" | "short" if !is_page(&right) => right.clone(),
                    action => self.send(request, Some(&action.parse().unwrap())),
                };
                self.run.troubled |= seen(&answer) != seen(&right);
                answer
            }
        };
        self.last.insert(list, answer.clone());
        answer
    }

    fn send(&mut self, request: &Request, action: Option<&Action>) -> Answer {
        let state = &self.walk.state;
        let authorization = match &self.walk.authorization {
            Some(known) => known.clone(),
            None => format!("Bearer {}", self.token()),
        };
        let asked = asked(request, Some(authorization));
        let credential = state.service.credential(&asked);
        if action == Some(&Action::Drop) {
            return failed("the connection was closed", true);
        }
        let response = respond(&asked, state, credential, action);
        if response.status == 401 {
            self.token = None;
        }
        if action == Some(&Action::Cut) {
            return failed("the body ended early", true);
        }
        taken(response)
    }

    /// The current token, or a new one.
    fn token(&mut self) -> String {
        let service = &self.walk.state.service;
        let tokens = &mut self.run.tokens;
        let token = self.token.get_or_insert_with(|| {
            *tokens += 1;
            let form = "grant_type=client_credentials&client_id=fake-client&\
                 client_secret=fake-secret&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default";
            let target = "/contoso/oauth2/v2.0/token";
            let answer = service.answer(&Asked::new("POST", target, Vec::new(), form.into()), "");
            let answer: Value = serde_json::from_slice(&answer.body).unwrap();
            answer["access_token"].as_str().unwrap().to_owned()
        });
        token.clone()
    }
}

/// The part that requests for pages of one list have in common.
pub(super) fn list(request: &Request) -> List {
    let asked = asked(request, None);
    let others = asked.query.into_iter().filter(|(name, _)| !PLACES.contains(&&**name));
    (asked.path, others.collect())
}

/// The request as the service receives it.
fn asked(request: &Request, authorization: Option<String>) -> Asked {
    let (_, rest) = request.url.split_once("://").unwrap();
    let (host, target) = rest.split_at(rest.find('/').unwrap());
    let mut headers = request.headers.clone();
    headers.push(("host".to_owned(), host.to_owned()));
    headers.push(("user-agent".to_owned(), "tests".to_owned()));
    headers.extend(authorization.map(|value| ("authorization".to_owned(), value)));
    let body = request.body.clone().unwrap_or_default().into_bytes();
    Asked::new(&request.method, target, headers, body)
}

/// Converts a response as a host does.
fn taken(response: http::Response) -> Answer {
    let mut body = response.body.clone();
    if response.header("content-encoding") == Some("gzip") {
        body.clear();
        if let Err(error) = MultiGzDecoder::new(&*response.body).read_to_end(&mut body) {
            return failed(&format!("the body cannot be decompressed: {error}"), true);
        }
    }
    if body.len() > LARGEST {
        return failed("the body is larger than the limit", false);
    }
    let Ok(body) = String::from_utf8(body) else {
        return failed("expected a body in UTF-8, found other bytes", false);
    };
    let headers = response.headers.into_iter().map(|(name, value)| (name.to_owned(), value));
    Ok(Response { status: response.status, headers: headers.collect(), body })
}

fn is_page(answer: &Answer) -> bool {
    answer.as_ref().is_ok_and(|response| response.status == 200)
}

/// The parts of an answer that matter to a load: not its time, and not the type of an error.
fn seen(answer: &Answer) -> Result<(u16, &str, Option<&str>), &Failure> {
    let Response { status, headers, body } = answer.as_ref()?;
    let kind = headers.iter().find(|(name, _)| name == "content-type" && *status == 200);
    Ok((*status, body, kind.map(|(_, kind)| kind.as_str())))
}

fn failed(message: &str, transient: bool) -> Answer {
    Err(Failure { code: String::new(), message: message.to_owned(), transient })
}
