//! Every kind of failure at every page: the load equals that of an undisturbed run, or it fails
//! with an error that names request, page and reason, and publishes nothing.

use serde_json::{Value, json};

use super::world::{self, Answer, Run, answer, good, ok, param, path, run};
use snowcat_guest::protocol::{Failure, Request};

const PAGES: usize = 4;
const PARENTS: usize = 3;

/// A job with pages by cursor, by number and by link, and a child resource of several parents.
fn job() -> Value {
    let mut job = world::job(json!([
        {
            "name": "items", "write_disposition": "merge", "primary_key": "id",
            "endpoint": {
                "data_selector": "items",
                "paginator": {"type": "cursor", "cursor_path": "next"},
                "incremental": {"cursor_path": "at", "initial_value": "2024-01-01"},
            },
        },
        {
            "name": "events",
            "endpoint": {"paginator": {"type": "page_number", "total_path": "total"}},
        },
        {"name": "links", "endpoint": {"paginator": "header_link"}},
        {"name": "posts", "endpoint": {"paginator": "single_page"}},
        {
            "name": "comments", "include_from_parent": ["id"],
            "endpoint": {
                "path": "posts/{resources.posts.id}/comments",
                "paginator": {"type": "json_link", "next_url_path": "next"},
            },
        },
    ]));
    job["credentials"] = json!({"token": {
        "type": "oauth2_client_credentials", "hosts": ["x.net"],
        "access_token_url": "https://x.net/token",
    }});
    job["client"]["auth"] = json!("token");
    job
}

fn serve(request: &Request) -> Answer {
    assert_eq!(request.auth.as_deref(), Some("token"));
    let number =
        |name: &str| param(request, name).map_or(0, |number| number.parse::<usize>().unwrap());
    let records = |page: usize| -> Vec<Value> {
        let record = |n| json!({"id": page * 10 + n, "at": format!("2024-02-0{page}"), "l": [n]});
        (0..3).map(record).collect()
    };
    let following = |page: usize| (page + 1 < PAGES).then_some(page + 1);
    match path(request).split('/').collect::<Vec<_>>().as_slice() {
        ["items"] => {
            let page = number("cursor");
            ok(&json!({"items": records(page), "next": following(page)}))
        }
        ["events"] => ok(&json!({"data": records(number("page")), "total": PAGES})),
        ["links"] => {
            let page = number("p");
            let link =
                following(page).map(|n| format!("<https://x.net/v1/links?p={n}>; rel=\"next\""));
            let headers: Vec<_> = link.iter().map(|link| ("link", link.as_str())).collect();
            answer(200, &headers, &json!(records(page)).to_string())
        }
        ["posts"] => ok(&json!((0..PARENTS).map(|id| json!({"id": id})).collect::<Vec<_>>())),
        ["posts", id, "comments"] => {
            let page = number("p");
            let next = following(page).map(|n| format!("/v1/posts/{id}/comments?p={n}"));
            ok(&json!({"data": records(page), "next": next}))
        }
        other => panic!("{other:?}"),
    }
}

fn failure(message: &str, transient: bool) -> Answer {
    Err(Failure { code: String::new(), message: message.to_owned(), transient })
}

/// The URL of a request in faults.
fn shown(request: &Request) -> String {
    match request.url.split_once('?') {
        None => format!("GET {}", request.url),
        Some((address, query)) => {
            let names = query.split('&').map(|pair| pair.split('=').next().unwrap());
            let names: Vec<_> = names.map(|name| format!("{name}=...")).collect();
            format!("GET {address}?{}", names.join("&"))
        }
    }
}

fn undisturbed() -> Run {
    good(&job(), |_, request| serve(request))
}

/// Disturbs each request of the run once. `trouble` turns a good response into a bad one.
fn each(
    trouble: impl Fn(Answer) -> Answer,
    lasting: bool,
    judge: impl Fn(Run, &Request, Result<(), String>),
) {
    let requests: Vec<Request> = undisturbed().fetches.into_iter().flatten().collect();
    // Items, events, links and comments have several pages; posts have one.
    assert_eq!(requests.len(), 3 * PAGES + 1 + PARENTS * PAGES);
    for disturbed in &requests {
        let mut times = 0;
        let (run, ended) = run(&job(), |_, request| {
            let good = serve(request);
            if request != disturbed {
                return good;
            }
            times += 1;
            if lasting || times == 1 { trouble(good) } else { good }
        });
        assert!(times > 0);
        judge(run, disturbed, ended.map_err(|fault| fault.to_string()));
    }
}

