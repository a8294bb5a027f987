//! Runs the guest as a library for a host in another language, so that one test can drive it and the
//! component alike. It says the steps of `wit/loads.wit` as lines of JSON and hears the replies:
//!
//! ```text
//! {"start": {"job": "...", "now": "..."}}   ->  {"ok": null}
//! {"resume": "start"}                       ->  {"ok": {"sql": {"statements": [..], "order": "any"}}}
//! {"resume": {"outcomes": [..]}}            ->  {"ok": {"pull": {"resource": "t"}}}
//! {"resume": {"page": "..."}}               ->  {"ok": {"upload": {"stage": .., "path": .., "size": ..}}}
//! {"payload": null}                         ->  {"ok": "base64"}
//! {"resume": "done"}                        ->  {"fault": {"kind": .., "message": .., "context": [..]}}
//! ```
//!
//! One load at a time: a start forgets the one before. A load that wants to send requests is refused.

use std::io::{self, BufRead, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use snowcat_guest::fault::{Fault, FaultKind};
use snowcat_guest::load;
use snowcat_guest::step::{Content, Failure, InputFile, Load, Outcome, Reply, Report, Step};

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut current = None;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let answer = match answer(&mut current, &line) {
            Ok(value) => json!({ "ok": value }),
            Err(fault) => json!({ "fault": {
                "kind": kind(fault.kind), "message": fault.message, "context": fault.context,
            } }),
        };
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

fn answer(current: &mut Option<Load>, line: &str) -> Result<Value, Fault> {
    let ask: Value = serde_json::from_str(line).map_err(|error| {
        Fault::protocol(format_args!("expected a line of JSON, found {line:?}: {error}"))
    })?;
    if let Some(start) = ask.get("start") {
        let text = |key: &str| start.get(key).and_then(Value::as_str).unwrap_or_default();
        *current = Some(load::start(text("job"), text("now"))?);
        return Ok(Value::Null);
    }
    let Some(load) = current else { return Err(Fault::protocol("expected a start first")) };
    match ask.get("resume") {
        Some(reply) => step(load.resume(self::reply(reply)?)?),
        None => Ok(STANDARD.encode(load.payload()?.as_slice()).into()),
    }
}

fn reply(value: &Value) -> Result<Reply, Fault> {
    match value.as_str() {
        Some("start") => return Ok(Reply::Start),
        Some("assumed") => return Ok(Reply::Assumed),
        Some("end") => return Ok(Reply::End),
        Some("done") => return Ok(Reply::Done),
        _ => {}
    }
    if let Some(page) = value.get("page").and_then(Value::as_str) {
        return Ok(Reply::Page(page.to_owned()));
    }
    if let Some(file) = value.get("file") {
        let text = |key: &str| file.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        return Ok(Reply::File(InputFile { name: text("name"), version: text("version") }));
    }
    if let Some(failure) = value.get("failed") {
        let text = |key: &str| failure.get(key).and_then(Value::as_str).unwrap_or_default();
        return Ok(Reply::Failed(Failure {
            code: text("code").to_owned(),
            message: text("message").to_owned(),
            transient: failure.get("transient") == Some(&Value::Bool(true)),
        }));
    }
    let outcomes = value.get("outcomes").and_then(Value::as_array);
    let outcomes = outcomes.and_then(|outcomes| outcomes.iter().map(outcome).collect());
    outcomes
        .map(Reply::Outcomes)
        .ok_or_else(|| Fault::protocol(format_args!("expected a reply, found {value}")))
}

fn outcome(value: &Value) -> Option<Outcome> {
    let cell = |cell: &Value| cell.as_str().map(str::to_owned);
    let rows = value.get("rows")?.as_array()?.iter();
    let rows: Option<Vec<Vec<_>>> =
        rows.map(|row| Some(row.as_array()?.iter().map(cell).collect())).collect();
    Some(Outcome { rows: rows?, affected: value.get("affected").and_then(Value::as_u64) })
}

fn step(step: Step) -> Result<Value, Fault> {
    Ok(match step {
        Step::Sql(script) => json!({ "sql": {
            "statements": script.statements,
            "order": if script.any_order { "any" } else { "serial" },
        } }),
        Step::Fetch(_) => return Err(Fault::protocol("this host sends no requests")),
        Step::Pull(pull) => {
            let content = match pull.content {
                Content::Arrow => "arrow",
                Content::Parquet => "parquet",
                Content::Text => "text",
                Content::Values => "values",
            };
            json!({ "pull": {
                "content": content, "files": pull.files, "resource": pull.resource, "skip": pull.skip,
            } })
        }
        Step::Upload(upload) => json!({ "upload": {
            "stage": upload.stage, "path": upload.path, "size": upload.size,
        } }),
        Step::Wait(pause) => {
            json!({ "wait": { "seconds": pause.seconds, "reason": pause.reason } })
        }
        Step::Finished(report) => json!({ "finished": finished(&report) }),
    })
}

fn finished(report: &Report) -> Value {
    let tables = report
        .tables
        .iter()
        .map(|table| json!({ "name": table.name, "resource": table.resource, "rows": table.rows }));
    let files = report.files.iter().map(|file| {
        json!({ "path": file.path, "table": file.table, "rows": file.rows, "bytes": file.bytes })
    });
    let cursors = report.cursors.iter().map(|cursor| {
        json!({
            "resource": cursor.resource, "path": cursor.path,
            "start": cursor.start, "last": cursor.last,
        })
    });
    json!({
        "load-id": report.load_id,
        "pipeline": report.pipeline,
        "database": report.database,
        "dataset": report.dataset,
        "tables": tables.collect::<Value>(),
        "files": files.collect::<Value>(),
        "cursors": cursors.collect::<Value>(),
        "statements": report.statements,
        "requests": report.requests,
        "pages": report.pages,
        "state": report.state,
        "warnings": report.warnings,
    })
}

const fn kind(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Config => "config",
        FaultKind::Contract => "contract",
        FaultKind::Data => "data",
        FaultKind::Destination => "destination",
        FaultKind::Internal => "internal",
        FaultKind::Protocol => "protocol",
        FaultKind::Source => "source",
    }
}
