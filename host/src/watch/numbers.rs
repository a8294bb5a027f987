//! The numbers of the loads of a process.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::event::{EventSink, LoadEvent};
use super::json::{SERVICE, STAGE};
use crate::interface::Report;
use crate::snowflake::SessionEvent;
use crate::stage::UploadEvent;

/// Counts the events of loads.
pub struct Numbers(Mutex<Snapshot>);

/// The numbers at an instant.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// The bytes of the pages that were read.
    pub bytes_in: u64,
    /// Pages.
    pub pages: u64,
    /// The requests to sources by HTTP status; 0 if there was no answer.
    pub source_requests: BTreeMap<u16, u64>,
    /// The time of each upload.
    pub upload_seconds: Histogram,
    /// Their bytes.
    pub upload_bytes: u64,
    /// Files on their way to the stage.
    pub uploads_in_flight: usize,
    /// Bytes of files that wait or are on their way.
    pub queue_bytes: u64,
    /// The time of statements by their kind.
    pub statement_seconds: BTreeMap<&'static str, Histogram>,
    /// Statements that failed, by their kind.
    pub statements_failed: BTreeMap<&'static str, u64>,
    /// Repeated requests by their receiver: `service`, `stage`, `source`.
    pub retries: BTreeMap<&'static str, u64>,
    /// Renewals of the session's token.
    pub renewals: u64,
    /// The rows of committed loads by table.
    pub rows_committed: BTreeMap<String, u64>,
    /// The last COMMIT.
    pub last_commit: Option<SystemTime>,
    /// The last statement that ended.
    pub last_statement: Option<&'static str>,
    /// The last event.
    pub last_progress: Instant,
    /// `true` if there is a session.
    pub session_open: bool,
    /// When the numbers were first counted.
    pub since: SystemTime,
}

/// Times by how long they are.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    /// The number of times that are not longer than each of [`BOUNDS`](Self::BOUNDS), but longer than the one before; the
    /// last one counts the longer ones.
    pub counts: [u64; 12],
    /// The sum of all times, in seconds.
    pub sum: f64,
}

impl Histogram {
    /// The bounds in seconds.
    pub const BOUNDS: [f64; 11] = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0];

    fn add(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        let at = Self::BOUNDS.iter().position(|bound| seconds <= *bound);
        if let Some(count) = self.counts.get_mut(at.unwrap_or(Self::BOUNDS.len())) {
            *count += 1;
        }
        self.sum += seconds;
    }

    /// Returns how many times there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl Default for Numbers {
    fn default() -> Self {
        Self(Mutex::new(Snapshot {
            bytes_in: 0,
            pages: 0,
            source_requests: BTreeMap::new(),
            upload_seconds: Histogram::default(),
            upload_bytes: 0,
            uploads_in_flight: 0,
            queue_bytes: 0,
            statement_seconds: BTreeMap::new(),
            statements_failed: BTreeMap::new(),
            retries: BTreeMap::new(),
            renewals: 0,
            rows_committed: BTreeMap::new(),
            last_commit: None,
            last_statement: None,
            last_progress: Instant::now(),
            session_open: false,
            since: SystemTime::now(),
        }))
    }
}

impl Numbers {
    /// Returns numbers that are zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the numbers now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.lock().clone()
    }

    /// Adds the rows of a load that is committed.
    pub fn committed(&self, report: &Report) {
        let mut numbers = self.lock();
        for table in &report.tables {
            *numbers.rows_committed.entry(table.name.clone()).or_default() += table.rows;
        }
    }

    /// Sets whether there is a session.
    pub fn session(&self, open: bool) {
        let mut numbers = self.lock();
        numbers.session_open = open;
        numbers.last_progress = Instant::now();
    }

    /// Returns why the load is not ready: there is no session, or nothing has happened for this time.
    #[must_use]
    pub fn not_ready(&self, stalled_after: Duration) -> Option<String> {
        let numbers = self.lock();
        if !numbers.session_open {
            return Some("there is no session".to_owned());
        }
        let idle = numbers.last_progress.elapsed();
        (idle >= stalled_after).then(|| format!("nothing has happened for {} s", idle.as_secs()))
    }

    fn lock(&self) -> MutexGuard<'_, Snapshot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventSink for Numbers {
    fn event(&self, event: &LoadEvent<'_>) {
        let mut numbers = self.lock();
        numbers.last_progress = Instant::now();
        match *event {
            LoadEvent::Request { status, .. } => {
                *numbers.source_requests.entry(status.unwrap_or(0)).or_default() += 1;
            }
            LoadEvent::Page { bytes, .. } => {
                numbers.pages += 1;
                numbers.bytes_in += bytes;
            }
            LoadEvent::Waiting { .. } => *numbers.retries.entry("source").or_default() += 1,
            LoadEvent::Session(event) => numbers.session_event(&event),
        }
    }
}

impl Snapshot {
    fn retry(&mut self, target: &'static str) {
        *self.retries.entry(target).or_default() += 1;
    }

    fn session_event(&mut self, event: &SessionEvent<'_>) {
        match *event {
            SessionEvent::Statement(statement) => {
                self.statement_seconds.entry(statement.kind).or_default().add(statement.time);
                self.last_statement = Some(statement.kind);
                if statement.error.is_some() {
                    *self.statements_failed.entry(statement.kind).or_default() += 1;
                } else if statement.kind == "commit" {
                    self.last_commit = Some(SystemTime::now());
                }
            }
            SessionEvent::Upload(UploadEvent::Arrived { bytes, time, .. }) => {
                self.upload_bytes += bytes;
                self.upload_seconds.add(time);
            }
            SessionEvent::Upload(UploadEvent::Queue { running, bytes }) => {
                self.uploads_in_flight = running;
                self.queue_bytes = bytes;
            }
            SessionEvent::Upload(UploadEvent::Retry { .. }) => self.retry(STAGE),
            SessionEvent::Retry { .. } => self.retry(SERVICE),
            SessionEvent::Renewed => self.renewals += 1,
        }
    }
}

impl fmt::Debug for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Numbers").field(&self.snapshot()).finish()
    }
}
