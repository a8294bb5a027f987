//! Detection of what a job omits: it is detected and reported, or the load fails.

use serde_json::{Value, json};

use super::world::{self, Answer, answer, good, ok, param, run};

/// A job with one resource and only this endpoint.
fn job(endpoint: Value) -> Value {
    world::job(json!([{"name": "users", "endpoint": endpoint}]))
}

fn ids(from: usize, to: usize) -> Vec<Value> {
    (from..to).map(|id| json!({"id": id})).collect()
}

#[test]
fn detected_keys_are_reported() {
    let check = |page: fn(usize) -> Answer, asked: &[&str], said: &[&str]| {
        let run = good(&job(json!({})), |n, _| page(n));
        assert_eq!(run.asked(), asked);
        let said: Vec<String> = said.iter().map(|it| format!("resource users: no {it}")).collect();
        assert_eq!(run.report.warnings, said);
        assert_eq!(
            run.column("users", "id"),
            (0..asked.len()).map(|n| json!(n)).collect::<Vec<_>>()
        );
    };
    // A list is the list of records.
    check(
        |n| ok(&json!([{"id": n}])),
        &["users"],
        &[
            "\"paginator\" is named: one page is requested, because the answer shows no sign of more pages; to make this explicit, write \"paginator\": \"single_page\", or name another paginator if there are more pages",
        ],
    );
    // Microsoft Graph.
    check(
        |n| {
            let mut page = json!({"value": [{"id": n}]});
            if n == 0 {
                page["@odata.nextLink"] = json!("https://x.net/v1/users?$skiptoken=a");
            }
            ok(&page)
        },
        &["users", "users?$skiptoken=a"],
        &[
            "\"data_selector\" is named: the records are taken from the list of objects at \"value\"",
            "\"paginator\" is named: pages are requested by the URL at \"['@odata.nextLink']\"; to make this explicit, write \"paginator\": {\"type\":\"json_link\",\"next_url_path\":\"['@odata.nextLink']\"}",
        ],
    );
    // A page that reports that it is the first of three.
    check(
        |n| ok(&json!({"errors": [], "users": [{"id": n}], "page": n + 1, "total_pages": 3})),
        &["users", "users?page=2", "users?page=3"],
        &[
            "\"data_selector\" is named: the records are taken from the list of objects at \"users\"",
            "\"paginator\" is named: pages are requested by the number of pages at \"total_pages\", and this one is 1 by \"page\"; to make this explicit, write \"paginator\": {\"type\":\"page_number\",\"base_page\":1,\"page_param\":\"page\",\"total_path\":\"total_pages\"}",
        ],
    );
}

/// A job with the keys of the warning loads the same records without a warning.
#[test]
fn reported_keys_can_be_set_in_the_job() {
    let server = |_: usize, request: &snowcat_guest::protocol::Request| {
        let page = param(request, "page").map_or(1, |page| page.parse::<usize>().unwrap());
        ok(&json!({"users": ids(page * 2 - 2, page * 2), "page": page, "total_pages": 3}))
    };
    let guessed = good(&job(json!({})), server);
    let (_, said) = guessed.report.warnings[1].split_once("\"paginator\": ").unwrap();
    let paginator: Value = serde_json::from_str(said).unwrap();
    let named = good(&job(json!({"data_selector": "users", "paginator": paginator})), server);
    assert_eq!(named.rows("users"), guessed.rows("users"));
    assert_eq!(named.rows("users").len(), 6);
    assert_eq!(named.report.warnings, Vec::<String>::new());
}

