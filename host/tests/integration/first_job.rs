//! `snowcat init`, run as a program: the jobs that it writes are valid.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::command::{errors, home, snowcat};

#[test]
fn job_from_a_sample() {
    let home = home();
    let sample = json!({"meta": {"next_cursor": "abc"}, "users": [
        {"id": 1, "name": "a", "updated_at": "2026-01-01T00:00:00Z", "tags": [{"t": 1}]},
        {"id": 2, "name": "b", "updated_at": "2026-01-02T00:00:00Z", "tags": []},
    ]});
    let url = "https://api.shop.example/v1/users?state=all&api_key=key-4711";
    let made = snowcat(
        home.path(),
        &["init", "-", "--url", url, "--out", "made.json"],
        &sample.to_string(),
    );
    assert_eq!(made.status.code(), Some(0), "{}", errors(&made));
    let text = fs::read_to_string(home.path().join("made.json")).unwrap();
    assert!(!text.contains("4711"), "{text}");
    let job: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&job["dataset"], &job["client"]["auth"]), (&json!("shop"), &json!("api")));
    let users = &job["resources"][0];
    assert_eq!((&users["name"], &users["primary_key"]), (&json!("users"), &json!("id")));
    assert_eq!(users["//tables"], json!({"users": 2, "users__tags": 1}));
    let endpoint = &users["endpoint"];
    assert_eq!(endpoint["paginator"]["cursor_path"], "meta.next_cursor");
    assert_eq!(endpoint["incremental"]["cursor_path"], "updated_at");
    assert_eq!(endpoint["params"], json!({"state": "all"}));

    let check = snowcat(home.path(), &["check", "made.json"], "");
    assert_eq!(check.status.code(), Some(0), "{}", errors(&check));
    fs::write(home.path().join("page.json"), sample.to_string()).unwrap();
    let arguments = ["plan", "made.json", "--input", "users=page.json", "--json"];
    let plan = snowcat(home.path(), &arguments, "");
    assert_eq!(plan.status.code(), Some(0), "{}", errors(&plan));
    // A file that exists is not overwritten.
    let again = ["init", "page.json", "--out", "made.json"];
    let refused = snowcat(home.path(), &again, "");
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(
        errors(&refused),
        "snowcat: made.json: the file exists already: --force overwrites it\n"
    );
    assert_eq!(fs::read_to_string(home.path().join("made.json")).unwrap(), text);
    let forced = snowcat(home.path(), &[&again[..], &["--force"]].concat(), "");
    assert_eq!(forced.status.code(), Some(0), "{}", errors(&forced));
    assert!(
        !fs::read_to_string(home.path().join("made.json")).unwrap().contains("api.shop.example")
    );
    // A sequence of records needs no URL.
    let made = snowcat(home.path(), &["init", "items.ndjson"], "");
    let job: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(job["resources"][0]["source"], "pull");
    assert_eq!(job["resources"][0]["name"], "items");
    for (input, code) in [("", 2), ("openapi: 3.0.0", 2), ("a,b\n1,2\n", 2)] {
        let made = snowcat(home.path(), &["init", "-"], input);
        assert_eq!(made.status.code(), Some(code), "{input}");
    }
}

