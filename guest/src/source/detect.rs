//! What a job leaves out, found in the first answer as dlt finds it
//! (`sources/helpers/rest_client/detector.py`): where the records are, and how pages follow.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::paginate::{excerpt, link};
use crate::fault::{Fault, Result};
use crate::job::{CursorPages, LinkPages, Paginator, Path, Place, RangePages};

/// Keys that lists of records often have.
const RECORD_KEYS: &[&str] = &[
    "data", "items", "results", "entries", "records", "rows", "entities", "payload", "content",
    "objects", "values",
];

/// An answer without its lists' elements.
pub(super) struct Outline(Shape);

enum Shape {
    /// A list, and whether it has elements.
    List(bool),
    Object(Vec<(String, Shape)>),
    Scalar(Value),
}

impl Outline {
    /// Reads an answer.
    ///
    /// # Errors
    /// A source fault when it is not JSON.
    pub(super) fn read(body: &str) -> Result<Self> {
        serde_json::from_str(body).map(Self).map_err(|error| {
            Fault::source(format_args!("expected JSON, found {:?}: {error}", excerpt(body)))
        })
    }

    /// Where the records are: the first list under a key that records often have, or the first
    /// list, not deeper than three keys; else the whole answer.
    pub(super) fn selector(&self) -> Path {
        let mut lists = Vec::new();
        find_lists(&self.0, &mut Vec::new(), &mut lists);
        let likely = |path: &&Vec<&str>| path.last().is_some_and(|key| RECORD_KEYS.contains(key));
        match lists.iter().find(likely).or(lists.first()) {
            Some(keys) => Path::of_keys(keys),
            None => Path::root(),
        }
    }

    /// How pages follow one another, as far as the first one shows.
    pub(super) fn paginator(&self, headers: &[(String, String)]) -> Paginator {
        if link(headers, "next").is_some() {
            return Paginator::HeaderLink { rel: "next".to_owned() };
        }
        let next = find(&self.0, &mut Vec::new(), Sign::Next);
        if let Some((keys, Value::String(url))) = &next
            && (url.starts_with('/') || url.starts_with("http"))
        {
            return Paginator::JsonLink(LinkPages {
                next_url: Path::of_keys(keys),
                stop_after_empty_page: false,
                more: None,
            });
        }
        let total = find(&self.0, &mut Vec::new(), Sign::Pages);
        if let Some((keys, total)) = &total
            && is_whole(total)
        {
            return Paginator::Range(RangePages {
                unit: "pages",
                first: 0,
                step: 1,
                base: 0,
                place: Place::Query("page".to_owned()),
                limit: None,
                total: Some(Path::of_keys(keys)),
                maximum: None,
                full_page: None,
                end_statuses: Vec::new(),
                stop_after_empty_page: true,
                more: None,
            });
        }
        match &next {
            Some((keys, _)) => Paginator::Cursor(CursorPages {
                token: Path::of_keys(keys),
                place: Place::Query("cursor".to_owned()),
                stop_after_empty_page: false,
                more: None,
            }),
            None => Paginator::SinglePage,
        }
    }
}

fn find_lists<'s>(shape: &'s Shape, path: &mut Vec<&'s str>, lists: &mut Vec<Vec<&'s str>>) {
    let Shape::Object(members) = shape else { return };
    if path.len() > 2 {
        return;
    }
    for (key, value) in members {
        path.push(key);
        match value {
            Shape::List(_) => lists.push(path.clone()),
            Shape::Object(_) => find_lists(value, path, lists),
            Shape::Scalar(_) => {}
        }
        path.pop();
    }
}

