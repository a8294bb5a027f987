//! Statements against the emulator.

use snowcat_host::snowflake::{Answer, ErrorKind, Session};

use super::emulator::Emulator;

#[test]
fn statements_return_rows_and_numbers() {
    let emulator = Emulator::start();
    let mut session = Session::open(&emulator.connection(&[])).unwrap();
    let mut run = |statement: &str| session.execute(statement).unwrap();

    let answer = run("SELECT 'a' AS X, NULL AS Y, 'b\u{e4}\u{1f431}' AS Z");
    assert_eq!(answer.columns, ["X", "Y", "Z"]);
    assert_eq!(texts(&answer), [[Some("a"), None, Some("b\u{e4}\u{1f431}")]]);
    assert!(!answer.query_id.is_empty());

    run("CREATE SCHEMA RAW.S");
    run("CREATE TABLE RAW.S.T (ID NUMBER, V VARCHAR)");
    assert_eq!(run("INSERT INTO RAW.S.T VALUES (1, 'a'), (2, 'b')").affected, Some(2));
    assert_eq!(run("DELETE FROM RAW.S.T WHERE ID = 1").affected, Some(1));
    run("BEGIN");
    run("UPDATE RAW.S.T SET V = 'c'");
    run("ROLLBACK");
    assert_eq!(texts(&run("SELECT ID::VARCHAR, V FROM RAW.S.T")), [[Some("2"), Some("b")]]);
    session.close().unwrap();
}

#[test]
fn a_failed_statement_has_code_state_and_id() {
    let emulator = Emulator::start();
    let mut session = Session::open(&emulator.connection(&[("database", "RAW")])).unwrap();
    let error = session.execute("SELECT * FROM RAW.PUBLIC.NOTHING").unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Statement, "2003"));
    assert_eq!(error.sqlstate(), Some("42S02"));
    assert!(error.query_id().is_some() && error.message().contains("does not exist"), "{error}");
    // The session goes on.
    assert_eq!(texts(&session.execute("SELECT 'x'").unwrap()), [[Some("x")]]);
}

#[test]
fn a_login_is_rejected_with_the_reason() {
    let emulator = Emulator::start();
    let error = Session::open(&emulator.connection(&[("role", "NOBODY")])).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Login, "390189"));
    assert!(error.message().contains("login at http://127.0.0.1"), "{error}");
}

fn texts(answer: &Answer) -> Vec<Vec<Option<&str>>> {
    answer.rows.iter().map(|row| row.iter().map(Option::as_deref).collect()).collect()
}
