//! Loads against a database with every kind of answer that Snowflake may give, statement by
//! statement.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is a test")]

mod checkpoints;

use serde_json::{Value, json};
use snowcat_guest::fault::Fault;
use snowcat_guest::load;
use snowcat_guest::protocol::{Failure, Outcome, Reply, Report, Step};

/// The answer to statements that contain the text. The number counts the earlier statements that
/// matched.
type Answer<'a> = (&'a str, &'a dyn Fn(usize) -> Result<Outcome, Failure>);

/// The result of a load.
#[derive(Default)]
struct Run {
    sql: Vec<String>,
    waits: usize,
}

impl Run {
    fn count(&self, begins: &str) -> usize {
        self.sql.iter().filter(|statement| statement.starts_with(begins)).count()
    }

    fn says(&self, words: &str) -> bool {
        self.sql.iter().any(|statement| statement.contains(words))
    }
}

fn rows(rows: &[&[&str]]) -> Outcome {
    let text = |cell: &&str| (*cell != "NULL").then(|| (*cell).to_owned());
    Outcome {
        rows: rows.iter().map(|row| row.iter().map(text).collect()).collect(),
        affected: None,
    }
}

fn changed(affected: u64) -> Outcome {
    Outcome { rows: Vec::new(), affected: Some(affected) }
}

fn refused(code: &str, message: &str) -> Failure {
    Failure { code: code.to_owned(), message: message.to_owned(), transient: false }
}

fn job(more: Value) -> Value {
    let mut job = json!({
        "pipeline": "p", "database": "D", "dataset": "s", "resources": [{"name": "t"}],
    });
    job.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    job
}

