//! One exchange with the service: headers, attempts, redirects.

use std::io::Read as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use ureq::Timeout;
use ureq::http::{HeaderMap, HeaderValue, Method, Uri};

use super::account::Address;
use super::attempts::{Attempts, Miss, Trouble};
use super::connection::Pace;
use super::envelope::Envelope;
use super::error::{ErrorKind, SnowflakeError};
use super::id;
use crate::credentials::{Origin, Secret};
use crate::gzip::Members;
use crate::http::{Agents, check, encoded};
use crate::stop::StopHook;

/// The largest answer, decompressed.
const LARGEST: u64 = 1 << 30;
/// Redirects of one request.
const MOST_REDIRECTS: u32 = 5;
/// Requests of a session with this header reach the same server.
const STICKY: &str = "x-snowflake-session";

/// The service, with the clients that send requests.
pub(super) struct Wire {
    agents: Mutex<Agents>,
    address: Address,
    pub(super) pace: Pace,
    sticky: Mutex<Option<HeaderValue>>,
}

/// A request to the service.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// Begins with a slash; may have a query.
    pub(super) path: &'a str,
    pub(super) query: &'a [(&'static str, String)],
    pub(super) accept: &'static str,
    pub(super) token: Option<&'a Secret>,
    /// Returns the body of one attempt.
    pub(super) body: &'a dyn Fn() -> Result<String, SnowflakeError>,
}

impl<'a> Call<'a> {
    /// Returns a call without query, token and body.
    pub(super) fn new(method: Method, path: &'a str) -> Self {
        Self {
            method,
            path,
            query: &[],
            accept: "application/snowflake",
            token: None,
            body: &|| Ok(String::new()),
        }
    }
}

/// A complete answer.
struct Received {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Wire {
    pub(super) fn new(address: Address, pace: Pace) -> Self {
        let agents = Mutex::new(agents(&pace));
        Self { agents, address, pace, sticky: Mutex::default() }
    }

    /// Ends the requests on their way, which fail. Later ones are sent.
    pub(super) fn interrupt(&self) {
        let old = std::mem::replace(&mut *self.lock(), agents(&self.pace));
        old.shut_down();
    }

    /// Ends the requests on their way, and refuses further ones.
    pub(super) fn shut_down(&self) {
        self.lock().shut_down();
    }

    /// Ends requests when a stop is requested, until the hook is dropped.
    pub(super) fn stopped_at_once(&self) -> Option<StopHook> {
        let stop = self.pace.stop.as_ref()?;
        Some(self.lock().stopped_by(stop))
    }

    fn lock(&self) -> MutexGuard<'_, Agents> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Repeats a request until the service answers.
    pub(super) fn call<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
        attempts: &mut Attempts,
    ) -> Result<Envelope<T>, SnowflakeError> {
        attempts.run(&self.pace, |attempts| {
            let url = self.url(call, attempts).map_err(Miss::Never)?;
            let body = (call.body)().map_err(Miss::Never)?;
            let received = self.followed(call, url, &body, attempts)?;
            self.keep_sticky(&received.headers);
            let again = |message: String| {
                let Received { status, headers, .. } = &received;
                Miss::Again(trouble(*status, headers, message))
            };
            if retried(received.status) {
                return Err(again(format!("the service answered {}", received.status)));
            }
            match Envelope::parse(received.status, &received.body) {
                Ok(envelope) => Ok(envelope),
                Err(why) if received.status == 200 => Err(again(why)),
                Err(_) => Ok(Envelope::of_status(received.status)),
            }
        })
    }

    /// Reads a file of a result from a store: the request has no token.
    pub(super) fn file(
        &self,
        url: &str,
        headers: &[(String, Secret)],
    ) -> Result<Vec<u8>, SnowflakeError> {
        Attempts::default().run(&self.pace, |_| {
            let mut request = ureq::http::Request::builder().method(Method::GET).uri(url);
            for (name, value) in headers {
                let value = sensitive(value).map_err(Miss::Never)?;
                request = request.header(name, value);
            }
            let request = request.body(()).map_err(|_| refused("not a request"))?;
            stored(self.once(request, self.pace.timeout)?)
        })
    }

