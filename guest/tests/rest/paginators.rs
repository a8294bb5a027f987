//! Every paginator against a server that pages as it expects: no record, one, a full page, exactly
//! some pages, and many.

use serde_json::{Value, json};

use super::world::{self, Answer, answer, good, ok, param};
use snowcat_guest::protocol::Request;

const SIZE: usize = 3;

/// A way to page: what the job says, how the server answers with the records from one to another of
/// so many, and which requests are one more than there are pages.
struct Way {
    name: &'static str,
    endpoint: Value,
    /// Gives the number of the first record that is asked for.
    from: fn(&Request) -> usize,
    /// Answers with records, the number of the next one (if there is one), and how many there are.
    page: fn(Vec<Value>, Option<usize>, usize) -> Answer,
    /// Whether the source's end is known only from an empty page.
    asks_beyond: bool,
}

fn number(request: &Request, name: &str) -> usize {
    param(request, name).map_or(0, |text| text.parse().unwrap())
}

fn in_body(request: &Request, pointer: &str) -> usize {
    let body: Value = serde_json::from_str(request.body.as_deref().unwrap_or("{}")).unwrap();
    body.pointer(pointer).and_then(Value::as_u64).map_or(0, |n| n as usize)
}

#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn ways() -> Vec<Way> {
    let way = |name, paginator: Value, from, page| Way {
        name,
        endpoint: json!({"data_selector": "items", "paginator": paginator}),
        from,
        page,
        asks_beyond: false,
    };
    let list: fn(Vec<Value>, Option<usize>, usize) -> Answer = |items, _, _| ok(&json!(items));
    let items_only: fn(Vec<Value>, Option<usize>, usize) -> Answer =
        |items, _, _| ok(&json!({"items": items}));
    let with_total: fn(Vec<Value>, Option<usize>, usize) -> Answer =
        |items, _, total| ok(&json!({"items": items, "total": total}));
    let with_pages: fn(Vec<Value>, Option<usize>, usize) -> Answer = |items, _, total| {
        ok(&json!({"items": items, "meta": {"total_pages": total.div_ceil(SIZE).to_string()}}))
    };
    let with_more: fn(Vec<Value>, Option<usize>, usize) -> Answer =
        |items, next, _| ok(&json!({"items": items, "more": next.is_some()}));
    let links: fn(Vec<Value>, Option<usize>, usize) -> Answer = |items, next, _| {
        let next = next.map(|next| format!("/v1/items?from={next}"));
        ok(&json!({"items": items, "links": {"next": next}}))
    };
    let whole_links: fn(Vec<Value>, Option<usize>, usize) -> Answer = |items, next, _| {
        let next = next.map(|next| format!("https://x.net/v1/items?from={next}"));
        ok(&json!({"items": items, "next": next}))
    };
    let header_links: fn(Vec<Value>, Option<usize>, usize) -> Answer = |items, next, _| {
        let prev = "<https://x.net/v1/items?from=0>; rel=\"first\"";
        let link = match next {
            Some(next) => format!("{prev}, <https://x.net/v1/items?from={next}>; rel=\"next\""),
            None => prev.to_owned(),
        };
        answer(200, &[("link", &link)], &json!(items).to_string())
    };
    let header_cursors: fn(Vec<Value>, Option<usize>, usize) -> Answer = |items, next, _| {
        let next = next.map(|next| next.to_string());
        let headers: Vec<_> = next.iter().map(|next| ("x-next", next.as_str())).collect();
        answer(200, &headers, &json!({"items": items}).to_string())
    };
    let cursors: fn(Vec<Value>, Option<usize>, usize) -> Answer = |items, next, _| {
        ok(&json!({"items": items, "cursors": {"next": next.map(|n| format!("{n}"))}}))
    };
    let growing: fn(Vec<Value>, Option<usize>, usize) -> Answer = |items, next, _| {
        let token = "x".repeat(next.unwrap_or(1));
        ok(&json!({"items": items, "token": token, "more": next.is_some()}))
    };
    let number_cursors: fn(Vec<Value>, Option<usize>, usize) -> Answer =
        |items, next, _| ok(&json!({"items": items, "next_token": next}));
    let beyond = |way| Way { asks_beyond: true, ..way };
    let auto = |name, from, page| Way { name, endpoint: json!({}), from, page, asks_beyond: false };
    let post = |way: Way| {
        let mut endpoint = way.endpoint;
        endpoint["method"] = json!("POST");
        endpoint["json"] = json!({"q": "x"});
        Way { endpoint, ..way }
    };
    let from: fn(&Request) -> usize = |request| number(request, "from");
    let offset: fn(&Request) -> usize = |request| number(request, "offset");
    let from_0: fn(&Request) -> usize = |request| number(request, "page") * SIZE;
    let from_1: fn(&Request) -> usize = |request| (number(request, "page") - 1) * SIZE;
    vec![
        way("json_link", json!({"type": "json_link", "next_url_path": "links.next"}), from, links),
        way("json_link, whole", json!("json_link"), from, whole_links),
        Way {
            name: "header_link",
            endpoint: json!({"paginator": "header_link"}),
            from,
            page: header_links,
            asks_beyond: false,
        },
        way(
            "header_cursor",
            json!({"type": "header_cursor", "cursor_key": "X-Next", "cursor_param": "from"}),
            from,
            header_cursors,
        ),
        way("cursor", json!({"type": "cursor", "cursor_param": "from"}), from, cursors),
        way(
            "cursor with has_more",
            json!({"type": "cursor", "cursor_path": "token", "cursor_param": "t", "has_more_path": "more"}),
            |request| param(request, "t").map_or(0, |t| t.len()) ,
            growing,
        ),
        post(way(
            "cursor in the body",
            json!({"type": "cursor", "cursor_path": "next_token", "cursor_body_path": "page.from"}),
            |request| in_body(request, "/page/from"),
            number_cursors,
        )),
        way("offset", json!({"type": "offset", "limit": SIZE}), offset, with_total),
        beyond(way(
            "offset to an empty page",
            json!({"type": "offset", "limit": SIZE, "total_path": null}),
            offset,
            items_only,
        )),
        way(
            "offset with has_more",
            json!({"type": "offset", "limit": SIZE, "total_path": null, "has_more_path": "more"}),
            offset,
            with_more,
        ),
        post(way(
            "offset in the body",
            json!({
                "type": "offset", "limit": SIZE,
                "offset_body_path": "page.start", "limit_body_path": "page.size",
            }),
            |request| {
                assert_eq!(in_body(request, "/page/size"), SIZE);
                in_body(request, "/page/start")
            },
            with_total,
        )),
        way(
            "page_number from 0",
            json!({"type": "page_number", "total_path": "meta.total_pages"}),
            from_0,
            with_pages,
        ),
        way(
            "page_number from 1",
            json!({"type": "page_number", "base_page": 1, "total_path": "meta.total_pages"}),
            from_1,
            with_pages,
        ),
        beyond(way(
            "page_number to an empty page",
            json!({"type": "page_number", "base_page": 1, "total_path": null}),
            from_1,
            items_only,
        )),
        way(
            "page_number with has_more",
            json!({
                "type": "page_number", "base_page": 1, "total_path": null, "has_more_path": "more",
                "stop_after_empty_page": false,
            }),
            from_1,
            with_more,
        ),
        post(beyond(way(
            "page_number in the body",
            json!({"type": "page_number", "page_body_path": "p", "total_path": null}),
            |request| in_body(request, "/p") * SIZE,
            items_only,
        ))),
        auto("auto: json_link", from, links),
        auto("auto: header_link", from, header_links),
        auto("auto: page_number", from_0, with_pages),
        auto("auto: cursor", |request| number(request, "cursor"), cursors),
    ]
    .into_iter()
    .chain([Way {
        name: "a list",
        endpoint: json!({"paginator": {"type": "offset", "limit": SIZE, "total_path": null}}),
        from: offset,
        page: list,
        asks_beyond: true,
    }])
    .collect()
}

