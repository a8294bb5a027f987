//! A resource that is asked for over HTTP: its pages one after the other, or those of its parent's
//! records, a few at a time.

use super::notes::{Notes, watched};
use super::record::check_size;
use super::resource::{Ingest, Reading};
use crate::fault::{Context, Fault, Result};
use crate::json::Path;
use crate::json::select::{self, Walked};
use crate::json::{Peek, Reader};
use crate::load::session::Session;
use crate::protocol::{Failure, Pause, Request, Response};
use crate::sources::rest::{self, Decision, Empty, PageFacts, Requests, Retry, Row};

/// How many of a parent's records are asked about at once: as many pages are in memory then.
const AT_ONCE: usize = 8;
/// How large these pages may be together, going by the largest so far: larger ones come alone.
const AT_ONCE_BYTES: usize = 32 << 20;

/// What some sources put before their JSON.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The requests of a resource that is in the midst of its pages.
pub(crate) struct OpenRequests {
    pub(crate) requests: Requests,
    /// The number of the next page, from 1.
    pub(crate) page: u64,
    /// Another load came to there, and was interrupted.
    pub(crate) resumed: bool,
}

/// The pages of a resource, or those about one record of its parent.
struct PageChain<'p> {
    requests: Requests,
    parent: Option<Row<'p>>,
    /// What the records get from their parent.
    members: String,
    /// What is asked now; none when there are no more pages.
    next: Option<Request>,
    /// The number of the page, from 1.
    page: u64,
    /// The page before had records, but fewer than were asked for.
    short: bool,
    /// The page is the first after an interruption: the source may not know the place any more.
    resumed: bool,
}

