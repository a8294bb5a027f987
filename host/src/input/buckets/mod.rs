//! Files in buckets: S3 and what speaks like it, Azure Blob Storage, Google Cloud Storage.
//!
//! Credentials are those of the environment, under the names that the tools of each cloud know them by; a
//! job holds none. Without any, requests are not signed: public buckets can be read so. What is sent goes to
//! the cloud's own hosts, or to an endpoint that the environment names, over TLS, and without it to this
//! machine only.
//!
//! A file is read in parts, each a request that is tried again when it breaks off, on the condition that
//! the file is still the one that was listed.

mod amazon;
mod azure;
mod google;
mod place;
mod token;
mod wire;
mod xml;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};

use self::amazon::Amazon;
use self::azure::Azure;
use self::google::Google;
use self::place::{Name, Pattern, Place};
use self::wire::{Answer, Ask, Cloud, Endpoint, Trouble, Wire};
use crate::credentials::Secret;
use crate::input::files::{Bytes, Store};
use crate::interface::File;

/// So many bytes of a file are asked for at once, and in memory.
const PART: u64 = 8 << 20;

/// Whether a place that is written as one in a bucket can be one; others are somebody else's.
///
/// # Errors
/// What was expected.
pub fn check(place: &str) -> io::Result<()> {
    if Place::is(place) { Place::parse(place).map(|_| ()) } else { Ok(()) }
}

/// The files of buckets, wherever they are.
pub struct Buckets {
    variables: Variables,
    wire: Arc<Wire>,
    /// By the beginnings of places.
    opened: Mutex<BTreeMap<String, Arc<dyn Api>>>,
}

impl Buckets {
    /// With the credentials that are in the environment.
    #[must_use]
    pub fn new() -> Self {
        // A variable that is not Unicode is no credential.
        Self::with(|name| env::var(name).ok())
    }

    /// With credentials that are elsewhere, under the names of the variables of the environment.
    #[must_use]
    pub fn with(variable: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self {
            variables: Variables::new(variable),
            wire: Arc::new(Wire::new()),
            opened: Mutex::default(),
        }
    }

    /// Wait so long before a request that failed is sent again, twice as long the next time; one second
    /// unless told.
    #[must_use]
    pub fn first_wait(mut self, wait: Duration) -> Self {
        self.wire = Arc::new(Wire::new().waiting(wait));
        self
    }

    fn api(&self, place: &Place<'_>) -> io::Result<Arc<dyn Api>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(api) = opened.get(place.root) {
            return Ok(Arc::clone(api));
        }
        let variables = &self.variables;
        let api: Result<Arc<dyn Api>, Trouble> = match place.bucket {
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

    /// The file of just this name, if there is one.
    fn one(&self, api: &dyn Api, key: &str) -> io::Result<Option<Entry>> {
        match self.wire.send(api, || api.about(key), |_| Ok(())) {
            Ok(answer) => api
                .of_about(key, &answer)
                .map_err(|why| Trouble::lasting(why).of("asking for its size")),
            Err(trouble) if trouble.status == 404 => Ok(None),
            Err(trouble) => Err(trouble.of("asking for its size")),
        }
    }

    /// The files whose names begin so and that are meant, page by page.
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
            let read = |answer: &Answer| {
                let body = std::str::from_utf8(&answer.body)
                    .map_err(|_| "expected a list in UTF-8, found other bytes".to_owned())?;
                api.page(body)
            };
            let ask = || api.list(prefix, next.as_deref());
            let fit = |answer: &Answer| read(answer).map(|_| ());
            let answer =
                self.wire.send(api, ask, fit).map_err(|trouble| trouble.of(operation()))?;
            let page = read(&answer).map_err(|why| Trouble::lasting(why).of(operation()))?;
            for entry in page.entries {
                // Tools mark folders by empty files: of their names, or with a slash behind.
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
                return Err(Trouble::lasting(why).of(operation()));
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
        Place::is(place)
    }

    fn find(&self, place: &str) -> io::Result<Vec<File>> {
        let place = Place::parse(place)?;
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
            // An empty file, or none, may be a folder: some tools mark one so.
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
        let place = Place::parse(&file.name)?;
        let api = self.api(&place)?;
        let entry = Entry::of_version(place.path, &file.version)?;
        let wire = Arc::clone(&self.wire);
        let part = io::Cursor::default();
        Ok(Bytes::Stream(Box::new(Object { wire, api, entry, next: 0, part })))
    }
}

/// What one cloud calls things.
trait Api: Cloud {
    /// Asks for a page of the names that begin so; `next` is from the page before.
    fn list(&self, prefix: &str, next: Option<&str>) -> Ask;

