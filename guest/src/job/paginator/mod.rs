//! How a source splits its responses into pages: dlt's paginators (`sources/helpers/rest_client/paginators.py`).
//!
//! Each kind is one file: its keys in a job, how they are parsed, how the next page is requested, and how it is
//! recognized in a response (dlt's `detector.py`). Its tests have servers that page in this way (`walks`), from which
//! whole loads read (`load/tests.rs`). A new kind is such a file, and its variant and rows here.

mod auto;
mod cursor;
mod evidence;
mod header_cursor;
mod header_link;
mod json_link;
mod location;
mod offset;
mod options;
mod page;
mod page_number;
mod range;
mod single_page;
#[cfg(test)]
pub(crate) mod testing;
mod undetected;

use serde_json::{Map, Value};

use self::auto::AutoPages;
pub(crate) use self::cursor::CursorPages;
use self::evidence::Finding;
pub(crate) use self::evidence::{Evidence, KeyPath, Signs};
pub(crate) use self::header_cursor::HeaderCursorPages;
pub(crate) use self::header_link::HeaderLinkPages;
pub(crate) use self::json_link::{LINKS, LinkPages, RELATIONS};
pub(crate) use self::location::ParamLocation;
#[cfg(test)]
pub(crate) use self::options::written;
pub(crate) use self::page::PageFacts;
pub(crate) use self::page::{NextPage, Pages, Repetition, header};
pub(crate) use self::range::RangePages;
pub(crate) use self::single_page::SinglePage;
use super::parse::{JobObject, Keys, at, choice, member, wrong_type};
use crate::fault::Result;

/// A way to get from one page to the next.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Paginator {
    /// Detected in the first response.
    Auto(AutoPages),
    /// A token in the body, given back in the next request.
    Cursor(CursorPages),
    /// A token in a header, given back in the next request's query.
    HeaderCursor(HeaderCursorPages),
    /// A URL in the `link` header.
    HeaderLink(HeaderLinkPages),
    /// A URL in the body.
    JsonLink(LinkPages),
    /// A number that grows: an offset or a page's number.
    Range(RangePages),
    /// There is one page.
    SinglePage(SinglePage),
}

