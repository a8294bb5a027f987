use super::*;
use crate::interface::{
    CursorReport, FaultKind, Fetches, File, FileReport, Pause, Pull, Script, TableReport, Upload,
};

#[test]
fn steps_have_one_text() {
    check_step(
        Step::Sql(Script { statements: vec!["SELECT 'é\"\n'".into()], order: Order::Any }),
        r#"{"step":{"sql":{"order":"any","statements":["SELECT 'é\"\n'"]}}}"#,
    );
    check_step(
        Step::Fetch(Fetches {
            requests: vec![Request {
                resource: "r".into(),
                parent: vec![("id".into(), "1".into())],
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
fn replies_have_one_text_and_are_read_back() {
    check_reply(Reply::Start, r#"{"reply":"start"}"#);
    check_reply(Reply::DryRun, r#"{"reply":"dry-run"}"#);
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
            Ok(Response { status: 200, headers: vec![("a".into(), "b".into())], body: "c".into() }),
            Err(failure),
        ]),
        r#"{"reply":{"responses":[{"ok":{"body":"c","headers":[["a","b"]],"status":200}},{"err":{"code":"000904","message":"no","transient":true}}]}}"#,
    );
}

#[test]
fn a_number_of_rows_is_a_number() {
    for affected in ["-1", "1.5", "\"3\""] {
        let line = format!(r#"{{"reply":{{"outcomes":[{{"affected":{affected},"rows":[]}}]}}}}"#);
        let error = parse_reply(&serde_json::from_str(&line).unwrap()).unwrap_err();
        assert_eq!(error, format!("expected a number of rows, found {affected}"));
    }
}

#[test]
fn faults_have_one_text() {
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
