//! Resources that are read over HTTP: their pages one after the other, or those about several records of the
//! parent at a time.

use std::ops::Range;

use super::ahead::{NextRequest, PagesAhead};
use super::attempt::{Answer, Attempt, longer};
use super::notes::{Notes, watched};
use super::reading::{Reading, ReadingStop};
use super::record::check_size;
use crate::fault::{Context, Result};
use crate::json::Path;
use crate::json::select::{self, Facts, WalkedPage};
use crate::json::{Peek, Reader};
use crate::load::session::Session;
use crate::protocol::{Pause, Request, Response};
use crate::sources::rest::{self, Empty, PageFacts, ParentRow, ParentRows, Requests};

/// The most parent records that one step has requests about: as many pages are in memory then.
const AT_ONCE: usize = 8;
/// The most bytes of these pages together, by the largest page so far.
const AT_ONCE_BYTES: usize = 32 << 20;

/// The requests of a resource with pages that are not read yet.
pub(crate) struct OpenRequests {
    pub(crate) requests: Requests,
    /// The number of the next page, from 1.
    pub(crate) page: u64,
    /// `true` if an interrupted load stopped here.
    pub(crate) resumed: bool,
    /// The pages that are requested before this part of the load reads them. A saved position is without them.
    pub(crate) ahead: Option<PagesAhead>,
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
    /// The following pages, if the job wants several to be requested at once.
    ahead: Option<PagesAhead>,
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
        chains.push(PageChain::resume(reading, open)?);
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
            && let Some(PageChain { requests, page, ahead, .. }) = chains.pop()
        {
            *open = Some(OpenRequests { requests, page, resumed: false, ahead });
            return Ok(ReadingStop::Checkpoint);
        }
        let (session, load_id) = (&mut *reading.session, reading.part.load_id);
        let ahead = match chains.as_mut_slice() {
            [chain] => chain.answer_ahead(session, load_id).await?,
            _ => None,
        };
        let answers = match ahead {
            Some(answer) => vec![answer],
            None => answers(session, load_id, chains.get(..at_once).unwrap_or(&chains)).await?,
        };
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

/// A response for each chain, after as many attempts as needed.
async fn answers(
    session: &mut Session,
    load_id: &str,
    chains: &[PageChain<'_>],
) -> Result<Vec<Answer>> {
    let mut sent: Vec<ChainAttempt<'_>> = Vec::new();
    for chain in chains {
        let Some(request) = &chain.next else { continue };
        sent.push(ChainAttempt { chain, request, attempt: Attempt::new(load_id, request) });
    }
    loop {
        let open: Vec<&mut ChainAttempt<'_>> =
            sent.iter_mut().filter(|sent| sent.attempt.is_open()).collect();
        if open.is_empty() {
            return Ok(sent.into_iter().filter_map(|sent| sent.attempt.into_answer()).collect());
        }
        let requests = open.iter().map(|sent| sent.request.clone()).collect();
        let mut pause: Option<Pause> = None;
        for (sent, response) in open.into_iter().zip(session.fetch(requests).await?) {
            let policy = sent.chain.requests.policy(sent.chain.page == 1);
            let wait = sent.attempt.judge(sent.request, policy, response);
            // One wait for all requests.
            pause = longer(pause, wait.at(|| sent.chain.page_label())?);
        }
        if let Some(pause) = pause {
            session.wait(pause).await?;
        }
    }
}

/// The request for the next page of a chain.
struct ChainAttempt<'c> {
    chain: &'c PageChain<'c>,
    request: &'c Request,
    attempt: Attempt,
}

/// The pages that are requested at once, if the job wants several. Not if the order of the records can end the pages:
/// it often ends them on the first one.
fn pages_ahead(reading: &Reading<'_>, requests: &Requests) -> Option<PagesAhead> {
    let may_close = reading.sink.cursor().is_some_and(|cursor| cursor.may_close());
    let at_once = requests.parallel();
    (at_once > 1 && !may_close).then(|| PagesAhead::new(at_once))
}

impl<'p> PageChain<'p> {
    /// The pages of a resource, or those about one record of its parent, from the first.
    fn new(reading: &Reading<'_>, parent: Option<ParentRow<'p>>) -> Result<Self> {
        let start = reading.sink.cursor().and_then(|cursor| cursor.start_value());
        let requests = Requests::new(reading.part.job, reading.resource, start, parent)?;
        let next = Some(requests.first()?);
        let members = parent.map(|row| row.members()).transpose()?.unwrap_or_default();
        let ahead = if parent.is_none() { pages_ahead(reading, &requests) } else { None };
        let (page, short, resumed) = (1, false, false);
        Ok(Self { requests, parent, members, next, page, short, resumed, ahead })
    }

    /// The rest of the pages of a resource, after a checkpoint.
    fn resume(reading: &Reading<'_>, open: OpenRequests) -> Result<Self> {
        let OpenRequests { requests, page, resumed, ahead } = open;
        let ahead = ahead.or_else(|| pages_ahead(reading, &requests));
        let next = Some(requests.first()?);
        let (parent, members, short) = (None, String::new(), false);
        Ok(Self { requests, parent, members, next, page, short, resumed, ahead })
    }

    /// The response for the next page of a chain that requests several pages at once; `None` for any other chain.
    async fn answer_ahead(
        &mut self,
        session: &mut Session,
        load_id: &str,
    ) -> Result<Option<Answer>> {
        let (Some(ahead), Some(request)) = (&mut self.ahead, &self.next) else { return Ok(None) };
        let (requests, is_first) = (&self.requests, self.page == 1);
        let next = NextRequest { requests, request, is_first };
        let answer = ahead.answer(session, load_id, &next).await;
        answer.at(|| self.page_label()).map(Some)
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