/// Checks that an answer in which nothing is at the selector can be a page without records: many
/// sources leave the key out then. One that tells of an error, or has records somewhere else, is none.
///
/// # Errors
/// A source fault that says what was found instead; one where the answer is not JSON.
pub fn check_empty(selector: &Path, body: &str) -> Result<()> {
    let Outline(shape) = Outline::read(body)?;
    let Shape::Object(members) = shape else {
        let found = if matches!(shape, Shape::List(_)) { "a list" } else { "no object" };
        return Err(Fault::source(format_args!(
            "expected records at {selector}, found a page that is {found}"
        )));
    };
    let suspect = members.iter().find(|(key, value)| {
        let key = key.to_lowercase();
        let telling =
            key.contains("error") || matches!(key.as_str(), "message" | "detail" | "fault");
        matches!(value, Shape::List(true)) || (telling && says_something(value))
    });
    match suspect {
        None => Ok(()),
        Some(_) => Err(Fault::source(format_args!(
            "expected records at {selector}, found a page with the keys {}: {}",
            members.iter().take(20).map(|(key, _)| key.as_str()).collect::<Vec<_>>().join(", "),
            excerpt(body),
        ))),
    }
}

fn says_something(shape: &Shape) -> bool {
    match shape {
        Shape::List(any) => *any,
        Shape::Object(members) => !members.is_empty(),
        Shape::Scalar(Value::Null | Value::Bool(false)) => false,
        Shape::Scalar(Value::String(text)) => !text.is_empty(),
        Shape::Scalar(value) => value.as_f64() != Some(0.0),
    }
}

/// What is looked for.
#[derive(Clone, Copy)]
enum Sign {
    /// A reference to the next page.
    Next,
    /// The number of pages.
    Pages,
}

/// The first value that is such a sign, and the keys to it.
fn find<'s>(
    shape: &'s Shape,
    path: &mut Vec<&'s str>,
    sign: Sign,
) -> Option<(Vec<&'s str>, &'s Value)> {
    let Shape::Object(members) = shape else { return None };
    for (key, value) in members {
        path.push(key);
        let found = match sign {
            Sign::Next => next(key, value),
            Sign::Pages => pages(key, value).map(|value| (None, value)),
        };
        if let Some((below, found)) = found {
            return Some((path.iter().copied().chain(below).collect(), found));
        }
        let found = find(value, path, sign);
        path.pop();
        if found.is_some() {
            return found;
        }
    }
    None
}

/// A key that begins with `next`, or in its object one that begins with `href` or `url`.
fn next<'s>(key: &str, shape: &'s Shape) -> Option<(Option<&'s str>, &'s Value)> {
    if !key.to_lowercase().starts_with("next") {
        return None;
    }
    match shape {
        Shape::Object(members) => members.iter().find_map(|(key, value)| {
            let lower = key.to_lowercase();
            let named = lower.starts_with("href") || lower.starts_with("url");
            scalar(value).filter(|_| named).map(|value| (Some(key.as_str()), value))
        }),
        other => scalar(other).map(|value| (None, value)),
    }
}

fn pages<'s>(key: &str, shape: &'s Shape) -> Option<&'s Value> {
    let known = matches!(key.to_lowercase().as_str(), "total_pages" | "pages" | "totalpages");
    scalar(shape).filter(|_| known)
}

fn scalar(shape: &Shape) -> Option<&Value> {
    match shape {
        Shape::Scalar(value) if !value.is_null() => Some(value),
        _ => None,
    }
}

