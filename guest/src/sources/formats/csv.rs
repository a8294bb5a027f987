//! CSV: rows to JSON objects.
//!
//! RFC 4180, in the dialect of the job: LF, CR LF or CR end a row, and quoted fields may contain
//! them. A quote inside an unquoted field is an ordinary character; text behind a closing quote is
//! an error. After an invalid row, reading continues at the next line, so that one stray quote
//! costs a line rather than the file. Blank lines are skipped.

use super::{Frame, Marks};
use crate::fault::{Fault, Result};
use crate::job::{Csv, Header};

/// The maximum size of a row in bytes: the former limit of Snowflake's strings.
const MAX_ROW: usize = 16 << 20;

/// The rows of files in one dialect.
pub(super) struct Rows {
    dialect: Csv,
    /// The columns as members of an object: `"name":`.
    keys: Vec<String>,
    /// Whether the header is still to be read.
    headless: bool,
    skip_lines: u32,
    row: Row,
    json: String,
}

/// The fields of one row.
#[derive(Default)]
struct Row {
    /// The values, concatenated.
    values: String,
    /// The end of each value, and whether it is NULL.
    ends: Vec<(usize, bool)>,
}

/// The result of reading the beginning of a text.
enum FoundRow {
    /// A row and its length in bytes, including the line end; whether any field is quoted.
    Row { length: usize, quoted: bool },
    /// Possibly the beginning of a row.
    Incomplete,
    /// An invalid row, with the reason.
    Broken(&'static str),
}

impl Rows {
    pub(super) fn new(dialect: &Csv) -> Self {
        let mut dialect = dialect.clone();
        if dialect.escape == dialect.quote {
            dialect.escape = None;
        }
        let keys = match &dialect.header {
            Header::Names(names) => names.iter().map(|name| key(name)).collect(),
            Header::First | Header::Numbers => Vec::new(),
        };
        let mut rows = Self {
            dialect,
            keys,
            headless: false,
            skip_lines: 0,
            row: Row::default(),
            json: String::new(),
        };
        rows.begin();
        rows
    }

    /// Begins a file.
    pub(super) fn begin(&mut self) {
        self.skip_lines = self.dialect.skip_lines;
        self.headless = self.dialect.header == Header::First;
        if self.headless || self.dialect.header == Header::Numbers {
            self.keys.clear();
        }
    }

