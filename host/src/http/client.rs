//! A client that adds credentials, and removes them from responses.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use ureq::Body;
use ureq::http::request::Builder;
use ureq::http::{HeaderName, HeaderValue, Method, Uri};

use super::agents::Agents;
use super::body::{self, ENCODINGS, Unfit, too_large};
use super::echo::Needles;
use super::secrets::KnownSecrets;
use super::target::{ShownRequest, check, encoded, with_parameter};
use super::token::{ClientTokens, TokenClient, is_transient};
use crate::credentials::{Addition, Credentials, Origin, Secret};
use crate::interface::{Failure, Request, Response};
use crate::stop::{Stop, StopHook};

/// Headers that only the client sets. `host` could send a credential to another server at the same
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

/// The limits of a client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HttpLimits {
    /// The time to connect. 15 s by default.
    pub connect: Duration,
    /// The time for a request, including its body. 120 s by default.
    pub total: Duration,
    /// The size of a body in bytes, as sent and decompressed. 100 MiB by default.
    pub body: u64,
    /// The number of concurrent requests. 32 by default: a job requests no more pages at once.
    pub at_once: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            total: Duration::from_secs(120),
            body: 100 << 20,
            at_once: 32,
        }
    }
}

/// A client that adds credentials, follows no redirects, and uses plain HTTP to this machine only.
///
/// ```
/// use snowcat_host::Request;
/// use snowcat_host::credentials::{Credentials, Environment};
/// use snowcat_host::http::{Http, HttpLimits};
///
/// # fn main() -> Result<(), String> {
/// let credentials = Credentials::of_job(&serde_json::json!({}), Box::new(Environment))?;
/// let http = Http::new(credentials, HttpLimits::default());
/// let request = Request {
///     resource: "orders".to_owned(),
///     parent: Vec::new(),
///     method: "GET".to_owned(),
///     url: "http://example.com/orders?key=1".to_owned(),
///     headers: Vec::new(),
///     auth: None,
///     body: None,
/// };
/// // It is not sent: the connection would not be encrypted.
/// for answer in http.fetch(&[request]) {
///     let failure = answer.err().ok_or("expected a failure")?;
///     assert!(failure.message.starts_with("GET http://example.com/orders: expected https"));
/// }
/// # Ok(())
/// # }
/// ```
pub struct Http {
    credentials: Credentials,
    limits: HttpLimits,
    agents: Agents,
    tokens: ClientTokens,
    known: KnownSecrets,
    _stop: Option<StopHook>,
}

/// The addition of a credential to a request.
#[derive(Default)]
struct Added {
    /// The name and value.
    header: Option<(String, Secret)>,
    /// The name as in the URL, and the value as in the secret.
    parameter: Option<(String, Secret)>,
    /// The credential and its fetched token.
    token: Option<(String, Secret)>,
    secrets: Vec<Arc<Needles>>,
}

impl Http {
    /// Returns a client with the credentials of a job.
    #[must_use]
    pub fn new(credentials: Credentials, limits: HttpLimits) -> Self {
        Self {
            credentials,
            limits,
            agents: Agents::new(|config| {
                config
                    .timeout_connect(Some(limits.connect))
                    .timeout_global(Some(limits.total))
                    .accept_encoding(ENCODINGS)
                    .max_idle_connections(limits.at_once)
                    .max_idle_connections_per_host(limits.at_once)
            }),
            tokens: ClientTokens::default(),
            known: KnownSecrets::default(),
            _stop: None,
        }
    }

    /// Ends all requests when this stop is requested: they fail, and so does every further request.
    #[must_use]
    pub fn stopped_by(mut self, stop: &Stop) -> Self {
        self._stop = Some(self.agents.stopped_by(stop));
        self
    }

