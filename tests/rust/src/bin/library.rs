//! Runs the guest as a library for a host in another language, so that one test can drive both it
//! and the component. The steps and replies of `wit/loads.wit` are lines of JSON:
//!
//! ```text
//! {"start": {"job": "...", "now": "..."}}   ->  {"ok": null}
//! {"resume": "start"}                       ->  {"ok": {"sql": {"statements": [..], "order": "any"}}}
//! {"resume": {"outcomes": [..]}}            ->  {"ok": {"pull": {"resource": "t"}}}
//! {"resume": {"page": "..."}}               ->  {"ok": {"upload": {"stage": .., "path": .., "size": ..}}}
//! {"resume": {"responses": [{"ok": ..}]}}   ->  {"ok": {"fetch": {"requests": [..]}}}
//! {"payload": null}                         ->  {"ok": "base64"}
//! {"resume": "done"}                        ->  {"fault": {"kind": .., "message": .., "context": [..]}}
//! ```
//!
//! There is one load at a time: a start drops the previous one.

use std::io::{self, BufRead, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use snowcat_guest::fault::{Fault, FaultKind};
use snowcat_guest::load;
use snowcat_guest::protocol::{
    Content, Failure, InputColumn, InputFile, Load, Outcome, Reply, Report, Request, Response, Step,
};

pub(crate) fn main() -> io::Result<()> {
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
        Some("dry-run") => return Ok(Reply::DryRun),
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
    if let Some(columns) = value.get("columns").and_then(Value::as_array) {
        return Ok(Reply::Columns(columns.iter().map(column).collect()));
    }
    if let Some(given) = value.get("failed") {
        return Ok(Reply::Failed(failure(given)));
    }
    if let Some(responses) = value.get("responses").and_then(Value::as_array) {
        let responses = responses.iter().map(response).collect::<Option<_>>();
        return responses
            .map(Reply::Responses)
            .ok_or_else(|| Fault::protocol(format_args!("expected responses, found {value}")));
    }
    let outcomes = value.get("outcomes").and_then(Value::as_array);
    let outcomes = outcomes.and_then(|outcomes| outcomes.iter().map(outcome).collect());
    outcomes
        .map(Reply::Outcomes)
        .ok_or_else(|| Fault::protocol(format_args!("expected a reply, found {value}")))
}

fn column(value: &Value) -> InputColumn {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let digits = |key: &str| value.get(key).and_then(Value::as_u64)?.try_into().ok();
    InputColumn {
        name: text("name"),
        native: text("native"),
        kind: text("kind"),
        precision: digits("precision"),
        scale: digits("scale"),
        nullable: value.get("nullable") != Some(&Value::Bool(false)),
    }
}

fn failure(value: &Value) -> Failure {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    Failure {
        code: text("code").to_owned(),
        message: text("message").to_owned(),
        transient: value.get("transient") == Some(&Value::Bool(true)),
    }
}

fn response(value: &Value) -> Option<Result<Response, Failure>> {
    if let Some(given) = value.get("err") {
        return Some(Err(failure(given)));
    }
    let given = value.get("ok")?;
    let header = |pair: &Value| {
        let text = |at: usize| pair.get(at).and_then(Value::as_str).map(str::to_owned);
        Some((text(0)?, text(1)?))
    };
    Some(Ok(Response {
        status: u16::try_from(given.get("status")?.as_u64()?).ok()?,
        headers: given.get("headers")?.as_array()?.iter().map(header).collect::<Option<_>>()?,
        body: given.get("body")?.as_str()?.to_owned(),
    }))
}

fn request(request: &Request) -> Value {
    json!({
        "resource": request.resource,
        "parent": request.parent,
        "method": request.method,
        "url": request.url,
        "headers": request.headers,
        "auth": request.auth,
        "body": request.body,
    })
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
        Step::Fetch(requests) => {
            json!({ "fetch": { "requests": requests.iter().map(request).collect::<Vec<_>>() } })
        }
        Step::Pull(pull) => {
            let content = match pull.content {
                Content::Arrow => "arrow",
                Content::Cells => "cells",
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
        Step::Examined(_) | Step::Found(_) | Step::Listed(_) => {
            return Err(Fault::internal("a load ended as something else"));
        }
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
