//! Files on their way to a stage: several at once, bounded in bytes.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::cancel::Cancel;
use super::counters::{Counters, UploadCounts};
use super::file::{PartSizes, StageFile};
use super::info::StageStorage;
use super::locations::{Locate, Locations, StagePath, UploadEvent};
use super::requests::{PutError, UploadClient, UploadRequests, failed};
use super::{amazon, azure, cipher, google};
use crate::cloud::exchange::{CloudAgents, CloudFailure};
use crate::cloud::signature::PayloadHash;
use crate::interface::Failure;

/// Ends the uploads of a queue from another thread. It does not keep the queue.
#[derive(Clone)]
pub(crate) struct QueueStopper(Weak<QueueShared>);

impl QueueStopper {
    /// Ends all uploads, as [`Queue::cancel`] does. Requests without a body go on.
    pub(crate) fn cancel(&self) {
        if let Some(shared) = self.0.upgrade() {
            shared.cancel();
        }
    }

    /// Ends all requests, too, and refuses further ones.
    pub(crate) fn shut_down(&self) {
        if let Some(shared) = self.0.upgrade() {
            shared.client.agents.shut_down();
        }
    }
}

/// What a queue may use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct QueueLimits {
    /// Files on their way at once. 8 by default.
    pub threads: usize,
    /// Bytes of files that wait or are on their way; a single file may be larger. 256 MiB by default.
    pub bytes: u64,
    /// Files that are larger are sent in parts. 64 MiB by default.
    pub parts_above: usize,
    /// Bytes of a part. 16 MiB by default; clouds expect 5 MiB at least, and multiples of 256 KiB.
    pub part: usize,
    /// Wait so long before a request that failed is sent again, twice as long the next time. Half a second
    /// by default.
    pub first_wait: Duration,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            threads: 8,
            bytes: 256 << 20,
            parts_above: 64 << 20,
            part: 16 << 20,
            first_wait: Duration::from_millis(500),
        }
    }
}

/// Uploads files on threads of its own.
///
/// [`submit`](Self::submit) returns before a file has arrived, and waits while too many bytes are on their
/// way. [`finish`](Self::finish) waits for all of them. After a failure no further file is sent until
/// [`finish`](Self::finish) has returned it.
///
/// ```
/// use std::sync::Arc;
///
/// use snowcat_host::Failure;
/// use snowcat_host::stage::{Locate, StagePath, Queue, QueueLimits, StageInfo};
///
/// /// A session that is lost.
/// struct Lost;
///
/// impl Locate for Lost {
///     fn locate(&self, place: &StagePath) -> Result<StageInfo, Failure> {
///         let message = format!("no PUT of {} without a session", place.name);
///         Err(Failure { code: "390111".to_owned(), message, transient: false })
///     }
/// }
///
/// let queue = Queue::new(Arc::new(Lost), QueueLimits::default());
/// queue.submit(StagePath::new(r#""RAW"."SHOP"."LOADS""#, "1/orders.parquet"), b"PAR1".to_vec());
/// let failure = queue.finish().err();
/// assert_eq!(failure.map(|it| it.code).as_deref(), Some("390111"));
/// assert_eq!(queue.finish(), Ok(()));
/// ```
pub struct Queue {
    shared: Arc<QueueShared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct QueueShared {
    limits: QueueLimits,
    locations: Locations,
    client: UploadClient,
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    waiting: VecDeque<(StagePath, Vec<u8>)>,
    /// Of the files that wait or are on their way.
    bytes: u64,
    /// Files on their way.
    running: usize,
    failure: Option<Failure>,
    closed: bool,
}

impl Queue {
    /// A queue that is empty. Its threads begin when there is something to do.
    #[must_use]
    pub fn new(locate: Arc<dyn Locate>, limits: QueueLimits) -> Self {
        let client = UploadClient {
            agents: CloudAgents::new(),
            cancel: Cancel::default(),
            counters: Counters::default(),
            first_wait: limits.first_wait,
        };
        let locations = Locations::new(locate);
        let (state, changed) = (Mutex::default(), Condvar::new());
        let shared = QueueShared { limits, locations, client, state, changed };
        Self { shared: Arc::new(shared), threads: Mutex::default() }
    }

    /// Adds a file. Waits while it does not fit. After a failure the file is discarded:
    /// [`finish`](Self::finish) returns the failure.
    pub fn submit(&self, place: StagePath, bytes: Vec<u8>) {
        let size = bytes.len() as u64;
        let mut state = self.shared.state();
        while state.failure.is_none()
            && state.bytes > 0
            && state.bytes.saturating_add(size) > self.shared.limits.bytes
        {
            state = self.shared.wait(state);
        }
        if state.failure.is_some() {
            return;
        }
        state.bytes = state.bytes.saturating_add(size);
        state.waiting.push_back((place, bytes));
        let wanted = state.running + state.waiting.len();
        self.shared.changed.notify_all();
        drop(state);
        self.start(wanted);
    }

    /// Waits until every file has arrived, or one has failed and no other is on its way.
    ///
    /// # Errors
    /// The first failure since the last call.
    pub fn finish(&self) -> Result<(), Failure> {
        let mut state = self.shared.state();
        while state.running > 0 || !state.waiting.is_empty() {
            state = self.shared.wait(state);
        }
        match state.failure.take() {
            None => Ok(()),
            Some(failure) => {
                self.shared.locations.clear();
                self.shared.client.cancel.set(false);
                Err(failure)
            }
        }
    }

    /// Returns `true` if an upload has failed and [`finish`](Self::finish) has not returned that yet.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.shared.state().failure.is_some()
    }

