//! What a session does when answers are lost, late, or not the ones that were hoped for.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use snowcat_host::Failure;
use snowcat_host::snowflake::{Answer, ErrorKind, Session, SnowflakeError};

use super::service::{Does, LOGIN, QUERY, RENEWAL, Service};

#[test]
fn a_login_says_who_and_where() {
    let service = Service::new(&[]);
    let connection = service.connection_of(&[
        ("user", "loader"),
        ("password", "hunter2"),
        ("role", "LOAD ER"),
        ("warehouse", "W"),
        ("database", "D"),
        ("schema", "S"),
    ]);
    let connection = connection.session_parameter("QUERY_TAG", "jira");
    Session::open(&connection).unwrap().close().unwrap();
    let [login] = service.sent(LOGIN).try_into().unwrap();
    let data = &login.body["data"];
    assert_eq!(
        (&data["ACCOUNT_NAME"], &data["LOGIN_NAME"], &data["PASSWORD"]),
        (&json!("acme"), &json!("loader"), &json!("hunter2"))
    );
    let parameters = json!({"QUERY_TAG": "jira", "ROWS_PER_RESULTSET": 0});
    assert_eq!(data["SESSION_PARAMETERS"], parameters);
    assert_eq!(data["CLIENT_APP_ID"], Value::Null);
    let place = ["roleName", "warehouse", "databaseName", "schemaName"];
    assert_eq!(place.map(|name| login.query[name].as_str()), ["LOAD%20ER", "W", "D", "S"]);
    let [closed] = service.sent("/session").try_into().unwrap();
    assert_eq!(closed.header("authorization"), "Snowflake Token=\"t1\"");
    assert_eq!(closed.query["delete"], "true");
}

#[test]
fn a_statement_is_sent_again_under_its_id() {
    let check = |trouble: Does, reason: &str| {
        let service = Service::new(&[(QUERY, &[trouble.clone(), trouble.clone(), Does::row("x")])]);
        assert_eq!(value(run(&service, "COMMIT")), "x", "{trouble:?}");
        let sent = service.sent(QUERY);
        let ids = sent.iter().map(|it| it.query["requestId"].as_str()).collect::<Vec<_>>();
        assert!(sent.len() == 3 && ids.iter().all(|id| *id == ids[0]), "{trouble:?}: {ids:?}");
        assert_ne!(sent[0].query["request_guid"], sent[1].query["request_guid"]);
        let retries = sent.iter().map(|it| it.query.get("retryCount").map(String::as_str));
        assert_eq!(retries.collect::<Vec<_>>(), [None, Some("1"), Some("2")], "{trouble:?}");
        assert_eq!(sent[1].query["retryReason"], reason, "{trouble:?}");
    };
    check(Does::HangsUp, "0");
    check(Does::BreaksOff, "0");
    check(Does::Says(408, Value::Null), "408");
    check(Does::Says(429, Value::Null), "429");
    check(Does::Says(500, Value::Null), "500");
    check(Does::Says(503, json!({"success": false})), "503");
    check(Does::Says(200, json!("broken")), "200");
}

#[test]
fn without_an_answer_the_error_says_what_is_known() {
    let check = |statements: &[&str], last: Does, kind, transient| {
        let mut plan = vec![Does::row("x"); statements.len() - 1];
        plan.push(last.clone());
        let service = Service::new(&[(QUERY, &plan)]);
        let mut session = Session::open(&service.connection()).unwrap();
        let (failing, before) = statements.split_last().unwrap();
        for statement in before {
            session.execute(statement).unwrap();
        }
        let error = session.execute(failing).unwrap_err();
        assert_eq!(error.kind(), kind, "{statements:?}: {error}");
        assert_eq!(Failure::from(error).transient, transient, "{statements:?}");
        assert_eq!(service.sent(QUERY).len(), before.len() + 4, "{statements:?}");
    };
    let busy = || Does::Says(503, Value::Null);
    let unknown = ErrorKind::OutcomeUnknown;
    check(&["INSERT"], Does::HangsUp, unknown, false);
    check(&["BEGIN", "COMMIT"], Does::HangsUp, unknown, false);
    check(&["BEGIN", "COMMIT"], busy(), ErrorKind::Unavailable, true);
    check(&["INSERT"], busy(), ErrorKind::Unavailable, true);
    // Nothing that lasts was changed.
    check(&["SELECT"], Does::HangsUp, ErrorKind::NoAnswer, false);
    check(&["BEGIN", "INSERT"], Does::HangsUp, ErrorKind::NoAnswer, false);
    // A definition commits by itself, and what follows it is in no transaction.
    check(&["BEGIN", "DROP TABLE T"], Does::HangsUp, unknown, false);
    check(&["BEGIN", "DROP TABLE T", "DELETE"], Does::HangsUp, unknown, false);
    check(&["BEGIN", "ROLLBACK", "INSERT"], Does::HangsUp, unknown, false);
}

