//! The events of a load as JSON lines, on stdout for `--json` and on stderr for `--log json`.

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};
use snowcat_host::watch::{EventSink, LoadEvent, event_object};

use super::Failed;
use super::log::{self, now};

/// Prints events.
pub(super) struct EventLines {
    pub(super) stdout: bool,
    pub(super) stderr: bool,
    /// The reader has closed stdout.
    closed: AtomicBool,
    printing: Mutex<()>,
}

impl EventLines {
    pub(super) const fn new(stdout: bool, stderr: bool) -> Self {
        Self { stdout, stderr, closed: AtomicBool::new(false), printing: Mutex::new(()) }
    }

    /// Prints an object with its instant.
    pub(super) fn print(&self, object: &Map<String, Value>) {
        let _printing = self.printing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.stderr {
            log::event(object);
        }
        self.print_to_stdout(object);
    }

    /// Prints why the load failed. On stderr it is the last message.
    pub(super) fn failed(&self, failed: &Failed) {
        let _printing = self.printing.lock().unwrap_or_else(PoisonError::into_inner);
        self.print_to_stdout(&failure(failed));
    }

    /// The same at the end of the process: it does not wait for a reader that reads nothing.
    pub(super) fn failed_at_last(&self, failed: &Failed) {
        if let Ok(_printing) = self.printing.try_lock() {
            self.print_to_stdout(&failure(failed));
        }
    }

    fn print_to_stdout(&self, object: &Map<String, Value>) {
        if !self.stdout || self.closed.load(Ordering::Relaxed) {
            return;
        }
        let mut line = object.clone();
        line.insert("at".to_owned(), json!(now()));
        let mut stdout = io::stdout().lock();
        let written = writeln!(stdout, "{}", Value::Object(line)).and_then(|()| stdout.flush());
        if let Err(error) = written
            && !self.closed.swap(true, Ordering::Relaxed)
        {
            // The load goes on without its events.
            log::say("warn", format_args!("the events were not printed: {error}"));
        }
    }
}

fn failure(failed: &Failed) -> Map<String, Value> {
    Map::from_iter([
        ("event".to_owned(), json!("failed")),
        ("kind".to_owned(), json!(failed.kind())),
        ("exit_code".to_owned(), json!(failed.code())),
        ("message".to_owned(), json!(failed.message())),
    ])
}

impl EventSink for EventLines {
    fn event(&self, event: &LoadEvent<'_>) {
        event_object(event).iter().for_each(|object| self.print(object));
    }
}
