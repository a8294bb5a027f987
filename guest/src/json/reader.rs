//! The reader of JSON: a position in a text of values, and no tree.
//!
//! It reads RFC 8259, strictly, with two exceptions: values may follow one another separated by white
//! space (NDJSON), and half a surrogate pair becomes U+FFFD. Numbers are returned as they are spelled,
//! so that no digit is lost. The text is UTF-8 already (it crossed the interface as a string), so the
//! reader compares bytes and cuts at ASCII characters only.

use std::borrow::Cow;

use super::strings::{Parts, StringPart, half_pair, unescape};
use super::visit::{Container, MAX_DEPTH, Skip, Span, TooDeep, Visit};
use crate::fault::{Fault, Result};

/// The type of the next value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Peek {
    /// `[`
    Array,
    /// `true` or `false`
    Bool,
    /// `null`
    Null,
    /// A number.
    Number,
    /// `{`
    Object,
    /// A string.
    String,
}

/// A position in a text of JSON values.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    pos: usize,
    /// The line that the text begins on, for faults.
    first_line: u64,
}

impl<'a> Reader<'a> {
    /// At the beginning of the text.
    pub(crate) fn new(text: &'a str) -> Self {
        Self::from_line(text, 1)
    }

    /// At the beginning of a text that begins on this line of a file. A byte order mark is skipped.
    pub(crate) fn from_line(text: &'a str, first_line: u64) -> Self {
        let pos = if text.starts_with('\u{feff}') { 3 } else { 0 };
        Self { first_line, pos, ..Self::of_value(text) }
    }

