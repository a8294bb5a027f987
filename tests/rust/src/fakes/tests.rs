//! The fakes of GitHub, PagerDuty and Microsoft Graph as clients see them, over a socket.

use std::io::{Read, Write};

use super::*;

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The address with this relation in the `link` header.
    fn link(&self, rel: &str) -> Option<String> {
        let links = self.head.split("link: ").nth(1)?.split("\r\n").next()?;
        let link = links.split(", ").find(|link| link.ends_with(&format!("rel=\"{rel}\"")))?;
        Some(link.split(['<', '>']).nth(1)?.to_owned())
    }
}

fn ask(server: &FakeServer, method: &str, target: &str, headers: &str, body: &str) -> Answer {
    let target = target.strip_prefix(&server.url()).unwrap_or(target);
    let (host, length) = (server.address, body.len());
    let request = format!(
        "{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nuser-agent: tests\r\n\
         content-length: {length}\r\n{headers}\r\n{body}"
    );
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let body = bytes.split_off(end + 4);
    let head = String::from_utf8(bytes).unwrap();
    Answer { status: head[9..12].parse().unwrap(), head, body }
}

const GITHUB: &str = "authorization: Bearer fake-token\r\n";
const PAGERDUTY: &str = "authorization: Token token=fake-token\r\n";
const FORM: &str = "content-type: application/x-www-form-urlencoded\r\n";
const RIGHT_FORM: &str = "grant_type=client_credentials&client_id=fake-client&\
     client_secret=fake-secret&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default";

fn start(name: &str, setup: Setup) -> FakeServer {
    let fake = Fake::find(name).unwrap();
    fake.start(setup, &fake.options()).unwrap()
}

fn github() -> FakeServer {
    start("github", Setup::default())
}

fn pagerduty() -> FakeServer {
    start("pagerduty", Setup::default())
}

fn graph() -> FakeServer {
    start("graph", Setup::default())
}

/// All items of a list with links to the next page, and the number of pages.
fn followed(server: &FakeServer, target: &str) -> (Vec<Value>, usize) {
    let (mut items, mut pages) = (Vec::new(), 0);
    let mut next = Some(target.to_owned());
    while let Some(target) = next {
        let answer = ask(server, "GET", &target, GITHUB, "");
        assert_eq!(answer.status, 200, "{target}");
        items.extend(answer.json().as_array().unwrap().iter().cloned());
        pages += 1;
        next = answer.link("next");
    }
    (items, pages)
}

const ISSUES: &str =
    "/repos/octo-org/octo-repo/issues?state=all&sort=updated&direction=asc&per_page=25";

#[test]
fn links_lead_to_every_issue_once() {
    let server = github();
    let (issues, pages) = followed(&server, ISSUES);
    assert_eq!((issues.len(), pages), (60, 3));
    assert!(issues.is_sorted_by_key(|issue| issue["updated_at"].as_str().unwrap().to_owned()));
    assert_eq!(issues.iter().filter(|issue| issue["pull_request"].is_object()).count(), 15);
    let (stars, _) = followed(&server, "/repos/octo-org/octo-repo/stargazers?per_page=100");
    assert_eq!(stars.len(), 120);
    assert!(stars[0]["login"].is_string(), "without its media type a star has no date");
}

#[test]
fn changes_are_found_since_a_time() {
    let server = github();
    let (before, _) = followed(&server, ISSUES);
    let last = before.last().unwrap()["updated_at"].as_str().unwrap().to_owned();
    let done = ask(&server, "POST", "/_control/advance", "", "").json();
    let (changed, _) = followed(&server, &format!("{ISSUES}&since={last}"));
    // The last one again, the two closed ones, and the new one.
    assert_eq!(changed.len(), 4);
    let closed = changed.iter().filter(|issue| issue["state"] == "closed").count();
    assert_eq!((done["closed"].as_array().unwrap().len(), closed >= 2), (2, true));
    let comments = "/repos/octo-org/octo-repo/issues/comments?sort=updated&direction=desc";
    let (comments, _) = followed(&server, comments);
    assert!(
        comments.iter().any(|comment| comment["id"] == done["edited_comment"]
            && comment["body"] == "Edited on day 1.")
    );
    let (events, _) = followed(&server, "/repos/octo-org/octo-repo/issues/events");
    let newest = events.iter().take(3).map(|event| event["event"].as_str().unwrap());
    assert_eq!(newest.filter(|event| *event == "closed").count(), 2);
}

#[test]
fn requests_that_github_rejects_are_rejected() {
    let server = github();
    for (target, headers, status, says) in [
        (ISSUES, "", 401, "Bad credentials"),
        (ISSUES, "authorization: Bearer wrong\r\n", 401, "Bad credentials"),
        ("/repos/octo-org/another/issues", GITHUB, 404, "Not Found"),
        ("/repos/octo-org/octo-repo/issues?state=closd", GITHUB, 422, "Validation Failed"),
        ("/repos/octo-org/octo-repo/issues?since=yesterday", GITHUB, 422, "Validation Failed"),
    ] {
        let answer = ask(&server, "GET", target, headers, "");
        assert_eq!((answer.status, &answer.json()["message"]), (status, &says.into()), "{target}");
        assert!(answer.head.contains("x-ratelimit-remaining: "));
    }
}

