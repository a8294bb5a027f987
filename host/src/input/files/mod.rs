//! The files of a job: from locations to ordered files, and from files to text.
//!
//! A [`Store`] reads one kind of locations. [`LocalFiles`] is the disk; a program with files
//! elsewhere adds its own store and leaves the rest to [`Input`].

mod local;

use std::collections::VecDeque;
use std::fs;
use std::io::{self, BufReader, Cursor, Read, Seek as _};
use std::sync::Arc;

pub use self::local::LocalFiles;
use super::{PAGE, Pages};
use crate::gzip::Members;
use crate::host::Pulled;
use crate::interface::{Content, File, Pull};

/// The bytes of a file, compressed or not.
pub enum Bytes {
    /// A file of this machine, which can be read in any order.
    File(fs::File),
    /// Bytes that can be read once, in order.
    Stream(Box<dyn Read + Send>),
}

/// The files of one kind of locations, such as a disk or a bucket.
///
/// ```
/// use std::io;
/// use std::sync::Arc;
///
/// use snowcat_host::input::files::{Bytes, Input, Store};
/// use snowcat_host::{Content, File, Pull, Pulled};
///
/// /// One file in memory.
/// struct Memory;
///
/// impl Store for Memory {
///     fn knows(&self, place: &str) -> bool {
///         place.starts_with("memory://")
///     }
///     fn find(&self, place: &str) -> io::Result<Vec<File>> {
///         Ok(vec![File { name: place.to_owned(), version: "1".to_owned() }])
///     }
///     fn open(&self, _: &File) -> io::Result<Bytes> {
///         Ok(Bytes::Stream(Box::new(&b"id,name\n1,a\n"[..])))
///     }
/// }
///
/// # fn main() -> io::Result<()> {
/// let stores: [Arc<dyn Store>; 1] = [Arc::new(Memory)];
/// let mut input = Input::of_places(&stores, &["memory://a.csv".to_owned()])?;
/// let pull = Pull {
///     resource: "a".to_owned(), files: Vec::new(), content: Content::Text, skip: false, encoding: None,
/// };
/// assert!(matches!(input.pull(&pull)?, Pulled::File(file) if file.name == "memory://a.csv"));
/// assert_eq!(input.pull(&pull)?, Pulled::Page("id,name\n1,a\n".to_owned()));
/// assert_eq!(input.pull(&pull)?, Pulled::End);
/// # Ok(())
/// # }
/// ```
pub trait Store: Send + Sync {
    /// Returns `true` if this is a location of its kind.
    fn knows(&self, place: &str) -> bool;

    /// Returns the files at a location, a path or a pattern with `*`, `?` and `**`, in any order.
    ///
    /// # Errors
    /// If the location cannot be read. A location without files is not an error.
    fn find(&self, place: &str) -> io::Result<Vec<File>>;

    /// Opens a file that was found.
    ///
    /// # Errors
    /// If it cannot be opened.
    fn open(&self, file: &File) -> io::Result<Bytes>;
}

/// The input of one resource.
///
/// ```
/// use snowcat_host::input::files::Input;
/// use snowcat_host::{Content, Pull, Pulled};
///
/// # fn main() -> std::io::Result<()> {
/// let mut input = Input::of_reader(&b"id,name\n1,a\n"[..]);
/// let pull = Pull {
///     resource: "orders".to_owned(), files: Vec::new(), content: Content::Text, skip: false, encoding: None,
/// };
/// assert_eq!(input.pull(&pull)?, Pulled::Page("id,name\n1,a\n".to_owned()));
/// assert_eq!(input.pull(&pull)?, Pulled::End);
/// # Ok(())
/// # }
/// ```
pub struct Input {
    files: VecDeque<(Arc<dyn Store>, File)>,
    /// An open file that is not split into pages yet.
    next: Option<Bytes>,
    pages: Option<Box<dyn Iterator<Item = io::Result<String>> + Send>>,
    /// The name of the current file, for errors.
    name: String,
}

impl Input {
    /// Returns an input with the content of a reader.
    #[must_use]
    pub fn of_reader(reader: impl Read + Send + 'static) -> Self {
        let next = Some(Bytes::Stream(Box::new(reader)));
        Self { files: VecDeque::new(), next, pages: None, name: String::new() }
    }

    /// Returns an input of these pages. If the job has no format, each consists of complete JSON
    /// values.
    #[must_use]
    pub fn of_pages(pages: impl Iterator<Item = io::Result<String>> + Send + 'static) -> Self {
        let pages: Box<dyn Iterator<Item = _> + Send> = Box::new(pages);
        Self { files: VecDeque::new(), next: None, pages: Some(pages), name: String::new() }
    }

