//! What a paginator does with a page.

use serde_json::Value;

use super::location::ParamLocation;
use crate::fault::{Fault, Result, excerpt};
use crate::json::{Path, string_content};

/// What is known of a page when the next request is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageFacts<'a> {
    /// The number of its records, discarded ones included.
    pub(crate) records: u64,
    /// The raw JSON found at each of the paths that the paginator reads (`Pages::reads`), in their order:
    /// the first value where a path matches several, `None` where it matches nothing.
    pub(crate) captured: &'a [Option<String>],
    /// The headers of the response; names in lower case.
    pub(crate) headers: &'a [(String, String)],
}

/// How the next request differs from the last.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum NextPage {
    /// There is no next page.
    End,
    /// A value is set.
    Set(ParamLocation, Value),
    /// The request goes to this URL, absolute or relative, without the parameters of the job.
    Url(String),
}

/// What a reference to a page means that was followed before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Repetition {
    /// Nothing: something else ends the pages.
    Allowed,
    /// The source would never end. The text is a hint for the error.
    Endless(&'static str),
}

/// A paginator: how the next page is requested. Each kind is in a file of its own, beside its keys, how it is
/// parsed, and how it is recognized in a response.
pub(crate) trait Pages {
    /// The paginator as a job writes it.
    fn describe(&self) -> Value;

    /// How the request of the next page differs from that of this page. `sources::rest::request` builds the
    /// request. `number` is the position of a paginator that counts.
    ///
    /// # Errors
    /// A source fault if the page lacks what the paginator reads.
    fn after(&self, page: &PageFacts<'_>, number: &mut i64) -> Result<NextPage>;

    /// The greatest number of pages that are requested at once.
    fn parallel(&self) -> usize {
        1
    }

    /// The position at which the pages end, as far as a page and the job say. Only for a paginator that counts.
    ///
    /// # Errors
    /// A source fault if the page lacks what the paginator reads.
    fn end(&self, _page: &PageFacts<'_>) -> Result<Option<i64>> {
        Ok(None)
    }

    /// How the request of a page differs from that of the page at `number`, which is `pages` pages before it, and
    /// its position. `None` if this is known only after the pages between are read.
    fn later(&self, _number: i64, _pages: usize) -> Option<(ParamLocation, Value, i64)> {
        None
    }

    /// The paths whose values it reads on every page.
    fn reads(&self) -> Vec<Path> {
        Vec::new()
    }

    /// What the first request has in addition to what the job sets.
    fn first(&self) -> Vec<(ParamLocation, Value)> {
        Vec::new()
    }

    /// The position of the first page.
    fn first_number(&self) -> i64 {
        0
    }

    /// The parameter that names the page, which a source may ignore. `None` where the source gives a URL.
    fn parameter(&self) -> Option<&str> {
        None
    }

    /// The number of records that it assumes a page has.
    fn page_size(&self) -> Option<u64> {
        None
    }

    /// The statuses that end the pages, after the first one.
    fn end_statuses(&self) -> &[u16] {
        &[]
    }

    /// Returns `true` if it sets a value in a JSON body.
    fn writes_body(&self) -> bool {
        false
    }

    /// Returns `true` if the responses decide which page is the last, and not the job.
    fn ends_by_response(&self) -> bool {
        true
    }

    /// What a reference to a page means that was followed before.
    fn repetition(&self) -> Repetition {
        Repetition::Endless("")
    }
}

/// The value captured at one of the paths that a paginator reads; null is nothing.
pub(super) fn captured(page: &PageFacts<'_>, index: usize) -> Result<Option<Value>> {
    let Some(raw) = page.captured.get(index) else {
        return Err(Fault::internal("a page was passed without what its paginator reads"));
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

/// A header by its name in lower case.
pub(crate) fn header<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim())
}
