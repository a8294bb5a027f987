//! Signs of more pages in a response and its headers.

use serde_json::Value;

use super::names::{Topic, is_about, is_next_token, param_of, plain};
use crate::job::paginator::{KeyPath, Signs};
use crate::sources::rest::outline::ResponseOutline;

/// The maximum nesting at which signs are searched for.
const DEPTH: usize = 4;

/// Objects that describe pages. In them, general keys (`after`, `done`) are signs.
const ABOUT: &[&str] = &[
    "cursors",
    "meta",
    "metadata",
    "page",
    "pageinfo",
    "pages",
    "pagination",
    "paging",
    "paginginfo",
];

/// The signs of more pages in a response. `requested` are values of the request: if a response
/// repeats one of them, it is not a sign. `is_record`: the response is a record itself, so its
/// numbers are not signs.
pub(super) fn signs<'s>(
    outline: &'s ResponseOutline,
    requested: &[&str],
    is_record: bool,
) -> Signs<'s> {
    let mut signs = Signs::default();
    let mut search = Search { requested, is_record, path: Vec::new(), signs: &mut signs };
    search.object(outline);
    signs
}

struct Search<'l, 's> {
    requested: &'l [&'l str],
    is_record: bool,
    path: KeyPath<'s>,
    signs: &'l mut Signs<'s>,
}

