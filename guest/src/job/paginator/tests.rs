//! Paginators as jobs write them.

use serde_json::json;

use super::*;

#[test]
fn takes_the_defaults_of_dlt() {
    let read = |value: Value| Paginator::parse(&value, "paginator").unwrap();
    assert_eq!(read(json!("auto")), Paginator::Auto);
    assert_eq!(read(json!({"type": "single_page"})), Paginator::SinglePage);
    assert_eq!(
        read(json!("json_response")),
        read(json!({"type": "json_link", "next_url_path": "next"}))
    );
    assert_eq!(read(json!("header_link")), Paginator::HeaderLink { rel: "next".to_owned() });
    assert_eq!(
        read(json!({"type": "header_cursor", "cursor_key": "X-Next"})),
        Paginator::HeaderCursor { header: "x-next".to_owned(), param: "cursor".to_owned() }
    );
    let Paginator::JsonLink(link) = read(json!({"type": "json_link", "end_path": "done"})) else {
        panic!()
    };
    assert_eq!((link.next_url.as_str(), link.stop_after_empty_page), ("next", false));
    assert_eq!(
        link.more.map(|more| (more.path.to_string(), more.at_end)),
        Some(("done".to_owned(), true))
    );
    let Paginator::Cursor(cursor) = read(json!("cursor")) else { panic!() };
    assert_eq!(cursor.token.as_str(), "cursors.next");
    assert_eq!(cursor.place, Place::Query("cursor".to_owned()));
    assert!(!cursor.stop_after_empty_page);
    let Paginator::Range(offset) =
        read(json!({"type": "offset", "limit": 50, "limit_body_path": "page.size"}))
    else {
        panic!()
    };
    assert_eq!((offset.first, offset.step, offset.stop_after_empty_page), (0, 50, true));
    assert_eq!(offset.place, Place::Query("offset".to_owned()));
    assert_eq!(offset.limit, Some(Place::Body(vec!["page".to_owned(), "size".to_owned()])));
    assert_eq!(offset.total.unwrap().as_str(), "total");
    let Paginator::Range(pages) =
        read(json!({"type": "page_number", "base_page": 1, "total_path": null}))
    else {
        panic!()
    };
    assert_eq!((pages.first, pages.base, pages.step), (1, 1, 1));
    assert_eq!(pages.total, None);
    assert_eq!((pages.full_page, pages.end_statuses), (None, Vec::new()));
    let Paginator::Range(short) = read(
        json!({"type": "offset", "limit": 50, "stop_at_short_page": true, "end_status_codes": [404]}),
    ) else {
        panic!()
    };
    assert_eq!((short.full_page, short.total, short.end_statuses), (Some(50), None, vec![404]));
}

#[test]
fn names_mistakes() {
    let check = |value: Value, message: &str| {
        let fault = Paginator::parse(&value, "paginator").unwrap_err();
        assert_eq!(fault.to_string(), format!("paginator{message}"));
    };
    check(json!("ofset"), ": unknown \"ofset\", did you mean \"offset\"?");
    check(json!("offset"), ".limit: expected a whole number, found nothing");
    check(
        json!(1),
        ": expected an object or one of auto, single_page, cursor, offset, page_number, json_link, json_response, header_link, header_cursor, found 1",
    );
    check(
        json!({}),
        ": expected a \"type\", one of auto, single_page, cursor, offset, page_number, json_link, json_response, header_link, header_cursor",
    );
    check(
        json!({"type": "cursor", "cursor_parm": "x"}),
        ": unknown key \"cursor_parm\", did you mean \"cursor_param\"?",
    );
    check(
        json!({"type": "cursor", "cursor_param": "a", "cursor_body_path": "b"}),
        ": expected \"cursor_param\" or \"cursor_body_path\", found both",
    );
    check(
        json!({"type": "cursor", "cursor_body_path": "b..c"}),
        ".cursor_body_path: expected keys with dots between them, found \"b..c\"",
    );
    check(
        json!({"type": "offset", "limit": 0}),
        ".limit: expected a whole number from 1 to 4294967295, found 0",
    );
    check(
        json!({"type": "offset", "limit": 1, "total_path": null, "stop_after_empty_page": false}),
        ": expected a way to know the last page: total_path, a maximum, has_more_path, end_path, stop_after_empty_page, stop_at_short_page or end_status_codes",
    );
    check(
        json!({"type": "json_link", "next_url_path": "a..b"}),
        ".next_url_path: expected a path such as a.b, $['a b'] or items[*].id, found \"a..b\": \"..\" is not supported: name the keys between",
    );
    check(
        json!({"type": "cursor", "has_more_path": "a", "end_path": "b"}),
        ": expected \"has_more_path\" or \"end_path\", found both",
    );
    check(
        json!({"type": "page_number", "stop_at_short_page": true}),
        ".page_size: expected the records of a full page, for stop_at_short_page, found nothing",
    );
    check(
        json!({"type": "page_number", "page_size": 10}),
        ".page_size: expected stop_at_short_page: true beside it, for which it is",
    );
    check(
        json!({"type": "offset", "limit": 1, "end_status_codes": [404, 500]}),
        ".end_status_codes[1]: expected a status from 400 to 499, found 500",
    );
}
