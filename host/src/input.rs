//! Files cut into pages: whole JSON values, of a size that one call can carry.
//!
//! NDJSON, values one after the other, and arrays of any size can be cut: between two values, or inside
//! a top-level array between two elements, each part an array again. What is not JSON is not noticed
//! here: it is handed over as it stands, and the load says what is wrong with it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

/// A good size of a page, in bytes.
pub const PAGE: usize = 4 << 20;

/// The pages of one input. They are read and cut by a thread, one page ahead of the load.
#[derive(Debug)]
pub struct Pages {
    pages: Receiver<io::Result<String>>,
}

impl Pages {
    /// The pages of a file.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        Self::new(File::open(path)?, PAGE)
    }

    /// The pages of any reader, of about this many bytes each. A value is never cut, so a page can be as
    /// large as the largest value.
    ///
    /// # Errors
    /// If there can be no thread.
    pub fn new(reader: impl Read + Send + 'static, size: usize) -> io::Result<Self> {
        let mut cutter = Cutter::new(reader, size);
        Self::spawn(move || cutter.next_page())
    }

    /// The pages of a text that the load puts together again: cut between any two characters.
    ///
    /// # Errors
    /// If there can be no thread.
    pub fn of_text(mut reader: impl Read + Send + 'static, size: usize) -> io::Result<Self> {
        let mut rest = Vec::new();
        let mut before = 0;
        Self::spawn(move || text(&mut reader, size.max(4), &mut rest, &mut before))
    }

    fn spawn(
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
        Ok(Self { pages })
    }

    /// The next page; `None` when there is no more.
    ///
    /// # Errors
    /// What the reader says, or [`io::ErrorKind::InvalidData`] for text that is not UTF-8.
    pub fn next_page(&mut self) -> io::Result<Option<String>> {
        self.pages.recv().ok().transpose()
    }
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

/// Cuts what a reader gives.
struct Cutter<R> {
    reader: R,
    size: usize,
    /// Read, not handed over yet.
    buffer: Vec<u8>,
    /// Bytes of the buffer the scanner has seen.
    seen: usize,
    /// Where the buffer can be cut: after a whole value or element.
    cut: Option<Cut>,
    scanner: Scanner,
    /// Bytes handed over, for errors.
    before: usize,
    end: bool,
}

#[derive(Clone, Copy)]
struct Cut {
    at: usize,
    /// Between two elements of a top-level array, at the comma.
    inside: bool,
}

impl<R: Read> Cutter<R> {
    fn new(reader: R, size: usize) -> Self {
        Self {
            reader,
            size: size.max(1),
            buffer: Vec::new(),
            seen: 0,
            cut: None,
            scanner: Scanner::default(),
            before: 0,
            end: false,
        }
    }

    fn next_page(&mut self) -> io::Result<Option<String>> {
        loop {
            self.scan();
            if self.buffer.len() >= self.size
                && let Some(cut) = self.cut.take()
            {
                return self.hand_over(cut).map(Some);
            }
            if self.end {
                if self.buffer.iter().all(u8::is_ascii_whitespace) {
                    return Ok(None);
                }
                let rest = Cut { at: self.buffer.len(), inside: false };
                return self.hand_over(rest).map(Some);
            }
            self.read()?;
        }
    }

    /// Looks for places to cut; stops at the first after the wanted size.
    fn scan(&mut self) {
        while self.seen < self.buffer.len() {
            if self.seen >= self.size && self.cut.is_some() {
                return;
            }
            let rest = &self.buffer[self.seen..];
            let (read, place) = self.scanner.advance(rest);
            self.seen += read;
            match place {
                // The comma belongs to neither part.
                Some(Place::Element) => {
                    self.cut = Some(Cut { at: self.seen - 1, inside: true });
                }
                Some(Place::Value) => self.cut = Some(Cut { at: self.seen, inside: false }),
                None => {}
            }
        }
    }

    fn read(&mut self) -> io::Result<()> {
        let start = self.buffer.len();
        let wanted = self.size.saturating_sub(start).max(64 << 10) as u64;
        let read = self.reader.by_ref().take(wanted).read_to_end(&mut self.buffer)?;
        self.end = read == 0;
        if start == 0 && self.before == 0 && self.buffer.starts_with("\u{feff}".as_bytes()) {
            self.buffer.drain(..3);
        }
        Ok(())
    }

    fn hand_over(&mut self, cut: Cut) -> io::Result<String> {
        let mut rest = self.buffer.split_off(cut.at);
        if cut.inside {
            // What goes on is an array again.
            if let Some(comma) = rest.first_mut() {
                *comma = b'[';
            }
            self.buffer.push(b']');
        }
        self.seen -= cut.at;
        self.cut = None;
        let page = std::mem::replace(&mut self.buffer, rest);
        let before = self.before;
        self.before += cut.at;
        String::from_utf8(page).map_err(|e| not_utf_8(before + e.utf8_error().valid_up_to()))
    }
}

