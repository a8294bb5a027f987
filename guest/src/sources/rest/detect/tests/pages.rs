//! Detection of pages in responses as sources send them.

use serde_json::Value;

use super::*;
use crate::job::paginator::Paginator;
use crate::sources::rest::detect::{Records, records};

/// The paginator, as parsed from a job.
fn read(paginator: &Value) -> Paginator {
    let job = serde_json::json!({
        "pipeline": "p", "database": "D", "dataset": "s", "client": {"base_url": "https://x.net"},
        "resources": [{"name": "a", "endpoint": {"paginator": paginator}}],
    });
    crate::job::Job::parse(&job.to_string()).unwrap().resources[0]
        .endpoint()
        .unwrap()
        .paginator
        .clone()
        .unwrap()
}

/// The result of the detection: the paginator in the form of a job, or the sign of more pages.
fn found(body: &str, headers: &[(&str, &str)], params: &[(&str, &str)], has_body: bool) -> String {
    let own = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let outline = ResponseOutline::read(body).unwrap();
    let selector = match records(&outline, &["items"]) {
        Records::At(path, _) => Some(path),
        Records::None(_) => None,
    };
    let (headers, params) = (own(headers), own(params));
    let first =
        FirstPage { headers: &headers, params: &params, has_body, selector: selector.as_ref() };
    match paginator(&outline, &first) {
        Detection::Found(paginator, said) => {
            let described = paginator.describe();
            // The message can be copied into a job, where it has the same meaning.
            let read = read(&described);
            if !paginator.is_single_page() {
                assert_eq!(
                    std::mem::discriminant(&read),
                    std::mem::discriminant(&*paginator),
                    "{said}"
                );
            }
            assert!(said.contains("\"paginator\": "), "{said}");
            described.to_string()
        }
        Detection::Unknown(said) => {
            let (_, example) = said.split_once("\"paginator\" to ").unwrap();
            let (example, _) = example.split_once(", or to \"single_page\"").unwrap();
            read(&serde_json::from_str(example).unwrap());
            let (_, sign) = said.split_once("shows more pages (").unwrap();
            format!("? {}", sign.split_once(") but not how").unwrap().0)
        }
    }
}

fn check(body: &str, expect: &str) {
    assert_eq!(found(body, &[], &[], false), expect, "{body}");
}

const SINGLE: &str = "\"single_page\"";

