//! Converts the text of files to JSON values. Pages may be cut anywhere; they are joined and split
//! again between records. Invalid records are returned with their line.
//!
//! The memory needed is a page and the record in which it ends. The size of a record is limited, so
//! that an unclosed quote cannot accumulate the rest of the input.

mod csv;
mod json;

pub(crate) use csv::quote;

use std::borrow::Cow;

use crate::fault::{Fault, Result};
use crate::job::{Encoding, Format};
use crate::json::Reader;

/// The maximum size of a line or a top-level value in bytes.
const MAX_VALUE: usize = 128 << 20;

/// The records of files, page by page.
pub(crate) struct Frames {
    kind: FormatState,
    /// Whether bad records are returned. Otherwise the first one is a fault.
    lenient: bool,
    /// The text that is not returned yet begins at `at`.
    text: String,
    at: usize,
    /// The line number of `at`, from 1.
    line: u64,
    /// Whether the file has had no page yet.
    fresh: bool,
    /// The encoding of the file. `None`: UTF-8.
    encoding: Option<Encoding>,
    /// Whether a page of the file has a mark of an undecodable byte.
    marked: bool,
}

/// The mark that hosts write before the character of an undecodable byte (`wit/loads.wit`).
const MARK: char = '\u{fdd0}';

enum FormatState {
    Csv(Box<csv::Rows>),
    Json(json::JsonValues),
    /// The number of bytes without a line end.
    Lines(usize),
}

/// A part of the input.
#[derive(Debug, PartialEq)]
pub(crate) enum Frame<'a> {
    /// Valid input.
    Values {
        /// Complete JSON values.
        text: &'a str,
        /// The line where they begin.
        line: u64,
    },
    /// An invalid record.
    Bad {
        /// Its text as in the file.
        raw: &'a str,
        /// The line where it begins.
        line: u64,
        /// The reason.
        reason: String,
    },
}

impl Frames {
    /// Creates the frames of a format. `None` for formats that the host decodes. `lenient`: bad
    /// records are returned one by one.
    pub(crate) fn new(format: &Format, lenient: bool) -> Option<Self> {
        let kind = match format {
            Format::Csv(dialect) => FormatState::Csv(Box::new(csv::Rows::new(dialect))),
            Format::Json => FormatState::Json(json::JsonValues::default()),
            Format::JsonLines => FormatState::Lines(0),
            Format::Arrow | Format::Parquet | Format::Values => return None,
        };
        Some(Self {
            kind,
            lenient,
            text: String::new(),
            at: 0,
            line: 1,
            fresh: true,
            encoding: None,
            marked: false,
        })
    }

    /// Sets the encoding of the files.
    pub(crate) fn encoded(self, encoding: Option<Encoding>) -> Self {
        Self { encoding, ..self }
    }

    /// Begins a file. The previous one must have been read to its end.
    pub(crate) fn begin(&mut self) {
        self.text.clear();
        self.at = 0;
        self.line = 1;
        self.fresh = true;
        self.marked = false;
        match &mut self.kind {
            FormatState::Csv(rows) => rows.begin(),
            FormatState::Json(values) => *values = json::JsonValues::default(),
            FormatState::Lines(searched) => *searched = 0,
        }
    }

    /// Adds a page.
    pub(crate) fn feed(&mut self, page: String) {
        self.marked |= page.contains(MARK);
        if self.at >= self.text.len() {
            self.text = page;
        } else {
            self.text.drain(..self.at);
            self.text.push_str(&page);
        }
        self.at = 0;
        if std::mem::take(&mut self.fresh) {
            match self.text.is_empty() {
                true => self.fresh = true,
                false if self.text.starts_with('\u{feff}') => drop(self.text.drain(..3)),
                false => {}
            }
        }
    }

    /// The number of bytes in memory.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.text.len().saturating_sub(self.at)
    }

    /// Returns the next part, or `None` if more pages are needed. `last`: the file has no more
    /// pages.
    ///
    /// # Errors
    /// A data fault with the line, for an invalid record.
    pub(crate) fn next(&mut self, last: bool) -> Result<Option<Frame<'_>>> {
        match &mut self.kind {
            FormatState::Csv(rows) => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                let marks = self.marked.then_some(Marks(self.encoding));
                rows.next(rest, &mut self.at, &mut self.line, last, (self.lenient, marks))
            }
            FormatState::Json(values) => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                let marks = self.marked.then_some(Marks(self.encoding));
                let found = values.next(rest, &mut self.at, &mut self.line, last, self.lenient)?;
                describe(found, marks, self.lenient)
            }
            FormatState::Lines(searched) => {
                let found = line(&self.text, &mut self.at, &mut self.line, searched, last)?;
                let Some((text, line)) = found else { return Ok(None) };
                let marks = self.marked.then_some(Marks(self.encoding));
                let found = match self.lenient.then(|| check(text, line)).flatten() {
                    Some(reason) => Frame::Bad { raw: text, line, reason },
                    None => Frame::Values { text, line },
                };
                describe(Some(found), marks, self.lenient)
            }
        }
    }
}

