//! `snowcat plan`, run as a program.

use std::fs;

use serde_json::{Value, json};

use super::{ROWS, errors, home, snowcat};

#[test]
fn plan_shows_tables_and_rows() {
    let home = home();
    let plan = |more: &[&str], order: &[&str]| {
        let arguments = ["plan", "job.json", "--input", "items.ndjson"];
        let plan = snowcat(home.path(), &[&arguments[..], more].concat(), "");
        assert_eq!(plan.status.code(), Some(0), "{}", errors(&plan));
        assert_eq!(errors(&plan), "");
        let text = String::from_utf8(plan.stdout).unwrap();
        let places: Vec<Option<usize>> = order.iter().map(|part| text.find(part)).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}\n{text}");
        text
    };
    let short = plan(
        &[],
        &[
            "\nTables\n",
            "\nitems: 2 rows\n",
            "  ID NUMBER(19,0), _DLT_LOAD_ID VARCHAR NOT NULL, _DLT_ID VARCHAR NOT NULL\n",
            "\n  ID\n  --\n   1\n   2\n",
            "\nitems__tags: 2 rows\n",
            "\n  VALUE\n  -----\n  a\n  b\n",
            "Nothing was sent",
        ],
    );
    assert!(!short.contains("CREATE TABLE") && !short.contains("\nFiles\n"), "{short}");
    assert!(short.lines().count() < 30, "{short}");
    plan(
        &["--sql"],
        &[
            "\nTables\n",
            "\nFiles\n",
            "\nDDL: ",
            "CREATE TABLE",
            "\nSQL: ",
            "COMMIT;",
            "Nothing was sent",
        ],
    );
    plan(&["--out", "files"], &["\nTables\n", "\nFiles\n", "  files/", "Nothing was sent"]);
}

