//! Requests sent on a load's behalf, as [`Warehouse::fetch`](crate::Warehouse::fetch) promises it.

use std::fmt;
use std::io;
use std::thread;
use std::time::Duration;

use ureq::Agent;
use ureq::http::{HeaderName, HeaderValue, Method, Uri};

use crate::credentials::{Credentials, Origin};
use crate::interface::{Failure, Request, Response};

/// Headers that are the client's own. `host` would send a credential to somebody else behind the same
/// address; the others would contradict the message.
const OWN_HEADERS: [&str; 7] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "transfer-encoding",
    "upgrade",
];

/// What a client may use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HttpLimits {
    /// Time to connect. 15 s unless told.
    pub connect: Duration,
    /// Time for a whole request, its body included. 120 s unless told.
    pub total: Duration,
    /// Bytes of a body, decompressed. 64 MiB unless told.
    pub body: u64,
    /// Requests on their way at once. 8 unless told.
    pub at_once: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            total: Duration::from_secs(120),
            body: 64 << 20,
            at_once: 8,
        }
    }
}

/// A client that adds credentials, follows no redirect, and speaks plain HTTP to this machine only.
pub struct Http {
    credentials: Credentials,
    limits: HttpLimits,
    /// Through the proxy that the environment names, if it does.
    remote: Agent,
    local: Agent,
}

impl Http {
    /// A client with the credentials of a job.
    #[must_use]
    pub fn new(credentials: Credentials, limits: HttpLimits) -> Self {
        let agent = |config: ureq::config::ConfigBuilder<ureq::typestate::AgentScope>| {
            config
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .timeout_connect(Some(limits.connect))
                .timeout_global(Some(limits.total))
                .user_agent(concat!("snowcat/", env!("CARGO_PKG_VERSION")))
                .build()
                .into()
        };
        Self {
            credentials,
            limits,
            remote: agent(Agent::config_builder()),
            local: agent(Agent::config_builder().proxy(None)),
        }
    }

    /// Sends requests that do not depend on one another; one answer each, in their order.
    #[must_use]
    pub fn fetch(&self, requests: &[Request]) -> Vec<Result<Response, Failure>> {
        let mut answers = Vec::with_capacity(requests.len());
        for some in requests.chunks(self.limits.at_once.max(1)) {
            if let [one] = some {
                answers.push(self.send(one));
                continue;
            }
            thread::scope(|scope| {
                let threads: Vec<_> =
                    some.iter().map(|request| scope.spawn(|| self.send(request))).collect();
                answers.extend(threads.into_iter().map(|thread| {
                    thread.join().unwrap_or_else(|_| {
                        Err(lasting("the thread of the request panicked".to_owned()))
                    })
                }));
            });
        }
        answers
    }

    fn send(&self, request: &Request) -> Result<Response, Failure> {
        let refused = |why: String| lasting(format!("{}: {why}", Place(request)));
        let uri: Uri = request.url.parse().map_err(|e| refused(format!("not a URL: {e}")))?;
        let origin = check(&uri).map_err(&refused)?;
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|e| refused(format!("not a method: {e}")))?;

        let mut message = ureq::http::Request::builder().method(method).uri(uri);
        let credential = match &request.auth {
            None => None,
            Some(name) => Some(self.credentials.header(name, &origin).map_err(&refused)?),
        };
        for (name, value) in &request.headers {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| refused(format!("{name:?} is not the name of a header")))?;
            if OWN_HEADERS.contains(&name.as_str()) {
                return Err(refused(format!("the header {name} is the client's own")));
            }
            if credential.as_ref().is_some_and(|own| own.name == name.as_str()) {
                return Err(refused(format!("the header {name} is the credential's")));
            }
            let value = HeaderValue::from_str(value)
                .map_err(|_| refused(format!("the value of the header {name} is not valid")))?;
            message = message.header(name, value);
        }
        if let Some(own) = &credential {
            let mut value = HeaderValue::from_str(own.value.reveal())
                .map_err(|_| refused("the credential cannot be sent in a header".to_owned()))?;
            value.set_sensitive(true);
            message = message.header(&own.name, value);
        }

        let agent = if origin.is_local() { &self.local } else { &self.remote };
        let sent = match &request.body {
            None => message.body(()).map_err(ureq::Error::from).and_then(|m| agent.run(m)),
            Some(body) => {
                message.body(body.as_str()).map_err(ureq::Error::from).and_then(|m| agent.run(m))
            }
        };
        let failed = |error: ureq::Error| Failure {
            code: String::new(),
            transient: is_transient(&error),
            message: format!("{}: {error}", Place(request)),
        };
        let mut response = sent.map_err(failed)?;
        let body = response
            .body_mut()
            .with_config()
            .limit(self.limits.body)
            .read_to_vec()
            .map_err(failed)?;
        Ok(Response {
            status: response.status().as_u16(),
            headers: response
                .headers()
                .iter()
                .filter(|(name, _)| !matches!(name.as_str(), "set-cookie" | "set-cookie2"))
                // A value that is not text means nothing to a load.
                .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
                .collect(),
            body: String::from_utf8(body).map_err(|e| {
                refused(format!(
                    "expected a body in UTF-8, found other bytes at {}",
                    e.utf8_error().valid_up_to()
                ))
            })?,
        })
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// A request as an error tells of it: without the query, where people put keys.
pub(crate) struct Place<'a>(pub(crate) &'a Request);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Request { method, url, .. } = self.0;
        let end = url.find(['?', '#']).unwrap_or(url.len());
        let (scheme, rest) = url[..end].split_once("://").unwrap_or(("", &url[..end]));
        // A user in the URL is refused; the refusal must not quote the password.
        let authority = rest.find('/').unwrap_or(rest.len());
        let start = rest[..authority].rfind('@').map_or(0, |at| at + 1);
        write!(f, "{method} {scheme}://{}", &rest[start..])
    }
}

/// Where the URL leads, if a request may go there.
fn check(uri: &Uri) -> Result<Origin, String> {
    let host = uri.host().ok_or("expected a URL with a host")?;
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("expected a URL without a user; name a credential instead".to_owned());
    }
    match uri.scheme_str() {
        Some("https") => Ok(Origin::new(host, uri.port_u16(), 443)),
        Some("http") => {
            let origin = Origin::new(host, uri.port_u16(), 80);
            if origin.is_local() {
                Ok(origin)
            } else {
                Err("expected https, for the host is not this machine".to_owned())
            }
        }
        _ => Err("expected a URL with https".to_owned()),
    }
}

fn is_transient(error: &ureq::Error) -> bool {
    match error {
        // A certificate that is not valid arrives as invalid data.
        ureq::Error::Io(error) => error.kind() != io::ErrorKind::InvalidData,
        ureq::Error::ConnectionFailed | ureq::Error::HostNotFound | ureq::Error::Timeout(_) => true,
        _ => false,
    }
}

fn lasting(message: String) -> Failure {
    Failure { code: String::new(), message, transient: false }
}