/// A search for undecodable bytes in this encoding.
#[derive(Clone, Copy)]
struct Marks(Option<Encoding>);

impl Marks {
    /// The error for the first undecodable byte of a text, and the number of line ends before it.
    fn find(self, text: &str) -> Option<(String, u64)> {
        let (at, c) = text.match_indices(MARK).find_map(|(at, mark)| {
            let c = text.get(at + mark.len()..)?.chars().next().filter(|c| is_marked(*c))?;
            Some((at, c))
        })?;
        let name = self.0.map_or("UTF-8", Encoding::name);
        let found = match c {
            char::REPLACEMENT_CHARACTER => "bytes that are no character".to_owned(),
            c => format!("the byte 0x{:02X}", u32::from(c)),
        };
        let hint = match self.0 {
            Some(_) => "",
            None => " (\"encoding\" says what else a file is written in)",
        };
        let before = text.as_bytes().get(..at).unwrap_or_default();
        let lines = before.iter().filter(|b| **b == b'\n').count() as u64;
        Some((format!("expected text in {name}, found {found}{hint}"), lines))
    }
}

/// The frame of a text; bad if it has an undecodable byte.
fn describe(
    frame: Option<Frame<'_>>,
    marks: Option<Marks>,
    lenient: bool,
) -> Result<Option<Frame<'_>>> {
    let (Some(Frame::Values { text, line }), Some(marks)) = (&frame, marks) else {
        return Ok(frame);
    };
    match marks.find(text) {
        None => Ok(frame),
        Some((reason, _)) if lenient => Ok(Some(Frame::Bad { raw: text, line: *line, reason })),
        Some((reason, lines)) => Err(Fault::data(reason).at(format_args!("line {}", line + lines))),
    }
}

/// Returns `true` if a mark before this character marks an undecodable byte.
fn is_marked(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{ff}' | char::REPLACEMENT_CHARACTER)
}

/// The text of a bad record, with U+FFFD for undecodable bytes.
pub(crate) fn legible(raw: &str) -> Cow<'_, str> {
    if !raw.contains(MARK) {
        return Cow::Borrowed(raw);
    }
    let mut text = String::new();
    let mut rest = raw.chars().peekable();
    while let Some(c) = rest.next() {
        let marked = c == MARK && rest.next_if(|c| is_marked(*c)).is_some();
        text.push(if marked { char::REPLACEMENT_CHARACTER } else { c });
    }
    Cow::Owned(text)
}

/// Returns the next line that is not blank.
fn line<'a>(
    text: &'a str,
    at: &mut usize,
    number: &mut u64,
    searched: &mut usize,
    last: bool,
) -> Result<Option<(&'a str, u64)>> {
    loop {
        let rest = text.get(*at..).unwrap_or_default();
        let from = (*searched).min(rest.len());
        *searched = 0;
        let end = rest.as_bytes().get(from..).unwrap_or_default().iter().position(|b| *b == b'\n');
        let (length, step) = match end {
            Some(end) => (from + end, from + end + 1),
            None if last => (rest.len(), rest.len()),
            None => {
                *searched = rest.len();
                return if rest.len() > MAX_VALUE { Err(too_large(*number)) } else { Ok(None) };
            }
        };
        let found = rest.get(..length).unwrap_or_default();
        let line = *number;
        *at += step;
        *number += u64::from(step > length);
        if !found.bytes().all(|b| b.is_ascii_whitespace()) {
            return Ok(Some((found, line)));
        }
        if *at >= text.len() {
            return Ok(None);
        }
    }
}

/// The error if a text is not JSON.
fn check(text: &str, line: u64) -> Option<String> {
    let mut reader = Reader::from_line(text, line);
    while !reader.at_end() {
        if let Err(fault) = reader.skip() {
            return Some(fault.message);
        }
    }
    None
}

#[cold]
fn too_large(line: u64) -> Fault {
    let most = MAX_VALUE >> 20;
    Fault::data(format_args!("expected at most {most} MiB in one value, found no end of it"))
        .at(format_args!("line {line}"))
}

#[cfg(test)]
mod tests;
