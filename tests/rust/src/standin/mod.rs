//! Stand-ins for services that are loaded from: what a load needs of them, with the manners of the
//! real ones, over deterministic data. Tests change the data underneath a running load, have
//! requests fail in chosen ways, and read back which requests arrived.
//!
//! Nothing of it is the real thing: each is written from the public description of the REST API.
//! What they share (HTTP, the log, what goes wrong, how tests steer them) is here; each of them is a
//! `Service`.

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

/// Every fake. An entry makes it a subcommand of the program, and one of those that the tests of all
/// ready-made jobs run against.
pub const FAKES: &[Fake] =
    &[jira::FAKE, github::FAKE, pagerduty::FAKE, graph::FAKE, hubspot::FAKE, zendesk::FAKE];

/// How a stand-in is set up, whatever it stands in for.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The port of the loopback address; 0 for any that is free.
    pub port: u16,
    /// What goes wrong, and when.
    pub faults: Faults,
    /// Compress answers for clients that accept gzip, as the real ones do.
    pub gzip: bool,
}

/// What a stand-in stands in for.
trait Service: fmt::Debug + Send + Sync {
    /// The `Authorization` header of a client that may ask; none where tokens are given out.
    fn authorization(&self) -> Option<String>;

    /// What a request proves about who sent it.
    fn credential(&self, request: &Request) -> Credential {
        self.authorization().map_or(Credential::None, |right| request.proves(&right))
    }

    /// Whether it needs to prove anything. What gives out tokens does not.
    fn is_open(&self, _request: &Request) -> bool {
        false
    }

    /// Answers a request that proved who it is from. `origin` is where addresses in the answer begin.
    fn answer(&self, request: &Request, origin: &str) -> Response;

    /// A refusal in the service's own form.
    fn refusal(&self, status: u16, message: &str) -> Response;

    /// The headers of every answer.
    fn headers(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Answers a request to a control address of its own, such as `GET` `issues`. None when it has no
    /// such address.
    fn control(&self, request: &Request, name: &str) -> Option<Result<Value, String>>;
}

/// A running stand-in; it ends when dropped.
#[derive(Debug)]
pub struct Standin {
    address: SocketAddr,
    state: Arc<State>,
    accepting: Option<JoinHandle<()>>,
}

/// What connections share.
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

impl Standin {
    /// Starts to listen on the loopback address.
    ///
    /// # Errors
    ///
    /// When the port cannot be had.
    fn start(setup: Setup, service: Arc<dyn Service>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, setup.port))?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::new(setup, service));
        let shared = Arc::clone(&state);
        let accepting = thread::spawn(move || accept(&listener, &shared));
        Ok(Self { address, state, accepting: Some(accepting) })
    }

    /// Where it listens, with no slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Replaces what goes wrong; requests are counted anew.
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
            // It ends in a panic only, which has been printed already.
            drop(accepting.join());
        }
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        self.state.stopping.store(true, Ordering::SeqCst);
        if let Some(accepting) = self.accepting.take() {
            // A connection wakes the thread that waits for one, and it sees the flag.
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
        // Its end is of no interest: a client may hang up whenever it likes.
        thread::spawn(move || drop(answer::serve(stream, &state)));
    }
}

/// A panic of one test must not become that of all that share the stand-in.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
