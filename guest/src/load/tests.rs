//! Whole loads from every paginator, against a server that pages as it expects: no record, one, a full page, exactly some
//! pages, and many. Each kind has its own servers (`walks` in the tests of `job/paginator/*.rs`).

#[path = "../../tests/rest/world.rs"]
#[allow(dead_code, reason = "the tests of REST sources use the rest of it")]
mod world;

use serde_json::{Value, json};

use self::world::{answer, good, job};
use crate::job::paginator::testing::{Asked, SIZE, Slice};
use crate::job::paginator::tests::walks;

#[test]
fn pages_of_every_kind() {
    for walk in walks() {
        for count in [0, 1, SIZE - 1, SIZE, SIZE + 1, 2 * SIZE, 40 * SIZE, 40 * SIZE + 1] {
            let job = job(json!([{"name": "items", "endpoint": walk.endpoint}]));
            let run = good(&job, |_, request| {
                let body = request.body.as_deref();
                let from = (walk.from)(&Asked { url: &request.url, body });
                let to = (from + SIZE).min(count);
                let items = (from..to).map(|id| json!({"id": id})).collect();
                let next = (to < count).then_some(to);
                let page = (walk.serve)(Slice { items, next, total: count });
                let headers: Vec<(&str, &str)> =
                    page.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                answer(200, &headers, &page.body.to_string())
            });
            let found = run.column("items", "id");
            let expect: Vec<Value> = (0..count).map(|id| json!(id)).collect();
            assert_eq!(found, expect, "{} with {count}", walk.name);
            let pages = count.div_ceil(SIZE).max(1);
            let beyond = usize::from(walk.asks_beyond && count > 0);
            assert_eq!(run.asked().len(), pages + beyond, "{} with {count}", walk.name);
            assert_eq!(run.report.pages as usize, pages + beyond);
        }
    }
}
