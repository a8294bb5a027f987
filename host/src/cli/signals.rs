//! SIGINT and SIGTERM: the first stops the load, the second ends the program at once.

use std::io;
use std::process;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use snowcat_host::Stop;
use snowcat_host::snowflake::Aborter;

use super::Failed;
use super::events::EventLines;
use super::exit::{Exit, Signal};
use super::log;

/// The time after the first signal in which the load has to end.
const LONGEST: Duration = Duration::from_millis(4700);
/// The time for the last message.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// The signals that the program received, and the stop that the first of them requests.
#[derive(Clone)]
pub(super) struct Signals {
    pub(super) stop: Stop,
    events: Arc<EventLines>,
    state: Arc<Mutex<SignalState>>,
}

#[derive(Default)]
struct SignalState {
    received: Option<Signal>,
    phase: Phase,
}

/// How far the load is.
#[derive(Clone, Default)]
enum Phase {
    /// There is no session.
    #[default]
    Preparing,
    LoggingIn,
    Loading(Aborter),
}

impl Signals {
    fn new(events: &Arc<EventLines>) -> Self {
        Self { stop: Stop::new(), events: Arc::clone(events), state: Arc::default() }
    }

    /// Returns the first signal.
    pub(super) fn received(&self) -> Option<Signal> {
        self.lock(|state| state.received)
    }

    /// From now on a signal stops the login, and not the program.
    pub(super) fn logging_in(&self) {
        self.lock(|state| state.phase = Phase::LoggingIn);
    }

    /// From now on a signal stops the load in this session.
    pub(super) fn loading(&self, session: Aborter) {
        self.lock(|state| state.phase = Phase::Loading(session));
    }

    fn lock<T>(&self, run: impl FnOnce(&mut SignalState) -> T) -> T {
        run(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Starts the thread that receives signals.
    ///
    /// # Errors
    /// If the system refuses a handler or a thread.
    #[cfg(unix)]
    pub(super) fn listen(events: &Arc<EventLines>) -> io::Result<Self> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        use signal_hook::iterator::Signals as Received;

        let signals = Self::new(events);
        let mut received = Received::new([SIGINT, SIGTERM])?;
        let handled = signals.clone();
        thread::Builder::new().name("snowcat-signals".to_owned()).spawn(move || {
            for number in received.forever() {
                let signal = if number == SIGINT { Signal::Interrupt } else { Signal::Terminate };
                handled.receive(signal);
            }
        })?;
        Ok(signals)
    }

    /// Without signals of Unix, the system ends the program.
    #[cfg(not(unix))]
    pub(super) fn listen(events: &Arc<EventLines>) -> io::Result<Self> {
        Ok(Self::new(events))
    }

    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no signals"))]
    fn receive(&self, signal: Signal) {
        let (first, phase) = self.lock(|state| {
            let first = state.received.is_none();
            state.received.get_or_insert(signal);
            (first, state.phase.clone())
        });
        if !first {
            self.end_late(signal);
        }
        if matches!(phase, Phase::Preparing) {
            self.end(Exit::Stopped(signal), format!("stopped by {}", signal.name()));
        }
        // Before a message, which waits if nobody reads it.
        self.stop.stop();
        let ending = self.clone();
        let late = move || {
            thread::sleep(LONGEST);
            ending.end_late(signal);
        };
        if thread::Builder::new().name("snowcat-deadline".to_owned()).spawn(late).is_err() {
            self.end_late(signal);
        }
        let name = signal.name();
        log::say(
            "warn",
            format_args!("{name}: stopping the load (a second signal ends it at once)"),
        );
    }

    /// Ends the program although the load has not ended. Its session is closed by then, if the service answers.
    fn end_late(&self, signal: Signal) {
        match self.lock(|state| state.phase.clone()) {
            Phase::Loading(session) if session.is_committing() => {
                let message = "stopped before the COMMIT was answered";
                self.end(Exit::OutcomeUnknown, message.to_owned());
            }
            _ => self.end(Exit::Stopped(signal), format!("stopped by {}", signal.name())),
        }
    }

    fn end(&self, exit: Exit, message: String) -> ! {
        let events = Arc::clone(&self.events);
        let (printed, is_printed) = mpsc::channel();
        let print = move || {
            let failed = Failed::Exit(exit, message);
            events.failed_at_last(&failed);
            log::say("error", format_args!("{}", failed.message()));
            // Nobody waits for it any more if that took too long.
            _ = printed.send(());
        };
        // A reader that reads nothing does not keep the program.
        if thread::Builder::new().spawn(print).is_ok() {
            _ = is_printed.recv_timeout(LAST_WORDS);
        }
        process::exit(exit.code().into())
    }
}
