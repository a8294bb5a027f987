//! What a load stores and later versions read: schemas, states and checkpoints, byte by byte as in
//! `tests/data/stored`. `UPDATE_EXPECT=1` writes the files anew.
//!
//! A changed line is a changed form: earlier documents must still be read, so the change needs another version of
//! the form and a test that the old one is read.

use serde_json::{Value, json};
use snowcat_guest::load;
use snowcat_guest::protocol::Request;

use super::{FOREVER, account, job, server, world};
use account::{Account, File, Input, document, nobody};
use world::{answer, ok, param};

/// Compares a text with a file of `tests/data/stored`.
fn check(file: &str, found: &str) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/stored");
    let file = format!("{folder}/{file}");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&file, found).unwrap();
    }
    let expect = std::fs::read_to_string(&file).unwrap();
    for (found, expect) in found.lines().zip(expect.lines()) {
        assert_eq!(found, expect, "{file}");
    }
    assert_eq!(found, expect, "{file}");
}

/// A line of a golden file: the case, and what is stored in it.
fn line(case: &str, form: &str, document: &str) -> String {
    format!("{{\"case\":{},\"{form}\":{document}}}\n", json!(case))
}

/// The documents that statements store in a table: the last column of `_dlt_version`, or the packed `state` of
/// `_dlt_pipeline_state`.
fn documents(statements: &[String], table: &str) -> Vec<String> {
    let writes = statements.iter().filter(|sql| {
        let mut words = sql.split_whitespace();
        matches!(words.next(), Some("MERGE" | "INSERT"))
            && words.nth(1).is_some_and(|name| name.ends_with(&format!("\"{table}\"")))
    });
    writes.map(|sql| literals(sql).iter().find_map(|text| document(text)).unwrap()).collect()
}

/// The string literals of a statement.
fn literals(sql: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut chars = sql.chars().peekable();
    while chars.by_ref().any(|c| c == '\'') {
        let mut text = String::new();
        while let Some(c) = chars.next() {
            match c {
                '\\' => text.extend(chars.next()),
                '\'' if chars.next_if_eq(&'\'').is_none() => break,
                other => text.push(other),
            }
        }
        found.push(text);
    }
    found
}

/// The checkpoint of the resource `r` in a state.
fn checkpoint(state: &str) -> Option<Value> {
    let state: Value = serde_json::from_str(state).unwrap();
    state.pointer("/sources/p/resources/r/snowcat_checkpoint").cloned()
}

/// The checkpoint after the first part of a load, from which the same job goes on.
fn first_checkpoint(case: &str, job: &Value, input: &Input<'_>) -> String {
    let mut account = Account::default();
    let mut steps = 0;
    while account.commits < 1 {
        account = Account::default();
        steps += 1;
        let ended = account.run(job, input, steps);
        assert!(ended.is_none(), "{case}: ended without a part, {ended:?}");
    }
    let states = documents(&account.sql, "_DLT_PIPELINE_STATE");
    let stored = checkpoint(states.last().unwrap()).unwrap_or_else(|| panic!("{case}: none"));
    let report = account.run(job, input, FOREVER).unwrap().unwrap();
    let resumed = report.warnings.iter().any(|w| w.ends_with("where a load was interrupted"));
    assert!(resumed, "{case}: {:?}", report.warnings);
    let states = documents(&account.sql, "_DLT_PIPELINE_STATE");
    assert_eq!(checkpoint(states.last().unwrap()), None, "{case}: the load is complete");
    line(case, "checkpoint", &stored.to_string())
}

