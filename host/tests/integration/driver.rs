//! The driver checks that both sides follow the interface, and a run is replayed from its
//! transcript.

use std::collections::VecDeque;

use snowcat_host::transcript::Transcript;
use snowcat_host::{
    Content, Error, Failure, Fault, FaultKind, Fetches, Guest, Host, Order, Outcome, Pause, Pull,
    Pulled, Replay, Reply, Report, Request, Response, Script, SqlReply, Step, Upload, drive,
};

/// Returns these steps regardless of the replies.
struct Scripted(VecDeque<Result<Step, Fault>>);

impl Guest for Scripted {
    fn resume(&mut self, _reply: &Reply) -> Result<Step, Error> {
        self.0.pop_front().expect("the run is over").map_err(Error::Fault)
    }

    fn payload(&mut self) -> Result<Vec<u8>, Error> {
        Ok(b"abc".to_vec())
    }
}

/// Returns the same answers to every request.
#[derive(Default)]
struct Fixed {
    outcomes: usize,
    responses: usize,
    pages: VecDeque<String>,
    calls: Vec<String>,
}

impl Host for Fixed {
    fn sql(&mut self, script: &Script) -> Result<SqlReply, Failure> {
        self.calls.push(format!("sql {}", script.statements.len()));
        let outcome = Outcome { rows: vec![vec![Some("1".into()), None]], affected: Some(2) };
        Ok(SqlReply::Outcomes(vec![outcome; self.outcomes]))
    }

    fn upload(&mut self, upload: &Upload, payload: Vec<u8>) -> Result<(), Failure> {
        self.calls.push(format!("upload {} {}", upload.path, payload.len()));
        Ok(())
    }

    fn fetch(&mut self, requests: &[Request]) -> Vec<Result<Response, Failure>> {
        self.calls.push(format!("fetch {}", requests.len()));
        let response = Response { status: 200, headers: vec![], body: "{}".into() };
        vec![Ok(response); self.responses]
    }

    fn pull(&mut self, pull: &Pull) -> Result<Pulled, Failure> {
        self.calls.push(format!("pull {}", pull.resource));
        Ok(self.pages.pop_front().map_or(Pulled::End, Pulled::Page))
    }

    fn wait(&mut self, seconds: f64, reason: &str) {
        self.calls.push(format!("wait {seconds} {reason}"));
    }
}

fn pull() -> Pull {
    Pull {
        resource: "r".into(),
        files: vec![],
        content: Content::Values,
        skip: false,
        encoding: None,
    }
}

#[test]
fn violations_by_the_host_are_reported() {
    let check = |step: Step, expected: &str| {
        let mut guest = Scripted([Ok(step)].into());
        let mut warehouse = Fixed { outcomes: 1, responses: 1, ..Fixed::default() };
        let error = drive(&mut guest, &mut warehouse, &mut []).unwrap_err();
        assert!(matches!(&error, Error::Misuse(why) if why == expected), "{error}");
    };
    check(sql(2), "expected one outcome for each of 2 statements, found 1");
    check(sql(0), "expected one outcome for each of 0 statements, found 1");
    check(fetch(2), "expected one answer to each of 2 requests, found 1");
}

#[test]
fn violations_by_the_load_end_the_run() {
    let check = |step: Step, expected: &str| {
        let mut guest = Scripted([Ok(step)].into());
        let mut warehouse = Fixed::default();
        let error = drive(&mut guest, &mut warehouse, &mut []).unwrap_err();
        assert!(matches!(&error, Error::Defect(why) if why.contains(expected)), "{error}");
        assert_eq!(warehouse.calls, [""; 0]);
    };
    check(fetch(0), "a fetch of no requests");
    check(upload("1/a", 4), "announced with 4 bytes, found 3");
    for path in ["", "/etc/passwd", "../a", "a/../b", "a//b", "a/.", "a\\b", "a b", "é"] {
        check(upload(path, 3), "is not a path under a stage");
    }
    let on =
        |stage: &str| Step::Upload(Upload { stage: stage.into(), path: "1/a".into(), size: 3 });
    for stage in
        ["", "S", "@~", "\"\"", "\"S", "\"S\" x", "\"S\".", "\"A\".\"B\".\"C\".\"D\"", "\"S\".t"]
    {
        check(on(stage), "is not the name of a stage");
    }
}

#[test]
fn stage_names_must_be_quoted() {
    for stage in ["\"S\"", "\"A\".\"b c\".\"S\"\"\"", "\"\"\".\""] {
        let step = Step::Upload(Upload { stage: stage.into(), path: "1/a".into(), size: 3 });
        let mut guest = Scripted([Ok(step), Ok(Step::Finished(report()))].into());
        drive(&mut guest, &mut Fixed::default(), &mut []).unwrap();
    }
}