#[test]
fn pages_of_every_kind() {
    for way in ways() {
        for count in [0, 1, SIZE - 1, SIZE, SIZE + 1, 2 * SIZE, 40 * SIZE, 40 * SIZE + 1] {
            let job = world::job(json!([{"name": "items", "endpoint": way.endpoint}]));
            let run = good(&job, |_, request| {
                let from = (way.from)(request);
                let to = (from + SIZE).min(count);
                let items = (from..to).map(|id| json!({"id": id})).collect();
                (way.page)(items, (to < count).then_some(to), count)
            });
            let found = run.column("items", "id");
            let expect: Vec<Value> = (0..count).map(|id| json!(id)).collect();
            assert_eq!(found, expect, "{} with {count}", way.name);
            let pages = count.div_ceil(SIZE).max(1);
            let beyond = usize::from(way.asks_beyond && count > 0);
            assert_eq!(run.asked().len(), pages + beyond, "{} with {count}", way.name);
            assert_eq!(run.report.pages as usize, pages + beyond);
        }
    }
}

#[test]
fn pages_up_to_a_maximum() {
    let check = |paginator: Value, pages: usize| {
        let endpoint = json!({"data_selector": "items", "paginator": paginator});
        let job = world::job(json!([{"name": "items", "endpoint": endpoint}]));
        let run = good(&job, |n, _| ok(&json!({"items": [{"id": n}]})));
        assert_eq!(run.asked().len(), pages, "{endpoint}");
    };
    check(json!({"type": "offset", "limit": 10, "total_path": null, "maximum_offset": 35}), 4);
    check(json!({"type": "page_number", "total_path": null, "maximum_page": 4}), 4);
    check(json!({"type": "page_number", "base_page": 1, "total_path": null, "maximum_page": 4}), 3);
    check(json!("single_page"), 1);
}