    /// At the beginning of a value. A byte order mark is an error here.
    pub(super) fn of_value(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), pos: 0, first_line: 1 }
    }

    /// Bytes from the beginning of the text.
    pub(crate) fn position(&self) -> usize {
        self.pos
    }

    /// Sets the position to one that this reader, or another one of the same text, has had.
    pub(crate) fn seek(&mut self, position: usize) {
        self.pos = position;
    }

    /// The text between two positions, which must be boundaries of values.
    pub(crate) fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// Returns `true` if only white space is left.
    #[inline]
    pub(crate) fn at_end(&mut self) -> bool {
        self.white();
        self.pos >= self.bytes.len()
    }

    /// The type of the next value. Leaves the position at its first byte.
    #[inline]
    pub(crate) fn peek(&mut self) -> Result<Peek> {
        self.white();
        Ok(match self.bytes.get(self.pos) {
            Some(b'"') => Peek::String,
            Some(b'-' | b'0'..=b'9') => Peek::Number,
            Some(b'{') => Peek::Object,
            Some(b'[') => Peek::Array,
            Some(b't' | b'f') => Peek::Bool,
            Some(b'n') => Peek::Null,
            _ => return Err(self.expected("a value")),
        })
    }

    /// Steps over `{` or `[`, which [`Self::peek`] has seen. Returns `true` if the container has members; if not,
    /// steps over its closing bracket too.
    #[inline]
    pub(crate) fn enter(&mut self) -> bool {
        // In ASCII each closing bracket is two behind its opening one.
        let close = self.bytes.get(self.pos).map(|open| open.wrapping_add(2));
        self.pos += 1;
        self.white();
        if self.pos < self.bytes.len() && self.bytes.get(self.pos).copied() == close {
            self.pos += 1;
            return false;
        }
        true
    }

    /// After a member: steps over `,` and returns `true`, or over the closing bracket and returns `false`.
    #[inline]
    pub(crate) fn more(&mut self, close: u8) -> Result<bool> {
        self.white();
        match self.bytes.get(self.pos) {
            Some(b',') => {
                self.pos += 1;
                Ok(true)
            }
            Some(&b) if b == close => {
                self.pos += 1;
                Ok(false)
            }
            _ => Err(self.expected(if close == b'}' { "`,` or `}`" } else { "`,` or `]`" })),
        }
    }

    /// If the next key is spelled like this, steps over it and its colon and returns `true`.
    #[inline]
    pub(crate) fn key_is(&mut self, raw: &[u8]) -> Result<bool> {
        self.white();
        let from = self.pos + 1;
        let Some(rest) = self.bytes.get(from..) else { return Ok(false) };
        if self.bytes.get(self.pos) != Some(&b'"')
            || rest.get(raw.len()) != Some(&b'"')
            || !same(rest, raw)
        {
            return Ok(false);
        }
        self.pos = from + raw.len() + 1;
        self.colon()?;
        Ok(true)
    }

    /// The next key, as it is spelled between its quotes; steps over it and its colon.
    pub(crate) fn key(&mut self) -> Result<&'a str> {
        let Span { from, to, .. } = self.key_span()?;
        Ok(self.slice(from, to))
    }

    /// The next key; steps over it and its colon.
    #[inline]
    fn key_span(&mut self) -> Result<Span> {
        self.white();
        if self.bytes.get(self.pos) != Some(&b'"') {
            return Err(self.expected("a key in double quotes"));
        }
        let span = self.string_span()?;
        self.colon()?;
        Ok(span)
    }

    /// The string that [`Self::peek`] has seen, unescaped.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>> {
        let Span { from, to, escaped } = self.string_span()?;
        let raw = self.slice(from, to);
        Ok(if escaped { Cow::Owned(unescape(raw)) } else { Cow::Borrowed(raw) })
    }

    /// The number that [`Self::peek`] has seen, as it is spelled.
    #[inline]
    pub(crate) fn number(&mut self) -> Result<&'a str> {
        let from = self.pos;
        if self.bytes.get(self.pos) == Some(&b'-') {
            self.pos += 1;
        }
        match self.bytes.get(self.pos) {
            Some(b'0') => self.pos += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.expected("a digit")),
        }
        if self.bytes.get(self.pos) == Some(&b'.') {
            self.pos += 1;
            self.some_digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.pos) {
            self.pos += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.pos) {
                self.pos += 1;
            }
            self.some_digits()?;
        }
        if let Some(b'0'..=b'9' | b'.' | b'a'..=b'z' | b'A'..=b'Z' | b'_') =
            self.bytes.get(self.pos)
        {
            return Err(self.expected("the end of the number"));
        }
        Ok(self.slice(from, self.pos))
    }

    /// The `true` or `false` that [`Self::peek`] has seen.
    pub(crate) fn bool(&mut self) -> Result<bool> {
        if self.bytes.get(self.pos) == Some(&b't') {
            self.word("true")?;
            Ok(true)
        } else {
            self.word("false")?;
            Ok(false)
        }
    }

    /// The `null` that [`Self::peek`] has seen.
    pub(crate) fn null(&mut self) -> Result<()> {
        self.word("null")
    }

    /// Steps over any value and checks it. Returns its text.
    pub(crate) fn skip(&mut self) -> Result<&'a str> {
        self.white();
        let from = self.pos;
        self.visit(&mut Skip::default())?;
        Ok(self.slice(from, self.pos))
    }

    /// Steps over any value, and hands its parts to the visitor.
    #[inline]
    pub(super) fn visit<V: Visit>(&mut self, visitor: &mut V) -> Result<()> {
        loop {
            let peek = self.peek()?;
            let from = self.pos;
            match peek {
                Peek::Object | Peek::Array => {
                    let container =
                        if peek == Peek::Object { Container::Object } else { Container::Array };
                    if self.enter() {
                        let opened = visitor.open(from, container);
                        opened.map_err(|TooDeep(limit)| self.deeper_than(limit))?;
                        self.visit_key(container, visitor)?;
                        continue;
                    }
                    let empty = visitor.empty(from, self.pos - 1);
                    empty.map_err(|TooDeep(limit)| self.deeper_than(limit))?;
                }
                Peek::String => visitor.string(self.string_span()?)?,
                Peek::Number => {
                    self.number()?;
                    visitor.number(from, self.pos)?;
                }
                Peek::Bool => {
                    self.bool()?;
                    visitor.word(from, self.pos);
                }
                Peek::Null => {
                    self.null()?;
                    visitor.word(from, self.pos);
                }
            }
            // A value has ended, and so have the containers whose last member it is.
            loop {
                let Some(container) = visitor.inside() else { return Ok(()) };
                if self.more(container.closing())? {
                    visitor.comma(self.pos - 1);
                    self.visit_key(container, visitor)?;
                    break;
                }
                visitor.close(self.pos - 1);
            }
        }
    }

    /// Steps over the key of the next member, if its container is an object.
    #[inline]
    fn visit_key<V: Visit>(&mut self, container: Container, visitor: &mut V) -> Result<()> {
        match container {
            Container::Array => Ok(()),
            Container::Object => {
                let key = self.key_span()?;
                visitor.key(key, self.pos - 1)
            }
        }
    }

    /// The fault of a text that lacks `what` at the position.
    #[cold]
    pub(crate) fn expected(&self, what: &str) -> Fault {
        let found = match self.text.get(self.pos..).and_then(|rest| rest.chars().next()) {
            None => "the end of the text".to_owned(),
            Some(c) => format!("{c:?}"),
        };
        let (line, column) = self.line_column();
        Fault::data(format_args!(
            "not JSON: expected {what}, found {found} at line {line} column {column} (byte {})",
            self.pos
        ))
    }

    /// The fault of a text that is nested too deep.
    #[cold]
    pub(crate) fn too_deep(&self) -> Fault {
        self.deeper_than(MAX_DEPTH as usize)
    }

    #[cold]
    fn deeper_than(&self, limit: usize) -> Fault {
        let (line, column) = self.line_column();
        Fault::data(format_args!(
            "expected at most {limit} levels of nesting, found more at line {line} column {column}"
        ))
    }

    #[cold]
    fn line_column(&self) -> (u64, usize) {
        let (line, column) = line_column(self.text, self.pos);
        (line as u64 + self.first_line - 1, column)
    }

    #[inline]
    fn white(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.pos) {
            self.pos += 1;
        }
    }

    #[inline]
    fn colon(&mut self) -> Result<()> {
        self.white();
        if self.bytes.get(self.pos) != Some(&b':') {
            return Err(self.expected("`:`"));
        }
        self.pos += 1;
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<()> {
        for &b in word.as_bytes() {
            if self.bytes.get(self.pos) != Some(&b) {
                return Err(self.expected(word));
            }
            self.pos += 1;
        }
        Ok(())
    }

    #[inline]
    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.bytes.get(self.pos) {
            self.pos += 1;
        }
    }

    fn some_digits(&mut self) -> Result<()> {
        let from = self.pos;
        self.digits();
        if self.pos == from { Err(self.expected("a digit")) } else { Ok(()) }
    }

    /// Steps over the string at the position, and checks it.
    #[inline]
    fn string_span(&mut self) -> Result<Span> {
        let from = self.pos + 1;
        let mut at = from;
        let mut escaped = false;
        loop {
            at = plain_end(self.bytes, at);
            match self.bytes.get(at) {
                Some(b'"') => {
                    self.pos = at + 1;
                    return Ok(Span { from, to: at, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    at = self.escape(at)?;
                }
                Some(0..0x20) => {
                    self.pos = at;
                    return Err(self.expected("no control character in a string"));
                }
                Some(_) => at += 1,
                None => {
                    self.pos = at;
                    return Err(self.expected("the end of the string"));
                }
            }
        }
    }

    /// Checks the escape at a position. Returns the position behind it.
    fn escape(&mut self, at: usize) -> Result<usize> {
        match self.bytes.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u')
                if self
                    .bytes
                    .get(at + 2..at + 6)
                    .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) =>
            {
                Ok(at + 6)
            }
            _ => {
                self.pos = at + 1;
                Err(self.expected("an escape"))
            }
        }
    }
}