    /// Sends independent requests. Returns one answer for each, in their order.
    #[must_use]
    pub fn fetch(&self, requests: &[Request]) -> Vec<Result<Response, Failure>> {
        if let [one] = requests {
            return vec![self.send(one)];
        }
        let next = AtomicUsize::new(0);
        // A thread takes the next request when it is done with one, so that a slow one delays no other.
        let work = || {
            let mut answers = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(request) = requests.get(number) else { return answers };
                answers.push((number, self.send(request)));
            }
        };
        let mut answers: Vec<_> = requests.iter().map(|_| None).collect();
        thread::scope(|scope| {
            let threads = requests.len().min(self.limits.at_once.max(1));
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            for (number, answer) in threads.into_iter().flat_map(|it| it.join().unwrap_or_default())
            {
                if let Some(place) = answers.get_mut(number) {
                    *place = Some(answer);
                }
            }
        });
        let panicked = || Err(lasting("the thread of the request panicked".to_owned()));
        answers.into_iter().map(|answer| answer.unwrap_or_else(panicked)).collect()
    }

    fn send(&self, request: &Request) -> Result<Response, Failure> {
        let rejected = |why: String| lasting(format!("{}: {why}", ShownRequest(request)));
        let uri: Uri = request.url.parse().map_err(|e| rejected(format!("not a URL: {e}")))?;
        let origin = check(&uri).map_err(&rejected)?;
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|e| rejected(format!("not a method: {e}")))?;
        let added = match &request.auth {
            None => Added::default(),
            Some(name) => self.added(name, &origin, &rejected)?,
        };
        let uri = match &added.parameter {
            None => uri,
            Some((name, value)) => with_parameter(&uri, name, value).map_err(&rejected)?,
        };
        let message = ureq::http::Request::builder().method(method).uri(uri);
        let message = with_headers(message, &request.headers, added.header.as_ref());
        let message = message.map_err(&rejected)?;

        let agent = self.agents.to(&origin).map_err(&rejected)?;
        let sent = match &request.body {
            None => message.body(()).map_err(ureq::Error::from).and_then(|m| agent.run(m)),
            Some(body) => {
                message.body(body.as_str()).map_err(ureq::Error::from).and_then(|m| agent.run(m))
            }
        };
        let response = sent.map_err(|e| self.failed(request, "", e))?;
        if let Some((name, token)) = &added.token
            && response.status() == 401
        {
            self.tokens.forget(name, token);
        }
        self.read(request, response, &added)
    }

    /// Reads a response: decompressed, as text, and without secrets.
    fn read(
        &self,
        request: &Request,
        mut response: ureq::http::Response<Body>,
        added: &Added,
    ) -> Result<Response, Failure> {
        let status = response.status().as_u16();
        let bytes = response
            .body_mut()
            .with_config()
            // The limit counts the read that finds the end.
            .limit(self.limits.body.saturating_add(1))
            .read_to_vec()
            .map_err(|e| self.failed(request, &status.to_string(), e))?;
        let header = |name| response.headers().get(name).and_then(|it| it.to_str().ok());
        let (encoding, kind) = (header("content-encoding"), header("content-type"));
        let failed = |why: &str, transient| Failure {
            code: status.to_string(),
            message: format!("{}: {why}", ShownRequest(request)),
            transient,
        };
        // The reason quotes headers of the response.
        let body =
            body::text(bytes, encoding, kind, self.limits.body).map_err(|unfit| match unfit {
                Unfit::Broken(why) => failed(&self.known.scrub(why), true),
                Unfit::Lasting(why) => failed(&self.known.scrub(why), false),
            })?;
        let headers = response
            .headers()
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "set-cookie" | "set-cookie2"))
            // A load cannot use values that are not text.
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
        let response = Response { status, headers, body };
        let cleaned = self.known.clean(response, &added.secrets, added.parameter.as_ref());
        cleaned.map_err(|why| failed(&why, false))
    }

    fn failed(&self, request: &Request, code: &str, error: ureq::Error) -> Failure {
        let transient = is_transient(&error);
        let why = match error {
            ureq::Error::BodyExceedsLimit(_) => too_large(self.limits.body),
            error => self.known.scrub(error.to_string()),
        };
        let message = format!("{}: {why}", ShownRequest(request));
        Failure { code: code.to_owned(), message, transient }
    }

    /// Returns the addition of a credential to a request to this origin.
    fn added(
        &self,
        name: &str,
        origin: &Origin,
        rejected: &impl Fn(String) -> Failure,
    ) -> Result<Added, Failure> {
        Ok(match self.credentials.addition(name, origin).map_err(rejected)? {
            Addition::Header { name: header, value, secrets } => {
                let learn = |(number, secret): (usize, Secret)| {
                    self.known.learn(name, &number.to_string(), secret)
                };
                Added {
                    header: Some((header, value)),
                    secrets: secrets.into_iter().enumerate().map(learn).collect(),
                    ..Added::default()
                }
            }
            Addition::Parameter { name: parameter, value } => Added {
                secrets: vec![self.known.learn(name, "0", value.clone())],
                parameter: Some((encoded(&parameter), value)),
                ..Added::default()
            },
            Addition::Token(wanted) => {
                let client = TokenClient {
                    credentials: &self.credentials,
                    known: &self.known,
                    agent: &|origin| self.agents.to(origin),
                };
                let token = self.tokens.bearer(name, &wanted, &client)?;
                let value = Secret::new(format!("Bearer {}", token.reveal()));
                Added {
                    header: Some(("authorization".to_owned(), value)),
                    secrets: vec![self.known.learn(name, "0", token.clone())],
                    token: Some((name.to_owned(), token)),
                    ..Added::default()
                }
            }
        })
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Adds the headers of a request, then that of its credential.
fn with_headers(
    mut message: Builder,
    headers: &[(String, String)],
    credential: Option<&(String, Secret)>,
) -> Result<Builder, String> {
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("{name:?} is not the name of a header"))?;
        if OWN_HEADERS.contains(&name.as_str()) {
            return Err(format!("the header {name} is the client's own"));
        }
        if credential.is_some_and(|(own, _)| own == name.as_str()) {
            return Err(format!("the header {name} is the credential's"));
        }
        let value = HeaderValue::from_str(value)
            .map_err(|_| format!("the value of the header {name} is not valid"))?;
        message = message.header(name, value);
    }
    if let Some((name, value)) = credential {
        let mut value = HeaderValue::from_str(value.reveal())
            .map_err(|_| "the credential cannot be sent in a header".to_owned())?;
        value.set_sensitive(true);
        message = message.header(name, value);
    }
    Ok(message)
}

fn lasting(message: String) -> Failure {
    Failure { code: String::new(), message, transient: false }
}
