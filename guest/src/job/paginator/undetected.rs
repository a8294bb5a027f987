//! Responses in which no paginator recognizes itself: either there is one page, or the response has a sign of
//! more pages and does not show how to request them.

use serde_json::{Value, json};

use super::cursor;
use super::evidence::{Evidence, Finding, shown};
use super::options::written;
use super::page::header;
use super::single_page::SinglePage;
use crate::json::Path;

pub(super) fn detect(evidence: &Evidence<'_>) -> Finding<SinglePage> {
    let signs = &evidence.signs;
    if signs.is_more {
        let token = match &signs.opaque {
            Some(keys) => written(keys),
            None => last_id(evidence.selector),
        };
        let example = evidence.example_with_more(cursor::example(evidence, &token));
        return Finding::Unknown(evidence.shown_more(), example);
    }
    for name in ["x-total-pages", "x-wp-totalpages", "x-pagination-page-count"] {
        if number(evidence, name).is_some_and(|pages| pages > 1) {
            let example = json!({"type": "page_number", "base_page": 1, "total_path": null});
            return Finding::Unknown(format!("the header {name}"), example);
        }
    }
    if let Some(keys) = &signs.none_next {
        return Finding::Single(format!("{} is empty", shown(keys)));
    }
    if let Some(keys) = &signs.opaque {
        let example = cursor::example(evidence, &written(keys));
        return Finding::Unknown(format!("a token at {}", shown(keys)), example);
    }
    by_total(evidence)
        .unwrap_or_else(|| Finding::Single("the answer shows no sign of more pages".to_owned()))
}

/// The source has more records than the page.
fn by_total(evidence: &Evidence<'_>) -> Option<Finding<SinglePage>> {
    let records = evidence.records.filter(|records| *records > 0)?;
    let example = |total: Value| json!({"type": "offset", "limit": records, "total_path": total});
    // The records before an offset are not on the page either.
    let begun = evidence.signs.offset.as_ref().map_or(0, |(_, from)| (*from).max(0));
    if let Some((keys, total)) = &evidence.signs.total
        && !evidence.is_record
        && u64::try_from(total.saturating_sub(begun)).is_ok_and(|total| total > records)
    {
        let sign = format!("{} is {total}, and the page has {records}", shown(keys));
        return Some(Finding::Unknown(sign, example(written(keys).into())));
    }
    for name in ["x-total-count", "x-total", "x-wp-total"] {
        if number(evidence, name).is_some_and(|total| total > records) {
            return Some(Finding::Unknown(format!("the header {name}"), example(Value::Null)));
        }
    }
    None
}

fn number(evidence: &Evidence<'_>, name: &str) -> Option<u64> {
    header(evidence.headers, name).and_then(|value| value.parse().ok())
}

/// The path of the last record's id.
fn last_id(selector: Option<&Path>) -> String {
    match selector.map(Path::as_str) {
        None | Some("$") => "[-1].id".to_owned(),
        Some(path) => format!("{path}[-1].id"),
    }
}
