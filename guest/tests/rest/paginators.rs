//! Where the pages of a source end, and what a load reports of unusual pages. The walks over the pages of every
//! paginator are in `guest/src/load/tests.rs`.

use serde_json::{Value, json};

use super::world::{self, answer, good, ok, param};

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

/// The pages of a source without a page after the last one end with a shorter page, or with a status.
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
    // The first page must exist.
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

/// The cursor is a field of the last record, as in Stripe.
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

/// Both for a named and for a detected paginator.
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

/// An offset assumes full pages: it skips records if the source has a lower limit.
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
    // A page omits the records that the caller may not read.
    check(3, &[2, 3, 1, 2], None);
    check(
        5,
        &[3, 3, 1],
        Some(
            "resource items: no page had more than 3 records, where 5 were asked for, and 2 such pages had others behind them: if the source gives no more than that, say \"limit\": 3, for what lies between was not read",
        ),
    );
}