    /// Returns an input of the files at these locations, each file once, in the order of their
    /// names.
    ///
    /// # Errors
    /// If no store knows a location, it cannot be read, or there is no file.
    pub fn of_places(stores: &[Arc<dyn Store>], places: &[String]) -> io::Result<Self> {
        let mut files: Vec<(Arc<dyn Store>, File)> = Vec::new();
        for place in places {
            let store = stores.iter().find(|store| store.knows(place)).ok_or_else(|| {
                io::Error::other(format!("{place}: this host knows no such place for files"))
            })?;
            let found =
                store.find(place).map_err(|e| io::Error::new(e.kind(), format!("{place}: {e}")))?;
            if found.is_empty() {
                return Err(io::Error::new(io::ErrorKind::NotFound, format!("{place}: no file")));
            }
            files.extend(found.into_iter().map(|file| (Arc::clone(store), file)));
        }
        files.sort_by(|(_, one), (_, other)| one.name.cmp(&other.name));
        files.dedup_by(|(_, one), (_, other)| one.name == other.name);
        let (next, pages) = (None, None);
        Ok(Self { files: files.into(), next, pages, name: String::new() })
    }

    /// Returns the next item: the beginning of a file, its columns, a page of it, or the end.
    ///
    /// # Errors
    /// The error of the reader, with the name of the file.
    pub fn pull(&mut self, pull: &Pull) -> io::Result<Pulled> {
        if pull.skip {
            (self.next, self.pages) = (None, None);
        }
        let name = self.name.clone();
        let of_file = |e: io::Error| match name.as_str() {
            "" => e,
            name => io::Error::new(e.kind(), format!("{name}: {e}")),
        };
        if let Some(bytes) = self.next.take() {
            let mut pages = pages(bytes, pull).map_err(of_file)?;
            let columns = pages.columns();
            self.pages = Some(Box::new(pages));
            if let Some(columns) = columns {
                return Ok(Pulled::Columns(columns));
            }
        }
        if let Some(pages) = &mut self.pages {
            match pages.next().transpose().map_err(of_file)? {
                Some(page) => return Ok(Pulled::Page(page)),
                None => self.pages = None,
            }
        }
        let Some((store, file)) = self.files.pop_front() else { return Ok(Pulled::End) };
        self.name.clone_from(&file.name);
        let opened = store.open(&file);
        self.next =
            Some(opened.map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", file.name)))?);
        Ok(Pulled::File(file))
    }
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let files = self.files.len();
        f.debug_struct("Input").field("name", &self.name).field("files", &files).finish()
    }
}

fn pages(bytes: Bytes, pull: &Pull) -> io::Result<Pages> {
    match pull.content {
        // The load splits text into records if the job declares a text format.
        Content::Values => Err(io::Error::other(
            "expected a \"format\" in the job: this input is text, which a host does not split into records",
        )),
        Content::Cells => Err(io::Error::other(
            "expected a source that knows its columns, found a file whose format the job does not say",
        )),
        Content::Text => {
            let encoding = pull.encoding.as_deref().unwrap_or("utf-8");
            Pages::of_text_in(plain(bytes)?.reader(), PAGE, encoding)
        }
        Content::Parquet => Pages::of_parquet(plain(bytes)?.file()?, PAGE),
        Content::Arrow => Pages::of_arrow(plain(bytes)?.reader(), PAGE),
    }
}

impl Bytes {
    fn reader(self) -> Box<dyn Read + Send> {
        match self {
            Self::File(file) => Box::new(file),
            Self::Stream(stream) => stream,
        }
    }

    /// Copies the content to an unnamed file, unless it is a file already.
    fn file(self) -> io::Result<fs::File> {
        match self {
            Self::File(file) => Ok(file),
            Self::Stream(mut stream) => {
                let mut file = tempfile::tempfile()?;
                io::copy(&mut stream, &mut file)?;
                file.rewind()?;
                Ok(file)
            }
        }
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::File(_) => "File",
            Self::Stream(_) => "Stream",
        })
    }
}