#[test]
fn follows_urls() {
    let link = |path: &str| format!(r#"{{"type":"json_link","next_url_path":"{path}"}}"#);
    check(r#"{"items":[{}],"next":"https://x.net/2"}"#, &link("next"));
    check(r#"{"items":[{}],"paging":{"nextPage":"/v1/2"}}"#, &link("paging.nextPage"));
    check(r#"{"items":[{}],"links":{"next":{"rel":1,"href":"/2"}}}"#, &link("links.next.href"));
    check(r#"{"value":[{}],"@odata.nextLink":"https://x.net/2"}"#, &link("['@odata.nextLink']"));
    check(r#"{"value":[{}],"odata.nextLink":"https://x.net/2"}"#, &link("['odata.nextLink']"));
    check(r#"{"items":[{}],"next_page_uri":"/2?Page=1"}"#, &link("next_page_uri"));
    check(
        r#"{"records":[{}],"nextRecordsUrl":"/q/01-2000","done":false}"#,
        r#"{"type":"json_link","next_url_path":"nextRecordsUrl","end_path":"done"}"#,
    );
    check(r#"{"link":[{"relation":"next","url":"/2"}],"entry":[{}]}"#, &link("link"));
    check(r#"{"_links":{"next":{"href":"/2"}},"items":[{}]}"#, &link("_links.next.href"));
    // The source reports that there are no more pages.
    check(r#"{"items":[{}],"next":"/2","has_more":false}"#, SINGLE);
    check(r#"{"items":[{}],"next":null,"count":100}"#, SINGLE);
    check(r#"{"items":[{"next":"/2"}]}"#, SINGLE);
}

#[test]
fn counts_in_headers_show_more_pages() {
    let check = |headers: &[(&str, &str)], expect: &str| {
        assert_eq!(found("[{}]", headers, &[], false), expect, "{headers:?}");
    };
    check(&[("x-total-pages", "3")], "? the header x-total-pages");
    check(&[("x-wp-totalpages", "3")], "? the header x-wp-totalpages");
    check(&[("x-total-count", "3")], "? the header x-total-count");
    check(&[("x-total-count", "1")], SINGLE);
}

#[test]
fn follows_tokens() {
    let cursor = |path: &str, param: &str| {
        format!(r#"{{"type":"cursor","cursor_path":"{path}","cursor_param":"{param}"}}"#)
    };
    check(r#"{"items":[{}],"next":"abc"}"#, &cursor("next", "cursor"));
    check(r#"{"items":[{}],"nextPageToken":"/9j"}"#, &cursor("nextPageToken", "pageToken"));
    check(r#"{"items":[{}],"next_page_token":"a"}"#, &cursor("next_page_token", "page_token"));
    check(r#"{"items":[{}],"meta":{"next_cursor":7}}"#, &cursor("meta.next_cursor", "cursor"));
    check(r#"{"items":[{}],"next_marker":"a"}"#, &cursor("next_marker", "marker"));
    check(
        r#"{"items":[{}],"paging":{"next":{"after":"NTI","link":"?after=NTI"}}}"#,
        &cursor("paging.next.after", "after"),
    );
    check(
        r#"{"items":[{}],"paging":{"next":{"link":"?after=NTI"}}}"#,
        r#"{"type":"json_link","next_url_path":"paging.next.link"}"#,
    );
    check(
        r#"{"items":[{}],"continuationToken":"a"}"#,
        &cursor("continuationToken", "continuationToken"),
    );
    check(r#"{"records":[{}],"offset":"itr1/rec2"}"#, &cursor("offset", "offset"));
    check(r#"{"data":{"children":[{}],"after":"t3_x"}}"#, &cursor("data.after", "after"));
    check(r#"{"items":[{}],"next":{"x":1},"a":{"next":5}}"#, &cursor("a.next", "cursor"));
    check(r#"{"items":[{}],"next_page":2,"total_pages":7}"#, &cursor("next_page", "page"));
    check(
        r#"{"items":[{}],"next_cursor":"a","has_more":true}"#,
        r#"{"type":"cursor","cursor_path":"next_cursor","cursor_param":"cursor","has_more_path":"has_more"}"#,
    );
    check(r#"{"items":[{}],"nextPageToken":null}"#, SINGLE);
    check(r#"{"items":[{}],"response_metadata":{"next_cursor":""}}"#, SINGLE);
    check(r#"{"items":[{}],"next_billing_date":"2024-01-01"}"#, SINGLE);
    // A value that repeats the request is not a token.
    let body = r#"{"items":[{}],"cursor":"abc"}"#;
    assert_eq!(found(body, &[], &[("cursor", "abc")], false), SINGLE);
    assert_eq!(found(body, &[], &[], false), cursor("cursor", "cursor"));
    // In a request with a body the place of the token is unknown.
    assert_eq!(found(r#"{"items":[{}],"next":"a"}"#, &[], &[], true), "? a token at \"next\"");
}

#[test]
fn follows_numbers() {
    let pages = |base: u8, param: &str, total: &str| {
        format!(
            r#"{{"type":"page_number","base_page":{base},"page_param":"{param}","total_path":"{total}"}}"#
        )
    };
    check(r#"{"items":[{}],"page":1,"total_pages":3}"#, &pages(1, "page", "total_pages"));
    check(r#"{"items":[{}],"page":0,"nbPages":3}"#, &pages(0, "page", "nbPages"));
    check(r#"{"items":[{}],"current_page":1,"last_page":3}"#, &pages(1, "page", "last_page"));
    check(r#"{"items":[{}],"pageNumber":1,"totalPages":3}"#, &pages(1, "pageNumber", "totalPages"));
    check(
        r#"{"content":[{}],"page":{"number":0,"totalPages":2}}"#,
        &pages(0, "page", "page.totalPages"),
    );
    check(r#"{"items":[{}],"meta":{"pages":"7"}}"#, &pages(0, "page", "meta.pages"));
    check(r#"{"items":[{}],"page":3,"total_pages":3}"#, SINGLE);
    check(r#"{"items":[{}],"total_pages":1}"#, SINGLE);
    check(r#"{"items":[{}],"pages":"many"}"#, SINGLE);
    let asked =
        found(r#"{"items":[{}],"total_pages":3}"#, &[], &[("p", "x"), ("pageNo", "1")], false);
    assert_eq!(asked, pages(1, "pageNo", "total_pages"));
    check(
        r#"{"items":[{}],"page":1,"has_more":true}"#,
        r#"{"type":"page_number","base_page":1,"page_param":"page","total_path":null,"has_more_path":"has_more"}"#,
    );
    let offset = |limit: &str, offset: &str, size: &str, more: &str| {
        format!(
            r#"{{"type":"offset","limit":{limit},"offset_param":"{offset}","limit_param":"{size}",{more}}}"#
        )
    };
    check(
        r#"{"startAt":0,"maxResults":2,"total":5,"issues":[{},{}]}"#,
        &offset("2", "startAt", "maxResults", r#""total_path":"total""#),
    );
    check(
        r#"{"offset":0,"limit":1,"more":true,"items":[{}]}"#,
        &offset("1", "offset", "limit", r#""total_path":null,"has_more_path":"more""#),
    );
    check(
        r#"{"startAt":0,"maxResults":2,"isLast":false,"values":[{},{}]}"#,
        &offset("2", "startAt", "maxResults", r#""total_path":null,"end_path":"isLast""#),
    );
    check(r#"{"startAt":0,"maxResults":50,"total":2,"issues":[{},{}]}"#, SINGLE);
}

#[test]
fn signs_that_cannot_be_followed_are_reported() {
    check(r#"{"object":"list","data":[{"id":1}],"has_more":true}"#, "? \"has_more\" is true");
    check(r#"{"tickets":[{}],"end_of_stream":false}"#, "? \"end_of_stream\" is false");
    check(r#"{"items":[{}],"is_truncated":"true"}"#, "? \"is_truncated\" is true");
    check(
        r#"{"data":{"users":{"nodes":[{}],"pageInfo":{"hasNextPage":true,"endCursor":"a"}}}}"#,
        "? \"data.users.pageInfo.hasNextPage\" is true",
    );
    check(r#"{"_scroll_id":"abc","hits":{"hits":[{}]}}"#, "? a token at \"_scroll_id\"");
    check(
        r#"{"hits":{"total":{"value":5},"hits":[{}]}}"#,
        "? \"hits.total.value\" is 5, and the page has 1",
    );
    check(r#"{"users":[{},{}],"total_items":50}"#, "? \"total_items\" is 50, and the page has 2");
    // The source ignores the requested page size.
    check(
        r#"{"startAt":0,"maxResults":50,"total":5,"issues":[{},{}]}"#,
        "? \"total\" is 5, and the page has 2",
    );
    check(r#"{"users":[{},{}],"total":2,"has_more":false}"#, SINGLE);
    check(r#"{"users":[{},{}],"pageInfo":{"hasNextPage":false,"endCursor":"a"}}"#, SINGLE);
    // A record's own numbers are not signs; a page without records has nothing to count.
    check(r#"{"id":1,"total":99,"pages":300,"done":false,"name":"x"}"#, SINGLE);
    check(r#"{"items":[],"total":5}"#, SINGLE);
}
