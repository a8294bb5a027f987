//! What the tests of all paginators share.

use serde_json::{Value, json};

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

/// The records of a full page of a walk.
pub(crate) const SIZE: usize = 3;

/// A source that pages in one way, and the endpoint of a job that reads it. Whole loads read every one of them
/// (`load::tests`).
pub(crate) struct PagedSource {
    pub(crate) name: &'static str,
    pub(crate) endpoint: Value,
    /// Returns the index of the first record that is requested.
    pub(crate) from: fn(&Asked<'_>) -> usize,
    /// Returns the page with these records.
    pub(crate) serve: fn(Slice) -> Served,
    /// Whether a page after the last record is requested, because only an empty page is the end.
    pub(crate) asks_beyond: bool,
}

/// A request.
pub(crate) struct Asked<'a> {
    pub(crate) url: &'a str,
    pub(crate) body: Option<&'a str>,
}

/// The records of one page.
pub(crate) struct Slice {
    pub(crate) items: Vec<Value>,
    /// The index of the next page's first record; `None` on the last page.
    pub(crate) next: Option<usize>,
    /// How many records the source has.
    pub(crate) total: usize,
}

/// A response.
pub(crate) struct Served {
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Value,
}

impl PagedSource {
    /// A source with its records at `items`, and a paginator of the job.
    pub(super) fn of(
        name: &'static str,
        paginator: Value,
        from: fn(&Asked<'_>) -> usize,
        serve: fn(Slice) -> Served,
    ) -> Self {
        let endpoint = json!({"data_selector": "items", "paginator": paginator});
        Self { name, endpoint, from, serve, asks_beyond: false }
    }

    /// A source whose records and paginator are detected.
    pub(super) fn detected(
        name: &'static str,
        from: fn(&Asked<'_>) -> usize,
        serve: fn(Slice) -> Served,
    ) -> Self {
        Self { name, endpoint: json!({}), from, serve, asks_beyond: false }
    }

    /// The body is the list of records.
    pub(super) fn in_a_list(mut self) -> Self {
        self.endpoint.as_object_mut().unwrap().remove("data_selector");
        self
    }

    /// The requests have a body.
    pub(super) fn posted(mut self) -> Self {
        self.endpoint["method"] = json!("POST");
        self.endpoint["json"] = json!({"q": "x"});
        self
    }

    /// Only an empty page is the end.
    pub(super) fn until_an_empty_page(self) -> Self {
        Self { asks_beyond: true, ..self }
    }
}

impl Asked<'_> {
    /// A parameter of the query.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        let (_, query) = self.url.split_once('?')?;
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    /// A parameter of the query that is a number, 0 if it is missing.
    pub(super) fn number(&self, name: &str) -> usize {
        self.param(name).map_or(0, |text| text.parse().unwrap())
    }

    /// A number in the body, 0 if it is missing.
    pub(super) fn in_body(&self, pointer: &str) -> usize {
        let body: Value = serde_json::from_str(self.body.unwrap_or("{}")).unwrap();
        body.pointer(pointer).and_then(Value::as_u64).map_or(0, |n| n as usize)
    }
}

impl Served {
    pub(super) fn body(body: Value) -> Self {
        Self { headers: vec![("content-type", "application/json".to_owned())], body }
    }
}
