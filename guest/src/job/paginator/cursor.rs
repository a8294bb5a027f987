//! `cursor`: a token for the next page is in the body, and goes to a parameter of the query or into the body.

use serde_json::{Value, json};

use super::evidence::{Evidence, Finding, shown};
use super::options::{
    MorePages, ParamLocation, is_more, path, reads, with_more, written, written_path,
};
use super::page::{NextPage, PageFacts, Pages, Repetition, captured};
use crate::fault::{Fault, Result, excerpt};
use crate::job::parse::{JobObject, Keys};
use crate::json::Path;

pub(super) const KEYS: Keys = Keys::of(&[
    "type",
    "cursor_path",
    "cursor_param",
    "cursor_body_path",
    "stop_after_empty_page",
    "has_more_path",
    "end_path",
]);

/// Pages named by a token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CursorPages {
    /// The path of the token.
    pub(crate) token: Path,
    /// Where the token goes.
    pub(crate) location: ParamLocation,
    /// Whether a page without records is the last.
    pub(crate) stop_after_empty_page: bool,
    /// The flag for more pages.
    pub(crate) more: Option<MorePages>,
}

pub(super) fn parse(object: &JobObject<'_>) -> Result<CursorPages> {
    Ok(CursorPages {
        token: match path(object, "cursor_path")? {
            Some(path) => path,
            None => Path::parse("cursors.next")?,
        },
        location: ParamLocation::parse(object, "cursor_param", "cursor_body_path", "cursor")?,
        stop_after_empty_page: object.boolean("stop_after_empty_page")?.unwrap_or(false),
        more: MorePages::parse(object)?,
    })
}

impl Pages for CursorPages {
    fn describe(&self) -> Value {
        let cursor = json!({
            "type": "cursor", "cursor_path": written_path(&self.token), "cursor_param": self.location.written(),
        });
        with_more(cursor, self.more.as_ref())
    }

    fn after(&self, page: &PageFacts<'_>, _: &mut i64) -> Result<NextPage> {
        let token = match captured(page, 0)? {
            None | Some(Value::Bool(false)) => None,
            Some(Value::String(text)) if text.is_empty() => None,
            Some(Value::Number(number)) if number.as_f64() == Some(0.0) => None,
            Some(token @ (Value::String(_) | Value::Number(_) | Value::Bool(true))) => Some(token),
            // A body holds any value: the `search_after` of Elasticsearch is a list.
            Some(token @ Value::Array(_)) if self.location.is_body() => Some(token),
            Some(other) => {
                return Err(Fault::source(format_args!(
                    "expected a cursor at {:?}, a string or a number, found {}",
                    self.token.as_str(),
                    excerpt(&other.to_string()),
                )));
            }
        };
        if self.stop_after_empty_page && page.records == 0 {
            return Ok(NextPage::End);
        }
        // Read in any case, so that a wrong path does not go unnoticed until there are more pages.
        let more = is_more(self.more.as_ref(), page, 1)?;
        Ok(match token {
            Some(token) if more => NextPage::Set(self.location.clone(), token),
            _ => NextPage::End,
        })
    }

    fn reads(&self) -> Vec<Path> {
        reads(Some(&self.token), self.more.as_ref())
    }

    fn parameter(&self) -> Option<&str> {
        self.location.name()
    }

    fn writes_body(&self) -> bool {
        self.location.is_body()
    }

    fn repetition(&self) -> Repetition {
        // Some sources give one cursor for all pages and end with an empty one.
        if self.stop_after_empty_page || self.more.is_some() {
            return Repetition::Allowed;
        }
        Repetition::Endless(
            " (where a cursor stays the same on purpose, say what ends the pages: \
             stop_after_empty_page, has_more_path or end_path)",
        )
    }
}

pub(super) fn detect(evidence: &Evidence<'_>) -> Option<Finding<CursorPages>> {
    let (keys, param) = evidence.signs.token.as_ref()?;
    if evidence.has_body {
        let example = evidence.example_with_more(example(evidence, &written(keys)));
        return Some(Finding::Unknown(format!("a token at {}", shown(keys)), example));
    }
    let pages = CursorPages {
        token: Path::of_keys(keys),
        location: ParamLocation::Query(param.clone()),
        stop_after_empty_page: false,
        more: evidence.more(),
    };
    Some(Finding::Pages(pages, format!("the token at {}", shown(keys))))
}

