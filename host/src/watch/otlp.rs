//! The numbers and the trace of a load as JSON of OTLP, the protocol of OpenTelemetry.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::metrics::{Label, Points, metrics};
use super::numbers::{Histogram, Snapshot};
use super::trace::{Span, Trace};

/// The numbers are sums since the start.
const CUMULATIVE: u8 = 2;
const INTERNAL: u8 = 1;
const FAILED: u8 = 2;

/// Returns the body of a request to `/v1/metrics`.
pub(super) fn metrics_body(numbers: &Snapshot) -> Value {
    let times = (nanos(numbers.since), nanos(SystemTime::now()));
    let metrics = metrics(numbers).into_iter().map(|metric| {
        let name = format!("snowcat_{}", metric.name);
        let number = |(label, value): (Label, u64)| {
            json!({
                "attributes": attributes(&label), "startTimeUnixNano": times.0, "timeUnixNano": times.1,
                "asInt": value.to_string(),
            })
        };
        let histogram = |(label, value): (Label, Histogram)| {
            let counts = value.counts.iter().map(ToString::to_string);
            json!({
                "attributes": attributes(&label), "startTimeUnixNano": times.0, "timeUnixNano": times.1,
                "count": value.count().to_string(), "sum": value.sum,
                "bucketCounts": counts.collect::<Vec<_>>(), "explicitBounds": Histogram::BOUNDS,
            })
        };
        let (key, data) = match metric.points {
            Points::Counter(points) => {
                let points: Vec<Value> = points.into_iter().map(number).collect();
                let data = json!({
                    "aggregationTemporality": CUMULATIVE, "isMonotonic": true, "dataPoints": points,
                });
                ("sum", data)
            }
            Points::Gauge(value) => ("gauge", json!({"dataPoints": [number((None, value))]})),
            Points::Histogram(points) => {
                let points: Vec<Value> = points.into_iter().map(histogram).collect();
                let data = json!({"aggregationTemporality": CUMULATIVE, "dataPoints": points});
                ("histogram", data)
            }
        };
        json!({"name": name, "description": metric.help, key: data})
    });
    let scope = json!({"scope": scope(), "metrics": metrics.collect::<Vec<_>>()});
    json!({"resourceMetrics": [{"resource": resource(), "scopeMetrics": [scope]}]})
}

/// Returns the body of a request to `/v1/traces`.
pub(super) fn spans_body(trace: &Trace, spans: &[Span]) -> Value {
    let spans = spans.iter().map(|span| {
        let attributes = span.attributes.iter().map(|(key, value)| attribute(key, value));
        let status = match &span.error {
            Some(message) => json!({"code": FAILED, "message": message}),
            None => json!({}),
        };
        json!({
            "traceId": trace.trace_id, "spanId": span.id, "parentSpanId": span.parent,
            "name": span.name, "kind": INTERNAL,
            "startTimeUnixNano": nanos(span.began), "endTimeUnixNano": nanos(span.ended),
            "attributes": attributes.collect::<Vec<_>>(), "status": status,
        })
    });
    let scope = json!({"scope": scope(), "spans": spans.collect::<Vec<_>>()});
    json!({"resourceSpans": [{"resource": resource(), "scopeSpans": [scope]}]})
}

fn resource() -> Value {
    let version = attribute("service.version", env!("CARGO_PKG_VERSION"));
    json!({"attributes": [attribute("service.name", "snowcat"), version]})
}

fn scope() -> Value {
    json!({"name": "snowcat", "version": env!("CARGO_PKG_VERSION")})
}

fn attributes(label: &Label) -> Vec<Value> {
    label.iter().map(|(name, word)| attribute(name, word)).collect()
}

fn attribute(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

/// A number of 64 bits is a text in JSON.
fn nanos(at: SystemTime) -> String {
    at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_nanos().to_string()
}
