//! One request to a cloud and its answer; what a refusal says.

use std::fmt;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use ureq::http::request::Builder;
use ureq::http::{HeaderMap, HeaderValue, Uri};
use ureq::{Agent, Body, SendBody};

use super::request::{Ask, Verb};
use super::xml;
use crate::credentials::Secret;
use crate::http::{Agents, check, hide, is_transient};
use crate::stop::{Stop, StopHook};

/// An answer.
pub(crate) struct CloudResponse {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl CloudResponse {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The current instant, for signatures.
pub(crate) fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// The reason why a request has no usable response.
#[derive(Debug)]
pub(crate) struct CloudFailure {
    /// The HTTP status; 0 if there was no response.
    pub(crate) status: u16,
    pub(crate) transient: bool,
    pub(crate) message: String,
}

impl CloudFailure {
    pub(crate) fn lasting(message: impl Into<String>) -> Self {
        Self { status: 0, transient: false, message: message.into() }
    }

    /// The error of an operation.
    pub(crate) fn of(mut self, operation: impl fmt::Display) -> io::Error {
        self.message = format!("{operation}: {}", self.message);
        let kind = if self.status == 404 { io::ErrorKind::NotFound } else { io::ErrorKind::Other };
        io::Error::new(kind, self.message)
    }
}

/// The largest response: a part of a file, or a page of a list.
pub(crate) const LARGEST: u64 = 64 << 20;

/// Connections that are kept for later requests: one for each part that may be on its way.
const MOST_IDLE: usize = 64;
/// Time for a request without a body.
const LONGEST: Duration = Duration::from_secs(120);
/// Bytes a second at which a body must be sent at least: it extends the time.
const SLOWEST: u64 = 32 << 10;
/// Bytes of a body that is sent only after the server has accepted the head. A server that rejects a request
/// may close the connection while the body is sent, and its answer would be lost.
const ASK_FIRST: usize = 1 << 20;

/// The body of a request. Reading it fails once the flag is set.
pub(crate) struct RequestBody<'a> {
    rest: &'a [u8],
    cancelled: &'a AtomicBool,
}

impl<'a> RequestBody<'a> {
    pub(crate) fn new(bytes: &'a [u8], cancelled: &'a AtomicBool) -> Self {
        Self { rest: bytes, cancelled }
    }
}

impl Read for RequestBody<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(io::Error::other("cancelled"));
        }
        self.rest.read(into)
    }
}

/// Clients that speak plain HTTP to this machine only.
#[derive(Clone)]
pub(crate) struct CloudAgents(Agents);

impl CloudAgents {
    pub(crate) fn new() -> Self {
        Self(Agents::new(|config| {
            config
                .timeout_connect(Some(Duration::from_secs(15)))
                .timeout_global(Some(LONGEST))
                .max_idle_connections(MOST_IDLE)
                .max_idle_connections_per_host(MOST_IDLE)
        }))
    }

    /// Ends all requests, which fail, and refuses further ones.
    pub(crate) fn shut_down(&self) {
        self.0.shut_down();
    }

    /// Ends all requests when a stop is requested.
    pub(crate) fn stopped_by(&self, stop: &Stop) -> StopHook {
        self.0.stopped_by(stop)
    }

    /// The client for a URL, if a request may go there.
    pub(crate) fn to(&self, uri: &Uri) -> Result<&Agent, String> {
        self.0.to(&check(uri)?)
    }

    /// Sends a request that is signed and has no body. `secrets` are quoted in no answer that is a refusal.
    pub(crate) fn exchange(
        &self,
        ask: &Ask,
        secrets: &[Secret],
    ) -> Result<CloudResponse, CloudFailure> {
        let (agent, message) = self.message(ask)?;
        let sent = message.body(()).map_err(ureq::Error::from).and_then(|it| agent.run(it));
        read(ask.verb, sent, secrets)
    }

    /// Sends a request that is signed, with a body if its method has one.
    pub(crate) fn send(
        &self,
        ask: &Ask,
        body: &mut RequestBody<'_>,
        secrets: &[Secret],
    ) -> Result<CloudResponse, CloudFailure> {
        if matches!(ask.verb, Verb::Get | Verb::Head | Verb::Delete) {
            return self.exchange(ask, secrets);
        }
        let (agent, mut message) = self.message(ask)?;
        let length = body.rest.len();
        message = message.header("content-length", length);
        if length >= ASK_FIRST {
            message = message.header("expect", "100-continue");
        }
        let seconds = u64::try_from(length).unwrap_or(u64::MAX) / SLOWEST;
        let limit = LONGEST.saturating_add(Duration::from_secs(seconds));
        let sent = message.body(SendBody::from_reader(body)).map_err(ureq::Error::from);
        let sent = sent.and_then(|message| {
            let message = agent.configure_request(message).timeout_global(Some(limit)).build();
            agent.run(message)
        });
        read(ask.verb, sent, secrets)
    }

    fn message(&self, ask: &Ask) -> Result<(&Agent, Builder), CloudFailure> {
        // Neither a URL nor a header is in an error: it may contain a signature.
        let uri: Uri = ask.url().parse().map_err(|_| CloudFailure::lasting("not a URL"))?;
        let agent = self.to(&uri).map_err(CloudFailure::lasting)?;
        let mut message = ureq::http::Request::builder().method(ask.verb.name()).uri(uri);
        for (name, value) in &ask.headers {
            let mut value = HeaderValue::from_str(value)
                .map_err(|_| CloudFailure::lasting(format!("the header {name} cannot be sent")))?;
            value.set_sensitive(*name == "authorization" || *name == "x-amz-security-token");
            message = message.header(*name, value);
        }
        Ok((agent, message))
    }
}

/// Reads an answer to its end.
fn read(
    verb: Verb,
    sent: Result<ureq::http::Response<Body>, ureq::Error>,
    secrets: &[Secret],
) -> Result<CloudResponse, CloudFailure> {
    let failed = |error: ureq::Error| CloudFailure {
        status: 0,
        transient: is_transient(&error),
        message: error.to_string(),
    };
    let (parts, body) = sent.map_err(failed)?.into_parts();
    let body = match verb {
        Verb::Head => Vec::new(),
        _ => body.into_with_config().limit(LARGEST).read_to_vec().map_err(failed)?,
    };
    let mut answer = CloudResponse { status: parts.status.as_u16(), headers: parts.headers, body };
    if !parts.status.is_success() {
        // A refusal of a signature may contain the text that was signed.
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        answer.body = hide(text, secrets).into_bytes();
    }
    Ok(answer)
}

/// The error of a refusal.
pub(crate) fn refused(answer: &CloudResponse, unsigned: Option<&str>) -> CloudFailure {
    let status = answer.status;
    let mut message = format!("the server said {status}");
    // A response to HEAD has no body, but Azure has its error code in a header too.
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
}
