//! `offset`: the number of the first record of a page is a parameter.

use super::evidence::{Evidence, Finding, shown};
use super::options::ParamLocation;
use super::range::{MAXIMUM, RangePages};
use crate::fault::Result;
use crate::job::parse::{JobObject, Keys};
use crate::json::Path;

pub(super) const KEYS: Keys = Keys::of(&[
    "type",
    "limit",
    "offset",
    "offset_param",
    "offset_body_path",
    "limit_param",
    "limit_body_path",
    "total_path",
    "maximum_offset",
    "stop_after_empty_page",
    "stop_at_short_page",
    "has_more_path",
    "end_path",
    "end_status_codes",
    "parallel",
]);

pub(super) fn parse(object: &JobObject<'_>) -> Result<RangePages> {
    let Some(limit) = object.whole("limit", 1, i64::from(u32::MAX))? else {
        return Err(object.missing("limit", "an integer"));
    };
    let first = object.whole("offset", 0, MAXIMUM)?.unwrap_or(0);
    let location = ParamLocation::parse(object, "offset_param", "offset_body_path", "offset")?;
    RangePages {
        first,
        limit: Some(ParamLocation::parse(object, "limit_param", "limit_body_path", "limit")?),
        maximum: object.whole("maximum_offset", 0, MAXIMUM)?,
        full_page: u64::try_from(limit).ok(),
        ..RangePages::new("items", limit, location)
    }
    .ended(object)
}

