//! The transcript of a run: one JSON object per line, alternately the replies to the load and its
//! steps.
//!
//! The text is canonical (sorted keys, no spaces, minimal escapes), and the Python host writes the
//! same text, so that two runs are equal exactly if their transcripts are equal byte by byte. A
//! file is represented by its SHA-256 and size. Transcripts have no credentials.
//!
//! ```text
//! {"reply":"start"}
//! {"step":{"sql":{"order":"serial","statements":["SELECT .."]}}}
//! {"reply":{"outcomes":[{"affected":null,"rows":[["1",null]]}]}}
//! {"step":{"upload":{"path":"..","sha256":"..","size":1234,"stage":".."}}}
//! {"reply":"done"}
//! {"step":{"finished":{"cursors":[],..}}}
//! ```
//! A load that fails ends with `{"fault":{"context":[..],"kind":"data","message":".."}}`. For an
//! invalid job this is the only line.

mod parse;

use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::error::{Error, kind_name};
use crate::interface::{
    Check, Column, Content, Failure, Fault, Listing, Order, Outcome, Reply, Report, Request,
    Response, Step, Verdict,
};
use crate::runner::Observer;

pub(crate) use self::parse::{parse_reply, parse_requests};

/// Writes the transcript of a run while it happens.
///
/// ```
/// use snowcat_host::transcript::Transcript;
/// use snowcat_host::{DryRun, Engine, Runner, Settings};
///
/// # fn main() -> Result<(), snowcat_host::Error> {
/// let engine = Engine::new(&Settings::default())?;
/// let mut transcript = Transcript::new(Vec::new());
/// let runner = Runner::new(&engine);
/// let run = runner.run_observed("{}", "2026-01-01T00:00:00Z", &mut DryRun::new(), &mut [&mut transcript]);
/// assert!(run.is_err());
/// // A job that is not valid is one line.
/// assert!(transcript.into_inner().starts_with(br#"{"fault":{"context":["#));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Transcript<W> {
    out: W,
}

impl<W: Write> Transcript<W> {
    /// Creates a transcript that writes each line to `out`.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    /// Returns the writer.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn line(&mut self, mut line: String) -> Result<(), Error> {
        line.push('\n');
        self.out
            .write_all(line.as_bytes())
            .and_then(|()| self.out.flush())
            .map_err(|e| Error::Transcript(format!("cannot be written: {e}")))
    }
}

impl<W: Write> Observer for Transcript<W> {
    fn reply(&mut self, reply: &Reply, _spent: Duration) -> Result<(), Error> {
        self.line(reply_line(reply))
    }

    fn step(&mut self, step: &Step, payload: &[u8], _spent: Duration) -> Result<(), Error> {
        self.line(step_line(step, payload))
    }

    fn fault(&mut self, fault: &Fault) -> Result<(), Error> {
        self.line(fault_line(fault))
    }
}

// The keys in every `json!` below are in alphabetical order: whether serde_json sorts them depends
// on a feature that any crate of the program may enable. A test checks it.

/// Returns the line of a step, without its end. `payload` is that of an upload, else empty.
///
/// ```
/// use snowcat_host::transcript::step_line;
/// use snowcat_host::{Pause, Step};
///
/// let step = Step::Wait(Pause { seconds: 2.0, reason: "429".to_owned() });
/// assert_eq!(step_line(&step, &[]), r#"{"step":{"wait":{"reason":"429","seconds":2.0}}}"#);
/// ```
#[must_use]
pub fn step_line(step: &Step, payload: &[u8]) -> String {
    let step = match step {
        Step::Examined(examination) => json!({ "examined": {
            "checks": examination.checks.iter().map(check_value).collect::<Vec<_>>(),
            "statements": examination.statements,
        } }),
        Step::Fetch(fetches) => {
            json!({ "fetch": fetches.requests.iter().map(request_value).collect::<Vec<_>>() })
        }
        Step::Found(found) => json!({ "found": { "job": found.job } }),
        Step::Listed(listings) => json!({ "listed": {
            "listings": listings.listings.iter().map(listing_value).collect::<Vec<_>>(),
            "statements": listings.statements,
        } }),
        Step::Finished(report) => json!({ "finished": report_value(report) }),
        Step::Pull(pull) => {
            let content = match pull.content {
                Content::Arrow => "arrow",
                Content::Cells => "cells",
                Content::Parquet => "parquet",
                Content::Text => "text",
                Content::Values => "values",
            };
            match &pull.encoding {
                None => json!({ "pull": {
                    "content": content,
                    "files": pull.files,
                    "resource": pull.resource,
                    "skip": pull.skip,
                } }),
                Some(encoding) => json!({ "pull": {
                    "content": content,
                    "encoding": encoding,
                    "files": pull.files,
                    "resource": pull.resource,
                    "skip": pull.skip,
                } }),
            }
        }
        Step::Sql(script) => {
            let order = match script.order {
                Order::Any => "any",
                Order::Serial => "serial",
            };
            json!({ "sql": { "order": order, "statements": script.statements } })
        }
        Step::Upload(upload) => json!({ "upload": {
            "path": upload.path,
            "sha256": format!("{:x}", Sha256::digest(payload)),
            "size": upload.size,
            "stage": upload.stage,
        } }),
        Step::Wait(pause) => {
            json!({ "wait": { "reason": pause.reason, "seconds": pause.seconds } })
        }
    };
    json!({ "step": step }).to_string()
}

