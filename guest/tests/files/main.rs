//! Files, rejected records and checkpoints, from the job to the rows: whole loads, and loads that
//! are interrupted after any step.

#![expect(clippy::unwrap_used, reason = "these are tests")]
#![allow(clippy::panic, reason = "these are tests")]

mod account;
mod delivery;
mod stored;
#[path = "../rest/world.rs"]
#[allow(dead_code, reason = "the tests of REST sources use the rest of it")]
mod world;

use serde_json::{Value, json};
use snowcat_guest::protocol::Request;

use account::{Account, File, Input, nobody};
use world::{ok, param};

const FOREVER: usize = 1_000_000;

fn job(resource: Value) -> Value {
    let mut job = world::job(json!([{"name": "r"}]));
    job["resources"][0].as_object_mut().unwrap().extend(resource.as_object().unwrap().clone());
    job
}

fn input(files: &[File], page: usize) -> Input<'_> {
    Input { files, page, server: &nobody }
}

fn csv(rows: std::ops::Range<u32>) -> String {
    rows.fold("id,text\n".to_owned(), |text, n| text + &format!("{n},\"line {n}\n é\"\n"))
}

#[test]
fn files_become_rows() {
    let check = |resource: Value, files: &[File], expect: &[Value]| {
        let mut expect: Vec<String> = expect.iter().map(Value::to_string).collect();
        expect.sort();
        for page in [1, 7, 1 << 20] {
            let mut account = Account::default();
            let ended = account.run(&job(resource.clone()), &input(files, page), FOREVER).unwrap();
            ended.unwrap_or_else(|fault| panic!("{resource}: {fault}"));
            assert_eq!(account.table("r"), expect, "{resource} in pages of {page}");
        }
    };
    // Each file starts with a header.
    check(
        json!({"files": "*.csv"}),
        &[("a.csv", "a,b\n1,2".into()), ("b.csv", "b,c\n3,\n".into())],
        &[json!({"a": "1", "b": "2"}), json!({"b": "3"})],
    );
    check(
        json!({"files": "*.csv", "columns": {"n": {"data_type": "bigint"}}}),
        &[("a.csv", "n\n1\n20\n".into())],
        &[json!({"n": 1}), json!({"n": 20})],
    );
    check(
        json!({"format": "jsonl"}),
        &[("", "{\"a\":1}\n\n{\"a\":2}".into())],
        &[json!({"a": 1}), json!({"a": 2})],
    );
    check(
        json!({"format": "json", "endpoint": {"data_selector": "items"}, "source": "pull"}),
        &[("a.json", "{\"items\":[{\"a\":1},\n{\"a\":2}]} {\"a\":3}".into())],
        &[json!({"a": 1}), json!({"a": 2}), json!({"a": 3})],
    );
}

/// Columns with the path of a file and the values of its folders.
#[test]
fn records_get_columns_of_their_file() {
    let check = |resource: Value, files: &[File], expect: Result<&[Value], &str>| {
        let mut account = Account::default();
        let ended = account.run(&job(resource.clone()), &input(files, 7), FOREVER).unwrap();
        let ended = ended.map(drop).map_err(|fault| fault.to_string());
        match expect {
            Ok(rows) => {
                ended.unwrap();
                let expect: Vec<String> = rows.iter().map(Value::to_string).collect();
                assert_eq!(account.table("r"), expect);
            }
            Err(message) => {
                assert_eq!(ended, Err(format!("pipeline p: resource r: {message}")));
            }
        }
    };
    let files: &[File] =
        &[("dt=2024-01-01/a.csv", "a\n1\n".into()), ("dt=2024-01-02/a.csv", "a\n2\n".into())];
    check(
        json!({"files": "**/*.csv", "include_file": ["path", "dt"], "columns": {"_file_dt": {"data_type": "date"}}}),
        files,
        Ok(&[
            json!({"_file_dt": "Date32[2024-01-01]", "_file_path": "dt=2024-01-01/a.csv", "a": "1"}),
            json!({"_file_dt": "Date32[2024-01-02]", "_file_path": "dt=2024-01-02/a.csv", "a": "2"}),
        ]),
    );
    check(
        json!({"files": "**/*.csv", "include_file": ["day"]}),
        files,
        Err(
            "file dt=2024-01-01/a.csv: expected a folder day=.. in the name, for include_file, found none",
        ),
    );
    check(
        json!({"format": "jsonl", "include_file": ["path"]}),
        &[("", "{\"a\":1}\n".into())],
        Err("expected a file with a name, for include_file, found none"),
    );
}

