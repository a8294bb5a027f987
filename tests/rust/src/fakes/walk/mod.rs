//! The ready-made jobs against the fakes, with every kind of failure at every request: the load
//! equals that of an undisturbed run, or it fails with an error that names request, page and
//! reason, and publishes nothing.
//!
//! The library runs the load without a socket: the host used here reports broken bodies as the real
//! hosts do (`tests/data/network/cases.json`). Time does not pass.

mod host;
mod jobs;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use snowcat_guest::protocol::{Report, Request};

use self::host::{Host, list};
use self::jobs::{walk, walks};
use super::*;

/// Temporary failures, the number of additional requests, and the minimum wait.
const PASSES: &[(&str, usize, f64)] = &[
    ("gzip", 0, 0.0),
    ("type:text/plain", 0, 0.0),
    ("status:408", 1, 1.0),
    ("status:500", 1, 1.0),
    ("status:502", 1, 1.0),
    ("status:503", 1, 1.0),
    ("throttle", 1, 1.0),
    ("throttle:7", 1, 7.0),
    ("throttle-date:9", 1, 9.0),
    // The date of the answer may be a second later than that of the header.
    ("limit:6", 1, 5.0),
    ("slow", 1, 1.0),
    ("drop", 1, 1.0),
    ("cut", 1, 1.0),
    ("short", 1, 1.0),
    ("not-gzip", 1, 1.0),
    ("short-gzip", 1, 1.0),
    ("wrong-gzip", 1, 1.0),
];

/// Permanent failures, and the reported reason.
const FAILS: &[(&str, &str)] = &[
    ("status:500", "status 500: {\""),
    ("status:500", ", at the 5th attempt"),
    ("status:503", ", at the 5th attempt"),
    ("throttle:2", ", at the 5th attempt"),
    ("throttle-date:9", ", at the 5th attempt"),
    ("throttle:4000", ": it asks to wait 4000 s, more than the 900 s a load waits"),
    ("throttle-date:4000", " s, more than the 900 s a load waits"),
    ("limit:4000", " s, more than the 900 s a load waits"),
    ("slow", "no answer: no answer within 120 s, at the 5th attempt"),
    ("drop", "no answer: the connection was closed, at the 5th attempt"),
    ("cut", "no answer: the body ended early, at the 5th attempt"),
    ("short", " bytes, at the 5th attempt"),
    ("not-gzip", "no answer: the body cannot be decompressed"),
    ("short-gzip", "no answer: the body cannot be decompressed"),
    ("wrong-gzip", ", at the 5th attempt"),
    ("huge:2000000", "no answer: the body is larger than the limit"),
    ("garbled", "no answer: expected a body in UTF-8"),
    ("broken", "not JSON: expected "),
    ("empty", "expected JSON, found status 200 and no body"),
    ("html", "expected JSON, found status 200 and text/html: <!DOCTYPE html>"),
    ("type:application/xml", "expected JSON, found status 200 and application/xml: "),
    ("redirect:https://login.example.com/?to=x", "a redirect to https://login.example.com/?to=..."),
    ("status:400", "status 400: "),
    ("status:401", "was refused: status 401: "),
    ("status:403", "was refused: status 403: "),
    ("status:404", "status 404: "),
    ("repeat", "expected a new page, found "),
];

/// A job and its service.
struct Walk {
    job: Value,
    service: Box<dyn Fn() -> Arc<dyn Service> + Send>,
    state: State,
    /// The `authorization` header. Empty if there are tokens.
    authorization: Option<String>,
}

/// The result of a run.
#[derive(Default)]
pub(super) struct Run {
    /// One for each attempt.
    pub(super) requests: Vec<Request>,
    waited: f64,
    sql: Vec<String>,
    uploads: Vec<(String, Vec<u8>)>,
    pub(super) report: Report,
    pub(super) fault: Option<String>,
    /// The number of issued tokens.
    tokens: usize,
    /// Whether the failure changed any answer.
    troubled: bool,
}

/// A failure at one request: at its first attempt, or at all.
struct Trouble<'t> {
    at: &'t Request,
    action: &'t str,
    lasts: bool,
}

/// Runs a job against a service without failures.
pub(super) fn undisturbed(job: Value, service: Arc<dyn Service>) -> Run {
    Walk::new(job, move || Arc::clone(&service)).run(None)
}

impl Walk {
    fn new(job: Value, service: impl Fn() -> Arc<dyn Service> + Send + 'static) -> Self {
        let state = State::new(Setup::default(), service());
        let authorization = state.service.authorization();
        Self { job, service: Box::new(service), state, authorization }
    }

    fn run(&self, trouble: Option<&Trouble<'_>>) -> Run {
        Host::new(self).run(trouble)
    }