#[test]
fn temporary_failures_do_not_change_the_load() {
    let expect = undisturbed();
    let check = |name: &str, trouble: fn(Answer) -> Answer, waits: usize| {
        each(trouble, false, |run, request, ended| {
            let place = format!("{name} at {}", request.url);
            assert_eq!(ended, Ok(()), "{place}");
            assert_eq!(run.uploads, expect.uploads, "{place}");
            assert_eq!(run.sql, expect.sql, "{place}");
            assert_eq!(run.report.tables, expect.report.tables, "{place}");
            assert_eq!(run.report.state, expect.report.state, "{place}");
            assert_eq!(run.report.pages, expect.report.pages, "{place}");
            assert_eq!(run.report.requests, expect.report.requests + 1, "{place}");
            assert_eq!(run.waits.len(), waits, "{place}");
        });
    };
    check("500", |_| answer(500, &[], "oops"), 1);
    check("502 in HTML", |_| answer(502, &[("content-type", "text/html")], "<html>"), 1);
    check("503", |_| answer(503, &[("retry-after", "7")], ""), 1);
    check(
        "503 until a date",
        |_| {
            let date = ("date", "Sun, 06 Nov 1994 08:49:00 GMT");
            answer(503, &[date, ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], "")
        },
        1,
    );
    check("429", |_| answer(429, &[], ""), 1);
    check(
        "403 for its limit",
        |_| {
            let left = ("x-ratelimit-remaining", "0");
            answer(403, &[left, ("x-ratelimit-reset", "30")], "limit")
        },
        1,
    );
    check("408", |_| answer(408, &[], ""), 1);
    check("time-out", |_| failure("no answer within 60 s", true), 1);
    check("connection", |_| failure("the connection was closed", true), 1);
    check("cut off", |good| cut(good, 2), 1);
    check("token", |_| answer(401, &[], "expired"), 0);
}

/// A page that is truncated after `part`.
fn cut(good: Answer, part: usize) -> Answer {
    let mut response = good.unwrap();
    response.body.truncate(response.body.len() / part);
    Ok(response)
}

#[test]
fn permanent_failures_are_reported() {
    let check = |reason: &str, trouble: fn(Answer) -> Answer| {
        each(trouble, true, |run, request, ended| {
            let Err(fault) = ended else { panic!("no fault for {reason:?} at {}", request.url) };
            assert!(!run.published(), "{fault}");
            assert!(fault.ends_with(reason), "{fault}\nexpected {reason}");
            assert!(fault.contains(": page "), "{fault}");
            assert!(fault.contains(&format!(": {}: ", shown(request))), "{fault}");
            assert_eq!(fault.matches("GET ").count(), 1, "{fault}");
            let of_child = request.url.contains("comments");
            assert_eq!(fault.contains("resource comments: parent posts "), of_child, "{fault}");
        });
    };
    check("status 500: oops, at the 5th attempt", |_| answer(500, &[], "oops"));
    check("no answer: no answer within 60 s, at the 5th attempt", |_| {
        failure("no answer within 60 s", true)
    });
    check("no answer: the body is larger than 100 MiB", |_| {
        failure("the body is larger than 100 MiB", false)
    });
    check("bytes, at the 5th attempt", |good| cut(good, 2));
    check("credential \"token\" was refused: status 401: no", |_| answer(401, &[], "no"));
    check("credential \"token\" was refused: status 403: no", |_| answer(403, &[], "no"));
    check("status 404: nope", |_| answer(404, &[], "nope"));
    check("status 429: it asks to wait 3600 s, more than the 900 s a load waits", |_| {
        answer(429, &[("retry-after", "3600")], "")
    });
    check("status 302, a redirect to https://login.x.net/?to=... that is not followed", |_| {
        answer(302, &[("location", "https://login.x.net/?to=x")], "")
    });
    check("expected JSON, found status 200 and text/html: <html>Log in</html>", |_| {
        answer(200, &[("content-type", "text/html")], "<html>Log in</html>")
    });
    check("expected JSON, found status 200 and text/html: [1]", |_| {
        answer(200, &[("content-type", "text/html; charset=utf-8")], "[1]")
    });
    check("expected JSON, found status 200 and application/xml: <a/>", |_| {
        answer(200, &[("content-type", "application/xml")], "<a/>")
    });
    check("expected JSON, found status 200 and no body", |_| answer(200, &[], ""));
    check("", |_| answer(200, &[], "sorry"));
    check("", |good| {
        let mut response = good.unwrap();
        response.body.push('x');
        Ok(response)
    });
    check("", |_| answer(200, &[], "{\"items\":[{\"id\":1,\"id\"}],\"next\":null}"));
}