#[test]
fn faults_name_file_and_line() {
    let check = |resource: Value, files: &[File], expect: &str| {
        let mut account = Account::default();
        let ended = account.run(&job(resource.clone()), &input(files, 5), FOREVER).unwrap();
        let fault = ended.unwrap_err();
        assert_eq!(fault.to_string(), format!("pipeline p: resource r: {expect}"), "{resource}");
        assert_eq!(account.commits, 0);
    };
    check(
        json!({"files": "*.csv"}),
        &[("a.csv", "a\n1\n".into()), ("b.csv", "a,b\n1,2\n\"x\n\n\",3\n4\n".into())],
        "file b.csv: line 6: expected 2 fields, found 1",
    );
    check(
        json!({"files": "*.jsonl"}),
        &[("a.jsonl", "{\"a\":1}\n{\"a\":}\n".into())],
        "file a.jsonl: line 2: record 1: not JSON: expected a value, found '}' at line 2 column 6 (byte 5)",
    );
    // The line of the record, not that of the surrounding list.
    check(
        json!({"files": "*.json"}),
        &[("a.json", "[\n\n{\"a\":}]".into())],
        "file a.json: line 3: record 1: not JSON: expected a value, found '}' at line 3 column 6 (byte 8)",
    );
    check(json!({"files": "@d.s.t/*.csv"}), &[], "expected files at @d.s.t/*.csv, found none");
}

#[test]
fn bad_records_are_rejected() {
    let lines = "{\"a\":1}\n{\"a\":}\n2024-01-01T00:00:00Z\n{\"a\":3}\n".to_owned();
    let files: &[File] = &[("a.jsonl", lines.clone()), ("b.jsonl", lines)];
    let job = job(json!({"files": "*.jsonl", "on_bad_record": "reject"}));
    let mut account = Account::default();
    let report = account.run(&job, &input(files, 3), FOREVER).unwrap().unwrap();
    let rows = |n: u32| json!({"a": n}).to_string();
    assert_eq!(account.table("r"), [rows(1), rows(1), rows(3), rows(3)]);
    let rejected = |file: &str, line: u32, reason: &str, record: &str| {
        json!({"resource": "r", "file": file, "line": line, "reason": reason, "record": record})
            .to_string()
    };
    let brace = "not JSON: expected a value, found '}' at line 2 column 6 (byte 5)";
    let number = "not JSON: expected the end of the number, found '1' at line 3 column 7 (byte 6)";
    let mut expect: Vec<String> = ["a.jsonl", "b.jsonl"]
        .iter()
        .flat_map(|file| {
            [
                rejected(file, 2, brace, "{\"a\":}"),
                // A rejected record is stored as text, whatever it contains.
                rejected(file, 3, number, "2024-01-01T00:00:00Z"),
            ]
        })
        .map(|row| serde_json::from_str::<Value>(&row).unwrap())
        .map(|row| {
            json!(row.as_object().unwrap().iter().collect::<std::collections::BTreeMap<_, _>>())
        })
        .map(|row| row.to_string())
        .collect();
    expect.sort();
    assert_eq!(account.table("_rejected"), expect);
    assert_eq!(report.warnings, ["resource r: 4 records were rejected, see the table _rejected"]);
    assert_eq!(account.commits, 1);
}

