//! Checkpoints of loads that delete or retire the rows which a load does not stage: each part is a load of its own,
//! so such a load must not begin. The plan decides it, by the job and the stored schema.

use serde_json::{Value, json};

use super::{Answer, catalogue, fault, job, known, rows, run};

const PAGE: &str = r#"[{"id": 1, "day": 2, "items": [{"k": 1, "day": 2}]}]"#;

const REPLACE: &str = "replace publishes a table as a whole, so the load must be complete";
const ABSENT: &str =
    "scd2 and cdc retire or delete rows that are absent from the load, so it must be complete";
const SCOPE: &str = "rows in the destination_scope that are absent from the load are deleted, so it must be complete";
const MERGE_KEY: &str =
    "all rows of one merge_key are replaced together, so the load must be complete";
/// The end of the errors of a plan.
const APPLY: &str = "; the hints of the stored schema apply where the job gives none";

fn merge(strategy: &str) -> Value {
    json!({"disposition": "merge", "strategy": strategy})
}

fn scope() -> Value {
    json!({"disposition": "merge", "destination_scope": "day = 2"})
}

/// A job whose resource `t` has a checkpoint.
fn parts(resource: Value) -> Value {
    let mut whole = json!({"name": "t", "checkpoint": {"pages": 1}});
    whole.as_object_mut().unwrap().extend(resource.as_object().unwrap().clone());
    job(json!({ "resources": [whole] }))
}

/// Runs a job in a dataset whose schema has the tables `stored`. Its error is expected to be `expect`, before
/// anything is read or written; without one the load commits both parts.
fn check(job: &Value, stored: &Value, expect: Option<&str>) {
    let schema = json!({
        "version": 1, "version_hash": "h", "engine_version": 11, "name": "p", "settings": {},
        "normalizers": {"names": "snake_case"}, "previous_hashes": [], "tables": stored,
    });
    let schema = schema.to_string();
    let schema = |_| Ok(rows(&[&["1", "h", &schema, "1"]]));
    let catalogue = |_| match stored.as_object().unwrap().is_empty() {
        true => Ok(catalogue(&[])),
        false => Ok(known(&[("_DLT_VERSION", "VERSION", "NUMBER", "NULL")])),
    };
    let answers: [Answer<'_>; 2] =
        [("INFORMATION_SCHEMA", &catalogue), ("SELECT \"VERSION\"::VARCHAR", &schema)];
    let (done, result) = run(job, PAGE, &answers);
    match expect {
        None => {
            result.unwrap_or_else(|fault| panic!("{job}: {fault}"));
            // The part with the page, and the last part.
            assert_eq!(done.count("COMMIT"), 2, "{job}");
        }
        Some(expect) => {
            assert_eq!(fault(result), expect, "{job}");
            let read_only = |sql: &String| sql.starts_with("SELECT");
            assert!(done.sql.iter().all(read_only), "{job}: {:#?}", done.sql);
        }
    }
}

fn in_plan(table: &str, why: &str) -> String {
    format!("pipeline p: resource t: table {table}: no checkpoint is possible: {why}{APPLY}")
}

#[test]
fn root_tables_that_need_all_rows_have_no_checkpoint() {
    let new = json!({});
    let in_job = |why: &str| format!("resources[0].checkpoint: no checkpoint is possible: {why}");
    for (disposition, why) in [
        (json!("replace"), REPLACE),
        (merge("cdc"), ABSENT),
        (merge("scd2"), ABSENT),
        (scope(), SCOPE),
    ] {
        let resource = json!({"primary_key": "id", "write_disposition": disposition});
        check(&parts(resource), &new, Some(&in_job(why)));
    }
    let resource = json!({"merge_key": "day", "write_disposition": "merge"});
    check(&parts(resource), &new, Some(&in_job(MERGE_KEY)));
    // A hint of a column.
    let resource = json!({"columns": {"day": {"merge_key": true}}, "write_disposition": "merge"});
    check(&parts(resource), &new, Some(&in_plan("t", MERGE_KEY)));
    for strategy in ["delete-insert", "upsert"] {
        let resource = json!({"primary_key": "id", "write_disposition": merge(strategy)});
        check(&parts(resource), &new, None);
    }
}

#[test]
fn nested_hints_that_need_all_rows_have_no_checkpoint() {
    let nested =
        |hints: Value| parts(json!({"primary_key": "id", "nested_hints": {"items": hints}}));
    let new = json!({});
    for (disposition, expect) in [
        (json!("replace"), Some(REPLACE)),
        (merge("cdc"), Some(ABSENT)),
        (merge("scd2"), Some(ABSENT)),
        (scope(), Some(SCOPE)),
        (merge("upsert"), None),
        (json!("append"), None),
    ] {
        let job = nested(json!({"primary_key": "k", "write_disposition": disposition}));
        check(&job, &new, expect.map(|why| in_plan("t__items", why)).as_deref());
    }
    let job = nested(json!({"merge_key": "day", "write_disposition": "merge"}));
    check(&job, &new, Some(&in_plan("t__items", MERGE_KEY)));
}

#[test]
fn hints_that_only_the_stored_schema_has_count() {
    let table = |name: &str, hints: Value, day: Value| {
        let mut table = json!({
            "name": name, "resource": "t",
            "columns": {
                "id": {"name": "id", "data_type": "bigint", "primary_key": true, "nullable": false},
                "day": {"name": "day", "data_type": "bigint"},
            },
        });
        table.as_object_mut().unwrap().extend(hints.as_object().unwrap().clone());
        table["columns"]["day"].as_object_mut().unwrap().extend(day.as_object().unwrap().clone());
        table
    };
    let job =
        |disposition: Value| parts(json!({"primary_key": "id", "write_disposition": disposition}));
    let stored = |hints: Value, day: Value| json!({"t": table("t", hints, day)});
    let cdc = json!({"write_disposition": "merge", "x-merge-strategy": "cdc"});
    check(&job(json!("merge")), &stored(cdc.clone(), json!({})), Some(&in_plan("t", ABSENT)));
    check(&job(merge("upsert")), &stored(cdc.clone(), json!({})), None);
    let key = json!({"merge_key": true});
    let merged = json!({"write_disposition": "merge"});
    check(&job(json!("merge")), &stored(merged, key), Some(&in_plan("t", MERGE_KEY)));
    // The disposition of the job replaces the stored one.
    let replaced = json!({"write_disposition": "replace"});
    check(&job(json!("append")), &stored(replaced.clone(), json!({})), None);
    // A nested table that an earlier job gave a key.
    for (hints, why) in [(replaced, REPLACE), (cdc, ABSENT)] {
        let root = table("t", json!({"write_disposition": "append"}), json!({}));
        let stored = json!({"t": root, "t__items": table("t__items", hints, json!({}))});
        check(&job(json!("append")), &stored, Some(&in_plan("t__items", why)));
    }
}
