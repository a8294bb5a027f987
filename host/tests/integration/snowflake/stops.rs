//! What a stop does to a load: the running statement is aborted, the rest is cleaned up, and the session ends.

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use snowcat_host::snowflake::{Session, Snowflake};
use snowcat_host::{
    DryRun, Failure, Host, Order, Pull, Pulled, Request, Response, Script, SqlReply, Stop, Upload,
};

use super::service::{Does, LOGIN, QUERY, Sent, Service};

const ABORT: &str = "/queries/v1/abort-request";
/// The longest time from the stop to the end of the session.
const LONGEST: Duration = Duration::from_secs(5);

#[test]
fn a_statement_that_hangs_is_aborted_and_rolled_back() {
    let service = hanging("INSERT");
    let (stop, mut host) = loading(&service, DryRun::new());
    run(&mut host, "BEGIN TRANSACTION").unwrap();
    stopped_soon(&stop);
    let began = Instant::now();
    run(&mut host, "INSERT INTO T SELECT 1").unwrap_err();
    run(&mut host, "ROLLBACK").unwrap();
    run(&mut host, "DROP STAGE IF EXISTS S").unwrap();
    assert!(!host.outcome_unknown() && !host.commit_unknown());
    host.close().unwrap();
    assert!(began.elapsed() < LONGEST);

    let sent = service.sent(QUERY);
    let statements: Vec<&str> = sent.iter().filter_map(statement).collect();
    let expected =
        ["BEGIN TRANSACTION", "INSERT INTO T SELECT 1", "ROLLBACK", "DROP STAGE IF EXISTS S"];
    assert_eq!(statements, expected);
    let [abort] = service.sent(ABORT).try_into().unwrap();
    assert_eq!(abort.body["requestId"], json!(sent[1].query["requestId"]));
    assert_eq!(service.sent("/session").len(), 1);
}

#[test]
fn statements_of_all_sessions_are_aborted() {
    let service = hanging("INSERT");
    let stop = Stop::new();
    let connection = service.connection().stopped_by(&stop);
    let session = Session::open(&connection).unwrap();
    let mut host = Snowflake::new(session, DryRun::new()).sessions(connection, 2);
    stopped_soon(&stop);
    let began = Instant::now();
    let statements = (0..4).map(|n| format!("INSERT INTO T{n} SELECT 1")).collect();
    host.sql(&Script { statements, order: Order::Any }).unwrap_err();
    host.close().unwrap();
    assert!(began.elapsed() < LONGEST);
    assert_eq!(service.sent(ABORT).len(), service.sent(QUERY).len());
    assert_eq!(service.sent("/session").len(), 2);
}

#[test]
fn after_a_stop_nothing_but_the_clean_up_is_sent() {
    let service = Service::new(&[(QUERY, &[Does::row("x")])]);
    let (stop, mut host) = loading(&service, DryRun::new());
    stop.stop();
    let stopped = |result: Result<(), Failure>| {
        let failure = result.unwrap_err();
        assert_eq!((failure.message.as_str(), failure.transient), ("the load was stopped", false));
    };
    for refused in ["SELECT 1", "BEGIN TRANSACTION", "COMMIT", "DROP TABLE T", "CREATE STAGE S"] {
        stopped(run(&mut host, refused).map(drop));
    }
    stopped(host.fetch(&[request()]).remove(0).map(drop));
    let (stage, path) = (r#""S""#.to_owned(), "a".to_owned());
    stopped(host.upload(&Upload { stage, path, size: 0 }, Vec::new()));
    let began = Instant::now();
    host.wait(900.0, "a rate limit");
    assert!(began.elapsed() < LONGEST && service.sent(QUERY).is_empty());
    run(&mut host, "DROP STAGE S").unwrap();
    host.close().unwrap();
    assert_eq!(service.sent("/session").len(), 1);
}

#[test]
fn a_commit_is_not_aborted() {
    let service = hanging("COMMIT");
    let (stop, mut host) = loading(&service, DryRun::new());
    stopped_soon(&stop);
    run(&mut host, "COMMIT").unwrap_err();
    assert!(host.commit_unknown());
    host.close().unwrap();
    assert_eq!(service.sent(ABORT).len(), 0);
}

/// Sources that cannot be interrupted.
struct Stuck;

impl Host for Stuck {
    fn sql(&mut self, _: &Script) -> Result<SqlReply, Failure> {
        Ok(SqlReply::DryRun)
    }
    fn fetch(&mut self, _: &[Request]) -> Vec<Result<Response, Failure>> {
        Vec::new()
    }
    fn pull(&mut self, _: &Pull) -> Result<Pulled, Failure> {
        thread::sleep(LONGEST + Duration::from_secs(1));
        Ok(Pulled::End)
    }
    fn upload(&mut self, _: &Upload, _: Vec<u8>) -> Result<(), Failure> {
        Ok(())
    }
    fn wait(&mut self, _: f64, _: &str) {}
}

#[test]
fn a_session_is_closed_while_the_load_is_stuck() {
    let login = json!({"token": "t1", "masterToken": "m1", "masterValidityInSeconds": 4});
    let service =
        Service::new(&[(LOGIN, &[Does::gives(login)]), ("/session/heartbeat", &[Does::Hangs])]);
    let (stop, mut host) = loading(&service, Stuck);
    let (ended, is_ended) = channel();
    let stuck = thread::spawn(move || {
        let pull = Pull {
            resource: "r".to_owned(),
            files: Vec::new(),
            content: snowcat_host::Content::Text,
            encoding: None,
            skip: false,
        };
        _ = host.pull(&pull);
        ended.send(()).unwrap();
        host.close()
    });
    thread::sleep(Duration::from_millis(1500));
    stop.stop();
    let began = Instant::now();
    while service.sent("/session").is_empty() {
        assert!(began.elapsed() < LONGEST, "the session is open");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(is_ended.try_recv().is_err(), "the load was not stuck");
    // A heartbeat comes every second, and ends with the session.
    let beats = service.sent("/session/heartbeat").len();
    assert!(beats > 0);
    stuck.join().unwrap().unwrap();
    assert_eq!(service.sent("/session/heartbeat").len(), beats);
    assert_eq!(service.sent("/session").len(), 1);
}

/// A service at which a statement with this first word hangs, and all others have a row.
fn hanging(word: &'static str) -> Service {
    let answers = move |sent: &Sent| match statement(sent) {
        Some(statement) if statement.starts_with(word) => Some(Does::Hangs),
        Some(_) => Some(Does::row("x")),
        None => (sent.path == ABORT).then(|| Does::gives(Value::Null)),
    };
    Service::answering(&[], Box::new(answers))
}

fn statement(sent: &Sent) -> Option<&str> {
    sent.body["sqlText"].as_str()
}

fn loading<S: Host>(service: &Service, sources: S) -> (Stop, Snowflake<S>) {
    let stop = Stop::new();
    let connection = service.connection().request_timeout(Duration::from_secs(60));
    let session = Session::open(&connection.stopped_by(&stop)).unwrap();
    (stop, Snowflake::new(session, sources))
}

fn stopped_soon(stop: &Stop) {
    let stop = stop.clone();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        stop.stop();
    });
}

fn run(host: &mut dyn Host, statement: &str) -> Result<SqlReply, Failure> {
    host.sql(&Script { statements: vec![statement.to_owned()], order: Order::Serial })
}

fn request() -> Request {
    Request {
        resource: "r".to_owned(),
        parent: Vec::new(),
        method: "GET".to_owned(),
        url: "http://127.0.0.1:1/".to_owned(),
        headers: Vec::new(),
        auth: None,
        body: None,
    }
}
