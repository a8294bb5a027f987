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

/// The same value with each object's repeated keys removed: the last one counts, in the place of
/// the first, as every JSON parser of Python has it.
pub fn without_repeats(json: &str) -> Result<String> {
    let mut out = String::with_capacity(json.len());
    copy_without_repeats(&mut Reader::new(json), &mut out, 0)?;
    Ok(out)
}

/// Whether some object in the value has a key twice.
pub fn has_repeats(json: &str) -> Result<bool> {
    let mut reader = Reader::new(json);
    let mut open: Vec<Option<Vec<&str>>> = Vec::new();
    loop {
        let peek = reader.peek()?;
        if matches!(peek, Peek::Object | Peek::Array) {
            if reader.enter() {
                open.push((peek == Peek::Object).then(Vec::new));
                if let Some(Some(keys)) = open.last_mut() {
                    keys.push(reader.key()?);
                }
                continue;
            }
        } else {
            reader.skip()?;
        }
        loop {
            let Some(innermost) = open.last_mut() else { return Ok(false) };
            let close = if innermost.is_some() { b'}' } else { b']' };
            if reader.more(close)? {
                if let Some(keys) = innermost {
                    keys.push(reader.key()?);
                }
                break;
            }
            if let Some(Some(mut keys)) = open.pop() {
                // Two spellings of one key are rare, and harmless: the slow path unescapes.
                keys.sort_unstable();
                if keys.windows(2).any(|pair| pair.first() == pair.last())
                    || keys.iter().any(|key| key.contains('\\'))
                {
                    return Ok(true);
                }
            }
        }
    }
}

fn copy_without_repeats(reader: &mut Reader<'_>, out: &mut String, depth: u32) -> Result<()> {
    if depth >= MAX_DEPTH {
        return Err(reader.too_deep());
    }
    match reader.peek()? {
        Peek::Object => {
            let mut members: indexmap::IndexMap<String, (&str, String)> = indexmap::IndexMap::new();
            let mut more = reader.enter();
            while more {
                let key = reader.key()?;
                let mut value = String::new();
                copy_without_repeats(reader, &mut value, depth + 1)?;
                members.insert(unescape(key), (key, value));
                more = reader.more(b'}')?;
            }
            out.push('{');
            for (i, (key, value)) in members.values().enumerate() {
                out.push_str(if i == 0 { "\"" } else { ",\"" });
                out.push_str(key);
                out.push_str("\":");
                out.push_str(value);
            }
            out.push('}');
        }
        Peek::Array => {
            out.push('[');
            let mut more = reader.enter();
            while more {
                copy_without_repeats(reader, out, depth + 1)?;
                more = reader.more(b']')?;
                if more {
                    out.push(',');
                }
            }
            out.push(']');
        }
        _ => out.push_str(reader.skip()?),
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a whole text as values, re-printing strings, so that a difference shows.
    fn values(text: &str) -> Result<Vec<String>> {
        let mut reader = Reader::new(text);
        let mut out = Vec::new();
        while !reader.at_end() {
            out.push(match reader.peek()? {
                Peek::String => format!("{:?}", reader.string()?),
                _ => reader.skip()?.to_owned(),
            });
        }
        Ok(out)
    }

    #[test]
    fn accepts_what_is_json() {
        for text in [
            "null",
            " [ ] ",
            "{}",
            "[1,2.5,-0,1e9,-1.5E-3]",
            r#"{"a":{"b":[{},[]]},"c":"\"\\\u00e9"}"#,
            "[true,false,null]",
            "\"\"",
            "123456789012345678901234567890.12345",
        ] {
            assert_eq!(values(text).map(|v| v.len()), Ok(1), "{text}");
            serde_json::from_str::<serde_json::Value>(text).unwrap();
        }
    }

    #[test]
    fn refuses_what_is_not() {
        for (text, message) in [
            ("[1,2", "expected `,` or `]`, found the end of the text at line 1 column 5 (byte 4)"),
            ("{\"a\" 1}", "expected `:`, found '1' at line 1 column 6 (byte 5)"),
            ("[01]", "expected the end of the number, found '1' at line 1 column 3 (byte 2)"),
            ("[1.]", "expected a digit, found ']' at line 1 column 4 (byte 3)"),
            (
                "\"a\nb\"",
                "expected no control character in a string, found '\\n' at line 1 column 3 (byte 2)",
            ),
            ("\"\\x\"", "expected an escape, found 'x' at line 1 column 3 (byte 2)"),
            (
                "\"abc",
                "expected the end of the string, found the end of the text at line 1 column 5 (byte 4)",
            ),
            ("{a:1}", "expected a key in double quotes, found 'a' at line 1 column 2 (byte 1)"),
            ("[1,\n nul]", "expected null, found ']' at line 2 column 5 (byte 8)"),
            ("[NaN]", "expected a value, found 'N' at line 1 column 2 (byte 1)"),
            ("{\"é\":<html>", "expected a value, found '<' at line 1 column 6 (byte 6)"),
        ] {
            let fault = values(text).unwrap_err();
            assert_eq!(fault.message, format!("not JSON: {message}"), "{text}");
            serde_json::from_str::<serde_json::Value>(text).unwrap_err();
        }
    }

    #[test]
    fn strings_of_every_length_and_alignment() {
        for before in 0..20 {
            for after in 0..20 {
                for middle in ["", "\\n", "\\\"", "é", "\\u0041", "\\ud83d\\ude00", "\\ud800x"] {
                    let raw = format!("\"{}{middle}{}\"", "x".repeat(before), "y".repeat(after));
                    let expect = match serde_json::from_str::<String>(&raw) {
                        Ok(text) => text,
                        Err(_) => format!("{}\u{fffd}x{}", "x".repeat(before), "y".repeat(after)),
                    };
                    let mut reader = Reader::new(&raw);
                    reader.peek().unwrap();
                    assert_eq!(reader.string().unwrap(), expect);
                    assert!(reader.at_end());
                }
            }
        }
    }

    #[test]
    fn depth_is_limited() {
        let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(Reader::new(&deep(MAX_DEPTH as usize)).skip().is_ok());
        let fault = Reader::new(&deep(100_000)).skip().unwrap_err();
        assert!(fault.message.contains("256 levels"), "{fault}");
    }

    #[test]
    fn the_last_of_repeated_keys_counts() {
        for (text, expect) in [
            (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
            (
                r#"[{"a":{"x":1},"\u0061":{"y":[{"z":1,"z":2}]}}]"#,
                r#"[{"\u0061":{"y":[{"z":2}]}}]"#,
            ),
        ] {
            assert_eq!(without_repeats(text).unwrap(), expect);
        }
    }

    #[test]
    fn values_follow_one_another() {
        assert_eq!(values("{\"a\":1}\n\n[2] \"x\"").unwrap(), ["{\"a\":1}", "[2]", "\"x\""]);
    }
}