    /// Reads the next row of `text`, starting at `at`.
    #[expect(
        clippy::too_many_arguments,
        reason = "a scanner that is resumed with the position of its host"
    )]
    pub(super) fn next<'a>(
        &'a mut self,
        mut text: &'a str,
        at: &mut usize,
        line: &mut u64,
        last: bool,
        (lenient, marks): (bool, Option<Marks>),
    ) -> Result<Option<Frame<'a>>> {
        loop {
            let comment =
                self.dialect.comment.is_some() && text.bytes().next() == self.dialect.comment;
            let blank = matches!(text.as_bytes().first(), Some(b'\n' | b'\r'));
            if self.skip_lines > 0 || comment || blank {
                let Some(length) = line_length(text, last) else { return Ok(None) };
                if length == 0 {
                    return Ok(None);
                }
                text = text.get(length..).unwrap_or_default();
                *at += length;
                *line += 1;
                self.skip_lines = self.skip_lines.saturating_sub(1);
                continue;
            }
            if text.is_empty() {
                return Ok(None);
            }
            let begins = *line;
            let mut take = |length: usize, lines: u64| {
                let taken = text.get(..length).unwrap_or_default();
                *at += length;
                *line += lines;
                taken
            };
            let (raw, reason) = match self.row.read(&self.dialect, text, last) {
                FoundRow::Incomplete if text.len() <= MAX_ROW => return Ok(None),
                FoundRow::Row { length, quoted } => {
                    let row = text.get(..length).unwrap_or_default();
                    let raw = take(length, if quoted { lines(row) } else { 1 });
                    let bad = marks.and_then(|marks| marks.find(row));
                    if let (Some((reason, _)), true) = (&bad, self.headless) {
                        return Err(Fault::data(reason).at(format_args!("line {begins}")));
                    }
                    if self.headless {
                        self.header().map_err(|fault| fault.at(format!("line {begins}")))?;
                        text = text.get(length..).unwrap_or_default();
                        continue;
                    }
                    if self.dialect.header == Header::Numbers && self.keys.is_empty() {
                        self.keys = (1..=self.row.ends.len()).map(|n| key(&numbered(n))).collect();
                    }
                    let (found, expected) = (self.row.ends.len(), self.keys.len());
                    let fits = found == expected || (found < expected && self.dialect.short_rows);
                    match bad {
                        Some((reason, _)) => (raw, reason),
                        None if fits => {
                            self.row.write(&self.keys, &mut self.json);
                            return Ok(Some(Frame::Values { text: &self.json, line: begins }));
                        }
                        None => (raw, format!("expected {expected} fields, found {found}")),
                    }
                }
                found => {
                    let why = match found {
                        FoundRow::Broken(why) => why,
                        _ => "expected a row of at most 16 MiB, found no end of it",
                    };
                    // The row's first line is invalid; a row may begin behind it.
                    let length = match line_length(text, last) {
                        None if text.len() <= MAX_ROW => return Ok(None),
                        length => length.unwrap_or(text.len()),
                    };
                    (take(length, 1), why.to_owned())
                }
            };
            if lenient && !self.headless {
                let raw = raw.trim_end_matches(['\n', '\r']);
                return Ok(Some(Frame::Bad { raw, line: begins, reason }));
            }
            return Err(Fault::data(reason).at(format_args!("line {begins}")));
        }
    }

    /// Uses the row just read as the header.
    fn header(&mut self) -> Result<()> {
        let mut names: Vec<String> = Vec::new();
        for (n, field) in self.row.fields().enumerate() {
            let name = match field {
                Some(name) if !name.is_empty() => name.to_owned(),
                _ => numbered(n + 1),
            };
            if names.contains(&name) {
                return Err(Fault::data(format_args!(
                    "expected columns of different names, found {name:?} twice: name them in \
                     \"header\" and have \"skip_lines\" skip this line"
                )));
            }
            names.push(name);
        }
        self.keys = names.iter().map(|name| key(name)).collect();
        self.headless = false;
        Ok(())
    }
}

impl Row {
    /// Reads the row at the beginning of a text, which is not empty.
    #[expect(clippy::too_many_lines, reason = "one state machine")]
    fn read(&mut self, dialect: &Csv, text: &str, last: bool) -> FoundRow {
        self.values.clear();
        self.ends.clear();
        let bytes = text.as_bytes();
        let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
        let escape =
            |at: usize| dialect.escape.is_some() && bytes.get(at).copied() == dialect.escape;
        // The end of the character after an escape.
        let escaped = |at: usize| {
            text.get(at..).and_then(|rest| rest.chars().next()).map(|c| at + c.len_utf8())
        };
        let mut quoted_any = false;
        let mut at = 0;
        loop {
            let mut null = false;
            if dialect.quote.is_some() && bytes.get(at).copied() == dialect.quote {
                quoted_any = true;
                at += 1;
                let mut from = at;
                loop {
                    match bytes.get(at) {
                        None if last => {
                            return FoundRow::Broken(
                                "expected a quote that ends the field, found none",
                            );
                        }
                        None => return FoundRow::Incomplete,
                        _ if escape(at) => {
                            self.values.push_str(part(from, at));
                            match escaped(at + 1) {
                                Some(end) => (from, at) = (at + 1, end),
                                None if last => {
                                    return FoundRow::Broken(
                                        "expected a character after the escape, found none",
                                    );
                                }
                                None => return FoundRow::Incomplete,
                            }
                        }
                        Some(b) if Some(*b) == dialect.quote => {
                            self.values.push_str(part(from, at));
                            at += 1;
                            match bytes.get(at) {
                                None if !last => return FoundRow::Incomplete,
                                Some(next) if next == b => {
                                    // Of a doubled quote, the second is kept.
                                    from = at;
                                    at += 1;
                                }
                                _ => break,
                            }
                        }
                        _ => at += 1,
                    }
                }
            } else {
                let start = at;
                let mut from = at;
                loop {
                    match bytes.get(at) {
                        None if last => break,
                        None => return FoundRow::Incomplete,
                        Some(b) if *b == dialect.delimiter => break,
                        Some(b'\n' | b'\r') => break,
                        _ if escape(at) => {
                            self.values.push_str(part(from, at));
                            match escaped(at + 1) {
                                Some(end) => (from, at) = (at + 1, end),
                                None if last => {
                                    return FoundRow::Broken(
                                        "expected a character after the escape, found none",
                                    );
                                }
                                None => return FoundRow::Incomplete,
                            }
                        }
                        _ => at += 1,
                    }
                }
                self.values.push_str(part(from, at));
                null = dialect.null.iter().any(|null| null == part(start, at));
            }
            self.ends.push((self.values.len(), null));
            let length = match bytes.get(at) {
                None => at,
                Some(b) if *b == dialect.delimiter => {
                    at += 1;
                    if at == bytes.len() && !last {
                        return FoundRow::Incomplete;
                    }
                    continue;
                }
                Some(b'\n') => at + 1,
                Some(b'\r') => match bytes.get(at + 1) {
                    None if !last => return FoundRow::Incomplete,
                    Some(b'\n') => at + 2,
                    _ => at + 1,
                },
                Some(_) => {
                    return FoundRow::Broken(
                        "expected a delimiter after the closing quote, found more text",
                    );
                }
            };
            return FoundRow::Row { length, quoted: quoted_any };
        }
    }

