//! `header_link`: the URL of the next page is in the `link` header (RFC 8288).

use serde_json::{Value, json};

use super::evidence::{Evidence, Finding};
use super::page::{NextPage, PageFacts, Pages};
use crate::fault::Result;
use crate::job::parse::{JobObject, Keys};

pub(super) const KEYS: Keys = Keys::of(&["type", "links_next_key"]);

/// The relation of the links that lead to the next page.
const NEXT: &str = "next";

/// Pages named by a URL in the `link` header.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HeaderLinkPages {
    /// The relation of the link that is followed.
    pub(crate) rel: String,
}

pub(super) fn parse(object: &JobObject<'_>) -> Result<HeaderLinkPages> {
    Ok(HeaderLinkPages { rel: object.text("links_next_key")?.unwrap_or(NEXT).to_owned() })
}

impl Pages for HeaderLinkPages {
    fn describe(&self) -> Value {
        match self.rel.as_str() {
            NEXT => json!("header_link"),
            rel => json!({"type": "header_link", "links_next_key": rel}),
        }
    }

    fn after(&self, page: &PageFacts<'_>, _: &mut i64) -> Result<NextPage> {
        Ok(link(page.headers, &self.rel).map_or(NextPage::End, NextPage::Url))
    }
}

pub(super) fn detect(evidence: &Evidence<'_>) -> Option<Finding<HeaderLinkPages>> {
    link(evidence.headers, NEXT)?;
    let pages = HeaderLinkPages { rel: NEXT.to_owned() };
    Some(Finding::Pages(pages, "the link \"next\" of the header Link".to_owned()))
}

/// The URL with this relation in the `link` headers.
fn link(headers: &[(String, String)], rel: &str) -> Option<String> {
    headers.iter().filter(|(name, _)| name == "link").find_map(|(_, value)| {
        let mut rest = value.as_str();
        while let Some((_, after)) = rest.split_once('<') {
            let (url, after) = after.split_once('>')?;
            // Parameters go on to the next link; a < in a quoted one would be a strange header.
            let (params, _) = after.split_once('<').unwrap_or((after, ""));
            let names = params.split(';').filter_map(|param| {
                let (name, value) = param.split_once('=')?;
                let value = value.trim().trim_end_matches(',').trim().trim_matches(['"', '\'']);
                name.trim().eq_ignore_ascii_case("rel").then_some(value)
            });
            if names.flat_map(str::split_whitespace).any(|name| name == rel) {
                return Some(url.trim().to_owned());
            }
            rest = after;
        }
        None
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::testing::{
        Asked, PagedSource, Served, Slice, check_detected, check_parsed, header_steps,
    };
    use super::*;

    pub(in super::super) fn walks() -> Vec<PagedSource> {
        let serve = |slice: Slice| {
            let first = "<https://x.net/v1/items?from=0>; rel=\"first\"";
            let link = match slice.next {
                Some(next) => {
                    format!("{first}, <https://x.net/v1/items?from={next}>; rel=\"next\"")
                }
                None => first.to_owned(),
            };
            Served { headers: vec![("link", link)], body: json!(slice.items) }
        };
        let from = |asked: &Asked<'_>| asked.number("from");
        vec![
            PagedSource::of("header_link", json!("header_link"), from, serve).in_a_list(),
            PagedSource::detected("header_link, detected", from, serve),
        ]
    }

    #[test]
    fn is_parsed() {
        check_parsed(
            json!({"type": "header_link", "links_next_key": "next"}),
            json!("header_link"),
        );
        let other = json!({"type": "header_link", "links_next_key": "more"});
        check_parsed(other.clone(), other);
    }

    #[test]
    fn follows_links() {
        let check = |header: &str, rel: &str, url: Option<&str>| {
            let paginator = json!({"type": "header_link", "links_next_key": rel});
            let found = header_steps(&paginator, &[&[("x", "y"), ("link", header)]]);
            assert_eq!(found, [url.unwrap_or("end")], "{header}");
        };
        let two =
            "<https://x.net/a?page=2,3>; rel=\"next\", <https://x.net/a?page=9>; rel=\"last\"";
        check(two, "next", Some("https://x.net/a?page=2,3"));
        check(two, "last", Some("https://x.net/a?page=9"));
        check(two, "prev", None);
        check("</b>;rel=next", "next", Some("/b"));
        check(
            "</a>; rel=\"prev start\"; title=\"x\", </b>; title=\"rel=next\"; REL='next'",
            "next",
            Some("/b"),
        );
        check("</a>; rel=\"prev start\"", "start", Some("/a"));
        check("<a", "next", None);
        check("", "next", None);
    }

    #[test]
    fn is_detected() {
        check_detected(&[("link", "</2>; rel=\"next\"")], json!("header_link"));
        check_detected(&[("link", "</2>; rel=\"prev\"")], json!("single_page"));
    }
}