/// Returns the bytes of a file, decompressed: gzip and zstd are detected by their first bytes.
fn plain(mut bytes: Bytes) -> io::Result<Bytes> {
    let mut head = Vec::new();
    match &mut bytes {
        Bytes::File(file) => file.take(4).read_to_end(&mut head)?,
        Bytes::Stream(stream) => stream.take(4).read_to_end(&mut head)?,
    };
    let (gzip, zstd) = (head.starts_with(&[0x1f, 0x8b]), head == [0x28, 0xb5, 0x2f, 0xfd]);
    // A pipe may have a name like a file, but cannot seek.
    if let Bytes::File(file) = &mut bytes
        && !gzip
        && !zstd
        && file.rewind().is_ok()
    {
        return Ok(bytes);
    }
    let whole = Cursor::new(head).chain(bytes.reader());
    Ok(Bytes::Stream(if gzip {
        Box::new(Members::new(BufReader::new(whole)))
    } else if zstd {
        Box::new(zstd::stream::read::Decoder::new(whole)?)
    } else {
        Box::new(whole)
    }))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn all(input: &mut Input, content: Content, skipped: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        let mut skip = false;
        loop {
            let pull = Pull { resource: "r".into(), files: vec![], content, skip, encoding: None };
            skip = false;
            match input.pull(&pull) {
                Ok(Pulled::End) => return found,
                Ok(Pulled::Page(page)) => found.push(page),
                Ok(Pulled::Columns(columns)) => found.push(format!("{} columns", columns.len())),
                Ok(Pulled::File(file)) => {
                    let name = file.name.rsplit('/').next().unwrap_or_default().to_owned();
                    skip = skipped.contains(&name.as_str());
                    found.push(format!("<{name}>"));
                }
                Err(e) => {
                    found.push(format!("{}", e).rsplit('/').next().unwrap_or_default().to_owned());
                    return found;
                }
            }
        }
    }

    #[test]
    fn files_are_found_and_read_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"in gzip, ").unwrap();
        let mut gzip = gzip.finish().unwrap();
        // Concatenated members are one file, with any zeros between and after them.
        gzip.extend([&[0; 7][..], &gzip.clone(), &[0; 9000]].concat());
        write("b.csv", b"plain");
        write("a.csv.gz", &gzip);
        write("c.csv", &zstd::encode_all(&b"in zstd"[..], 1).unwrap());
        write("sub/x/d.csv", "é".as_bytes());
        write("bad.csv", b"ok \xff");
        write("cut.csv.gz", &gzip[..10]);
        write("empty.csv", b"");
        write(".hidden.csv", b"no");

        let check = |places: &[&str], skipped: &[&str], expect: &[&str]| {
            let places: Vec<String> =
                places.iter().map(|p| format!("{}/{p}", folder.path().display())).collect();
            let stores: [Arc<dyn Store>; 1] = [Arc::new(LocalFiles)];
            let found = match Input::of_places(&stores, &places) {
                Ok(mut input) => all(&mut input, Content::Text, skipped),
                Err(e) => vec![e.to_string().rsplit('/').next().unwrap_or_default().to_owned()],
            };
            assert_eq!(found, expect, "{places:?}");
        };
        check(
            &["?.csv*", "b.csv"],
            &[],
            &["<a.csv.gz>", "in gzip, in gzip, ", "<b.csv>", "plain", "<c.csv>", "in zstd"],
        );
        check(&["?.csv*"], &["a.csv.gz", "c.csv"], &["<a.csv.gz>", "<b.csv>", "plain", "<c.csv>"]);
        check(&["**/d*.csv"], &[], &["<d.csv>", "é"]);
        check(&["*/*/d.csv", "empty.csv"], &[], &["<empty.csv>", "<d.csv>", "é"]);
        check(&["none*.csv"], &[], &["none*.csv: no file"]);
        check(&["sub"], &[], &["sub: no file"]);
        check(
            &["bad.csv"],
            &[],
            // The load reports the line.
            &["<bad.csv>", "ok \u{fdd0}ÿ"],
        );
        let found = {
            let places = [format!("{}/cut.csv.gz", folder.path().display())];
            let stores: [Arc<dyn Store>; 1] = [Arc::new(LocalFiles)];
            all(&mut Input::of_places(&stores, &places).unwrap(), Content::Text, &[])
        };
        assert!(found[1].starts_with("cut.csv.gz: "), "{found:?}");
    }

    #[test]
    fn unknown_locations_are_rejected() {
        for place in ["s3://bucket/a.csv", "@stage/a.csv"] {
            let error = Input::of_places(&[Arc::new(LocalFiles)], &[place.to_owned()]).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("{place}: this host knows no such place for files")
            );
        }
    }

    #[test]
    fn a_reader_has_no_name() {
        let mut input = Input::of_reader(&b"a,b\n1,2\n"[..]);
        assert_eq!(all(&mut input, Content::Text, &[]), ["a,b\n1,2\n"]);
    }
}