#[test]
fn one_entity_is_one_page() {
    let job = world::job(json!([{
        "name": "user", "endpoint": {"path": "users/{id}", "params": {"id": 7}},
    }]));
    let run = good(&job, |_, _| ok(&json!({"id": 7, "next": "/v1/users/8", "tags": ["a"]})));
    assert_eq!(run.asked(), ["users/7"]);
    assert_eq!(run.column("user", "id"), [json!(7)]);
    assert_eq!(run.column("user__tags", "value"), [json!("a")]);
}

/// A source that has no page behind its last one: a shorter page ends the pages, or the status does.
#[test]
fn a_status_may_end_the_pages() {
    let check = |more: Value, pages: &[usize], asked: usize, ended: Option<&str>| {
        let mut paginator = json!({"type": "page_number", "total_path": null});
        paginator.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let endpoint = json!({"data_selector": "items", "paginator": paginator});
        let job = world::job(json!([{"name": "items", "endpoint": endpoint}]));
        let (run, found) = world::run(&job, |n, _| match pages.get(n) {
            Some(count) => ok(&json!({"items": (0..*count).collect::<Vec<_>>()})),
            None => answer(404, &[], "no such page"),
        });
        assert_eq!(found.err().map(|fault| fault.to_string()).as_deref(), ended, "{more}");
        assert_eq!(run.asked().len(), asked, "{more}");
        if ended.is_none() {
            assert_eq!(run.rows("items").len(), pages.iter().sum::<usize>());
        }
    };
    let fails = |page: usize| {
        format!(
            "pipeline p: resource items: page {page}: GET https://x.net/v1/items?page=...: status 404: no such page"
        )
    };
    check(json!({}), &[3, 1], 3, Some(&fails(3)));
    check(json!({"stop_at_short_page": true, "page_size": 3}), &[3, 1], 2, None);
    check(json!({"end_status_codes": [400, 404]}), &[3, 3], 3, None);
    // The first page has to be there.
    check(json!({"end_status_codes": [404]}), &[], 1, Some(&fails(1)));
}