impl<'s> Search<'_, 's> {
    fn object(&mut self, outline: &'s ResponseOutline) {
        if self.path.len() >= DEPTH {
            return;
        }
        for (key, value) in outline.members() {
            self.path.push(key);
            self.member(key, value);
            self.path.pop();
        }
    }

    fn member(&mut self, name: &'s str, value: &'s ResponseOutline) {
        let key = plain(name);
        match value {
            ResponseOutline::Object(_) if is_about(&key, Topic::Next) => self.next_object(value),
            ResponseOutline::Object(members)
                if is_about(&key, Topic::Opaque) && !members.is_empty() =>
            {
                self.signs.opaque.get_or_insert_with(|| self.path.clone());
            }
            // `"total": {"value": 7}`, as in Elasticsearch.
            ResponseOutline::Object(members) if is_about(&key, Topic::Total) => {
                let value = members.iter().find(|(name, _)| name == "value");
                if let Some((name, ResponseOutline::Scalar(value))) = value {
                    self.path.push(name);
                    self.scalar(name, &key, value);
                    self.path.pop();
                }
            }
            ResponseOutline::Object(_) => self.object(value),
            ResponseOutline::List(list)
                if list.links_next && matches!(key.as_str(), "link" | "links") =>
            {
                self.signs.links.get_or_insert_with(|| self.path.clone());
            }
            ResponseOutline::List(_) => {}
            ResponseOutline::Scalar(value) => self.scalar(name, &key, value),
        }
    }

    /// `"next": {"href": ".."}`, `"next": {"after": ".."}`.
    fn next_object(&mut self, object: &'s ResponseOutline) {
        let member = |is: &dyn Fn(&str, &str) -> bool| {
            object.members().iter().find_map(|(key, value)| match value {
                ResponseOutline::Scalar(Value::String(text)) if !text.is_empty() => {
                    is(&plain(key), text).then_some(key.as_str())
                }
                ResponseOutline::Scalar(Value::Number(_)) => {
                    is(&plain(key), "").then_some(key.as_str())
                }
                _ => None,
            })
        };
        let named =
            |key: &str| ["href", "link", "uri", "url"].iter().any(|name| key.starts_with(name));
        let whole = member(&|key, text| named(key) && (is_url(text) || text.starts_with('/')));
        let token = member(&|key, _| {
            matches!(key, "after" | "marker" | "offset" | "skip" | "start" | "startingafter")
                || is_about(key, Topic::Token)
                || is_about(key, Topic::Page)
        });
        // A link that is only a query may lack parameters of the request.
        let query = || member(&|key, text| named(key) && !text.is_empty());
        if let Some(key) = whole {
            self.link(key);
        } else if let Some(key) = token {
            let path = self.path.iter().copied().chain([key]).collect();
            self.signs.token.get_or_insert((path, key.to_owned()));
        } else if let Some(key) = query() {
            self.link(key);
        } else {
            self.object(object);
        }
    }

    fn link(&mut self, key: &'s str) {
        let path = self.path.iter().copied().chain([key]).collect();
        self.signs.link.get_or_insert(path);
    }

    fn scalar(&mut self, name: &'s str, key: &str, value: &'s Value) {
        let within = self.path.iter().rev().nth(1).map(|above| plain(above)).unwrap_or_default();
        let about = ABOUT.contains(&within.as_str());
        if is_about(key, Topic::Next) {
            return self.next(name, key, value);
        }
        let here = || self.path.clone();
        let text = value.as_str().filter(|text| !text.is_empty());
        let echo = text.is_some_and(|text| self.requested.contains(&text));
        // A token under a key that usually has an offset.
        let odd_offset =
            || is_about(key, Topic::Offset) && key == "offset" && whole(value).is_none();
        let is_token =
            is_about(key, Topic::Token) || (key == "after" && (about || within == "data"));
        if !echo && text.is_some() && (is_token || odd_offset()) {
            self.signs.token.get_or_insert_with(|| (here(), name.to_owned()));
        } else if !echo && is_about(key, Topic::Opaque) && (text.is_some() || value.is_number()) {
            self.signs.opaque.get_or_insert_with(here);
        }
        if let Some(more) = flag(value)
            && self.signs.more.is_none()
        {
            let general =
                matches!(key, "complete" | "done" | "end" | "last" | "more" | "truncated");
            if is_about(key, Topic::More) && !(general && self.is_record) {
                self.signs.more = Some((here(), false));
                self.signs.is_more = more;
            } else if is_about(key, Topic::End) && !(general && self.is_record) {
                self.signs.more = Some((here(), true));
                self.signs.is_more = !more;
            }
        }
        let Some(number) = whole(value).filter(|_| !self.is_record || about) else { return };
        for (topic, slot) in [
            (Topic::Page, &mut self.signs.page),
            (Topic::Pages, &mut self.signs.pages),
            (Topic::Total, &mut self.signs.total),
            (Topic::Offset, &mut self.signs.offset),
            (Topic::Limit, &mut self.signs.limit),
        ] {
            // Spring's page number has this key, but other numbers have it too.
            let vague = key == "number" && !about;
            if is_about(key, topic) && slot.is_none() && !vague {
                *slot = Some((self.path.clone(), number));
            }
        }
    }

    fn next(&mut self, name: &'s str, key: &str, value: &'s Value) {
        let path = || self.path.clone();
        let token = is_next_token(key);
        match value {
            Value::Null | Value::Bool(false)
                if token || key.ends_with("link") || key.ends_with("url") =>
            {
                self.signs.none_next.get_or_insert_with(path);
            }
            Value::String(text) if text.is_empty() && token => {
                self.signs.none_next.get_or_insert_with(path);
            }
            Value::String(text) if text.is_empty() => {}
            // A token may start with a slash.
            Value::String(text)
                if is_url(text)
                    || (text.starts_with(['/', '?'])
                        && !key.contains("token")
                        && !key.contains("cursor")) =>
            {
                self.signs.link.get_or_insert_with(path);
            }
            Value::String(_) | Value::Number(_) if token => {
                self.signs.token.get_or_insert_with(|| (path(), param_of(name)));
            }
            _ => {}
        }
    }
}

fn is_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// A boolean, or a string of one.
fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// An integer, or a string of one.
fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other
            .as_i64()
            .or_else(|| other.as_f64().filter(|it| it.fract() == 0.0).map(|it| it as i64)),
    }
}