    /// Disturbs each request of the run, and checks the result.
    fn each(
        mut self,
        lasts: bool,
        actions: impl Iterator<Item = &'static str>,
        judge: impl Fn(&Run, &Run, &Case<'_>),
    ) {
        let good = self.run(None);
        assert_eq!(good.fault, None);
        let mut pages = BTreeMap::new();
        let mut cases = Vec::new();
        for at in &good.requests {
            let page = pages.entry(list(at)).or_insert(0);
            *page += 1;
            cases.push((at, *page));
        }
        let longest = pages.values().max();
        assert!(longest > Some(&2) && cases.len() > 8, "{longest:?} of {}", cases.len());
        for action in actions {
            // GitHub's fake counts requests and has a limit.
            self.state = State::new(Setup::default(), (self.service)());
            for &(at, page) in &cases {
                let run = self.run(Some(&Trouble { at, action, lasts }));
                let renews = self.authorization.is_none();
                judge(&good, &run, &Case { action, at, page, renews });
            }
        }
    }

    fn passes(self) {
        let renewed = ("status:401", 1, 0.0);
        let all: Vec<_> =
            PASSES.iter().chain(self.authorization.is_none().then_some(&renewed)).collect();
        self.each(false, all.iter().map(|(action, ..)| *action), |good, run, case| {
            let place = format!("{} at {}", case.action, case.at.url);
            let (_, more, least) = all.iter().find(|(action, ..)| *action == case.action).unwrap();
            assert_eq!(run.fault, None, "{place}");
            run.same_as(good, &place);
            // Only the text of an error matters.
            assert!(run.troubled || *more == 0 || case.action == "short", "{place}");
            let more = if run.troubled { *more } else { 0 };
            assert_eq!(run.requests.len(), good.requests.len() + more, "{place}");
            assert!(run.waited >= least * more as f64, "{place}: {} s", run.waited);
            let tokens = usize::from(case.renews) + usize::from(case.action == "status:401");
            assert_eq!(run.tokens, tokens, "{place}");
        });
    }

    fn fails(self) {
        let mut actions: Vec<_> = FAILS.iter().map(|(action, _)| *action).collect();
        actions.dedup();
        self.each(true, actions.into_iter(), |good, run, case| {
            let place = format!("{} at page {} {}", case.action, case.page, case.at.url);
            if !run.troubled {
                // An empty list has nothing to break, and no earlier page to repeat.
                assert!(case.action == "broken" || case.page == 1, "{place}");
                assert_eq!(run.fault, None, "{place}");
                return run.same_as(good, &place);
            }
            let Some(fault) = &run.fault else { panic!("no fault for {place}") };
            assert!(!run.published(), "{place}: {:?}", run.sql);
            let reported = format!("page {}: {}: ", case.page, shown(case.at));
            for word in [&reported, ": resource "] {
                assert!(fault.contains(word), "{place}: expected {word}, found {fault}");
            }
            for (_, reason) in FAILS.iter().filter(|(action, _)| *action == case.action) {
                assert!(fault.contains(reason), "{place}: expected {reason}, found {fault}");
            }
        });
    }
}

/// A request without the values of its query, which may be secrets.
fn shown(request: &Request) -> String {
    let Request { method, url, .. } = request;
    let Some((address, query)) = url.split_once('?') else { return format!("{method} {url}") };
    let hidden = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) => format!("{name}=..."),
        None => "...".to_owned(),
    });
    format!("{method} {address}?{}", hidden.collect::<Vec<_>>().join("&"))
}

/// The failure in a run.
struct Case<'c> {
    action: &'static str,
    at: &'c Request,
    /// The number of its page, from 1.
    page: u64,
    /// Whether there are tokens that can be renewed.
    renews: bool,
}

impl Run {
    fn same_as(&self, good: &Self, place: &str) {
        // `assert_eq` would print files.
        assert!(self.uploads == good.uploads, "{place}: the files differ");
        assert_eq!(self.sql, good.sql, "{place}");
        assert_eq!(self.report.tables, good.report.tables, "{place}");
        assert_eq!(self.report.state, good.report.state, "{place}");
        assert_eq!(self.report.pages, good.report.pages, "{place}");
        assert_eq!(self.report.warnings, good.report.warnings, "{place}");
    }

    /// Returns `true` if the run changed something visible to others.
    fn published(&self) -> bool {
        let harmless = ["SELECT", "SHOW", "CREATE SCHEMA", "CREATE STAGE", "DROP STAGE"];
        self.sql.iter().any(|sql| !harmless.iter().any(|start| sql.starts_with(start)))
    }
}

#[test]
fn every_ready_made_job_gets_over_what_passes() {
    each(Walk::passes);
}

#[test]
fn every_ready_made_job_fails_for_what_lasts() {
    each(Walk::fails);
}

/// Does this with every small load, a few at a time.
fn each(judge: fn(Walk)) {
    let walks = Mutex::new(walks());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let next = lock(&walks).next();
                    let Some((name, walk)) = next else { break };
                    // The name of a load that fails the test.
                    println!("{name}");
                    judge(walk);
                }
            });
        }
    });
}

/// A service without a small load would not be tested here.
#[test]
fn every_fake_has_a_small_load() {
    let without: Vec<_> = FAKES.iter().filter(|fake| fake.trials.is_empty()).collect();
    assert!(without.is_empty(), "{:?}", without.iter().map(|fake| fake.name).collect::<Vec<_>>());
    assert!(FAKES.len() >= 6);
}

/// Whichever request has an expired token, the token is renewed exactly once.
#[test]
fn a_token_that_expires_anywhere_is_renewed_once() {
    let fake = Fake::find("graph").unwrap();
    let walk = walk(fake, &fake.trials[0]);
    let good = walk.run(None);
    let expires_after = |uses: usize| {
        let body = json!({ "uses": uses }).to_string().into_bytes();
        let control = http::Request::new("POST", "/", Vec::new(), body);
        walk.state.service.control(&control, "tokens").unwrap().unwrap();
        walk.run(None)
    };
    for uses in 1..good.requests.len() {
        let run = expires_after(uses);
        assert_eq!((&run.fault, run.tokens), (&None, 2), "after {uses}");
        run.same_as(&good, &format!("after {uses}"));
    }
    assert_eq!(expires_after(good.requests.len()).tokens, 1);
}
