//! Pages that are requested at once: the load is the same whatever their number is.

use serde_json::{Value, json};
use snowcat_guest::protocol::Request;

use super::world::{self, Answer, Run, answer, good, ok, param, run};

/// The records of a full page.
const SIZE: usize = 2;

/// A source with so many pages, of which the last one is not full, and a paginator that reads it.
struct Source {
    paginator: Value,
    /// Whether the paginator knows after the first page which page is the last.
    knows_end: bool,
    /// Whether the page before the end shows that it is the last.
    shows_end: bool,
}

/// Every way to end the pages.
fn sources() -> Vec<Source> {
    let source = |paginator: Value, knows_end: bool, shows_end: bool| Source {
        paginator,
        knows_end,
        shows_end,
    };
    vec![
        source(json!({"type": "page_number", "total_path": "pages"}), true, true),
        source(json!({"type": "offset", "limit": SIZE, "total_path": "items_total"}), true, true),
        source(json!({"type": "page_number", "total_path": null}), false, false),
        source(json!({"type": "offset", "limit": SIZE, "stop_at_short_page": true}), false, true),
        source(
            json!({"type": "page_number", "total_path": null, "has_more_path": "more"}),
            false,
            true,
        ),
        source(
            json!({"type": "page_number", "total_path": null, "end_status_codes": [410]}),
            false,
            false,
        ),
        source(
            json!({"type": "page_number", "total_path": "pages", "page_body_path": "page"}),
            true,
            true,
        ),
        source(json!({"type": "page_number", "total_path": null, "maximum_page": 5}), false, false),
    ]
}

/// A job that requests so many pages at once, and commits every two pages if `parts`.
fn job(paginator: &Value, at_once: usize, parts: bool) -> Value {
    let mut paginator = paginator.clone();
    if at_once > 1 {
        paginator["parallel"] = json!(at_once);
    }
    let mut resource = json!({
        "name": "items", "primary_key": "id", "write_disposition": "merge",
        "endpoint": {"data_selector": "items", "paginator": paginator,
                     "incremental": {"cursor_path": "at", "initial_value": 0}},
    });
    if paginator.get("page_body_path").is_some() {
        resource["endpoint"]["method"] = json!("POST");
    }
    if parts {
        resource["checkpoint"] = json!({"pages": 2});
    }
    world::job(json!([resource]))
}

/// The index of the page that is requested.
fn index(request: &Request) -> usize {
    if let Some(body) = &request.body {
        let body: Value = serde_json::from_str(body).unwrap();
        return body["page"].as_u64().unwrap() as usize;
    }
    let number = |name: &str| param(request, name).map(|number| number.parse::<usize>().unwrap());
    number("page").or(number("offset").map(|offset| offset / SIZE)).unwrap()
}

/// A page of a source with `pages` pages; after the last one a page without records, or the status 410.
fn serve(request: &Request, pages: usize, gone: bool) -> Answer {
    let page = index(request);
    if page >= pages && page > 0 && gone {
        return answer(410, &[], "gone");
    }
    let count = if page + 1 == pages { 1 } else { SIZE };
    let ids = if page < pages { page * SIZE..page * SIZE + count } else { 0..0 };
    let record = |id: usize| json!({"id": id, "at": 100 - id, "l": [id]});
    let total = (pages * SIZE).saturating_sub(1);
    ok(&json!({"items": ids.map(record).collect::<Vec<_>>(), "pages": pages,
               "items_total": total, "more": page + 1 < pages}))
}

/// What a run leaves.
fn outcome(run: Run, ended: Result<(), String>) -> impl PartialEq + std::fmt::Debug {
    let report = run.report;
    let left = (report.tables, report.state, report.cursors, report.pages, report.warnings);
    (ended, run.uploads, run.sql, left)
}

/// A run of a job in which the page at an index fails, the first `times` times.
fn disturbed(
    job: &Value,
    (pages, gone): (usize, bool),
    failing: Option<(usize, u16, usize)>,
) -> (Run, Result<(), String>) {
    let mut failed = 0;
    let (run, ended) = run(job, |_, request| match failing {
        Some((page, status, times)) if page == index(request) && failed < times => {
            failed += 1;
            answer(status, &[], "no")
        }
        _ => serve(request, pages, gone),
    });
    (run, ended.map_err(|fault| fault.to_string()))
}

/// The number of pages of the source that one page at a time requests.
fn asked(source: &Source, pages: usize) -> usize {
    let pages = if source.shows_end { pages.max(1) } else { pages + 1 };
    let maximum = source.paginator.get("maximum_page").and_then(Value::as_u64);
    maximum.map_or(pages, |maximum| pages.min(maximum as usize))
}

/// Compares these numbers of pages at once with one, for sources with up to nine pages, and for a failure (its
/// status, and how often it comes) of each page and of those behind the last one.
fn each(
    sources: &[Source],
    numbers: &[usize],
    failures: &[(u16, usize)],
    parts: bool,
    judge: impl Fn(&Source, usize, &Run),
) {
    for source in sources {
        let gone = source.paginator.get("end_status_codes").is_some();
        for pages in 0..=9 {
            let at = |(status, times): (u16, usize)| {
                (0..pages + 3).map(move |page| Some((page, status, times)))
            };
            let all = failures.iter().flat_map(|failure| at(*failure));
            for failing in std::iter::once(None).chain(all) {
                let (run, ended) =
                    disturbed(&job(&source.paginator, 1, parts), (pages, gone), failing);
                let expect = outcome(run, ended);
                for &at_once in numbers {
                    let place = format!("{} {pages} {failing:?} {at_once}", source.paginator);
                    let (run, ended) =
                        disturbed(&job(&source.paginator, at_once, parts), (pages, gone), failing);
                    assert!(run.fetches.iter().all(|step| step.len() <= at_once), "{place}");
                    if ended.is_ok() {
                        judge(source, pages, &run);
                    }
                    assert_eq!(outcome(run, ended), expect, "{place}");
                }
            }
        }
    }
}

