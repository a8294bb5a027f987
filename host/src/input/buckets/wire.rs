//! Requests to buckets: sent, retried, and reported when they fail.

use std::fmt;
use std::time::Duration;

use ureq::Agent;
use ureq::http::Uri;

use crate::cloud::exchange::{CloudAgents, CloudFailure, CloudResponse, refused};
use crate::cloud::request::Ask;
use crate::credentials::Secret;
use crate::stop::{Stop, StopHook};

/// The credentials of a cloud: signatures, and reactions to refusals.
pub(super) trait Cloud: Send + Sync {
    /// Adds the credentials to a request that is sent now. Returns the secrets that no error may
    /// contain.
    ///
    /// # Errors
    /// If there are credentials and they cannot be used.
    fn sign(&self, ask: &mut Ask, wire: &CloudClient) -> Result<Vec<Secret>, CloudFailure>;

    /// Returns `true` if the refusal has information with which a retry may succeed.
    fn learn(&self, _: &CloudResponse) -> bool {
        false
    }

    /// A hint for the refusal of a request that is not signed.
    fn unsigned(&self) -> Option<&'static str>;
}

/// The same as for the requests of a load: five attempts, with waits that double from one second.
const TRIES: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait, even if a server asks for more.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Sends requests, again where that is worth it.
#[derive(Clone)]
pub(super) struct CloudClient {
    agents: CloudAgents,
    first_wait: Duration,
    stop: Stop,
    _hook: Option<StopHook>,
}

impl CloudClient {
    pub(super) fn new() -> Self {
        Self { agents: CloudAgents::new(), first_wait: FIRST_WAIT, stop: Stop::new(), _hook: None }
    }

    #[must_use]
    pub(super) fn waiting(mut self, first: Duration) -> Self {
        self.first_wait = first;
        self
    }

    #[must_use]
    pub(super) fn stopped_by(mut self, stop: &Stop) -> Self {
        self.stop = stop.clone();
        self._hook = Some(self.agents.stopped_by(stop));
        self
    }

    /// The client for a URL, if requests to it are allowed.
    pub(super) fn agent(&self, uri: &Uri) -> Result<&Agent, String> {
        self.agents.to(uri)
    }

    /// Sends a request until its response is valid. `fit` checks a response with a status of
    /// success.
    pub(super) fn send(
        &self,
        cloud: &dyn Cloud,
        ask: impl Fn() -> Ask,
        fit: impl Fn(&CloudResponse) -> Result<(), String>,
    ) -> Result<CloudResponse, CloudFailure> {
        let mut wait = self.first_wait;
        let mut learned = false;
        let mut tried = 0;
        loop {
            tried += 1;
            let mut asked = None;
            let mut again = false;
            let found = self.once(cloud, ask()).and_then(|answer| {
                if !matches!(answer.status, 200 | 206) {
                    asked = answer.header("retry-after").and_then(|it| it.trim().parse().ok());
                    again = !learned && cloud.learn(&answer);
                    return Err(refused(&answer, cloud.unsigned()));
                }
                let broken =
                    |why| CloudFailure { status: answer.status, transient: true, message: why };
                fit(&answer).map_err(broken)?;
                Ok(answer)
            });
            let mut trouble = match found {
                Ok(answer) => return Ok(answer),
                // Without a wait, and only once: the information does not depend on time.
                Err(_) if again => {
                    learned = true;
                    continue;
                }
                Err(trouble) => trouble,
            };
            if !trouble.transient || tried >= TRIES {
                if trouble.transient {
                    trouble.message.push_str(&format!(" (tried {tried} times)"));
                }
                return Err(trouble);
            }
            let pause = asked.map_or(wait, Duration::from_secs).min(LONGEST_WAIT);
            if !self.stop.wait(pause) {
                return Err(trouble);
            }
            wait *= 2;
        }
    }

    fn once(&self, cloud: &dyn Cloud, mut ask: Ask) -> Result<CloudResponse, CloudFailure> {
        let secrets = cloud.sign(&mut ask, self)?;
        self.agents.exchange(&ask, &secrets)
    }
}

impl fmt::Debug for CloudClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}