fn listing_value(listing: &Listing) -> Value {
    json!({ "columns": listing.columns, "name": listing.name, "rows": listing.rows })
}

fn check_value(check: &Check) -> Value {
    let verdict = match check.verdict {
        Verdict::Fails => "fails",
        Verdict::Holds => "holds",
        Verdict::Untried => "untried",
    };
    json!({
        "assumed": check.assumed,
        "name": check.name,
        "remedy": check.remedy,
        "seen": check.seen,
        "verdict": verdict,
    })
}

/// The line of a reply, without its end.
///
/// ```
/// use snowcat_host::Reply;
/// use snowcat_host::transcript::reply_line;
///
/// assert_eq!(reply_line(&Reply::Page("[1]".to_owned())), r#"{"reply":{"page":"[1]"}}"#);
/// ```
#[must_use]
pub fn reply_line(reply: &Reply) -> String {
    let reply = match reply {
        Reply::DryRun => json!("dry-run"),
        Reply::Columns(columns) => {
            json!({ "columns": columns.iter().map(column_value).collect::<Vec<_>>() })
        }
        Reply::Done => json!("done"),
        Reply::End => json!("end"),
        Reply::Failed(failure) => json!({ "failed": failure_value(failure) }),
        Reply::File(file) => {
            json!({ "file": { "name": file.name, "version": file.version } })
        }
        Reply::Outcomes(outcomes) => {
            json!({ "outcomes": outcomes.iter().map(outcome_value).collect::<Vec<_>>() })
        }
        Reply::Page(page) => json!({ "page": page }),
        Reply::Responses(responses) => {
            json!({ "responses": responses.iter().map(response_value).collect::<Vec<_>>() })
        }
        Reply::Start => json!("start"),
    };
    json!({ "reply": reply }).to_string()
}

/// The line of a fault, without its end.
#[must_use]
pub fn fault_line(fault: &Fault) -> String {
    json!({ "fault": {
        "context": fault.context,
        "kind": kind_name(fault.kind),
        "message": fault.message,
    } })
    .to_string()
}

fn request_value(request: &Request) -> Value {
    json!({
        "auth": request.auth,
        "body": request.body,
        "headers": request.headers,
        "method": request.method,
        "url": request.url,
    })
}

/// A report as JSON, with the names of the interface.
#[must_use]
pub fn report_value(report: &Report) -> Value {
    let cursors = report.cursors.iter().map(|cursor| {
        json!({
            "last": cursor.last,
            "path": cursor.path,
            "resource": cursor.resource,
            "start": cursor.start,
        })
    });
    let files = report.files.iter().map(|file| {
        json!({
            "bytes": file.bytes,
            "path": file.path,
            "rows": file.rows,
            "table": file.table,
        })
    });
    let tables = report
        .tables
        .iter()
        .map(|table| json!({ "name": table.name, "resource": table.resource, "rows": table.rows }));
    json!({
        "cursors": cursors.collect::<Vec<_>>(),
        "database": report.database,
        "dataset": report.dataset,
        "files": files.collect::<Vec<_>>(),
        "load-id": report.load_id,
        "pages": report.pages,
        "pipeline": report.pipeline,
        "requests": report.requests,
        "state": report.state,
        "statements": report.statements,
        "tables": tables.collect::<Vec<_>>(),
        "warnings": report.warnings,
    })
}

fn column_value(column: &Column) -> Value {
    json!({
        "kind": column.kind,
        "name": column.name,
        "native": column.native,
        "nullable": column.nullable,
        "precision": column.precision,
        "scale": column.scale,
    })
}

fn outcome_value(outcome: &Outcome) -> Value {
    json!({ "affected": outcome.affected, "rows": outcome.rows })
}

fn failure_value(failure: &Failure) -> Value {
    json!({
        "code": failure.code,
        "message": failure.message,
        "transient": failure.transient,
    })
}

fn response_value(response: &Result<Response, Failure>) -> Value {
    match response {
        Ok(response) => json!({ "ok": {
            "body": response.body,
            "headers": response.headers,
            "status": response.status,
        } }),
        Err(failure) => json!({ "err": failure_value(failure) }),
    }
}

#[cfg(test)]
mod tests;