/// Wherever a page is truncated, it is complete in the next attempt, or the load fails.
#[test]
fn truncated_page_is_never_read_in_part() {
    let expect = undisturbed();
    let length = serve(&expect.fetches[1][0]).unwrap().body.len();
    let mut seen = [0, 0];
    for at in 0..length {
        let mut cut = false;
        let (run, ended) = run(&job(), |n, request| {
            let mut good = serve(request)?;
            if n == 1 {
                good.body.truncate(at);
                cut = true;
            }
            Ok(good)
        });
        assert!(cut);
        match ended {
            Ok(()) => {
                assert_eq!((run.uploads, run.sql), (expect.uploads.clone(), expect.sql.clone()))
            }
            Err(fault) => {
                assert!(!run.published());
                assert!(
                    fault.to_string().contains("page 2: GET https://x.net/v1/items?"),
                    "{fault}"
                );
                seen[1] += 1;
                continue;
            }
        }
        seen[0] += 1;
    }
    assert!(seen.iter().all(|count| *count > 3), "{seen:?}");
}

/// If the job names the location of the records, a response with records elsewhere is an error.
#[test]
fn errors_with_status_200_are_reported() {
    for body in ["{\"error\":\"denied\"}", "{\"message\":\"denied\"}", "{\"rows\":[1]}", "[]", "7"]
    {
        let denied = |_| answer(200, &[], body);
        each(denied, true, |run, request, ended| {
            if path(request) == "items" {
                let fault = ended.unwrap_err();
                assert!(fault.contains(": expected records at items, found a page "), "{fault}");
                assert!(!run.published());
            }
        });
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn cycles_of_cursors_are_reported() {
    let check = |paginator: Value, page: fn(usize) -> Answer, message: &str| {
        let endpoint = json!({"path": "items", "data_selector": "items", "paginator": paginator});
        let (run, ended) =
            run(&world::job(json!([{"name": "items", "endpoint": endpoint}])), |n, _| {
                assert!(n < 100, "it would never end");
                page(n)
            });
        assert!(!run.published());
        assert_eq!(
            ended.unwrap_err().to_string(),
            format!("pipeline p: resource items: {message}")
        );
    };
    check(
        json!({"type": "cursor", "cursor_path": "next"}),
        |_| ok(&json!({"items": [1], "next": "same"})),
        "page 2: GET https://x.net/v1/items?cursor=...: expected a new page, found \"same\" again after 2 pages: the source would never end (where a cursor stays the same on purpose, say what ends the pages: stop_after_empty_page, has_more_path or end_path)",
    );
    check(
        json!({"type": "cursor", "cursor_path": "next"}),
        |n| ok(&json!({"items": [1], "next": 1 + n % 3})),
        "page 7: GET https://x.net/v1/items?cursor=...: expected a new page, found 1 again after 7 pages: the source would never end (where a cursor stays the same on purpose, say what ends the pages: stop_after_empty_page, has_more_path or end_path)",
    );
    check(
        json!("json_link"),
        |_| ok(&json!({"items": [1], "next": "/v1/items?p=2"})),
        "page 2: GET https://x.net/v1/items?p=...: expected a new page, found /v1/items?p=2 again after 2 pages: the source would never end (where the last page refers to itself, say what ends the pages: stop_after_empty_page, has_more_path or end_path)",
    );
    let check = |resource: Value, page: fn(usize) -> Answer, message: Option<&str>| {
        let (run, ended) = run(&world::job(json!([resource])), |n, _| {
            assert!(n < 30_000, "it would never end");
            page(n)
        });
        assert_eq!(run.published(), message.is_none());
        assert_eq!(ended.err().map(|fault| fault.to_string()).as_deref(), message);
    };
    // A source that ignores the page number: detected at once if records have keys, otherwise at
    // the third page.
    let offset = json!({"path": "items", "data_selector": "items", "paginator":
        {"type": "offset", "limit": 1, "total_path": null, "maximum_offset": 5}});
    let same: fn(usize) -> Answer = |_| ok(&json!({"items": [{"id": 1}]}));
    check(
        json!({"name": "items", "primary_key": "id", "endpoint": offset}),
        same,
        Some(
            "pipeline p: resource items: page 2: GET https://x.net/v1/items?offset=...&limit=...: expected a new page, found the records of the one before, byte for byte: the source seems to ignore \"offset\"",
        ),
    );
    check(
        json!({"name": "items", "endpoint": offset}),
        same,
        Some(
            "pipeline p: resource items: page 3: GET https://x.net/v1/items?offset=...&limit=...: expected a new page, found the records of the one before, byte for byte: the source seems to ignore \"offset\"",
        ),
    );
    // Values around the records do not matter.
    let around: fn(usize) -> Answer =
        |n| ok(&json!({"took": n + 1, "items": [{"id": 1}, {"id": 2}]}));
    let endless = |key: &str, paginator: &Value| {
        let endpoint = json!({"path": "items", "data_selector": "items", "paginator": paginator});
        let key = (!key.is_empty()).then_some(key);
        json!({"name": "items", "primary_key": key, "endpoint": endpoint})
    };
    let message = |page: usize, param: &str| {
        format!(
            "pipeline p: resource items: page {page}: GET https://x.net/v1/items?{param}=...: expected a new page, found the records of the one before, byte for byte: the source seems to ignore \"{param}\""
        )
    };
    for (paginator, param) in [
        (json!({"type": "page_number", "total_path": null}), "page"),
        // A token may differ in each response and return the same page.
        (json!({"type": "cursor", "cursor_path": "took", "cursor_param": "token"}), "token"),
    ] {
        check(endless("id", &paginator), around, Some(&message(2, param)));
        check(endless("", &paginator), around, Some(&message(10, param)));
    }
    // Pages without records that always announce more.
    let nothing: fn(usize) -> Answer =
        |n| ok(&json!({"items": [], "more": true, "token": "x", "next": format!("?p={n}")}));
    for paginator in [
        json!("json_link"),
        json!({"type": "cursor", "cursor_path": "token", "cursor_param": "p", "has_more_path": "more"}),
        json!({"type": "page_number", "page_param": "p", "total_path": null, "has_more_path": "more", "stop_after_empty_page": false}),
    ] {
        let message = "pipeline p: resource items: page 10001: GET https://x.net/v1/items?p=...: expected an end, found 10000 pages in a row without records";
        check(endless("id", &paginator), nothing, Some(message));
    }
    // Many pages with few records.
    let pages: fn(usize) -> Answer = |n| {
        let items = if n % 9_000 == 0 { json!([{"id": n}]) } else { json!([]) };
        ok(&json!({"items": items, "next": (n < 27_000).then(|| format!("?p={n}"))}))
    };
    check(endless("id", &json!("json_link")), pages, None);
    // Two pages of records without keys may be equal, and so may empty pages.
    let pairs: fn(usize) -> Answer = |n| ok(&json!({"items": [{"x": n / 2}]}));
    check(json!({"name": "items", "endpoint": offset}), pairs, None);
}

#[test]
fn links_to_other_hosts_get_no_credential() {
    let mut job = job();
    job["selected"] = json!(["links"]);
    let (run, ended) = run(&job, |_, _| {
        answer(200, &[("link", "<https://y.net/links?p=1>; rel=\"next\"")], "[1]")
    });
    assert_eq!(run.fetches.len(), 1);
    assert_eq!(
        ended.unwrap_err().to_string(),
        "pipeline p: resource links: page 1: GET https://x.net/v1/links: expected the next page at x.net, the hosts of credential \"token\", found https://y.net/links?p=..."
    );
}

#[test]
fn parallel_requests_share_one_wait() {
    let (run, ended) = run(&job(), |n, request| match path(request) {
        "posts/1/comments" if n < 17 => answer(429, &[("retry-after", "3")], ""),
        "posts/2/comments" if n < 17 => answer(429, &[("retry-after", "20")], ""),
        _ => serve(request),
    });
    ended.unwrap();
    assert_eq!(run.uploads, undisturbed().uploads);
    let [wait] = run.waits.as_slice() else { panic!("{:?}", run.waits) };
    assert!((20.0..=21.0).contains(wait), "{wait}");
}

#[test]
fn impossible_merge_fails_before_tables_change() {
    let check = |root_key: bool, items: &Value, message: Option<&str>| {
        let endpoint =
            json!({"path": "items", "data_selector": "items", "paginator": "single_page"});
        let mut job = world::job(json!([{
            "name": "items", "primary_key": "id", "write_disposition": "merge", "endpoint": endpoint,
        }]));
        job["root_key"] = json!(root_key);
        let (run, ended) = run(&job, |_, _| ok(&json!({"items": items})));
        assert_eq!(ended.err().map(|fault| fault.to_string()).as_deref(), message);
        let changed =
            run.sql.iter().any(|sql| sql.starts_with("CREATE TABLE") || sql.starts_with("ALTER"));
        assert_eq!(
            (changed, run.published()),
            (message.is_none(), message.is_none()),
            "{:?}",
            run.sql
        );
    };
    let deep = json!([{"id": 1, "a": [{"b": [1]}]}]);
    check(true, &deep, None);
    check(false, &json!([{"id": 1, "a": [1]}]), None);
    check(
        false,
        &deep,
        Some(
            "pipeline p: publishing: resource items: table items__a__b: expected _dlt_root_id in the rows of a table that is merged, found none: root_key must not be false",
        ),
    );
}
