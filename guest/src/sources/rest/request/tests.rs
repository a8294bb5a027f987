//! The requests of whole jobs, page by page.

use serde_json::json;

use super::*;

const JIRA: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../procedures/jobs/jira.json"));

fn job(more: Value) -> Job {
    let mut job = json!({
        "pipeline": "p", "database": "D", "dataset": "s",
        "credentials": {"x": {"type": "bearer", "hosts": ["x.net"]}},
        "client": {"base_url": "https://x.net/v1/", "headers": {"X-Client": "c", "X-Both": "c"}},
    });
    let Value::Object(more) = more else { panic!() };
    job.as_object_mut().unwrap().extend(more);
    Job::parse(&job.to_string()).unwrap()
}

/// The requests of a job with this endpoint.
fn requests(endpoint: Value, start: Option<&str>) -> Result<Requests> {
    let job = job(json!({"resources": [{"name": "items", "endpoint": endpoint}]}));
    let start = start.map(|raw| CursorValue::parse(raw).unwrap().unwrap());
    Requests::new(&job, &job.resources[0], start.as_ref(), None)
}

/// The request after a page with these captured values.
fn after(requests: &mut Requests, records: u64, captured: &[&str]) -> Result<Option<Request>> {
    let captured: Vec<_> = captured.iter().map(|raw| Some((*raw).to_owned())).collect();
    requests.after(&PageFacts { records, captured: &captured, headers: &[] })
}

fn response(body: &str) -> Response {
    Response { status: 200, headers: Vec::new(), body: body.to_owned() }
}

#[test]
fn requests_of_jira() {
    let job = Job::parse(&JIRA.replace("{{jira_subdomain}}", "snowcat")).unwrap();
    let [issues, projects] = job.resources.as_slice() else { panic!() };
    let start = CursorValue::Text("2024-05-06T07:08:09.123+0200".into());
    let mut requests = Requests::new(&job, issues, Some(&start), None).unwrap();
    let first = requests.first().unwrap();
    let head = "https://snowcat.atlassian.net/rest/api/3/search/jql?maxResults=100&fields=%2Aall&\
                expand=changelog&jql=project+is+not+EMPTY+AND+updated+%3E%3D+%222024-05-06+07%3A08%22\
                +ORDER+BY+updated+ASC";
    assert_eq!(first.url, head);
    assert_eq!(
        (first.method.as_str(), first.auth.as_deref(), &first.body),
        ("GET", Some("jira"), &None)
    );
    assert_eq!(first.headers, [("accept".to_owned(), "application/json".to_owned())]);
    assert_eq!(requests.selector().unwrap().as_str(), "issues");
    let [token] = requests.wanted_paths() else { panic!() };
    assert_eq!(token.as_str(), "nextPageToken");
    let second = after(&mut requests, 100, &["\"CAEaAg==\""]).unwrap().unwrap();
    assert_eq!(second.url, format!("{head}&nextPageToken=CAEaAg%3D%3D"));
    let third = after(&mut requests, 100, &["\"b\""]).unwrap().unwrap();
    assert_eq!(third.url, format!("{head}&nextPageToken=b"));
    let captured = [None];
    assert_eq!(
        requests.after(&PageFacts { records: 1, captured: &captured, headers: &[] }),
        Ok(None)
    );

    let mut requests = Requests::new(&job, projects, None, None).unwrap();
    let head = "https://snowcat.atlassian.net/rest/api/3/project/search?expand=description%2Clead%2C\
                issueTypes%2Curl%2CprojectKeys%2Cpermissions%2Cinsight";
    assert_eq!(requests.first().unwrap().url, format!("{head}&startAt=0&maxResults=100"));
    let second = after(&mut requests, 100, &["150"]).unwrap().unwrap();
    assert_eq!(second.url, format!("{head}&startAt=100&maxResults=100"));
    assert_eq!(after(&mut requests, 50, &["150"]), Ok(None));
}

