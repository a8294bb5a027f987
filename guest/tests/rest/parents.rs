//! Resources that are requested once for each record of another resource.

use serde_json::{Value, json};

use super::world::{self, Answer, Run, answer, good, ok, param, path, path as path_of, run};
use snowcat_guest::protocol::Request;

/// A server with `posts` posts, ten per page, each with comments, two per page.
fn blog(posts: usize, comments: fn(usize) -> usize) -> impl Fn(usize, &Request) -> Answer {
    move |_, request| {
        let page = param(request, "page").map_or(0, |page| page.parse::<usize>().unwrap());
        match path(request).split('/').collect::<Vec<_>>().as_slice() {
            ["posts"] => {
                let ids = page * 10..(page * 10 + 10).min(posts);
                ok(&json!(ids.map(post).collect::<Vec<_>>()))
            }
            ["posts", id, "comments"] => {
                let id: usize = id.parse().unwrap();
                let ids = page * 2..(page * 2 + 2).min(comments(id));
                ok(&json!(ids.map(|n| json!({"id": id * 100 + n})).collect::<Vec<_>>()))
            }
            other => panic!("{other:?}"),
        }
    }
}

fn post(id: usize) -> Value {
    json!({"id": id, "title": format!("t{id}"), "user": {"name": format!("u{id}")}, "tags": ["a"]})
}

fn pages() -> Value {
    json!({"type": "page_number", "total_path": null})
}

fn posts() -> Value {
    json!({"name": "posts", "endpoint": {"path": "posts", "paginator": pages()}})
}

fn comments() -> Value {
    json!({
        "name": "comments",
        "include_from_parent": ["id", "title"],
        "endpoint": {"path": "posts/{resources.posts.id}/comments", "paginator": pages()},
    })
}

fn ids(run: &Run, table: &str) -> Vec<i64> {
    run.column(table, "id").iter().map(|id| id.as_i64().unwrap()).collect()
}

#[test]
fn children_of_many_parents() {
    for parents in [0, 1, 7, 8, 9, 25] {
        let comments_of: fn(usize) -> usize = |id| [1, 0, 5, 2][id % 4];
        let run = good(&world::job(json!([comments(), posts()])), blog(parents, comments_of));
        assert_eq!(ids(&run, "posts"), (0..parents as i64).collect::<Vec<_>>());
        let mut found = ids(&run, "comments");
        let mut expect: Vec<i64> = (0..parents)
            .flat_map(|id| (0..comments_of(id)).map(move |n| (id * 100 + n) as i64))
            .collect();
        for row in run.rows("comments") {
            let post = row["id"].as_i64().unwrap() / 100;
            assert_eq!(row["_posts_id"], json!(post));
            assert_eq!(row["_posts_title"], json!(format!("t{post}")));
        }
        assert_eq!(found.len(), expect.len());
        // The records of one parent are in order.
        found.sort_by_key(|id| id / 100);
        assert_eq!(found, expect);
        expect.sort_unstable();
        assert!(run.fetches.iter().all(|step| step.len() <= 8));
        if parents > 8 {
            assert_eq!(run.fetches.iter().map(Vec::len).max(), Some(8));
        }
    }
}

#[test]
fn thousands_of_children_and_of_parents() {
    let run = good(
        &world::job(json!([posts(), comments()])),
        blog(3, |id| if id == 1 { 5000 } else { 1 }),
    );
    assert_eq!(ids(&run, "comments").len(), 5002);
    let run = good(&world::job(json!([posts(), comments()])), blog(3000, |_| 1));
    assert_eq!(ids(&run, "comments").len(), 3000);
}

#[test]
fn large_pages_are_requested_a_few_at_a_time() {
    let blank = " ".repeat(15 << 20);
    let run = good(&world::job(json!([posts(), comments()])), |n, request| {
        let mut page = blog(9, |_| 1)(n, request)?;
        if path(request) == "posts/4/comments" {
            page.body.push_str(&blank);
        }
        Ok(page)
    });
    assert_eq!(ids(&run, "comments"), [0, 100, 200, 300, 400, 500, 600, 700, 800]);
    // Two pages of posts, then one page of comments, then eight, and never more than two at once.
    let sizes: Vec<usize> = run.fetches.iter().map(Vec::len).collect();
    assert_eq!(sizes[..4], [1, 1, 1, 8]);
    assert!(sizes[4..].iter().all(|size| *size <= 2), "{sizes:?}");
}

