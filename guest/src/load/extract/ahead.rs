//! Pages that are requested before the pages in front of them are read, for paginators that count.
//!
//! The pages are read in their order, one after the other, so that a load is the same whatever the number of pages at
//! once is. A failure is reported when its page is the next one. A failure of a page after the last one is ignored.

use std::collections::VecDeque;

use super::attempt::{Answer, Attempt, longer};
use crate::fault::{Fault, Result};
use crate::load::session::Session;
use crate::protocol::{Pause, Request};
use crate::sources::rest::{self, Requests};

/// The most bytes of the pages that are requested at once, by the largest page so far.
const AT_ONCE_BYTES: usize = 32 << 20;

/// The next pages of a resource: requested, and not read yet.
pub(crate) struct PagesAhead {
    /// The greatest number of pages at once. A temporary failure halves it.
    at_once: usize,
    /// The bytes of the largest page; `None` before the first one.
    largest: Option<usize>,
    /// The number of requests that the source still allows, by the responses to the last requests.
    allowed: Option<usize>,
    pages: VecDeque<PageAhead>,
}

/// The next page to read.
pub(super) struct NextRequest<'a> {
    pub(super) requests: &'a Requests,
    pub(super) request: &'a Request,
    /// `true` for the first page of the resource.
    pub(super) is_first: bool,
}

/// One of the pages.
struct PageAhead {
    request: Request,
    attempt: Attempt,
    /// The wait before the next attempt.
    pause: Option<Pause>,
    fault: Option<Fault>,
}

impl PagesAhead {
    /// Of a job that wants so many pages at once.
    pub(super) const fn new(at_once: usize) -> Self {
        Self { at_once, largest: None, allowed: None, pages: VecDeque::new() }
    }

    /// A response for the next page, after as many attempts as needed.
    ///
    /// # Errors
    /// A source fault if the source gives no response to read.
    pub(super) async fn answer(
        &mut self,
        session: &mut Session,
        load_id: &str,
        next: &NextRequest<'_>,
    ) -> Result<Answer> {
        loop {
            if self.pages.is_empty() {
                self.fill(load_id, next)?;
            }
            let page = self.pages.front_mut().ok_or_else(nothing_to_read)?;
            if let Some(fault) = page.fault.take() {
                return Err(fault);
            }
            if !page.attempt.is_open() {
                break;
            }
            self.send(session, next).await?;
        }
        let page = self.pages.pop_front().and_then(|page| page.attempt.into_answer());
        page.ok_or_else(nothing_to_read)
    }

    /// Adds the next page and those after it. The first page is requested alone: only then are the size of a page
    /// and the total number known.
    fn fill(&mut self, load_id: &str, next: &NextRequest<'_>) -> Result<()> {
        let by_size = self.largest.map_or(1, |largest| AT_ONCE_BYTES / largest.max(1));
        let by_source = self.allowed.unwrap_or(usize::MAX);
        let later = self.at_once.min(by_size).min(by_source).saturating_sub(1);
        let later = if later == 0 { Vec::new() } else { next.requests.later(later)? };
        let requests = std::iter::once(next.request.clone()).chain(later);
        self.pages.extend(requests.map(|request| PageAhead {
            attempt: Attempt::new(load_id, &request),
            request,
            pause: None,
            fault: None,
        }));
        Ok(())
    }

    /// Sends the requests that have no response yet, after the longest wait of one of them.
    async fn send(&mut self, session: &mut Session, next: &NextRequest<'_>) -> Result<()> {
        let pause =
            self.pages.iter_mut().fold(None, |pause, page| longer(pause, page.pause.take()));
        if let Some(pause) = pause {
            session.wait(pause).await?;
        }
        let open = self.pages.iter_mut().filter(|page| page.is_open());
        let sent: Vec<&mut PageAhead> = open.take(self.at_once).collect();
        let requests = sent.iter().map(|page| page.request.clone()).collect();
        let responses = session.fetch(requests).await?;
        let read = responses.iter().flatten();
        self.largest = read.clone().map(|response| response.body.len()).max().max(self.largest);
        let allowed = read.filter_map(|response| rest::remaining(&response.headers)).min();
        self.allowed = allowed.and_then(|allowed| usize::try_from(allowed).ok());
        let mut limited = false;
        for (page, response) in sent.into_iter().zip(responses) {
            let policy = next.requests.policy(next.is_first);
            match page.attempt.judge(&page.request, policy, response) {
                Ok(pause) => page.pause = pause,
                Err(fault) => page.fault = Some(fault),
            }
            limited |= page.pause.is_some();
        }
        if limited {
            self.at_once = (self.at_once / 2).max(1);
        }
        Ok(())
    }
}

impl PageAhead {
    /// Returns `true` if another attempt may give a response.
    const fn is_open(&self) -> bool {
        self.fault.is_none() && self.attempt.is_open()
    }
}

#[cold]
fn nothing_to_read() -> Fault {
    Fault::internal("expected a response for the next page, found none")
}
