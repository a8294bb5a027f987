//! The small loads of ready-made jobs that are disturbed: those of every fake.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::Walk;
use crate::fakes::http::{Request, Response};
use crate::fakes::registry::Trial;
use crate::fakes::{Credential, FAKES, Fake, Options, Service, lock};

/// Every small load, with its name.
pub(super) fn walks() -> impl Iterator<Item = (String, Walk)> {
    FAKES.iter().flat_map(|fake| {
        fake.trials
            .iter()
            .map(|trial| (format!("{}: {}", fake.name, trial.name), walk(fake, trial)))
    })
}

/// A small load of a fake.
pub(super) fn walk(fake: &'static Fake, trial: &'static Trial) -> Walk {
    let options = Options { size: trial.size, seed: trial.seed, ..fake.options() };
    let job = trial.job(fake.settings).unwrap();
    Walk::new(job, move || Arc::new(Kept::of((fake.make)(&options))))
}

/// A service whose data stay as they are: hundreds of runs ask for the same, which takes a while to make.
#[derive(Debug)]
struct Kept {
    service: Arc<dyn Service>,
    /// By path and query.
    answers: Mutex<BTreeMap<String, Response>>,
}

impl Kept {
    fn of(service: Arc<dyn Service>) -> Self {
        Self { service, answers: Mutex::default() }
    }
}

impl Service for Kept {
    fn authorization(&self) -> Option<String> {
        self.service.authorization()
    }

    fn credential(&self, request: &Request) -> Credential {
        self.service.credential(request)
    }

    fn is_open(&self, request: &Request) -> bool {
        self.service.is_open(request)
    }

    fn answer(&self, request: &Request, origin: &str) -> Response {
        if request.method != "GET" {
            return self.service.answer(request, origin);
        }
        let key = format!("{}?{:?}", request.path, request.query);
        let make = || self.service.answer(request, origin);
        lock(&self.answers).entry(key).or_insert_with(make).clone()
    }

    fn refusal(&self, status: u16, message: &str) -> Response {
        self.service.refusal(status, message)
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        self.service.headers()
    }

    fn control(&self, request: &Request, name: &str) -> Option<Result<Value, String>> {
        self.service.control(request, name)
    }
}
