//! The events of a load, and how they are made from its steps and its session.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::http::shown_url;
use crate::interface::{Failure, Reply, Request, Response, Step};
use crate::runner::Observer;
use crate::snowflake::{SessionEvent, SessionObserver};

/// What happened in a load. No event has a secret; URLs have no query.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum LoadEvent<'a> {
    /// A source answered a request, or did not.
    Request {
        /// The resource of the job.
        resource: &'a str,
        /// The HTTP method.
        method: &'a str,
        /// The URL without its query.
        url: &'a str,
        /// The HTTP status, if there was an answer.
        status: Option<u16>,
        /// The bytes of its body.
        bytes: u64,
        /// The time of all requests that were sent together.
        time: Duration,
        /// Why there is no answer.
        error: Option<&'a Failure>,
    },
    /// A page of a resource was read: a response, or a part of a file.
    Page {
        /// The resource of the job.
        resource: &'a str,
        /// Its bytes.
        bytes: u64,
    },
    /// The load waits, because of a rate limit or before it repeats a request.
    Waiting {
        /// The time.
        time: Duration,
        /// The reason.
        reason: &'a str,
    },
    /// Something happened in the session.
    Session(SessionEvent<'a>),
}

/// A receiver of events. Several threads call it, and wait for it.
pub trait EventSink: Send + Sync {
    /// Called with each event.
    fn event(&self, event: &LoadEvent<'_>);
}

/// Passes the events of a load to sinks.
///
/// ```
/// use std::sync::Arc;
///
/// use snowcat_host::watch::{Numbers, LoadWatch};
/// use snowcat_host::{DryRun, Engine, Runner, Settings};
/// use snowcat_host::input::files::Input;
///
/// # fn main() -> Result<(), snowcat_host::Error> {
/// let numbers = Arc::new(Numbers::new());
/// let watch = LoadWatch::new(vec![numbers.clone()]);
/// // A session gets it too: `connection.observed_by(Arc::new(watch.clone()))`.
/// let job = r#"{
///     "pipeline": "shop", "database": "RAW", "dataset": "shop",
///     "resources": [{"name": "orders", "source": "pull", "format": "json"}]
/// }"#;
/// let mut host = DryRun::new().input("orders", Input::of_reader(&br#"{"id": 1}"#[..]));
/// let engine = Engine::new(&Settings::default())?;
/// let mut steps = watch.steps();
/// Runner::new(&engine).run_observed(job, "2026-01-01T00:00:00Z", &mut host, &mut [&mut steps])?;
/// assert_eq!(numbers.snapshot().bytes_in, 9);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct LoadWatch(Arc<[Arc<dyn EventSink>]>);

impl LoadWatch {
    /// Returns a watch with these sinks.
    #[must_use]
    pub fn new(sinks: Vec<Arc<dyn EventSink>>) -> Self {
        Self(sinks.into())
    }

    /// Returns the observer of a run.
    #[must_use]
    pub fn steps(&self) -> WatchedSteps {
        WatchedSteps { watch: self.clone(), asked: AwaitedReply::Nothing }
    }

    fn tell(&self, event: &LoadEvent<'_>) {
        self.0.iter().for_each(|sink| sink.event(event));
    }
}

impl SessionObserver for LoadWatch {
    fn event(&self, event: &SessionEvent<'_>) {
        self.tell(&LoadEvent::Session(*event));
    }
}

impl fmt::Debug for LoadWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadWatch").field("sinks", &self.0.len()).finish()
    }
}

/// The observer of a run that makes events of its steps and replies.
#[derive(Debug)]
pub struct WatchedSteps {
    watch: LoadWatch,
    asked: AwaitedReply,
}

/// The step that the next reply answers.
#[derive(Debug)]
enum AwaitedReply {
    Nothing,
    Requests(Vec<Request>),
    /// The next page of this resource.
    Page(String),
}

impl Observer for WatchedSteps {
    fn reply(&mut self, reply: &Reply, spent: Duration) -> Result<(), Error> {
        match (std::mem::replace(&mut self.asked, AwaitedReply::Nothing), reply) {
            (AwaitedReply::Requests(requests), Reply::Responses(responses)) => {
                for (request, answer) in requests.iter().zip(responses) {
                    self.answered(request, answer, spent);
                }
            }
            (AwaitedReply::Page(resource), Reply::Page(page)) => {
                let bytes = page.len() as u64;
                self.watch.tell(&LoadEvent::Page { resource: &resource, bytes });
            }
            _ => {}
        }
        Ok(())
    }

    fn step(&mut self, step: &Step, _payload: &[u8], _spent: Duration) -> Result<(), Error> {
        match step {
            Step::Fetch(fetches) => self.asked = AwaitedReply::Requests(fetches.requests.clone()),
            Step::Pull(pull) => self.asked = AwaitedReply::Page(pull.resource.clone()),
            Step::Wait(pause) => {
                let time = Duration::try_from_secs_f64(pause.seconds).unwrap_or_default();
                self.watch.tell(&LoadEvent::Waiting { time, reason: &pause.reason });
            }
            _ => {}
        }
        Ok(())
    }
}

impl WatchedSteps {
    fn answered(&self, request: &Request, answer: &Result<Response, Failure>, time: Duration) {
        let Request { resource, method, url, .. } = request;
        let url = &shown_url(url);
        let (status, bytes, error) = match answer {
            Ok(response) => (Some(response.status), response.body.len() as u64, None),
            Err(failure) => (failure.code.parse().ok(), 0, Some(failure)),
        };
        self.watch.tell(&LoadEvent::Request { resource, method, url, status, bytes, time, error });
        if status.is_some_and(|status| (200..300).contains(&status)) && error.is_none() {
            self.watch.tell(&LoadEvent::Page { resource, bytes });
        }
    }
}