/// The last page refers to itself, as Zendesk's exports do.
#[test]
fn a_page_may_refer_to_itself() {
    let paginator =
        json!({"type": "json_link", "next_url_path": "next_page", "end_path": "end_of_stream"});
    let endpoint = json!({"data_selector": "items", "paginator": paginator});
    let run = good(&world::job(json!([{"name": "items", "endpoint": endpoint}])), |n, _| {
        ok(&json!({"items": [{"id": n}], "next_page": "/v1/items?p=2", "end_of_stream": n == 1}))
    });
    assert_eq!(run.column("items", "id"), [json!(0), json!(1)]);
}

/// The cursor is a field of the page's last record, as in Stripe.
#[test]
fn a_cursor_may_be_of_the_last_record() {
    let paginator = json!({
        "type": "cursor", "cursor_path": "data[-1].id", "cursor_param": "starting_after",
        "has_more_path": "has_more",
    });
    let endpoint = json!({"data_selector": "data", "paginator": paginator});
    let run = good(&world::job(json!([{"name": "items", "endpoint": endpoint}])), |_, request| {
        let from = param(request, "starting_after").map_or(0, |id| id.parse::<usize>().unwrap());
        let ids: Vec<Value> = (from + 1..=(from + 3).min(8)).map(|id| json!({"id": id})).collect();
        ok(&json!({"object": "list", "has_more": from + 3 < 8, "data": ids}))
    });
    assert_eq!(run.rows("items").len(), 8);
    assert_eq!(run.asked(), ["items", "items?starting_after=3", "items?starting_after=6"]);
}

/// Whether the paginator is named or found in the answer.
#[test]
fn a_byte_order_mark_is_ignored() {
    let named = json!({"data_selector": "items", "paginator": "json_link"});
    for endpoint in [json!({}), named] {
        let job = world::job(json!([{"name": "items", "endpoint": endpoint}]));
        let run = good(&job, |n, _| {
            let body = json!({"items": [{"id": n}], "next": (n == 0).then_some("/v1/items?p=2")});
            answer(200, &[], &format!("\u{feff}{body}"))
        });
        assert_eq!(run.column("items", "id"), [json!(0), json!(1)]);
    }
}

#[test]
fn empty_pages_may_lack_the_list() {
    let job = world::job(json!([{
        "name": "items", "endpoint": {"data_selector": "items", "paginator": "single_page"},
    }]));
    let run = good(&job, |_, _| ok(&json!({"kind": "list"})));
    assert_eq!(
        run.report.warnings,
        [
            "resource items: nothing at items on 1 pages, which were taken as empty (keys of the first: kind)"
        ]
    );
}

/// An offset that counts on full pages skips what a source with a limit of its own does not give.
#[test]
fn pages_that_are_never_full_are_reported() {
    let check = |limit: usize, pages: &[usize], warning: Option<&str>| {
        let paginator = json!({"type": "offset", "limit": limit, "total_path": null});
        let endpoint = json!({"data_selector": "items", "paginator": paginator});
        let run = good(&world::job(json!([{"name": "items", "endpoint": endpoint}])), |n, _| {
            let count = pages.get(n).copied().unwrap_or(0);
            let items: Vec<Value> = (0..count).map(|id| json!({"id": 10 * n + id})).collect();
            ok(&json!({"items": items}))
        });
        assert_eq!(run.rows("items").len(), pages.iter().sum::<usize>());
        assert_eq!(run.report.warnings, Vec::from_iter(warning), "{pages:?}");
    };
    check(3, &[3, 3, 1], None);
    check(3, &[3], None);
    check(3, &[2], None);
    check(3, &[], None);
    // A page omits what is not shown to everybody.
    check(3, &[2, 3, 1, 2], None);
    check(
        5,
        &[3, 3, 1],
        Some(
            "resource items: no page had more than 3 records, where 5 were asked for, and 2 such pages had others behind them: if the source gives no more than that, say \"limit\": 3, for what lies between was not read",
        ),
    );
}