#[test]
fn checkpoints_are_stored_as_before() {
    let mut found = String::new();
    let lines: String =
        (0..9).map(|n| format!("{{\"n\":{n},\"at\":\"2024-01-0{n}\"}}\n")).collect();
    let rows = "id,text\n1,a\n2,b\n3,c\n4,d\n".to_owned();
    let files: &[(&str, Value, File)] = &[
        ("csv", json!({"files": "*.csv"}), ("a.csv", rows)),
        ("jsonl", json!({"files": "*.jsonl"}), ("a.jsonl", lines.clone())),
        ("values", json!({}), ("", lines.clone())),
        (
            "cursor",
            json!({"incremental": {"cursor_path": "n", "initial_value": 1}}),
            ("", lines.clone()),
        ),
        (
            "keyed cursor",
            json!({"primary_key": "n", "incremental": {"cursor_path": "at"}}),
            ("", lines),
        ),
    ];
    for (case, resource, file) in files {
        let mut job = job(resource.clone());
        job["resources"][0]["checkpoint"] = json!({"pages": 1});
        let input = Input { files: std::slice::from_ref(file), page: 30, server: &nobody };
        found.push_str(&first_checkpoint(case, &job, &input));
    }
    let paginators = [
        json!({"type": "offset", "limit": 4}),
        json!({"type": "cursor", "cursor_path": "next", "cursor_param": "token"}),
        json!({"type": "json_link", "next_url_path": "link"}),
        json!({"type": "page_number", "base_page": 1, "total_path": "pages"}),
        json!({"type": "header_link"}),
    ];
    let input = Input { files: &[], page: 1, server: &pages };
    for paginator in paginators {
        let case = paginator["type"].as_str().unwrap().to_owned();
        let endpoint = json!({"path": "items", "paginator": paginator, "data_selector": "items"});
        let job = job(json!({"endpoint": endpoint, "checkpoint": {"pages": 2}}));
        found.push_str(&first_checkpoint(&case, &job, &input));
    }
    let endpoint = json!({
        "path": "items", "method": "POST", "json": {"q": ["a", 1.5]}, "data_selector": "items",
        "paginator": {"type": "cursor", "cursor_path": "next", "cursor_body_path": "page.after"},
    });
    let job = job(json!({"endpoint": endpoint, "checkpoint": {"pages": 2}}));
    found.push_str(&first_checkpoint("cursor in a body", &job, &input));
    check("checkpoints.jsonl", &found);
}

/// Four pages of one record, with every sign that a paginator follows.
fn pages(request: &Request) -> world::Answer {
    let number = |name: &str| param(request, name).and_then(|text| text.parse::<u32>().ok());
    let body: Value = serde_json::from_str(request.body.as_deref().unwrap_or("{}")).unwrap();
    let after = body.pointer("/page/after").and_then(Value::as_str);
    let page = number("token")
        .or(number("page").map(|page| page - 1))
        .or(number("offset").map(|offset| offset / 4))
        .or(after.and_then(|text| text.parse().ok()))
        .unwrap_or(0);
    let next = (page < 3).then(|| (page + 1).to_string());
    let link = next.as_ref().map(|next| format!("https://x.net/v1/items?token={next}"));
    let records = if page < 3 { 4 } else { 1 };
    let records: Vec<Value> = (0..records).map(|n| json!({"n": page * 4 + n})).collect();
    let header = link.as_ref().map(|link| format!("<{link}>; rel=\"next\""));
    let headers: Vec<(&str, &str)> = header.iter().map(|text| ("link", text.as_str())).collect();
    let body = json!({"items": records, "next": next, "link": link, "pages": 4, "total": 13});
    answer(200, &headers, &body.to_string())
}

#[test]
fn states_are_stored_as_before() {
    let mut found = String::new();
    let input = Input { files: &[], page: 1, server: &server };
    for (case, incremental) in [
        ("numbers", json!({"cursor_path": "n", "initial_value": 3, "start_param": "since"})),
        ("numbers without an initial value", json!({"cursor_path": "n", "start_param": "since"})),
        (
            "an ordered cursor",
            json!({"cursor_path": "n", "start_param": "since", "row_order": "asc"}),
        ),
    ] {
        let endpoint = json!({
            "path": "items", "data_selector": "items", "incremental": incremental,
            "paginator": {"type": "cursor", "cursor_path": "next", "cursor_param": "token"},
        });
        let job = job(json!({"endpoint": endpoint, "checkpoint": {"pages": 3}}));
        let mut account = Account::default();
        for _ in 0..2 {
            account.run(&job, &input, FOREVER).unwrap().unwrap();
        }
        for state in documents(&account.sql, "_DLT_PIPELINE_STATE") {
            found.push_str(&line(case, "state", &state));
        }
    }
    check("states.jsonl", &found);
}