#[test]
fn resource_and_list_with_one_name_have_separate_tables() {
    let home = home();
    for names in [["orders__items", "orders"], ["orders", "orders__items"]] {
        let resources = names.map(|name| json!({"name": name, "source": "pull"}));
        let job =
            json!({"pipeline": "p", "database": "RAW", "dataset": "d", "resources": resources});
        fs::write(home.path().join("shared.json"), job.to_string()).unwrap();
        fs::write(home.path().join("orders.json"), r#"{"id": 1, "items": [{"a": 1}]}"#).unwrap();
        fs::write(home.path().join("other.json"), r#"{"a": 2}"#).unwrap();
        let inputs = ["--input", "orders=orders.json", "--input", "orders__items=other.json"];
        let plan = snowcat(home.path(), &[&["plan", "shared.json"], &inputs[..]].concat(), "");
        assert_eq!(plan.status.code(), Some(1), "{names:?}: {}", errors(&plan));
        assert!(errors(&plan).contains("orders__items"), "{}", errors(&plan));
    }
}

#[test]
fn warnings_come_first_and_control_characters_are_escaped() {
    let home = home();
    let rows = "{\"userId\": 1, \"user_id\": \"a\\u001b[2J\"}\n";
    let plan = snowcat(home.path(), &["plan", "job.json", "--input", "-"], rows);
    assert_eq!(plan.status.code(), Some(0), "{}", errors(&plan));
    let text = String::from_utf8(plan.stdout).unwrap();
    let order = ["\nWarnings\n--------\n  ", "\nTables\n", "a\\u{1b}[2J"];
    let places: Vec<Option<usize>> = order.iter().map(|part| text.find(part)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}\n{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    // A warning names the location of the records: the list that is named like the resource.
    fs::write(home.path().join("page.json"), r#"{"data": [{"a": 1}], "users": [{"b": 1}]}"#)
        .unwrap();
    let job = json!({
        "pipeline": "p", "database": "DB", "dataset": "ds",
        "client": {"base_url": "https://api.example.com/"},
        "resources": [{"name": "users", "endpoint": "users"}],
    });
    fs::write(home.path().join("users.json"), job.to_string()).unwrap();
    let plan = snowcat(home.path(), &["plan", "users.json", "--input", "page.json"], "");
    let text = String::from_utf8(plan.stdout).unwrap();
    let expected = "\nWarnings\n--------\n  resource users: no \"data_selector\" is named: the records are taken from the list at \"users\"\n\nTables\n";
    assert!(text.contains(expected) && text.contains("  B NUMBER"), "{text}");
}

/// An error of the input names its location once.
#[test]
fn errors_name_the_location_once() {
    let home = home();
    let check = |resource: Value, expected: &str| {
        let job = json!({
            "pipeline": "p", "database": "DB", "dataset": "ds",
            "client": {"base_url": "https://api.example.com/", "auth": "c"},
            "credentials": {"c": {"type": "bearer", "hosts": ["api.example.com"], "secret": "not there"}},
            "resources": [resource],
        });
        fs::write(home.path().join("wrong.json"), job.to_string()).unwrap();
        let plan = snowcat(home.path(), &["plan", "wrong.json"], "");
        assert_eq!(plan.status.code(), Some(1));
        assert_eq!(errors(&plan), expected);
    };
    fs::write(home.path().join("bad.csv"), b"a\n\xff\n").unwrap();
    check(
        json!({"name": "items", "files": "none.csv"}),
        "snowcat: source: pipeline p: resource items: none.csv: no file\n",
    );
    check(
        json!({"name": "items", "files": "bad.csv"}),
        "snowcat: data: pipeline p: resource items: file bad.csv: line 2: expected text in UTF-8, found the byte 0xFF (\"encoding\" says what else a file is written in)\n",
    );
    check(
        json!({"name": "items", "endpoint": "items"}),
        "snowcat: source: pipeline p: resource items: page 1: GET https://api.example.com/items: the credential c: expected the variable SNOWCAT_NOT_THERE_TOKEN in the environment\n",
    );
}

#[test]
fn output_is_escaped_and_transcripts_are_private() {
    let home = home();
    let job = json!({"pipeline": "p", "database": "D", "dataset": "d", "naming": "direct", "resources": ["r"]});
    fs::write(home.path().join("odd.json"), job.to_string()).unwrap();
    let rows = "{\"a\\u001b[31m\": 1, \"l\\u009b\": [1]}\n";
    let arguments = ["plan", "odd.json", "--sql", "--input", "r=-", "--transcript", "odd.jsonl"];
    let plan = snowcat(home.path(), &arguments, rows);
    assert_eq!(plan.status.code(), Some(0), "{}", errors(&plan));
    let text = String::from_utf8(plan.stdout).unwrap();
    assert!(text.contains("\"a\\u{1b}[31m\"") && text.contains("l\\u{9b}"), "{text}");
    assert!(!text.contains(['\u{1b}', '\u{9b}']), "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let about = fs::metadata(home.path().join("odd.jsonl")).unwrap();
        assert_eq!(about.permissions().mode() & 0o777, 0o600);
        std::os::unix::fs::symlink("job.json", home.path().join("link")).unwrap();
        let arguments = ["plan", "odd.json", "--input", "r=-", "--transcript", "link"];
        let plan = snowcat(home.path(), &arguments, rows);
        assert_eq!(plan.status.code(), Some(2));
        assert!(errors(&plan).contains("link: expected a file, found a link"), "{}", errors(&plan));
    }
}

#[test]
fn plan_has_a_json_form() {
    let home = home();
    let arguments = ["plan", "job.json", "--input", "items=-", "--json", "--out", "files"];
    let more = ["--now", "2026-01-02T03:04:05Z", "--transcript", "run.jsonl"];
    let plan = snowcat(home.path(), &[&arguments[..], &more[..]].concat(), ROWS);
    assert_eq!(plan.status.code(), Some(0), "{}", errors(&plan));
    let plan: Value = serde_json::from_slice(&plan.stdout).unwrap();
    let tables = plan["tables"].as_array().unwrap();
    let items = tables.iter().find(|table| table["name"] == "items").unwrap();
    assert_eq!(items["rows"], 2);
    let columns: Vec<&str> = items["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| column["name"].as_str().unwrap())
        .collect();
    assert!(columns.contains(&"ID"), "{columns:?}");
    // Only the resource with an input is loaded.
    assert!(tables.iter().all(|table| table["resource"] == "items"), "{tables:?}");
    for file in plan["files"].as_array().unwrap() {
        let kept = home.path().join("files").join(file["path"].as_str().unwrap());
        assert_eq!(fs::metadata(kept).unwrap().len(), file["bytes"].as_u64().unwrap());
    }
    assert!(plan["statements"].as_array().unwrap().iter().any(|it| it["sql"] == "COMMIT"));
    assert!(plan["timings"]["load"].as_f64().unwrap() > 0.0);

    // The transcript has a step for every answer, and the same run has the same transcript.
    let first = fs::read_to_string(home.path().join("run.jsonl")).unwrap();
    assert!(first.starts_with("{\"reply\":\"start\"}\n{\"step\":{\"sql\":"), "{first}");
    assert!(first.lines().last().unwrap().starts_with("{\"step\":{\"finished\":"), "{first}");
    let again = snowcat(home.path(), &[&arguments[..], &more[..]].concat(), ROWS);
    assert_eq!(again.status.code(), Some(0));
    assert_eq!(fs::read_to_string(home.path().join("run.jsonl")).unwrap(), first);
}

/// The plan of a job with posts and their comments, with saved pages of both.
#[test]
fn children_are_read_from_saved_pages() {
    let home = home();
    let at = |name: &str| home.path().join(name);
    let list =
        json!({"data_selector": "data", "paginator": {"type": "cursor", "cursor_path": "next"}});
    let mut comments = list.clone();
    comments["path"] = json!("posts/{resources.posts.id}/comments");
    let job = json!({
        "pipeline": "p", "database": "DB", "dataset": "ds",
        "credentials": {"c": {"type": "bearer", "hosts": ["api.example.com"], "secret": "none"}},
        "client": {"base_url": "https://api.example.com/", "auth": "c"},
        "resources": [
            {"name": "posts", "primary_key": "id", "endpoint": list},
            {"name": "comments", "primary_key": "id", "include_from_parent": ["id"], "endpoint": comments},
            {"name": "others", "endpoint": "others"},
        ],
    });
    fs::write(at("job.json"), job.to_string()).unwrap();
    let page = |ids: &[u32], next: Value| {
        json!({"data": ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>(), "next": next})
            .to_string()
    };
    fs::write(at("posts.json"), page(&[1, 2, 3], Value::Null)).unwrap();
    // The first post has two pages, the second one, and the third has no saved pages.
    for (file, text) in [
        ("comments/1/1.json", page(&[11, 12], json!("x"))),
        ("comments/1/2.json", page(&[13], Value::Null)),
        ("comments/2/1.json", page(&[21], json!("x"))),
    ] {
        fs::create_dir_all(at(file).parent().unwrap()).unwrap();
        fs::write(at(file), text).unwrap();
    }
    let plan = |more: &[&str]| {
        let output = snowcat(home.path(), &[&["plan", "job.json", "--json"], more].concat(), "");
        assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
        let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
        // Pages in files need no paginator.
        assert!(!plan["warnings"].to_string().contains("paginator"), "{}", plan["warnings"]);
        let rows: Vec<(String, u64)> = plan["tables"]
            .as_array()
            .unwrap()
            .iter()
            .map(|table| {
                (table["name"].as_str().unwrap().to_owned(), table["rows"].as_u64().unwrap())
            })
            .collect();
        let columns = |name: &str| {
            let table =
                plan["tables"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap();
            let columns = table["columns"].as_array().unwrap().iter();
            columns.map(|column| column["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        (rows, columns("comments"), errors(&output))
    };
    let input =
        ["--input", "posts=posts.json", "--input", "comments=comments/{resources.posts.id}/*.json"];
    let (rows, columns, said) = plan(&[&input[..], &["--transcript", "run.jsonl"]].concat());
    let expected = [("comments".to_owned(), 4), ("posts".to_owned(), 3)];
    assert!(expected.iter().all(|table| rows.contains(table)) && rows.len() == 2, "{rows:?}");
    assert!(columns.contains(&"_POSTS_ID".to_owned()), "{columns:?}");
    assert_eq!(said, "snowcat: comments: no file for 1 of 3 records of its parent\n");
    assert_eq!(fs::read_to_string(at("run.jsonl")).unwrap().matches("\"status\":200").count(), 3);
}

/// The transcript of a plan is sufficient input for another plan.
#[test]
fn answers_are_read_from_a_transcript() {
    let home = home();
    let endpoint = json!({"data_selector": "$", "paginator": "header_link"});
    let mut comments = endpoint.clone();
    comments["path"] = json!("posts/{resources.posts.id}/comments");
    let job = json!({
        "pipeline": "p", "database": "DB", "dataset": "ds",
        "client": {"base_url": "https://api.example.com/"},
        "resources": [
            {"name": "posts", "endpoint": endpoint},
            {"name": "comments", "include_from_parent": ["id"], "endpoint": comments},
        ],
    });
    fs::write(home.path().join("job.json"), job.to_string()).unwrap();
    let request = |path: &str| {
        json!({"auth": null, "body": null, "headers": [], "method": "GET",
            "url": format!("https://api.example.com/{path}")})
    };
    let response = |body: Value, next: Option<&str>| {
        let link = next.map(|next| json!(["link", format!("<{next}>; rel=\"next\"")]));
        json!({"ok": {"body": body.to_string(), "headers": Vec::from_iter(link), "status": 200}})
    };
    let lines = [
        json!({"reply": "start"}),
        json!({"step": {"fetch": [request("posts")]}}),
        json!({"reply": {"responses": [response(json!([{"id": 1}]), Some("/posts?p=2"))]}}),
        json!({"step": {"fetch": [request("posts?p=2")]}}),
        json!({"reply": {"responses": [response(json!([{"id": 2}]), None)]}}),
        json!({"step": {"fetch": [request("posts/1/comments"), request("posts/2/comments")]}}),
        json!({"reply": {"responses": [response(json!([{"c": 1}, {"c": 2}]), None), response(json!([]), None)]}}),
    ];
    let write = |lines: &[Value]| {
        let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        fs::write(home.path().join("run.jsonl"), lines.join("\n")).unwrap();
    };
    let arguments =
        ["plan", "job.json", "--json", "--answers", "run.jsonl", "--now", "2026-01-02T03:04:05Z"];
    write(&lines);
    let again = [&arguments[..], &["--transcript", "again.jsonl"]].concat();
    let plan = snowcat(home.path(), &again, "");
    assert_eq!(plan.status.code(), Some(0), "{}", errors(&plan));
    let plan: Value = serde_json::from_slice(&plan.stdout).unwrap();
    let rows = |name: &str| {
        plan["tables"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap()["rows"]
            .clone()
    };
    assert_eq!((rows("posts"), rows("comments")), (json!(2), json!(2)));
    // The transcript of the second plan has all answers again.
    let of_again =
        snowcat(home.path(), &["plan", "job.json", "--json", "--answers", "again.jsonl"], "");
    assert_eq!(of_again.status.code(), Some(0), "{}", errors(&of_again));
    // A missing answer is not requested from the source.
    write(&lines[..5]);
    let plan = snowcat(home.path(), &arguments, "");
    assert_eq!(plan.status.code(), Some(1));
    let expected =
        "expected an answer in the transcript to GET https://api.example.com/posts/1/comments";
    assert!(errors(&plan).contains(expected), "{}", errors(&plan));
    write(&[json!({"id": 1})]);
    let plan = snowcat(home.path(), &arguments, "");
    assert_eq!(plan.status.code(), Some(2), "{}", errors(&plan));
    assert!(errors(&plan).contains("run.jsonl: line 1: expected a step"), "{}", errors(&plan));
}