/// Runs a job over one page. A statement gets the first answer whose text it contains, or the
/// ordinary one.
fn run(job: &Value, page: &str, answers: &[Answer<'_>]) -> (Run, Result<Report, Fault>) {
    let mut run = Run::default();
    let load = match load::start(&job.to_string(), "2024-05-06T07:08:09.123456+00:00") {
        Ok(load) => load,
        Err(fault) => return (run, Err(fault)),
    };
    let mut page = Some(page.to_owned());
    let mut matched = vec![0; answers.len()];
    let mut reply = Reply::Start;
    loop {
        let step = match load.resume(reply) {
            Ok(step) => step,
            Err(fault) => return (run, Err(fault)),
        };
        reply = match step {
            Step::Sql(script) => {
                let mut outcomes = Vec::new();
                let mut failed = None;
                for sql in script.statements {
                    run.sql.push(sql.clone());
                    let found = answers.iter().position(|(words, _)| sql.contains(words));
                    let answer = match found {
                        Some(at) => {
                            matched[at] += 1;
                            answers[at].1(matched[at] - 1)
                        }
                        None => Ok(ordinary(&sql)),
                    };
                    match answer {
                        Ok(outcome) => outcomes.push(outcome),
                        Err(failure) => {
                            failed = Some(failure);
                            break;
                        }
                    }
                }
                failed.map_or(Reply::Outcomes(outcomes), Reply::Failed)
            }
            Step::Pull(_) => page.take().map_or(Reply::End, Reply::Page),
            Step::Wait(_) => {
                run.waits += 1;
                Reply::Done
            }
            Step::Upload(_) => Reply::Done,
            Step::Finished(report) => return (run, Ok(report)),
            Step::Fetch(_) | Step::Examined(_) | Step::Found(_) | Step::Listed(_) => {
                panic!("expected a load without requests")
            }
        };
    }
}

/// The answers of a new dataset without errors.
fn ordinary(sql: &str) -> Outcome {
    match sql {
        _ if sql.contains("COUNT_IF") => rows(&[&["1", "1", "NULL", "NULL", "0"]]),
        _ if sql.starts_with("COPY") => rows(&[&["f", "LOADED", "1", "1"]]),
        _ if sql.starts_with("SELECT") => rows(&[]),
        _ if sql.starts_with("CREATE") => rows(&[&["X successfully created."]]),
        _ => changed(1),
    }
}

const PAGE: &str = r#"[{"id": 1, "at": "2024-01-02T03:04:05Z", "text": "x", "json": {"a": 1}}]"#;

/// Rows of the catalogue: columns by table, each with type and length.
fn catalogue(columns: &[(&str, &str, &str, &str)]) -> Outcome {
    let count = columns.len().to_string();
    let row = |(table, column, data_type, length): &(&str, &str, &str, &str)| {
        let cells = ["column", "S", table, column, data_type, length, "0", &count];
        cells.map(|cell| (cell != "NULL").then(|| cell.to_owned())).to_vec()
    };
    Outcome { rows: columns.iter().map(row).collect(), affected: None }
}

/// A dataset with dlt's tables, whose states are of version 1, and a table `T`.
fn known(more: &[(&'static str, &'static str, &'static str, &'static str)]) -> Outcome {
    let mut columns = vec![
        ("_DLT_LOADS", "LOAD_ID", "TEXT", "16777216"),
        ("_DLT_LOADS", "INSERTED_AT", "TIMESTAMP_TZ", "NULL"),
        ("_DLT_PIPELINE_STATE", "VERSION", "NUMBER", "NULL"),
        ("T", "ID", "NUMBER", "NULL"),
    ];
    columns.extend(more);
    catalogue(&columns)
}

fn fault(result: Result<Report, Fault>) -> String {
    result.unwrap_err().to_string()
}

// --- the catalogue ---------------------------------------------------------------

#[test]
fn truncated_results_are_faults() {
    let cut = |_| {
        let mut answer = known(&[]);
        answer.rows.pop();
        Ok(answer)
    };
    let (run, result) = run(&job(json!({})), PAGE, &[("INFORMATION_SCHEMA", &cut)]);
    let fault = fault(result);
    assert!(fault.contains("expected 4 rows, found 3"), "{fault}");
    assert!(fault.contains("ALTER SESSION SET ROWS_PER_RESULTSET = 0"), "{fault}");
    assert_eq!(run.sql.len(), 1);
}

#[test]
fn show_is_used_if_the_information_schema_fails() {
    let refuses = |_| Err(refused("090030", "Information schema query returned too much data."));
    let text = r#"{"type": "TIMESTAMP_TZ", "precision": 0, "scale": 9, "nullable": true}"#;
    let shown = |n| match n {
        0 => Ok(rows(&[&["T", "S", "AT", text], &["T", "S", "ID", r#"{"type": "FIXED"}"#]])),
        _ => Err(refused("002043", "Object does not exist, or operation cannot be performed.")),
    };
    let whole = |_| Ok(rows(&[&["1"], &["1"], &["1"]]));
    let answers: [Answer<'_>; 3] = [
        ("INFORMATION_SCHEMA", &refuses),
        ("SHOW COLUMNS IN SCHEMA", &shown),
        ("GENERATOR(ROWCOUNT => 3)", &whole),
    ];
    let (done, result) = run(&job(json!({})), PAGE, &answers);
    result.unwrap();
    assert!(done.says("CONVERT_TIMEZONE('UTC', $1:\"AT\"::TIMESTAMP_LTZ)"), "{:#?}", done.sql);
    // A result that is longer by one row arrives in full, unless the session truncates results.
    let cut = |_| Ok(rows(&[&["1"], &["1"]]));
    let (_, result) = run(&job(json!({})), PAGE, &[answers[0], answers[1], ("GENERATOR", &cut)]);
    assert!(fault(result).contains("expected 3 rows, found 2"));
    // If SHOW returns too many columns for a schema, each table is shown separately.
    let row: &[&str] = &["T", "S", "ID", r#"{"type": "FIXED"}"#];
    let many = |n| if n == 0 { Ok(rows(&vec![row; 10_000])) } else { Ok(rows(&[])) };
    let tables = |_| Ok(rows(&[&["2024", "T"]]));
    let columns = |_| Ok(rows(&[&["T", "S", "AT", text]]));
    let enough = |_| Ok(rows(&vec![&["1"][..]; 10_001]));
    let answers: [Answer<'_>; 5] = [
        ("INFORMATION_SCHEMA", &refuses),
        ("SHOW COLUMNS IN SCHEMA", &many),
        ("SHOW TABLES", &tables),
        ("SHOW COLUMNS IN TABLE", &columns),
        ("GENERATOR(ROWCOUNT => 10001)", &enough),
    ];
    let (done, result) = run(&job(json!({})), PAGE, &answers);
    result.unwrap();
    assert!(done.says("CONVERT_TIMEZONE"), "{:#?}", done.sql);
}

#[test]
fn a_naming_with_lower_case_needs_quoted_names_that_keep_it() {
    let folds = |_| Ok(rows(&[&["A"]]));
    let keeps = |_| Ok(rows(&[&["a"]]));
    let (_, result) = run(&job(json!({"naming": "direct"})), PAGE, &[("OBJECT_KEYS", &folds)]);
    assert!(fault(result).contains("QUOTED_IDENTIFIERS_IGNORE_CASE"));
    let (_, result) = run(&job(json!({"naming": "direct"})), PAGE, &[("OBJECT_KEYS", &keeps)]);
    result.unwrap();
    let (done, result) = run(&job(json!({})), PAGE, &[("OBJECT_KEYS", &folds)]);
    result.unwrap();
    assert!(!done.says("OBJECT_KEYS"));
}

#[test]
fn a_table_that_the_catalogue_does_not_show_is_adopted() {
    let exists = |_| Ok(rows(&[&["T already exists, statement succeeded."]]));
    let merge = json!([{"name": "t", "primary_key": "id", "write_disposition": "merge"}]);
    let answers: [Answer<'_>; 1] = [("CREATE TABLE IF NOT EXISTS \"D\".\"S\".\"T\"", &exists)];
    let (done, result) = run(&job(json!({"resources": merge})), PAGE, &answers);
    let report = result.unwrap();
    assert!(done.says("ALTER TABLE \"D\".\"S\".\"T\" ADD COLUMN"), "{:#?}", done.sql);
    assert!(done.says("DELETE FROM \"D\".\"S\".\"T\" AS d"), "{:#?}", done.sql);
    assert!(report.warnings[0].contains("it was adopted"), "{:?}", report.warnings);
}

// --- the lock --------------------------------------------------------------------

const LOCK: &str = "UPDATE \"D\".\"S\".\"_DLT_PIPELINE_STATE\"";
const WAITERS: &str =
    "Statement has locked table; the number of waiters exceeds the 20 statements limit.";

#[test]
fn denied_lock_is_requested_again() {
    let busy = |n| if n < 3 { Err(refused("000625", WAITERS)) } else { Ok(changed(1)) };
    let (done, result) = run(&job(json!({})), PAGE, &[(LOCK, &busy)]);
    result.unwrap();
    assert_eq!((done.count("BEGIN"), done.count("ROLLBACK"), done.waits), (4, 3, 3));
    assert_eq!(
        (done.count("COMMIT"), done.count("INSERT INTO \"D\".\"S\".\"_DLT_LOADS\"")),
        (1, 1)
    );
    // In the middle of the transaction, too: the whole transaction is repeated.
    let busy = |n| if n == 0 { Err(refused("625", WAITERS)) } else { Ok(changed(1)) };
    let loads = "INSERT INTO \"D\".\"S\".\"_DLT_LOADS\"";
    let (done, result) = run(&job(json!({})), PAGE, &[(loads, &busy)]);
    result.unwrap();
    assert_eq!((done.count("COPY"), done.count("COMMIT"), done.waits), (2, 1, 1));
    // A lock that is never released: the fault states how to release it.
    let never = |_| Err(refused("000625", WAITERS));
    let (done, result) = run(&job(json!({})), PAGE, &[(LOCK, &never)]);
    let fault = fault(result);
    for words in ["SHOW LOCKS IN ACCOUNT", "SYSTEM$ABORT_TRANSACTION", "one that was killed"] {
        assert!(fault.contains(words), "{fault}");
    }
    assert_eq!((done.count("BEGIN"), done.count("COMMIT"), done.waits), (6, 0, 5));
}

#[test]
fn load_without_the_lock_fails() {
    let check = |answer: Outcome, expect: &str| {
        let answers: [Answer<'_>; 1] = [(LOCK, &|_| Ok(answer.clone()))];
        let (done, result) = run(&job(json!({})), PAGE, &answers);
        let fault = fault(result);
        assert!(fault.contains(expect), "{fault}");
        assert_eq!((done.count("COPY"), done.count("COMMIT"), done.count("ROLLBACK")), (0, 0, 1));
    };
    check(changed(0), "expected a state of the pipeline p to lock, found none");
    check(rows(&[]), "expected the number of rows that the statement changed, found none");
}

#[test]
fn load_that_lost_the_race_writes_nothing() {
    let none = |_| Ok(changed(0));
    for (words, expect) in [
        (
            "MERGE INTO \"D\".\"S\".\"_DLT_PIPELINE_STATE\"",
            "another load of the pipeline p committed",
        ),
        ("MERGE INTO \"D\".\"S\".\"_DLT_VERSION\"", "another load stored the schema p"),
    ] {
        let (done, result) = run(&job(json!({})), PAGE, &[(words, &none)]);
        let fault = fault(result);
        assert!(fault.contains(expect) && fault.contains("run it again"), "{fault}");
        assert_eq!((done.count("COPY"), done.count("COMMIT"), done.count("ROLLBACK")), (0, 0, 1));
    }
}

#[test]
fn ddl_inside_the_callers_transaction_is_explained() {
    let scope = |_| {
        Err(refused(
            "090236",
            "Modifying a transaction that has started at a different scope is not allowed.",
        ))
    };
    let (_, result) = run(&job(json!({})), PAGE, &[("CREATE STAGE", &scope)]);
    assert!(fault(result).contains("commit or roll back first"));
}

// --- stages ----------------------------------------------------------------------

#[test]
fn stages_of_loads_that_cannot_commit_are_dropped() {
    let (earlier, later) = ("SNOWCAT__P__1000000000_000001", "SNOWCAT__P__9000000000_000001");
    let stage = |id: &str, old: &str| {
        let cells = ["stage", "S", id, "NULL", "NULL", "NULL", old, "2"];
        cells.map(|cell| (cell != "NULL").then(|| cell.to_owned())).to_vec()
    };
    // A load with rows writes its first state. A load without rows does not, if a state exists.
    let state = json!({
        "_state_version": 1, "_state_engine_version": 4, "pipeline_name": "p",
        "destination_type": "dlt.destinations.snowflake", "destination_name": null, "dataset_name": "s",
        "default_schema_name": "p", "schema_names": ["p"],
        "_version_hash": "yfd6qOW4XKeNHAdy4y+lr+9x3fpF0ZxgSQlMGd75p9A=",
    })
    .to_string();
    let check = |brings: bool, old: &str, dropped: bool| {
        let catalogue = |_| {
            let rows = vec![stage(earlier, old), stage(later, old)];
            Ok(Outcome { rows, affected: None })
        };
        let stored = |_| Ok(rows(&[&["1", &state, "h", "1.0", "1", "1", "1.0"]]));
        let with_state = |_| {
            let mut answer = known(&[]);
            answer.rows.extend([stage(earlier, old), stage(later, old)]);
            let count = answer.rows.len().to_string();
            answer.rows.iter_mut().for_each(|row| row[7] = Some(count.clone()));
            Ok(answer)
        };
        let answers: [Answer<'_>; 2] = match brings {
            true => [("INFORMATION_SCHEMA", &catalogue), ("nothing", &catalogue)],
            false => [("INFORMATION_SCHEMA", &with_state), ("SELECT s.\"VERSION\"", &stored)],
        };
        let (done, result) = run(&job(json!({})), if brings { PAGE } else { "[]" }, &answers);
        result.unwrap();
        let drop = format!("DROP STAGE IF EXISTS \"D\".\"S\".\"{earlier}\"");
        assert_eq!(done.says(&drop), dropped, "{:#?}", done.sql);
        assert!(!done.says(later), "the stage of a later load");
    };
    check(true, "0", true);
    check(true, "1", true);
    check(false, "0", false);
    check(false, "1", true);
}

#[test]
fn pipelines_with_equal_normalized_names_have_separate_stages() {
    let stage = |pipeline: &str| {
        let (done, result) = run(&job(json!({"pipeline": pipeline})), PAGE, &[]);
        result.unwrap();
        done.sql.into_iter().find(|sql| sql.starts_with("CREATE STAGE")).unwrap()
    };
    assert!(stage("a_b").contains("\"SNOWCAT__A_B__17"));
    assert_ne!(stage("a-b"), stage("a.b"));
    assert_ne!(stage("a-b"), stage("a_b"));
}

#[test]
fn a_stage_is_encrypted_as_the_job_says() {
    let check = |more: Value, expect: &str| {
        let (done, result) = run(&job(more), PAGE, &[]);
        result.unwrap();
        assert!(done.says(&format!("ENCRYPTION = (TYPE = '{expect}')")), "{:#?}", done.sql);
    };
    check(json!({}), "SNOWFLAKE_SSE");
    check(json!({"stage_encryption": "SNOWFLAKE_FULL"}), "SNOWFLAKE_FULL");
}

// --- types -----------------------------------------------------------------------

#[test]
fn a_column_with_an_offset_gets_that_of_utc() {
    let catalogue = |_| Ok(known(&[("T", "AT", "TIMESTAMP_TZ", "NULL")]));
    let (done, result) = run(&job(json!({})), PAGE, &[("INFORMATION_SCHEMA", &catalogue)]);
    result.unwrap();
    let copy = done.sql.iter().find(|sql| sql.starts_with("COPY")).unwrap();
    assert!(copy.contains("CONVERT_TIMEZONE('UTC', $1:\"AT\"::TIMESTAMP_LTZ)"), "{copy}");
    // dlt's own table has such a column as well; the table of states does not.
    let loads =
        done.sql.iter().find(|sql| sql.starts_with("INSERT INTO \"D\".\"S\".\"_DLT_LOADS\""));
    assert!(loads.unwrap().contains("CONVERT_TIMEZONE('UTC', TO_TIMESTAMP_LTZ("), "{loads:?}");
    let state = done.sql.iter().find(|sql| sql.starts_with("MERGE")).unwrap();
    assert!(!state.contains("CONVERT_TIMEZONE"), "{state}");
}

#[test]
fn values_beyond_16_mib_get_a_length_or_a_fault() {
    let long = "x".repeat((16 << 20) + 1);
    let page = |field: &str| match field {
        "json" => format!(r#"[{{"id": 1, "json": [["{long}"]]}}]"#),
        _ => format!(r#"[{{"id": 1, "text": "{long}"}}]"#),
    };
    let nested = json!([{"name": "t", "max_table_nesting": 0}]);
    // A new column is created with a sufficient length.
    let (done, result) = run(&job(json!({})), &page("text"), &[]);
    result.unwrap();
    assert!(done.says("\"TEXT\" VARCHAR(134217728)"), "{:?}", done.count("CREATE TABLE"));
    assert!(done.says("$1:\"TEXT\"::VARCHAR(134217728)"));
    let (done, result) = run(&job(json!({"resources": nested})), &page("json"), &[]);
    result.unwrap();
    assert!(done.says("PARSE_JSON($1:\"JSON\"::VARCHAR(134217728))"));
    // An existing column is not changed.
    let short = |_| Ok(known(&[("T", "TEXT", "TEXT", "16777216")]));
    let (done, result) = run(&job(json!({})), &page("text"), &[("INFORMATION_SCHEMA", &short)]);
    let fault = fault(result);
    for words in
        ["table t", "column text", "at most 16777216", "one of 16777217", "VARCHAR(134217728)"]
    {
        assert!(fault.contains(words), "{fault}");
    }
    assert_eq!(done.count("BEGIN"), 0);
    let wide = |_| Ok(known(&[("T", "TEXT", "TEXT", "134217728")]));
    run(&job(json!({})), &page("text"), &[("INFORMATION_SCHEMA", &wide)]).1.unwrap();
}

// --- conditions ------------------------------------------------------------------

/// The stored form of a schema whose table `t` has a condition.
fn schema_with(hint: &str, condition: &str) -> String {
    json!({
        "version": 1, "version_hash": "h", "engine_version": 11, "name": "p",
        "settings": {}, "normalizers": {"names": "snake_case"}, "previous_hashes": [],
        "tables": {"t": {
            "name": "t", "write_disposition": "merge", hint: condition, "resource": "t",
            "columns": {"id": {"name": "id", "data_type": "bigint", "primary_key": true, "nullable": false}},
        }},
    })
    .to_string()
}

#[test]
fn stored_conditions_must_be_in_the_job() {
    let text = schema_with("x-merge-source-filter", "id > 0");
    let stored = |_| Ok(rows(&[&["1", "h", &text, "1"]]));
    let catalogue = |_| Ok(known(&[("_DLT_VERSION", "VERSION", "NUMBER", "NULL")]));
    let answers: [Answer<'_>; 2] =
        [("INFORMATION_SCHEMA", &catalogue), ("SELECT \"VERSION\"::VARCHAR", &stored)];
    let check = |filter: Value, expect: Option<&str>| {
        let mut merge = json!({"disposition": "merge", "strategy": "upsert"});
        if !filter.is_null() {
            merge["source_filter"] = filter;
        }
        let resource = json!([{"name": "t", "primary_key": "id", "write_disposition": merge}]);
        let (_, result) = run(&job(json!({"resources": resource})), PAGE, &answers);
        match expect {
            None => drop(result.unwrap()),
            Some(expect) => {
                let fault = fault(result);
                assert!(fault.contains(expect), "{fault}");
            }
        }
    };
    check(json!("id > 0"), None);
    check(
        Value::Null,
        Some(
            "expected the job to say the source_filter that the stored schema has, \"id > 0\", found none",
        ),
    );
    // SQL outside the grammar is rejected before any request.
    let attack = "EXISTS (SELECT 1 FROM FINANCE.HR.PAY)";
    check(json!(attack), Some("source_filter: expected one of the functions"));
}