#[test]
fn incidents_are_paged_by_offset_with_an_optional_total() {
    let server = pagerduty();
    let get = |target: &str| ask(&server, "GET", target, PAGERDUTY, "");
    let mut found = Vec::new();
    for (offset, count, more) in [(0, 25, true), (25, 25, true), (50, 10, false), (75, 0, false)] {
        let page = get(&format!("/incidents?limit=25&offset={offset}&total=true")).json();
        let incidents = page["incidents"].as_array().unwrap();
        assert_eq!((incidents.len(), page["more"] == more), (count, true), "{offset}");
        assert_eq!(page["total"], 60);
        found.extend(incidents.iter().map(|incident| incident["id"].as_str().unwrap().to_owned()));
    }
    found.dedup();
    assert_eq!(found.len(), 60);
    assert!(get("/incidents").json()["total"].is_null());
    let done = ask(&server, "POST", "/_control/advance", "", "").json();
    let resolved = done["resolved"].as_str().unwrap();
    let notes = get(&format!("/incidents/{resolved}/notes")).json();
    assert!(!notes["notes"].as_array().unwrap().is_empty());
    let newest = get("/log_entries?limit=2").json();
    let kinds = newest["log_entries"].as_array().unwrap().iter().map(|entry| entry["type"].clone());
    assert_eq!(kinds.collect::<Vec<_>>(), ["trigger_log_entry", "resolve_log_entry"]);
    for (target, status) in [
        ("/incidents?limit=101", 400),
        ("/incidents?limit=100&offset=9950", 400),
        ("/incidents?since=2024-01-01T00:00:00Z&until=2025-01-01T00:00:00Z", 400),
        ("/incidents?since=yesterday", 400),
        ("/incidents/none/notes", 404),
    ] {
        assert_eq!(get(target).status, status, "{target}");
    }
    assert_eq!(ask(&server, "GET", "/users", "", "").status, 401);
}

#[test]
fn directory_accepts_the_last_token_only() {
    let server = graph();
    let token = |form: &str| ask(&server, "POST", "/contoso/oauth2/v2.0/token", FORM, form);
    for (form, status, error) in [
        (RIGHT_FORM.replace("fake-secret", "wrong"), 401, "invalid_client"),
        (RIGHT_FORM.replace("client_credentials", "password"), 400, "unsupported_grant_type"),
        (RIGHT_FORM.replace("default", "else"), 400, "invalid_scope"),
    ] {
        let answer = token(&form);
        assert_eq!((answer.status, &answer.json()["error"]), (status, &error.into()), "{form}");
    }
    let bearer = || {
        let given = token(RIGHT_FORM).json()["access_token"].as_str().unwrap().to_owned();
        format!("authorization: Bearer {given}\r\n")
    };
    let first = bearer();
    let mut next = Some("/v1.0/users?$top=12".to_owned());
    let mut users = Vec::new();
    while let Some(target) = next {
        let page = ask(&server, "GET", &target, &first, "").json();
        users.extend(page["value"].as_array().unwrap().iter().cloned());
        next = page["@odata.nextLink"].as_str().map(str::to_owned);
    }
    assert_eq!(users.len(), 30);
    ask(&server, "POST", "/_control/tokens", "", r#"{"uses": 1}"#);
    let brief = bearer();
    assert_eq!(ask(&server, "GET", "/v1.0/groups", &first, "").status, 401, "there is a newer one");
    assert_eq!(ask(&server, "GET", "/v1.0/groups", &brief, "").status, 200);
    let refused = ask(&server, "GET", "/v1.0/groups", &brief, "");
    assert_eq!(refused.status, 401);
    assert_eq!(refused.json()["error"]["code"], "InvalidAuthenticationToken");
    let second = bearer();
    let groups = ask(&server, "GET", "/v1.0/groups", &second, "").json();
    let group = groups["value"][4]["id"].as_str().unwrap();
    let members = ask(&server, "GET", &format!("/v1.0/groups/{group}/members"), &second, "");
    assert_eq!(members.json()["value"], Value::Array(Vec::new()));
    assert_eq!(ask(&server, "GET", "/v1.0/groups/none/members", &second, "").status, 404);
    assert_eq!(ask(&server, "GET", "/v1.0/users?$top=1000", &second, "").status, 400);
    let recent = "/v1.0/auditLogs/signIns?$filter=createdDateTime%20ge%202025-11-01T12:00:00Z";
    assert!(
        ask(&server, "GET", recent, &second, "").json()["value"].as_array().unwrap().len() < 60
    );
}

#[test]
fn faults_change_the_right_answer() {
    let faults = "issues@1=repeat; issues@3=repeat; issues@4=gzip; issues@5=not-gzip; issues@6=huge:90000; \
                  issues@7=type:text/plain; issues@8=limit:5";
    let setup = Setup { faults: faults.parse().unwrap(), ..Setup::default() };
    let server = start("github", setup);
    let page = |number: u64| {
        let target = format!("/repos/octo-org/octo-repo/issues?per_page=5&page={number}");
        ask(&server, "GET", &target, GITHUB, "")
    };
    let (first, second, again) = (page(1), page(2), page(3));
    assert_ne!(first.body, second.body);
    assert_eq!((again.link("next"), again.body), (second.link("next"), second.body));
    let packed = page(1);
    assert!(
        packed.head.contains("content-encoding: gzip") && packed.body.starts_with(&[0x1f, 0x8b])
    );
    let not_packed = page(1);
    assert!(not_packed.head.contains("content-encoding: gzip"));
    assert_eq!(not_packed.body, first.body);
    let huge = page(1);
    assert_eq!((huge.body.len(), huge.json()), (90_000, first.json()));
    assert!(page(1).head.contains("content-type: text/plain"));
    let limited = page(1);
    assert_eq!(limited.status, 403);
    assert!(limited.head.contains("x-ratelimit-remaining: 0\r\n"));
    assert_eq!(limited.head.matches("x-ratelimit-remaining").count(), 1);
}