fn is_whole(value: &Value) -> bool {
    match value {
        Value::String(text) => text.trim().parse::<i64>().is_ok(),
        other => other.is_number(),
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Shape, E> {
        Ok(Shape::Scalar(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Shape, E> {
        Ok(Shape::Scalar(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Shape, E> {
        Ok(Shape::Scalar(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Shape, E> {
        Ok(Shape::Scalar(value.into()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Shape, E> {
        Ok(Shape::Scalar(value.into()))
    }

    fn visit_unit<E: Error>(self) -> Result<Shape, E> {
        Ok(Shape::Scalar(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Shape, A::Error> {
        let mut any = false;
        while items.next_element::<IgnoredAny>()?.is_some() {
            any = true;
        }
        Ok(Shape::List(any))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Shape::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_records() {
        let check = |body: &str, path: &str| {
            assert_eq!(Outline::read(body).unwrap().selector().as_str(), path, "{body}");
        };
        check("[1,2]", "$");
        check("{}", "$");
        check("{\"id\":1}", "$");
        check("{\"meta\":{\"x\":[1]},\"users\":[1]}", "meta.x");
        check("{\"tags\":[],\"results\":[]}", "results");
        check("{\"a\":{\"b\":{\"items\":[]}}}", "a.b.items");
        check("{\"a\":{\"b\":{\"c\":{\"items\":[]}}}}", "$");
        check("{\"a b\":[]}", "a b");
    }

    #[test]
    fn finds_paginators() {
        let check = |body: &str, header: Option<&str>, expected: &str| {
            let headers: Vec<_> =
                header.map(|h| ("link".to_owned(), h.to_owned())).into_iter().collect();
            let found = match Outline::read(body).unwrap().paginator(&headers) {
                Paginator::HeaderLink { rel } => format!("header {rel}"),
                Paginator::JsonLink(pages) => format!("link {}", pages.next_url),
                Paginator::Range(pages) => format!("pages {}", pages.total.unwrap()),
                Paginator::Cursor(pages) => format!("cursor {}", pages.token),
                Paginator::SinglePage => "single".to_owned(),
                other => panic!("{other:?}"),
            };
            assert_eq!(found, expected, "{body}");
        };
        check("[]", Some("</2>; rel=\"next\""), "header next");
        check("[]", Some("</2>; rel=\"prev\""), "single");
        check("{\"next\":\"https://x.net/2\"}", None, "link next");
        check("{\"paging\":{\"nextPage\":\"/v1/2\"}}", None, "link paging.nextPage");
        check("{\"links\":{\"next\":{\"rel\":1,\"href\":\"/2\"}}}", None, "link links.next.href");
        check("{\"next\":\"abc\",\"total_pages\":7}", None, "pages total_pages");
        check("{\"meta\":{\"pages\":\"7\"}}", None, "pages meta.pages");
        check("{\"pages\":\"many\"}", None, "single");
        check("{\"total\":7}", None, "single");
        check("{\"nextPageToken\":\"abc\"}", None, "cursor nextPageToken");
        check("{\"nextPageToken\":null}", None, "single");
        check("{\"data\":[{\"next\":\"/2\"}]}", None, "single");
        check("{\"next\":{\"x\":1},\"a\":{\"next\":5}}", None, "cursor a.next");
    }

    #[test]
    fn tells_empty_pages_from_wrong_ones() {
        let check = |body: &str, fault: &str| {
            let found = check_empty(&Path::parse("items").unwrap(), body);
            assert_eq!(found.err().map_or_else(String::new, |f| f.to_string()), fault, "{body}");
        };
        check("{}", "");
        check("{\"kind\":\"x#list\",\"etag\":1,\"errors\":[],\"error\":null,\"message\":\"\"}", "");
        check("{\"total\":0,\"meta\":{\"next\":null,\"tags\":[1]}}", "");
        let expected = "expected records at items, found a page ";
        check("[]", &format!("{expected}that is a list"));
        check("7", &format!("{expected}that is no object"));
        for (body, keys) in [
            (r#"{"values":[1],"total":1}"#, "values, total"),
            (r#"{"errorMessages":["no"],"errors":{}}"#, "errorMessages, errors"),
            (r#"{"error":{"code":7}}"#, "error"),
            (r#"{"message":"Not Found"}"#, "message"),
        ] {
            check(body, &format!("{expected}with the keys {keys}: {body}"));
        }
    }

    #[test]
    fn refuses_what_is_not_json() {
        let fault = Outline::read("<html>\n").err().unwrap();
        assert_eq!(
            fault.to_string(),
            "expected JSON, found \"<html>\": expected value at line 1 column 1"
        );
    }
}