impl Ingest<'_> {
    /// Reads what the source answers.
    ///
    /// Of a resource with a parent several records are asked about in one step, and their pages are
    /// taken in the order of those records: the order of rows depends on what the source holds only.
    /// False: it is time to commit what there is; `asked` says where to go on then.
    pub(crate) async fn request(
        &self,
        session: &mut Session,
        reading: &mut Reading<'_>,
        asked: &mut Option<OpenRequests>,
    ) -> Result<bool> {
        let mut rows: Box<dyn Iterator<Item = Option<Row<'_>>>> = match self.parents {
            None => Box::new(std::iter::once(None)),
            Some(parents) => Box::new((0..parents.len()).map(|n| Some(parents.row(n)))),
        };
        let mut chains: Vec<PageChain<'_>> = Vec::new();
        let mut notes = Notes::default();
        // The first page comes alone, for nobody knows how large pages are.
        let (mut at_once, mut largest) = (1, 1);
        if let Some(OpenRequests { requests, page, resumed }) = asked.take() {
            let next = Some(requests.first()?);
            let (parent, members, short) = (None, String::new(), false);
            chains.push(PageChain { requests, parent, members, next, page, short, resumed });
            rows = Box::new(std::iter::empty());
        }
        loop {
            while chains.len() < at_once
                && let Some(row) = rows.next()
            {
                let chain = self.chain(reading, row);
                chains.push(match row {
                    None => chain?,
                    Some(row) => chain.at(|| row)?,
                });
            }
            if chains.is_empty() {
                notes.tell(reading, &self.resource.name);
                return Ok(true);
            }
            if self.is_due(reading)
                && let Some(PageChain { requests, page, .. }) = chains.pop()
            {
                *asked = Some(OpenRequests { requests, page, resumed: false });
                notes.tell(reading, &self.resource.name);
                return Ok(false);
            }
            let asked = chains.get(..at_once).unwrap_or(&chains);
            for (at, answer) in self.answers(session, asked).await?.into_iter().enumerate() {
                let Some(chain) = chains.get_mut(at) else { continue };
                match answer {
                    Some(response) => {
                        session.pages += 1;
                        largest = largest.max(response.body.len());
                        reading.pages += 1;
                        reading.bytes += response.body.len() as u64;
                        let taken = self.take(session, reading, chain, &response, &mut notes).await;
                        taken.at(|| chain.place())?;
                    }
                    None => chain.next = None,
                }
                self.flush(session, reading).await?;
            }
            chains.retain(|chain| chain.next.is_some());
            at_once = (AT_ONCE_BYTES / largest).clamp(1, AT_ONCE);
        }
    }

    /// Takes the records of a page, and finds out what is asked next.
    async fn take(
        &self,
        session: &mut Session,
        reading: &mut Reading<'_>,
        chain: &mut PageChain<'_>,
        response: &Response,
        notes: &mut Notes,
    ) -> Result<()> {
        let body = &response.body;
        check_size(body.len())?;
        chain.requests.look(response)?;
        notes.find(chain.requests.found());
        let wanted = chain.requests.wanted_paths();
        let selector = chain.requests.selector();
        let watched = watched(selector);
        let paths: Vec<Path> = wanted.iter().chain(&watched).cloned().collect();
        // From the first record to the last.
        let mut records = body.len()..0;
        let mut walked = Walked::new(&paths);
        reading.sink.begin();
        let facts = loop {
            if selector.is_none() {
                break select::capture(body, &paths)?;
            }
            let sink = &mut reading.sink;
            let mut take = |reader: &mut Reader<'_>| {
                records.start = records.start.min(reader.position());
                notes.nulls += u64::from(reader.peek()? == Peek::Null);
                let taken = sink.take(reader, &chain.members);
                records.end = reader.position();
                taken.map(|()| sink.flow(records.end))
            };
            let reader = Reader::new(body);
            if select::walk(reader, selector, &paths, false, &mut walked, &mut take)? {
                break walked.facts;
            }
            self.flush(session, reading).await?;
        };
        let (captured, beside) = facts.captured.split_at(wanted.len().min(facts.captured.len()));
        if let Some(selector) = selector.filter(|_| !facts.selected) {
            let empty = rest::check_empty(selector, body)?;
            if empty == Empty::Missing {
                notes.nothing.count(selector, facts.keys);
            }
        } else if facts.records == 0 && selector.is_some_and(|it| !it.segments().is_empty()) {
            rest::check_silence(body)?;
        }
        notes.watch(beside);
        let sink = &reading.sink;
        chain.requests.compare(response, body.get(records).unwrap_or_default())?;
        if let Some(size) = chain.requests.page_size() {
            notes.gaps.page(size, facts.records, chain.short);
            chain.short = (1..size).contains(&facts.records);
        }
        // The order of records says nothing where they are of several parents.
        let closed = chain.parent.is_none() && sink.cursor().is_some_and(|c| c.is_closed());
        let facts = PageFacts { records: facts.records, captured, headers: &response.headers };
        chain.next = if closed { None } else { chain.requests.after(&facts)? };
        if chain.next.is_none()
            && !closed
            && chain.page == 1
            && facts.records > 0
            && notes.may_doubt()
        {
            notes.find(chain.requests.overlooked(response)?.into_iter().collect());
        }
        chain.page += 1;
        chain.resumed = false;
        Ok(())
    }

    fn chain<'p>(&self, reading: &Reading<'_>, parent: Option<Row<'p>>) -> Result<PageChain<'p>> {
        let start = reading.sink.cursor().and_then(|cursor| cursor.start_value());
        let requests = Requests::new(self.job, self.resource, start, parent)?;
        let next = Some(requests.first()?);
        let members = parent.map(|row| row.members()).transpose()?.unwrap_or_default();
        Ok(PageChain { requests, parent, members, next, page: 1, short: false, resumed: false })
    }

    /// An answer for each chain, with the patience it takes; none where the job says that such an
    /// answer ends the pages.
    async fn answers(
        &self,
        session: &mut Session,
        chains: &[PageChain<'_>],
    ) -> Result<Vec<Option<Response>>> {
        let mut asked: Vec<Attempt<'_>> = Vec::new();
        for chain in chains {
            let Some(request) = &chain.next else { continue };
            let retry = Retry::new(self.load_id, request);
            asked.push(Attempt { chain, request, retry, answer: None });
        }
        loop {
            let open: Vec<&mut Attempt<'_>> =
                asked.iter_mut().filter(|asked| asked.answer.is_none()).collect();
            if open.is_empty() {
                return Ok(asked.into_iter().map(|asked| asked.answer.flatten()).collect());
            }
            let requests = open.iter().map(|asked| asked.request.clone()).collect();
            let mut pause: Option<Pause> = None;
            for (asked, answer) in open.into_iter().zip(session.fetch(requests).await?) {
                let wait = asked.judge(answer).at(|| asked.chain.page_of())?;
                // One wait for all: the longest, so that no one is asked too early.
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
}

/// A request under way.
struct Attempt<'c> {
    chain: &'c PageChain<'c>,
    request: &'c Request,
    retry: Retry,
    /// Once there is one: the answer to read, or none where there is nothing to read.
    answer: Option<Option<Response>>,
}

impl Attempt<'_> {
    /// Decides about an answer; says how long to wait before the next attempt.
    fn judge(&mut self, mut answer: Result<Response, Failure>) -> Result<Option<Pause>> {
        if let Ok(response) = &mut answer
            && response.body.starts_with(BYTE_ORDER_MARK)
        {
            // RFC 8259, section 8.1: a reader may ignore it.
            response.body.drain(..BYTE_ORDER_MARK.len_utf8());
        }
        let rules = self.chain.requests.rules(self.chain.page == 1);
        match self.retry.judge(self.request, rules, &answer) {
            Decision::Proceed => {
                let response = answer.map_err(|failure| {
                    Fault::internal(format_args!("no answer to read: {}", failure.message))
                })?;
                self.answer = Some(Some(response));
            }
            Decision::Ignore => self.answer = Some(None),
            Decision::Resend => {}
            Decision::Wait { seconds, reason } => return Ok(Some(Pause { seconds, reason })),
            Decision::GiveUp(fault) => return Err(fault),
        }
        Ok(None)
    }
}

impl PageChain<'_> {
    /// Where it is, for a fault: parent, page and request.
    fn place(&self) -> String {
        let request = self.next.as_ref().map(rest::shown).unwrap_or_default();
        format!("{}: {request}", self.page_of())
    }

    fn page_of(&self) -> String {
        match &self.parent {
            None if self.resumed => {
                format!("page {}, where an interrupted load goes on", self.page)
            }
            None => format!("page {}", self.page),
            Some(row) => format!("{row}: page {}", self.page),
        }
    }
}