    /// Sends a request, and follows redirects.
    fn followed(
        &self,
        call: &Call<'_>,
        first: String,
        body: &str,
        attempts: &Attempts,
    ) -> Result<Received, Miss> {
        let mut url = first;
        for _ in 0..=MOST_REDIRECTS {
            let timeout = attempts.timeout(self.pace.timeout);
            let uri: Uri = url.parse().map_err(|_| refused("not a URL"))?;
            let request = self.request(call, uri.clone()).map_err(Miss::Never)?;
            let received = match call.method {
                Method::GET => {
                    let request = request.body(()).map_err(|_| refused("not a request"))?;
                    self.once(request, timeout)
                }
                _ => {
                    let request = request.body(body).map_err(|_| refused("not a request"))?;
                    self.once(request, timeout)
                }
            }?;
            if !matches!(received.status, 307 | 308) {
                return Ok(received);
            }
            url = self.target(&uri, &received)?;
        }
        let message = format!("more than {MOST_REDIRECTS} redirects");
        Err(Miss::Again(Trouble { status: 307, executed: false, wait: None, message }))
    }

    fn request(
        &self,
        call: &Call<'_>,
        uri: Uri,
    ) -> Result<ureq::http::request::Builder, SnowflakeError> {
        let mut request = ureq::http::Request::builder()
            .method(call.method.clone())
            .uri(uri)
            .header("accept", call.accept)
            .header("accept-encoding", "gzip")
            .header("content-type", "application/json");
        if let Some(token) = call.token {
            let value = Secret::new(format!("Snowflake Token=\"{}\"", token.reveal()));
            request = request.header("authorization", sensitive(&value)?);
        }
        let sticky = self.sticky.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = sticky.as_ref() {
            request = request.header(STICKY, value);
        }
        Ok(request)
    }

    fn keep_sticky(&self, headers: &HeaderMap) {
        if let Some(value) = headers.get(STICKY) {
            let mut sticky = self.sticky.lock().unwrap_or_else(PoisonError::into_inner);
            *sticky = Some(value.clone());
        }
    }

    /// Sends a request once and reads the whole answer.
    fn once(
        &self,
        request: ureq::http::Request<impl ureq::AsSendBody>,
        timeout: Duration,
    ) -> Result<Received, Miss> {
        let origin = check(request.uri()).map_err(refused)?;
        let agents = self.lock().clone();
        let agent = agents.to(&origin).map_err(refused)?;
        let request = agent.configure_request(request).timeout_global(Some(timeout)).build();
        let mut response = agent.run(request).map_err(|error| missed(&error, &origin))?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.body_mut().with_config().limit(LARGEST).read_to_vec();
        let body = body.map_err(|error| broken_off(&error, &origin))?;
        let body = unpacked(body).map_err(|why| Miss::Again(trouble(status, &headers, why)))?;
        Ok(Received { status, headers, body })
    }

    /// Returns the target of a redirect.
    fn target(&self, from: &Uri, received: &Received) -> Result<String, Miss> {
        let location = received.headers.get("location").and_then(|it| it.to_str().ok());
        let location = location.ok_or_else(|| refused("a redirect without a location"))?;
        let url = if location.starts_with('/') {
            let authority = from.authority().map_or("", |it| it.as_str());
            format!("{}://{authority}{location}", from.scheme_str().unwrap_or("https"))
        } else {
            location.to_owned()
        };
        let uri: Uri = url.parse().map_err(|_| refused("a redirect to what is no URL"))?;
        let (scheme, host) = (uri.scheme_str().unwrap_or(""), uri.host().unwrap_or(""));
        if self.address.may_redirect(scheme, host, uri.port_u16()) {
            return Ok(url);
        }
        Err(refused(format!(
            "expected a redirect to the same host or to one of the service, found {scheme}://{host}"
        )))
    }