    /// The values; `None` for NULL.
    fn fields(&self) -> impl Iterator<Item = Option<&str>> {
        let mut from = 0;
        self.ends.iter().map(move |&(end, null)| {
            let field = self.values.get(from..end).unwrap_or_default();
            from = end;
            (!null).then_some(field)
        })
    }

    /// The row as a JSON object.
    fn write(&self, keys: &[String], json: &mut String) {
        json.clear();
        json.push('{');
        let fields = self.fields().chain(std::iter::repeat(None));
        for (n, (key, field)) in keys.iter().zip(fields).enumerate() {
            if n > 0 {
                json.push(',');
            }
            json.push_str(key);
            match field {
                None => json.push_str("null"),
                Some(text) => quote(text, json),
            }
        }
        json.push('}');
    }
}

/// The length of the first line, including its end. `None` if its end is not read yet.
fn line_length(text: &str, last: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let end = bytes.iter().position(|b| matches!(b, b'\n' | b'\r'));
    match end {
        None => last.then_some(bytes.len()),
        Some(end) if bytes.get(end) == Some(&b'\n') => Some(end + 1),
        Some(end) => match bytes.get(end + 1) {
            None if !last => None,
            Some(b'\n') => Some(end + 2),
            _ => Some(end + 1),
        },
    }
}

/// The number of line ends in a text.
fn lines(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let ends =
        |(at, b): (usize, &u8)| *b == b'\n' || (*b == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
    bytes.iter().enumerate().filter(|it| ends(*it)).count() as u64
}

fn numbered(column: usize) -> String {
    format!("column_{column}")
}

fn key(name: &str) -> String {
    let mut key = String::new();
    quote(name, &mut key);
    key.push(':');
    key
}

/// Writes a string as JSON.
pub(crate) fn quote(text: &str, json: &mut String) {
    json.push('"');
    let mut from = 0;
    for (at, b) in text.bytes().enumerate() {
        if b >= 0x20 && b != b'"' && b != b'\\' {
            continue;
        }
        json.push_str(text.get(from..at).unwrap_or_default());
        from = at + 1;
        match b {
            b'"' => json.push_str("\\\""),
            b'\\' => json.push_str("\\\\"),
            b'\n' => json.push_str("\\n"),
            b'\r' => json.push_str("\\r"),
            b'\t' => json.push_str("\\t"),
            _ => json.push_str(&format!("\\u{b:04x}")),
        }
    }
    json.push_str(text.get(from..).unwrap_or_default());
    json.push('"');
}
