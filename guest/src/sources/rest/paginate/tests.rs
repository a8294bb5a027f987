//! Paginators, page by page.

use serde_json::json;

use super::*;
use crate::job::Job;

/// The paginator of a job, so that it is read as jobs are.
fn pager(paginator: &Value) -> Pager {
    let job = json!({
        "pipeline": "p", "database": "D", "dataset": "s",
        "client": {"base_url": "https://x.net"},
        "resources": [{"name": "a", "endpoint": {"paginator": paginator}}],
    });
    let job = Job::parse(&job.to_string()).unwrap();
    Pager::new(job.resources[0].endpoint().unwrap().paginator.clone().unwrap())
}

fn show(next: &Next) -> String {
    match next {
        Next::End => "end".to_owned(),
        Next::Set(Place::Query(name), value) => format!("{name}={value}"),
        Next::Set(Place::Body(keys), value) => format!("{}:{value}", keys.join(".")),
        Next::Url(url) => url.clone(),
    }
}

/// Pages are (records, what is captured); steps are what comes after each, or the fault.
fn check(paginator: Value, pages: &[(u64, &[&str])], steps: &[&str]) {
    let mut pager = pager(&paginator);
    let found: Vec<String> = pages
        .iter()
        .map(|(records, raw)| {
            let captured: Vec<Option<String>> =
                raw.iter().map(|raw| (!raw.is_empty()).then(|| (*raw).to_owned())).collect();
            let page = PageFacts { records: *records, captured: &captured, headers: &[] };
            pager.after(&page).map_or_else(|fault| fault.to_string(), |next| show(&next))
        })
        .collect();
    assert_eq!(found, steps, "{paginator}");
}

#[test]
fn follows_cursors() {
    let cursor = json!({"type": "cursor", "cursor_path": "next", "cursor_param": "token"});
    check(
        cursor.clone(),
        &[(9, &["\"a\""]), (9, &["\"b\""]), (9, &[""])],
        &["token=\"a\"", "token=\"b\"", "end"],
    );
    check(
        json!({"type": "cursor", "cursor_path": "hits[-1].sort", "cursor_body_path": "search_after"}),
        &[(9, &["[1.5,\"a\"]"]), (0, &[""])],
        &["search_after:[1.5,\"a\"]", "end"],
    );
    for falsy in ["null", "\"\"", "0", "0.0", "false"] {
        check(cursor.clone(), &[(9, &[falsy])], &["end"]);
    }
    check(cursor.clone(), &[(0, &["17"])], &["token=17"]);
    check(
        cursor.clone(),
        &[(9, &["{\"a\":1}"])],
        &["expected a cursor at \"next\", a text or a number, found {\"a\":1}"],
    );
    check(
        json!({"type": "cursor", "cursor_body_path": "page.after", "stop_after_empty_page": true}),
        &[(1, &["\"a\""]), (1, &["\"a\""]), (0, &["\"a\""])],
        &["page.after:\"a\"", "page.after:\"a\"", "end"],
    );
    check(
        json!({"type": "cursor", "has_more_path": "more"}),
        &[(0, &["\"a\"", "true"]), (0, &["\"a\"", "\"Yes\""]), (1, &["\"b\"", "false"])],
        &["cursor=\"a\"", "cursor=\"a\"", "end"],
    );
    check(
        json!({"type": "cursor", "has_more_path": "more"}),
        &[(1, &["\"a\"", ""])],
        &["expected true or false at \"more\", whether there is more, found nothing"],
    );
    check(
        json!({"type": "cursor", "has_more_path": "more"}),
        &[(1, &["\"a\"", "1"])],
        &["expected true or false at \"more\", whether there is more, found 1"],
    );
    check(
        json!({"type": "cursor", "has_more_path": "more"}),
        &[(1, &["", ""])],
        &["expected true or false at \"more\", whether there is more, found nothing"],
    );
}

