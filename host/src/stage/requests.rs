//! The requests of one upload: signed with the current credentials, and sent again after transient failures.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::cancel::Cancel;
use super::counters::Counters;
use super::info::StageInfo;
use super::locations::{FileLocation, UploadEvent};
use crate::cloud::exchange::{CloudAgents, CloudFailure, CloudResponse, RequestBody, refused};
use crate::cloud::request::Ask;
use crate::cloud::signature::PayloadHash;
use crate::credentials::Secret;
use crate::interface::Failure;

/// What one cloud does in its own way.
pub(super) trait StorageApi: Sized {
    /// The storage, if it is one of this cloud.
    fn of(info: &StageInfo) -> Option<&Self>;

    /// Signs a request that is sent now. Returns the secrets that no error may quote.
    fn sign(&self, ask: &mut Ask, payload: &PayloadHash) -> Vec<Secret>;

    /// What an answer means.
    fn class(&self, answer: &CloudResponse) -> AnswerClass;
}

/// What an answer means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum AnswerClass {
    Done,
    /// The credentials are no longer valid.
    Expired,
    Retry,
    Fatal,
}

impl AnswerClass {
    /// The class that all clouds share.
    pub(super) fn of_status(status: u16) -> Self {
        match status {
            200..300 => Self::Done,
            408 | 429 | 500.. => Self::Retry,
            _ => Self::Fatal,
        }
    }
}

/// Why an upload ended.
#[derive(Debug)]
pub(super) enum PutError {
    /// Another upload failed, or the queue was cancelled.
    Cancelled,
    Failed(Failure),
}

/// What the uploads of a queue share.
pub(super) struct UploadClient {
    pub(super) agents: CloudAgents,
    pub(super) cancel: Cancel,
    pub(super) counters: Counters,
    pub(super) first_wait: Duration,
}

/// The waits between them double: seven attempts take half a minute.
const TRIES: u32 = 7;
const LONGEST_WAIT: Duration = Duration::from_secs(16);
/// No wait is longer, even if the server requests it.
const LONGEST_ASKED: Duration = Duration::from_secs(60);
/// Renewals for one request. After that its credentials are not expired, but wrong.
const RENEWALS: u32 = 2;
/// Parts of one file on their way at once.
const PARTS_AT_ONCE: usize = 4;

/// Sends the requests of one upload.
pub(super) struct UploadRequests<'a> {
    client: &'a UploadClient,
    location: &'a FileLocation<'a>,
    /// Set when this upload is cancelled.
    cancelled: &'a AtomicBool,
    tries: u32,
}

impl<'a> UploadRequests<'a> {
    pub(super) fn new(client: &'a UploadClient, location: &'a FileLocation<'a>) -> Self {
        Self { client, location, cancelled: client.cancel.flag(), tries: TRIES }
    }

