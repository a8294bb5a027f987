//! The tokens of a session: renewed when they expire, replaced by a new login when the session is lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use ureq::http::Method;

use super::attempts::Attempts;
use super::connection::Connection;
use super::envelope::Envelope;
use super::error::{ErrorKind, SnowflakeError};
use super::login::{LoggedIn, login};
use super::observer::SessionEvent;
use super::wire::{Call, Wire};
use crate::credentials::Secret;

/// The session token has expired.
const EXPIRED: &str = "390112";
/// The session does not exist; the master token was not found, has expired, or is not valid.
const LOST: [&str; 4] = ["390111", "390113", "390114", "390115"];

/// The service, and the tokens of the session.
pub(super) struct Tokens {
    pub(super) wire: Wire,
    connection: Connection,
    current: Mutex<LoggedIn>,
    /// Locked during a renewal and a login, so that only one of several threads requests it.
    renewing: Mutex<()>,
    closed: AtomicBool,
}

/// The state of a token in an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Standing {
    Valid,
    Expired,
    Lost,
}

impl Standing {
    pub(super) fn of<T>(answer: &Envelope<T>) -> Self {
        match answer.code.as_str() {
            _ if answer.success => Self::Valid,
            EXPIRED => Self::Expired,
            code if LOST.contains(&code) => Self::Lost,
            _ if answer.status == 401 => Self::Expired,
            _ => Self::Valid,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Renewed {
    session_token: Option<String>,
    master_token: Option<String>,
    #[serde(rename = "validityInSecondsMT")]
    master_life: Option<u64>,
}

impl Tokens {
    /// Logs in.
    pub(super) fn open(connection: &Connection) -> Result<Self, SnowflakeError> {
        let wire = Wire::new(connection.address.clone(), connection.pace.clone());
        let hook = wire.stopped_at_once();
        let current = Mutex::new(login(&wire, connection)?);
        drop(hook);
        if wire.pace.stopped().is_some() {
            // The hook has shut down the client, and the session is to be closed.
            wire.interrupt();
        }
        let (connection, renewing) = (connection.clone(), Mutex::default());
        Ok(Self { wire, connection, current, renewing, closed: AtomicBool::new(false) })
    }

    /// Logs out, and ends all requests of the session. Does nothing if it is closed.
    pub(super) fn close(&self, time: Duration) -> Result<(), SnowflakeError> {
        if self.closed.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        let token = self.session();
        let query = [("delete", "true".to_owned())];
        let call =
            Call { query: &query, token: Some(&token), ..Call::new(Method::POST, "/session") };
        let answer = self.wire.call::<Value>(&call, &mut Attempts::within(time));
        self.wire.shut_down();
        let answer = answer?;
        if answer.success { Ok(()) } else { Err(answer.error(ErrorKind::Answer)) }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Returns the session token.
    pub(super) fn session(&self) -> Secret {
        self.lock().session.clone()
    }

    /// Returns the lifetime of the master token.
    pub(super) fn life(&self) -> Duration {
        self.lock().life
    }

    /// Replaces an expired session token, unless it has been replaced already. The attempts have the
    /// limits of these.
    ///
    /// # Errors
    /// [`ErrorKind::SessionLost`] if the service does not accept the master token any more.
    pub(super) fn renew(
        &self,
        expired: &Secret,
        attempts: &Attempts,
    ) -> Result<(), SnowflakeError> {
        let _renewing = self.renewing.lock().unwrap_or_else(PoisonError::into_inner);
        let (session, master) = {
            let current = self.lock();
            (current.session.clone(), current.master.clone())
        };
        if session != *expired {
            return Ok(());
        }
        let Some(master) = master else {
            let message = "the session token has expired, and the login returned no master token";
            return Err(SnowflakeError::new(ErrorKind::SessionLost, message));
        };
        let query = [("requestId", super::id::new()?)];
        let body = || {
            let old = expired.reveal();
            Ok(json!({"oldSessionToken": old, "requestType": "RENEW"}).to_string())
        };
        let call = Call {
            query: &query,
            token: Some(&master),
            body: &body,
            ..Call::new(Method::POST, "/session/token-request")
        };
        let answer: Envelope<Renewed> = self
            .wire
            .call(&call, &mut attempts.for_another())
            // A renewal executes no statement.
            .map_err(|error| error.with_kind(ErrorKind::Unavailable).during("renewal"))?;
        if !answer.success {
            return Err(answer.error(ErrorKind::SessionLost).during("the session was not renewed"));
        }
        let data = answer.into_data(ErrorKind::SessionLost)?;
        let session = data.session_token.filter(|it| !it.is_empty()).map(Secret::new);
        let session = session
            .ok_or_else(|| SnowflakeError::answer("expected a session token, found none"))?;
        let mut current = self.lock();
        current.session = session;
        if let Some(master) = data.master_token.filter(|it| !it.is_empty()) {
            current.master = Some(Secret::new(master));
        }
        if let Some(life) = data.master_life {
            current.life = Duration::from_secs(life);
        }
        drop(current);
        self.wire.pace.observe(&SessionEvent::Renewed);
        Ok(())
    }

    /// Opens another session in place of a lost one.
    pub(super) fn replace(&self) -> Result<(), SnowflakeError> {
        let _renewing = self.renewing.lock().unwrap_or_else(PoisonError::into_inner);
        let other = login(&self.wire, &self.connection)?;
        *self.lock() = other;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, LoggedIn> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_token_is_in_the_code_or_the_status() {
        let check = |status, body: &str, expected| {
            let answer: Envelope<()> = match Envelope::parse(status, body.as_bytes()) {
                Ok(answer) => answer,
                Err(_) => Envelope::of_status(status),
            };
            assert_eq!(Standing::of(&answer), expected, "{status} {body}");
        };
        check(200, r#"{"success": true}"#, Standing::Valid);
        check(200, r#"{"success": false, "code": "390112"}"#, Standing::Expired);
        check(401, "Session expired", Standing::Expired);
        check(401, r#"{"success": false, "code": "390111"}"#, Standing::Lost);
        check(200, r#"{"success": false, "code": "390114"}"#, Standing::Lost);
        check(200, r#"{"success": false, "code": "002003"}"#, Standing::Valid);
        check(403, "", Standing::Valid);
    }
}
