//! Requests sent on a load's behalf, as [`Warehouse::fetch`](crate::Warehouse::fetch) promises it.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::http::{HeaderName, HeaderValue, Method, Uri};

use crate::credentials::{Addition, Credentials, Origin, Secret, TokenRequest};
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
    /// Bearer tokens by credential, and until when they hold.
    tokens: Mutex<BTreeMap<String, (Secret, Instant)>>,
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
            tokens: Mutex::default(),
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
        let mut uri: Uri = request.url.parse().map_err(|e| refused(format!("not a URL: {e}")))?;
        let origin = check(&uri).map_err(&refused)?;
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|e| refused(format!("not a method: {e}")))?;

        let credential = match &request.auth {
            None => None,
            Some(name) => match self.credentials.addition(name, &origin).map_err(&refused)? {
                Addition::Header { name, value } => Some((name, value)),
                Addition::Parameter { name, value } => {
                    uri = with_parameter(&uri, &name, &value).map_err(&refused)?;
                    None
                }
                Addition::Token(wanted) => {
                    let token = self.token(name, &wanted)?;
                    let value = Secret::new(format!("Bearer {}", token.reveal()));
                    Some(("authorization".to_owned(), value))
                }
            },
        };
        let mut message = ureq::http::Request::builder().method(method).uri(uri);
        for (name, value) in &request.headers {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| refused(format!("{name:?} is not the name of a header")))?;
            if OWN_HEADERS.contains(&name.as_str()) {
                return Err(refused(format!("the header {name} is the client's own")));
            }
            if credential.as_ref().is_some_and(|(own, _)| own == name.as_str()) {
                return Err(refused(format!("the header {name} is the credential's")));
            }
            let value = HeaderValue::from_str(value)
                .map_err(|_| refused(format!("the value of the header {name} is not valid")))?;
            message = message.header(name, value);
        }
        if let Some((name, value)) = &credential {
            let mut value = HeaderValue::from_str(value.reveal())
                .map_err(|_| refused("the credential cannot be sent in a header".to_owned()))?;
            value.set_sensitive(true);
            message = message.header(name, value);
        }

        let agent = self.agent(&origin);
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
                .filter_map(|(name, value)| {
                    Some((name.to_string(), value.to_str().ok()?.to_owned()))
                })
                .collect(),
            body: String::from_utf8(body).map_err(|e| {
                refused(format!(
                    "expected a body in UTF-8, found other bytes at {}",
                    e.utf8_error().valid_up_to()
                ))
            })?,
        })
    }

    fn agent(&self, origin: &Origin) -> &Agent {
        if origin.is_local() { &self.local } else { &self.remote }
    }

    /// The bearer token of a credential, fetched when there is none or it is about to expire.
    fn token(&self, credential: &str, wanted: &TokenRequest) -> Result<Secret, Failure> {
        // Held while fetching: of several requests at once, one asks.
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((token, expiry)) = tokens.get(credential)
            && Instant::now() < *expiry
        {
            return Ok(token.clone());
        }
        let failed = |why: String, transient| Failure {
            code: String::new(),
            message: format!("the token of the credential {credential}: {why}"),
            transient,
        };
        let uri: Uri = wanted.url.parse().map_err(|_| failed("not a URL".to_owned(), false))?;
        let origin = check(&uri).map_err(|why| failed(why, false))?;
        let mut form = vec![
            ("client_id", wanted.id.reveal()),
            ("client_secret", wanted.secret.reveal()),
            ("grant_type", "client_credentials"),
        ];
        // What the job gives goes before what is usual.
        form.retain(|(name, _)| !wanted.data.contains_key(*name));
        form.extend(wanted.data.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let mut response = self
            .agent(&origin)
            .post(uri)
            .send_form(form)
            .map_err(|e| failed(e.to_string(), is_transient(&e)))?;
        let status = response.status();
        if !status.is_success() {
            let transient = status.is_server_error() || status == 429;
            return Err(failed(format!("the server said {status}"), transient));
        }
        // The text of these errors could quote the answer, and the answer is the secret.
        let unfit = |_| failed("expected an object with an access_token".to_owned(), false);
        let body = response.body_mut().read_to_vec().map_err(|_| unfit(()))?;
        let token: Token = serde_json::from_slice(&body).map_err(|_| unfit(()))?;
        let lasts = Duration::from_secs(token.expires_in.unwrap_or(3600).saturating_sub(10));
        let secret = Secret::new(token.access_token);
        if let Some(expiry) = Instant::now().checked_add(lasts) {
            tokens.insert(credential.to_owned(), (secret.clone(), expiry));
        }
        Ok(secret)
    }
}

#[derive(serde::Deserialize)]
struct Token {
    access_token: String,
    expires_in: Option<u64>,
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

/// The URL with one more parameter in its query.
fn with_parameter(uri: &Uri, name: &str, value: &Secret) -> Result<Uri, String> {
    let text = uri.to_string();
    let joint = if uri.query().is_none() { '?' } else { '&' };
    // Whatever the error quotes would quote the secret.
    format!("{text}{joint}{}={}", encoded(name), encoded(value.reveal()))
        .parse()
        .map_err(|_| "the credential does not fit into the URL".to_owned())
}

/// Percent-encoded: all but the unreserved characters of RFC 3986.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
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