/// The characters of a JSON string, given with its quotes.
///
/// # Errors
/// A data fault if the text is not one JSON string, or has half a surrogate pair.
pub(crate) fn string_content(raw: &str) -> Result<Cow<'_, str>> {
    let mut reader = Reader::of_value(raw);
    if !raw.starts_with('"') {
        return Err(reader.expected("a string"));
    }
    let content = reader.string()?;
    if reader.position() < raw.len() {
        return Err(reader.expected("the end of the text"));
    }
    if let Cow::Owned(_) = content
        && Parts(raw).any(|part| part == StringPart::HalfPair)
    {
        return Err(half_pair(raw));
    }
    Ok(content)
}

/// Returns `true` if `text` begins with `key`. Inline and by words: both are short, and a call of memcmp
/// costs more than the comparison, in WebAssembly above all.
#[inline]
fn same(text: &[u8], key: &[u8]) -> bool {
    let (mut text, mut key) = (text, key);
    while let (Some((a, text_rest)), Some((b, key_rest))) =
        (text.split_first_chunk::<8>(), key.split_first_chunk::<8>())
    {
        if u64::from_le_bytes(*a) != u64::from_le_bytes(*b) {
            return false;
        }
        (text, key) = (text_rest, key_rest);
    }
    text.len() >= key.len() && text.iter().zip(key).all(|(a, b)| a == b)
}

/// The position of the next quote, backslash or control character from a position on, or of one of the last eight
/// bytes before it.
#[inline]
pub(super) fn plain_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let special = special(u64::from_le_bytes(*word));
        if special != 0 {
            return at + (special.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at
}

/// The high bit of each byte that ends a run of plain characters: a quote, a backslash, a control
/// character. (Carries between bytes can only flag bytes behind the first flagged one.)
#[inline]
fn special(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let zero = |x: u64| x.wrapping_sub(ONES) & !x & HIGH;
    zero(word ^ (ONES * b'"' as u64))
        | zero(word ^ (ONES * b'\\' as u64))
        | (word.wrapping_sub(ONES * 0x20) & !word & HIGH)
}

/// Line and column (in characters, from 1) of a byte position.
pub(crate) fn line_column(text: &str, pos: usize) -> (usize, usize) {
    let before = text.get(..pos).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
    (line, before.get(line_start..).unwrap_or_default().chars().count() + 1)
}