/// A place where an input can be cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    /// The byte before is the comma after an element of a top-level array.
    Element,
    /// The byte before is the last of a top-level value, or the white space that ends a bare one.
    Value,
}

/// Knows whether it is in a text, and how deep.
#[derive(Debug, Default)]
struct Scanner {
    depth: usize,
    in_text: bool,
    escaped: bool,
    /// The top-level value is an array.
    in_array: bool,
    /// The top-level value is a number or a word, which white space ends.
    bare: bool,
}

impl Scanner {
    /// Goes on to the next place where the input can be cut, or to the end of these bytes.
    fn advance(&mut self, bytes: &[u8]) -> (usize, Option<Place>) {
        let mut rest = bytes.iter();
        let done = |rest: &std::slice::Iter<'_, u8>| bytes.len() - rest.len();
        while let Some(&byte) = rest.next() {
            if self.in_text {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => {
                        self.in_text = false;
                        if self.depth == 0 {
                            return (done(&rest), Some(Place::Value));
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_text = true,
                b'{' | b'[' => {
                    if self.depth == 0 {
                        self.in_array = byte == b'[';
                    }
                    self.depth += 1;
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return (done(&rest), Some(Place::Value));
                    }
                }
                b',' if self.depth == 1 && self.in_array => {
                    return (done(&rest), Some(Place::Element));
                }
                _ if self.depth > 0 => {}
                b' ' | b'\t' | b'\n' | b'\r' => {
                    if std::mem::take(&mut self.bare) {
                        return (done(&rest), Some(Place::Value));
                    }
                }
                _ => self.bare = true,
            }
        }
        (bytes.len(), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_cut_between_values() {
        check(4, "", &[]);
        check(4, " \n ", &[]);
        check(99, "{\"a\":1}\n{\"a\":2}\n", &["{\"a\":1}\n{\"a\":2}\n"]);
        check(8, "{\"a\":1}\n{\"a\":2}\n{\"a\":3}", &["{\"a\":1}\n{\"a\":2}", "\n{\"a\":3}"]);
        check(1, "{\"a\":1}{\"a\":2}", &["{\"a\":1}", "{\"a\":2}"]);
        // Brackets and quotes in a text mean nothing.
        check(1, r#"{"a":"}\"]{"} {"b":[]}"#, &[r#"{"a":"}\"]{"}"#, r#" {"b":[]}"#]);
        // One value is never cut.
        check(4, r#"{"issues":[1,2,3]}"#, &[r#"{"issues":[1,2,3]}"#]);
        check(1, "12 345\n", &["12 ", "345\n"]);
        check(1, "\"a b\" {}", &["\"a b\"", " {}"]);
        check(99, "\u{feff}{}", &["{}"]);
    }

    #[test]
    fn an_array_is_cut_into_arrays() {
        check(99, "[1,2,3]", &["[1,2,3]"]);
        check(4, "[10,20,30,40]", &["[10]", "[20]", "[30]", "[40]"]);
        check(5, r#"[{"a":[1,2]},{"b":","}]"#, &[r#"[{"a":[1,2]}]"#, r#"[{"b":","}]"#]);
        check(5, "[[1,2],\n[3]]\n[4]\n", &["[[1,2]]", "[\n[3]]", "\n[4]"]);
    }

    #[test]
    fn what_is_not_json_is_handed_over() {
        check(4, r#"{"a":1}} {"a"#, &[r#"{"a":1}"#, "}", r#" {"a"#]);
        check(4, "\"never ends", &["\"never ends"]);
    }

    #[test]
    fn text_that_is_not_utf_8_is_an_error() {
        let mut pages = Pages::new(&b"{\"a\":1}\n{\"\xff\":1}\n"[..], 4).unwrap();
        assert_eq!(pages.next_page().unwrap().as_deref(), Some("{\"a\":1}"));
        let error = pages.next_page().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains("byte 10"), "{error}");
        assert_eq!(pages.next_page().unwrap(), None);
    }

    /// Whatever the sizes of pages and of reads, all together are the input.
    #[test]
    fn nothing_is_lost() {
        let text: String = (0..500).map(|i| format!("{{\"n\":{i},\"t\":\"é,]}}\"}}\n")).collect();
        for size in [1, 7, 64, 1000, 1 << 20] {
            let mut pages = Pages::new(Drip(text.clone().into_bytes(), 0), size).unwrap();
            let mut all = String::new();
            while let Some(page) = pages.next_page().unwrap() {
                assert!(page.len() < size + 40, "{} for {size}", page.len());
                all.push_str(&page);
            }
            // Not with `assert_eq`, which would print it all. White space at the end is no page.
            assert!(all.trim_end() == text.trim_end(), "{size}");
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
        let mut pages = Pages::new(io::Cursor::new(input.to_owned()), size).unwrap();
        let mut found = Vec::new();
        while let Some(page) = pages.next_page().unwrap() {
            found.push(page);
        }
        assert_eq!(found, expected, "{input}");
    }
}
