//! Input in pages of a size that one call can pass.
//!
//! Text is cut between any two characters: the load joins it again and finds the records. Rows of
//! Parquet and Arrow are converted to cells here, with the types of their columns, and are not cut.

use std::any::Any;
use std::fs::File;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use super::columns;
use crate::encoding::{Decoder, Encoding};
use crate::interface::Column;

/// The recommended size of a page, in bytes.
pub const PAGE: usize = 4 << 20;

/// The mark before the character with the number of an undecodable byte.
pub(crate) const MARK: char = '\u{fdd0}';

/// The pages of one input. A thread prepares them, one page ahead of the load.
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
    /// Returns the pages of a UTF-8 text, of at most `size` bytes each.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn of_text(reader: impl Read + Send + 'static, size: usize) -> io::Result<Self> {
        Self::of_text_in(reader, size, "utf-8")
    }

    /// Returns the pages of a text in this encoding, each decoded from at most `size` bytes.
    /// Undecodable bytes have the mark that the interface specifies.
    ///
    /// # Errors
    /// If the encoding is unknown, or the thread cannot be started.
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

    /// Returns the rows of a Parquet file as cells of its [columns](Self::columns). A page has at
    /// least `size` bytes, and at most one row more.
    ///
    /// # Errors
    /// If it is not Parquet, or the thread cannot be started.
    pub fn of_parquet(file: File, size: usize) -> io::Result<Self> {
        let mut rows = guarded(|| columns::ParquetRows::new(file, size))?;
        let columns = Some(rows.columns());
        Self::spawn(columns, move || guarded(|| rows.next_page()))
    }

    /// Returns the rows of Arrow IPC, as a file or as a stream.
    ///
    /// # Errors
    /// If it is not Arrow IPC, or the thread cannot be started.
    pub fn of_arrow(reader: impl Read + Send + 'static, size: usize) -> io::Result<Self> {
        let mut rows = guarded(|| columns::of_arrow(reader, size))?;
        let columns = Some(rows.columns());
        Self::spawn(columns, move || guarded(|| rows.next_page()))
    }

    /// Returns the columns once, if the pages are cells.
    pub fn columns(&mut self) -> Option<Vec<Column>> {
        self.columns.take()
    }

    fn spawn(
        columns: Option<Vec<Column>>,
        mut next: impl FnMut() -> io::Result<Option<String>> + Send + 'static,
    ) -> io::Result<Self> {
        // One page is ready while the load works on the previous one.
        let (sender, pages) = sync_channel(0);
        thread::Builder::new().name("snowcat-input".into()).spawn(move || {
            loop {
                let page = match next() {
                    Ok(None) => return,
                    Ok(Some(page)) => Ok(page),
                    Err(error) => Err(error),
                };
                let last = page.is_err();
                // The receiver is gone once the load has ended.
                if sender.send(page).is_err() || last {
                    return;
                }
            }
        })?;
        Ok(Self { pages, columns })
    }
}

/// An error is an [`io::ErrorKind::InvalidData`] for a damaged file, or that of the reader. It is
/// the last item.
impl Iterator for Pages {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        self.pages.recv().ok()
    }
}

/// The libraries of Parquet and Arrow panic on some damaged files: this is an error of the file.
fn guarded<T>(decode: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|panic| Err(damaged(&*panic)))
}

#[cold]
fn damaged(panic: &(dyn Any + Send)) -> io::Error {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let why = text.or_else(|| panic.downcast_ref().copied()).unwrap_or("no reason is known");
    io::Error::new(io::ErrorKind::InvalidData, format!("the file is damaged: {why}"))
}

/// The next page of a text. The decoder is removed when the text ends.
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
    fn text_is_cut_between_characters() {
        check(4, "", &[]);
        check(99, " \n ", &[" \n "]);
        check(4, "{\"a\":1}", &["{\"a\"", ":1}"]);
        check(5, "aéééb", &["aéé", "éb"]);
        check(4, "😀😀a", &["😀", "😀", "a"]);
    }

    #[test]
    fn undecodable_bytes_are_marked() {
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
    fn panics_of_decoders_are_errors() {
        let found = guarded::<()>(|| panic!("no such {}", "thing")).unwrap_err();
        assert_eq!(found.to_string(), "the file is damaged: no such thing");
        assert_eq!(guarded(|| Ok(1)).unwrap(), 1);
    }

    /// For any sizes of pages and reads, the pages together are the input.
    #[test]
    fn pages_together_are_the_input() {
        let text: String = (0..500).map(|i| format!("{{\"n\":{i},\"t\":\"é,]}}\"}}\n")).collect();
        for size in [1, 7, 64, 1000, 1 << 20] {
            let pages = Pages::of_text(Drip(text.clone().into_bytes(), 0), size).unwrap();
            let mut all = String::new();
            for page in pages {
                let page = page.unwrap();
                assert!(page.len() <= size.max(4), "{} for {size}", page.len());
                all.push_str(&page);
            }
            // `assert_eq` would print the whole text.
            assert!(all == text, "{size}");
        }
    }

    /// Returns three bytes per read.
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