/// Interrupts a load after each number of steps. A second load must complete it with the same
/// result as one load.
#[track_caller]
fn dies(job: &Value, input: &Input<'_>, parts: usize) {
    let mut clean = Account::default();
    clean.run(job, input, FOREVER).unwrap().unwrap();
    assert_eq!(clean.commits, parts, "{job}");
    assert!(!clean.table("r").is_empty());
    let mut resumed = 0;
    for steps in 0.. {
        let mut account = Account::default();
        if account.run(job, input, steps).is_some() {
            break;
        }
        let before = account.commits;
        let report = account.run(job, input, FOREVER).unwrap().unwrap();
        if before < parts {
            assert_eq!(account.table("r"), clean.table("r"), "{job} after {steps} steps");
            assert_eq!(account.table("_rejected"), clean.table("_rejected"));
            let warned = report.warnings.iter().any(|w| w.contains("where a load was interrupted"));
            resumed += usize::from(warned);
        }
    }
    // An ordered cursor is itself a checkpoint.
    let by_cursor = job.to_string().contains("row_order");
    assert_eq!(resumed > 0, parts > 1 && !by_cursor, "{job}");
}

#[test]
fn interrupted_loads_of_files_resume() {
    let files: &[File] = &[("a.csv", csv(0..9)), ("b.csv", csv(9..10)), ("c.csv", csv(10..30))];
    let checkpoint = json!({"pages": 2});
    dies(&job(json!({"files": "*.csv", "checkpoint": checkpoint})), &input(files, 60), 6);
    dies(&job(json!({"files": "*.csv", "checkpoint": {"bytes": 100}})), &input(files, 60), 5);
    dies(&job(json!({"files": "*.csv"})), &input(files, 60), 1);
    let lines: String = (0..20).map(|n| format!("{{\"n\":{n}}}\n{{\n")).collect();
    let resource =
        json!({"format": "jsonl", "checkpoint": {"pages": 1}, "on_bad_record": "reject"});
    dies(&job(resource), &input(&[("", lines)], 50), 6);
    let values: String = (0..20).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    dies(&job(json!({"checkpoint": {"pages": 1}})), &input(&[("", values.clone())], 30), 6);
    // Records in any order, of which only new ones are loaded.
    let mixed: String = (0..20).map(|n| format!("{{\"n\":{}}}\n", n * 7 % 20)).collect();
    let incremental = json!({"cursor_path": "n", "initial_value": 4});
    let resource = json!({"checkpoint": {"pages": 1}, "incremental": incremental});
    dies(&job(resource), &input(&[("", mixed)], 30), 6);
    let window = json!({"cursor_path": "n", "initial_value": 4, "end_value": 12});
    let resource = json!({"checkpoint": {"pages": 1}, "incremental": window});
    dies(&job(resource), &input(&[("", values)], 30), 6);
}

/// A server with the records 0 to 19, four per page.
fn server(request: &Request) -> world::Answer {
    let number = |name: &str| param(request, name).and_then(|text| text.parse::<u32>().ok());
    let from = number("offset").or(number("token")).or(number("cursor")).unwrap_or(0);
    let since = number("since").unwrap_or(0);
    let records: Vec<Value> =
        (0..20).filter(|n| *n >= since).map(|n| json!({"n": n})).skip(from as usize).collect();
    let page: Vec<_> = records.iter().take(4).collect();
    let next = (records.len() > 4).then(|| (from + 4).to_string());
    ok(&json!({"items": page, "next": next, "total": 20 - since}))
}

#[test]
fn interrupted_loads_of_requests_resume() {
    let input = Input { files: &[], page: 1, server: &server };
    let resource = |paginator: Value, incremental: Value| {
        let mut endpoint =
            json!({"path": "items", "paginator": paginator, "data_selector": "items"});
        if !incremental.is_null() {
            endpoint["incremental"] = incremental;
        }
        job(json!({"endpoint": endpoint, "checkpoint": {"pages": 2}}))
    };
    let offset = json!({"type": "offset", "limit": 4});
    let token = json!({"type": "cursor", "cursor_path": "next", "cursor_param": "token"});
    dies(&resource(offset.clone(), Value::Null), &input, 3);
    dies(&resource(token.clone(), Value::Null), &input, 3);
    dies(&resource(Value::Null, Value::Null), &input, 3);
    let cursor = json!({"cursor_path": "n", "initial_value": 3, "start_param": "since"});
    dies(&resource(token.clone(), cursor.clone()), &input, 3);
    let mut ordered = cursor;
    ordered["row_order"] = "asc".into();
    dies(&resource(token, ordered.clone()), &input, 3);
    dies(&resource(offset, ordered), &input, 3);
}