/// The response has the offset, the size of a page, and a total or a flag for more pages.
pub(super) fn detect(evidence: &Evidence<'_>) -> Option<Finding<RangePages>> {
    let signs = &evidence.signs;
    let ((offset, from), (limit, size)) = (signs.offset.as_ref()?, signs.limit.as_ref()?);
    let records = i64::try_from(evidence.records?).ok()?;
    let (base, step) = ((*from).min(1), *size);
    let total = signs.total.as_ref();
    let ends =
        total.is_some_and(|(_, total)| from.saturating_add(records) >= total.saturating_add(base));
    if *from < 0 || step < 1 || records != step || ends || evidence.has_body {
        return None;
    }
    if total.is_none() && !signs.is_more {
        return None;
    }
    let location = ParamLocation::Query((*offset.last()?).to_owned());
    let pages = RangePages {
        first: *from,
        base,
        limit: Some(ParamLocation::Query((*limit.last()?).to_owned())),
        total: total.map(|(keys, _)| Path::of_keys(keys)),
        more: evidence.more(),
        ..RangePages::new("items", step, location)
    };
    Some(Finding::Pages(pages, format!("{} and {}", shown(offset), shown(limit))))
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{
        Asked, PagedSource, SIZE, Served, Slice, check, check_fault, check_first, check_parsed,
    };

    pub(in super::super) fn walks() -> Vec<PagedSource> {
        let total =
            |slice: Slice| Served::body(json!({"items": slice.items, "total": slice.total}));
        let items = |slice: Slice| Served::body(json!({"items": slice.items}));
        let flagged = |slice: Slice| {
            Served::body(json!({"items": slice.items, "more": slice.next.is_some()}))
        };
        let endless = json!({"type": "offset", "limit": SIZE, "total_path": null});
        let has_more = json!({
            "type": "offset", "limit": SIZE, "total_path": null, "has_more_path": "more",
        });
        let in_body = json!({
            "type": "offset", "limit": SIZE,
            "offset_body_path": "page.start", "limit_body_path": "page.size",
        });
        let from = |asked: &Asked<'_>| asked.number("offset");
        let from_body = |asked: &Asked<'_>| {
            assert_eq!(asked.in_body("/page/size"), SIZE);
            asked.in_body("/page/start")
        };
        vec![
            PagedSource::of("offset", json!({"type": "offset", "limit": SIZE}), from, total),
            PagedSource::of("offset to an empty page", endless.clone(), from, items)
                .until_an_empty_page(),
            PagedSource::of("offset with has_more", has_more, from, flagged),
            PagedSource::of("offset in the body", in_body, from_body, total).posted(),
            PagedSource::of("offset of a list", endless, from, |slice| {
                Served::body(json!(slice.items))
            })
            .in_a_list()
            .until_an_empty_page(),
        ]
    }

    #[test]
    fn is_parsed() {
        check_parsed(
            json!({"type": "offset", "limit": 50, "limit_body_path": "page.size"}),
            json!({
                "type": "offset", "limit": 50, "offset_param": "offset", "limit_param": "page.size",
                "total_path": "total",
            }),
        );
        check_fault(json!("offset"), ".limit: expected an integer, found nothing");
        check_fault(
            json!({"type": "offset", "limit": 0}),
            ".limit: expected an integer from 1 to 4294967295, found 0",
        );
        check_fault(
            json!({"type": "offset", "limit": 1, "total_path": null, "stop_after_empty_page": false}),
            ": expected a way to know the last page: total_path, a maximum, has_more_path, end_path, stop_after_empty_page, stop_at_short_page or end_status_codes",
        );
        check_fault(
            json!({"type": "offset", "limit": 1, "end_status_codes": [404, 500]}),
            ".end_status_codes[1]: expected a status from 400 to 499, found 500",
        );
    }

    #[test]
    fn starts() {
        check_first(
            json!({"type": "offset", "limit": 100, "offset_param": "startAt", "limit_param": "maxResults"}),
            &["startAt=0", "maxResults=100"],
        );
    }

    #[test]
    fn counts_offsets() {
        let offset = json!({"type": "offset", "limit": 100});
        check(
            offset.clone(),
            &[(100, &["250"]), (100, &["250"]), (50, &["250"])],
            &["offset=100", "offset=200", "end"],
        );
        check(offset.clone(), &[(100, &["200"]), (100, &["200"])], &["offset=100", "end"]);
        check(offset.clone(), &[(100, &["\"150\""]), (0, &[""])], &["offset=100", "end"]);
        check(offset.clone(), &[(100, &["150.0"])], &["offset=100"]);
        let tail = "name its path in total_path, or say null where the source does not tell";
        check(
            offset.clone(),
            &[(100, &[""])],
            &[&format!("expected the number of items at \"total\", found nothing: {tail}")],
        );
        check(
            offset.clone(),
            &[(100, &["null"])],
            &[&format!("expected the number of items at \"total\", found nothing: {tail}")],
        );
        check(
            offset,
            &[(100, &["\"many\""])],
            &[&format!("expected the number of items at \"total\", found \"many\": {tail}")],
        );
        check(
            json!({"type": "offset", "limit": 10, "total_path": null}),
            &[(10, &[]), (3, &[]), (0, &[])],
            &["offset=10", "offset=20", "end"],
        );
        check(
            json!({"type": "offset", "limit": 10, "total_path": null, "maximum_offset": 20, "offset": 5}),
            &[(10, &[]), (10, &[])],
            &["offset=15", "end"],
        );
        check(
            json!({"type": "offset", "limit": 10, "total_path": null, "has_more_path": "more", "stop_after_empty_page": false, "offset_body_path": "from"}),
            &[(0, &["true"]), (0, &["false"])],
            &["from:10", "end"],
        );
        check(
            json!({"type": "offset", "limit": 10, "has_more_path": "more"}),
            &[(10, &["99", "true"]), (10, &["99", "\"no\""])],
            &["offset=10", "end"],
        );
    }

    #[test]
    fn stops_at_short_pages() {
        check(
            json!({"type": "offset", "limit": 10, "stop_at_short_page": true}),
            &[(10, &[]), (9, &[])],
            &["offset=10", "end"],
        );
        check(
            json!({"type": "offset", "limit": 10, "stop_at_short_page": true, "total_path": "total"}),
            &[(10, &["25"]), (10, &["20"])],
            &["offset=10", "end"],
        );
    }
}
