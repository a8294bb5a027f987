//! The numbers as metrics, with the names that all formats have.

use std::time::UNIX_EPOCH;

use super::numbers::{Histogram, Snapshot};

/// A metric.
pub(super) struct Metric {
    /// Without `snowcat_`.
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) points: Points,
}

/// Its values by label.
pub(super) enum Points {
    /// A number that only grows.
    Counter(Vec<(Label, u64)>),
    Gauge(u64),
    Histogram(Vec<(Label, Histogram)>),
}

/// The name and the value of a label, if there is one.
pub(super) type Label = Option<(&'static str, String)>;

/// Returns all metrics.
pub(super) fn metrics(numbers: &Snapshot) -> Vec<Metric> {
    let commit = numbers.last_commit.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let statements = numbers.statement_seconds.iter().map(|(kind, times)| (kind, times.count()));
    let times = numbers.statement_seconds.iter();
    let times = times.map(|(kind, times)| (Some(("kind", (*kind).to_owned())), times.clone()));
    vec![
        counter("pages_total", "Pages of sources and files that were read.", numbers.pages),
        counter("bytes_in_total", "Bytes of these pages.", numbers.bytes_in),
        labelled(
            "source_requests_total",
            "Requests to sources by HTTP status; 0 without an answer.",
            "status",
            &numbers.source_requests,
        ),
        counter(
            "files_uploaded_total",
            "Files that arrived on a stage.",
            numbers.upload_seconds.count(),
        ),
        counter("upload_bytes_total", "Bytes of these files.", numbers.upload_bytes),
        Metric {
            name: "upload_seconds",
            help: "The time of an upload.",
            points: Points::Histogram(vec![(None, numbers.upload_seconds.clone())]),
        },
        gauge(
            "uploads_in_flight",
            "Files on their way to a stage.",
            numbers.uploads_in_flight as u64,
        ),
        gauge(
            "queue_bytes",
            "Bytes of files that wait or are on their way to a stage.",
            numbers.queue_bytes,
        ),
        labelled(
            "statements_total",
            "Statements that ended, by their first word.",
            "kind",
            statements,
        ),
        labelled(
            "statements_failed_total",
            "Statements that failed.",
            "kind",
            &numbers.statements_failed,
        ),
        Metric {
            name: "statement_seconds",
            help: "The time until the answer to a statement.",
            points: Points::Histogram(times.collect()),
        },
        labelled(
            "retries_total",
            "Requests that were repeated to the service or the stage; source: waits that the load requested.",
            "reason",
            &numbers.retries,
        ),
        counter("renewals_total", "Renewals of the session's token.", numbers.renewals),
        labelled(
            "rows_committed_total",
            "Rows of committed loads.",
            "table",
            &numbers.rows_committed,
        ),
        gauge(
            "last_commit_timestamp",
            "The instant of the last COMMIT in Unix seconds; 0 without one.",
            commit.map_or(0, |at| at.as_secs()),
        ),
    ]
}

fn counter(name: &'static str, help: &'static str, value: u64) -> Metric {
    Metric { name, help, points: Points::Counter(vec![(None, value)]) }
}

fn gauge(name: &'static str, help: &'static str, value: u64) -> Metric {
    Metric { name, help, points: Points::Gauge(value) }
}

fn labelled<W: ToString, N: Count>(
    name: &'static str,
    help: &'static str,
    label: &'static str,
    values: impl IntoIterator<Item = (W, N)>,
) -> Metric {
    let values = values.into_iter();
    let points = values.map(|(word, count)| (Some((label, word.to_string())), count.count()));
    Metric { name, help, points: Points::Counter(points.collect()) }
}

/// A count, or a reference to one.
trait Count {
    fn count(&self) -> u64;
}

impl Count for u64 {
    fn count(&self) -> u64 {
        *self
    }
}

impl Count for &u64 {
    fn count(&self) -> u64 {
        **self
    }
}
