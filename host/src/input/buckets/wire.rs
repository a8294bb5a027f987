//! Requests to buckets: sent, retried, and reported when they fail.

use std::fmt;
use std::io;
use std::thread;
use std::time::Duration;

use ureq::Agent;
use ureq::http::{HeaderMap, HeaderValue, Uri};

use super::xml;
use crate::credentials::Secret;
use crate::http::{check, encoded, hide, is_transient};

/// A request, before it is signed. Nothing in it is encoded but `path`.
#[derive(Clone, Debug, Default)]
pub(super) struct Ask {
    /// `HEAD` and not `GET`.
    pub(super) head: bool,
    /// Scheme, host, and the port where it has one of its own.
    pub(super) origin: String,
    /// Encoded; begins with a slash.
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    /// Names in lower case.
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Ask {
    pub(super) fn method(&self) -> &'static str {
        if self.head { "HEAD" } else { "GET" }
    }

    /// Host and port, as they are sent.
    pub(super) fn host(&self) -> &str {
        self.origin.split_once("://").map_or("", |(_, host)| host)
    }

    pub(super) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(other, _)| *other == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    fn url(&self) -> String {
        let pair =
            |(name, value): &(String, String)| format!("{}={}", encoded(name), encoded(value));
        let query = self.query.iter().map(pair).collect::<Vec<_>>().join("&");
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{}{mark}{query}", self.origin, self.path)
    }
}

/// Where a cloud is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Endpoint {
    /// Scheme, host and port.
    origin: String,
    /// Before all others; empty, or begins with a slash.
    path: String,
}

impl Endpoint {
    pub(super) fn of_host(host: &str) -> Self {
        Self { origin: format!("https://{host}"), path: String::new() }
    }

    /// A URL that a person gave. Without a scheme it is of this machine, as those of emulators are, or has
    /// TLS.
    pub(super) fn parse(url: &str) -> Option<Self> {
        let url = url.trim();
        let plain = format!("http://{url}");
        let local = plain.parse().is_ok_and(|uri| check(&uri).is_ok());
        let scheme = if local { "http" } else { "https" };
        let (scheme, rest) = url.split_once("://").unwrap_or((scheme, url));
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let origin = format!("{scheme}://{host}");
        let fits = !host.is_empty() && !url.contains(['?', '#', '@']);
        fits.then(|| Self { origin, path: path.trim_end_matches('/').to_owned() })
    }

    /// A request to a path of these parts.
    pub(super) fn ask(&self, parts: &[&str]) -> Ask {
        let path = format!("{}{}", self.path, path(parts));
        Ask { origin: self.origin.clone(), path, ..Ask::default() }
    }
}

/// A path of these parts, each with slashes in it perhaps, percent-encoded.
fn path(parts: &[&str]) -> String {
    let slashed = |part: &&str| part.split('/').map(encoded).collect::<Vec<_>>().join("/");
    format!("/{}", parts.iter().map(slashed).collect::<Vec<_>>().join("/"))
}

/// The text of percent-encoded bytes; `None` if they are none in UTF-8.
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex =
            after.get(..2).filter(|hex| first == b'%' && hex.iter().all(u8::is_ascii_hexdigit));
        let code = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8(bytes).ok()
}

/// An answer.
pub(super) struct CloudResponse {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl CloudResponse {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

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

/// Why a request has no answer.
#[derive(Debug)]
pub(super) struct CloudFailure {
    /// The status of HTTP; 0 if there was no answer.
    pub(super) status: u16,
    pub(super) transient: bool,
    pub(super) message: String,
}

impl CloudFailure {
    pub(super) fn lasting(message: impl Into<String>) -> Self {
        Self { status: 0, transient: false, message: message.into() }
    }

    /// The same, with what was done.
    pub(super) fn of(mut self, operation: impl fmt::Display) -> io::Error {
        self.message = format!("{operation}: {}", self.message);
        let kind = if self.status == 404 { io::ErrorKind::NotFound } else { io::ErrorKind::Other };
        io::Error::new(kind, self.message)
    }
}

/// As a load's requests: five times, with waits that double from one second.
const TRIES: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// No wait is longer, whatever a server asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// No answer is larger: neither a part of a file nor a page of a list.
pub(super) const LARGEST: u64 = 64 << 20;

/// A client that follows no redirect, and speaks plain HTTP to this machine only.
pub(super) struct CloudClient {
    /// Through the proxy that the environment names, if it does.
    remote: Agent,
    local: Agent,
    first_wait: Duration,
}

impl CloudClient {
    pub(super) fn new() -> Self {
        let agent = |config: ureq::config::ConfigBuilder<ureq::typestate::AgentScope>| {
            config
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .timeout_connect(Some(Duration::from_secs(15)))
                .timeout_global(Some(Duration::from_secs(120)))
                .user_agent(concat!("snowcat/", env!("CARGO_PKG_VERSION")))
                .build()
                .into()
        };
        Self {
            remote: agent(Agent::config_builder()),
            local: agent(Agent::config_builder().proxy(None)),
            first_wait: FIRST_WAIT,
        }
    }

    #[must_use]
    pub(super) fn waiting(mut self, first: Duration) -> Self {
        self.first_wait = first;
        self
    }

