//! From one page to the next: what dlt's paginators do (`sources/helpers/rest_client/paginators.py`)
//! with what was seen of a page.

mod repeats;

use serde_json::Value;

use self::repeats::Loop;
pub(super) use self::repeats::Repeats;
use crate::dlt::orjson::string_content;
use crate::fault::{Fault, Result};
use crate::job::{CursorPages, LinkPages, More, Paginator, Place, RangePages};
use crate::json::Path;

/// What was seen of a page.
#[derive(Clone, Copy, Debug)]
pub struct PageFacts<'a> {
    /// Records in it, before any of them was left out.
    pub records: u64,
    /// The raw JSON found at each of [`super::Requests::wanted_paths`], in their order; the first
    /// where a path matches several values, none where it matches nothing.
    pub captured: &'a [Option<String>],
    /// The headers of the answer; names in lower case.
    pub headers: &'a [(String, String)],
}

/// How the next request differs from the last.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Next {
    /// There is none.
    End,
    /// A value goes there.
    Set(Place, Value),
    /// It goes to this URL, absolute or relative, as it is.
    Url(String),
}

/// A paginator at work.
#[derive(Clone, Debug)]
pub(super) struct Pager {
    paginator: Paginator,
    wanted: Vec<Path>,
    number: i64,
    seen: Loop,
}

impl Pager {
    pub(super) fn new(paginator: Paginator) -> Self {
        let wanted = match &paginator {
            Paginator::Cursor(pages) => both(Some(&pages.token), pages.more.as_ref()),
            Paginator::JsonLink(pages) => both(Some(&pages.next_url), pages.more.as_ref()),
            Paginator::Range(pages) => both(pages.total.as_ref(), pages.more.as_ref()),
            Paginator::Auto
            | Paginator::HeaderCursor { .. }
            | Paginator::HeaderLink { .. }
            | Paginator::SinglePage => Vec::new(),
        };
        let number = match &paginator {
            Paginator::Range(pages) => pages.first,
            _ => 0,
        };
        Self { paginator, wanted, number, seen: Loop::default() }
    }

    /// The scalars it wants of every page.
    pub(super) fn wanted(&self) -> &[Path] {
        &self.wanted
    }

    /// Where it is, of one that counts.
    pub(super) const fn number(&self) -> i64 {
        self.number
    }

    /// Goes on counting there.
    pub(super) const fn set_number(&mut self, number: i64) {
        self.number = number;
    }

    /// What it asks with, where a source may not heed it: a link is the source's own.
    pub(super) fn asks_with(&self) -> Option<&str> {
        let place = match &self.paginator {
            Paginator::Range(pages) => &pages.place,
            Paginator::Cursor(pages) => &pages.place,
            Paginator::HeaderCursor { param, .. } => return Some(param),
            _ => return None,
        };
        match place {
            Place::Query(name) => Some(name),
            Place::Body(keys) => keys.last().map(String::as_str),
        }
    }

    /// How many records of a page it takes for granted.
    pub(super) fn page_size(&self) -> Option<u64> {
        match &self.paginator {
            Paginator::Range(pages) if pages.limit.is_some() => u64::try_from(pages.step).ok(),
            _ => None,
        }
    }

    /// The statuses of an answer to a page behind the first that end the pages.
    pub(super) fn end_statuses(&self) -> &[u16] {
        match &self.paginator {
            Paginator::Range(pages) => &pages.end_statuses,
            _ => &[],
        }
    }

    /// Whether it ends the pages by what it finds, and not by what the job says.
    pub(super) const fn may_overlook(&self) -> bool {
        match &self.paginator {
            Paginator::Auto | Paginator::SinglePage => false,
            Paginator::Range(pages) => pages.maximum.is_none(),
            _ => true,
        }
    }

    /// Whether it does not know yet what it is.
    pub(super) fn is_auto(&self) -> bool {
        self.paginator == Paginator::Auto
    }

    /// Whether it puts something into a JSON body.
    pub(super) fn writes_body(&self) -> bool {
        let is_body = |place: &Place| matches!(place, Place::Body(_));
        match &self.paginator {
            Paginator::Cursor(pages) => is_body(&pages.place),
            Paginator::Range(pages) => {
                is_body(&pages.place) || pages.limit.as_ref().is_some_and(is_body)
            }
            _ => false,
        }
    }

    /// What the first request says besides what the job says.
    pub(super) fn first(&self) -> Vec<(Place, Value)> {
        let Paginator::Range(pages) = &self.paginator else { return Vec::new() };
        let mut first = vec![(pages.place.clone(), Value::from(pages.first))];
        first.extend(pages.limit.clone().map(|limit| (limit, Value::from(pages.step))));
        first
    }

