//! The heartbeat: requests that keep a session alive while a load waits for its source.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;
use ureq::http::Method;

use super::attempts::Attempts;
use super::query::authorized;
use super::tokens::Tokens;
use super::wire::Call;

/// The longest time between two heartbeats.
const LONGEST: Duration = Duration::from_secs(3600);
/// The shortest one.
const SHORTEST: Duration = Duration::from_secs(1);

/// A thread that sends heartbeats until this is dropped.
pub(super) struct Heartbeat {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Heartbeat {
    /// Starts the thread. Without it, a session ends if nothing was sent during the lifetime of its
    /// master token.
    pub(super) fn start(tokens: &Arc<Tokens>) -> Self {
        let (stop, stopped) = channel();
        let tokens = Arc::clone(tokens);
        let beat = move || {
            loop {
                let interval = (tokens.life() / 4).clamp(SHORTEST, LONGEST);
                match stopped.recv_timeout(interval) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
                }
                // The next statement detects a lost session.
                _ = authorized(&tokens, Attempts::default(), |token, attempts| {
                    let call = Call {
                        token: Some(token),
                        ..Call::new(Method::POST, "/session/heartbeat")
                    };
                    tokens.wire.call::<Value>(&call, attempts)
                });
            }
        };
        // If no thread can be started here, none can be started for a statement either.
        let thread = thread::Builder::new().name("snowflake-heartbeat".to_owned()).spawn(beat);
        Self { stop: Some(stop), thread: thread.ok() }
    }

    /// Stops the thread, without waiting for a heartbeat that was sent.
    pub(super) fn stop(&mut self) {
        drop(self.stop.take());
        drop(self.thread.take());
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.stop();
    }
}
