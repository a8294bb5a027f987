//! Files in buckets: S3 and servers with its API, Azure Blob Storage, Google Cloud Storage.
//!
//! Credentials are in variables of the environment with the names that the tools of each cloud use;
//! a job has none. Without credentials requests are not signed, which suffices for public buckets.
//! Requests are sent to the cloud's own hosts, or to an endpoint in the environment. They use TLS,
//! except to this machine.
//!
//! A file is read in parts. Each part is a request that is retried if it breaks off, on the
//! condition that the file is unchanged since it was listed.

mod amazon;
mod api;
mod azure;
mod google;
mod location;
mod token;
mod variables;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use self::amazon::Amazon;
use self::api::{Api, Entry};
use self::azure::Azure;
use self::google::Google;
use self::location::{Location, Name, Pattern};
use self::variables::Variables;
use self::wire::CloudClient;
use crate::cloud::exchange::{CloudFailure, CloudResponse};
use crate::input::files::{Bytes, Store};
use crate::interface::File;
use crate::stop::Stop;

/// Bytes of a file that are requested at once, and held in memory.
const PART: u64 = 8 << 20;

/// Checks a location that is written as one in a bucket; accepts any other.
///
/// # Errors
/// The expected form.
pub fn check(place: &str) -> io::Result<()> {
    if Location::is(place) { Location::parse(place).map(|_| ()) } else { Ok(()) }
}

/// Reads the files of buckets.
///
/// ```
/// use snowcat_host::input::buckets::{self, Buckets};
/// use snowcat_host::input::files::Store as _;
///
/// assert!(Buckets::with(|_| None).knows("s3://bucket/orders/*.csv.gz"));
/// assert!(buckets::check("az://container/orders/").is_ok());
/// assert!(buckets::check("s3://").is_err());
/// ```
pub struct Buckets {
    variables: Variables,
    wire: Arc<CloudClient>,
    /// By the roots of locations.
    opened: Mutex<BTreeMap<String, Arc<dyn Api>>>,
}

impl Buckets {
    /// Credentials are read from the environment.
    #[must_use]
    pub fn new() -> Self {
        // A variable that is not Unicode is ignored.
        Self::with(|name| env::var(name).ok())
    }

    /// Credentials are read with a function, by the names of the variables of the environment.
    #[must_use]
    pub fn with(variable: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self {
            variables: Variables::new(variable),
            wire: Arc::new(CloudClient::new()),
            opened: Mutex::default(),
        }
    }

    /// Sets the wait before the first retry of a request; it doubles with each further retry. The
    /// default is one second.
    #[must_use]
    pub fn first_wait(mut self, wait: Duration) -> Self {
        self.wire = Arc::new((*self.wire).clone().waiting(wait));
        self
    }

    /// Ends all requests when this stop is requested: they fail, and so does every further request.
    #[must_use]
    pub fn stopped_by(mut self, stop: &Stop) -> Self {
        self.wire = Arc::new((*self.wire).clone().stopped_by(stop));
        self
    }

    fn api(&self, place: &Location<'_>) -> io::Result<Arc<dyn Api>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(api) = opened.get(place.root) {
            return Ok(Arc::clone(api));
        }
        let variables = &self.variables;
        let api: Result<Arc<dyn Api>, CloudFailure> = match place.bucket {
            Name::Amazon { bucket } => Amazon::new(bucket, variables).map(|it| Arc::new(it) as _),
            Name::Azure { container, host } => {
                Azure::new(container, host, variables).map(|it| Arc::new(it) as _)
            }
            Name::Google { bucket } => Google::new(bucket, variables).map(|it| Arc::new(it) as _),
        };
        let api = api.map_err(|trouble| trouble.of("the credentials"))?;
        opened.insert(place.root.to_owned(), Arc::clone(&api));
        Ok(api)
    }

    /// The file with exactly this name, if there is one.
    fn one(&self, api: &dyn Api, key: &str) -> io::Result<Option<Entry>> {
        match self.wire.send(api, || api.about(key), |_| Ok(())) {
            Ok(answer) => api
                .of_about(key, &answer)
                .map_err(|why| CloudFailure::lasting(why).of("asking for its size")),
            Err(trouble) if trouble.status == 404 => Ok(None),
            Err(trouble) => Err(trouble.of("asking for its size")),
        }
    }

    /// The files with this prefix that match, page by page.
    fn list(
        &self,
        api: &dyn Api,
        prefix: &str,
        meant: impl Fn(&str) -> bool,
    ) -> io::Result<Vec<Entry>> {
        let operation = || match prefix {
            "" => "listing the bucket".to_owned(),
            prefix => format!("listing what begins with {prefix:?}"),
        };
        let mut found: Vec<Entry> = Vec::new();
        let mut empty: BTreeSet<String> = BTreeSet::new();
        let mut next: Option<String> = None;
        loop {
            let read = |answer: &CloudResponse| {
                let body = std::str::from_utf8(&answer.body)
                    .map_err(|_| "expected a list in UTF-8, found other bytes".to_owned())?;
                api.page(body)
            };
            let ask = || api.list(prefix, next.as_deref());
            let fit = |answer: &CloudResponse| read(answer).map(|_| ());
            let answer =
                self.wire.send(api, ask, fit).map_err(|trouble| trouble.of(operation()))?;
            let page = read(&answer).map_err(|why| CloudFailure::lasting(why).of(operation()))?;
            for entry in page.entries {
                // Tools mark folders by empty files with the name of the folder, with or without a
                // slash.
                let ends = entry.key.match_indices('/').map(|(at, _)| at);
                for folder in ends.filter_map(|at| entry.key.get(..at)) {
                    empty.remove(folder);
                }
                if !entry.key.ends_with('/') && meant(&entry.key) {
                    if entry.size == 0 {
                        empty.insert(entry.key.clone());
                    }
                    found.push(entry);
                }
            }
            if page.next.is_some() && page.next == next {
                let why = "the list does not go on: the same page was named twice";
                return Err(CloudFailure::lasting(why).of(operation()));
            }
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        found.retain(|entry| entry.size > 0 || empty.contains(&entry.key));
        Ok(found)
    }
}

