//! An event as a JSON object.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::event::LoadEvent;
use crate::snowflake::{SessionEvent, StatementEvent};
use crate::stage::UploadEvent;

/// Returns the objects of an event, each with its name in `event`. A COMMIT is two: the statement, and `committed`.
/// The table in the book's chapter on the command line lists them.
///
/// ```
/// use std::time::Duration;
/// use snowcat_host::watch::{LoadEvent, event_object};
///
/// let event = LoadEvent::Waiting { time: Duration::from_secs(30), reason: "status 429" };
/// let [object] = &event_object(&event)[..] else { return };
/// assert_eq!(serde_json::json!(object).to_string(), r#"{"event":"waiting","seconds":30.0,"reason":"status 429"}"#);
/// ```
#[must_use]
pub fn event_object(event: &LoadEvent<'_>) -> Vec<Map<String, Value>> {
    let object = match *event {
        LoadEvent::Request { resource, method, url, status, bytes, time, error } => json!({
            "event": "request", "resource": resource, "method": method, "url": url, "status": status,
            "bytes": bytes, "seconds": time.as_secs_f64(), "error": error.map(|it| &it.message),
        }),
        LoadEvent::Page { resource, bytes } => {
            json!({"event": "page", "resource": resource, "bytes": bytes})
        }
        LoadEvent::Waiting { time, reason } => {
            json!({"event": "waiting", "seconds": time.as_secs_f64(), "reason": reason})
        }
        LoadEvent::Session(SessionEvent::Statement(statement)) => return of_statement(&statement),
        LoadEvent::Session(SessionEvent::Retry { reason, wait }) => retry(SERVICE, reason, wait),
        LoadEvent::Session(SessionEvent::Renewed) => json!({"event": "renewed"}),
        LoadEvent::Session(SessionEvent::Upload(upload)) => match upload {
            UploadEvent::Arrived { path, bytes, time } => json!({
                "event": "upload", "path": path, "bytes": bytes, "seconds": time.as_secs_f64(),
            }),
            UploadEvent::Retry { reason, wait } => retry(STAGE, reason, wait),
            // It changes with every file, and is a number: see `Numbers`.
            UploadEvent::Queue { .. } => return Vec::new(),
        },
    };
    vec![map(object)]
}

fn of_statement(statement: &StatementEvent<'_>) -> Vec<Map<String, Value>> {
    let StatementEvent { sql, kind, query_id, rows, time, error } = *statement;
    let error = error.map(ToString::to_string);
    let committed = kind == "commit" && error.is_none();
    let mut objects = vec![map(json!({
        "event": "statement", "kind": kind, "query_id": query_id, "rows": rows,
        "seconds": time.as_secs_f64(), "error": error, "sql": sql,
    }))];
    if committed {
        objects.push(map(json!({"event": "committed", "query_id": query_id})));
    }
    objects
}

/// The receivers of requests that are sent again.
pub(super) const SERVICE: &str = "service";
pub(super) const STAGE: &str = "stage";

fn retry(target: &str, reason: &str, wait: Duration) -> Value {
    json!({"event": "retry", "target": target, "reason": reason, "seconds": wait.as_secs_f64()})
}

fn map(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
