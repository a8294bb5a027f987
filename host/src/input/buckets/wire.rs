//! Requests to buckets: sent, retried, and reported when they fail.

use std::fmt;
use std::thread;
use std::time::Duration;

use ureq::Agent;
use ureq::http::Uri;

use crate::cloud::exchange::{CloudAgents, CloudFailure, CloudResponse, refused};
use crate::cloud::request::Ask;
use crate::credentials::Secret;

/// What a cloud makes of requests and answers.
pub(super) trait Cloud: Send + Sync {
    /// Adds what shows who asks, to a request that is sent now. Gives back what no error may quote.
    ///
    /// # Errors
    /// When there are credentials and they are of no use.
    fn sign(&self, ask: &mut Ask, wire: &CloudClient) -> Result<Vec<Secret>, CloudFailure>;

    /// Whether something was learned from a refusal, and another try is worth it.
    fn learn(&self, _: &CloudResponse) -> bool {
        false
    }

    /// What to say where requests are not signed and one is refused.
    fn unsigned(&self) -> Option<&'static str>;
}

/// As a load's requests: five times, with waits that double from one second.
const TRIES: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// No wait is longer, whatever a server asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Sends requests, again where that is worth it.
pub(super) struct CloudClient {
    agents: CloudAgents,
    first_wait: Duration,
}

impl CloudClient {
    pub(super) fn new() -> Self {
        Self { agents: CloudAgents::new(), first_wait: FIRST_WAIT }
    }

    #[must_use]
    pub(super) fn waiting(mut self, first: Duration) -> Self {
        self.first_wait = first;
        self
    }

    /// The client for a URL, if a request may go there.
    pub(super) fn agent(&self, uri: &Uri) -> Result<&Agent, String> {
        self.agents.to(uri)
    }

    /// Sends until there is an answer that fits. `fit` says why one that says it went well does not.
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
                // At once, and once only: what was learned does not depend on time.
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
            thread::sleep(asked.map_or(wait, Duration::from_secs).min(LONGEST_WAIT));
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
