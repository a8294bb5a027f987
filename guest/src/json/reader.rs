//! Reading JSON once, without building a tree: a cursor over the text of a page.
//!
//! RFC 8259, strictly, with two leniencies a loader wants: values may follow one another separated
//! by white space (NDJSON), and a lone surrogate escape becomes U+FFFD. Numbers are handed out as
//! the text they are, so that no digit is lost. The text is UTF-8 already (it crossed the interface as
//! a string), so the reader looks at bytes and slices at ASCII characters only.

use std::borrow::Cow;

use crate::fault::{Fault, Result};

/// Containers deeper than this are refused: the walk is recursive and a component's stack is small.
pub const MAX_DEPTH: u32 = 256;

/// What the next value is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Peek {
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
pub struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    pos: usize,
    /// The line that the text begins on, for faults.
    first_line: u64,
}

impl<'a> Reader<'a> {
    /// At the beginning of the text.
    pub fn new(text: &'a str) -> Self {
        Self::from_line(text, 1)
    }

    /// At the beginning of a text that begins on a line of a file.
    pub fn from_line(text: &'a str, first_line: u64) -> Self {
        let mut reader = Self { text, bytes: text.as_bytes(), pos: 0, first_line };
        if text.starts_with('\u{feff}') {
            reader.pos = 3;
        }
        reader
    }

    /// Bytes from the beginning of the text.
    pub fn position(&self) -> usize {
        self.pos
    }

    /// Goes to a position that this reader, or one of the same text, has had.
    pub fn seek(&mut self, position: usize) {
        self.pos = position;
    }

    /// The text between two positions, which must lie at the borders of values.
    pub fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// Whether nothing but white space is left.
    #[inline]
    pub fn at_end(&mut self) -> bool {
        self.white();
        self.pos >= self.bytes.len()
    }

