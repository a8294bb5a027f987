//! Statements in any order, in several sessions.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use snowcat_host::snowflake::{Session, Snowflake};
use snowcat_host::{DryRun, Host, Order, Outcome, Script, SqlReply};

use super::service::{Does, LOGIN, QUERY, Sent, Service};

/// A service whose statements take a while. It logs in a session `t<n>`, at most `logins` of them, and counts
/// the statements that run at once.
fn service(logins: usize) -> (Service, Arc<AtomicUsize>) {
    let (sessions, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let (running, peak) = (Arc::new(Mutex::new(0)), Arc::clone(&most));
    let answers = move |sent: &Sent| {
        if sent.path == LOGIN {
            let number = sessions.fetch_add(1, Ordering::SeqCst) + 1;
            if number > logins {
                return Some(Does::fails("390100"));
            }
            let token = format!("t{number}");
            return Some(Does::gives(json!({"token": token, "masterToken": "m"})));
        }
        let statement = sent.body["sqlText"].as_str()?;
        {
            let mut running = running.lock().unwrap();
            *running += 1;
            peak.fetch_max(*running, Ordering::SeqCst);
        }
        thread::sleep(Duration::from_millis(100));
        *running.lock().unwrap() -= 1;
        Some(if statement.contains("bad") { Does::fails("002003") } else { Does::row(statement) })
    };
    (Service::answering(&[], Box::new(answers)), most)
}

fn script(order: Order, statements: &[&str]) -> Script {
    Script { statements: statements.iter().map(|it| (*it).to_owned()).collect(), order }
}

fn values(reply: SqlReply) -> Vec<String> {
    let SqlReply::Outcomes(outcomes) = reply else { unreachable!("it is no dry run") };
    let value = |outcome: Outcome| outcome.rows[0][0].clone().unwrap();
    outcomes.into_iter().map(value).collect()
}

/// The statements, each with the session that ran it.
fn ran(service: &Service) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let sent = service.sent(QUERY).into_iter();
    let mut ran: Vec<_> =
        sent.map(|it| (text(&it.body["sqlText"]), it.header("authorization").to_owned())).collect();
    ran.sort();
    ran
}

const EIGHT: [&str; 8] = ["A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8"];

#[test]
fn independent_statements_run_at_once_and_each_once() {
    // Sessions; logins that succeed; statements at once.
    for (sessions, logins, expect) in [(1, 9, 1), (4, 9, 4), (16, 9, 4), (4, 1, 1), (4, 2, 2)] {
        let (service, most) = service(logins);
        let connection = service.connection();
        let session = Session::open(&connection).unwrap();
        let mut host = Snowflake::new(session, DryRun::new()).sessions(connection, sessions);
        for _ in 0..2 {
            assert_eq!(values(host.sql(&script(Order::Any, &EIGHT)).unwrap()), EIGHT);
        }
        // A login that is refused is reported, and not tried again with each script.
        assert_eq!(
            host.refused_session().is_some(),
            logins < sessions.min(4),
            "{sessions} {logins}"
        );
        assert!(service.sent(LOGIN).len() <= 4, "{sessions} {logins}");
        host.close().unwrap();
        assert_eq!(most.load(Ordering::SeqCst), expect, "{sessions} {logins}");
        let ran = ran(&service);
        let statements: Vec<&str> = ran.iter().map(|(statement, _)| statement.as_str()).collect();
        let twice: Vec<&str> = EIGHT.iter().flat_map(|it| [*it, *it]).collect();
        assert_eq!(statements, twice, "{sessions} {logins}");
        assert_eq!(service.sent("/session").len(), expect, "every session is closed");
    }
}

#[test]
fn transactions_and_serial_scripts_stay_in_one_session() {
    let (service, _) = service(9);
    let connection = service.connection();
    let session = Session::open(&connection).unwrap();
    let mut host = Snowflake::new(session, DryRun::new()).sessions(connection, 4);
    host.sql(&script(Order::Serial, &EIGHT[..4])).unwrap();
    host.sql(&script(Order::Serial, &["BEGIN"])).unwrap();
    host.sql(&script(Order::Any, &EIGHT[4..])).unwrap();
    host.sql(&script(Order::Serial, &["COMMIT"])).unwrap();
    assert!(ran(&service).iter().all(|(_, session)| session.contains("\"t1\"")));
}

#[test]
fn after_a_failure_no_other_statement_is_begun() {
    let (service, _) = service(9);
    let connection = service.connection();
    let session = Session::open(&connection).unwrap();
    let mut host = Snowflake::new(session, DryRun::new()).sessions(connection, 2);
    let statements = ["bad", "A1", "A2", "A3", "A4", "A5", "A6", "A7"];
    let failure = host.sql(&script(Order::Any, &statements)).unwrap_err();
    assert_eq!(failure.code, "2003");
    let begun = ran(&service).len();
    assert!(begun <= 3, "{begun}");
    // All that were begun have ended.
    thread::sleep(Duration::from_millis(200));
    assert_eq!(ran(&service).len(), begun);
}
