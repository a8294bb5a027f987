//! The trace of a load: a span for the load, and one for each of its steps.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use ring::rand::{SecureRandom as _, SystemRandom};

use super::event::{EventSink, LoadEvent};
use super::json::{SERVICE, STAGE};
use crate::cloud::signature::hex;
use crate::snowflake::SessionEvent;
use crate::stage::UploadEvent;

/// The spans that wait to be sent. Further ones are discarded.
const MOST_SPANS: usize = 4096;

/// Collects the spans of a load.
pub(super) struct Trace {
    pub(super) trace_id: String,
    /// The span of the load.
    root: String,
    /// The span of the program that started this one.
    parent: String,
    began: SystemTime,
    spans: Mutex<Vec<Span>>,
}

/// A part of a load.
pub(super) struct Span {
    pub(super) id: String,
    /// Empty if there is none.
    pub(super) parent: String,
    pub(super) name: String,
    pub(super) began: SystemTime,
    pub(super) ended: SystemTime,
    pub(super) attributes: Vec<(&'static str, String)>,
    pub(super) error: Option<String>,
}

impl Trace {
    /// Returns the trace of a load. `parent` is a TRACEPARENT of W3C; one that is not valid is ignored.
    pub(super) fn new(parent: Option<&str>) -> io::Result<Self> {
        let (trace_id, parent) = match parent.and_then(parsed) {
            Some((trace_id, span)) => (trace_id, span),
            None => (random(16)?, String::new()),
        };
        let (root, began) = (random(8)?, SystemTime::now());
        Ok(Self { trace_id, root, parent, began, spans: Mutex::default() })
    }

    /// Returns the spans since the last call.
    pub(super) fn take(&self) -> Vec<Span> {
        std::mem::take(&mut *self.spans.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the span of the load, which has ended.
    pub(super) fn root(&self, name: &str, error: Option<String>) -> Span {
        Span {
            id: self.root.clone(),
            parent: self.parent.clone(),
            name: name.to_owned(),
            began: self.began,
            ended: SystemTime::now(),
            attributes: Vec::new(),
            error,
        }
    }

    fn retry(&self, target: &str, reason: &str) {
        let attributes = vec![("snowcat.reason", reason.to_owned())];
        self.add(format!("retry {target}"), Duration::ZERO, attributes, None);
    }

    fn add(
        &self,
        name: String,
        time: Duration,
        attributes: Vec<(&'static str, String)>,
        error: Option<String>,
    ) {
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        // Without random numbers there is no span.
        let Ok(id) = random(8) else { return };
        if spans.len() >= MOST_SPANS {
            return;
        }
        let ended = SystemTime::now();
        let began = ended.checked_sub(time).unwrap_or(ended);
        let parent = self.root.clone();
        spans.push(Span { id, parent, name, began, ended, attributes, error });
    }
}

impl EventSink for Trace {
    fn event(&self, event: &LoadEvent<'_>) {
        match *event {
            LoadEvent::Request { resource, method, url, status, time, error, .. } => {
                let mut attributes = vec![
                    ("snowcat.resource", resource.to_owned()),
                    ("http.request.method", method.to_owned()),
                    ("url.full", url.to_owned()),
                ];
                attributes.extend(status.map(|it| ("http.response.status_code", it.to_string())));
                let error = error.map(|failure| failure.message.clone());
                self.add(format!("request {resource}"), time, attributes, error);
            }
            LoadEvent::Session(SessionEvent::Statement(statement)) => {
                let mut attributes = vec![
                    ("db.system.name", "snowflake".to_owned()),
                    ("db.operation.name", statement.kind.to_owned()),
                ];
                attributes
                    .extend(statement.query_id.map(|id| ("snowflake.query_id", id.to_owned())));
                let error = statement.error.map(ToString::to_string);
                self.add(
                    format!("statement {}", statement.kind),
                    statement.time,
                    attributes,
                    error,
                );
            }
            LoadEvent::Session(SessionEvent::Upload(UploadEvent::Arrived {
                path,
                bytes,
                time,
            })) => {
                let attributes =
                    vec![("snowcat.path", path.to_owned()), ("snowcat.bytes", bytes.to_string())];
                self.add("upload".to_owned(), time, attributes, None);
            }
            LoadEvent::Session(SessionEvent::Retry { reason, .. }) => self.retry(SERVICE, reason),
            LoadEvent::Session(SessionEvent::Upload(UploadEvent::Retry { reason, .. })) => {
                self.retry(STAGE, reason);
            }
            LoadEvent::Page { .. } | LoadEvent::Waiting { .. } | LoadEvent::Session(_) => {}
        }
    }
}

/// Returns the ids of a trace and of a span in a TRACEPARENT: `00-<32 digits>-<16 digits>-<2 digits>`.
fn parsed(text: &str) -> Option<(String, String)> {
    let parts: Vec<&str> = text.trim().split('-').collect();
    let [version, trace, span, flags, rest @ ..] = parts.as_slice() else { return None };
    let hex = |text: &str, length: usize| {
        let digits = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        text.len() == length && text.chars().all(digits)
    };
    let sound = hex(version, 2) && *version != "ff" && (*version != "00" || rest.is_empty());
    let known = |text: &str, length| hex(text, length) && text.chars().any(|c| c != '0');
    (sound && known(trace, 32) && known(span, 16) && hex(flags, 2))
        .then(|| ((*trace).to_owned(), (*span).to_owned()))
}

fn random(length: usize) -> io::Result<String> {
    let mut bytes = vec![0_u8; length];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| io::Error::other("the system has no random numbers"))?;
    Ok(hex(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_of_a_trace_is_that_of_w3c() {
        let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        let check = |text: &str, valid: bool| {
            let expected = valid.then(|| (trace.to_owned(), span.to_owned()));
            assert_eq!(parsed(text), expected, "{text}");
        };
        check(&format!("00-{trace}-{span}-01"), true);
        check(&format!("01-{trace}-{span}-01-more"), true);
        check(&format!("00-{trace}-{span}-01-more"), false);
        check(&format!("ff-{trace}-{span}-01"), false);
        check(&format!("00-{}-{span}-01", trace.to_uppercase()), false);
        check(&format!("00-{trace}-0000000000000000-01"), false);
        check(&format!("00-{trace}-{span}"), false);
        check("", false);
    }
}