    fn url(&self, call: &Call<'_>, attempts: &Attempts) -> Result<String, SnowflakeError> {
        let mut url = format!("{}{}", self.address, call.path);
        let mut mark = if call.path.contains('?') { '&' } else { '?' };
        let mut add = |name: &str, value: &str| {
            url.push(mark);
            mark = '&';
            url.push_str(name);
            url.push('=');
            url.push_str(&encoded(value));
        };
        for (name, value) in call.query {
            add(name, value);
        }
        add("request_guid", &id::new()?);
        if attempts.made > 0 {
            add("retryCount", &attempts.made.to_string());
            add("retryReason", &attempts.reason.to_string());
        }
        Ok(url)
    }
}

fn agents(pace: &Pace) -> Agents {
    let connect = Duration::from_secs(15).min(pace.timeout);
    Agents::new(|config| config.timeout_connect(Some(connect)))
}

/// Returns the body of a store's answer.
fn stored(received: Received) -> Result<Vec<u8>, Miss> {
    let status = received.status;
    if status == 200 {
        return Ok(received.body);
    }
    let trouble = trouble(status, &received.headers, format!("the store answered {status}"));
    // An expired URL stays expired.
    if retried(status) {
        return Err(Miss::Again(trouble));
    }
    let error = SnowflakeError::answer(trouble.message);
    Err(Miss::Never(error.with_code(status.to_string())))
}

/// Returns `true` if another attempt may have another answer.
const fn retried(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..=599)
}

fn trouble(status: u16, headers: &HeaderMap, message: String) -> Trouble {
    let wait = headers.get("retry-after").and_then(|it| it.to_str().ok()?.trim().parse().ok());
    // The service is too busy to begin the statement.
    let executed = !matches!(status, 429 | 503);
    Trouble { status, executed, wait: wait.map(Duration::from_secs), message }
}

/// The failure of a request that is not sent, or not redirected.
fn refused(why: impl Into<String>) -> Miss {
    Miss::Never(SnowflakeError::answer(why))
}

/// The failure of a request without an answer. It has no URL, because those of a store contain a
/// signature.
fn missed(error: &ureq::Error, origin: &Origin) -> Miss {
    use std::io::ErrorKind as Io;
    let (lasting, executed) = match error {
        // An invalid certificate is reported as invalid data.
        ureq::Error::Io(error) => match error.kind() {
            Io::InvalidData => (true, false),
            Io::ConnectionRefused | Io::HostUnreachable | Io::NetworkUnreachable => (false, false),
            _ => (false, true),
        },
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => (false, false),
        ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => (false, false),
        ureq::Error::Timeout(_) | ureq::Error::Protocol(_) => (false, true),
        _ => (true, false),
    };
    let message = format!("{origin}: {error}");
    if lasting {
        return Miss::Never(SnowflakeError::new(ErrorKind::Connection, message));
    }
    Miss::Again(Trouble { status: 0, executed, wait: None, message })
}

/// The failure of an answer whose body cannot be read: the server may have executed the request.
fn broken_off(error: &ureq::Error, origin: &Origin) -> Miss {
    let message = format!("{origin}: {error}");
    match error {
        ureq::Error::BodyExceedsLimit(_) => {
            Miss::Never(SnowflakeError::new(ErrorKind::OutcomeUnknown, message))
        }
        _ => Miss::Again(Trouble { status: 0, executed: true, wait: None, message }),
    }
}

fn sensitive(value: &Secret) -> Result<HeaderValue, SnowflakeError> {
    let mut value = HeaderValue::from_str(value.reveal())
        .map_err(|_| SnowflakeError::answer("a token that cannot be sent in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The mark that a gzip stream begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Returns the decompressed body. Neither JSON nor rows begin like a compressed stream.
fn unpacked(body: Vec<u8>) -> Result<Vec<u8>, String> {
    if !body.starts_with(&GZIP) {
        return Ok(body);
    }
    let mut unpacked = Vec::new();
    Members::new(&*body)
        .take(LARGEST + 1)
        .read_to_end(&mut unpacked)
        .map_err(|error| format!("the compressed answer cannot be read: {error}"))?;
    if unpacked.len() as u64 > LARGEST {
        return Err(format!("expected an answer of at most {LARGEST} bytes, found more"));
    }
    Ok(unpacked)
}
