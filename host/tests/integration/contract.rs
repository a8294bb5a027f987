//! The host contract (`tests/data/HOST.md`) for the driver, with scripted components: over a session made
//! for the test, and over one with a service that speaks Snowflake's protocol.
//!
//! The first session runs statements in order and overwrites files, so these two obligations are not
//! tested with it. It tests the driver: what it rejects, what reaches the session, and the replies to
//! the component.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use snowcat_host::snowflake::{Session, Snowflake};
use snowcat_host::transcript::Transcript;
use snowcat_host::{
    Content, Error, Failure, Fault, FaultKind, Guest, Host, Order, Outcome, Pause, Pull, Pulled,
    Reply, Report, Request, Response, Script, SqlReply, Step, Upload, drive,
};

use super::snowflake::service::{Does, Sent, Service};

const CASES: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/host/cases.json"));

#[test]
fn driver_fulfils_the_contract() {
    for case in &cases() {
        let mut world = World::new(&case["world"]);
        let (ended, transcript) = run(case, &mut world);
        let seen = Seen { statements: world.statements, puts: world.puts, waits: world.waits };
        check(case, &seen, ended, &transcript);
    }
}

#[test]
fn session_with_snowflake_fulfils_the_contract() {
    for case in &cases() {
        let service = answering(&case["world"]);
        let session = Session::open(&service.connection()).unwrap();
        let mut host = Snowflake::new(session, World::new(&case["world"]));
        let (ended, transcript) = run(case, &mut host);
        let waits = host.sources().waits.clone();
        // A failure of an upload is the failure of the next script.
        let script = Script { statements: Vec::new(), order: Order::Serial };
        let uploaded = host.sql(&script).map(drop);
        host.close().unwrap();
        let (mut statements, mut puts, mut put) = (Vec::new(), Vec::new(), String::new());
        for sent in service.all_sent() {
            let statement = sent.body["sqlText"].as_str().unwrap_or_default();
            if let Some(path) = put_path(statement) {
                put = path;
            } else if !statement.is_empty() {
                statements.push(json!(statement));
            } else if sent.path == "/stage" {
                let bytes = STANDARD.encode(&sent.bytes);
                puts.push(json!({"path": put, "base64": bytes, "overwrite": true}));
            }
        }
        let (transcript, failed) = (in_time(transcript, uploaded), &case["world"]["errors"]);
        assert!(failed.is_null() || transcript.iter().any(|it| !it["reply"]["failed"].is_null()));
        check(case, &Seen { statements, puts, waits }, ended, &transcript);
    }
}

/// The transcript of a host that waits for each upload.
fn in_time(mut transcript: Vec<Value>, uploaded: Result<(), Failure>) -> Vec<Value> {
    if let (Err(failure), Some(last)) = (uploaded, transcript.last_mut()) {
        assert_eq!(*last, json!({"reply": "done"}));
        let message = failure.message.rsplit(": ").next().unwrap();
        let (code, transient) = (failure.code, failure.transient);
        let failed = json!({"code": code, "message": message, "transient": transient});
        *last = json!({"reply": {"failed": failed}});
    }
    transcript
}

fn cases() -> Vec<Value> {
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    assert!(cases.len() > 20, "{}", cases.len());
    cases
}

/// What reached a session.
struct Seen {
    statements: Vec<Value>,
    puts: Vec<Value>,
    waits: Vec<Value>,
}

/// Runs the steps of a case; returns how it ended, and the transcript.
fn run(case: &Value, host: &mut impl Host) -> (&'static str, Vec<Value>) {
    let mut transcript = Transcript::new(Vec::new());
    let steps = case["steps"].as_array().unwrap().iter().map(step).collect();
    let ended = match drive(&mut Scripted(steps), host, &mut [&mut transcript]) {
        Ok(_) => "finished",
        Err(Error::Defect(_) | Error::Misuse(_)) => "protocol",
        Err(Error::Fault(fault)) if fault.kind == FaultKind::Data => "data",
        Err(error) => unreachable!("{}: {error}", case["name"]),
    };
    (ended, lines(&transcript.into_inner()))
}

fn check(case: &Value, seen: &Seen, ended: &str, transcript: &[Value]) {
    let (name, expect) = (case["name"].as_str().unwrap(), &case["expect"]);
    let list = |key: &str| expect[key].as_array().cloned().unwrap_or_default();
    assert_eq!(seen.statements, list("statements"), "{name}: statements");
    assert_eq!(seen.puts, list("puts"), "{name}: puts");
    assert_eq!(seen.waits, list("waits"), "{name}: waits");
    assert_eq!(ended, expect["ends"], "{name}");
    if ended != "protocol" {
        assert_eq!(transcript, list("transcript"), "{name}: transcript");
    }
}

/// A service that answers statements as a case says.
fn answering(world: &Value) -> Service {
    let world = world.clone();
    let answers = move |sent: &Sent| {
        let statement = sent.body["sqlText"].as_str()?;
        let put = put_path(statement);
        let error = &world["errors"][put.as_deref().unwrap_or(statement)];
        if !error.is_null() {
            let (code, message) = (format!("{:06}", error["code"].as_u64()?), &error["message"]);
            let answer = json!({"success": false, "code": code, "message": message, "data": {}});
            return Some(Does::Says(200, answer));
        }
        if put.is_some() {
            let url = format!("http://{}/stage", sent.header("host"));
            let info = json!({"locationType": "GCS", "presignedUrl": url});
            return Some(Does::gives(json!({"command": "UPLOAD", "stageInfo": info})));
        }
        let (rows, affected) = (&world["rows"][statement], &world["affected"][statement]);
        Some(Does::gives(match affected.as_u64() {
            Some(count) => {
                let columns = json!([{"name": "number of rows inserted"}]);
                json!({"rowtype": columns, "rowset": [[count.to_string()]], "total": 1})
            }
            None => json!({"rowset": rows}),
        }))
    };
    Service::answering(&[("/stage", &[Does::Says(200, Value::Null)])], Box::new(answers))
}

