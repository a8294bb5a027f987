//! Sources that never end.

use serde_json::json;

use super::*;
use crate::job::Job;

/// The paginator, as parsed from a job.
fn pager(paginator: &Value) -> Pager {
    let job = json!({
        "pipeline": "p", "database": "D", "dataset": "s",
        "client": {"base_url": "https://x.net"},
        "resources": [{"name": "a", "endpoint": {"paginator": paginator}}],
    });
    let job = Job::parse(&job.to_string()).unwrap();
    Pager::new(job.resources[0].endpoint().unwrap().paginator.clone().unwrap())
}

fn show(next: &NextPage) -> String {
    match next {
        NextPage::End => "end".to_owned(),
        NextPage::Set(ParamLocation::Query(name), value) => format!("{name}={value}"),
        NextPage::Set(ParamLocation::Body(keys), value) => format!("{}:{value}", keys.join(".")),
        NextPage::Url(url) => url.clone(),
    }
}

/// Pages are (records, captured values); steps are the requests after each page, or the fault.
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
fn cycles_are_detected() {
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
    // A cycle is detected before it has repeated twice.
    for (lead, length) in [(0, 1), (3, 5), (10, 7), (1, 32)] {
        let mut seen = Loop::default();
        let noticed = (0_usize..).position(|n| {
            let at = if n < lead { n } else { lead + (n - lead) % length };
            seen.closes(&at.to_string())
        });
        assert!(noticed.unwrap() < 3 * (lead + length) + 3, "{lead} {length} {noticed:?}");
    }
}
