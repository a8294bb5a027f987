//! The HTTP clients: they follow no redirect, and return a response for every status.

use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;

use crate::credentials::Origin;

/// One client for this machine and one for all others, with the same settings.
pub(crate) struct Agents {
    /// Uses the proxy of the environment, if one is set.
    remote: Agent,
    local: Agent,
}

impl Agents {
    /// `more` sets what differs: times, encodings, connections.
    pub(crate) fn new(
        more: impl Fn(ConfigBuilder<AgentScope>) -> ConfigBuilder<AgentScope>,
    ) -> Self {
        let agent = |config: ConfigBuilder<AgentScope>| {
            more(config)
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .user_agent(concat!("snowcat/", env!("CARGO_PKG_VERSION")))
                .build()
                .into()
        };
        Self {
            remote: agent(Agent::config_builder()),
            local: agent(Agent::config_builder().proxy(None)),
        }
    }

    /// Returns the client for requests to this origin.
    pub(crate) fn to(&self, origin: &Origin) -> &Agent {
        if origin.is_local() { &self.local } else { &self.remote }
    }
}
