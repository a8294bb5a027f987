//! Resources that are read over HTTP: their pages one after the other, or those about several records of the
//! parent at a time.

use std::ops::Range;

use super::notes::{Notes, watched};
use super::reading::{Reading, ReadingStop};
use super::record::check_size;
use crate::fault::{Context, Fault, Result};
use crate::json::Path;
use crate::json::select::{self, Facts, WalkedPage};
use crate::json::{Peek, Reader};
use crate::load::session::Session;
use crate::protocol::{Failure, Pause, Request, Response};
use crate::sources::rest::{
    self, Decision, Empty, PageFacts, ParentRow, ParentRows, Requests, Retry,
};

/// The most parent records that one step has requests about: as many pages are in memory then.
const AT_ONCE: usize = 8;
/// The most bytes of these pages together, by the largest page so far.
const AT_ONCE_BYTES: usize = 32 << 20;

/// A byte order mark, with which some sources begin their JSON.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The requests of a resource with pages that are not read yet.
pub(crate) struct OpenRequests {
    pub(crate) requests: Requests,
    /// The number of the next page, from 1.
    pub(crate) page: u64,
    /// `true` if an interrupted load stopped here.
    pub(crate) resumed: bool,
}

/// The pages of a resource, or those about one record of its parent.
struct PageChain<'p> {
    requests: Requests,
    parent: Option<ParentRow<'p>>,
    /// The fields that the records get from their parent, as JSON members.
    members: String,
    /// The next request; `None` after the last page.
    next: Option<Request>,
    /// The number of the page, from 1.
    page: u64,
    /// `true` if the page before had records, but fewer than requested.
    short: bool,
    /// `true` if the page is the first after an interruption: the position may have expired at the
    /// source.
    resumed: bool,
}

/// Reads the responses of the source, to the end or to a checkpoint: `open` is then the position.
///
/// For a resource with a parent, requests for several of the parent's records are sent in one step.
/// Their pages are taken in the order of those records, so that the order of rows does not depend
/// on the batching.
pub(crate) async fn read(
    reading: &mut Reading<'_>,
    parents: Option<&ParentRows>,
    open: &mut Option<OpenRequests>,
) -> Result<ReadingStop> {
    let mut notes = Notes::default();
    let stop = read_chains(reading, parents, open, &mut notes).await?;
    reading.warn(notes.warnings(&reading.resource.name));
    Ok(stop)
}

async fn read_chains(
    reading: &mut Reading<'_>,
    parents: Option<&ParentRows>,
    open: &mut Option<OpenRequests>,
    notes: &mut Notes,
) -> Result<ReadingStop> {
    let mut rows: Box<dyn Iterator<Item = Option<ParentRow<'_>>>> = match parents {
        None => Box::new(std::iter::once(None)),
        Some(parents) => Box::new((0..parents.len()).map(|n| Some(parents.row(n)))),
    };
    let mut chains: Vec<PageChain<'_>> = Vec::new();
    // The first page is requested alone: the size of pages is not known yet.
    let (mut at_once, mut largest) = (1, 1);
    if let Some(open) = open.take() {
        chains.push(PageChain::resume(open)?);
        rows = Box::new(std::iter::empty());
    }
    loop {
        while chains.len() < at_once
            && let Some(row) = rows.next()
        {
            let chain = PageChain::new(reading, row);
            chains.push(match row {
                None => chain?,
                Some(row) => chain.at(|| row)?,
            });
        }
        if chains.is_empty() {
            return Ok(ReadingStop::End);
        }
        if reading.is_due()
            && let Some(PageChain { requests, page, .. }) = chains.pop()
        {
            *open = Some(OpenRequests { requests, page, resumed: false });
            return Ok(ReadingStop::Checkpoint);
        }
        let sent = chains.get(..at_once).unwrap_or(&chains);
        let answers = answers(reading.session, reading.part.load_id, sent).await?;
        for (chain, answer) in chains.iter_mut().zip(answers) {
            match answer {
                Answer::Page(response) => {
                    largest = largest.max(response.body.len());
                    reading.count_page(response.body.len());
                    let taken = take_page(reading, chain, &response, notes).await;
                    taken.at(|| chain.location())?;
                }
                Answer::End => chain.next = None,
            }
            reading.flush().await?;
        }
        chains.retain(|chain| chain.next.is_some());
        at_once = (AT_ONCE_BYTES / largest).clamp(1, AT_ONCE);
    }
}