/// An example with the path of a token, where it is not known where the token goes.
pub(super) fn example(evidence: &Evidence<'_>, token: &str) -> Value {
    match evidence.has_body {
        true => {
            json!({"type": "cursor", "cursor_path": token, "cursor_body_path": "variables.after"})
        }
        false => json!({"type": "cursor", "cursor_path": token, "cursor_param": ".."}),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::testing::{PagedSource, Served, Slice, check, check_fault, check_parsed};
    use super::*;

    pub(in super::super) fn walks() -> Vec<PagedSource> {
        let texts = |slice: Slice| {
            let next = slice.next.map(|next| next.to_string());
            Served::body(json!({"items": slice.items, "cursors": {"next": next}}))
        };
        let numbers =
            |slice: Slice| Served::body(json!({"items": slice.items, "next_token": slice.next}));
        // A token on every page; a flag says which one is the last.
        let flagged = |slice: Slice| {
            let token = "x".repeat(slice.next.unwrap_or(1));
            Served::body(
                json!({"items": slice.items, "token": token, "more": slice.next.is_some()}),
            )
        };
        let in_query = json!({"type": "cursor", "cursor_param": "from"});
        let has_more = json!({
            "type": "cursor", "cursor_path": "token", "cursor_param": "t", "has_more_path": "more",
        });
        let in_body = json!({
            "type": "cursor", "cursor_path": "next_token", "cursor_body_path": "page.from",
        });
        vec![
            PagedSource::of("cursor", in_query, |asked| asked.number("from"), texts),
            PagedSource::of(
                "cursor with has_more",
                has_more,
                |asked| asked.param("t").map_or(0, str::len),
                flagged,
            ),
            PagedSource::of(
                "cursor in the body",
                in_body,
                |asked| asked.in_body("/page/from"),
                numbers,
            )
            .posted(),
            PagedSource::detected("cursor, detected", |asked| asked.number("cursor"), texts),
        ]
    }

    #[test]
    fn is_parsed() {
        let default =
            json!({"type": "cursor", "cursor_path": "cursors.next", "cursor_param": "cursor"});
        check_parsed(json!("cursor"), default);
        check_fault(
            json!({"type": "cursor", "cursor_parm": "x"}),
            ": unknown key \"cursor_parm\", did you mean \"cursor_param\"?",
        );
        check_fault(
            json!({"type": "cursor", "cursor_param": "a", "cursor_body_path": "b"}),
            ": expected \"cursor_param\" or \"cursor_body_path\", found both",
        );
        check_fault(
            json!({"type": "cursor", "cursor_body_path": "b..c"}),
            ".cursor_body_path: expected keys with dots between them, found \"b..c\"",
        );
        check_fault(
            json!({"type": "cursor", "has_more_path": "a", "end_path": "b"}),
            ": expected \"has_more_path\" or \"end_path\", found both",
        );
    }

    #[test]
    fn follows_tokens() {
        let cursor = json!({"type": "cursor", "cursor_path": "next", "cursor_param": "token"});
        check(
            cursor.clone(),
            &[(9, &["\"a\""]), (9, &["\"b\""]), (9, &[""])],
            &["token=\"a\"", "token=\"b\"", "end"],
        );
        check(
            json!({"type": "cursor", "cursor_path": "hits[-1].sort", "cursor_body_path": "search_after"}),
            &[(9, &["[1.5,\"a\"]"]), (0, &[""])],
            &["search_after:[1.5,\"a\"]", "end"],
        );
        for falsy in ["null", "\"\"", "0", "0.0", "false"] {
            check(cursor.clone(), &[(9, &[falsy])], &["end"]);
        }
        check(cursor.clone(), &[(0, &["17"])], &["token=17"]);
        check(
            cursor,
            &[(9, &["{\"a\":1}"])],
            &["expected a cursor at \"next\", a string or a number, found {\"a\":1}"],
        );
        check(
            json!({"type": "cursor", "cursor_body_path": "page.after", "stop_after_empty_page": true}),
            &[(1, &["\"a\""]), (1, &["\"a\""]), (0, &["\"a\""])],
            &["page.after:\"a\"", "page.after:\"a\"", "end"],
        );
    }

    #[test]
    fn ends_where_the_source_says() {
        check(
            json!({"type": "cursor", "has_more_path": "more"}),
            &[(0, &["\"a\"", "true"]), (0, &["\"a\"", "\"Yes\""]), (1, &["\"b\"", "false"])],
            &["cursor=\"a\"", "cursor=\"a\"", "end"],
        );
        check(
            json!({"type": "cursor", "has_more_path": "more"}),
            &[(1, &["\"a\"", ""])],
            &["expected true or false at \"more\", whether there is more, found nothing"],
        );
        check(
            json!({"type": "cursor", "has_more_path": "more"}),
            &[(1, &["\"a\"", "1"])],
            &["expected true or false at \"more\", whether there is more, found 1"],
        );
        check(
            json!({"type": "cursor", "has_more_path": "more"}),
            &[(1, &["", ""])],
            &["expected true or false at \"more\", whether there is more, found nothing"],
        );
        check(
            json!({"type": "cursor", "end_path": "done"}),
            &[(1, &["\"a\"", "false"]), (1, &["\"b\"", "\"TRUE\""])],
            &["cursor=\"a\"", "end"],
        );
    }
}
