//! Fakes of the services that ready-made jobs load from: the endpoints that a load uses, over
//! deterministic data. Tests change the data while a load runs, choose which requests fail and how,
//! and read which requests arrived.
//!
//! Each fake is written from the public description of the REST API. What they share (HTTP, the log,
//! faults, control addresses) is here; each of them is a `Service`.

mod answer;
mod control;
mod faults;
mod github;
mod graph;
pub(crate) mod http;
mod hubspot;
pub mod jira;
mod log;
mod pagerduty;
mod registry;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk;
mod zendesk;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use serde_json::Value;

pub use self::faults::{Action, Fault, Faults};
use self::http::{Request, Response};
pub use self::log::{Credential, Entry};
pub use self::registry::{Fake, Options};

/// Every fake. Each entry is a subcommand of the program, and the tests of all ready-made jobs run
/// against it.
pub const FAKES: &[Fake] =
    &[jira::FAKE, github::FAKE, pagerduty::FAKE, graph::FAKE, hubspot::FAKE, zendesk::FAKE];

/// The settings of a fake server, of whichever service.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The port on the loopback address; 0 chooses a free one.
    pub port: u16,
    /// The requests that fail, and how.
    pub faults: Faults,
    /// Compresses answers for clients that accept gzip, as the real services do.
    pub gzip: bool,
}

/// The service that a fake server imitates.
trait Service: fmt::Debug + Send + Sync {
    /// The `Authorization` header that is accepted. `None` if the service issues tokens.
    fn authorization(&self) -> Option<String>;

    /// The credential that a request proves.
    fn credential(&self, request: &Request) -> Credential {
        self.authorization().map_or(Credential::None, |right| request.proves(&right))
    }

    /// Returns `true` if the request needs no credential, such as one for a token.
    fn is_open(&self, _request: &Request) -> bool {
        false
    }

    /// Answers a request whose credential was accepted. Addresses in the answer begin with `origin`.
    fn answer(&self, request: &Request, origin: &str) -> Response;

    /// An error in the service's own form.
    fn refusal(&self, status: u16, message: &str) -> Response;

    /// The headers of every answer.
    fn headers(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Answers a request to a control address of this service, such as `GET` `issues`. Returns `None`
    /// if it has no such address.
    fn control(&self, request: &Request, name: &str) -> Option<Result<Value, String>>;
}

/// A running fake. It stops when dropped.
#[derive(Debug)]
pub struct FakeServer {
    address: SocketAddr,
    state: Arc<State>,
    accepting: Option<JoinHandle<()>>,
}

/// The state that all connections share.
#[derive(Debug)]
struct State {
    service: Arc<dyn Service>,
    gzip: bool,
    faults: Mutex<Faults>,
    /// The last answer at each path, for the fault that repeats it.
    last: Mutex<BTreeMap<String, Response>>,
    log: Mutex<Vec<Entry>>,
    in_flight: AtomicUsize,
    stopping: AtomicBool,
    started: Instant,
}

impl State {
    fn new(setup: Setup, service: Arc<dyn Service>) -> Self {
        Self {
            service,
            gzip: setup.gzip,
            faults: Mutex::new(setup.faults),
            last: Mutex::default(),
            log: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            started: Instant::now(),
        }
    }
}

impl FakeServer {
    /// Starts to listen on the loopback address.
    ///
    /// # Errors
    ///
    /// If the port cannot be bound.
    fn start(setup: Setup, service: Arc<dyn Service>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, setup.port))?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::new(setup, service));
        let shared = Arc::clone(&state);
        let accepting = thread::spawn(move || accept(&listener, &shared));
        Ok(Self { address, state, accepting: Some(accepting) })
    }

    /// The address on which it listens, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Replaces the faults, and counts requests from 1 again.
    pub fn set_faults(&self, faults: Faults) {
        *lock(&self.state.faults) = faults;
    }

    /// The requests answered so far, without those to the control addresses.
    pub fn log(&self) -> Vec<Entry> {
        lock(&self.state.log).clone()
    }

    /// Serves until the process ends.
    pub fn wait(mut self) {
        if let Some(accepting) = self.accepting.take() {
            // The thread ends only by a panic, which is printed already.
            drop(accepting.join());
        }
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.state.stopping.store(true, Ordering::SeqCst);
        if let Some(accepting) = self.accepting.take() {
            // A connection wakes the accepting thread, which then sees the flag.
            drop(TcpStream::connect(self.address));
            drop(accepting.join());
        }
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    for stream in listener.incoming() {
        if state.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let state = Arc::clone(state);
        // An error here is no failure: a client may close its connection at any time.
        thread::spawn(move || drop(answer::serve(stream, &state)));
    }
}

/// A panic of one test must not poison the mutex for all that share the fake.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