/// Takes the records of a page, and determines the next request.
async fn take_page(
    reading: &mut Reading<'_>,
    chain: &mut PageChain<'_>,
    response: &Response,
    notes: &mut Notes,
) -> Result<()> {
    let body = &response.body;
    check_size(body.len())?;
    chain.requests.look(response)?;
    notes.find(chain.requests.found());
    let wanted = chain.requests.wanted_paths().len();
    let selector = chain.requests.selector().cloned();
    let watched = watched(selector.as_ref());
    let paths: Vec<Path> = chain.requests.wanted_paths().iter().chain(&watched).cloned().collect();
    let (facts, records) = take_records(reading, chain, body, &paths, notes).await?;
    let (captured, watched) = facts.captured.split_at(wanted.min(facts.captured.len()));
    if let Some(selector) = selector.as_ref().filter(|_| !facts.selected) {
        let empty = rest::check_empty(selector, body)?;
        if empty == Empty::Missing {
            notes.nothing.count(selector, facts.keys);
        }
    } else if facts.records == 0 && selector.is_some_and(|it| !it.segments().is_empty()) {
        rest::check_silence(body)?;
    }
    notes.watch(watched);
    chain.requests.compare(response, body.get(records).unwrap_or_default())?;
    if let Some(size) = chain.requests.page_size() {
        notes.gaps.page(size, facts.records, chain.short);
        chain.short = (1..size).contains(&facts.records);
    }
    let page = PageFacts { records: facts.records, captured, headers: &response.headers };
    chain.advance(reading, response, &page, notes)
}

/// Takes the records of a page. Returns the facts of the page, and the text from the first record
/// to the last.
async fn take_records(
    reading: &mut Reading<'_>,
    chain: &PageChain<'_>,
    body: &str,
    paths: &[Path],
    notes: &mut Notes,
) -> Result<(Facts, Range<usize>)> {
    let mut records = body.len()..0;
    let Some(selector) = chain.requests.selector() else {
        return Ok((select::capture(body, paths)?, records));
    };
    let mut walked = WalkedPage::new(paths);
    reading.sink.begin();
    loop {
        let sink = &mut reading.sink;
        let mut take = |reader: &mut Reader<'_>| {
            records.start = records.start.min(reader.position());
            notes.nulls += u64::from(reader.peek()? == Peek::Null);
            let taken = sink.take(reader, &chain.members);
            records.end = reader.position();
            taken.map(|()| sink.flow(records.end))
        };
        let reader = Reader::new(body);
        if select::walk(reader, Some(selector), paths, false, &mut walked, &mut take)? {
            return Ok((walked.facts, records));
        }
        reading.flush().await?;
    }
}

/// The result of a request.
enum Answer {
    Page(Response),
    /// A response that ends the pages by a rule of the job.
    End,
}