    /// What comes next; the position is at its first byte then.
    #[inline]
    pub fn peek(&mut self) -> Result<Peek> {
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

    /// Steps over `{` or `[`, which [`Self::peek`] has seen. Says whether the container has members.
    #[inline]
    pub fn enter(&mut self) -> bool {
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

    /// After a member: steps over `,` (true) or over the closing bracket (false).
    #[inline]
    pub fn more(&mut self, close: u8) -> Result<bool> {
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

    /// If the next key is spelled like this, steps over it and its colon.
    #[inline]
    pub fn key_is(&mut self, raw: &[u8]) -> Result<bool> {
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
    pub fn key(&mut self) -> Result<&'a str> {
        self.white();
        if self.bytes.get(self.pos) != Some(&b'"') {
            return Err(self.expected("a key in double quotes"));
        }
        let (from, to, _) = self.string_span()?;
        self.colon()?;
        Ok(self.slice(from, to))
    }

    /// The string that [`Self::peek`] has seen, unescaped.
    #[inline]
    pub fn string(&mut self) -> Result<Cow<'a, str>> {
        let (from, to, escaped) = self.string_span()?;
        let raw = self.slice(from, to);
        Ok(if escaped { Cow::Owned(unescape(raw)) } else { Cow::Borrowed(raw) })
    }

    /// The number that [`Self::peek`] has seen, as it is spelled.
    #[inline]
    pub fn number(&mut self) -> Result<&'a str> {
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
    pub fn bool(&mut self) -> Result<bool> {
        if self.bytes.get(self.pos) == Some(&b't') {
            self.word("true")?;
            Ok(true)
        } else {
            self.word("false")?;
            Ok(false)
        }
    }

    /// The `null` that [`Self::peek`] has seen.
    pub fn null(&mut self) -> Result<()> {
        self.word("null")
    }

    /// Any value, checked but not read: its text.
    pub fn skip(&mut self) -> Result<&'a str> {
        self.white();
        let from = self.pos;
        // One bit a level: set for an object. MAX_DEPTH of them.
        let mut stack = [0u64; (MAX_DEPTH as usize).div_ceil(64)];
        let mut depth = 0u32;
        loop {
            let peek = self.peek()?;
            match peek {
                Peek::Object | Peek::Array => {
                    let object = peek == Peek::Object;
                    if self.enter() {
                        if depth >= MAX_DEPTH {
                            return Err(self.too_deep());
                        }
                        set_bit(&mut stack, depth, object);
                        depth += 1;
                        if object {
                            self.key()?;
                        }
                        continue;
                    }
                }
                Peek::String => drop(self.string_span()?),
                Peek::Number => drop(self.number()?),
                Peek::Bool => drop(self.bool()?),
                Peek::Null => self.null()?,
            }
            // A value ended: close what ends with it.
            loop {
                if depth == 0 {
                    return Ok(self.slice(from, self.pos));
                }
                let object = bit(&stack, depth - 1);
                if self.more(if object { b'}' } else { b']' })? {
                    if object {
                        self.key()?;
                    }
                    break;
                }
                depth -= 1;
            }
        }
    }

    /// The fault of a text that goes on differently than JSON must.
    #[cold]
    pub fn expected(&self, what: &str) -> Fault {
        let found = match self.text.get(self.pos..).and_then(|rest| rest.chars().next()) {
            None => "the end of the text".to_owned(),
            Some(c) => format!("{c:?}"),
        };
        let (line, column) = self.place();
        Fault::data(format_args!(
            "not JSON: expected {what}, found {found} at line {line} column {column} (byte {})",
            self.pos
        ))
    }

    /// The fault of a text nested too deep.
    #[cold]
    pub fn too_deep(&self) -> Fault {
        let (line, column) = self.place();
        Fault::data(format_args!(
            "expected at most {MAX_DEPTH} levels of nesting, found more at line {line} column {column}"
        ))
    }

    #[cold]
    fn place(&self) -> (u64, usize) {
        let (line, column) = place(self.text, self.pos);
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

    /// Steps over the string at the position: where its characters begin and end, and whether it
    /// holds escapes.
    #[inline]
    fn string_span(&mut self) -> Result<(usize, usize, bool)> {
        let from = self.pos + 1;
        let mut at = from;
        let mut escaped = false;
        loop {
            // Eight bytes at a time while none of them is special.
            while let Some(word) = self.bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
                let special = special(u64::from_le_bytes(*word));
                if special != 0 {
                    at += (special.trailing_zeros() / 8) as usize;
                    break;
                }
                at += 8;
            }
            match self.bytes.get(at) {
                Some(b'"') => {
                    self.pos = at + 1;
                    return Ok((from, at, escaped));
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

    /// Checks the escape at the position; gives the position behind it.
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

/// The characters of a string as it is spelled between its quotes (checked before).
pub fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        let mut chars = escape.chars();
        match chars.next() {
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('u') => {
                let (c, behind) = unicode(chars.as_str());
                out.push(c);
                rest = behind;
                continue;
            }
            Some(c) => out.push(c),
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out
}

/// The character of `XXXX` (and of a second escape, when the two are surrogates), and what follows.
fn unicode(text: &str) -> (char, &str) {
    let unit = |text: &str| text.get(..4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let behind = text.get(4..).unwrap_or_default();
    let Some(first) = unit(text) else { return (char::REPLACEMENT_CHARACTER, behind) };
    if (0xd800..0xdc00).contains(&first)
        && let Some(next) = behind.strip_prefix("\\u")
        && let Some(second @ 0xdc00..0xe000) = unit(next)
        && let Some(c) = char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
    {
        return (c, next.get(4..).unwrap_or_default());
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), behind)
}

/// Whether `text` begins with `key`. Inline and by words, for both are short and a call of memcmp
/// costs more than the comparison, in wasm above all.
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

fn set_bit(words: &mut [u64], at: u32, on: bool) {
    if let Some(word) = words.get_mut(at as usize / 64) {
        let mask = 1 << (at % 64);
        *word = if on { *word | mask } else { *word & !mask };
    }
}

fn bit(words: &[u64], at: u32) -> bool {
    words.get(at as usize / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
}

/// Line and column (in characters, from 1) of a byte position.
pub fn place(text: &str, pos: usize) -> (usize, usize) {
    let before = text.get(..pos).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
    (line, before.get(line_start..).unwrap_or_default().chars().count() + 1)
}