/// What says that a page is the last, the other way round.
#[test]
fn stops_at_the_end() {
    check(
        json!({"type": "cursor", "end_path": "done"}),
        &[(1, &["\"a\"", "false"]), (1, &["\"b\"", "\"TRUE\""])],
        &["cursor=\"a\"", "end"],
    );
    check(
        json!({"type": "page_number", "total_path": null, "end_path": "last"}),
        &[(1, &["false"]), (1, &["true"])],
        &["page=1", "end"],
    );
    // Zendesk's exports: the last page refers to itself.
    check(
        json!({"type": "json_link", "next_url_path": "next_page", "end_path": "end_of_stream"}),
        &[(9, &["\"/2\"", "false"]), (1, &["\"/2\"", "true"])],
        &["/2", "end"],
    );
    check(
        json!({"type": "json_link", "has_more_path": "more"}),
        &[(9, &["\"/2\"", "true"]), (1, &["\"/3\"", "false"])],
        &["/2", "end"],
    );
    check(
        json!({"type": "json_link", "stop_after_empty_page": true}),
        &[(9, &["\"/2\""]), (0, &["\"/2\""])],
        &["/2", "end"],
    );
    check(
        json!({"type": "json_link", "end_path": "end_of_stream"}),
        &[(9, &["\"/2\"", ""])],
        &[
            "expected true or false at \"end_of_stream\", whether this is the last page, found nothing",
        ],
    );
}

#[test]
fn stops_at_short_pages() {
    check(
        json!({"type": "offset", "limit": 10, "stop_at_short_page": true}),
        &[(10, &[]), (9, &[])],
        &["offset=10", "end"],
    );
    check(
        json!({"type": "offset", "limit": 10, "stop_at_short_page": true, "total_path": "total"}),
        &[(10, &["25"]), (10, &["20"])],
        &["offset=10", "end"],
    );
    check(
        json!({"type": "page_number", "page_size": 2, "stop_at_short_page": true}),
        &[(2, &[]), (1, &[])],
        &["page=1", "end"],
    );
}

#[test]
fn notices_circles() {
    let cursor = json!({"type": "cursor", "cursor_path": "next"});
    let again = |token: &str, pages: u64| {
        format!(
            "expected a new page, found \"{token}\" again after {pages} pages: the source would \
             never end (where a cursor stays the same on purpose, say what ends the pages: \
             stop_after_empty_page, has_more_path or end_path)"
        )
    };
    check(cursor.clone(), &[(9, &["\"a\""]), (9, &["\"a\""])], &["cursor=\"a\"", &again("a", 2)]);
    check(
        cursor,
        &[(9, &["\"a\""]), (9, &["\"b\""]), (9, &["\"c\""]), (9, &["\"b\""])],
        &["cursor=\"a\"", "cursor=\"b\"", "cursor=\"c\"", &again("b", 4)],
    );
    check(
        json!("json_link"),
        &[(9, &["\"/2\""]), (9, &["\"/2\""])],
        &[
            "/2",
            "expected a new page, found /2 again after 2 pages: the source would never end (where the last page refers to itself, say what ends the pages: stop_after_empty_page, has_more_path or end_path)",
        ],
    );
    // Any circle is noticed before it has gone round twice more than it is long.
    for (lead, length) in [(0, 1), (3, 5), (10, 7), (1, 32)] {
        let mut seen = Loop::default();
        let noticed = (0_usize..).position(|n| {
            let at = if n < lead { n } else { lead + (n - lead) % length };
            seen.closes(&at.to_string())
        });
        assert!(noticed.unwrap() < 3 * (lead + length) + 3, "{lead} {length} {noticed:?}");
    }
}

#[test]
fn counts_offsets() {
    let offset = json!({"type": "offset", "limit": 100});
    check(
        offset.clone(),
        &[(100, &["250"]), (100, &["250"]), (50, &["250"])],
        &["offset=100", "offset=200", "end"],
    );
    check(offset.clone(), &[(100, &["200"]), (100, &["200"])], &["offset=100", "end"]);
    check(offset.clone(), &[(100, &["\"150\""]), (0, &[""])], &["offset=100", "end"]);
    check(offset.clone(), &[(100, &["150.0"])], &["offset=100"]);
    let tail = "name its path in total_path, or say null where the source does not tell";
    check(
        offset.clone(),
        &[(100, &[""])],
        &[&format!("expected the number of items at \"total\", found nothing: {tail}")],
    );
    check(
        offset.clone(),
        &[(100, &["null"])],
        &[&format!("expected the number of items at \"total\", found nothing: {tail}")],
    );
    check(
        offset,
        &[(100, &["\"many\""])],
        &[&format!("expected the number of items at \"total\", found \"many\": {tail}")],
    );
    check(
        json!({"type": "offset", "limit": 10, "total_path": null}),
        &[(10, &[]), (3, &[]), (0, &[])],
        &["offset=10", "offset=20", "end"],
    );
    check(
        json!({"type": "offset", "limit": 10, "total_path": null, "maximum_offset": 20, "offset": 5}),
        &[(10, &[]), (10, &[])],
        &["offset=15", "end"],
    );
    check(
        json!({"type": "offset", "limit": 10, "total_path": null, "has_more_path": "more", "stop_after_empty_page": false, "offset_body_path": "from"}),
        &[(0, &["true"]), (0, &["false"])],
        &["from:10", "end"],
    );
    check(
        json!({"type": "offset", "limit": 10, "has_more_path": "more"}),
        &[(10, &["99", "true"]), (10, &["99", "\"no\""])],
        &["offset=10", "end"],
    );
}

