//! The outline of a response: its objects and scalars, and a summary of each list instead of its
//! elements. It is searched for records, the paginator, and errors.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::fault::{Fault, Result, excerpt};
use crate::job::paginator::{LINKS, RELATIONS};
use crate::json::{Path, Segment};

/// A value without the elements of its lists.
#[derive(Debug)]
pub(super) enum ResponseOutline {
    /// A list.
    List(List),
    /// An object.
    Object(Vec<(String, ResponseOutline)>),
    /// Anything else.
    Scalar(Value),
}

/// A summary of the elements of a list.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct List {
    /// The number of elements.
    pub(super) length: u64,
    /// The number of elements that are objects.
    pub(super) objects: u64,
    /// Whether an element is a link to the next page.
    pub(super) links_next: bool,
}

impl ResponseOutline {
    /// Reads a response.
    ///
    /// # Errors
    /// A source fault if it is not JSON.
    pub(super) fn read(body: &str) -> Result<Self> {
        serde_json::from_str(body).map_err(|error| {
            Fault::source(format_args!("expected JSON, found {:?}: {error}", excerpt(body)))
        })
    }

    /// The members of an object; empty for any other value.
    pub(super) fn members(&self) -> &[(String, Self)] {
        match self {
            Self::Object(members) => members,
            Self::List(_) | Self::Scalar(_) => &[],
        }
    }

    /// The value at a path of keys.
    pub(super) fn at(&self, path: &Path) -> Option<&Self> {
        path.segments().iter().try_fold(self, |at, step| {
            let Segment::Key(name) = step else { return None };
            at.members().iter().find(|(key, _)| key == name).map(|(_, value)| value)
        })
    }

    /// Returns `true` if a path leads into a list without elements, so that nothing can be found.
    pub(super) fn is_emptied(&self, path: &Path) -> bool {
        let mut at = self;
        for step in path.segments() {
            match (step, at) {
                (Segment::Key(name), Self::Object(members)) => {
                    let Some((_, value)) = members.iter().find(|(key, _)| key == name) else {
                        return false;
                    };
                    at = value;
                }
                (Segment::Key(_), _) => return false,
                (_, Self::List(list)) => return list.length == 0,
                (_, Self::Object(members)) => return members.is_empty(),
                (_, Self::Scalar(_)) => return false,
            }
        }
        false
    }

    /// Returns `true` unless the value is null, false, zero, or an empty string, list or object.
    pub(super) fn says_something(&self) -> bool {
        match self {
            Self::List(list) => list.length > 0,
            Self::Object(members) => !members.is_empty(),
            Self::Scalar(Value::Null | Value::Bool(false)) => false,
            Self::Scalar(Value::String(text)) => !text.is_empty(),
            Self::Scalar(value) => value.as_f64() != Some(0.0),
        }
    }
}

impl<'de> Deserialize<'de> for ResponseOutline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OutlineVisitor)
    }
}

struct OutlineVisitor;

impl<'de> Visitor<'de> for OutlineVisitor {
    type Value = ResponseOutline;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<ResponseOutline, E> {
        Ok(ResponseOutline::Scalar(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<ResponseOutline, E> {
        Ok(ResponseOutline::Scalar(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<ResponseOutline, E> {
        Ok(ResponseOutline::Scalar(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<ResponseOutline, E> {
        Ok(ResponseOutline::Scalar(value.into()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<ResponseOutline, E> {
        Ok(ResponseOutline::Scalar(value.into()))
    }

    fn visit_unit<E: Error>(self) -> Result<ResponseOutline, E> {
        Ok(ResponseOutline::Scalar(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<ResponseOutline, A::Error> {
        let mut list = List::default();
        while let Some(element) = items.next_element::<Element>()? {
            list.length += 1;
            if let Element::Object { links_next } = element {
                list.objects += 1;
                list.links_next |= links_next;
            }
        }
        Ok(ResponseOutline::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ResponseOutline, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(ResponseOutline::Object(members))
    }
}

/// An element of a list, of which hardly anything is stored.
enum Element {
    Object {
        /// Whether it is a link with the relation `next`.
        links_next: bool,
    },
    Other,
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ElementVisitor)
    }
}

struct ElementVisitor;

impl<'de> Visitor<'de> for ElementVisitor {
    type Value = Element;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Element, E> {
        Ok(Element::Other)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Element, E> {
        Ok(Element::Other)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Element, E> {
        Ok(Element::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Element, E> {
        Ok(Element::Other)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Element, E> {
        Ok(Element::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Element, E> {
        Ok(Element::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Element, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Element::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Element, A::Error> {
        let (mut is_next, mut has_url) = (false, false);
        while let Some(key) = map.next_key::<String>()? {
            let (relation, link) =
                (RELATIONS.contains(&key.as_str()), LINKS.contains(&key.as_str()));
            if !relation && !link {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = map.next_value::<Value>()?;
            let text = value.as_str().unwrap_or_default();
            is_next |= relation && text.eq_ignore_ascii_case("next");
            has_url |= link && !text.is_empty();
        }
        Ok(Element::Object { links_next: is_next && has_url })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_summarized() {
        let check = |body: &str, length: u64, objects: u64, links_next: bool| {
            let ResponseOutline::List(list) = ResponseOutline::read(body).unwrap() else {
                panic!("{body}")
            };
            assert_eq!((list.length, list.objects, list.links_next), (length, objects, links_next));
        };
        check("[]", 0, 0, false);
        check("[1,\"a\",null,[{}],{\"a\":[1]},{}]", 6, 2, false);
        check(r#"[{"rel":"self","href":"/1"},{"rel":"next","href":"/2"}]"#, 2, 2, true);
        check(r#"[{"relation":"next","url":"/2"}]"#, 1, 1, true);
        check(r#"[{"rel":"next"},{"href":"/2"}]"#, 2, 2, false);
    }

    #[test]
    fn paths_into_empty_lists_are_recognized() {
        let check = |body: &str, path: &str, emptied: bool| {
            let outline = ResponseOutline::read(body).unwrap();
            assert_eq!(outline.is_emptied(&Path::parse(path).unwrap()), emptied, "{body} {path}");
        };
        check("[]", "[*].customer", true);
        check("[{}]", "[*].customer", false);
        check("{\"data\":[]}", "data[*].rows", true);
        check("{\"data\":[]}", "data[0].rows", true);
        check("{\"data\":[{}]}", "data[*].rows", false);
        check("{\"data\":{}}", "data.*.rows", true);
        check("[]", "items", false);
        check("{}", "items", false);
    }

    #[test]
    fn invalid_json_is_rejected() {
        let fault = ResponseOutline::read("<html>\n").unwrap_err();
        assert_eq!(
            fault.to_string(),
            "expected JSON, found \"<html>\": expected value at line 1 column 1"
        );
    }
}
