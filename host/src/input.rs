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

use crate::columns;
use crate::interface::Column;

/// A good size of a page, in bytes.
pub const PAGE: usize = 4 << 20;

/// The pages of one input. They are read and made by a thread, one page ahead of the load.
#[derive(Debug)]
pub struct Pages {
    pages: Receiver<io::Result<String>>,
    columns: Option<Vec<Column>>,
}

impl Pages {
    /// The pages of a text, of at most this many bytes each.
    ///
    /// # Errors
    /// If there can be no thread.
    pub fn of_text(mut reader: impl Read + Send + 'static, size: usize) -> io::Result<Self> {
        let mut rest = Vec::new();
        let mut before = 0;
        Self::spawn(None, move || text(&mut reader, size.max(4), &mut rest, &mut before))
    }

    /// The rows of a Parquet file, as cells of its [columns](Self::columns); of at least this many bytes, and one row more at
    /// most.
    ///
    /// # Errors
    /// If it is none, or there can be no thread.
    pub fn of_parquet(file: File, size: usize) -> io::Result<Self> {
        let mut rows = guarded(|| columns::Parquet::new(file, size))?;
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

/// Each an [`io::ErrorKind::InvalidData`] for what is no text in UTF-8, or what the reader says; after an
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

/// The next page of a text; `rest` is what was read of a character that is not whole yet.
fn text(
    reader: &mut impl Read,
    size: usize,
    rest: &mut Vec<u8>,
    before: &mut usize,
) -> io::Result<Option<String>> {
    let mut page = std::mem::take(rest);
    let wanted = size.saturating_sub(page.len()) as u64;
    let read = reader.by_ref().take(wanted).read_to_end(&mut page)?;
    if page.is_empty() {
        return Ok(None);
    }
    match String::from_utf8(page) {
        Ok(page) => {
            *before += page.len();
            Ok(Some(page))
        }
        Err(error) => {
            let whole = error.utf8_error().valid_up_to();
            if error.utf8_error().error_len().is_some() || read == 0 {
                return Err(not_utf_8(*before + whole));
            }
            let mut page = error.into_bytes();
            *rest = page.split_off(whole);
            *before += whole;
            // The bytes up to there are whole characters.
            String::from_utf8(page).map(Some).map_err(|_| not_utf_8(*before))
        }
    }
}

#[cold]
fn not_utf_8(at: usize) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("expected text in UTF-8, found other bytes at byte {at} of the input"),
    )
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
    fn text_that_is_not_utf_8_is_an_error() {
        let mut pages = Pages::of_text(&b"{\"a\":1}\n{\"\xff\":1}\n"[..], 8).unwrap();
        assert_eq!(pages.next().unwrap().unwrap(), "{\"a\":1}\n");
        let error = pages.next().unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains("byte 10"), "{error}");
        assert!(pages.next().is_none());
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
