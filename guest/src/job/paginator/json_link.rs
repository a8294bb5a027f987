//! `json_link`: the URL of the next page is in the body.

use serde_json::{Value, json};

use super::evidence::{Evidence, Finding, shown};
use super::options::{MorePages, is_more, path, reads, with_more, written_path};
use super::page::{NextPage, PageFacts, Pages, Repetition, captured};
use crate::fault::{Fault, Result, excerpt};
use crate::job::parse::{JobObject, Keys};
use crate::json::Path;

pub(super) const KEYS: Keys =
    Keys::of(&["type", "next_url_path", "stop_after_empty_page", "has_more_path", "end_path"]);

/// Pages named by a URL.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LinkPages {
    /// The path of the URL, or of a list of links, of which the one with the relation `next` is followed.
    pub(crate) next_url: Path,
    /// Whether a page without records is the last.
    pub(crate) stop_after_empty_page: bool,
    /// The flag for more pages.
    pub(crate) more: Option<MorePages>,
}

pub(super) fn parse(object: &JobObject<'_>) -> Result<LinkPages> {
    Ok(LinkPages {
        next_url: match path(object, "next_url_path")? {
            Some(path) => path,
            None => Path::parse("next")?,
        },
        stop_after_empty_page: object.boolean("stop_after_empty_page")?.unwrap_or(false),
        more: MorePages::parse(object)?,
    })
}

impl Pages for LinkPages {
    fn describe(&self) -> Value {
        let link = json!({"type": "json_link", "next_url_path": written_path(&self.next_url)});
        with_more(link, self.more.as_ref())
    }

    fn after(&self, page: &PageFacts<'_>, _: &mut i64) -> Result<NextPage> {
        let url = match captured(page, 0)? {
            Some(Value::String(url)) => Some(url),
            Some(Value::Array(links)) => links.iter().find_map(url_of_next),
            None => None,
            Some(other) => {
                return Err(Fault::source(format_args!(
                    "expected a URL at {:?}, found {}",
                    self.next_url.as_str(),
                    excerpt(&other.to_string()),
                )));
            }
        };
        let more = is_more(self.more.as_ref(), page, 1)?;
        if self.stop_after_empty_page && page.records == 0 {
            return Ok(NextPage::End);
        }
        Ok(url.filter(|url| more && !url.is_empty()).map_or(NextPage::End, NextPage::Url))
    }

    fn reads(&self) -> Vec<Path> {
        reads(Some(&self.next_url), self.more.as_ref())
    }

    fn repetition(&self) -> Repetition {
        Repetition::Endless(
            " (where the last page refers to itself, say what ends the pages: \
             stop_after_empty_page, has_more_path or end_path)",
        )
    }
}

/// The keys of a link that hold its relation.
pub(crate) const RELATIONS: &[&str] = &["rel", "relation"];
/// The keys of a link that hold its URL.
pub(crate) const LINKS: &[&str] = &["href", "url", "uri", "link"];

/// The URL of a link whose relation is `next`: `{"rel": "next", "href": ".."}`, `{"relation": "next", "url": ".."}`.
fn url_of_next(link: &Value) -> Option<String> {
    let text = |key: &&str| link.get(*key).and_then(Value::as_str);
    RELATIONS.iter().find_map(text).filter(|relation| relation.eq_ignore_ascii_case("next"))?;
    LINKS.iter().find_map(text).map(str::to_owned)
}

pub(super) fn detect(evidence: &Evidence<'_>) -> Option<Finding<LinkPages>> {
    let keys = evidence.signs.link.as_ref().or(evidence.signs.links.as_ref())?;
    let pages = LinkPages {
        next_url: Path::of_keys(keys),
        stop_after_empty_page: false,
        more: evidence.more(),
    };
    Some(Finding::Pages(pages, format!("the URL at {}", shown(keys))))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::testing::{
        Asked, PagedSource, Served, Slice, check, check_fault, check_parsed,
    };
    use super::*;

    pub(in super::super) fn walks() -> Vec<PagedSource> {
        let relative = |slice: Slice| {
            let next = slice.next.map(|next| format!("/v1/items?from={next}"));
            Served::body(json!({"items": slice.items, "links": {"next": next}}))
        };
        let absolute = |slice: Slice| {
            let next = slice.next.map(|next| format!("https://x.net/v1/items?from={next}"));
            Served::body(json!({"items": slice.items, "next": next}))
        };
        let linked = json!({"type": "json_link", "next_url_path": "links.next"});
        let from = |asked: &Asked<'_>| asked.number("from");
        vec![
            PagedSource::of("json_link", linked, from, relative),
            PagedSource::of("json_link with a whole URL", json!("json_link"), from, absolute),
            PagedSource::of("json_response", json!("json_response"), from, absolute),
            PagedSource::detected("json_link, detected", from, relative),
        ]
    }

    #[test]
    fn is_parsed() {
        check_parsed(json!("json_response"), json!({"type": "json_link", "next_url_path": "next"}));
        check_parsed(
            json!({"type": "json_link", "end_path": "done"}),
            json!({"type": "json_link", "next_url_path": "next", "end_path": "done"}),
        );
        check_fault(
            json!({"type": "json_link", "next_url_path": "a..b"}),
            ".next_url_path: expected a path such as a.b, $['a b'] or items[*].id, found \"a..b\": \"..\" is not supported: name the keys between",
        );
    }

    #[test]
    fn follows_links() {
        let link = json!({"type": "json_link", "next_url_path": "links.next"});
        check(
            link.clone(),
            &[(9, &["\"https://x.net/2\""]), (9, &["null"])],
            &["https://x.net/2", "end"],
        );
        check(link.clone(), &[(9, &["\"\""])], &["end"]);
        check(link.clone(), &[(9, &["7"])], &["expected a URL at \"links.next\", found 7"]);
        let listed = r#"[{"rel":"self","href":"/1"},{"rel":"Next","href":"/2"}]"#;
        let fhir = r#"[{"relation":"next","url":"/3"}]"#;
        check(link, &[(9, &[listed]), (9, &[fhir]), (9, &["[]"])], &["/2", "/3", "end"]);
    }

    #[test]
    fn ends_where_the_source_says() {
        // Zendesk's exports: the last page refers to itself.
        check(
            json!({"type": "json_link", "next_url_path": "next_page", "end_path": "end_of_stream"}),
            &[(9, &["\"/2\"", "false"]), (1, &["\"/2\"", "true"])],
            &["/2", "end"],
        );
        check(
            json!({"type": "json_link", "has_more_path": "more"}),
            &[(9, &["\"/2\"", "true"]), (1, &["\"/3\"", "false"])],
            &["/2", "end"],
        );
        check(
            json!({"type": "json_link", "stop_after_empty_page": true}),
            &[(9, &["\"/2\""]), (0, &["\"/2\""])],
            &["/2", "end"],
        );
        check(
            json!({"type": "json_link", "end_path": "end_of_stream"}),
            &[(9, &["\"/2\"", ""])],
            &[
                "expected true or false at \"end_of_stream\", whether this is the last page, found nothing",
            ],
        );
    }
}