#[test]
fn fills_queries() {
    let check = |endpoint: Value, start: Option<&str>, url: &str| {
        let shown = endpoint.to_string();
        let found = requests(endpoint, start).unwrap().first().unwrap();
        assert_eq!(found.url, format!("https://x.net/v1/{url}"), "{shown}");
    };
    check(json!({}), None, "items");
    check(json!({"path": "/a?b=c%20d", "params": {"e": "f"}}), None, "a?b=c%20d&e=f");
    check(
        json!({"params": {"a": 1, "b": true, "c": null, "d": ["x", 2, null], "e": 1.5, "f": "{{g}}"}}),
        None,
        "items?a=1&b=true&d=x&d=2&e=1.5&f=%7Bg%7D",
    );
    let since = json!({"params": {"since": "old", "z": 1},
                       "incremental": {"cursor_path": "c", "start_param": "since", "end_param": "until",
                                       "initial_value": 1, "end_value": 9}});
    check(since, Some("5"), "items?since=5&z=1&until=9");
    check(
        json!({"params": {"since": null, "z": 1},
               "incremental": {"cursor_path": "c", "start_param": "since"}}),
        Some("5"),
        "items?since=5&z=1",
    );
    check(
        json!({"params": {"since": "old"}, "incremental": {"cursor_path": "c", "start_param": "since"}}),
        None,
        "items",
    );
    check(
        json!({"params": {"since": {"type": "incremental", "cursor_path": "c", "initial_value": "a"}}}),
        Some("\"b\""),
        "items?since=b",
    );
    check(
        json!({"path": "{incremental.start_value}/x",
               "params": {"q": "c > {incremental.start_value} and c > {incremental.initial_value}",
                          "r": "{incremental.end_value}"},
               "incremental": {"cursor_path": "c", "initial_value": "i", "convert": {"template": "<{value}>"}}}),
        Some("\"s\""),
        "%3Cs%3E/x?q=c+%3E+%3Cs%3E+and+c+%3E+%3Ci%3E",
    );
}

#[test]
fn fills_bodies_and_headers() {
    let endpoint = json!({
        "method": "post", "auth": "x",
        "headers": {"X-Both": "e", "X-Since": "{incremental.start_value}"},
        "json": {"query": {"since": "{incremental.start_value}", "text": "after {incremental.start_value}",
                           "until": "{incremental.end_value}"}, "n": [1, "{{x}}"]},
        "incremental": {"cursor_path": "c", "initial_value": 1},
        "paginator": {"type": "cursor", "cursor_path": "next", "cursor_body_path": "query.page.after"},
    });
    let mut requests = requests(endpoint, Some("7")).unwrap();
    let first = requests.first().unwrap();
    assert_eq!((first.method.as_str(), first.url.as_str()), ("POST", "https://x.net/v1/items"));
    assert_eq!(first.auth.as_deref(), Some("x"));
    let header = |name: &str| {
        first.headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect::<Vec<_>>()
    };
    assert_eq!([header("x-client"), header("x-both"), header("x-since")], [["c"], ["e"], ["7"]]);
    assert_eq!(
        [header("accept"), header("content-type")],
        [["application/json"], ["application/json"]]
    );
    let body = r#"{"query":{"since":7,"text":"after 7","until":null},"n":[1,"{x}"]}"#;
    assert_eq!(first.body.as_deref(), Some(body));
    let second = after(&mut requests, 1, &["5"]).unwrap().unwrap();
    let body =
        r#"{"query":{"since":7,"text":"after 7","until":null,"page":{"after":5}},"n":[1,"{x}"]}"#;
    assert_eq!(second.body.as_deref(), Some(body));
    assert_eq!(second.url, first.url);
}