#[test]
fn counts_pages() {
    check(
        json!({"type": "page_number", "base_page": 1, "total_path": "pages"}),
        &[(9, &["3"]), (9, &["3"]), (9, &["3"])],
        &["page=2", "page=3", "end"],
    );
    check(
        json!({"type": "page_number", "total_path": "pages"}),
        &[(9, &["2"]), (9, &["2"])],
        &["page=1", "end"],
    );
    check(
        json!({"type": "page_number", "page": 4, "page_param": "p", "total_path": null, "maximum_page": 6}),
        &[(9, &[]), (9, &[])],
        &["p=5", "end"],
    );
}

#[test]
fn starts_where_it_should() {
    let check = |paginator: Value, first: &[&str]| {
        let first_of: Vec<String> =
            pager(&paginator).first().into_iter().map(|(p, v)| show(&Next::Set(p, v))).collect();
        assert_eq!(first_of, first, "{paginator}");
    };
    check(
        json!({"type": "offset", "limit": 100, "offset_param": "startAt", "limit_param": "maxResults"}),
        &["startAt=0", "maxResults=100"],
    );
    check(json!({"type": "page_number", "base_page": 1}), &["page=1"]);
    check(json!("cursor"), &[]);
    check(json!("single_page"), &[]);
}

#[test]
fn follows_links() {
    let link = json!({"type": "json_link", "next_url_path": "links.next"});
    check(
        link.clone(),
        &[(9, &["\"https://x.net/2\""]), (9, &["null"])],
        &["https://x.net/2", "end"],
    );
    check(link.clone(), &[(9, &["\"\""])], &["end"]);
    check(link.clone(), &[(9, &["7"])], &["expected a URL at \"links.next\", found 7"]);
    let listed = r#"[{"rel":"self","href":"/1"},{"rel":"Next","href":"/2"}]"#;
    let fhir = r#"[{"relation":"next","url":"/3"}]"#;
    check(link, &[(9, &[listed]), (9, &[fhir]), (9, &["[]"])], &["/2", "/3", "end"]);
    let check = |header: &str, rel: &str, url: Option<&str>| {
        let headers = [("x".to_owned(), "y".to_owned()), ("link".to_owned(), header.to_owned())];
        assert_eq!(super::link(&headers, rel).as_deref(), url, "{header}");
    };
    let two = "<https://x.net/a?page=2,3>; rel=\"next\", <https://x.net/a?page=9>; rel=\"last\"";
    check(two, "next", Some("https://x.net/a?page=2,3"));
    check(two, "last", Some("https://x.net/a?page=9"));
    check(two, "prev", None);
    check("</b>;rel=next", "next", Some("/b"));
    check(
        "</a>; rel=\"prev start\"; title=\"x\", </b>; title=\"rel=next\"; REL='next'",
        "next",
        Some("/b"),
    );
    check("</a>; rel=\"prev start\"", "start", Some("/a"));
    check("<a", "next", None);
    check("", "next", None);
}

#[test]
fn reads_header_cursors() {
    let mut pager =
        pager(&json!({"type": "header_cursor", "cursor_key": "X-Next", "cursor_param": "after"}));
    let mut after = |header: &[(&str, &str)]| {
        let headers: Vec<_> =
            header.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        show(&pager.after(&PageFacts { records: 1, captured: &[], headers: &headers }).unwrap())
    };
    assert_eq!(after(&[("x-next", "abc")]), "after=\"abc\"");
    assert_eq!(after(&[("x-other", "abc")]), "end");
}

#[test]
fn cuts_excerpts() {
    assert_eq!(excerpt(" a \r\n\t b\u{0}c "), "a b c");
    assert_eq!(excerpt(&"ä".repeat(200)), "ä".repeat(200));
    assert_eq!(excerpt(&"ä".repeat(201)), "ä".repeat(200) + "...");
}
