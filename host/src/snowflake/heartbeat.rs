//! The heartbeat: requests that keep a session alive while a load waits for its source.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use ureq::http::Method;

use super::attempts::Attempts;
use super::error::{ErrorKind, SnowflakeError};
use super::query::authorized;
use super::tokens::Tokens;
use super::wire::Call;

/// The longest time between two heartbeats.
const LONGEST: Duration = Duration::from_secs(3600);
/// The shortest one.
const SHORTEST: Duration = Duration::from_secs(1);

/// The time after a heartbeat that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(30);

/// A thread that sends heartbeats until this is dropped. A heartbeat on its way is not waited for; it ends with the
/// session.
pub(super) struct Heartbeat {
    /// Ends the thread when it is dropped.
    _stop: Sender<()>,
}

impl Heartbeat {
    /// Starts the thread. Without it, a session ends if nothing was sent during the lifetime of its
    /// master token.
    ///
    /// # Errors
    /// If the system cannot start a thread.
    pub(super) fn start(tokens: &Arc<Tokens>) -> Result<Self, SnowflakeError> {
        let (stop, stopped) = channel();
        let tokens = Arc::clone(tokens);
        let beat = move || {
            let mut failed = false;
            loop {
                let interval = (tokens.life() / 4).clamp(SHORTEST, LONGEST);
                let interval = if failed { interval.min(AFTER_FAILURE) } else { interval };
                match stopped.recv_timeout(interval) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
                }
                // The next statement detects a lost session. A heartbeat that fails is repeated soon, and not by
                // its attempts, so that the thread ends with the session.
                let beat = authorized(&tokens, Attempts::single(), |token, attempts| {
                    let call = Call {
                        token: Some(token),
                        ..Call::new(Method::POST, "/session/heartbeat")
                    };
                    tokens.wire.call::<Value>(&call, attempts)
                });
                failed = beat.is_err();
            }
        };
        thread::Builder::new().name("snowflake-heartbeat".to_owned()).spawn(beat).map_err(
            |error| {
                let message = format!("expected a thread for the heartbeat: {error}");
                SnowflakeError::new(ErrorKind::Unavailable, message)
            },
        )?;
        Ok(Self { _stop: stop })
    }
}