/// The key of the last record becomes part of a filter, which is an element of a list.
#[test]
fn fills_elements_of_lists() {
    let search = json!({
        "path": "search", "method": "POST",
        "json": {"filters": [{"value": "a"}, {"value": "0"}]},
        "paginator": {
            "type": "cursor", "cursor_path": "results[-1].id", "cursor_body_path": "filters.1.value",
        },
    });
    let mut requests = requests(search, None).unwrap();
    let body = |request: Request| request.body.unwrap();
    assert_eq!(body(requests.first().unwrap()), r#"{"filters":[{"value":"a"},{"value":"0"}]}"#);
    let next = after(&mut requests, 1, &["\"17\""]).unwrap().unwrap();
    assert_eq!(body(next), r#"{"filters":[{"value":"a"},{"value":"17"}]}"#);
}

#[test]
fn follows_links() {
    let endpoint = json!({"params": {"a": 1}, "auth": "x", "paginator": "json_link"});
    let mut it = requests(endpoint.clone(), None).unwrap();
    assert_eq!(it.first().unwrap().url, "https://x.net/v1/items?a=1");
    let url = |it: &mut Requests, next: &str| after(it, 1, &[next]).unwrap().unwrap().url;
    assert_eq!(url(&mut it, "\"items?page=2&q=a b\""), "https://x.net/v1/items?page=2&q=a%20b");
    assert_eq!(url(&mut it, "\"/v2/items?page=3\""), "https://x.net/v2/items?page=3");
    assert_eq!(url(&mut it, "\"https://x.net:443/4?x=%20\""), "https://x.net:443/4?x=%20");
    let mut it = requests(endpoint, None).unwrap();
    assert_eq!(
        after(&mut it, 1, &["\"https://evil.net/items?token=1\""]).unwrap_err().to_string(),
        "expected the next page at x.net, the hosts of credential \"x\", found \
         https://evil.net/items?token=..."
    );
    let mut it = requests(json!({"paginator": "json_link"}), None).unwrap();
    assert_eq!(url(&mut it, "\"https://other.net/2\""), "https://other.net/2");
    assert_eq!(
        after(&mut it, 1, &["\"ftp://other.net/2?a=b\""]).unwrap_err().to_string(),
        "expected the next page at an http or https URL, found ftp://other.net/2?a=..."
    );
}

#[test]
fn omitted_keys_are_detected() {
    let mut it = requests(json!({"params": {"size": 2}}), None).unwrap();
    assert_eq!(it.selector(), None);
    assert!(it.wanted_paths().is_empty());
    let body = r#"{"meta": {"next": "/v1/items?page=2"}, "results": [{"id": 1}]}"#;
    it.look(&response(body)).unwrap();
    assert_eq!(it.selector().unwrap().as_str(), "results");
    let [next] = it.wanted_paths() else { panic!() };
    assert_eq!(next.as_str(), "meta.next");
    let second = after(&mut it, 1, &["\"/v1/items?page=2\""]).unwrap().unwrap();
    assert_eq!(second.url, "https://x.net/v1/items?page=2");
    // A detected paginator stays.
    it.look(&response("not even JSON")).unwrap();
    assert_eq!(it.selector().unwrap().as_str(), "results");

    let mut it =
        requests(json!({"data_selector": "rows", "paginator": "single_page"}), None).unwrap();
    it.look(&response("not even JSON")).unwrap();
    assert_eq!(after(&mut it, 5, &[]), Ok(None));
}

#[test]
fn uses_the_paginator_of_the_client() {
    let job = job(json!({
        "client": {"base_url": "https://x.net", "paginator": {"type": "page_number", "base_page": 1}},
        "resources": [{"name": "a", "endpoint": {"paginator": "auto"}},
                      {"name": "b", "endpoint": {"paginator": "single_page"}}],
    }));
    let first =
        |n: usize| Requests::new(&job, &job.resources[n], None, None).unwrap().first().unwrap().url;
    assert_eq!(first(0), "https://x.net/a?page=1");
    assert_eq!(first(1), "https://x.net/b");
}

#[test]
fn invalid_requests_are_reported() {
    let check = |endpoint: Value, start: Option<&str>, message: &str| {
        assert_eq!(requests(endpoint, start).unwrap_err().to_string(), message);
    };
    check(
        json!({"params": {"q": "since {incremental.start_value}"}, "incremental": {"cursor_path": "c"}}),
        None,
        "endpoint.params.q: a placeholder of the cursor has no value: set the cursor's initial_value",
    );
    check(
        json!({"path": "{incremental.end_value}/x", "incremental": {"cursor_path": "c"}}),
        None,
        "endpoint.path: a placeholder of the cursor has no value: set the cursor's end_value",
    );
    check(
        json!({"incremental": {"cursor_path": "c", "start_param": "q", "convert": {"format": "%Y"}}}),
        Some("5"),
        "endpoint.params.q: expected a cursor that is a date or a time, for its conversion has a \
         format or a shift, found 5",
    );
    let job = job(json!({"resources": [{"name": "a"}]}));
    let fault = Requests::new(&job, &job.resources[0], None, None).unwrap_err();
    assert_eq!(fault.kind, crate::fault::FaultKind::Internal);
}

#[test]
fn sends_forms() {
    let check = |data: Value, kind: Option<&str>, body: &str| {
        let request = requests(json!({"method": "POST", "data": data}), None).unwrap();
        let request = request.first().unwrap();
        let found = request.headers.iter().find(|(name, _)| name == "content-type");
        assert_eq!(found.map(|(_, value)| value.as_str()), kind);
        assert_eq!(request.body.as_deref(), Some(body));
    };
    check(
        json!({"a": "b c&d", "n": [1, null, true], "x": null}),
        Some("application/x-www-form-urlencoded"),
        "a=b+c%26d&n=1&n=true",
    );
    check(json!("<q>{{x}}</q>"), None, "<q>{x}</q>");
    let paginator = json!({"type": "cursor", "cursor_body_path": "c"});
    assert_eq!(
        requests(json!({"data": {"a": 1}, "paginator": paginator}), None).unwrap_err().to_string(),
        "expected \"json\" in place of \"data\", for the paginator writes into the body"
    );
}
