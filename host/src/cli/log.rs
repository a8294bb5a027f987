//! The messages of the program on stderr: text, or JSON lines.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{SecondsFormat, Utc};
use clap::ValueEnum;
use serde_json::{Map, Value, json};

use super::terminal::Escaped;

/// The form of messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum LogForm {
    /// Text
    Text,
    /// One JSON object per line
    Json,
}

/// Set once, by the arguments.
static JSON: AtomicBool = AtomicBool::new(false);

/// Prints the messages after this in this form.
pub(super) fn set(form: LogForm) {
    JSON.store(form == LogForm::Json, Ordering::Relaxed);
}

/// Prints a message. If stderr is closed, the exit code is enough.
pub(super) fn say(level: &'static str, message: fmt::Arguments<'_>) {
    let mut stderr = io::stderr().lock();
    _ = if JSON.load(Ordering::Relaxed) {
        let message = message.to_string();
        writeln!(stderr, "{}", json!({"at": now(), "level": level, "message": message}))
    } else {
        writeln!(Escaped(stderr), "snowcat: {message}")
    };
}

/// Prints an event, whose name is the message.
pub(super) fn event(object: &Map<String, Value>) {
    let failed = object.get("error").is_some_and(|error| !error.is_null());
    let level = if failed { "warn" } else { "info" };
    let mut line = json!({"at": now(), "level": level, "message": object.get("event")});
    if let Value::Object(line) = &mut line {
        line.extend(object.clone());
    }
    _ = writeln!(io::stderr().lock(), "{line}");
}

/// Returns the instant, to the millisecond.
pub(super) fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}
