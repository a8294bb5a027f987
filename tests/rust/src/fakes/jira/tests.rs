//! The fake as clients see it, over a socket.

use std::io::{Read, Write};

use flate2::read::GzDecoder;
use serde_json::Value;

use std::net::TcpStream;
use std::ops::Deref;
use std::time::Instant;

use super::*;

/// A running fake and its data.
struct Running {
    server: FakeServer,
    jira: Arc<Jira>,
}

impl Running {
    fn site(&self) -> MutexGuard<'_, Site> {
        self.jira.site()
    }
}

impl Deref for Running {
    type Target = FakeServer;

    fn deref(&self) -> &FakeServer {
        &self.server
    }
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
    /// The announced `content-length`.
    promised: usize,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// `None` if the connection ended without an answer.
fn send(server: &Running, request: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(server.server.address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let body = bytes.split_off(end + 4);
    let head = String::from_utf8(bytes).unwrap();
    let promised = head.split("content-length: ").nth(1).unwrap();
    Some(Answer {
        status: head[9..12].parse().unwrap(),
        promised: promised.split("\r\n").next().unwrap().parse().unwrap(),
        head,
        body,
    })
}

fn get_with(server: &Running, target: &str, headers: &str) -> Option<Answer> {
    send(server, &format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n"))
}

fn right(server: &Running) -> String {
    format!("authorization: {}\r\n", server.jira.authorization)
}

fn get(server: &Running, target: &str) -> Answer {
    get_with(server, target, &right(server)).unwrap()
}

fn post(server: &Running, target: &str, body: &str) -> Answer {
    let length = body.len();
    let request = format!(
        "POST {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{}\r\n{body}",
        right(server)
    );
    send(server, &request).unwrap()
}

fn start(faults: &str) -> Running {
    let jira = Arc::new(Jira::new(&Options { size: 30, ..FAKE.options() }));
    let setup = Setup { faults: faults.parse().unwrap(), ..Setup::default() };
    Running { server: jira.start(setup).unwrap(), jira }
}

fn jql(rest: &str) -> String {
    let jql = "project%20is%20not%20EMPTY+AND+updated+%3E%3D+%221970-01-01%22+ORDER+BY+updated";
    format!("/rest/api/3/search/jql?jql={jql}{rest}")
}

fn ids(page: &Value) -> Vec<String> {
    let issues = page["issues"].as_array().unwrap();
    issues.iter().map(|issue| issue["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn search_returns_every_issue_in_pages() {
    let server = start("");
    let mut found = Vec::new();
    let mut token = String::new();
    let pages = (1..).find(|_| {
        let page =
            get(&server, &jql(&format!("&maxResults=12&fields=*all&expand=changelog{token}")));
        let page = page.json();
        found.extend(ids(&page));
        assert_eq!(page["isLast"], page["nextPageToken"].is_null());
        token = format!("&nextPageToken={}", page["nextPageToken"].as_str().unwrap_or_default());
        page["isLast"] == true
    });
    assert_eq!(pages, Some(3));
    let mut expected = server.site().briefs();
    let instant = |brief: &Brief| crate::generators::parse_time(&brief.updated).unwrap();
    expected.sort_by_key(|brief| (instant(brief), brief.id.clone()));
    assert_eq!(found, expected.iter().map(|brief| brief.id.clone()).collect::<Vec<_>>());
}

#[test]
fn issues_have_the_requested_parts() {
    let server = start("");
    let whole = get(&server, &jql("&maxResults=1&fields=*all&expand=changelog")).json();
    let id = ids(&whole).remove(0);
    assert_eq!(Some(whole["issues"][0].clone()), server.site().document(&id));
    for (query, changelog, fields) in [
        ("", false, None),
        ("&fields=*all", false, Some(60..80)),
        ("&fields=*all,-comment&expand=names,changelog", true, Some(60..80)),
        ("&fields=summary,updated", false, Some(2..3)),
        ("&fields=summary&fields=updated&expand=changelog", true, Some(2..3)),
    ] {
        let page = get(&server, &jql(&format!("&maxResults=1{query}"))).json();
        let issue = page["issues"][0].as_object().unwrap().clone();
        assert_eq!(issue.contains_key("changelog"), changelog, "{query}");
        let count = issue.get("fields").map(|fields| fields.as_object().unwrap().len());
        assert_eq!(count.is_some(), fields.is_some(), "{query}");
        if let (Some(count), Some(fields)) = (count, fields) {
            assert!(fields.contains(&count), "{query}: {count} fields");
        }
    }
    let body = r#"{"jql": "id > 0 ORDER BY id", "maxResults": 3, "fields": ["summary"]}"#;
    let page = post(&server, "/rest/api/3/search/jql", body).json();
    assert_eq!(ids(&page), ["10000", "10001", "10002"]);
}

#[test]
fn requests_that_jira_rejects_are_rejected() {
    let server = start("");
    let (none, wrong) = ("", "authorization: Basic d3Jvbmc=\r\n");
    let (jql, right) = (jql(""), right(&server));
    for (target, headers, status, says) in [
        (jql.as_str(), none, 401, "authenticated"),
        (&jql, wrong, 401, "authenticated"),
        ("/rest/api/3/search/jql", &right, 400, "Unbounded"),
        ("/rest/api/3/search/jql?jql=order+by+id", &right, 400, "Unbounded"),
        ("/rest/api/3/search/jql?jql=id%3E0&maxResults=5001", &right, 400, "between 1 and 5,000"),
        ("/rest/api/3/search/jql?jql=id%3E0&nextPageToken=abc", &right, 400, "token"),
        ("/rest/api/3/search?jql=id%3E0", &right, 410, "removed"),
        ("/rest/api/3/nothing", &right, 404, "nothing"),
    ] {
        let answer = get_with(&server, target, headers).unwrap();
        assert_eq!(answer.status, status, "{target}");
        let message = answer.json()["errorMessages"][0].as_str().unwrap().to_owned();
        assert!(message.contains(says), "{target}: {message}");
    }
    let token = get(&server, &format!("{jql}&maxResults=5")).json()["nextPageToken"].clone();
    let other =
        format!("/rest/api/3/search/jql?jql=id%3E0&nextPageToken={}", token.as_str().unwrap());
    assert_eq!(get(&server, &other).status, 400, "a token of another query");
}

#[test]
fn projects_are_paged() {
    let server = start("");
    let mut keys = Vec::new();
    for (start, count, last) in [(0, 5, false), (5, 5, false), (10, 2, true)] {
        let target = format!(
            "/rest/api/3/project/search?startAt={start}&maxResults=5&expand=lead,issueTypes,insight"
        );
        let page = get(&server, &target).json();
        let values = page["values"].as_array().unwrap();
        assert_eq!((values.len(), page["total"].as_u64()), (count, Some(12)));
        assert_eq!((page["isLast"] == true, page["nextPage"].is_null()), (last, last));
        assert!(values.iter().all(|project| project["lead"].is_object()));
        assert!(values.iter().all(|project| project["permissions"].is_null()));
        keys.extend(values.iter().map(|project| project["key"].clone()));
    }
    keys.dedup();
    assert_eq!(keys.len(), 12);
    let end = get(&server, "/rest/api/3/project/search?startAt=99").json();
    assert_eq!((end["values"].as_array().unwrap().len(), end["isLast"] == true), (0, true));
}

#[test]
fn faults_apply_to_the_given_requests() {
    let server = start(
        "jql@1=status:503; jql@2=throttle:7; jql@3=throttle; jql@4=throttle-date:60; jql@5=cut; \
         jql@6=drop; jql@7=html; jql@8=short; jql@9=garbled; jql@10=empty; jql@11=slow:60; \
         jql@12=redirect:http://127.0.0.1:1/",
    );
    let target = jql("&maxResults=3&fields=*all");
    let ask = || get_with(&server, &target, &right(&server));
    let status = |status: u16, header: &str| {
        let answer = ask().unwrap();
        assert_eq!(answer.status, status);
        assert!(answer.head.contains(header), "{}", answer.head);
        answer
    };
    status(503, "application/json");
    status(429, "retry-after: 7\r\n");
    assert!(!status(429, "").head.contains("retry-after"));
    status(429, " GMT\r\n");
    let cut = status(200, "");
    assert_eq!(cut.body.len(), cut.promised / 2);
    assert!(ask().is_none(), "dropped");
    assert!(status(200, "text/html").body.starts_with(b"<!DOCTYPE"));
    let short = status(200, "application/json");
    assert_eq!(short.body.len(), short.promised);
    assert!(serde_json::from_slice::<Value>(&short.body).is_err());
    assert!(String::from_utf8(status(200, "").body).is_err());
    assert!(status(200, "").body.is_empty());
    let before = Instant::now();
    assert_eq!(ids(&status(200, "").json()).len(), 3);
    assert!(before.elapsed().as_millis() >= 60);
    status(302, "location: http://127.0.0.1:1/");
    assert_eq!(ids(&status(200, "").json()).len(), 3);

    let log = server.log();
    assert_eq!(log.len(), 13);
    assert_eq!((log[5].status, log[5].fault.as_deref()), (None, Some("jql@6=drop")));
    assert_eq!((log[12].status, log[12].fault.as_deref()), (Some(200), None));
}

#[test]
fn control_addresses_change_the_data() {
    let server = start("");
    let edit = r#"{"issues": ["10003", 10004], "at": "2026-11-21T10:00:00.000+0100"}"#;
    let edited = post(&server, "/_control/edit", edit).json();
    assert_eq!(edited["edited"][1]["updated"], "2026-11-21T10:00:00.000+0100");
    let created = post(&server, "/_control/create", r#"{"count": 2}"#).json();
    assert_eq!(created["created"][0]["id"], "10030");
    let since = "/rest/api/3/search/jql?jql=updated%3E%3D%222026-11-20%2001:00%22+ORDER+BY+id";
    assert_eq!(ids(&get(&server, since).json()), ["10003", "10004", "10030", "10031"]);
    post(&server, "/_control/delete", r#"{"issues": ["10004"]}"#);
    assert_eq!(ids(&get(&server, since).json()), ["10003", "10030", "10031"]);
    assert_eq!(get(&server, "/_control/issues").json()["issues"].as_array().unwrap().len(), 31);
    let document = get(&server, "/_control/issues/10003").json();
    assert_eq!(Some(document), server.site().document("10003"));

    assert_eq!(post(&server, "/_control/faults", r#"{"faults": "jql@1=status:500"}"#).status, 200);
    assert_eq!(get(&server, since).status, 500);
    for (path, body) in
        [("edit", r#"{"issues": ["1"]}"#), ("faults", r#"{"faults": "x"}"#), ("dance", "{}")]
    {
        assert_eq!(post(&server, &format!("/_control/{path}"), body).status, 400, "{path}");
    }
    get_with(&server, since, "authorization: Basic c2VjcmV0\r\n");
    let log = get(&server, "/_control/log").json();
    let text = log.to_string();
    assert!(!text.contains("c2VjcmV0") && !text.contains("Basic"), "{text}");
    let seen = log["requests"].as_array().unwrap();
    let credentials = seen.iter().map(|request| request["credential"].as_str().unwrap());
    assert_eq!(credentials.collect::<Vec<_>>(), ["right", "right", "right", "wrong"]);
    assert_eq!(seen[0]["query"]["jql"], "updated>=\"2026-11-20 01:00\" ORDER BY id");
}

#[test]
fn connections_serve_many_requests() {
    let server = start("");
    let one = format!("GET /rest/api/3/myself HTTP/1.1\r\nhost: x\r\n{}\r\n", right(&server));
    let last = one.replace("host: x\r\n", "connection: close\r\n");
    let mut stream = TcpStream::connect(server.server.address).unwrap();
    stream.write_all(format!("{one}{one}{last}").as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 3);
    assert_eq!(text.matches("Europe/Vienna").count(), 3);
}

#[test]
fn answers_are_compressed_if_accepted() {
    let jira = Arc::new(Jira::new(&FAKE.options()));
    let server = jira.start(Setup { gzip: true, ..Setup::default() }).unwrap();
    let server = Running { server, jira };
    let target = jql("&maxResults=5&fields=*all");
    let plain = get(&server, &target);
    let headers = format!("{}accept-encoding: gzip\r\n", right(&server));
    let packed = get_with(&server, &target, &headers).unwrap();
    assert!(packed.head.contains("content-encoding: gzip"));
    assert!(packed.body.len() < plain.body.len() / 2);
    let mut unpacked = Vec::new();
    GzDecoder::new(packed.body.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain.body);
}

#[test]
fn changelog_list_is_complete() {
    let jira = Arc::new(Jira::new(&Options { size: 300, seed: 1, ..FAKE.options() }));
    let server = Running { server: jira.start(Setup::default()).unwrap(), jira };
    let briefs = server.site().briefs();
    let long = briefs
        .into_iter()
        .map(|brief| brief.id)
        .find(|id| server.site().document(id).unwrap()["changelog"]["total"].as_u64() > Some(40));
    let id = long.unwrap();
    let document = server.site().document(&id).unwrap();
    let total = document["changelog"]["total"].as_u64().unwrap();
    let target = format!(
        "/rest/api/3/search/jql?jql=id%3D{id}&fields=updated&expand=changelog&maxResults=1"
    );
    let found = get(&server, &target).json()["issues"][0]["changelog"].clone();
    assert_eq!((found["total"].as_u64(), found["maxResults"].as_u64()), (Some(total), Some(40)));
    let mut histories = Vec::new();
    for start in (0..total).step_by(30) {
        let target = format!("/rest/api/3/issue/{id}/changelog?startAt={start}&maxResults=30");
        let page = get(&server, &target).json();
        assert_eq!(page["isLast"], start + 30 >= total);
        histories.extend(page["values"].as_array().unwrap().iter().cloned());
    }
    histories.reverse();
    assert_eq!(Value::Array(histories), document["changelog"]["histories"]);
    for (list, part) in [("comment", "comments"), ("worklog", "worklogs")] {
        let page = get(&server, &format!("/rest/api/3/issue/{id}/{list}")).json();
        assert_eq!(page[part], document["fields"][list][part]);
    }
}

#[test]
fn users_boards_and_sprints_are_paged() {
    let server = start("");
    let users = get(&server, "/rest/api/3/users/search?startAt=100&maxResults=50").json();
    assert_eq!(users.as_array().unwrap().len(), 20);
    let boards = get(&server, "/rest/agile/1.0/board?maxResults=4").json();
    assert_eq!((boards["total"].as_u64(), boards["isLast"] == false), (Some(6), true));
    let sprints = get(&server, "/rest/agile/1.0/board/2/sprint?maxResults=10&startAt=20").json();
    assert_eq!(sprints["values"].as_array().unwrap().len(), 4);
    assert!(sprints["total"].is_null() && sprints["isLast"] == true);
    for (board, status, says) in [("6", 400, "does not support sprints"), ("9", 404, "exist")] {
        let answer = get(&server, &format!("/rest/agile/1.0/board/{board}/sprint"));
        let message = answer.json()["errorMessages"][0].as_str().unwrap().to_owned();
        assert!(answer.status == status && message.contains(says), "{board}: {message}");
    }
}