#[test]
fn an_expired_token_is_renewed_and_the_statement_sent_again() {
    for expired in [Does::fails("390112"), Does::Says(401, json!("Session expired"))] {
        let renewed =
            json!({"sessionToken": "t2", "masterToken": "m2", "validityInSecondsMT": 14400});
        let service = Service::new(&[
            (QUERY, &[expired, Does::row("x")]),
            (RENEWAL, &[Does::gives(renewed)]),
        ]);
        assert_eq!(value(run(&service, "INSERT")), "x");
        let [first, second] = service.sent(QUERY).try_into().unwrap();
        assert_eq!(first.query["requestId"], second.query["requestId"]);
        assert_eq!(second.header("authorization"), "Snowflake Token=\"t2\"");
        let [renewal] = service.sent(RENEWAL).try_into().unwrap();
        assert_eq!(renewal.header("authorization"), "Snowflake Token=\"m1\"");
        assert_eq!(renewal.body, json!({"oldSessionToken": "t1", "requestType": "RENEW"}));
    }
}

#[test]
fn a_lost_session_is_replaced_only_outside_of_a_transaction() {
    let lost = |code: &str| Does::fails(code);
    for code in ["390111", "390113", "390114", "390115"] {
        let service = Service::new(&[(QUERY, &[lost(code), Does::row("x")])]);
        assert_eq!(value(run(&service, "INSERT")), "x", "{code}");
        assert_eq!(service.sent(LOGIN).len(), 2, "{code}");
    }
    // The renewal is rejected.
    let plan = [lost("390112"), Does::row("x")];
    let service = Service::new(&[(QUERY, &plan), (RENEWAL, &[lost("390114")])]);
    assert_eq!(value(run(&service, "INSERT")), "x");
    assert_eq!(service.sent(LOGIN).len(), 2);

    // The token is renewed, and the new one is not valid either.
    let renewed = Does::gives(json!({"sessionToken": "t2", "masterToken": "m2"}));
    let plan = [lost("390112"), lost("390111"), Does::row("x")];
    let service = Service::new(&[(QUERY, &plan), (RENEWAL, &[renewed])]);
    assert_eq!(value(run(&service, "INSERT")), "x");
    assert_eq!(service.sent(LOGIN).len(), 2);

    // There is no master token to renew with.
    let login = Does::gives(json!({"token": "t1"}));
    let plan = [lost("390112"), Does::row("x")];
    let service = Service::new(&[(LOGIN, &[login]), (QUERY, &plan)]);
    assert_eq!(value(run(&service, "INSERT")), "x");
    assert_eq!((service.sent(LOGIN).len(), service.sent(RENEWAL).len()), (2, 0));

    let plan = [Does::row("begun"), lost("390111"), lost("390111"), Does::row("x")];
    let service = Service::new(&[(QUERY, &plan)]);
    let mut session = Session::open(&service.connection()).unwrap();
    session.execute("BEGIN").unwrap();
    let error = session.execute("INSERT").unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::SessionLost, "390111"));
    assert_eq!(service.sent(LOGIN).len(), 1);
    assert_eq!(value(session.execute("ROLLBACK")), "x");
    assert_eq!(service.sent(LOGIN).len(), 2);
}

#[test]
fn a_statement_that_may_have_run_is_not_run_in_another_session() {
    let service = Service::new(&[(QUERY, &[Does::HangsUp, Does::fails("390111"), Does::row("x")])]);
    let error = run(&service, "INSERT").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    assert_eq!((service.sent(LOGIN).len(), service.sent(QUERY).len()), (1, 2));
}

#[test]
fn a_long_statement_is_polled() {
    let running = |code: &str, data: Value| {
        Does::Says(200, json!({"success": true, "code": code, "message": "runs", "data": data}))
    };
    let path = "/queries/q1/result";
    let given = json!({"queryId": "q1", "getResultUrl": path});
    for (code, data) in [("333333", given), ("333334", json!({"queryId": "q1"}))] {
        let polls = [
            running("333334", data.clone()),
            Does::fails("000612"),
            Does::Says(503, Value::Null),
            Does::fails("390112"),
            Does::row("x"),
        ];
        let service = Service::new(&[
            (QUERY, &[running(code, data)]),
            (path, &polls),
            (RENEWAL, &[Does::gives(json!({"sessionToken": "t2"}))]),
        ]);
        assert_eq!(value(run(&service, "INSERT")), "x", "{code}");
        assert_eq!((service.sent(QUERY).len(), service.sent(path).len()), (1, 5), "{code}");
    }
    // It runs, and nobody knows what comes of it.
    let plan = [running("333334", json!({"queryId": "q1"}))];
    for trouble in [Does::Says(503, Value::Null), Does::fails("390111"), Does::HangsUp] {
        let service = Service::new(&[(QUERY, &plan), (path, &[trouble])]);
        assert_eq!(run(&service, "INSERT").unwrap_err().kind(), ErrorKind::OutcomeUnknown);
        assert_eq!(service.sent(LOGIN).len(), 1);
    }
}