#[test]
fn a_parent_that_is_not_selected_is_read_and_not_loaded() {
    let mut job = world::job(json!([posts(), comments()]));
    job["selected"] = json!(["comments"]);
    let run = good(&job, blog(12, |_| 1));
    assert_eq!(ids(&run, "comments").len(), 12);
    let tables: Vec<&str> = run.report.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(tables, ["comments"]);
    assert!(!run.sql.iter().any(|statement| statement.contains("\"POSTS\"")));
    // A parent whose write disposition skips it is read, too.
    let mut skipped = posts();
    skipped["write_disposition"] = json!("skip");
    let run = good(&world::job(json!([skipped, comments()])), blog(12, |_| 1));
    assert_eq!(ids(&run, "comments").len(), 12);
    assert_eq!(run.report.tables.len(), 1);
}

#[test]
fn children_of_new_parents_only_are_requested() {
    let mut parent = posts();
    parent["endpoint"]["incremental"] = json!({"cursor_path": "id", "initial_value": 10});
    let run = good(&world::job(json!([parent, comments()])), blog(12, |_| 1));
    assert_eq!(ids(&run, "posts"), [10, 11]);
    assert_eq!(ids(&run, "comments"), [1000, 1100]);
}

#[test]
fn children_of_children() {
    let replies = json!({
        "name": "replies",
        "include_from_parent": ["_posts_id"],
        "endpoint": {
            "path": "replies",
            "params": {"of": "{resources.comments.id}", "post": "{resources.comments._posts_id}"},
            "paginator": "single_page",
        },
    });
    let server = blog(3, |_| 2);
    let run = good(&world::job(json!([replies, comments(), posts()])), |n, request| {
        match path(request) {
            "replies" => {
                let of = param(request, "of").unwrap();
                ok(&json!([{"id": of.parse::<i64>().unwrap(), "post": param(request, "post")}]))
            }
            _ => server(n, request),
        }
    });
    assert_eq!(ids(&run, "replies"), [0, 1, 100, 101, 200, 201]);
    for row in run.rows("replies") {
        assert_eq!(row["_comments__posts_id"], json!(row["id"].as_i64().unwrap() / 100));
        assert_eq!(row["post"], json!((row["id"].as_i64().unwrap() / 100).to_string()));
    }
}

#[test]
fn fields_of_parents_are_filled_in_everywhere() {
    let record = json!({"id": 12_345_678_901_234_u64, "s": "a b/c?d#e&f", "t": true, "n": null,
        "f": 1.50, "o": {"x": [7]}, "url": "https://x.net/v1/other?x=1"});
    let check = |endpoint: Value, expect: &str| {
        let child = json!({"name": "c", "endpoint": endpoint});
        let parent = json!({"name": "p", "endpoint": {"path": "p", "paginator": "single_page"}});
        let (run, ended) =
            run(&world::job(json!([parent, child])), |_, request| match path(request) {
                "p" => ok(&json!([record])),
                _ => ok(&json!([])),
            });
        let said = match ended {
            Err(fault) => fault.to_string(),
            Ok(()) => {
                let last = run.fetches.last().unwrap().last().unwrap();
                let url = last.url.strip_prefix("https://x.net/v1/").unwrap();
                let header = last.headers.iter().find(|(name, _)| name == "x-h");
                let header = header.map(|(_, value)| format!(" {value}")).unwrap_or_default();
                format!("{url}{header} {}", last.body.as_deref().unwrap_or_default())
            }
        };
        assert_eq!(said.trim(), expect);
    };
    check(json!({"path": "c/{resources.p.id}"}), "c/12345678901234");
    check(json!({"path": "c/{resources.p.s}/x"}), "c/a%20b/c%3Fd%23e&f/x");
    check(json!({"path": "{resources.p.url}"}), "other?x=1");
    check(json!({"path": "c/{resources.p.o.x[0]}"}), "c/7");
    check(
        json!({"path": "c/{i}", "params": {"i": {"type": "resolve", "resource": "p", "field": "id"}}}),
        "c/12345678901234",
    );
    check(
        json!({"path": "c", "params": {"q": "{resources.p.s}", "t": "x{resources.p.t}"}}),
        "c?q=a+b%2Fc%3Fd%23e%26f&t=xtrue",
    );
    check(json!({"path": "c", "headers": {"X-H": "v {resources.p.f}"}}), "c v 1.5");
    check(
        json!({"path": "c", "method": "POST", "json": {
            "id": "{resources.p.id}", "o": "{resources.p.o}", "n": "{resources.p.n}",
            "t": ["id {resources.p.id}"],
        }}),
        r#"c {"id":12345678901234,"o":{"x":[7]},"n":null,"t":["id 12345678901234"]}"#,
    );
    check(
        json!({"path": "c/{resources.p.n}"}),
        "pipeline p: resource c: parent p 1 (n null): endpoint.path: expected a string or a number in the parent's record to ask with, found null",
    );
    check(
        json!({"path": "c/{resources.p.x}"}),
        "pipeline p: resource c: parent p 1 (x ): endpoint.path: expected a field \"x\" in the record of parent \"p\", found nothing",
    );
}

