//! The command line, run as a program.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

const ROWS: &str = "{\"id\":1,\"tags\":[\"a\",\"b\"]}\n{\"id\":2,\"tags\":[]}\n";

#[test]
fn a_plan_shows_what_a_load_would_do() {
    let home = home();
    let plan = snowcat(home.path(), &["plan", "job.json", "--input", "items.ndjson"], "");
    assert_eq!(plan.status.code(), Some(0), "{}", errors(&plan));
    assert_eq!(errors(&plan), "");
    let text = String::from_utf8(plan.stdout).unwrap();
    let order = [
        "\nTables\n",
        "\nFiles\n",
        "\nDDL: ",
        "CREATE TABLE",
        "\nSQL: ",
        "COMMIT;",
        "Nothing was sent",
    ];
    let places: Vec<Option<usize>> = order.iter().map(|part| text.find(part)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}\n{text}");
}

#[test]
fn a_plan_is_read_by_programs() {
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
    // Only the resource that has an input takes part.
    assert!(tables.iter().all(|table| table["resource"] == "items"), "{tables:?}");
    for file in plan["files"].as_array().unwrap() {
        let kept = home.path().join("files").join(file["path"].as_str().unwrap());
        assert_eq!(fs::metadata(kept).unwrap().len(), file["bytes"].as_u64().unwrap());
    }
    assert!(plan["statements"].as_array().unwrap().iter().any(|it| it["sql"] == "COMMIT"));
    assert!(plan["timings"]["load"].as_f64().unwrap() > 0.0);

    // The transcript has a step for every answer, and the same run gives the same.
    let first = fs::read_to_string(home.path().join("run.jsonl")).unwrap();
    assert!(first.starts_with("{\"reply\":\"start\"}\n{\"step\":{\"sql\":"), "{first}");
    assert!(first.lines().last().unwrap().starts_with("{\"step\":{\"finished\":"), "{first}");
    let again = snowcat(home.path(), &[&arguments[..], &more[..]].concat(), ROWS);
    assert_eq!(again.status.code(), Some(0));
    assert_eq!(fs::read_to_string(home.path().join("run.jsonl")).unwrap(), first);
}

#[test]
fn the_exit_code_says_whose_fault_it_is() {
    let home = home();
    let check = |arguments: &[&str], code: i32, expected: &str| {
        let output = snowcat(home.path(), arguments, "{\"id\": ");
        assert_eq!(output.status.code(), Some(code), "{arguments:?} {}", errors(&output));
        assert!(errors(&output).contains(expected), "{}", errors(&output));
        assert!(output.stdout.is_empty());
    };
    // The input is not JSON.
    check(&["plan", "job.json", "--input", "-"], 1, "snowcat: data: ");
    check(&["plan", "none.json"], 2, "none.json: ");
    check(&["plan", "items.ndjson"], 2, "items.ndjson: ");
    check(&["plan", "job.json", "--input", "none.ndjson"], 2, "none.ndjson: ");
    check(&["plan", "job.json", "--input", "none=items.ndjson"], 2, "expected one of items, users");
    check(&["plan", "job.json", "--now", "yesterday"], 2, "--now");
    check(&["plan"], 2, "Usage");
    check(&["load"], 2, "Usage");
}

#[test]
fn a_secret_is_taken_from_the_environment_and_never_printed() {
    let home = home();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let job = json!({
        "pipeline": "p", "database": "DB", "dataset": "ds",
        "client": {"base_url": format!("http://{host}/"), "auth": "it"},
        "credentials": {"it": {"type": "bearer", "hosts": [host], "secret": "my-own"}},
        "resources": [{"name": "items", "endpoint": {"path": "items", "paginator": "single_page"}}],
    });
    fs::write(home.path().join("api.json"), job.to_string()).unwrap();
    let server = std::thread::spawn(move || {
        use std::io::Read as _;
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        let length = stream.read(&mut head).unwrap();
        let body = "[{\"id\": 1}]";
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        String::from_utf8_lossy(&head[..length]).into_owned()
    });
    let run = Command::new(env!("CARGO_BIN_EXE_snowcat"))
        .current_dir(home.path())
        .args(["plan", "api.json", "--transcript", "run.jsonl"])
        .env("SNOWCAT_MY_OWN_TOKEN", "token-4711")
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", errors(&run));
    assert!(server.join().unwrap().to_lowercase().contains("authorization: bearer token-4711"));
    let transcript = fs::read_to_string(home.path().join("run.jsonl")).unwrap();
    assert!(transcript.contains("\"auth\":\"it\""), "{transcript}");
    for text in [transcript, String::from_utf8(run.stdout).unwrap()] {
        assert!(!text.contains("4711"), "{text}");
    }
}

#[test]
fn the_component_is_written_out() {
    let home = home();
    let output = snowcat(home.path(), &["component", "to/snowcat.wasm"], "");
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("to/snowcat.wasm: ") && text.ends_with(", imports: none\n"), "{text}");
    assert_eq!(fs::read(home.path().join("to/snowcat.wasm")).unwrap(), snowcat_host::COMPONENT);
}

/// A directory with a job and an input.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let job = json!({
        "pipeline": "p", "database": "DB", "dataset": "ds",
        "resources": [{"name": "items"}, {"name": "users"}],
    });
    fs::write(home.path().join("job.json"), job.to_string()).unwrap();
    fs::write(home.path().join("items.ndjson"), ROWS).unwrap();
    home
}

fn snowcat(home: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_snowcat"))
        .current_dir(home)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Not every command reads it.
    _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
