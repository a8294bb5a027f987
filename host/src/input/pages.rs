//! Input in pages, of a size that one call can carry.
//!
//! Text is cut between any two characters: the load puts it together again and knows where records end.
//! Rows of Parquet and Arrow become cells here, whole ones, with the types of their columns.

use std::any::Any;
use std::fs::File;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use super::columns;
use crate::encoding::{Decoder, Encoding};
use crate::interface::Column;

/// A good size of a page, in bytes.
pub const PAGE: usize = 4 << 20;

/// What is before the character of a byte's number, where the byte stands for no character.
pub(crate) const MARK: char = '\u{fdd0}';

/// The pages of one input. They are read and made by a thread, one page ahead of the load.
///
/// ```
/// use std::io::Cursor;
///
/// use snowcat_host::input::Pages;
///
/// # fn main() -> std::io::Result<()> {
/// let pages: Vec<String> = Pages::of_text(Cursor::new("id\n1\né\n"), 4)?.collect::<Result<_, _>>()?;
/// assert_eq!(pages.concat(), "id\n1\né\n");
/// assert!(pages.iter().all(|page| page.len() <= 4));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Pages {
    pages: Receiver<io::Result<String>>,
    columns: Option<Vec<Column>>,
}

impl Pages {
    /// The pages of a text in UTF-8, of at most this many bytes each.
    ///
    /// # Errors
    /// If there can be no thread.
    pub fn of_text(reader: impl Read + Send + 'static, size: usize) -> io::Result<Self> {
        Self::of_text_in(reader, size, "utf-8")
    }

    /// The pages of a text in this encoding, made of at most this many bytes each. Where bytes stand for
    /// no character, there is the mark that the interface tells of.
    ///
    /// # Errors
    /// If no such encoding is known, or there can be no thread.
    pub fn of_text_in(
        mut reader: impl Read + Send + 'static,
        size: usize,
        encoding: &str,
    ) -> io::Result<Self> {
        let known = Encoding::named(encoding).ok_or_else(|| {
            io::Error::other(format!(
                "expected an encoding that this host knows, found {encoding:?}"
            ))
        })?;
        let mut decoder = Some(known.decoder());
        Self::spawn(None, move || text(&mut reader, size.max(4), &mut decoder))
    }

    /// The rows of a Parquet file, as cells of its [columns](Self::columns); of at least this many bytes, and one row more at
    /// most.
    ///
    /// # Errors
    /// If it is none, or there can be no thread.
    pub fn of_parquet(file: File, size: usize) -> io::Result<Self> {
        let mut rows = guarded(|| columns::ParquetRows::new(file, size))?;
        let columns = Some(rows.columns());
        Self::spawn(columns, move || guarded(|| rows.next_page()))
    }

    /// The same of Arrow IPC, as a file or as a stream.
    ///
    /// # Errors
    /// If it is none, or there can be no thread.
    pub fn of_arrow(reader: impl Read + Send + 'static, size: usize) -> io::Result<Self> {
        let mut rows = guarded(|| columns::of_arrow(reader, size))?;
        let columns = Some(rows.columns());
        Self::spawn(columns, move || guarded(|| rows.next_page()))
    }

    /// The columns of the rows, where the pages are cells. Says them once.
    pub fn columns(&mut self) -> Option<Vec<Column>> {
        self.columns.take()
    }

    fn spawn(
        columns: Option<Vec<Column>>,
        mut next: impl FnMut() -> io::Result<Option<String>> + Send + 'static,
    ) -> io::Result<Self> {
        // One page lies ready while the load works on the one before.
        let (sender, pages) = sync_channel(0);
        thread::Builder::new().name("snowcat-input".into()).spawn(move || {
            loop {
                let page = match next() {
                    Ok(None) => return,
                    Ok(Some(page)) => Ok(page),
                    Err(error) => Err(error),
                };
                let last = page.is_err();
                // Nobody listens once the load has ended.
                if sender.send(page).is_err() || last {
                    return;
                }
            }
        })?;
        Ok(Self { pages, columns })
    }
}

/// Each an [`io::ErrorKind::InvalidData`] for a file that is damaged, or what the reader says; after an
/// error there is no more.
impl Iterator for Pages {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        self.pages.recv().ok()
    }
}

/// The libraries of Parquet and Arrow panic over some files that are damaged: that is an error of the file.
fn guarded<T>(decode: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|panic| Err(damaged(&*panic)))
}

#[cold]
fn damaged(panic: &(dyn Any + Send)) -> io::Error {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let why = text.or_else(|| panic.downcast_ref().copied()).unwrap_or("no reason is known");
    io::Error::new(io::ErrorKind::InvalidData, format!("the file is damaged: {why}"))
}