    /// Ends all uploads that wait or are on their way. [`finish`](Self::finish) returns that as a failure.
    pub fn cancel(&self) {
        self.shared.cancel();
    }

    /// Returns a handle that ends the uploads from another thread.
    pub(crate) fn stopper(&self) -> QueueStopper {
        QueueStopper(Arc::downgrade(&self.shared))
    }

    /// What was uploaded so far.
    #[must_use]
    pub fn counts(&self) -> UploadCounts {
        self.shared.client.counters.counts()
    }

    /// Starts threads until there are as many as are wanted and allowed.
    fn start(&self, wanted: usize) {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        while threads.len() < wanted.min(self.shared.limits.threads.max(1)) {
            let shared = Arc::clone(&self.shared);
            let started = thread::Builder::new()
                .name("snowcat-upload".to_owned())
                .spawn(move || shared.work());
            match started {
                Ok(thread) => threads.push(thread),
                // The threads that run upload all files.
                Err(_) if !threads.is_empty() => return,
                Err(error) => {
                    let message = format!("expected a thread for the uploads: {error}");
                    let code = String::new();
                    self.shared.fail(Failure { code, message, transient: false });
                    return;
                }
            }
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.cancel();
        self.shared.state().closed = true;
        self.shared.changed.notify_all();
        let threads = self.threads.get_mut().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            // It catches the panics of uploads.
            _ = thread.join();
        }
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("limits", &self.shared.limits).finish_non_exhaustive()
    }
}

impl QueueShared {
    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, QueueState>) -> MutexGuard<'a, QueueState> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn cancel(&self) {
        let message = "the uploads were cancelled".to_owned();
        self.fail(Failure { code: String::new(), message, transient: false });
    }

    /// Ends everything; the first failure is kept.
    fn fail(&self, failure: Failure) {
        let mut state = self.state();
        state.failure.get_or_insert(failure);
        let discarded: u64 = state.waiting.drain(..).map(|(_, bytes)| bytes.len() as u64).sum();
        state.bytes = state.bytes.saturating_sub(discarded);
        self.client.cancel.set(true);
        self.changed.notify_all();
    }

    /// Tells the observer the state, which is not locked any more.
    fn tell(&self, state: MutexGuard<'_, QueueState>) {
        let (running, bytes) = (state.running, state.bytes);
        drop(state);
        self.locations.event(&UploadEvent::Queue { running, bytes });
    }

    /// What each thread does.
    fn work(&self) {
        let mut state = self.state();
        loop {
            if state.closed {
                return;
            }
            let Some((place, bytes)) = state.waiting.pop_front() else {
                state = self.wait(state);
                continue;
            };
            state.running += 1;
            self.tell(state);
            let (size, began) = (bytes.len() as u64, Instant::now());
            match self.uploaded(&place, bytes) {
                Ok(()) => {
                    let (path, time) = (&*place.path(), began.elapsed());
                    self.locations.event(&UploadEvent::Arrived { path, bytes: size, time });
                }
                Err(PutError::Failed(failure)) => self.fail(failure),
                Err(PutError::Cancelled) => {}
            }
            state = self.state();
            state.bytes = state.bytes.saturating_sub(size);
            let (running, bytes) = (state.running.saturating_sub(1), state.bytes);
            drop(state);
            // The file still counts, so that nobody finishes before this.
            self.locations.event(&UploadEvent::Queue { running, bytes });
            state = self.state();
            state.running -= 1;
            self.changed.notify_all();
        }
    }

    /// Uploads a file. A panic is a failure too: the thread continues, and nothing waits for it forever.
    fn uploaded(&self, place: &StagePath, bytes: Vec<u8>) -> Result<(), PutError> {
        let upload = AssertUnwindSafe(|| self.upload(place, bytes));
        let ended = catch_unwind(upload).unwrap_or_else(|_| {
            Err(failed("a panic", &CloudFailure::lasting("a defect in Snowcat: please report it")))
        });
        ended.map_err(|error| match error {
            PutError::Cancelled => PutError::Cancelled,
            PutError::Failed(failure) => {
                let (path, stage) = (place.path(), &place.stage);
                let message = format!("uploading {path} to @{stage}: {}", failure.message);
                PutError::Failed(Failure { message, ..failure })
            }
        })
    }

    fn upload(&self, place: &StagePath, mut bytes: Vec<u8>) -> Result<(), PutError> {
        let location = self.locations.of(place, &self.client.counters).map_err(PutError::Failed)?;
        let current = location.current().map_err(PutError::Failed)?;
        let size = bytes.len() as u64;
        let digest = STANDARD.encode(PayloadHash::of(&bytes).bytes());
        let envelope = match &current.info.material {
            None => None,
            Some(material) => {
                let unfit =
                    |why: String| failed("encrypting the file", &CloudFailure::lasting(why));
                Some(cipher::encrypt(&mut bytes, material).map_err(unfit)?)
            }
        };
        let file = StageFile {
            name: location.name(),
            bytes: &bytes,
            digest: &digest,
            envelope: envelope.as_ref(),
            parts: PartSizes { above: self.limits.parts_above, part: self.limits.part },
        };
        let requests = UploadRequests::new(&self.client, &location);
        match &current.info.storage {
            StageStorage::Amazon(_) => amazon::put(&requests, &file)?,
            StageStorage::Azure(_) => azure::put(&requests, &file)?,
            StageStorage::Google(stage) => google::put(&requests, &file, stage)?,
        }
        self.client.counters.file(size);
        Ok(())
    }
}
