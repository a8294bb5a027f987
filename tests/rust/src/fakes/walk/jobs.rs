//! The small loads of all fakes' ready-made jobs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::Walk;
use crate::fakes::http::{Request, Response};
use crate::fakes::registry::Trial;
use crate::fakes::{Credential, FAKES, Fake, Options, Service, lock};

/// All small loads with their names.
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

/// A service whose data does not change. Its answers are cached, because hundreds of runs request
/// the same.
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