    /// The client for a URL, if a request may go there.
    pub(super) fn agent(&self, uri: &Uri) -> Result<&Agent, String> {
        let local = check(uri)?.is_local();
        Ok(if local { &self.local } else { &self.remote })
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
        // Neither a URL nor a header is quoted: a signature may be in it.
        let uri: Uri = ask.url().parse().map_err(|_| CloudFailure::lasting("not a URL"))?;
        let agent = self.agent(&uri).map_err(CloudFailure::lasting)?;
        let mut message = ureq::http::Request::builder().method(ask.method()).uri(uri);
        for (name, value) in &ask.headers {
            let mut value = HeaderValue::from_str(value)
                .map_err(|_| CloudFailure::lasting(format!("the header {name} cannot be sent")))?;
            value.set_sensitive(*name == "authorization" || *name == "x-amz-security-token");
            message = message.header(*name, value);
        }
        let failed = |error: ureq::Error| CloudFailure {
            status: 0,
            transient: is_transient(&error),
            message: error.to_string(),
        };
        let sent = message.body(()).map_err(ureq::Error::from).and_then(|it| agent.run(it));
        let (parts, body) = sent.map_err(failed)?.into_parts();
        let body = if ask.head {
            Vec::new()
        } else {
            body.into_with_config().limit(LARGEST).read_to_vec().map_err(failed)?
        };
        let mut answer =
            CloudResponse { status: parts.status.as_u16(), headers: parts.headers, body };
        if !parts.status.is_success() {
            // Those that refuse a signature say how they have read it.
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            answer.body = hide(text, &secrets).into_bytes();
        }
        Ok(answer)
    }
}

impl fmt::Debug for CloudClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

/// What a refusal says.
fn refused(answer: &CloudResponse, unsigned: Option<&str>) -> CloudFailure {
    let status = answer.status;
    let mut message = format!("the server said {status}");
    // A HEAD has no body, but Azure says its word in a header as well.
    let word = answer.header("x-ms-error-code").map(str::to_owned);
    let (code, text) = reason(&answer.body);
    if let Some(code) = code.or(word) {
        message.push_str(&format!(" {code}"));
    }
    if let Some(text) = text {
        message.push_str(&format!(": {text}"));
    }
    if let Some(unsigned) = unsigned.filter(|_| matches!(status, 401 | 403 | 404)) {
        message.push_str(&format!(" ({unsigned})"));
    }
    let transient = matches!(status, 408 | 429 | 500..);
    CloudFailure { status, transient, message }
}

/// Returns the error code and message; nothing else of the answer is shown.
fn reason(body: &[u8]) -> (Option<String>, Option<String>) {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    let (code, sentence) = if text.starts_with('{') {
        let answer: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        let said = answer.pointer("/error/message").and_then(|it| it.as_str()).map(str::to_owned);
        (None, said)
    } else if text.trim_start_matches('\u{feff}').starts_with('<') {
        let leaves = xml::leaves(text).unwrap_or_default();
        let said = |path: &str| {
            let leaf = leaves.iter().find(|leaf| leaf.path == path);
            leaf.map(|leaf| leaf.text.clone()).filter(|text| !text.is_empty())
        };
        (said("Code"), said("Message"))
    } else {
        (None, Some(text.to_owned()).filter(|text| !text.is_empty()))
    };
    let line = |text: String| {
        let words: Vec<&str> = text.split_whitespace().collect();
        let whole = words.join(" ");
        let mut short: String = whole.chars().take(300).collect();
        if short.len() < whole.len() {
            short.push_str("..");
        }
        short
    };
    (code.map(line), sentence.map(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_reported_in_a_line() {
        let check = |status, body: &str, unsigned, expect: &str| {
            let headers = HeaderMap::new();
            let answer = CloudResponse { status, headers, body: body.as_bytes().to_vec() };
            assert_eq!(refused(&answer, unsigned).message, expect);
        };
        check(
            403,
            "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>Not\n you</Message><StringToSign>x</StringToSign></Error>",
            None,
            "the server said 403 AccessDenied: Not you",
        );
        check(
            404,
            r#"{"error": {"code": 404, "message": "No such object: b/a"}}"#,
            Some("no key"),
            "the server said 404: No such object: b/a (no key)",
        );
        check(502, "<html><body>Oops<br></body></html>", None, "the server said 502");
        check(500, "", Some("no key"), "the server said 500");
        check(400, &"é".repeat(999), None, &format!("the server said 400: {}..", "é".repeat(300)));
    }

    #[test]
    fn endpoints_have_a_scheme() {
        let check = |url: &str, expect: Option<&str>| {
            let found =
                Endpoint::parse(url).map(|it| it.ask(&["b"])).map(|it| it.origin + &it.path);
            assert_eq!(found.as_deref(), expect, "{url}");
        };
        check("http://127.0.0.1:10000/acc/", Some("http://127.0.0.1:10000/acc/b"));
        check("localhost:4443", Some("http://localhost:4443/b"));
        check("s3.example.com", Some("https://s3.example.com/b"));
        // Refused when it is used.
        check("http://s3.example.com", Some("http://s3.example.com/b"));
        for bad in ["", "https://", "https://u:p@h", "https://h?x"] {
            check(bad, None);
        }
    }

    #[test]
    fn keys_are_encoded() {
        assert_eq!(path(&["b", "a b/é+%?#&=~"]), "/b/a%20b/%C3%A9%2B%25%3F%23%26%3D~");
        assert_eq!(path(&["a//b/"]), "/a//b/");
    }

    #[test]
    fn percents_are_read() {
        for (text, expect) in
            [("a%20b%C3%A9", Some("a bé")), ("100%+1", Some("100%+1")), ("%ff", None)]
        {
            assert_eq!(decoded(text).as_deref(), expect, "{text}");
        }
    }
}
