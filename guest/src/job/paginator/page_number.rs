//! `page_number`: the number of a page is a parameter.

use serde_json::json;

use super::evidence::{Evidence, Finding, shown};
use super::options::{ParamLocation, written};
use super::range::{MAXIMUM, RangePages};
use crate::fault::Result;
use crate::job::parse::{JobObject, Keys};
use crate::json::Path;

pub(super) const KEYS: Keys = Keys::of(&[
    "type",
    "base_page",
    "page",
    "page_param",
    "page_body_path",
    "total_path",
    "maximum_page",
    "page_size",
    "stop_after_empty_page",
    "stop_at_short_page",
    "has_more_path",
    "end_path",
    "end_status_codes",
    "parallel",
]);

pub(super) fn parse(object: &JobObject<'_>) -> Result<RangePages> {
    let base = object.whole("base_page", 0, MAXIMUM)?.unwrap_or(0);
    let first = object.whole("page", 0, MAXIMUM)?.unwrap_or(base);
    let location = ParamLocation::parse(object, "page_param", "page_body_path", "page")?;
    RangePages {
        first,
        base,
        maximum: object.whole("maximum_page", 0, MAXIMUM)?,
        full_page: object
            .whole("page_size", 1, i64::from(u32::MAX))?
            .and_then(|size| u64::try_from(size).ok()),
        ..RangePages::new("pages", 1, location)
    }
    .ended(object)
}

/// The response has the number of the page and the number of pages.
pub(super) fn detect_page_of(evidence: &Evidence<'_>) -> Option<Finding<RangePages>> {
    evidence.signs.page.as_ref()?;
    by_count(evidence)
}

/// The response has the number of pages, and there is more than one.
pub(super) fn detect_count(evidence: &Evidence<'_>) -> Option<Finding<RangePages>> {
    evidence.signs.pages.as_ref().filter(|(_, pages)| *pages > 1)?;
    by_count(evidence)
}

/// The response has the number of the page, and says that there are more.
pub(super) fn detect_number(evidence: &Evidence<'_>) -> Option<Finding<RangePages>> {
    let (keys, number) = evidence.signs.page.as_ref()?;
    if !evidence.signs.is_more || evidence.has_body {
        return None;
    }
    let pages = RangePages {
        first: *number,
        base: i64::from(*number > 0),
        more: evidence.more(),
        ..RangePages::new("pages", 1, ParamLocation::Query(evidence.page_param.clone()))
    };
    Some(Finding::Pages(pages, format!("the number of the page at {}", shown(keys))))
}

fn by_count(evidence: &Evidence<'_>) -> Option<Finding<RangePages>> {
    let (keys, pages) = evidence.signs.pages.as_ref()?;
    let page = evidence.signs.page.as_ref();
    let param = &evidence.page_param;
    let requested = evidence.param(param).and_then(|value| value.parse().ok());
    // Where neither has it dlt counts from 0, and so does this. A source that counts from 1 sends the same
    // page again then, and the load fails.
    let number = page.map(|(_, number)| *number).or(requested).unwrap_or(0);
    let base = i64::from(number > 0);
    if number.saturating_add(1) >= pages.saturating_add(base) {
        return Some(Finding::Single(format!("{} is {pages}", shown(keys))));
    }
    if evidence.has_body {
        let example = json!({"type": "page_number", "base_page": base, "page_body_path": "page",
                             "total_path": written(keys)});
        return Some(Finding::Unknown(format!("{} of {pages}", shown(keys)), example));
    }
    let range = RangePages {
        first: number,
        base,
        total: Some(Path::of_keys(keys)),
        ..RangePages::new("pages", 1, ParamLocation::Query(param.clone()))
    };
    let from = match page {
        Some((own, _)) => format!(", and this one is {number} by {}", shown(own)),
        None => String::new(),
    };
    Some(Finding::Pages(range, format!("the number of pages at {}{from}", shown(keys))))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::testing::{
        Asked, PagedSource, SIZE, Served, Slice, check, check_fault, check_first, check_parsed,
    };
    use super::*;

    pub(in super::super) fn walks() -> Vec<PagedSource> {
        let total = |slice: Slice| {
            let pages = slice.total.div_ceil(SIZE).to_string();
            Served::body(json!({"items": slice.items, "meta": {"total_pages": pages}}))
        };
        let items = |slice: Slice| Served::body(json!({"items": slice.items}));
        let flagged = |slice: Slice| {
            Served::body(json!({"items": slice.items, "more": slice.next.is_some()}))
        };
        let from_0 = |asked: &Asked<'_>| asked.number("page") * SIZE;
        let from_1 = |asked: &Asked<'_>| (asked.number("page") - 1) * SIZE;
        let counted = json!({"type": "page_number", "total_path": "meta.total_pages"});
        let counted_from_1 =
            json!({"type": "page_number", "base_page": 1, "total_path": "meta.total_pages"});
        let endless = json!({"type": "page_number", "base_page": 1, "total_path": null});
        let has_more = json!({
            "type": "page_number", "base_page": 1, "total_path": null, "has_more_path": "more",
            "stop_after_empty_page": false,
        });
        let in_body = json!({"type": "page_number", "page_body_path": "p", "total_path": null});
        vec![
            PagedSource::of("page_number from 0", counted, from_0, total),
            PagedSource::of("page_number from 1", counted_from_1, from_1, total),
            PagedSource::of("page_number to an empty page", endless, from_1, items)
                .until_an_empty_page(),
            PagedSource::of("page_number with has_more", has_more, from_1, flagged),
            PagedSource::of(
                "page_number in the body",
                in_body,
                |asked| asked.in_body("/p") * SIZE,
                items,
            )
            .posted()
            .until_an_empty_page(),
            PagedSource::detected("page_number, detected", from_0, total),
        ]
    }

    #[test]
    fn is_parsed() {
        check_parsed(
            json!({"type": "page_number", "base_page": 1, "total_path": null}),
            json!({"type": "page_number", "base_page": 1, "page_param": "page", "total_path": null}),
        );
        check_fault(
            json!({"type": "page_number", "stop_at_short_page": true}),
            ".page_size: expected the records of a full page, for stop_at_short_page, found nothing",
        );
        check_fault(
            json!({"type": "page_number", "page_size": 10}),
            ".page_size: page_size has an effect only with \"stop_at_short_page\": true",
        );
    }

    #[test]
    fn starts() {
        check_first(json!({"type": "page_number", "base_page": 1}), &["page=1"]);
    }

    #[test]
    fn counts_pages() {
        check(
            json!({"type": "page_number", "base_page": 1, "total_path": "pages"}),
            &[(9, &["3"]), (9, &["3"]), (9, &["3"])],
            &["page=2", "page=3", "end"],
        );
        check(
            json!({"type": "page_number", "total_path": "pages"}),
            &[(9, &["2"]), (9, &["2"])],
            &["page=1", "end"],
        );
        check(
            json!({"type": "page_number", "page": 4, "page_param": "p", "total_path": null, "maximum_page": 6}),
            &[(9, &[]), (9, &[])],
            &["p=5", "end"],
        );
        check(
            json!({"type": "page_number", "total_path": null, "end_path": "last"}),
            &[(1, &["false"]), (1, &["true"])],
            &["page=1", "end"],
        );
        check(
            json!({"type": "page_number", "page_size": 2, "stop_at_short_page": true}),
            &[(2, &[]), (1, &[])],
            &["page=1", "end"],
        );
    }
}
