//! The HTTP clients: they follow no redirect, and return a response for every status.

use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::tls::TlsConfig;
use ureq::typestate::AgentScope;

use super::roots;
use crate::credentials::Origin;
use crate::stop::{Stop, StopHook};

/// One client for this machine and one for all others, with the same settings. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Agents {
    clients: Result<Clients, String>,
}

#[derive(Clone)]
struct Clients {
    /// Uses the proxy of the environment, if one is set.
    remote: Agent,
    local: Agent,
}

impl Agents {
    /// `more` sets what differs: times, encodings, connections.
    pub(crate) fn new(
        more: impl Fn(ConfigBuilder<AgentScope>) -> ConfigBuilder<AgentScope>,
    ) -> Self {
        let clients = roots::of_environment().map(|roots| {
            let agent = |config: ConfigBuilder<AgentScope>| {
                more(config)
                    .http_status_as_error(false)
                    .max_redirects(0)
                    .max_redirects_will_error(false)
                    .user_agent(concat!("snowcat/", env!("CARGO_PKG_VERSION")))
                    .tls_config(TlsConfig::builder().root_certs(roots.clone()).build())
                    .build()
                    .into()
            };
            Clients {
                remote: agent(Agent::config_builder()),
                local: agent(Agent::config_builder().proxy(None)),
            }
        });
        Self { clients }
    }

    /// Returns the client for requests to this origin.
    ///
    /// # Errors
    /// If the certificates of the environment cannot be read.
    pub(crate) fn to(&self, origin: &Origin) -> Result<&Agent, String> {
        let clients = self.clients.as_ref().map_err(Clone::clone)?;
        Ok(if origin.is_local() { &clients.local } else { &clients.remote })
    }

    /// Ends all requests, which fail, and refuses further ones.
    pub(crate) fn shut_down(&self) {
        // Without clients there are no requests.
        if let Ok(Clients { remote, local }) = self.clients.clone() {
            remote.shutdown();
            local.shutdown();
        }
    }

    /// Ends all requests when a stop is requested.
    pub(crate) fn stopped_by(&self, stop: &Stop) -> StopHook {
        let agents = self.clone();
        stop.on_stop(move || agents.shut_down())
    }
}