/// The author of a field at the source cannot choose what is requested.
#[test]
fn values_cannot_change_the_path() {
    let check = |path: &str, value: &str, asked: Option<&str>| {
        let child = json!({"name": "c", "endpoint": {"path": path, "data_selector": "$"}});
        let parent = json!({"name": "p", "endpoint": {"path": "p", "paginator": "single_page"}});
        let (run, ended) =
            run(&world::job(json!([parent, child])), |_, request| match path_of(request) {
                "p" => ok(&json!([{"v": value}])),
                _ => ok(&json!([])),
            });
        match asked {
            Some(asked) => {
                ended.unwrap();
                assert_eq!(run.asked().last(), Some(&asked), "{path} {value}");
            }
            None => {
                let fault = ended.unwrap_err().to_string();
                let expect = format!(
                    "endpoint.path: expected a string without \".\" and \"..\" as parts of a path, found {value:?}"
                );
                assert!(fault.ends_with(&expect), "{fault}");
                assert_eq!(run.asked(), ["p"]);
            }
        }
    };
    let inner = "items/{resources.p.v}/comments";
    // A name with several segments, and encoded text, as sources have them.
    check(inner, "octo/repo", Some("items/octo/repo/comments"));
    check(inner, "octo%2Frepo", Some("items/octo%2Frepo/comments"));
    check(inner, "a..b/.c/...", Some("items/a..b/.c/.../comments"));
    check(inner, "50%", Some("items/50%25/comments"));
    for value in [
        "..",
        "../../admin/export",
        "a/../../b",
        ".",
        "%2e%2e/admin",
        "a%2F..%2fb",
        "..\\admin",
        "",
    ] {
        check(inner, value, None);
    }
    let twice = "items/{resources.p.v}{resources.p.v}/x";
    check(twice, "a", Some("items/aa/x"));
    let whole = "{resources.p.v}";
    check(whole, "https://x.net/v1/files/1?at=../..", Some("files/1?at=../.."));
    check(whole, "/files/1", Some("files/1"));
    check(whole, "https://x.net/v1/../admin", None);
}

#[test]
fn fields_of_the_parent_override_those_of_the_record() {
    let child = json!({
        "name": "c",
        "include_from_parent": ["id", "user"],
        "endpoint": {"path": "posts/{resources.posts.id}/comments", "paginator": "single_page"},
    });
    let run = good(&world::job(json!([posts(), child])), |n, request| match path(request) {
        "posts/0/comments" => answer(200, &[], "[{\"_posts_id\": \"own\", \"b\": 1}, {}]"),
        _ => blog(1, |_| 0)(n, request),
    });
    assert_eq!(
        run.rows("c"),
        [
            json!({"_posts_id": 0, "b": 1, "_posts_user__name": "u0"}),
            json!({"_posts_id": 0, "_posts_user__name": "u0"}),
        ]
    );
}

#[test]
fn ignored_response_ends_one_parent_only() {
    let mut child = comments();
    child["endpoint"]["response_actions"] = json!([{"status_code": 404, "action": "ignore"}]);
    let run = good(&world::job(json!([posts(), child])), |n, request| match path(request) {
        "posts/1/comments" => answer(404, &[], "gone"),
        "posts/2/comments" => answer(204, &[], ""),
        _ => blog(4, |_| 1)(n, request),
    });
    assert_eq!(ids(&run, "comments"), [0, 300]);
}