#[test]
fn pages_that_cannot_be_requested_are_faults() {
    let stripe =
        |_: usize, _: &_| ok(&json!({"object": "list", "data": [{"id": 1}], "has_more": true}));
    let (stopped, ended) = run(&job(json!({})), stripe);
    assert!(!stopped.published());
    assert_eq!(
        ended.unwrap_err().to_string(),
        "pipeline p: resource users: page 1: GET https://x.net/v1/users: the response shows more pages (\"has_more\" is true) but not how to request them: set \"paginator\" to {\"type\":\"cursor\",\"cursor_path\":\"data[-1].id\",\"cursor_param\":\"..\",\"has_more_path\":\"has_more\"}, or to \"single_page\" if this page is all"
    );
    // A job with the paginator `single_page` is not checked.
    let run = good(&job(json!({"data_selector": "data", "paginator": "single_page"})), stripe);
    assert_eq!(run.rows("users").len(), 1);
    assert_eq!(run.report.warnings, Vec::<String>::new());
}

/// A paginator of the job finds no further page although the response shows one.
#[test]
fn a_paginator_that_overlooks_pages_is_reported() {
    let check = |paginator: Value, body: Value, warning: Option<&str>| {
        let endpoint = json!({"data_selector": "users", "paginator": paginator});
        let run = good(&job(endpoint), |_, _| ok(&body));
        let head =
            "resource users: the paginator that is named found no page behind the first; yet ";
        let expect: Vec<String> =
            warning.iter().map(|warning| format!("{head}{warning}")).collect();
        assert_eq!(run.report.warnings.len(), expect.len(), "{:?}", run.report.warnings);
        assert!(
            run.report.warnings.iter().zip(&expect).all(|(it, head)| it.starts_with(head)),
            "{expect:?}"
        );
    };
    let page = json!({"users": [{"id": 1}], "links": {"next": "/v1/users?p=2"}});
    check(
        json!("json_link"),
        page.clone(),
        Some("pages are requested by the URL at \"links.next\""),
    );
    check(json!("single_page"), page.clone(), None);
    check(json!({"type": "page_number", "total_path": null, "maximum_page": 1}), page, None);
    check(json!("json_link"), json!({"users": [{"id": 1}], "next": null, "total": 1}), None);
    check(
        json!({"type": "cursor", "cursor_path": "next"}),
        json!({"users": [{"id": 1}], "has_more": true}),
        Some("the response shows more pages (\"has_more\" is true) but not how to request them"),
    );
    check(
        json!({"type": "cursor", "cursor_path": "next"}),
        json!({"users": [], "has_more": true}),
        None,
    );
}

/// A source that ignores a guessed parameter returns its first page again; this is noticed without
/// keys, too.
#[test]
fn a_wrong_guess_is_noticed_at_the_second_page() {
    let fails = |page: fn(usize) -> Value, param: &str| {
        let (run, ended) = run(&job(json!({})), |n, _| ok(&page(n)));
        assert_eq!(run.asked().len(), 2);
        assert!(!run.published());
        let expect = format!(
            "found the records of the one before, byte for byte: the source seems to ignore {param:?} (which is a guess: name the paginator)"
        );
        let fault = ended.unwrap_err().to_string();
        assert!(fault.ends_with(&expect), "{fault}");
    };
    fails(|n| json!({"users": [{"id": 1}], "nextCursor": format!("a{n}")}), "cursor");
    // The source counts from 1 without stating it.
    fails(|_| json!({"users": [{"id": 1}], "total_pages": 3}), "page");
}

#[test]
fn error_responses_are_not_records() {
    let check = |endpoint: Value, body: Value, said: Option<&str>| {
        let (run, ended) = run(&job(endpoint), |_, _| ok(&body));
        let fault = ended.err().map(|fault| fault.to_string());
        let place = "pipeline p: resource users: page 1: GET https://x.net/v1/users: ";
        let expect = said.map(|said| {
            format!("{place}expected records, found an answer that says it failed, for {said}: {body} (where this is a record, say \"data_selector\": \"$\")")
        });
        assert_eq!(fault, expect, "{body}");
        assert_eq!(run.published(), said.is_none());
    };
    let slack = json!({"ok": false, "error": "invalid_auth"});
    check(json!({}), slack.clone(), Some("\"ok\" is false"));
    check(json!({}), json!({"errors": [{"message": "no"}]}), Some("it has \"errors\""));
    check(
        json!({}),
        json!({"data": null, "errors": [{"message": "no"}]}),
        Some("it has \"errors\""),
    );
    check(json!({}), json!({"error": "no"}), Some("it has \"error\""));
    check(json!({}), json!({"success": false, "users": []}), Some("\"success\" is false"));
    check(
        json!({"data_selector": "users"}),
        json!({"success": false, "users": []}),
        Some("\"success\" is false"),
    );
    // A selector of the job for the whole response is accepted; an id has the same effect.
    check(json!({"data_selector": "$"}), slack, None);
    check(json!({}), json!({"id": 7, "name": "launch", "success": false}), None);
}

