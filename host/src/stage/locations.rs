//! The locations of the files of a load: one PUT statement for each outermost folder of a stage, which is a
//! load, and one more for all threads when the credentials expire.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::counters::Counters;
use super::info::StageInfo;
use crate::interface::Failure;

/// A file on a stage.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct StagePath {
    /// The stage, fully qualified and quoted, without the `@`.
    pub stage: String,
    /// The folder below it: empty, or without a slash at its end.
    pub folder: String,
    /// The name of the file in the folder.
    pub name: String,
}

impl StagePath {
    /// The file at a path below a stage.
    #[must_use]
    pub fn new(stage: &str, path: &str) -> Self {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let [stage, folder, name] = [stage, folder, name].map(str::to_owned);
        Self { stage, folder, name }
    }

    /// The path below the stage.
    #[must_use]
    pub fn path(&self) -> String {
        let slash = if self.folder.is_empty() { "" } else { "/" };
        format!("{}{slash}{}", self.folder, self.name)
    }

    /// A file of the same name in the outermost folder, and the path of this one below that folder.
    fn below_root(&self) -> (Self, String) {
        let (root, rest) = self.folder.split_once('/').unwrap_or((&self.folder, ""));
        let slash = if rest.is_empty() { "" } else { "/" };
        let at_root = Self { folder: root.to_owned(), ..self.clone() };
        (at_root, format!("{rest}{slash}{}", self.name))
    }
}

/// Runs PUT statements. Implemented by a session with Snowflake.
pub trait Locate: Send + Sync {
    /// Runs a PUT statement of a file with this name into this folder, with OVERWRITE, and returns its answer.
    /// It is called on the threads of the queue, one at a time for each folder, and may block. What it locks
    /// must not be held by a caller of [`Queue::finish`](super::Queue::finish).
    ///
    /// # Errors
    /// The failure of the statement.
    fn locate(&self, place: &StagePath) -> Result<StageInfo, Failure>;

    /// Called with what happens to uploads, on their threads, which wait for it. Does nothing by default.
    fn event(&self, event: &UploadEvent<'_>) {
        _ = event;
    }
}

/// What happens to an upload.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum UploadEvent<'a> {
    /// A file arrived.
    Arrived {
        /// The path below the stage.
        path: &'a str,
        /// Its size.
        bytes: u64,
        /// The time of the upload.
        time: Duration,
    },
    /// A thread has begun or ended a file.
    Queue {
        /// The number of files on their way.
        running: usize,
        /// The bytes of the files that wait or are on their way.
        bytes: u64,
    },
    /// A request failed, and is sent again.
    Retry {
        /// The reason.
        reason: &'a str,
        /// The time before it is sent.
        wait: Duration,
    },
}

/// The folders that are known.
pub(super) struct Locations {
    locate: Arc<dyn Locate>,
    /// By stage and outermost folder: the credentials of a folder are good for those in it.
    folders: Mutex<BTreeMap<(String, String), SharedFolder>>,
}

/// Locked while a statement runs.
type SharedFolder = Arc<Mutex<Folder>>;

#[derive(Default)]
enum Folder {
    #[default]
    Unknown,
    /// One statement is for all its files.
    Known(Arc<Current>),
    /// Each file needs a statement of its own.
    ByFile,
    /// The last statement failed: no other thread runs it again.
    Failed(Failure),
}

/// The answer to the last PUT statement.
pub(super) struct Current {
    pub(super) info: StageInfo,
    /// How many answers there were before it.
    generation: u64,
    /// When the credentials are renewed.
    until: Option<Instant>,
}

/// Credentials are renewed this long before they expire, or after half of their time.
const MARGIN: Duration = Duration::from_secs(600);
/// Credentials that last no longer are used until the server rejects them.
const SHORTEST: Duration = Duration::from_secs(10);

impl Current {
    fn new(info: StageInfo, generation: u64) -> Self {
        // Credentials that have expired by this machine's clock are used until the server rejects them.
        let rest = info.expires.and_then(|it| it.duration_since(SystemTime::now()).ok());
        let rest = rest.filter(|rest| *rest > SHORTEST).map(|rest| rest - MARGIN.min(rest / 2));
        let until = rest.and_then(|rest| Instant::now().checked_add(rest));
        Self { info, generation, until }
    }