#[test]
fn a_run_is_replayed_from_its_transcript() {
    let steps = [
        sql(1),
        Step::Pull(pull()),
        Step::Pull(pull()),
        fetch(1),
        Step::Wait(Pause { seconds: 0.5, reason: "429".into() }),
        upload("1/a", 3),
        Step::Finished(report()),
    ];
    let mut guest = Scripted(steps.iter().cloned().map(Ok).collect());
    let mut warehouse =
        Fixed { outcomes: 1, responses: 1, pages: ["{}".into()].into(), ..Fixed::default() };
    let mut transcript = Transcript::new(Vec::new());
    let first = drive(&mut guest, &mut warehouse, &mut [&mut transcript]).unwrap();
    assert_eq!(
        warehouse.calls,
        ["sql 1", "pull r", "pull r", "fetch 1", "wait 0.5 429", "upload 1/a 3"]
    );
    let text = String::from_utf8(transcript.into_inner()).unwrap();
    assert_eq!(text.lines().count(), 2 * steps.len());

    let mut again = Transcript::new(Vec::new());
    let mut replay = Replay::new(&text).unwrap();
    let mut guest = Scripted(steps.iter().cloned().map(Ok).collect());
    assert_eq!(drive(&mut guest, &mut replay, &mut [&mut again]).unwrap(), first);
    replay.finish().unwrap();
    assert_eq!(String::from_utf8(again.into_inner()).unwrap(), text);

    // Another step than the recorded one is detected, even a wait, which cannot fail.
    for (at, other) in [(0, sql(2)), (4, Step::Wait(Pause { seconds: 0.6, reason: "429".into() }))]
    {
        let mut steps = steps.clone();
        steps[at] = other;
        let mut replay = Replay::new(&text).unwrap();
        let mut guest = Scripted(steps.into_iter().map(Ok).collect());
        drive(&mut guest, &mut replay, &mut []).unwrap();
        let error = replay.finish().unwrap_err().to_string();
        assert!(error.contains(&format!("line {}: expected", 2 * at + 2)), "{error}");
    }

    // Fewer steps than recorded.
    let mut replay = Replay::new(&text).unwrap();
    let mut guest = Scripted([Ok(sql(1)), Ok(Step::Finished(report()))].into());
    drive(&mut guest, &mut replay, &mut []).unwrap();
    assert!(replay.finish().unwrap_err().to_string().contains("line 4 was never reached"));

    assert!(Replay::new("").is_err());
    assert!(Replay::new("{\"reply\":\"done\"}").is_err());
}

#[test]
fn faults_are_in_the_transcript() {
    let fault = Fault { kind: FaultKind::Source, message: "no".into(), context: vec!["r".into()] };
    let mut guest = Scripted([Ok(sql(1)), Err(fault.clone())].into());
    let mut transcript = Transcript::new(Vec::new());
    let mut warehouse = Fixed { outcomes: 1, ..Fixed::default() };
    let error = drive(&mut guest, &mut warehouse, &mut [&mut transcript]).unwrap_err();
    assert_eq!(error.as_fault(), Some(&fault));
    let text = String::from_utf8(transcript.into_inner()).unwrap();
    assert_eq!(
        text.lines().last(),
        Some(r#"{"fault":{"context":["r"],"kind":"source","message":"no"}}"#)
    );
}

#[test]
fn unwritable_transcript_ends_the_run() {
    let mut guest = Scripted([Ok(sql(1))].into());
    let mut full = [0_u8; 4];
    let mut transcript = Transcript::new(&mut full[..]);
    let error = drive(&mut guest, &mut Fixed::default(), &mut [&mut transcript]).unwrap_err();
    assert!(matches!(error, Error::Transcript(_)), "{error}");
}

fn sql(statements: usize) -> Step {
    Step::Sql(Script { statements: vec!["SELECT 1".into(); statements], order: Order::Serial })
}

fn fetch(requests: usize) -> Step {
    let request = Request {
        resource: "r".into(),
        parent: vec![],
        method: "GET".into(),
        url: "https://x.example/".into(),
        headers: vec![],
        auth: None,
        body: None,
    };
    Step::Fetch(Fetches { requests: vec![request; requests] })
}

fn upload(path: &str, size: u64) -> Step {
    Step::Upload(Upload { stage: "\"S\"".into(), path: path.into(), size })
}

fn report() -> Report {
    Report {
        load_id: "1".into(),
        pipeline: "p".into(),
        database: "DB".into(),
        dataset: "ds".into(),
        tables: vec![],
        files: vec![],
        cursors: vec![],
        statements: 1,
        requests: 1,
        pages: 2,
        state: "{}".into(),
        warnings: vec![],
    }
}
