//! Examinations against a host whose answers each test defines: the checks, the rollbacks, and the
//! objects dropped.

use std::collections::HashSet;

use super::*;
use crate::protocol::{Check, Failure, Outcome, Reply, Step, Verdict};

const OPTIONS: &str = r#"{"database": "raw", "dataset": "Jira", "wait_seconds": 4}"#;
const NOW: &str = "2026-11-28T07:08:09.123456+00:00";

/// A host with an answer to each statement. It records the statements.
struct Host<'a> {
    answer: &'a dyn Fn(&str) -> Result<Outcome, Failure>,
    asked: Vec<String>,
    waited: f64,
}

fn run(
    options: &str,
    answer: &dyn Fn(&str) -> Result<Outcome, Failure>,
) -> (Result<Examination>, Vec<String>, f64) {
    let mut host = Host { answer, asked: Vec::new(), waited: 0.0 };
    let ended = host.drive(options);
    (ended, host.asked, host.waited)
}

impl Host<'_> {
    fn drive(&mut self, options: &str) -> Result<Examination> {
        let load = start(options, NOW)?;
        let mut reply = Reply::Start;
        loop {
            reply = match load.resume(reply)? {
                Step::Sql(script) => {
                    self.asked.extend(script.statements.iter().cloned());
                    let answers = script.statements.iter().map(|sql| (self.answer)(sql));
                    match answers.collect() {
                        Ok(outcomes) => Reply::Outcomes(outcomes),
                        Err(failure) => Reply::Failed(failure),
                    }
                }
                Step::Upload(_) => {
                    assert!(!load.payload()?.is_empty());
                    Reply::Done
                }
                Step::Wait(pause) => {
                    self.waited += pause.seconds;
                    Reply::Done
                }
                Step::Pull(_) => Reply::End,
                Step::Examined(examination) => return Ok(examination),
                step => panic!("{step:?}"),
            };
        }
    }
}

fn nothing(_: &str) -> Result<Outcome, Failure> {
    Ok(Outcome::default())
}

fn failure(code: &str) -> Failure {
    Failure { code: code.to_owned(), message: "no\n  more".to_owned(), transient: false }
}

fn cells(rows: &[&[&str]]) -> Outcome {
    let rows = rows.iter().map(|row| row.iter().map(|cell| Some((*cell).to_owned())).collect());
    Outcome { rows: rows.collect(), affected: None }
}

fn find<'a>(checks: &'a [Check], name: &str) -> &'a Check {
    checks.iter().find(|check| check.name == name).unwrap()
}

fn every_rule() -> Vec<&'static Rule> {
    let subjects = Subject::ALL.iter().flat_map(|subject| subject.rules());
    subjects.chain(scratch::RULES).chain(sessions::SECOND_RULES).copied().collect()
}

#[test]
fn every_rule_is_named_once_and_described_in_the_documentation() {
    let page = include_str!("../../../procedures/docs/src/doctor.md");
    let mut names = HashSet::new();
    for rule in every_rule() {
        assert!(names.insert(rule.name), "{} is named twice", rule.name);
        assert!(page.contains(&format!("| `{}` |", rule.name)), "{} is not described", rule.name);
        assert!(!rule.assumed.is_empty() && !rule.remedy.is_empty(), "{}", rule.name);
    }
    for subject in Subject::ALL {
        for rule in subject.rules() {
            assert!(rule.name.starts_with(&format!("{}.", subject.name())), "{}", rule.name);
        }
    }
}