    fn is_due(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }
}

impl Locations {
    pub(super) fn new(locate: Arc<dyn Locate>) -> Self {
        Self { locate, folders: Mutex::default() }
    }

    /// The location of a file. Runs a statement if it is not known.
    pub(super) fn of<'a>(
        &'a self,
        path: &StagePath,
        counters: &'a Counters,
    ) -> Result<FileLocation<'a>, Failure> {
        let (at_root, name) = path.below_root();
        let key = (at_root.stage.clone(), at_root.folder.clone());
        let folder = Arc::clone(locked(&self.folders).entry(key).or_default());
        let location = |path: StagePath, name, folder| FileLocation {
            locate: &*self.locate,
            path,
            name,
            folder,
            counters,
        };
        let alone = |folder: Folder| {
            location(path.clone(), path.name.clone(), Arc::new(Mutex::new(folder)))
        };
        let mut state = locked(&folder);
        match &*state {
            Folder::Known(_) => {}
            Folder::ByFile => return Ok(alone(Folder::Unknown)),
            Folder::Failed(failure) => return Err(failure.clone()),
            Folder::Unknown => {
                let first = location(at_root.clone(), name.clone(), Arc::clone(&folder));
                let current = first.renewed(&mut state, 0)?;
                if current.info.is_for_one_file() {
                    *state = Folder::ByFile;
                    let same = at_root == *path;
                    return Ok(alone(if same { Folder::Known(current) } else { Folder::Unknown }));
                }
            }
        }
        drop(state);
        Ok(location(at_root, name, folder))
    }

    pub(super) fn event(&self, event: &UploadEvent<'_>) {
        self.locate.event(event);
    }

    /// Removes all of them.
    pub(super) fn clear(&self) {
        locked(&self.folders).clear();
    }
}

/// The location of one file.
pub(super) struct FileLocation<'a> {
    locate: &'a dyn Locate,
    /// What the statement names.
    path: StagePath,
    /// The path of the file below the location that the statement returns.
    name: String,
    /// Shared with the other files below its folder, or its own.
    folder: SharedFolder,
    counters: &'a Counters,
}

impl FileLocation<'_> {
    pub(super) fn event(&self, event: &UploadEvent<'_>) {
        self.locate.event(event);
    }

    /// The path of the file below the location.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The last answer, or a new one if its credentials are about to expire.
    pub(super) fn current(&self) -> Result<Arc<Current>, Failure> {
        // Other threads wait for the lock while one of them runs the statement.
        let mut state = locked(&self.folder);
        let generation = match &*state {
            Folder::Known(current) if !current.is_due() => return Ok(Arc::clone(current)),
            Folder::Known(current) => current.generation + 1,
            Folder::Unknown | Folder::ByFile => 0,
            Folder::Failed(failure) => return Err(failure.clone()),
        };
        self.renewed(&mut state, generation)
    }

    /// Renews credentials that a server has rejected. Returns the last answer if another thread has renewed
    /// them in the meantime.
    pub(super) fn renew(&self, refused: &Current) -> Result<Arc<Current>, Failure> {
        let mut state = locked(&self.folder);
        match &*state {
            Folder::Known(current) if current.generation != refused.generation => {
                Ok(Arc::clone(current))
            }
            Folder::Failed(failure) => Err(failure.clone()),
            _ => self.renewed(&mut state, refused.generation + 1),
        }
    }

    fn renewed(&self, state: &mut Folder, generation: u64) -> Result<Arc<Current>, Failure> {
        self.counters.locate(generation > 0);
        match self.locate.locate(&self.path) {
            Ok(info) => {
                let current = Arc::new(Current::new(info, generation));
                *state = Folder::Known(Arc::clone(&current));
                Ok(current)
            }
            Err(failure) => {
                *state = Folder::Failed(failure.clone());
                Err(failure)
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