#[test]
fn rejected_resume_position_is_named() {
    let forgetful = |request: &Request| match param(request, "token") {
        Some(_) => world::answer(400, &[], "the token has expired"),
        None => server(request),
    };
    let endpoint = json!({
        "path": "items", "data_selector": "items",
        "paginator": {"type": "cursor", "cursor_path": "next", "cursor_param": "token"},
    });
    let mut job = job(json!({"endpoint": endpoint, "checkpoint": {"pages": 2}}));
    let mut account = Account::default();
    let mut steps = 0;
    let good = Input { files: &[], page: 1, server: &server };
    while account.commits < 1 {
        account = Account::default();
        steps += 1;
        assert!(account.run(&job, &good, steps).is_none());
    }
    let bad = Input { files: &[], page: 1, server: &forgetful };
    let fault = account.run(&job, &bad, FOREVER).unwrap().unwrap_err().to_string();
    assert_eq!(
        fault,
        "pipeline p: resource r: page 3, where an interrupted load goes on: GET https://x.net/v1/items?token=...: status 400: the token has expired"
    );
    job["force_full_load"] = true.into();
    let fault = account.run(&job, &bad, FOREVER).unwrap().unwrap_err().to_string();
    assert!(fault.contains(": page 2: GET "), "{fault}");
    account.run(&job, &good, FOREVER).unwrap().unwrap();
}

#[test]
fn changed_file_or_job_is_not_resumed() {
    let resource = json!({"files": "*.csv", "checkpoint": {"pages": 1}});
    let mut account = Account::default();
    let files: &[File] = &[("a.csv", csv(0..9))];
    let mut steps = 0;
    while account.commits < 2 {
        account = Account::default();
        steps += 1;
        assert!(account.run(&job(resource.clone()), &input(files, 60), steps).is_none());
    }
    let files: &[File] = &[("a.csv", csv(0..10))];
    let fault =
        account.run(&job(resource.clone()), &input(files, 60), FOREVER).unwrap().unwrap_err();
    assert!(fault.to_string().contains("file a.csv: expected the file as it was"), "{fault}");
    // The same holds for another job.
    let other = job(json!({"files": "*.csv", "checkpoint": {"pages": 1}, "format": "jsonl"}));
    let fault = account.run(&other, &input(files, 60), FOREVER).unwrap().unwrap_err();
    assert!(fault.to_string().contains("a load of it was interrupted"), "{fault}");
    // A forced full load reads everything again.
    let mut forced = job(resource);
    forced["force_full_load"] = true.into();
    account.run(&forced, &input(files, 60), FOREVER).unwrap().unwrap();
    assert!(account.table("r").len() > 10);
}

#[test]
fn checkpoint_is_rejected_for_dispositions_that_need_the_whole_load() {
    let check = |resource: Value, expect: &str| {
        let mut account = Account::default();
        let mut resource = resource;
        resource["checkpoint"] = json!({"pages": 1});
        let ended = account.run(&job(resource.clone()), &input(&[], 1), FOREVER).unwrap();
        let fault = ended.unwrap_err().to_string();
        assert!(
            fault.contains(&format!("checkpoint: no checkpoint is possible: {expect}")),
            "{fault}"
        );
    };
    check(json!({"write_disposition": "replace"}), "replace publishes a table as a whole");
    check(json!({"write_disposition": "merge", "merge_key": "k"}), "all rows of one merge_key");
    check(
        json!({"write_disposition": {"disposition": "merge", "strategy": "scd2"}}),
        "scd2 and cdc retire or delete rows that are absent from the load",
    );
}
