//! What the tests of all paginators share.

use serde_json::Value;

use super::evidence::{Evidence, Signs};
use super::options::ParamLocation;
use super::page::{NextPage, PageFacts};
use super::{Detection, Paginator, detect};

fn read(paginator: &Value) -> Paginator {
    Paginator::parse(paginator, "paginator").unwrap()
}

/// A paginator is read as this one with its defaults.
pub(super) fn check_parsed(paginator: Value, expect: Value) {
    assert_eq!(read(&paginator).describe(), expect, "{paginator}");
}

/// A paginator is rejected with this message.
pub(super) fn check_fault(paginator: Value, message: &str) {
    let fault = Paginator::parse(&paginator, "paginator").unwrap_err();
    assert_eq!(fault.to_string(), format!("paginator{message}"));
}

/// The first request has these values.
pub(super) fn check_first(paginator: Value, expect: &[&str]) {
    let first = read(&paginator).pages().first().into_iter();
    let first: Vec<String> = first.map(|(at, value)| shown(&NextPage::Set(at, value))).collect();
    assert_eq!(first, expect, "{paginator}");
}

/// Pages are (records, what is captured); `expect` is what comes after each, or the fault.
pub(super) fn check(paginator: Value, pages: &[(u64, &[&str])], expect: &[&str]) {
    let read = read(&paginator);
    let mut number = read.pages().first_number();
    let found: Vec<String> = pages
        .iter()
        .map(|(records, raw)| {
            let captured: Vec<Option<String>> =
                raw.iter().map(|raw| (!raw.is_empty()).then(|| (*raw).to_owned())).collect();
            let page = PageFacts { records: *records, captured: &captured, headers: &[] };
            let next = read.pages().after(&page, &mut number);
            next.map_or_else(|fault| fault.to_string(), |next| shown(&next))
        })
        .collect();
    assert_eq!(found, expect, "{paginator}");
}

/// What comes after pages with these headers.
pub(super) fn header_steps(paginator: &Value, pages: &[&[(&str, &str)]]) -> Vec<String> {
    let read = read(paginator);
    let step = |header: &&[(&str, &str)]| {
        let headers: Vec<_> =
            header.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let page = PageFacts { records: 1, captured: &[], headers: &headers };
        shown(&read.pages().after(&page, &mut 0).unwrap())
    };
    pages.iter().map(step).collect()
}

/// The paginator that is detected in a response with these headers and nothing in its body.
pub(super) fn check_detected(headers: &[(&str, &str)], expect: Value) {
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let detection = detect(&Evidence {
        headers: &headers,
        params: &[],
        has_body: false,
        selector: None,
        records: Some(1),
        is_record: false,
        page_param: "page".to_owned(),
        signs: Signs::default(),
    });
    let Detection::Found(paginator, _) = detection else { panic!("{detection:?}") };
    assert_eq!(paginator.describe(), expect, "{headers:?}");
}

fn shown(next: &NextPage) -> String {
    match next {
        NextPage::End => "end".to_owned(),
        NextPage::Set(ParamLocation::Query(name), value) => format!("{name}={value}"),
        NextPage::Set(ParamLocation::Body(keys), value) => format!("{}:{value}", keys.join(".")),
        NextPage::Url(url) => url.clone(),
    }
}
