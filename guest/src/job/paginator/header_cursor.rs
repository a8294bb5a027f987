//! `header_cursor`: a token for the next page is in a header, and goes to a parameter of the query.

use serde_json::{Value, json};

use super::evidence::{Evidence, Finding};
use super::options::ParamLocation;
use super::page::{NextPage, PageFacts, Pages, header};
use crate::fault::Result;
use crate::job::parse::{JobObject, Keys};

pub(super) const KEYS: Keys = Keys::of(&["type", "cursor_key", "cursor_param"]);

/// Pages named by a token in a header.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HeaderCursorPages {
    /// The header, in lower case.
    pub(crate) header: String,
    /// The parameter.
    pub(crate) param: String,
}

pub(super) fn parse(object: &JobObject<'_>) -> Result<HeaderCursorPages> {
    Ok(HeaderCursorPages {
        header: object.text("cursor_key")?.unwrap_or("next").to_ascii_lowercase(),
        param: object.text("cursor_param")?.unwrap_or("cursor").to_owned(),
    })
}

impl Pages for HeaderCursorPages {
    fn describe(&self) -> Value {
        json!({"type": "header_cursor", "cursor_key": self.header, "cursor_param": self.param})
    }

    fn after(&self, page: &PageFacts<'_>, _: &mut i64) -> Result<NextPage> {
        Ok(match header(page.headers, &self.header) {
            Some(token) if !token.is_empty() => {
                NextPage::Set(ParamLocation::Query(self.param.clone()), Value::from(token))
            }
            _ => NextPage::End,
        })
    }

    fn parameter(&self) -> Option<&str> {
        Some(&self.param)
    }
}

/// Headers with a token for the next page, and the parameter that it goes to.
const TOKENS: &[(&str, &str)] = &[
    ("x-next-page", "page"),
    ("x-next-cursor", "cursor"),
    ("next-cursor", "cursor"),
    ("x-ms-continuationtoken", "continuationToken"),
];

pub(super) fn detect(evidence: &Evidence<'_>) -> Option<Finding<HeaderCursorPages>> {
    let filled = |name: &str| header(evidence.headers, name).is_some_and(|it| !it.is_empty());
    let (header, param) = TOKENS.iter().find(|(header, _)| filled(header))?;
    let pages = HeaderCursorPages { header: (*header).to_owned(), param: (*param).to_owned() };
    Some(Finding::Pages(pages, format!("the header {header}")))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::testing::{
        PagedSource, Served, Slice, check_detected, check_parsed, header_steps,
    };
    use super::*;

    pub(in super::super) fn walks() -> Vec<PagedSource> {
        let paginator =
            json!({"type": "header_cursor", "cursor_key": "X-Next", "cursor_param": "from"});
        let serve = |slice: Slice| Served {
            headers: slice.next.iter().map(|next| ("x-next", next.to_string())).collect(),
            body: json!({"items": slice.items}),
        };
        vec![PagedSource::of("header_cursor", paginator, |asked| asked.number("from"), serve)]
    }

    #[test]
    fn is_parsed() {
        check_parsed(
            json!({"type": "header_cursor", "cursor_key": "X-Next"}),
            json!({"type": "header_cursor", "cursor_key": "x-next", "cursor_param": "cursor"}),
        );
    }

    #[test]
    fn follows_tokens() {
        let paginator =
            json!({"type": "header_cursor", "cursor_key": "X-Next", "cursor_param": "after"});
        let pages: &[&[(&str, &str)]] =
            &[&[("x-next", "abc")], &[("x-next", "")], &[("x-other", "abc")]];
        assert_eq!(header_steps(&paginator, pages), ["after=\"abc\"", "end", "end"]);
    }

    #[test]
    fn is_detected() {
        check_detected(
            &[("x-next-page", "2"), ("x-total-pages", "3")],
            json!({"type": "header_cursor", "cursor_key": "x-next-page", "cursor_param": "page"}),
        );
        check_detected(&[("x-next-page", ""), ("x-total-pages", "1")], json!("single_page"));
    }
}