    /// What comes after a page.
    pub(super) fn after(&mut self, page: &PageFacts<'_>) -> Result<Next> {
        let next = match &self.paginator {
            Paginator::Auto => {
                return Err(Fault::internal("a page was handed in before its paginator was found"));
            }
            Paginator::SinglePage => Next::End,
            Paginator::Cursor(pages) => after_token(pages, page)?,
            Paginator::Range(pages) => after_number(pages, page, &mut self.number)?,
            Paginator::JsonLink(pages) => after_link(pages, page)?,
            Paginator::HeaderLink { rel } => link(page.headers, rel).map_or(Next::End, Next::Url),
            Paginator::HeaderCursor { header, param } => match value_of(page.headers, header) {
                Some(token) if !token.is_empty() => {
                    Next::Set(Place::Query(param.clone()), Value::from(token))
                }
                _ => Next::End,
            },
        };
        let (reference, ends_otherwise) = match (&next, &self.paginator) {
            (Next::Set(_, token), Paginator::Cursor(pages)) => {
                // Some sources give one cursor for all pages and end with an empty one.
                (token.to_string(), pages.stop_after_empty_page || pages.more.is_some())
            }
            (Next::Set(_, token), Paginator::HeaderCursor { .. }) => (token.to_string(), false),
            (Next::Url(url), _) => (url.clone(), false),
            _ => return Ok(next),
        };
        if self.seen.closes(&reference) && !ends_otherwise {
            let hint = match &self.paginator {
                Paginator::Cursor(_) => {
                    " (where a cursor stays the same on purpose, say what ends the pages: \
                     stop_after_empty_page, has_more_path or end_path)"
                }
                Paginator::JsonLink(_) => {
                    " (where the last page refers to itself, say what ends the pages: \
                     stop_after_empty_page, has_more_path or end_path)"
                }
                _ => "",
            };
            return Err(Fault::source(format_args!(
                "expected a new page, found {} again after {} pages: the source would never end{hint}",
                excerpt(&reference),
                self.seen.count(),
            )));
        }
        Ok(next)
    }
}

/// The paths a paginator reads, in the order in which they are captured.
fn both(one: Option<&Path>, more: Option<&More>) -> Vec<Path> {
    one.into_iter().chain(more.map(|more| &more.path)).cloned().collect()
}

fn after_link(pages: &LinkPages, page: &PageFacts<'_>) -> Result<Next> {
    let url = match captured(page, 0)? {
        Some(Value::String(url)) => Some(url),
        // A list of links, each with its relation.
        Some(Value::Array(links)) => links.iter().find_map(next_of),
        None => None,
        Some(other) => {
            return Err(Fault::source(format_args!(
                "expected a URL at {:?}, found {}",
                pages.next_url.as_str(),
                excerpt(&other.to_string()),
            )));
        }
    };
    let more = is_more(pages.more.as_ref(), page, 1)?;
    if pages.stop_after_empty_page && page.records == 0 {
        return Ok(Next::End);
    }
    Ok(url.filter(|url| more && !url.is_empty()).map_or(Next::End, Next::Url))
}

/// The URL of a link whose relation is `next`: `{"rel": "next", "href": ".."}`, `{"relation": "next", "url": ".."}`.
fn next_of(link: &Value) -> Option<String> {
    let text = |key: &&str| link.get(*key).and_then(Value::as_str);
    RELATIONS.iter().find_map(text).filter(|relation| relation.eq_ignore_ascii_case("next"))?;
    LINKS.iter().find_map(text).map(str::to_owned)
}

/// What a link calls its relation.
pub(super) const RELATIONS: &[&str] = &["rel", "relation"];
/// What a link calls its URL.
pub(super) const LINKS: &[&str] = &["href", "url", "uri", "link"];

fn after_token(pages: &CursorPages, page: &PageFacts<'_>) -> Result<Next> {
    let in_body = matches!(pages.place, Place::Body(_));
    let token = match captured(page, 0)? {
        None | Some(Value::Bool(false)) => None,
        Some(Value::String(text)) if text.is_empty() => None,
        Some(Value::Number(number)) if number.as_f64() == Some(0.0) => None,
        Some(token @ (Value::String(_) | Value::Number(_) | Value::Bool(true))) => Some(token),
        // A body holds any value: the `search_after` of Elasticsearch is a list.
        Some(token @ Value::Array(_)) if in_body => Some(token),
        Some(other) => {
            return Err(Fault::source(format_args!(
                "expected a cursor at {:?}, a text or a number, found {}",
                pages.token.as_str(),
                excerpt(&other.to_string()),
            )));
        }
    };
    if pages.stop_after_empty_page && page.records == 0 {
        return Ok(Next::End);
    }
    // Read in any case, so that a wrong path does not go unnoticed until there are more pages.
    let more = is_more(pages.more.as_ref(), page, 1)?;
    Ok(match token {
        Some(token) if more => Next::Set(pages.place.clone(), token),
        _ => Next::End,
    })
}