/// Only pages that exist are requested if their number is known.
fn check_requests(source: &Source, pages: usize, run: &Run) {
    let end = if source.knows_end { pages.max(1) } else { usize::MAX };
    let maximum = source.paginator.get("maximum_page").and_then(Value::as_u64);
    let end = maximum.map_or(end, |maximum| end.min(maximum as usize));
    for request in run.fetches.iter().flatten() {
        assert!(index(request) < end, "{} {}", source.paginator, request.url);
    }
    assert!(run.asked().len() >= asked(source, pages));
}

#[test]
fn pages_at_once_do_not_change_the_load() {
    each(&sources(), &[2, 3, 7, 32], &[], false, check_requests);
}

#[test]
fn failures_of_pages_at_once_do_not_change_the_load() {
    let mut sources = sources();
    let (unknown, known) = (sources.swap_remove(2), sources.swap_remove(0));
    each(&[known, unknown], &[2, 3, 7, 32], &[(429, 1), (403, 9)], false, check_requests);
}

#[test]
fn pages_at_once_do_not_change_the_parts_of_a_load() {
    let sources = &sources()[1..3];
    each(sources, &[3, 32], &[(503, 2)], true, |_, pages, run| {
        let commits = run.sql.iter().filter(|statement| *statement == "COMMIT").count();
        assert!(commits > pages.saturating_sub(1) / 2, "{commits} {pages}");
    });
}

/// The sizes of the steps that request 20 pages, at most eight at once.
fn steps(change: impl Fn(&mut Value), server: impl Fn(usize, &Request, Answer) -> Answer) -> Run {
    let paginator = json!({"type": "page_number", "total_path": "pages"});
    let mut job = job(&paginator, 8, false);
    change(&mut job["resources"][0]);
    good(&job, |n, request| server(n, request, serve(request, 20, false)))
}

fn sizes(run: &Run) -> Vec<usize> {
    run.fetches.iter().map(Vec::len).collect()
}

#[test]
fn a_temporary_failure_lowers_the_number_of_pages_at_once() {
    let check = |failing: &[usize], expect: &[usize], waits: usize| {
        let run = steps(
            |_| (),
            |n, _, page| match failing.contains(&n) {
                true => answer(429, &[("retry-after", "3")], ""),
                false => page,
            },
        );
        assert_eq!(sizes(&run)[..expect.len()], *expect, "{failing:?}");
        assert_eq!(run.waits.len(), waits, "{failing:?}");
        assert_eq!(run.rows("items").len(), 20 * SIZE - 1);
    };
    // The total is on the first page.
    check(&[], &[1, 8, 8, 3], 0);
    // Only the requests that failed are repeated.
    check(&[3], &[1, 8, 1, 4, 4, 3], 1);
    check(&[3, 5, 6, 7], &[1, 8, 4, 4, 4, 3], 1);
    // At most as many as then are allowed, and one wait for all.
    check(&[1, 2, 3, 4, 5, 6], &[1, 8, 4, 2, 4, 4, 3], 1);
    check(&[1, 9, 10, 11], &[1, 8, 1, 1, 1, 1, 1, 1], 4);
}

#[test]
fn the_number_of_pages_at_once_is_bounded() {
    let check = |cursor: Value, header: &str, blank: usize, expect: &[usize]| {
        let blank = " ".repeat(blank);
        let change = |resource: &mut Value| {
            let incremental = resource["endpoint"]["incremental"].as_object_mut().unwrap();
            incremental.extend(cursor.as_object().unwrap().clone());
        };
        let run = steps(change, |n, _, page| {
            let mut page = page?;
            page.headers.push(("x-ratelimit-remaining".to_owned(), header.to_owned()));
            if n == 0 {
                page.body.push_str(&blank);
            }
            Ok(page)
        });
        assert_eq!(sizes(&run)[..expect.len()], *expect, "{cursor} {header} {}", blank.len());
    };
    check(json!({}), "many", 0, &[1, 8, 8, 3]);
    // What the source still allows.
    check(json!({}), "5", 0, &[1, 5, 5, 5, 4]);
    check(json!({}), "1", 0, &[1, 1, 1]);
    check(json!({}), "0", 0, &[1, 1, 1]);
    // The memory for the pages.
    check(json!({}), "99", 10 << 20, &[1, 3, 3]);
    // The order of the records may end the pages.
    check(json!({"row_order": "desc"}), "99", 0, &[1, 1, 1]);
    check(json!({"row_order": "asc", "end_value": 1000}), "99", 0, &[1, 1, 1]);
    check(json!({"row_order": "asc"}), "99", 0, &[1, 8, 8, 3]);
}

/// Of a resource with a parent, one page of each of several records is requested at once.
#[test]
fn children_request_one_page_of_each_parent() {
    let paginator = json!({"type": "page_number", "total_path": "pages", "parallel": 8});
    let run = good(
        &world::job(json!([
            {"name": "parents", "endpoint": {"paginator": "single_page"}},
            {"name": "items", "endpoint": {
                "path": "of/{resources.parents.id}", "data_selector": "items", "paginator": paginator}},
        ])),
        |_, request| match world::path(request) {
            "parents" => ok(&json!([{"id": 1}, {"id": 2}])),
            _ => serve(request, 3, false),
        },
    );
    assert_eq!(sizes(&run), [1, 1, 2, 2, 1]);
    assert_eq!(run.rows("items").len(), 2 * (3 * SIZE - 1));
}
