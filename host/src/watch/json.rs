//! An event as a JSON object.

use serde_json::{Map, Value, json};

use super::event::LoadEvent;
use crate::snowflake::{RetryTarget, SessionEvent, StatementEvent};

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
        LoadEvent::Session(SessionEvent::Upload { path, bytes, time }) => json!({
            "event": "upload", "path": path, "bytes": bytes, "seconds": time.as_secs_f64(),
        }),
        LoadEvent::Session(SessionEvent::Retry { target, reason, wait }) => json!({
            "event": "retry", "target": target_name(target), "reason": reason,
            "seconds": wait.as_secs_f64(),
        }),
        LoadEvent::Session(SessionEvent::Renewed) => json!({"event": "renewed"}),
        // It changes with every file, and is a number: see `Numbers`.
        LoadEvent::Session(SessionEvent::Queue { .. }) => return Vec::new(),
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

pub(super) const fn target_name(target: RetryTarget) -> &'static str {
    match target {
        RetryTarget::Service => "service",
        RetryTarget::Stage => "stage",
    }
}

fn map(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