fn after_number(pages: &RangePages, page: &PageFacts<'_>, number: &mut i64) -> Result<Next> {
    if pages.stop_after_empty_page && page.records == 0 {
        return Ok(Next::End);
    }
    let total = match &pages.total {
        None => None,
        Some(path) => Some(total(path, pages.unit, page)?),
    };
    *number = number.saturating_add(pages.step);
    let beyond = total.is_some_and(|total| *number >= total.saturating_add(pages.base))
        || pages.maximum.is_some_and(|maximum| *number >= maximum);
    // In any case, as for cursors.
    let more = is_more(pages.more.as_ref(), page, usize::from(pages.total.is_some()))?;
    let short = pages.full_page.is_some_and(|full| page.records < full);
    if beyond || short || !more {
        return Ok(Next::End);
    }
    Ok(Next::Set(pages.place.clone(), Value::from(*number)))
}

/// How many there are, a number or a text of one.
fn total(path: &Path, unit: &str, page: &PageFacts<'_>) -> Result<i64> {
    let found = captured(page, 0)?;
    let number = match &found {
        Some(Value::Number(number)) => {
            // Beyond i64 it is as good as endless.
            number.as_i64().or_else(|| number.as_f64().map(|real| real.trunc() as i64))
        }
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| {
        let found = found.map_or_else(|| "nothing".to_owned(), |found| excerpt(&found.to_string()));
        Fault::source(format_args!(
            "expected the number of {unit} at {:?}, found {found}: name its path in total_path, or \
             say null where the source does not tell",
            path.as_str()
        ))
    })
}

/// Whether there are more pages: true or false or a text of it (`str2bool` in `common/utils.py`).
fn is_more(more: Option<&More>, page: &PageFacts<'_>, index: usize) -> Result<bool> {
    let Some(more) = more else { return Ok(true) };
    let found = captured(page, index)?;
    let told = match &found {
        Some(Value::Bool(told)) => Some(*told),
        Some(Value::String(text)) => match text.to_ascii_lowercase().as_str() {
            "yes" | "true" | "t" | "y" | "1" => Some(true),
            "no" | "false" | "f" | "n" | "0" => Some(false),
            _ => None,
        },
        None if !more.required => return Ok(true),
        _ => None,
    };
    told.map(|told| told != more.at_end).ok_or_else(|| {
        let what = if more.at_end { "this is the last page" } else { "there is more" };
        let found = found.map_or_else(|| "nothing".to_owned(), |it| excerpt(&it.to_string()));
        Fault::source(format_args!(
            "expected true or false at {:?}, whether {what}, found {found}",
            more.path.as_str()
        ))
    })
}

/// What was found at a wanted path; null is nothing.
fn captured(page: &PageFacts<'_>, index: usize) -> Result<Option<Value>> {
    let Some(raw) = page.captured.get(index) else {
        return Err(Fault::internal("a page was handed in without what its paginator wants"));
    };
    let Some(raw) = raw.as_deref().map(str::trim) else { return Ok(None) };
    if raw.starts_with('"') {
        return string_content(raw).map(|text| Some(Value::String(text.into_owned())));
    }
    let value: Value = serde_json::from_str(raw).map_err(|error| {
        Fault::source(format_args!("expected JSON, found {}: {error}", excerpt(raw)))
    })?;
    Ok(Some(value).filter(|value| !value.is_null()))
}

/// The URL with this relation in the `link` headers (RFC 8288).
pub(super) fn link(headers: &[(String, String)], rel: &str) -> Option<String> {
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

/// A header by its name in lower case.
pub(super) fn value_of<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim())
}

/// At most 200 characters of what a source said, on one line.
pub(super) fn excerpt(text: &str) -> String {
    const CHARACTERS: usize = 200;
    let mut line = String::new();
    let mut count = 0;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if word.is_empty() {
            continue;
        }
        for c in line.chars().next().map(|_| ' ').into_iter().chain(word.chars()) {
            if count == CHARACTERS {
                return line + "...";
            }
            line.push(c);
            count += 1;
        }
    }
    line
}

#[cfg(test)]
mod tests;
