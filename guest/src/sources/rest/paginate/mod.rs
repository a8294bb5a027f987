//! The state of a paginator while it reads the pages of one source.

mod repeats;

use serde_json::Value;

use self::repeats::Loop;
pub(super) use self::repeats::Repeats;
use crate::fault::{Fault, Result, excerpt};
use crate::job::paginator::{NextPage, PageFacts, Paginator, ParamLocation, Repetition};
use crate::json::Path;

/// A paginator, and its position.
#[derive(Clone, Debug)]
pub(super) struct Pager {
    paginator: Paginator,
    reads: Vec<Path>,
    number: i64,
    /// The position at which the pages end, as far as the last page and the job say. `None` too if one page is
    /// requested at a time.
    end: Option<i64>,
    followed: Loop,
}

impl Pager {
    pub(super) fn new(paginator: Paginator) -> Self {
        let (reads, number) = (paginator.pages().reads(), paginator.pages().first_number());
        Self { paginator, reads, number, end: None, followed: Loop::default() }
    }

    /// The paths that it reads on every page.
    pub(super) fn reads(&self) -> &[Path] {
        &self.reads
    }

    /// The position of a paginator that counts.
    pub(super) const fn number(&self) -> i64 {
        self.number
    }

    /// Continues to count at a position.
    pub(super) const fn set_number(&mut self, number: i64) {
        self.number = number;
    }

    /// The parameter that selects the page, which a source may ignore. `None` if the source returns
    /// URLs.
    pub(super) fn parameter(&self) -> Option<&str> {
        self.paginator.pages().parameter()
    }

    /// The number of records that it assumes a page has.
    pub(super) fn page_size(&self) -> Option<u64> {
        self.paginator.pages().page_size()
    }

    /// The statuses that end the pages, after the first one.
    pub(super) fn end_statuses(&self) -> &[u16] {
        self.paginator.pages().end_statuses()
    }

    /// Returns `true` if the responses, rather than the job, decide which page is the last.
    pub(super) fn ends_by_response(&self) -> bool {
        self.paginator.pages().ends_by_response()
    }

    /// Returns `true` if the paginator is not detected yet.
    pub(super) const fn is_auto(&self) -> bool {
        self.paginator.is_auto()
    }

    /// Returns `true` if it sets a value in a JSON body.
    pub(super) fn writes_body(&self) -> bool {
        self.paginator.pages().writes_body()
    }

    /// Parameters that the first request has in addition to those of the job.
    pub(super) fn first(&self) -> Vec<(ParamLocation, Value)> {
        self.paginator.pages().first()
    }

    /// The greatest number of pages that are requested at once.
    pub(super) fn parallel(&self) -> usize {
        self.paginator.pages().parallel()
    }

    /// The differences between the next request and those after it, at most `count`: of pages that exist, as far as
    /// is known.
    pub(super) fn later(&self, count: usize) -> Vec<(ParamLocation, Value)> {
        let later = (1..=count).map_while(|n| self.paginator.pages().later(self.number, n));
        let exists = |number: i64| self.end.is_none_or(|end| number < end);
        later
            .take_while(|(_, _, number)| exists(*number))
            .map(|(place, value, _)| (place, value))
            .collect()
    }

    /// The difference between the next request and the last one, after a page.
    pub(super) fn after(&mut self, page: &PageFacts<'_>) -> Result<NextPage> {
        let pages = self.paginator.pages();
        let next = pages.after(page, &mut self.number)?;
        let reference = match &next {
            NextPage::End => return Ok(next),
            NextPage::Set(_, token) => token.to_string(),
            NextPage::Url(url) => url.clone(),
        };
        if pages.parallel() > 1 {
            self.end = pages.end(page)?;
        }
        if let Repetition::Endless(hint) = pages.repetition()
            && self.followed.closes(&reference)
        {
            return Err(Fault::source(format_args!(
                "expected a new page, found {} again after {} pages: the source would never end{hint}",
                excerpt(&reference),
                self.followed.count(),
            )));
        }
        Ok(next)
    }
}

#[cfg(test)]
mod tests;