/// Writes a job and checks it. Returns its first resource.
fn made(home: &Path, arguments: &[&str], input: &str) -> Value {
    let output =
        snowcat(home, &[&["init", "--out", "made.json", "--force"], arguments].concat(), input);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let check = snowcat(home, &["check", "made.json"], "");
    assert_eq!(check.status.code(), Some(0), "{}", errors(&check));
    let text = fs::read_to_string(home.join("made.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["resources"][0].clone()
}

/// An empty page shows the location of the records and the paginator.
#[test]
fn job_from_an_empty_page() {
    let home = home();
    let url = ["-", "--url", "https://api.shop.example/v1/users/5"];
    let users = made(home.path(), &url, r#"{"data": [], "next_page_url": null}"#);
    assert_eq!((&users["name"], &users["write_disposition"]), (&json!("users"), &json!("append")));
    assert_eq!(users["endpoint"]["data_selector"], "data");
    assert_eq!(users["endpoint"]["paginator"]["next_url_path"], "next_page_url");
    assert!(
        users["//tables"].as_str().unwrap().starts_with("The sample has no records"),
        "{users}"
    );
    let users = made(home.path(), &["-", "--name", "users"], "[]");
    assert!(
        users["//tables"].as_str().unwrap().starts_with("The sample has no records"),
        "{users}"
    );
    // The lists that are not chosen are named.
    let page = r#"{"a": [{"id": 1}], "b": [{"id": 2}]}"#;
    let users = made(home.path(), &url, page);
    assert_eq!(users["endpoint"]["data_selector"], "a");
    assert_eq!(users["endpoint"]["//data_selector"], "Other lists in the sample: b.");
}

#[test]
fn job_from_a_file_of_records() {
    let home = home();
    let plan = |rows: &str, columns: &[(&str, &str)]| {
        let plan = snowcat(home.path(), &["plan", "made.json", "--json", "--out", "parquet"], "");
        assert_eq!(plan.status.code(), Some(0), "{}", errors(&plan));
        let plan: Value = serde_json::from_slice(&plan.stdout).unwrap();
        assert_eq!(plan["tables"][0]["rows"].to_string(), rows);
        let found: Vec<(&str, &str)> = plan["tables"][0]["columns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| (it["name"].as_str().unwrap(), it["type"].as_str().unwrap()))
            .collect();
        for column in columns {
            assert!(found.contains(column), "{column:?} {found:?}");
        }
        let file = plan["files"][0]["kept"].as_str().unwrap().to_owned();
        fs::copy(home.path().join(file), home.path().join("orders.parquet")).unwrap();
    };
    let csv = "Order Id;zip;price;at;day;note\n1;01234;9.50;2026-01-01T00:00:00Z;2026-01-01;a\n2;99999;3;2026-01-02T00:00:00Z;2026-01-02;\n";
    fs::write(home.path().join("orders.csv"), csv).unwrap();
    let orders = made(home.path(), &["orders.csv"], "");
    assert_eq!((&orders["name"], &orders["files"]), (&json!("orders"), &json!("orders.csv")));
    assert_eq!(orders["format"], json!({"type": "csv", "delimiter": ";"}));
    assert_eq!(orders["primary_key"], "order_id");
    assert_eq!(orders["//tables"], json!({"orders": 2}));
    let columns = json!({
        "order_id": {"data_type": "bigint"}, "price": {"data_type": "double"},
        "at": {"data_type": "timestamp"}, "day": {"data_type": "date"},
    });
    assert_eq!(orders["columns"], columns);
    let kinds = [
        ("ORDER_ID", "NUMBER(19,0) NOT NULL"),
        ("ZIP", "VARCHAR"),
        ("PRICE", "FLOAT"),
        ("AT", "TIMESTAMP_LTZ"),
        ("DAY", "DATE"),
    ];
    plan("2", &kinds);
    // The Parquet file has types.
    let orders = made(home.path(), &["orders.parquet"], "");
    assert_eq!(orders.get("columns"), None);
    plan("2", &kinds);
    let refused = snowcat(home.path(), &["init", "orders.csv", "--url", "https://x.net/a"], "");
    assert_eq!(refused.status.code(), Some(2));
    assert!(errors(&refused).contains("found a file of records"), "{}", errors(&refused));
}

/// A description with references to other files.
#[test]
fn job_from_a_description_in_several_files() {
    let home = home();
    let folder = home.path().join("api/resources");
    fs::create_dir_all(&folder).unwrap();
    let root = "openapi: 3.0.0\nservers: [{url: 'https://api.shop.example'}]\npaths:\n  /users:\n    get: {$ref: resources/users.yml}\n";
    fs::write(home.path().join("api/openapi.yaml"), root).unwrap();
    let refused = snowcat(home.path(), &["init", "api/openapi.yaml"], "");
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(
        errors(&refused),
        "snowcat: api/openapi.yaml: the reference \"resources/users.yml\": the file resources/users.yml is missing\n"
    );
    let users = "responses:\n  '200':\n    content:\n      application/json:\n        schema: {properties: {users: {type: array, items: {$ref: 'user.json'}}}}\n";
    fs::write(folder.join("users.yml"), users).unwrap();
    fs::write(folder.join("user.json"), r#"{"properties": {"id": {}, "name": {}}}"#).unwrap();
    let users = made(home.path(), &["api/openapi.yaml"], "");
    assert_eq!((&users["name"], &users["primary_key"]), (&json!("users"), &json!("id")));
    assert_eq!(users["endpoint"]["data_selector"], "users");
}

#[test]
fn a_first_job_is_made_of_a_description() {
    let home = home();
    let list = |item: Value| json!({"200": {"content": {"application/json": {"schema": {"type": "array", "items": item}}}}});
    let record = json!({"properties": {"id": {}, "text": {}}});
    let description = json!({
        "openapi": "3.1.0", "info": {"title": "Shop"}, "servers": [{"url": "https://shop.example/v1"}],
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "paths": {
            "/orders": {"get": {"responses": list(record.clone())}},
            "/orders/{orderId}/notes": {"get": {"responses": list(record)}},
        },
    });
    fs::write(home.path().join("openapi.json"), description.to_string()).unwrap();
    let made = snowcat(home.path(), &["init", "openapi.json", "--out", "made.json"], "");
    assert_eq!(made.status.code(), Some(0), "{}", errors(&made));
    // The same in YAML.
    let yaml = r##"# The shop.
openapi: 3.1.0
info: {title: Shop}
servers:
  - url: https://shop.example/v1
components:
  securitySchemes:
    token: {type: http, scheme: bearer}
paths:
  /orders:
    get: &list
      responses:
        200:
          content:
            application/json:
              schema:
                type: array
                items:
                  properties:
                    id: {}
                    text: {}
  "/orders/{orderId}/notes":
    get: *list
"##;
    fs::write(home.path().join("openapi.yaml"), yaml).unwrap();
    let of_yaml = snowcat(home.path(), &["init", "openapi.yaml"], "");
    let of_yaml = String::from_utf8(of_yaml.stdout).unwrap();
    let of_json = fs::read_to_string(home.path().join("made.json")).unwrap();
    assert_eq!(of_yaml, of_json.replace("openapi.json", "openapi.yaml"));
    let check = snowcat(home.path(), &["check", "made.json"], "");
    assert_eq!(
        String::from_utf8(check.stdout).unwrap(),
        "made.json: valid (shop into RAW.shop: orders, notes)\n"
    );
    let page = home.path().join("page.json");
    fs::write(page, r#"[{"id": 1, "text": "a"}]"#).unwrap();
    let arguments = ["plan", "made.json", "--input", "notes=page.json", "--json"];
    let plan = snowcat(home.path(), &arguments, "");
    assert_eq!(plan.status.code(), Some(0), "{}", errors(&plan));
}