    /// The same for the clean-up after a failure: it is not cancelled, and gives up earlier.
    pub(super) fn cleaning(&self) -> Self {
        static NEVER: AtomicBool = AtomicBool::new(false);
        Self { client: self.client, location: self.location, cancelled: &NEVER, tries: 3 }
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Sends a request until it is done. `ask` makes it anew for each attempt; `step` says what it is for.
    pub(super) fn send<S: StorageApi>(
        &self,
        step: &str,
        body: &[u8],
        ask: impl Fn(&S) -> Ask,
    ) -> Result<CloudResponse, PutError> {
        self.send_and_read(step, body, ask, S::class)
    }

    /// The same with a class of its own for each answer.
    pub(super) fn send_and_read<S: StorageApi>(
        &self,
        step: &str,
        body: &[u8],
        ask: impl Fn(&S) -> Ask,
        class: impl Fn(&S, &CloudResponse) -> AnswerClass,
    ) -> Result<CloudResponse, PutError> {
        let payload = PayloadHash::of(body);
        let mut wait = self.client.first_wait;
        let mut tried = 0;
        let mut renewed = 0;
        loop {
            if self.is_cancelled() {
                return Err(PutError::Cancelled);
            }
            let current = self.location.current().map_err(PutError::Failed)?;
            let other =
                || failed(step, &CloudFailure::lasting("the stage has moved to another cloud"));
            let storage = S::of(&current.info).ok_or_else(other)?;
            let mut request = ask(storage);
            let secrets = storage.sign(&mut request, &payload);
            let mut body = RequestBody::new(body, self.cancelled);
            let mut asked = None;
            let (retry, trouble) = match self.client.agents.send(&request, &mut body, &secrets) {
                Ok(answer) => match class(storage, &answer) {
                    AnswerClass::Done => return Ok(answer),
                    AnswerClass::Expired if renewed < RENEWALS => {
                        renewed += 1;
                        self.location.renew(&current).map_err(PutError::Failed)?;
                        continue;
                    }
                    found => {
                        asked = answer.header("retry-after").and_then(|it| it.trim().parse().ok());
                        (found == AnswerClass::Retry, refused(&answer, None))
                    }
                },
                Err(mut trouble) => {
                    if trouble.status == 0 {
                        trouble.message = format!("{}: {}", request.host(), trouble.message);
                    }
                    (trouble.transient, trouble)
                }
            };
            tried += 1;
            if retry && tried < self.tries && !self.is_cancelled() {
                self.client.counters.retry();
                let time = asked.map_or_else(|| jittered(wait), Duration::from_secs);
                let time = time.min(LONGEST_ASKED);
                self.location.event(&UploadEvent::Retry { reason: &trouble.message, wait: time });
                self.wait(time);
                wait = (wait * 2).min(LONGEST_WAIT);
                continue;
            }
            return Err(self.ended(step, trouble, tried));
        }
    }

    fn wait(&self, time: Duration) {
        if std::ptr::eq(self.cancelled, self.client.cancel.flag()) {
            self.client.cancel.wait(time);
        } else {
            thread::sleep(time);
        }
    }

    fn ended(&self, step: &str, mut trouble: CloudFailure, tried: u32) -> PutError {
        if self.is_cancelled() {
            return PutError::Cancelled;
        }
        if trouble.transient {
            trouble.message.push_str(&format!(" (tried {tried} times)"));
        }
        failed(step, &trouble)
    }

    /// Does something for each part of a file, several at once, until one fails. Returns what they return,
    /// in their order.
    pub(super) fn for_parts<T: Send>(
        &self,
        parts: &[&[u8]],
        run: impl Fn(usize, &[u8]) -> Result<T, PutError> + Sync,
    ) -> Result<Vec<T>, PutError> {
        let next = AtomicUsize::new(0);
        let first_error: Mutex<Option<PutError>> = Mutex::new(None);
        let found: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::with_capacity(parts.len()));
        let work = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(part) = parts.get(number) else { return };
                match run(number, part) {
                    Ok(value) => {
                        found.lock().unwrap_or_else(PoisonError::into_inner).push((number, value));
                    }
                    Err(error) => {
                        next.store(parts.len(), Ordering::Relaxed);
                        let mut first = first_error.lock().unwrap_or_else(PoisonError::into_inner);
                        first.get_or_insert(error);
                        return;
                    }
                }
            }
        };
        // The scope waits for all of them: no part is sent after the upload is aborted.
        thread::scope(|scope| {
            for _ in 1..PARTS_AT_ONCE.min(parts.len()) {
                // Without it the other threads send all parts.
                _ = thread::Builder::new().spawn_scoped(scope, work);
            }
            work();
        });
        if let Some(error) = first_error.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.sort_by_key(|(number, _)| *number);
        Ok(found.into_iter().map(|(_, value)| value).collect())
    }
}

/// The failure of a step.
pub(super) fn failed(step: &str, trouble: &CloudFailure) -> PutError {
    PutError::Failed(Failure {
        code: if trouble.status == 0 { String::new() } else { trouble.status.to_string() },
        message: format!("{step}: {}", trouble.message),
        transient: trouble.transient,
    })
}

/// A random time between half of `wait` and `wait`: threads that failed together are spread.
fn jittered(wait: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 512;
    let share = 512 + u32::try_from(random).unwrap_or_default();
    wait * share / 1024
}