/// The merge strategies of the job schema that need a primary key and nothing else. Two more have cases of their own.
fn merge_strategies() -> Vec<String> {
    let schema = include_str!("../../../procedures/jobs/job.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let words = "/definitions/disposition_with_options/properties/strategy/enum";
    let words = schema.pointer(words).unwrap().as_array().unwrap();
    let merges = |strategy: &&str| {
        let disposition = json!({"disposition": "merge", "strategy": strategy});
        let job = job(json!({"write_disposition": disposition, "primary_key": "id"}));
        !["delete-insert", "scd2"].contains(strategy)
            && load::start(&job.to_string(), "2026-01-01T00:00:00Z").is_ok()
    };
    words.iter().map(|word| word.as_str().unwrap()).filter(merges).map(str::to_owned).collect()
}

#[test]
fn schemas_are_stored_as_before() {
    let record = json!([{
        "id": 1, "k": "a", "at": "2024-01-01T00:00:00Z", "day": "2024-01-01", "f": 1.5, "b": true, "big": 1e30,
        "a b": 1, "a_b": "x", "o": {"p": {"q": 1}}, "list": [{"v": 1, "deep": [1, 2]}], "none": null,
    }, {"id": 2, "k": "b", "f": "text", "day": 7}]);
    let dispositions = [
        ("append", json!({})),
        ("replace", json!({"write_disposition": "replace", "max_table_nesting": 1})),
        ("merge", json!({"write_disposition": "merge", "primary_key": "id", "merge_key": ["k"]})),
    ];
    let strategies = merge_strategies();
    let by_key = strategies.iter().map(|strategy| {
        let disposition = json!({"disposition": "merge", "strategy": strategy});
        (strategy.as_str(), json!({"write_disposition": disposition, "primary_key": "id"}))
    });
    let others = [
        (
            "scd2",
            json!({"write_disposition": {"disposition": "merge", "strategy": "scd2", "validity_column_names": ["v1", "v2"]}}),
        ),
        (
            "contract",
            json!({"schema_contract": {"tables": "evolve", "columns": "discard_value", "data_type": "discard_value"}}),
        ),
        (
            "columns",
            json!({"columns": {
                "id": {"data_type": "decimal", "precision": 10, "scale": 2, "cluster": true, "unique": true},
                "o": {"data_type": "json"}, "at": {"timezone": false, "description": "it's"}, "soft": {"hard_delete": true},
            }}),
        ),
    ];
    let mut found = String::new();
    for (case, resource) in dispositions.into_iter().chain(by_key).chain(others) {
        let mut resource = resource;
        resource["endpoint"] = json!({"path": "items", "paginator": "single_page"});
        let run = world::good(&job(resource), |_, _| ok(&record));
        let schemas = documents(&run.sql, "_DLT_VERSION");
        assert_eq!(schemas.len(), 1, "{case}");
        for schema in schemas {
            found.push_str(&line(case, "schema", &schema));
        }
    }
    // The table of rejected records.
    let files: &[File] = &[("a.jsonl", "{\"id\":1}\n{".to_owned())];
    let mut account = Account::default();
    let input = Input { files, page: 100, server: &nobody };
    let job = job(json!({"files": "*.jsonl", "on_bad_record": "reject"}));
    account.run(&job, &input, FOREVER).unwrap().unwrap();
    for schema in documents(&account.sql, "_DLT_VERSION") {
        found.push_str(&line("rejected records", "schema", &schema));
    }
    check("schemas.jsonl", &found);
}