/// A response for each chain, after as many attempts as needed.
async fn answers(
    session: &mut Session,
    load_id: &str,
    chains: &[PageChain<'_>],
) -> Result<Vec<Answer>> {
    let mut attempts: Vec<Attempt<'_>> = Vec::new();
    for chain in chains {
        let Some(request) = &chain.next else { continue };
        let retry = Retry::new(load_id, request);
        attempts.push(Attempt { chain, request, retry, answer: None });
    }
    loop {
        let open: Vec<&mut Attempt<'_>> =
            attempts.iter_mut().filter(|attempt| attempt.answer.is_none()).collect();
        if open.is_empty() {
            return Ok(attempts.into_iter().filter_map(|attempt| attempt.answer).collect());
        }
        let requests = open.iter().map(|attempt| attempt.request.clone()).collect();
        let mut pause: Option<Pause> = None;
        for (attempt, response) in open.into_iter().zip(session.fetch(requests).await?) {
            let wait = attempt.judge(response).at(|| attempt.chain.page_label())?;
            // One wait for all requests: the longest, so that none is repeated too early.
            if let Some(wait) = wait
                && pause.as_ref().is_none_or(|pause| pause.seconds < wait.seconds)
            {
                pause = Some(wait);
            }
        }
        if let Some(pause) = pause {
            session.wait(pause).await?;
        }
    }
}

/// Repeats a request until it has a response.
struct Attempt<'c> {
    chain: &'c PageChain<'c>,
    request: &'c Request,
    retry: Retry,
    answer: Option<Answer>,
}

impl Attempt<'_> {
    /// Decides on a response. Returns the wait before the next attempt.
    fn judge(&mut self, mut response: Result<Response, Failure>) -> Result<Option<Pause>> {
        if let Ok(response) = &mut response
            && response.body.starts_with(BYTE_ORDER_MARK)
        {
            // RFC 8259, section 8.1: a reader may ignore it.
            response.body.drain(..BYTE_ORDER_MARK.len_utf8());
        }
        let policy = self.chain.requests.policy(self.chain.page == 1);
        match self.retry.judge(self.request, policy, &response) {
            Decision::Proceed => {
                let response = response.map_err(|failure| {
                    Fault::internal(format_args!("no answer to read: {}", failure.message))
                })?;
                self.answer = Some(Answer::Page(response));
            }
            Decision::Ignore => self.answer = Some(Answer::End),
            Decision::Resend => {}
            Decision::Wait { seconds, reason } => return Ok(Some(Pause { seconds, reason })),
            Decision::GiveUp(fault) => return Err(fault),
        }
        Ok(None)
    }
}

impl<'p> PageChain<'p> {
    /// The pages of a resource, or those about one record of its parent, from the first.
    fn new(reading: &Reading<'_>, parent: Option<ParentRow<'p>>) -> Result<Self> {
        let start = reading.sink.cursor().and_then(|cursor| cursor.start_value());
        let requests = Requests::new(reading.part.job, reading.resource, start, parent)?;
        let next = Some(requests.first()?);
        let members = parent.map(|row| row.members()).transpose()?.unwrap_or_default();
        Ok(Self { requests, parent, members, next, page: 1, short: false, resumed: false })
    }

    /// The rest of the pages of a resource, after a checkpoint.
    fn resume(OpenRequests { requests, page, resumed }: OpenRequests) -> Result<Self> {
        let next = Some(requests.first()?);
        let (parent, members, short) = (None, String::new(), false);
        Ok(Self { requests, parent, members, next, page, short, resumed })
    }

    /// Determines the request after a page.
    fn advance(
        &mut self,
        reading: &Reading<'_>,
        response: &Response,
        page: &PageFacts<'_>,
        notes: &mut Notes,
    ) -> Result<()> {
        // The order of records is unknown if they belong to several parents.
        let closed = self.parent.is_none() && reading.sink.cursor().is_some_and(|c| c.is_closed());
        self.next = if closed { None } else { self.requests.after(page)? };
        if self.next.is_none() && !closed && self.page == 1 && page.records > 0 && notes.may_doubt()
        {
            notes.find(self.requests.overlooked(response)?.into_iter().collect());
        }
        self.page += 1;
        self.resumed = false;
        Ok(())
    }

    /// Parent, page and request, for a fault.
    fn location(&self) -> String {
        let request = self.next.as_ref().map(rest::shown).unwrap_or_default();
        format!("{}: {request}", self.page_label())
    }

    fn page_label(&self) -> String {
        match &self.parent {
            None if self.resumed => {
                format!("page {}, where an interrupted load goes on", self.page)
            }
            None => format!("page {}", self.page),
            Some(row) => format!("{row}: page {}", self.page),
        }
    }
}
