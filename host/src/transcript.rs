//! A run written down: one JSON object a line, alternately what the load heard and what it said.
//!
//! The text is canonical (keys sorted, no spaces, nothing escaped that need not be), and the Python
//! host writes the same, so that two runs are the same run exactly when their transcripts are equal
//! byte for byte. Of a file there is the SHA-256 and the size; a credential never comes near.
//!
//! ```text
//! {"reply":"start"}
//! {"step":{"sql":{"order":"serial","statements":["SELECT .."]}}}
//! {"reply":{"outcomes":[{"affected":null,"rows":[["1",null]]}]}}
//! {"step":{"upload":{"path":"..","sha256":"..","size":1234,"stage":".."}}}
//! {"reply":"done"}
//! {"step":{"finished":{"cursors":[],..}}}
//! ```
//! A load that cannot go on ends with `{"fault":{"context":[..],"kind":"data","message":".."}}`; a job
//! that is not valid is such a line and no other.

use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::error::{Error, kind_name};
use crate::interface::{
    Check, Column, Content, Failure, Fault, File, Order, Outcome, Reply, Report, Request, Response,
    Step, Verdict,
};
use crate::runner::Observer;

/// Writes a run down as it happens.
#[derive(Debug)]
pub struct Transcript<W> {
    out: W,
}

impl<W: Write> Transcript<W> {
    /// A transcript that goes to this writer, a line at a time.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    /// The writer.
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

// Keys are in alphabetical order in every `json!` below: whether serde_json sorts them itself depends
// on a feature that any crate of the program may turn on. A test sees to it.

/// The line of a step, without its end. `payload` is that of an upload, else empty.
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
#[must_use]
pub fn reply_line(reply: &Reply) -> String {
    let reply = match reply {
        Reply::Assumed => json!("assumed"),
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

/// A report in JSON, with the interface's own names.
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

/// The requests of a step.
pub(crate) fn parse_requests(value: &Value) -> Result<Vec<Request>, String> {
    let optional = |value: &Value, key: &str| match value.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => text(value).map(Some),
    };
    list(value, |value| {
        Ok(Request {
            method: text(field(value, "method")?)?,
            url: text(field(value, "url")?)?,
            headers: list(field(value, "headers")?, parse_header)?,
            auth: optional(value, "auth")?,
            body: optional(value, "body")?,
        })
    })
}

/// The reply of a line.
pub(crate) fn parse_reply(line: &Value) -> Result<Reply, String> {
    let reply = line.get("reply").ok_or_else(|| format!("expected a reply, found {line}"))?;
    if let Some(word) = reply.as_str() {
        return match word {
            "assumed" => Ok(Reply::Assumed),
            "done" => Ok(Reply::Done),
            "end" => Ok(Reply::End),
            "start" => Ok(Reply::Start),
            other => Err(format!("{other} is no reply")),
        };
    }
    if let Some(failure) = reply.get("failed") {
        return Ok(Reply::Failed(parse_failure(failure)?));
    }
    if let Some(file) = reply.get("file") {
        let [name, version] = ["name", "version"].map(|key| field(file, key).and_then(text));
        return Ok(Reply::File(File { name: name?, version: version? }));
    }
    if let Some(columns) = reply.get("columns") {
        return Ok(Reply::Columns(list(columns, parse_column)?));
    }
    if let Some(page) = reply.get("page") {
        return Ok(Reply::Page(text(page)?));
    }
    if let Some(outcomes) = reply.get("outcomes") {
        return Ok(Reply::Outcomes(list(outcomes, parse_outcome)?));
    }
    if let Some(responses) = reply.get("responses") {
        return Ok(Reply::Responses(list(responses, parse_response)?));
    }
    Err(format!("{reply} is no reply"))
}

fn parse_column(value: &Value) -> Result<Column, String> {
    let [name, native, kind] =
        ["name", "native", "kind"].map(|key| field(value, key).and_then(text));
    let digits = |key: &str| match field(value, key)? {
        Value::Null => Ok(None),
        digits => match digits.as_u64().and_then(|digits| u32::try_from(digits).ok()) {
            Some(digits) => Ok(Some(digits)),
            None => Err(format!("expected a number of digits, found {digits}")),
        },
    };
    let nullable = field(value, "nullable")?;
    Ok(Column {
        name: name?,
        native: native?,
        kind: kind?,
        precision: digits("precision")?,
        scale: digits("scale")?,
        nullable: nullable
            .as_bool()
            .ok_or_else(|| format!("expected true or false, found {nullable}"))?,
    })
}

fn parse_outcome(value: &Value) -> Result<Outcome, String> {
    let cell = |value: &Value| match value {
        Value::Null => Ok(None),
        value => text(value).map(Some),
    };
    Ok(Outcome {
        rows: list(field(value, "rows")?, |row| list(row, cell))?,
        affected: field(value, "affected")?.as_u64(),
    })
}

fn parse_response(value: &Value) -> Result<Result<Response, Failure>, String> {
    if let Some(failure) = value.get("err") {
        return Ok(Err(parse_failure(failure)?));
    }
    let value = field(value, "ok")?;
    let status = field(value, "status")?;
    Ok(Ok(Response {
        status: status
            .as_u64()
            .and_then(|status| u16::try_from(status).ok())
            .ok_or_else(|| format!("{status} is no status"))?,
        headers: list(field(value, "headers")?, parse_header)?,
        body: text(field(value, "body")?)?,
    }))
}

fn parse_header(header: &Value) -> Result<(String, String), String> {
    match header.as_array().map(Vec::as_slice) {
        Some([name, value]) => Ok((text(name)?, text(value)?)),
        _ => Err(format!("expected a name and a value, found {header}")),
    }
}

fn parse_failure(value: &Value) -> Result<Failure, String> {
    Ok(Failure {
        code: text(field(value, "code")?)?,
        message: text(field(value, "message")?)?,
        transient: field(value, "transient")?
            .as_bool()
            .ok_or_else(|| format!("expected true or false, found {value}"))?,
    })
}

fn field<'a>(value: &'a Value, name: &str) -> Result<&'a Value, String> {
    value.get(name).ok_or_else(|| format!("expected {name}, found {value}"))
}

