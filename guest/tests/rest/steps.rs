//! Processing steps of records, in whole loads.

use serde_json::{Value, json};

use super::world::{self, good, ok, path};

fn load(resource: Value, children: &[Value]) -> world::Run {
    let mut resources = vec![resource];
    resources.extend_from_slice(children);
    good(&world::job(json!(resources)), |_, request| match path(request) {
        "items" => ok(&json!([
            {"id": 1, "state": "open", "at": 1, "by": {"name": "a", "mail": "x@y"}, "l": [{"v": 1, "w": 2}]},
            {"id": 2, "state": "shut", "at": 9},
            {"id": 3, "state": "open", "at": 3},
        ])),
        _ => ok(&json!([{"x": path(request)}])),
    })
}

#[test]
fn records_are_changed_before_they_are_loaded() {
    let run = load(
        json!({
            "name": "items",
            "endpoint": {"paginator": "single_page", "incremental": {"cursor_path": "seen"}},
            "processing_steps": [
                {"filter": {"path": "state", "equals": "open"}},
                {"exclude": ["by.mail", "l[*].w", "state"]},
                {"rename": {"at": "seen", "by.name": "author"}},
            ],
        }),
        &[json!({"name": "below", "include_from_parent": ["seen"], "endpoint": {
            "path": "of/{resources.items.seen}", "paginator": "single_page"}})],
    );
    assert_eq!(
        run.rows("items"),
        [json!({"id": 1, "seen": 1, "by__author": "a"}), json!({"id": 3, "seen": 3})]
    );
    assert_eq!(run.rows("items__l"), [json!({"v": 1})]);
    // A filtered record does not move the cursor and has no child records.
    assert_eq!(run.report.cursors[0].last.as_deref(), Some("3"));
    assert_eq!(
        run.rows("below"),
        [json!({"x": "of/1", "_items_seen": 1}), json!({"x": "of/3", "_items_seen": 3})]
    );
}

#[test]
fn impossible_step_is_reported() {
    let (run, ended) = world::run(
        &world::job(json!([{
            "name": "items",
            "endpoint": {"paginator": "single_page"},
            "processing_steps": [{"filter": {"path": "a", "below": 3}}],
        }])),
        |_, _| ok(&json!([{"a": 1}, {"a": "1"}])),
    );
    assert!(!run.published());
    assert_eq!(
        ended.unwrap_err().to_string(),
        "pipeline p: resource items: page 1: GET https://x.net/v1/items: record 2: processing_steps[0]: filter a: expected values to compare to be of one type, found \"1\" and 3"
    );
}