#[test]
fn every_rule_has_one_check_whatever_the_answers_are() {
    let refuses = |_: &str| Err(failure("3001"));
    let nothing_but_scratch = |sql: &str| match sql.starts_with("CREATE SCHEMA") {
        true => nothing(sql),
        false => Err(failure("")),
    };
    for answer in [&nothing as &dyn Fn(&str) -> _, &refuses, &nothing_but_scratch] {
        for (role, rules) in [
            ("first", Subject::ALL.iter().flat_map(|subject| subject.rules()).count() + 2),
            ("second", sessions::SECOND_RULES.len()),
        ] {
            let options = OPTIONS.replace('}', &format!(r#", "role": "{role}"}}"#));
            let (ended, asked, _) = run(&options, answer);
            let examination = ended.unwrap();
            let names: HashSet<_> = examination.checks.iter().map(|check| &check.name).collect();
            assert_eq!((names.len(), examination.checks.len()), (rules, rules), "{role}");
            assert_eq!(examination.statements as usize, asked.len());
            for check in &examination.checks {
                assert!(!check.seen.is_empty(), "{check:?}");
                match check.verdict {
                    Verdict::Holds => assert!(check.remedy.is_empty(), "{check:?}"),
                    Verdict::Fails => assert!(!check.remedy.is_empty(), "{check:?}"),
                    Verdict::Untried => {}
                }
            }
        }
    }
}

#[test]
fn scratch_schemas_are_dropped_at_the_end_if_this_examination_made_them() {
    let mark = "Snowcat: made by P_DOCTOR, which drops it";
    let drop_scratch = "DROP SCHEMA IF EXISTS \"RAW\".\"JIRA_SNOWCAT_DOCTOR\"";
    let drop_staging = "DROP SCHEMA IF EXISTS \"RAW\".\"JIRA_SNOWCAT_DOCTOR_STAGING\"";
    // `existing` is the comment of a schema that exists, reported by the first CREATE; `drops` are
    // the statements that drop.
    let check = |existing: Option<(&str, &str)>, drops: &[&str], verdict: Verdict| {
        let first = std::cell::Cell::new(true);
        let answer = |sql: &str| match existing {
            Some((schema, comment)) if sql.contains(&format!("{schema}\" COMMENT")) => {
                match first.replace(false) {
                    true => Err(failure("2002")),
                    false => nothing(&format!("{sql} {comment}")),
                }
            }
            Some((schema, comment)) if sql.contains("\"SCHEMATA\"") => {
                Ok(cells(&[&[schema, "OWNER", comment]]))
            }
            _ => nothing(sql),
        };
        let options = OPTIONS.replace('}', r#", "subjects": ["lock"]}"#);
        let (ended, asked, _) = run(&options, &answer);
        let dropped: Vec<_> = asked.iter().filter(|sql| sql.starts_with("DROP")).collect();
        assert_eq!(dropped, drops, "{existing:?}");
        assert_eq!(find(&ended.unwrap().checks, "rights.create_schema").verdict, verdict);
    };
    let (scratch, staging) = ("JIRA_SNOWCAT_DOCTOR", "JIRA_SNOWCAT_DOCTOR_STAGING");
    check(None, &[drop_staging, drop_scratch], Verdict::Holds);
    let all = [drop_scratch, drop_staging, drop_scratch];
    check(Some((scratch, mark)), &all, Verdict::Holds);
    check(Some((scratch, "of somebody")), &[], Verdict::Untried);
    let all = [drop_staging, drop_staging, drop_scratch];
    check(Some((staging, mark)), &all, Verdict::Holds);
    check(Some((staging, "of somebody")), &[drop_scratch], Verdict::Untried);
}

#[test]
fn nothing_is_created_inside_a_transaction_of_the_caller() {
    let answer = |sql: &str| match sql.contains("CURRENT_TRANSACTION") {
        true => Ok(cells(&[&["179"]])),
        false => nothing(sql),
    };
    let (ended, asked, _) = run(OPTIONS, &answer);
    assert!(asked.iter().all(|sql| sql.starts_with("SELECT") || sql.starts_with("SHOW")));
    let checks = ended.unwrap().checks;
    assert_eq!(find(&checks, "rights.create_schema").verdict, Verdict::Untried);
    assert_eq!(find(&checks, "copy.values").seen, "a transaction of the caller is open");
}

#[test]
fn a_protocol_fault_ends_the_examination_after_schemas_are_dropped() {
    let load = start(OPTIONS, NOW).unwrap();
    let mut reply = Reply::Start;
    let mut asked = Vec::new();
    let fault = loop {
        match load.resume(reply) {
            Ok(Step::Sql(script)) => {
                let sql = script.statements[0].clone();
                reply = match sql.contains("DOCTOR_OWNED") {
                    true => Reply::DryRun,
                    false => Reply::Outcomes(vec![Outcome::default()]),
                };
                asked.push(sql);
            }
            Ok(Step::Wait(_)) => reply = Reply::Done,
            Ok(step) => panic!("{step:?}"),
            Err(fault) => break fault,
        }
    };
    assert!(fault.to_string().contains("expected outcomes or failed from the host"), "{fault}");
    assert!(asked.last().unwrap().starts_with("DROP SCHEMA"), "{asked:?}");
}

#[test]
fn a_transaction_that_a_failure_left_open_is_undone() {
    let answer = |sql: &str| match sql.starts_with("COPY") {
        true => Err(failure("1")),
        false => nothing(sql),
    };
    let options = OPTIONS.replace('}', r#", "subjects": ["transaction"]}"#);
    let (ended, asked, _) = run(&options, &answer);
    let copy = asked.iter().position(|sql| sql.starts_with("COPY")).unwrap();
    assert_eq!(asked[copy + 1], "ROLLBACK");
    let check = ended.unwrap().checks;
    let check = find(&check, "transaction.rollback");
    assert_eq!(check.verdict, Verdict::Untried);
    assert!(check.seen.ends_with("error 1: no more"), "{}", check.seen);
}

#[test]
fn each_answer_decides_one_check() {
    let check =
        |subject: &str, part: &str, answer: Result<Outcome, Failure>, name: &str, verdict| {
            let options = OPTIONS.replace('}', &format!(r#", "subjects": ["{subject}"]}}"#));
            let answer = |sql: &str| match sql.contains(part) {
                true => answer.clone(),
                false => nothing(sql),
            };
            let (ended, ..) = run(&options, &answer);
            let checks = ended.unwrap().checks;
            let found = find(&checks, name);
            assert_eq!(found.verdict, verdict, "{found:?}");
        };
    use Verdict::{Fails, Holds, Untried};
    let one = |cell: &str| Ok(cells(&[&[cell]]));
    let rows = |count| Ok(cells(&vec![&["1"][..]; count]));
    let affected = |rows| Ok(Outcome { affected: Some(rows), ..Outcome::default() });

    let transaction = "CURRENT_TRANSACTION";
    check("session", transaction, Ok(Outcome::default()), "session.no_open_transaction", Holds);
    check("session", transaction, one("179"), "session.no_open_transaction", Fails);
    check("session", transaction, Err(failure("2003")), "session.no_open_transaction", Untried);
    check("parameters", transaction, one("179"), "parameters.autocommit", Fails);
    check("parameters", "OBJECT_KEYS", one("a"), "parameters.quoted_identifiers", Holds);
    check("parameters", "OBJECT_KEYS", one("A"), "parameters.quoted_identifiers", Fails);
    check("parameters", "GENERATOR", rows(10_001), "parameters.rows_per_resultset", Holds);
    check("parameters", "GENERATOR", rows(10_000), "parameters.rows_per_resultset", Fails);
    let merge = "parameters.nondeterministic_merge";
    check("parameters", "MERGE", Err(failure("100090")), merge, Holds);
    check("parameters", "MERGE", Err(failure("1")), merge, Fails);
    check("parameters", "MERGE", affected(1), merge, Fails);
    check("catalogue", "\"STAGES\"", Err(failure("090030")), "catalogue.dataset", Fails);
    check("stage", "SNOWFLAKE_SSE", Err(failure("1")), "stage.encryption_sse", Fails);
    check("stage", "REMOVE", Err(failure("90236")), "stage.remove", Holds);
    check("copy", "too-long", Err(failure("100078")), "copy.text_too_long", Holds);
    check("copy", "too-long", affected(1), "copy.text_too_long", Fails);
    check("copy", "values-0.a", Err(failure("1")), "copy.values", Fails);
    check("copy", "no-files", affected(0), "copy.empty_folder", Holds);
    check("copy", "no-files", affected(1), "copy.empty_folder", Fails);
    check("types", "TO_CHAR", one("2026-11-21 08:00:00 +00:00"), "types.offset_of_copy", Holds);
    check("types", "TO_CHAR", one("2026-11-21 00:00:00 -08:00"), "types.offset_of_copy", Fails);
    let exists = one("DOCTOR_TABLE already exists, statement succeeded.");
    check("ddl", "DOCTOR_TABLE\" (", exists, "ddl.create_table_again", Holds);
    check("ddl", "DOCTOR_TABLE\" (", nothing(""), "ddl.create_table_again", Fails);
    check("transaction", "COUNT(*)", one("2"), "transaction.ddl_commits", Holds);
    check("transaction", "COUNT(*)", one("1"), "transaction.ddl_commits", Fails);
    check("lock", "UPDATE", affected(1), "lock.rewritten_rows", Fails);
    check("lock", "UPDATE", nothing(""), "lock.rewritten_rows", Fails);
}

/// The second session, with the signals and states that the first has written to the tables.
#[test]
fn second_session_reports_what_it_finds() {
    let check = |later: u64, inserted: u64, states: usize, expect: [Verdict; 3]| {
        let answer = |sql: &str| {
            let affected = |rows| Ok(Outcome { affected: Some(rows), ..Outcome::default() });
            if sql.contains("DOCTOR_SIGNALS") && sql.starts_with("SELECT") {
                Ok(cells(&[&["first", "is ready"], &["first", "begins with the lock"]]))
            } else if sql.starts_with("UPDATE") {
                affected(if sql.ends_with(">= 8") { later } else { 1 })
            } else if sql.starts_with("MERGE") {
                affected(inserted)
            } else if sql.contains("\"VERSION\"") && sql.starts_with("SELECT") {
                Ok(cells(&vec![&["7"][..]; states]))
            } else {
                nothing(sql)
            }
        };
        let (ended, ..) = run(&OPTIONS.replace('}', r#", "role": "second"}"#), &answer);
        let checks = ended.unwrap().checks;
        let names = ["check_sees_commit", "insert_sees_commit", "read_sees_commit"];
        let found = names.map(|name| find(&checks, &format!("sessions.{name}")).verdict);
        assert_eq!(found, expect, "{checks:?}");
        assert_eq!(find(&checks, "sessions.merge_sees_commit").verdict, Verdict::Untried);
        assert_eq!(find(&checks, "sessions.lock_timeout").verdict, Verdict::Untried);
    };
    use Verdict::{Fails, Holds};
    check(1, 0, 2, [Holds, Holds, Holds]);
    check(0, 1, 2, [Fails, Fails, Fails]);
    check(1, 0, 1, [Holds, Holds, Fails]);
}

#[test]
fn first_session_reports_whether_the_second_waited() {
    let check = |said: &[&str], expect: Verdict| {
        let begun = std::cell::Cell::new(false);
        let answer = |sql: &str| {
            if sql == "BEGIN TRANSACTION" {
                begun.set(true);
            }
            if sql.starts_with("SELECT") {
                let mut rows = vec![["second", "is ready"]];
                if begun.get() {
                    rows.extend(said.iter().map(|said| ["second", *said]));
                }
                let rows: Vec<&[&str]> = rows.iter().map(|row| &row[..]).collect();
                Ok(cells(&rows))
            } else {
                Ok(Outcome { affected: Some(1), ..Outcome::default() })
            }
        };
        let options = OPTIONS.replace('}', r#", "subjects": ["sessions"]}"#);
        let (ended, ..) = run(&options, &answer);
        assert_eq!(find(&ended.unwrap().checks, "sessions.lock_waits").verdict, expect);
    };
    check(&["begins with the lock"], Verdict::Holds);
    check(&["begins with the lock", "has had the lock"], Verdict::Fails);
    check(&[], Verdict::Untried);
}

#[test]
fn sessions_wait_for_each_other_as_long_as_the_options_say() {
    let check = |wait: u32, seconds: f64| {
        let options = format!(
            r#"{{"database": "R", "dataset": "D", "subjects": ["sessions"], "wait_seconds": {wait}}}"#
        );
        let (ended, _, waited) = run(&options, &nothing);
        assert_eq!(find(&ended.unwrap().checks, "sessions.lock_waits").verdict, Verdict::Untried);
        assert!((waited - seconds).abs() < 0.01, "{waited}");
    };
    check(0, 0.0);
    check(4, 4.0);
    check(60, 60.0);
}
