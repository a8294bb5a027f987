//! A stand-in for Jira Cloud: the two searches a load needs, with the manners of the real ones,
//! over deterministic issues. Tests change the data underneath a running load, have requests fail
//! in chosen ways, and read back which requests came.
//!
//! Nothing of it is Jira: it is written from the public description of the REST API.

mod answer;
mod api;
mod control;
mod faults;
mod http;
mod jql;
mod log;
mod site;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub use self::faults::{Action, Fault, Faults};
pub use self::log::{Credential, Entry};
pub use self::site::{Brief, Site};

/// How the stand-in is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// The port of the loopback address; 0 for any that is free.
    pub port: u16,
    /// How many issues there are.
    pub issues: u64,
    /// The seed of the issues.
    pub seed: u64,
    /// Who may ask.
    pub user: String,
    /// The secret that proves it.
    pub token: String,
    /// What goes wrong, and when.
    pub faults: Faults,
    /// Compress answers for clients that accept gzip, as the real one does.
    pub gzip: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            issues: 250,
            seed: 42,
            user: "loader@example.org".to_owned(),
            token: "stand-in-token".to_owned(),
            faults: Faults::default(),
            gzip: false,
        }
    }
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
    address: SocketAddr,
    authorization: String,
    gzip: bool,
    site: Mutex<Site>,
    faults: Mutex<Faults>,
    log: Mutex<Vec<Entry>>,
    in_flight: AtomicUsize,
    stopping: AtomicBool,
    started: Instant,
}

impl Standin {
    /// Starts to listen on the loopback address.
    ///
    /// # Errors
    ///
    /// When the port cannot be had.
    pub fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        let address = listener.local_addr()?;
        let credential = STANDARD.encode(format!("{}:{}", options.user, options.token));
        let state = Arc::new(State {
            address,
            authorization: format!("Basic {credential}"),
            gzip: options.gzip,
            site: Mutex::new(Site::new(options.seed, options.issues)),
            faults: Mutex::new(options.faults),
            log: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            started: Instant::now(),
        });
        let shared = Arc::clone(&state);
        let accepting = thread::spawn(move || accept(&listener, &shared));
        Ok(Self { address, state, accepting: Some(accepting) })
    }

    /// Where it listens, with no slash at the end.
    pub fn url(&self) -> String {
        self.state.url()
    }

    /// The data behind it. No request is answered while the guard is held.
    pub fn site(&self) -> MutexGuard<'_, Site> {
        lock(&self.state.site)
    }

    /// Replaces what goes wrong; requests are counted anew.
    pub fn set_faults(&self, faults: Faults) {
        *lock(&self.state.faults) = faults;
    }

    /// The requests answered so far, those to the control addresses left out.
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

impl State {
    fn url(&self) -> String {
        format!("http://{}", self.address)
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
