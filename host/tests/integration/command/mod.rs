//! The command line, run as a program.

mod plan;
mod precompile;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

const ROWS: &str = "{\"id\":1,\"tags\":[\"a\",\"b\"]}\n{\"id\":2,\"tags\":[]}\n";

#[test]
fn exit_code_distinguishes_usage_and_failure() {
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
fn secrets_are_read_from_the_environment_and_not_printed() {
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
        // The server's port may contain the digits of the secret.
        assert!(!text.replace(&host, "").contains("4711"), "{text}");
    }
}

#[test]
fn errors_are_reported_with_their_lines() {
    let home = home();
    let job = r#"{
  "$schema": "job.schema.json", "//": "a comment",
  "pipelin": "p", "database": "DB", "dataset": "ds",
  "client": {"base_url": "https://{{site}}.example/"},
  "resource_defaults": {"write_disposition": "merg"},
  "resources": [
    {"name": "items", "endpoint": {"paginator": {"type": "offset", "limit": 0}, "pth": "x"}},
    {"name": "users"}
  ]
}"#;
    fs::write(home.path().join("bad.json"), job).unwrap();
    let check = snowcat(home.path(), &["check", "bad.json"], "");
    assert_eq!(check.status.code(), Some(1));
    assert!(check.stdout.is_empty());
    let printed = errors(&check);
    let expected = [
        "bad.json:3:3: unknown key \"pipelin\", did you mean \"pipeline\"?\n  3 |   \"pipelin\": \"p\", \"database\": \"DB\", \"dataset\": \"ds\",\n    |   ^\n",
        "bad.json:4:26: the setting 'site' is missing: --set site=VALUE\n",
    ];
    for expected in expected {
        assert!(printed.contains(expected), "{printed}");
    }
    assert!(printed.ends_with("snowcat: bad.json: 2 mistakes\n"), "{printed}");

    let unknown = ["check", "bad.json", "--set", "sites=shop"];
    let check = snowcat(home.path(), &unknown, "");
    assert_eq!(check.status.code(), Some(2));
    assert_eq!(errors(&check), "snowcat: the job has no setting 'sites'\n");
    // One of several jobs has the placeholder.
    let several = ["check", "bad.json", "job.json", "--set", "site=shop"];
    assert_eq!(snowcat(home.path(), &several, "").status.code(), Some(1));
    let plan = snowcat(home.path(), &["plan", "bad.json"], "");
    assert_eq!(plan.status.code(), Some(2));
    assert_eq!(errors(&plan), "snowcat: bad.json: the setting 'site' is missing\n");

    let filled = ["check", "bad.json", "--set", "site=shop", "--json"];
    let check = snowcat(home.path(), &filled, "");
    assert_eq!(check.status.code(), Some(1));
    let found: Vec<(u64, String)> = String::from_utf8(check.stdout)
        .unwrap()
        .lines()
        .map(|line| {
            let mistake: Value = serde_json::from_str(line).unwrap();
            let place = mistake["place"].as_str().unwrap().to_owned();
            (mistake["line"].as_u64().unwrap(), place)
        })
        .collect();
    let expected = [
        (3, ""),
        (5, "resource_defaults.write_disposition"),
        (7, "resources[0].endpoint"),
        (7, "resources[0].endpoint.paginator.limit"),
    ];
    for (line, place) in expected {
        assert!(found.contains(&(line, place.to_owned())), "{line} {place}: {found:?}");
    }

    let check = snowcat(home.path(), &["check", "job.json"], "");
    assert_eq!(check.status.code(), Some(0), "{}", errors(&check));
    assert_eq!(
        String::from_utf8(check.stdout).unwrap(),
        "job.json: valid (p into DB.ds: items, users)\n"
    );
    fs::write(home.path().join("cut.json"), "{\n  \"a\": [1,\n").unwrap();
    let check = snowcat(home.path(), &["check", "job.json", "cut.json"], "");
    assert_eq!(check.status.code(), Some(1));
    assert!(errors(&check).starts_with("cut.json:"), "{}", errors(&check));
    assert_eq!(snowcat(home.path(), &["check", "none.json"], "").status.code(), Some(2));
}

/// A directory with a job and an input.
pub(crate) fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let job = json!({
        "pipeline": "p", "database": "DB", "dataset": "ds",
        "resources": [{"name": "items"}, {"name": "users"}],
    });
    fs::write(home.path().join("job.json"), job.to_string()).unwrap();
    fs::write(home.path().join("items.ndjson"), ROWS).unwrap();
    home
}

pub(crate) fn snowcat(home: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_snowcat"))
        .current_dir(home)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Not every command reads its input.
    _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

pub(crate) fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