fn list<T>(value: &Value, item: impl Fn(&Value) -> Result<T, String>) -> Result<Vec<T>, String> {
    let items = value.as_array().ok_or_else(|| format!("expected a list, found {value}"))?;
    items.iter().map(item).collect()
}

fn text(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("expected a text, found {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::{
        CursorReport, FaultKind, Fetches, FileReport, Pause, Pull, Script, TableReport, Upload,
    };

    #[test]
    fn steps_are_said_in_one_way() {
        check_step(
            Step::Sql(Script { statements: vec!["SELECT 'é\"\n'".into()], order: Order::Any }),
            r#"{"step":{"sql":{"order":"any","statements":["SELECT 'é\"\n'"]}}}"#,
        );
        check_step(
            Step::Fetch(Fetches {
                requests: vec![Request {
                    method: "GET".into(),
                    url: "https://x/1".into(),
                    headers: vec![("accept".into(), "*/*".into())],
                    auth: Some("jira".into()),
                    body: None,
                }],
            }),
            r#"{"step":{"fetch":[{"auth":"jira","body":null,"headers":[["accept","*/*"]],"method":"GET","url":"https://x/1"}]}}"#,
        );
        check_step(
            Step::Pull(Pull {
                resource: "r".into(),
                files: vec!["@s/*.csv".into()],
                content: Content::Text,
                skip: true,
                encoding: None,
            }),
            r#"{"step":{"pull":{"content":"text","files":["@s/*.csv"],"resource":"r","skip":true}}}"#,
        );
        check_step(
            Step::Pull(Pull {
                resource: "r".into(),
                files: vec![],
                content: Content::Text,
                skip: false,
                encoding: Some("koi8-r".into()),
            }),
            r#"{"step":{"pull":{"content":"text","encoding":"koi8-r","files":[],"resource":"r","skip":false}}}"#,
        );
        check_step(
            Step::Upload(Upload { stage: "\"S\"".into(), path: "1/a".into(), size: 3 }),
            r#"{"step":{"upload":{"path":"1/a","sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","size":3,"stage":"\"S\""}}}"#,
        );
        check_step(
            Step::Wait(Pause { seconds: 2.0, reason: "429".into() }),
            r#"{"step":{"wait":{"reason":"429","seconds":2.0}}}"#,
        );
        check_step(
            Step::Finished(report()),
            r#"{"step":{"finished":{"cursors":[{"last":"2","path":"id","resource":"r","start":null}],"database":"DB","dataset":"ds","files":[{"bytes":9,"path":"1/a","rows":1,"table":"t"}],"load-id":"1","pages":4,"pipeline":"p","requests":3,"state":"{}","statements":2,"tables":[{"name":"t","resource":"r","rows":1}],"warnings":["w"]}}}"#,
        );
    }

    #[test]
    fn replies_are_said_in_one_way_and_read_back() {
        check_reply(Reply::Start, r#"{"reply":"start"}"#);
        check_reply(Reply::Assumed, r#"{"reply":"assumed"}"#);
        check_reply(Reply::End, r#"{"reply":"end"}"#);
        check_reply(Reply::Done, r#"{"reply":"done"}"#);
        check_reply(
            Reply::File(File { name: "a.csv".into(), version: "1".into() }),
            r#"{"reply":{"file":{"name":"a.csv","version":"1"}}}"#,
        );
        check_reply(
            Reply::Columns(vec![Column {
                name: "a".into(),
                native: "decimal(9,2)".into(),
                kind: "decimal".into(),
                precision: Some(9),
                scale: None,
                nullable: true,
            }]),
            r#"{"reply":{"columns":[{"kind":"decimal","name":"a","native":"decimal(9,2)","nullable":true,"precision":9,"scale":null}]}}"#,
        );
        check_reply(Reply::Page("{\"a\":\u{1}}".into()), r#"{"reply":{"page":"{\"a\":\u0001}"}}"#);
        check_reply(
            Reply::Outcomes(vec![
                Outcome { rows: vec![vec![Some(String::new()), None]], affected: None },
                Outcome { rows: vec![], affected: Some(7) },
            ]),
            r#"{"reply":{"outcomes":[{"affected":null,"rows":[["",null]]},{"affected":7,"rows":[]}]}}"#,
        );
        let failure = Failure { code: "000904".into(), message: "no".into(), transient: true };
        check_reply(
            Reply::Failed(failure.clone()),
            r#"{"reply":{"failed":{"code":"000904","message":"no","transient":true}}}"#,
        );
        check_reply(
            Reply::Responses(vec![
                Ok(Response {
                    status: 200,
                    headers: vec![("a".into(), "b".into())],
                    body: "c".into(),
                }),
                Err(failure),
            ]),
            r#"{"reply":{"responses":[{"ok":{"body":"c","headers":[["a","b"]],"status":200}},{"err":{"code":"000904","message":"no","transient":true}}]}}"#,
        );
    }

    #[test]
    fn a_fault_is_said_in_one_way() {
        let fault = Fault {
            kind: FaultKind::Data,
            message: "expected }".into(),
            context: vec!["resource r".into(), "page 2".into()],
        };
        let expected =
            r#"{"fault":{"context":["resource r","page 2"],"kind":"data","message":"expected }"}}"#;
        assert_eq!(fault_line(&fault), expected);
        assert_sorted(&serde_json::from_str(expected).unwrap());
    }

    fn report() -> Report {
        Report {
            load_id: "1".into(),
            pipeline: "p".into(),
            database: "DB".into(),
            dataset: "ds".into(),
            tables: vec![TableReport { name: "t".into(), resource: "r".into(), rows: 1 }],
            files: vec![FileReport { path: "1/a".into(), table: "t".into(), rows: 1, bytes: 9 }],
            cursors: vec![CursorReport {
                resource: "r".into(),
                path: "id".into(),
                start: None,
                last: Some("2".into()),
            }],
            statements: 2,
            requests: 3,
            pages: 4,
            state: "{}".into(),
            warnings: vec!["w".into()],
        }
    }

    fn check_step(step: Step, expected: &str) {
        assert_eq!(step_line(&step, b"abc"), expected);
        assert_sorted(&serde_json::from_str(expected).unwrap());
    }

    fn check_reply(reply: Reply, expected: &str) {
        assert_eq!(reply_line(&reply), expected);
        let value = serde_json::from_str(expected).unwrap();
        assert_sorted(&value);
        assert_eq!(parse_reply(&value), Ok(reply));
    }

    fn assert_sorted(value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(assert_sorted),
            Value::Object(fields) => {
                assert!(fields.keys().is_sorted(), "{value}");
                fields.values().for_each(assert_sorted);
            }
            _ => {}
        }
    }
}
