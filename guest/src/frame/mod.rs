//! Text of files to JSON values: pages that were cut anywhere are put together again and taken apart
//! where records begin and end. What cannot be read is told apart from what can, with its line.
//!
//! No more is held than a page and the record that a page ends in; how large a record may be is
//! bounded, so that a quote nobody closed does not have the rest of the input pile up.

mod csv;
mod json;

pub(crate) use csv::quote;

use crate::fault::{Fault, Result};
use crate::job::Format;
use crate::json::Reader;

/// A line or a top-level value may have this many bytes.
const MAX_VALUE: usize = 128 << 20;

/// The records of files, page by page.
pub struct Frames {
    kind: Kind,
    /// Whether bad records are handed over; if not, the first is the last.
    lenient: bool,
    /// What was fed and is not handed over yet begins at `at`.
    text: String,
    at: usize,
    /// The line of what is at `at`, from 1.
    line: u64,
    /// Nothing of the file was fed yet.
    fresh: bool,
}

enum Kind {
    Csv(Box<csv::Rows>),
    Json(json::Values),
    /// How much of the text holds no end of a line.
    Lines(usize),
}

/// A piece of the input.
#[derive(Debug, PartialEq)]
pub enum Frame<'a> {
    /// What can be read.
    Values {
        /// JSON values, whole.
        text: &'a str,
        /// The line they begin on.
        line: u64,
    },
    /// What cannot.
    Bad {
        /// As it stands in the file.
        raw: &'a str,
        /// The line it begins on.
        line: u64,
        /// Why.
        reason: String,
    },
}

impl Frames {
    /// Frames of this format; none for those that the host takes apart. `lenient`: bad records are
    /// handed over one by one.
    pub fn new(format: &Format, lenient: bool) -> Option<Self> {
        let kind = match format {
            Format::Csv(dialect) => Kind::Csv(Box::new(csv::Rows::new(dialect))),
            Format::Json => Kind::Json(json::Values::default()),
            Format::JsonLines => Kind::Lines(0),
            Format::Arrow | Format::Parquet | Format::Values => return None,
        };
        Some(Self { kind, lenient, text: String::new(), at: 0, line: 1, fresh: true })
    }

    /// A file begins. What was fed before must have been taken, to its end.
    pub fn begin(&mut self) {
        self.text.clear();
        self.at = 0;
        self.line = 1;
        self.fresh = true;
        match &mut self.kind {
            Kind::Csv(rows) => rows.begin(),
            Kind::Json(values) => *values = json::Values::default(),
            Kind::Lines(searched) => *searched = 0,
        }
    }

    /// Takes a page.
    pub fn feed(&mut self, page: String) {
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

    /// Bytes that are held.
    pub fn held(&self) -> usize {
        self.text.len().saturating_sub(self.at)
    }

    /// The next piece; none when more has to be fed. `last`: there is no more in this file.
    ///
    /// # Errors
    /// A data fault with the line, for what cannot be read.
    pub fn next(&mut self, last: bool) -> Result<Option<Frame<'_>>> {
        match &mut self.kind {
            Kind::Csv(rows) => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                let lenient = self.lenient;
                rows.next(rest, &mut self.at, &mut self.line, last, lenient)
            }
            Kind::Json(values) => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                values.next(rest, &mut self.at, &mut self.line, last, self.lenient)
            }
            Kind::Lines(searched) => {
                let found = line(&self.text, &mut self.at, &mut self.line, searched, last)?;
                let Some((text, line)) = found else { return Ok(None) };
                match self.lenient.then(|| check(text, line)).flatten() {
                    Some(reason) => Ok(Some(Frame::Bad { raw: text, line, reason })),
                    None => Ok(Some(Frame::Values { text, line })),
                }
            }
        }
    }
}

/// The next line that is not blank.
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

/// Why a text is not JSON, if it is not.
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