/// The next page of a text; the decoder is gone when the text has ended.
fn text(
    reader: &mut impl Read,
    size: usize,
    decoder: &mut Option<Decoder>,
) -> io::Result<Option<String>> {
    let mut page = String::new();
    while let Some(next) = decoder {
        let mut bytes = Vec::new();
        let wanted = size.saturating_sub(next.held()) as u64;
        let last = reader.by_ref().take(wanted).read_to_end(&mut bytes)? == 0;
        next.decode(&bytes, last, &mut page, &mut |text, bad| {
            text.push(MARK);
            text.push(bad.byte.map_or(char::REPLACEMENT_CHARACTER, char::from));
        });
        if last {
            *decoder = None;
        }
        if !page.is_empty() {
            return Ok(Some(page));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        check(4, "", &[]);
        check(99, " \n ", &[" \n "]);
        check(4, "{\"a\":1}", &["{\"a\"", ":1}"]);
        check(5, "aéééb", &["aéé", "éb"]);
        check(4, "😀😀a", &["😀", "😀", "a"]);
    }

    #[test]
    fn what_is_no_character_is_marked() {
        let check = |encoding: &str, input: &[u8], expected: &str| {
            for size in [4, 5, 99] {
                let input = io::Cursor::new(input.to_vec());
                let pages = Pages::of_text_in(input, size, encoding).unwrap();
                let found: String = pages.collect::<io::Result<_>>().unwrap();
                assert_eq!(found, expected, "{encoding} {size}");
            }
        };
        check("utf-8", b"{\"a\":1}\n{\"\xff\":1}\n", "{\"a\":1}\n{\"\u{fdd0}\u{ff}\":1}\n");
        check("utf-8", b"ab\xe2\x82", "ab\u{fdd0}\u{e2}\u{fdd0}\u{82}");
        check(
            "utf-8",
            b"\xe2\x82a\xe2\x82\xac\xf0",
            "\u{fdd0}\u{e2}\u{fdd0}\u{82}a€\u{fdd0}\u{f0}",
        );
        check("windows-1252", b"\x80\x81\xe9", "€\u{fdd0}\u{81}é");
        check("iso-8859-1", b"\x80\xe9", "\u{80}é");
        check("utf-16", b"\xfe\xff\0a\xd8\x3d\xde\0\0b", "a😀b");
        check("utf-16", b"a\0", "a");
        check("utf-16", b"", "");
        check("utf-16le", b"a\0\x3d\xd8b\0c", "a\u{fdd0}\u{fffd}b\u{fdd0}\u{fffd}");
        check("shift_jis", b"\x93\xfa\xa0a\x81", "日\u{fdd0}\u{fffd}a\u{fdd0}\u{fffd}");
        let error = Pages::of_text_in(&b""[..], 4, "rot13").unwrap_err();
        assert!(error.to_string().ends_with("that this host knows, found \"rot13\""), "{error}");
    }

    #[test]
    fn what_panics_is_an_error() {
        let found = guarded::<()>(|| panic!("no such {}", "thing")).unwrap_err();
        assert_eq!(found.to_string(), "the file is damaged: no such thing");
        assert_eq!(guarded(|| Ok(1)).unwrap(), 1);
    }

    /// Whatever the sizes of pages and of reads, all together are the input.
    #[test]
    fn nothing_is_lost() {
        let text: String = (0..500).map(|i| format!("{{\"n\":{i},\"t\":\"é,]}}\"}}\n")).collect();
        for size in [1, 7, 64, 1000, 1 << 20] {
            let pages = Pages::of_text(Drip(text.clone().into_bytes(), 0), size).unwrap();
            let mut all = String::new();
            for page in pages {
                let page = page.unwrap();
                assert!(page.len() <= size.max(4), "{} for {size}", page.len());
                all.push_str(&page);
            }
            // Not with `assert_eq`, which would print it all.
            assert!(all == text, "{size}");
        }
    }

    /// Gives three bytes at a time.
    struct Drip(Vec<u8>, usize);

    impl Read for Drip {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let rest = &self.0[self.1..];
            let length = rest.len().min(into.len()).min(3);
            into[..length].copy_from_slice(&rest[..length]);
            self.1 += length;
            Ok(length)
        }
    }

    #[track_caller]
    fn check(size: usize, input: &str, expected: &[&str]) {
        let pages = Pages::of_text(io::Cursor::new(input.to_owned()), size).unwrap();
        assert_eq!(pages.collect::<io::Result<Vec<_>>>().unwrap(), expected, "{input}");
    }
}