impl Default for Buckets {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buckets").finish_non_exhaustive()
    }
}

impl Store for Buckets {
    fn knows(&self, place: &str) -> bool {
        Location::is(place)
    }

    fn find(&self, place: &str) -> io::Result<Vec<File>> {
        let place = Location::parse(place)?;
        let api = self.api(&place)?;
        let file = |entry: Entry| File {
            name: format!("{}/{}", place.root, entry.key),
            version: entry.version(),
        };
        let found = if place.is_wild() {
            let pattern = Pattern::new(place.path);
            self.list(&*api, place.prefix(), |key| pattern.fits(key))?
        } else if place.path.is_empty() || place.path.ends_with('/') {
            self.list(&*api, place.path, |_| true)?
        } else {
            // The location may be a folder if there is no file, or an empty one: some tools mark
            // folders so.
            let one = self.one(&*api, place.path)?;
            let below = match &one {
                Some(entry) if entry.size > 0 => Vec::new(),
                _ => self.list(&*api, &format!("{}/", place.path), |_| true)?,
            };
            if below.is_empty() { one.into_iter().collect() } else { below }
        };
        Ok(found.into_iter().map(file).collect())
    }

    fn open(&self, file: &File) -> io::Result<Bytes> {
        let place = Location::parse(&file.name)?;
        let api = self.api(&place)?;
        let entry = Entry::of_version(place.path, &file.version)?;
        let wire = Arc::clone(&self.wire);
        let part = io::Cursor::default();
        Ok(Bytes::Stream(Box::new(Object { wire, api, entry, next: 0, part })))
    }
}

/// A file that is read in parts.
struct Object {
    wire: Arc<CloudClient>,
    api: Arc<dyn Api>,
    entry: Entry,
    /// The position of the next part.
    next: u64,
    part: io::Cursor<Vec<u8>>,
}

impl Read for Object {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.part.read(into)?;
        if read > 0 || into.is_empty() || self.next >= self.entry.size {
            return Ok(read);
        }
        // The memory of this part is freed before the next one is read.
        self.part = io::Cursor::default();
        let (from, to) = (self.next, self.entry.size.min(self.next + PART));
        let fit = |answer: &CloudResponse| {
            let found = answer.body.len() as u64;
            let whole = from == 0 && to == self.entry.size;
            if answer.status != 206 && !(whole && found == to) {
                return Err(format!("expected a part of the file (206), found {}", answer.status));
            }
            let broken = || format!("expected {} bytes, found {found}", to - from);
            (found == to - from).then_some(()).ok_or_else(broken)
        };
        let answer = self.wire.send(&*self.api, || self.api.read(&self.entry, from, to), fit);
        let answer = answer.map_err(|mut trouble| {
            match trouble.status {
                404 => trouble.message.push_str(" (it was there when the files were listed)"),
                412 => trouble.message.push_str(" (the file changed since it was listed)"),
                _ => {}
            }
            trouble.of(format_args!("reading bytes {from} to {}", to - 1))
        })?;
        self.next = to;
        self.part = io::Cursor::new(answer.body);
        self.part.read(into)
    }
}
