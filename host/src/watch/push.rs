//! Pushes numbers and spans to a collector of OpenTelemetry, every ten seconds and at the end.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use super::event::EventSink;
use super::numbers::Numbers;
use super::otlp::{metrics_body, spans_body};
use super::trace::Trace;
use crate::cloud::request::decoded;
use crate::credentials::Secret;
use crate::http::{Agents, check};

/// The time between two pushes.
const INTERVAL: Duration = Duration::from_secs(10);
/// The time for a request to the collector.
const LONGEST: Duration = Duration::from_secs(3);

/// Where a collector is, by the variables of OpenTelemetry.
#[derive(Clone)]
pub struct Collector {
    endpoint: String,
    headers: Vec<(String, Secret)>,
    parent: Option<String>,
}

impl Collector {
    /// Returns the collector that OTEL_EXPORTER_OTLP_ENDPOINT names, with OTEL_EXPORTER_OTLP_HEADERS and TRACEPARENT.
    /// `None` if it is not set.
    ///
    /// # Errors
    /// If a variable is not valid.
    pub fn find(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        let endpoint = variable("OTEL_EXPORTER_OTLP_ENDPOINT").filter(|it| !it.trim().is_empty());
        let Some(endpoint) = endpoint else { return Ok(None) };
        let endpoint = endpoint.trim().trim_end_matches('/').to_owned();
        let uri = endpoint.parse().map_err(|_| "OTEL_EXPORTER_OTLP_ENDPOINT: not a URL");
        check(&uri?).map_err(|why| format!("OTEL_EXPORTER_OTLP_ENDPOINT: {why}"))?;
        let mut headers = Vec::new();
        let given = variable("OTEL_EXPORTER_OTLP_HEADERS").unwrap_or_default();
        for pair in given.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            // The value is a secret, and not quoted.
            let (name, value) = pair
                .split_once('=')
                .ok_or("OTEL_EXPORTER_OTLP_HEADERS: expected name=value, separated by commas")?;
            let value = decoded(value.trim())
                .ok_or("OTEL_EXPORTER_OTLP_HEADERS: expected values in UTF-8")?;
            headers.push((name.trim().to_owned(), Secret::new(value)));
        }
        Ok(Some(Self { endpoint, headers, parent: variable("TRACEPARENT") }))
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// A thread that pushes the numbers and the trace of a load.
pub struct Push {
    trace: Arc<Trace>,
    over: Sender<(String, Option<String>)>,
    thread: JoinHandle<Result<(), String>>,
}

impl Push {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system has no thread or no random numbers.
    pub fn start(collector: Collector, numbers: &Arc<Numbers>) -> std::io::Result<Self> {
        let trace = Arc::new(Trace::new(collector.parent.as_deref())?);
        let (numbers, spans) = (Arc::clone(numbers), Arc::clone(&trace));
        let (over, is_over) = channel::<(String, Option<String>)>();
        let push = move || {
            let agents = Agents::new(|config| config.timeout_global(Some(LONGEST)));
            let mut failed = None;
            loop {
                let ended = match is_over.recv_timeout(INTERVAL) {
                    Err(RecvTimeoutError::Timeout) => None,
                    Ok(ended) => Some(ended),
                    Err(RecvTimeoutError::Disconnected) => return Ok(()),
                };
                let mut taken = spans.take();
                let last = ended.is_some();
                taken.extend(ended.map(|(name, error)| spans.root(&name, error)));
                let metrics =
                    collector.send(&agents, "metrics", &metrics_body(&numbers.snapshot()));
                let traces = match taken.as_slice() {
                    [] => Ok(()),
                    some => collector.send(&agents, "traces", &spans_body(&spans, some)),
                };
                failed = failed.or(metrics.and(traces).err());
                if last {
                    return failed.map_or(Ok(()), Err);
                }
            }
        };
        let thread = thread::Builder::new().name("snowcat-otlp".to_owned()).spawn(push)?;
        Ok(Self { trace, over, thread })
    }

    /// Returns the sink of the events that become spans.
    #[must_use]
    pub fn sink(&self) -> Arc<dyn EventSink> {
        Arc::clone(&self.trace) as Arc<dyn EventSink>
    }

    /// Pushes what is left, and the span of the load, within some seconds.
    ///
    /// # Errors
    /// If the collector did not accept it, or an earlier push.
    pub fn finish(self, name: &str, error: Option<String>) -> Result<(), String> {
        // The thread receives, unless it panicked.
        _ = self.over.send((name.to_owned(), error));
        self.thread.join().unwrap_or_else(|_| Err("the thread of the pushes panicked".to_owned()))
    }
}

impl fmt::Debug for Push {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Push")
    }
}

impl Collector {
    fn send(&self, agents: &Agents, signal: &str, body: &Value) -> Result<(), String> {
        let url = format!("{}/v1/{signal}", self.endpoint);
        let mut request = ureq::http::Request::builder()
            .method("POST")
            .uri(&url)
            .header("content-type", "application/json");
        for (name, value) in &self.headers {
            request = request.header(name, value.reveal());
        }
        let uri = url.parse().map_err(|_| format!("{url}: not a URL"))?;
        let origin = check(&uri).map_err(|why| format!("{url}: {why}"))?;
        let agent = agents.to(&origin)?;
        // Neither may quote a header.
        let request =
            request.body(body.to_string()).map_err(|_| format!("{url}: not a request"))?;
        let answer = agent.run(request).map_err(|error| format!("{url}: {error}"))?;
        match answer.status().as_u16() {
            200..300 => Ok(()),
            status => Err(format!("{url}: the collector answered {status}")),
        }
    }
}
