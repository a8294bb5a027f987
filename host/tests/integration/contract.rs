//! The host contract (`tests/data/HOST.md`) for the driver: scripted components, and a session made
//! for the test.
//!
//! The session runs statements in order and overwrites files, so these two obligations are not
//! tested here. The tests cover the driver: what it rejects, what reaches the session, and the
//! replies to the component.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use snowcat_host::transcript::Transcript;
use snowcat_host::{
    Content, Error, Failure, Fault, FaultKind, Guest, Host, Order, Outcome, Pause, Pull, Pulled,
    Reply, Report, Request, Response, Script, SqlReply, Step, Upload, drive,
};

const CASES: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/host/cases.json"));

#[test]
fn driver_fulfils_the_contract() {
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    assert!(cases.len() > 20, "{}", cases.len());
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let mut world =
            World { given: &case["world"], statements: vec![], puts: vec![], waits: vec![] };
        let mut transcript = Transcript::new(Vec::new());
        let steps = case["steps"].as_array().unwrap().iter().map(step).collect();
        let ended = match drive(&mut Scripted(steps), &mut world, &mut [&mut transcript]) {
            Ok(_) => "finished",
            Err(Error::Defect(_) | Error::Misuse(_)) => "protocol",
            Err(Error::Fault(fault)) if fault.kind == FaultKind::Data => "data",
            Err(error) => panic!("{name}: {error}"),
        };
        let expect = &case["expect"];
        let list = |key: &str| expect[key].as_array().cloned().unwrap_or_default();
        assert_eq!(world.statements, list("statements"), "{name}: statements");
        assert_eq!(world.puts, list("puts"), "{name}: puts");
        assert_eq!(world.waits, list("waits"), "{name}: waits");
        assert_eq!(ended, expect["ends"], "{name}");
        if ended != "protocol" {
            assert_eq!(lines(&transcript.into_inner()), list("transcript"), "{name}: transcript");
        }
    }
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

impl World<'_> {
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
