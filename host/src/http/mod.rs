//! Requests sent on a load's behalf, as [`Warehouse::fetch`](crate::Warehouse::fetch) promises it.

mod body;
mod echo;
pub(crate) mod token;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use ureq::Agent;
use ureq::http::{HeaderName, HeaderValue, Method, Uri};

use self::body::{ENCODINGS, Unfit, too_large};
use self::echo::{LEAST, LEAST_IN_DATA, NOT_SHOWN, Needles, hide_parameter, holds, shortened};
use self::token::Tokens;
use crate::credentials::{Addition, Credentials, Origin, Secret};
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
    /// Bytes of a body, as sent and decompressed. 100 MiB unless told.
    pub body: u64,
    /// Requests on their way at once. 8 unless told.
    pub at_once: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            total: Duration::from_secs(120),
            body: 100 << 20,
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
    tokens: Tokens,
    /// By credential and part: what no answer may bring into the load.
    known: Mutex<BTreeMap<(String, String), Arc<Needles>>>,
}

/// What a request is sent with.
#[derive(Default)]
struct Own {
    /// Name and value.
    header: Option<(String, Secret)>,
    /// Name, as it is in the URL, and value, as it is in the secret.
    parameter: Option<(String, Secret)>,
    /// The credential and the token that was fetched for it.
    token: Option<(String, Secret)>,
    secrets: Vec<Arc<Needles>>,
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
                .accept_encoding(ENCODINGS)
                .user_agent(concat!("snowcat/", env!("CARGO_PKG_VERSION")))
                .build()
                .into()
        };
        Self {
            credentials,
            limits,
            remote: agent(Agent::config_builder()),
            local: agent(Agent::config_builder().proxy(None)),
            tokens: Tokens::default(),
            known: Mutex::default(),
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

        let own = match &request.auth {
            None => Own::default(),
            Some(name) => self.own(name, &origin, &refused)?,
        };
        if let Some((name, value)) = &own.parameter {
            uri = with_parameter(&uri, name, value).map_err(&refused)?;
        }
        let mut message = ureq::http::Request::builder().method(method).uri(uri);
        for (name, value) in &request.headers {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| refused(format!("{name:?} is not the name of a header")))?;
            if OWN_HEADERS.contains(&name.as_str()) {
                return Err(refused(format!("the header {name} is the client's own")));
            }
            if own.header.as_ref().is_some_and(|(own, _)| own == name.as_str()) {
                return Err(refused(format!("the header {name} is the credential's")));
            }
            let value = HeaderValue::from_str(value)
                .map_err(|_| refused(format!("the value of the header {name} is not valid")))?;
            message = message.header(name, value);
        }
        if let Some((name, value)) = &own.header {
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
        let failed = |code: &str, error: ureq::Error| Failure {
            code: code.to_owned(),
            transient: is_transient(&error),
            message: match error {
                ureq::Error::BodyExceedsLimit(_) => {
                    format!("{}: {}", Place(request), too_large(self.limits.body))
                }
                error => {
                    format!("{}: {}", Place(request), self.scrub(error.to_string()))
                }
            },
        };
        let mut response = sent.map_err(|e| failed("", e))?;
        let status = response.status().as_u16();
        if let Some((name, token)) = &own.token
            && status == 401
        {
            self.tokens.forget(name, token);
        }
        let code = status.to_string();
        let bytes = response
            .body_mut()
            .with_config()
            // It counts the attempt to read on, which finds the end.
            .limit(self.limits.body.saturating_add(1))
            .read_to_vec()
            .map_err(|e| failed(&code, e))?;
        let header = |name| response.headers().get(name).and_then(|it| it.to_str().ok());
        let (encoding, kind) = (header("content-encoding"), header("content-type"));
        let failed = |why: &str, transient| Failure {
            code: code.clone(),
            message: format!("{}: {why}", Place(request)),
            transient,
        };
        // What is wrong with it quotes headers of the answer.
        let body =
            body::text(bytes, encoding, kind, self.limits.body).map_err(|unfit| match unfit {
                Unfit::Broken(why) => failed(&self.scrub(why), true),
                Unfit::Lasting(why) => failed(&self.scrub(why), false),
            })?;
        let headers = response
            .headers()
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "set-cookie" | "set-cookie2"))
            // A value that is not text means nothing to a load.
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
        self.cleaned(Response { status, headers, body }, &own).map_err(|why| failed(&why, false))
    }

    /// What a credential adds to a request to this place.
    fn own(
        &self,
        name: &str,
        origin: &Origin,
        refused: &impl Fn(String) -> Failure,
    ) -> Result<Own, Failure> {
        Ok(match self.credentials.addition(name, origin).map_err(refused)? {
            Addition::Header { name: header, value, secrets } => {
                let learn = |(number, secret): (usize, Secret)| {
                    self.learn(name, &number.to_string(), secret)
                };
                Own {
                    header: Some((header, value)),
                    secrets: secrets.into_iter().enumerate().map(learn).collect(),
                    ..Own::default()
                }
            }
            Addition::Parameter { name: parameter, value } => Own {
                secrets: vec![self.learn(name, "0", value.clone())],
                parameter: Some((encoded(&parameter), value)),
                ..Own::default()
            },
            Addition::Token(wanted) => {
                let token = self.token(name, &wanted)?;
                let value = Secret::new(format!("Bearer {}", token.reveal()));
                Own {
                    header: Some(("authorization".to_owned(), value)),
                    secrets: vec![self.learn(name, "0", token.clone())],
                    token: Some((name.to_owned(), token)),
                    ..Own::default()
                }
            }
        })
    }

    /// The response without a secret: nothing of what quotes one is shown, and as data it is refused.
    fn cleaned(&self, mut response: Response, own: &Own) -> Result<Response, String> {
        let mut secrets = self.known();
        secrets.extend(own.secrets.iter().cloned());
        if let Some((name, value)) = &own.parameter {
            // A link to the next page may have the key: the host adds it again.
            let hidden = |text: String| hide_parameter(text, name, value.reveal());
            response.body = hidden(response.body);
            for (_, value) in &mut response.headers {
                *value = hidden(std::mem::take(value));
            }
        }
        if !(200..300).contains(&response.status) {
            let secrets = shortened(&secrets);
            for (_, value) in &mut response.headers {
                if holds(value, &secrets, LEAST) {
                    "***".clone_into(value);
                }
            }
            if holds(&response.body, &secrets, LEAST) {
                NOT_SHOWN.clone_into(&mut response.body);
            }
            return Ok(response);
        }
        let quotes = |text: &str| holds(text, &secrets, LEAST_IN_DATA);
        if let Some((name, _)) = response.headers.iter().find(|(_, value)| quotes(value)) {
            return Err(format!(
                "the header {name} of the answer quotes a credential, which must not enter the load"
            ));
        }
        if quotes(&response.body) {
            return Err("the answer quotes a credential, which must not enter the load".to_owned());
        }
        Ok(response)
    }

    /// Remembers what no answer may bring into the load.
    fn learn(&self, credential: &str, part: &str, secret: Secret) -> Arc<Needles> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (credential.to_owned(), part.to_owned());
        if let Some(there) = known.get(&key).filter(|there| *there.secret() == secret) {
            return Arc::clone(there);
        }
        let needles = Arc::new(Needles::new(secret));
        known.insert(key, Arc::clone(&needles));
        needles
    }

    fn known(&self) -> Vec<Arc<Needles>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The text without any secret.
    fn scrub(&self, text: String) -> String {
        echo::hide(text, &self.known())
    }

    fn agent(&self, origin: &Origin) -> &Agent {
        if origin.is_local() { &self.local } else { &self.remote }
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
pub(crate) fn check(uri: &Uri) -> Result<Origin, String> {
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

/// The text without these secrets.
pub(crate) fn hide(text: String, secrets: &[Secret]) -> String {
    let needles: Vec<_> = secrets.iter().map(|it| Arc::new(Needles::new(it.clone()))).collect();
    echo::hide(text, &needles)
}

/// The URL with this parameter in its query (its name is encoded), in the place of one of the same name.
fn with_parameter(uri: &Uri, name: &str, value: &Secret) -> Result<Uri, String> {
    let text = uri.to_string();
    let pair = Secret::new(format!("{name}={}", encoded(value.reveal())));
    let path = text.split('?').next().unwrap_or_default();
    let others = uri.query().unwrap_or_default().split('&');
    let others = others.filter(|it| !it.is_empty() && it.split('=').next() != Some(name));
    let query: Vec<&str> = others.chain([pair.reveal()]).collect();
    // Whatever the error quotes would quote the secret.
    format!("{path}?{}", query.join("&"))
        .parse()
        .map_err(|_| "the credential does not fit into the URL".to_owned())
}

/// Percent-encoded: all but the unreserved characters of RFC 3986.
pub(crate) fn encoded(text: &str) -> String {
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

pub(crate) fn is_transient(error: &ureq::Error) -> bool {
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