#[test]
fn rows_come_in_files_too() {
    let file = |path: &str, count: u64, service: &Service| json!({"url": format!("http://127.0.0.1:{}{path}", service.port), "rowCount": count});
    let store = Service::new(&[
        (
            "/1",
            &[
                Does::Says(503, Value::Null),
                Does::SaysWith(200, vec![], b"[\"b\"],[null]".to_vec()),
            ],
        ),
        ("/2", &[Does::SaysWith(200, vec![], gzip(b"[\"d\"]"))]),
        ("/gone", &[Does::Says(403, Value::Null)]),
    ]);
    let data = |chunks: Value, total: u64| {
        json!({"queryId": "q1", "rowset": [["a"]], "total": total, "chunks": chunks,
            "chunkHeaders": {"x-key": "k"}})
    };
    let whole = data(json!([file("/1", 2, &store), file("/2", 1, &store)]), 4);
    let service = Service::new(&[(QUERY, &[Does::gives(whole)])]);
    let answer = run(&service, "SELECT").unwrap();
    let cells: Vec<_> = answer.rows.iter().map(|row| row[0].as_deref()).collect();
    assert_eq!(cells, [Some("a"), Some("b"), None, Some("d")]);
    let sent = store.sent("/1");
    assert_eq!(
        (sent.len(), sent[0].header("x-key"), sent[0].header("authorization")),
        (2, "k", "")
    );

    let check = |data: Value, expected: &str| {
        let service = Service::new(&[(QUERY, &[Does::gives(data)])]);
        let error = run(&service, "SELECT").unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(data(json!([file("/2", 2, &store)]), 3), "file 0 of the rows: expected 2 rows, found 1");
    check(data(json!([file("/2", 1, &store)]), 3), "expected 3 rows, found 2");
    check(data(json!([file("/gone", 1, &store)]), 2), "the store answered 403");
}

#[test]
fn missing_rows_are_requested_once_more() {
    let none = json!({"queryId": "q1", "rowset": null, "total": 1});
    let path = "/queries/q1/result";
    let service = Service::new(&[(QUERY, &[Does::gives(none.clone())]), (path, &[Does::row("x")])]);
    assert_eq!(value(run(&service, "SELECT")), "x");
    let plan = [Does::gives(none)];
    let service = Service::new(&[(QUERY, &plan), (path, &plan)]);
    let error = run(&service, "SELECT").unwrap_err();
    assert!(error.to_string().contains("expected 1 rows, found 0"), "{error}");
}

#[test]
fn redirects_are_followed_to_the_same_host_only() {
    let to = |place: &str| Does::SaysWith(307, vec![("location", place.to_owned())], vec![]);
    let service = Service::new(&[(QUERY, &[to("/elsewhere")]), ("/elsewhere", &[Does::row("x")])]);
    assert_eq!(value(run(&service, "INSERT")), "x");
    assert_eq!(service.sent("/elsewhere")[0].body["sqlText"], "INSERT");
    // The target fails: the next attempt begins at the first address.
    let service = Service::new(&[
        (QUERY, &[to("/elsewhere"), Does::row("x")]),
        ("/elsewhere", &[Does::HangsUp]),
    ]);
    assert_eq!(value(run(&service, "INSERT")), "x");
    assert_eq!(service.sent(QUERY)[1].query["retryCount"], "1");

    let other = Service::new(&[]);
    let service = Service::new(&[(QUERY, &[to(&format!("http://127.0.0.1:{}/", other.port))])]);
    let error = run(&service, "INSERT").unwrap_err().to_string();
    assert!(error.contains("expected a redirect to the same host"), "{error}");
    assert_eq!(other.sent("/").len(), 0);
}

#[test]
fn a_session_stays_with_its_server() {
    let headers = vec![("x-snowflake-session", "s7".to_owned())];
    let Does::Says(_, body) = Does::row("x") else { unreachable!() };
    let first = Does::SaysWith(200, headers, body.to_string().into_bytes());
    let service = Service::new(&[(QUERY, &[first, Does::row("x")])]);
    let mut session = Session::open(&service.connection()).unwrap();
    session.execute("SELECT").unwrap();
    session.execute("SELECT").unwrap();
    drop(session);
    let sent: Vec<_> = service.sent(QUERY).into_iter().chain(service.sent("/session")).collect();
    let headers: Vec<_> = sent.iter().map(|it| it.header("x-snowflake-session")).collect();
    assert_eq!(headers, ["", "s7", "s7"]);
}

#[test]
fn a_log_out_ends_within_seconds() {
    let plan = [Does::Says(503, Value::Null), Does::gives(Value::Null)];
    let service = Service::new(&[("/session", &plan)]);
    Session::open(&service.connection()).unwrap().close().unwrap();
    assert_eq!(service.sent("/session").len(), 2);

    let service = Service::new(&[("/session", &[Does::Hangs])]);
    let session = Session::open(&service.connection().request_timeout(Duration::from_secs(60)));
    let began = Instant::now();
    assert!(session.unwrap().close().is_err());
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[test]
fn after_a_statement_without_an_answer_the_next_is_sent_once() {
    let busy = || Does::Says(503, Value::Null);
    let mut plan = vec![busy(); 4 + 1];
    plan.extend([Does::row("x"), busy(), Does::row("y")]);
    let service = Service::new(&[(QUERY, &plan)]);
    let mut session = Session::open(&service.connection()).unwrap();
    let mut check = |statement: &str, expected: Result<&str, ErrorKind>, sent: usize| {
        let before = service.sent(QUERY).len();
        let found = session.execute(statement).map(|answer| value(Ok(answer)));
        let found = found.as_deref().map_err(SnowflakeError::kind);
        assert_eq!((found, service.sent(QUERY).len() - before), (expected, sent), "{statement}");
    };
    check("INSERT", Err(ErrorKind::Unavailable), 4);
    check("ROLLBACK", Err(ErrorKind::Unavailable), 1);
    check("DROP STAGE S", Ok("x"), 1);
    // Only the statement directly before counts.
    check("SELECT", Ok("y"), 2);
}

#[test]
fn a_statement_is_aborted_from_another_thread() {
    let plan = [Does::Hangs];
    let abort = "/queries/v1/abort-request";
    let service = Service::new(&[(QUERY, &plan), (abort, &[Does::fails("000605")])]);
    let mut session = Session::open(&service.connection().attempts(1)).unwrap();
    let aborter = session.aborter();
    // Nothing runs.
    aborter.abort().unwrap();
    assert_eq!(service.sent(abort).len(), 0);
    let running = thread::spawn(move || session.execute("INSERT").unwrap_err());
    while service.sent(QUERY).is_empty() {
        thread::sleep(Duration::from_millis(5));
    }
    aborter.abort().unwrap();
    let [aborted] = service.sent(abort).try_into().unwrap();
    assert_eq!(aborted.body["requestId"], service.sent(QUERY)[0].query["requestId"]);
    assert_eq!(running.join().unwrap().kind(), ErrorKind::OutcomeUnknown);
}

#[test]
fn a_session_that_waits_sends_heartbeats() {
    let login = json!({"token": "t1", "masterToken": "m1", "masterValidityInSeconds": 4});
    let renewed = json!({"sessionToken": "t2", "masterToken": "m2", "validityInSecondsMT": 4});
    let beat = "/session/heartbeat";
    let service = Service::new(&[
        (LOGIN, &[Does::gives(login)]),
        (beat, &[Does::fails("390112"), Does::gives(Value::Null)]),
        (RENEWAL, &[Does::gives(renewed)]),
        (QUERY, &[Does::row("x")]),
    ]);
    let mut session = Session::open(&service.connection()).unwrap();
    let began = Instant::now();
    while service.sent(beat).len() < 2 && began.elapsed() < Duration::from_secs(20) {
        thread::sleep(Duration::from_millis(20));
    }
    session.execute("SELECT").unwrap();
    let tokens = service.sent(beat).into_iter().chain(service.sent(QUERY));
    let tokens: Vec<_> = tokens.map(|it| it.header("authorization").to_owned()).collect();
    let token = |name: &str| format!("Snowflake Token=\"{name}\"");
    assert_eq!(tokens, [token("t1"), token("t2"), token("t2")]);
}

#[test]
fn an_error_quotes_no_password() {
    let body =
        json!({"success": false, "code": "390100", "message": "Wrong: hunter2", "data": null});
    let service = Service::new(&[(LOGIN, &[Does::Says(200, body)])]);
    let error = Session::open(&service.connection()).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Login, "390100"));
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

fn run(service: &Service, statement: &str) -> Result<Answer, SnowflakeError> {
    Session::open(&service.connection()).unwrap().execute(statement)
}

fn value(answer: Result<Answer, SnowflakeError>) -> String {
    answer.unwrap().rows[0][0].clone().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}