/// The keys of a kind in a job, and how it is parsed.
type PaginatorKind = (Keys, fn(&JobObject<'_>) -> Result<Paginator>);

/// The kinds by the names they have in a job.
const KINDS: &[(&str, PaginatorKind)] = &[
    ("auto", (auto::KEYS, |_| Ok(Paginator::Auto(AutoPages)))),
    ("single_page", (single_page::KEYS, |_| Ok(Paginator::SinglePage(SinglePage)))),
    ("cursor", (cursor::KEYS, |object| cursor::parse(object).map(Paginator::Cursor))),
    ("offset", (offset::KEYS, |object| offset::parse(object).map(Paginator::Range))),
    ("page_number", (page_number::KEYS, |object| page_number::parse(object).map(Paginator::Range))),
    ("json_link", JSON_LINK),
    ("json_response", JSON_LINK),
    (
        "header_link",
        (header_link::KEYS, |object| header_link::parse(object).map(Paginator::HeaderLink)),
    ),
    (
        "header_cursor",
        (header_cursor::KEYS, |object| header_cursor::parse(object).map(Paginator::HeaderCursor)),
    ),
];

/// The key of the number of pages that are requested at once.
const PARALLEL: &str = "parallel";

/// It has two names.
const JSON_LINK: PaginatorKind =
    (json_link::KEYS, |object| json_link::parse(object).map(Paginator::JsonLink));

/// How a paginator recognizes itself in a response.
type Detector = fn(&Evidence<'_>) -> Option<Finding<Paginator>>;

/// The detectors in their order: the first one that finds something decides.
const DETECTORS: &[Detector] = &[
    |evidence| Some(header_link::detect(evidence)?.map(Paginator::HeaderLink)),
    |evidence| Some(header_cursor::detect(evidence)?.map(Paginator::HeaderCursor)),
    |evidence| Some(single_page::detect(evidence)?.map(Paginator::SinglePage)),
    |evidence| Some(json_link::detect(evidence)?.map(Paginator::JsonLink)),
    |evidence| Some(page_number::detect_page_of(evidence)?.map(Paginator::Range)),
    |evidence| Some(cursor::detect(evidence)?.map(Paginator::Cursor)),
    |evidence| Some(page_number::detect_count(evidence)?.map(Paginator::Range)),
    |evidence| Some(offset::detect(evidence)?.map(Paginator::Range)),
    |evidence| Some(page_number::detect_number(evidence)?.map(Paginator::Range)),
];

impl Paginator {
    /// What it does.
    pub(crate) fn pages(&self) -> &dyn Pages {
        match self {
            Self::Auto(pages) => pages,
            Self::Cursor(pages) => pages,
            Self::HeaderCursor(pages) => pages,
            Self::HeaderLink(pages) => pages,
            Self::JsonLink(pages) => pages,
            Self::Range(pages) => pages,
            Self::SinglePage(pages) => pages,
        }
    }

    /// The paginator that is detected in the first response.
    pub(crate) const fn auto() -> Self {
        Self::Auto(AutoPages)
    }

    /// One page.
    pub(crate) const fn single_page() -> Self {
        Self::SinglePage(SinglePage)
    }

    /// Returns `true` if it is detected in the first response.
    pub(crate) const fn is_auto(&self) -> bool {
        matches!(self, Self::Auto(_))
    }

    /// Returns `true` if there is one page.
    pub(crate) const fn is_single_page(&self) -> bool {
        matches!(self, Self::SinglePage(_))
    }

    /// The paginator as a job writes it.
    pub(crate) fn describe(&self) -> Value {
        self.pages().describe()
    }

    /// Reads a paginator: a name, or an object with a type.
    pub(super) fn parse(value: &Value, place: &str) -> Result<Self> {
        let empty = Value::Object(Map::new());
        if value.is_string() {
            let (keys, parse) = choice(value, place, KINDS)?;
            return parse(&JobObject::new(&empty, place, keys)?);
        }
        let names = KINDS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let Value::Object(map) = value else {
            return Err(wrong_type(&format!("an object or one of {names}"), value, place));
        };
        let Some(name) = map.get("type").filter(|name| !name.is_null()) else {
            return Err(at(place, format_args!("expected a \"type\", one of {names}")));
        };
        let (keys, parse) = choice(name, &member(place, "type"), KINDS)?;
        if map.contains_key(PARALLEL) && !keys.known.contains(&PARALLEL) {
            return Err(at(
                &member(place, PARALLEL),
                "expected it with \"offset\" or \"page_number\" only: with other paginators the request of a page \
                 is known only after the page before it is read",
            ));
        }
        parse(&JobObject::new(value, place, keys)?)
    }
}

/// The paginator that a first response shows. The texts are for a person.
#[derive(Debug)]
pub(crate) enum Detection {
    /// The paginator, and what it was recognized by.
    Found(Box<Paginator>, String),
    /// There are more pages, and the response does not show how to request them: the message of the fault.
    Unknown(String),
}

/// Detects the paginator of a source by its first response.
pub(crate) fn detect(evidence: &Evidence<'_>) -> Detection {
    let found = DETECTORS.iter().find_map(|detect| detect(evidence));
    match found.unwrap_or_else(|| undetected::detect(evidence).map(Paginator::SinglePage)) {
        Finding::Pages(paginator, sign) => {
            let message = format!(
                "pages are requested by {sign}; to make this explicit, write \"paginator\": {}",
                paginator.describe()
            );
            Detection::Found(Box::new(paginator), message)
        }
        Finding::Single(reason) => {
            let message = format!(
                "one page is requested, because {reason}; to make this explicit, write \"paginator\": \"single_page\", \
                 or name another paginator if there are more pages"
            );
            Detection::Found(Box::new(Paginator::single_page()), message)
        }
        Finding::Unknown(sign, example) => Detection::Unknown(format!(
            "the response shows more pages ({sign}) but not how to request them: set \"paginator\" to {example}, or to \
             \"single_page\" if this page is all"
        )),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::testing::{PagedSource, check_fault, check_first, check_parsed};
    use super::*;

    /// Every way to page that a job can name or that is detected.
    pub(crate) fn walks() -> Vec<PagedSource> {
        let walks = [
            cursor::tests::walks(),
            header_cursor::tests::walks(),
            header_link::tests::walks(),
            json_link::tests::walks(),
            offset::tests::walks(),
            page_number::tests::walks(),
        ];
        walks.into_iter().flatten().collect()
    }

    #[test]
    fn each_kind_has_a_walk() {
        let walked: Vec<String> = walks()
            .iter()
            .map(|walk| {
                let paginator = walk.endpoint.get("paginator").cloned().unwrap_or(json!("auto"));
                let name = paginator.get("type").unwrap_or(&paginator);
                name.as_str().unwrap().to_owned()
            })
            .collect();
        for (name, _) in KINDS {
            // It has one page, and no other to go to.
            let is_single = *name == "single_page";
            assert!(is_single || walked.iter().any(|it| it == name), "expected a walk of {name}");
        }
    }

    #[test]
    fn is_parsed() {
        check_parsed(json!("auto"), json!("auto"));
        check_parsed(json!({"type": "single_page"}), json!("single_page"));
        check_first(json!("cursor"), &[]);
        check_first(json!("single_page"), &[]);
    }

    #[test]
    fn names_mistakes() {
        check_fault(json!("ofset"), ": unknown \"ofset\", did you mean \"offset\"?");
        check_fault(
            json!(1),
            ": expected an object or one of auto, single_page, cursor, offset, page_number, json_link, json_response, header_link, header_cursor, found 1",
        );
        check_fault(
            json!({"type": "cursor", "parallel": 4}),
            ".parallel: expected it with \"offset\" or \"page_number\" only: with other paginators the request of a page is known only after the page before it is read",
        );
        check_fault(
            json!({"type": "page_number", "parallel": 33}),
            ".parallel: expected an integer from 1 to 32, found 33",
        );
        check_fault(
            json!({}),
            ": expected a \"type\", one of auto, single_page, cursor, offset, page_number, json_link, json_response, header_link, header_cursor",
        );
    }
}