    /// Reads one.
    fn page(&self, body: &str) -> Result<Page, String>;

    /// Asks about a file.
    fn about(&self, key: &str) -> Ask;

    /// Reads what came of that; `None` for what is no file.
    fn of_about(&self, key: &str, answer: &Answer) -> Result<Option<Entry>, String> {
        Entry::of_head(key, answer).map(Some)
    }

    /// Asks for the bytes of a file from here to before there.
    fn read(&self, entry: &Entry, from: u64, to: u64) -> Ask;
}

#[derive(Debug, Default, Eq, PartialEq)]
struct Page {
    entries: Vec<Entry>,
    next: Option<String>,
}

/// A file in a bucket.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Entry {
    key: String,
    /// In bytes.
    size: u64,
    /// Changes when the file does. In quotes or not.
    tag: String,
}

impl Entry {
    /// What the headers of an answer say.
    fn of_head(key: &str, answer: &Answer) -> Result<Self, String> {
        let size = answer.header("content-length").and_then(|it| it.trim().parse().ok());
        Ok(Self {
            key: key.to_owned(),
            size: size.ok_or("expected the size in the header content-length, found none")?,
            tag: answer.header("etag").unwrap_or_default().to_owned(),
        })
    }

    fn version(&self) -> String {
        format!("{}-{}", self.size, self.tag.trim_matches('"'))
    }

    fn of_version(key: &str, version: &str) -> io::Result<Self> {
        let parsed = version.split_once('-');
        let parsed = parsed.and_then(|(size, tag)| Some((size.parse().ok()?, tag.to_owned())));
        let (size, tag) = parsed.ok_or_else(|| {
            io::Error::other(format!(
                "expected the version of a file in a bucket, found {version:?}"
            ))
        })?;
        Ok(Self { key: key.to_owned(), size, tag })
    }

    /// The value of the header `If-Match`. A weak tag matches nothing there.
    fn condition(&self) -> Option<String> {
        let tag = self.tag.trim_matches('"');
        (!tag.is_empty() && !tag.starts_with("W/")).then(|| format!("\"{tag}\""))
    }
}

/// A file that is read part by part.
struct Object {
    wire: Arc<Wire>,
    api: Arc<dyn Api>,
    entry: Entry,
    /// Where the next part begins.
    next: u64,
    part: io::Cursor<Vec<u8>>,
}

impl Read for Object {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.part.read(into)?;
        if read > 0 || into.is_empty() || self.next >= self.entry.size {
            return Ok(read);
        }
        // The part that is done goes before the next one comes.
        self.part = io::Cursor::default();
        let (from, to) = (self.next, self.entry.size.min(self.next + PART));
        let fit = |answer: &Answer| {
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

/// The value of a header that asks for the bytes from here to before there.
fn range(from: u64, to: u64) -> String {
    format!("bytes={from}-{}", to.saturating_sub(1))
}

/// The instant, for signatures.
fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// The variables of the environment, or what stands for them.
struct Variables(Box<dyn Find>);

trait Find: Send + Sync {
    fn find(&self, name: &str) -> Option<String>;
}

impl<F: Fn(&str) -> Option<String> + Send + Sync> Find for F {
    fn find(&self, name: &str) -> Option<String> {
        self(name)
    }
}

impl Variables {
    fn new(find: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Box::new(find))
    }

    /// The first of these that there is, and that is not empty.
    fn first(&self, names: &[&str]) -> Option<String> {
        names.iter().filter_map(|name| self.0.find(name)).find(|value| !value.trim().is_empty())
    }

    fn secret(&self, names: &[&str]) -> Option<Secret> {
        self.first(names).map(Secret::new)
    }

    fn endpoint(&self, names: &[&str]) -> Result<Option<Endpoint>, Trouble> {
        let Some(value) = self.first(names) else { return Ok(None) };
        let unfit = || Trouble::lasting(format!("expected a URL in {}", names.join(" or ")));
        Endpoint::parse(&value).map(Some).ok_or_else(unfit)
    }
}