/// The path of a PUT that overwrites.
fn put_path(statement: &str) -> Option<String> {
    let rest = statement.strip_prefix("PUT 'file:///snowcat/")?;
    let (name, rest) = rest.split_once("' '")?;
    let (folder, options) = rest.split_once("' ")?;
    assert_eq!(options, "AUTO_COMPRESS=FALSE OVERWRITE=TRUE");
    Some(format!("{folder}/{name}"))
}

/// The lines of a transcript, without the start and the report.
fn lines(transcript: &[u8]) -> Vec<Value> {
    let lines = std::str::from_utf8(transcript).unwrap().lines();
    let lines = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .filter(|line| *line != json!({"reply": "start"}) && line["step"]["finished"].is_null())
        .collect()
}

/// A component that returns the steps of a case regardless of the replies, and then a report.
struct Scripted(VecDeque<Result<Step, Fault>>);

impl Guest for Scripted {
    fn resume(&mut self, _reply: &Reply) -> Result<Step, Error> {
        self.0.pop_front().unwrap_or_else(|| Ok(Step::Finished(report()))).map_err(Error::Fault)
    }

    fn payload(&mut self) -> Result<Vec<u8>, Error> {
        Ok(vec![0, 1, 2])
    }
}

/// A session that answers as the case states, and counts the calls.
struct World<'a> {
    given: &'a Value,
    statements: Vec<Value>,
    puts: Vec<Value>,
    waits: Vec<Value>,
}

impl<'a> World<'a> {
    fn new(given: &'a Value) -> Self {
        Self { given, statements: vec![], puts: vec![], waits: vec![] }
    }

    fn fail(&self, what: &str) -> Result<(), Failure> {
        let error = &self.given["errors"][what];
        if error.is_null() {
            return Ok(());
        }
        let (code, message) =
            (error["code"].to_string(), error["message"].as_str().unwrap().to_owned());
        let transient = code == "625";
        Err(Failure { code, message, transient })
    }
}

impl Host for World<'_> {
    fn sql(&mut self, script: &Script) -> Result<SqlReply, Failure> {
        let mut outcomes = Vec::new();
        for statement in &script.statements {
            self.statements.push(json!(statement));
            self.fail(statement)?;
            let affected = self.given["affected"][statement].as_u64();
            let cell = |cell: &Value| cell.as_str().map(str::to_owned);
            let row = |row: &Value| row.as_array().unwrap().iter().map(cell).collect();
            let rows =
                self.given["rows"][statement].as_array().map(|rows| rows.iter().map(row).collect());
            let rows = rows.or_else(|| affected.map(|count| vec![vec![Some(count.to_string())]]));
            outcomes.push(Outcome { rows: rows.unwrap_or_default(), affected });
        }
        Ok(SqlReply::Outcomes(outcomes))
    }

    fn upload(&mut self, upload: &Upload, payload: Vec<u8>) -> Result<(), Failure> {
        let path = format!("@{}/{}", upload.stage, upload.path);
        self.fail(&path)?;
        self.puts
            .push(json!({"path": path, "base64": STANDARD.encode(payload), "overwrite": true}));
        Ok(())
    }

    fn fetch(&mut self, _requests: &[Request]) -> Vec<Result<Response, Failure>> {
        unreachable!("no case has requests")
    }

    fn pull(&mut self, pull: &Pull) -> Result<Pulled, Failure> {
        let message = format!("this host holds no input for '{}'", pull.resource);
        Err(Failure { code: String::new(), message, transient: false })
    }

    fn wait(&mut self, seconds: f64, _reason: &str) {
        self.waits.push(json!(seconds));
    }
}

fn step(given: &Value) -> Result<Step, Fault> {
    let (tag, detail) = given.as_object().unwrap().iter().next().unwrap();
    let text = |key: &str| detail[key].as_str().unwrap().to_owned();
    let texts = |key: &str| -> Vec<String> {
        detail[key].as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
    };
    Ok(match tag.as_str() {
        "sql" => {
            let order = if detail["order"] == "any" { Order::Any } else { Order::Serial };
            Step::Sql(Script { statements: texts("statements"), order })
        }
        "upload" => Step::Upload(Upload {
            stage: text("stage"),
            path: text("path"),
            size: detail["size"].as_u64().unwrap(),
        }),
        "wait" => Step::Wait(Pause {
            seconds: detail["seconds"].as_f64().unwrap(),
            reason: text("reason"),
        }),
        "pull" => Step::Pull(Pull {
            resource: text("resource"),
            files: texts("files"),
            content: Content::Text,
            skip: false,
            encoding: None,
        }),
        "fault" => {
            return Err(Fault {
                kind: FaultKind::Data,
                message: text("message"),
                context: texts("context"),
            });
        }
        other => unreachable!("{other}: a case has no such step"),
    })
}

fn report() -> Report {
    Report {
        load_id: "1.5".into(),
        pipeline: "p".into(),
        database: "RAW".into(),
        dataset: "d".into(),
        tables: vec![],
        files: vec![],
        cursors: vec![],
        statements: 0,
        requests: 0,
        pages: 0,
        state: "{}".into(),
        warnings: vec![],
    }
}