/// Any page may report an error.
#[test]
fn a_later_page_may_fail() {
    let (stopped, ended) = run(&job(json!({})), |n, _| match n {
        0 => ok(&json!({"users": [{"id": 1}], "next": "/v1/users?p=2"})),
        _ => ok(&json!({"ok": false, "error": "ratelimited"})),
    });
    assert!(!stopped.published());
    assert!(
        ended
            .unwrap_err()
            .to_string()
            .contains("expected records at users, found a page with the keys ok, error")
    );
}

#[test]
fn errors_beside_records_are_reported() {
    let endpoint = json!({"data_selector": "data.users.nodes", "paginator": "single_page"});
    let body = json!({"data": {"users": {"nodes": [{"id": 1}, null, {"id": 2}]}}, "errors": [{"message": "no access"}]});
    let run = good(&job(endpoint), |_, _| ok(&body));
    assert_eq!(run.column("users", "id"), [json!(1), json!(2)]);
    assert_eq!(
        run.report.warnings,
        [
            "resource users: 1 page has errors beside the records; the first: [{\"message\":\"no access\"}]",
            "resource users: 1 record is null in the answers, and not loaded",
        ]
    );
}

/// If the first page has no records, a later page shows their location.
#[test]
fn records_may_be_found_later() {
    let run = good(&job(json!({})), |n, _| match n {
        0 => ok(&json!({"errors": [], "users": [], "next": "/v1/users?p=2"})),
        1 => ok(&json!({"errors": [], "users": [{"id": 1}], "next": "/v1/users?p=3"})),
        _ => ok(&json!({"errors": [], "users": []})),
    });
    assert_eq!(run.column("users", "id"), [json!(1)]);
    assert_eq!(run.report.warnings.len(), 3, "{:?}", run.report.warnings);
    assert!(
        run.report.warnings[0]
            .contains("with an empty list at \"users\", is taken as one without records")
    );
}

/// A wildcard at the start of the selector, and an empty list.
#[test]
fn a_list_without_elements_ends_the_pages() {
    let paginator = json!({"type": "page_number", "total_path": null});
    let endpoint = json!({"data_selector": "[*].customer", "paginator": paginator});
    let run = good(&job(endpoint), |n, _| match n {
        0 => ok(&json!([{"customer": {"id": 1}}, {"customer": {"id": 2}}])),
        _ => ok(&json!([])),
    });
    assert_eq!(run.column("users", "id"), [json!(1), json!(2)]);
    assert_eq!(run.report.warnings, Vec::<String>::new());
}

/// For child resources the message is repeated a few times only, not for each parent.
#[test]
fn warnings_of_children_are_limited() {
    let job = world::job(json!([
        {"name": "posts", "endpoint": {"data_selector": "$", "paginator": "single_page"}},
        {"name": "notes", "endpoint": "posts/{resources.posts.id}/notes"},
    ]));
    let run = good(&job, |_, request| match world::path(request) {
        "posts" => ok(&json!(ids(0, 30))),
        path => answer(200, &[], &json!({format!("of {path}"): [{"id": 1}]}).to_string()),
    });
    assert_eq!(run.rows("notes").len(), 30);
    assert_eq!(run.report.warnings.len(), 5, "{:?}", run.report.warnings);
}
