//! JSON values printed anew: one engine, and a [`Style`] for each text that a value is needed as.
//!
//! Every style omits white space and unneeded escapes, and prints each key of an object once: the
//! last value counts, in the place of the first, as in every JSON parser of Python. (Snowflake's PARSE_JSON
//! rejects an object that has a key twice.) Text that is in its style already is borrowed, not copied.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use indexmap::IndexMap;

use super::strings::{Parts, StringPart, half_pair};
use super::visit::{Container, Span, TooDeep, Visit};
use super::{Reader, unescape};
use crate::fault::Result;

/// How a value is printed.
pub(crate) struct Style {
    /// How half a surrogate pair is printed.
    pub(crate) half_pairs: HalfPairs,
    /// The most levels of nesting.
    pub(crate) max_depth: Option<usize>,
    /// How a number is printed, from its spelling. `None`: as it is spelled.
    pub(crate) number: Option<PrintNumber>,
    /// Whether the keys of each object are in the order of their code points.
    pub(crate) sorted: bool,
}

/// Returns the text of a number, from its spelling.
pub(crate) type PrintNumber = fn(&str) -> Result<Cow<'_, str>>;

/// What becomes of half a surrogate pair, which is not a character.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum HalfPairs {
    /// It is a data fault.
    Refuse,
    /// It becomes U+FFFD.
    Replace,
}

/// The value as it is, without what [`print`] always omits.
const COMPACT: Style =
    Style { half_pairs: HalfPairs::Replace, max_depth: None, number: None, sorted: false };

/// The value without white space, unneeded escapes and repeated keys. Numbers keep their digits; half a
/// surrogate pair becomes U+FFFD.
///
/// # Errors
/// A data fault if the text is not one JSON value.
pub(crate) fn compact(raw: &str) -> Result<Cow<'_, str>> {
    print(raw, &COMPACT)
}

/// The value in a style.
///
/// # Errors
/// A data fault if the text is not one JSON value, or has something that the style rejects.
pub(crate) fn print<'a>(raw: &'a str, style: &Style) -> Result<Cow<'a, str>> {
    let mut reader = Reader::of_value(raw);
    let mut printer = Printer {
        style,
        out: Output { source: raw, copied: 0, owned: None },
        levels: Vec::new(),
        members: Vec::new(),
    };
    reader.visit(&mut printer)?;
    if !reader.at_end() {
        return Err(reader.expected("the end of the text"));
    }
    Ok(printer.out.finish())
}

/// Appends a JSON string with this content.
pub(crate) fn push_string(out: &mut String, content: &str) {
    out.push('"');
    let mut plain = 0;
    for (at, byte) in content.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        // All of these are ASCII, so both cuts are between characters.
        out.push_str(content.get(plain..at).unwrap_or_default());
        plain = at + 1;
        push_escape(out, byte);
    }
    out.push_str(content.get(plain..).unwrap_or_default());
    out.push('"');
}

/// Appends the shortest escape of a quote, a backslash or a control character.
fn push_escape(out: &mut String, byte: u8) {
    let letter = match byte {
        b'"' | b'\\' => char::from(byte),
        0x08 => 'b',
        b'\t' => 't',
        b'\n' => 'n',
        0x0c => 'f',
        b'\r' => 'r',
        _ => {
            out.push_str("\\u00");
            out.extend(
                [byte >> 4, byte & 15]
                    .map(|nibble| char::from_digit(u32::from(nibble), 16).unwrap_or('0')),
            );
            return;
        }
    };
    out.push('\\');
    out.push(letter);
}

/// A text that is the beginning of another one for as long as possible.
struct Output<'a> {
    source: &'a str,
    /// What is printed is the source up to here, while it is not `owned`.
    copied: usize,
    owned: Option<String>,
}

impl<'a> Output<'a> {
    /// Appends a part of the source.
    #[inline]
    fn copy(&mut self, from: usize, to: usize) {
        if self.owned.is_none() && from == self.copied {
            self.copied = to;
            return;
        }
        let part = self.source.get(from..to).unwrap_or_default();
        self.owned().push_str(part);
    }

    /// The text, to append to it, or to change its end.
    fn owned(&mut self) -> &mut String {
        let (source, copied) = (self.source, self.copied);
        self.owned.get_or_insert_with(|| {
            let mut owned = String::with_capacity(source.len());
            owned.push_str(source.get(..copied).unwrap_or_default());
            owned
        })
    }

    fn text(&self) -> &str {
        match &self.owned {
            Some(text) => text,
            None => self.source.get(..self.copied).unwrap_or_default(),
        }
    }

    fn len(&self) -> usize {
        self.owned.as_ref().map_or(self.copied, String::len)
    }

    fn finish(self) -> Cow<'a, str> {
        match self.owned {
            Some(text) => Cow::Owned(text),
            None => Cow::Borrowed(self.source.get(..self.copied).unwrap_or_default()),
        }
    }
}

/// Prints a value while a reader visits it.
struct Printer<'a, 's> {
    style: &'s Style,
    out: Output<'a>,
    /// The containers around the position.
    levels: Vec<Level>,
    /// The members that are printed of the objects among them.
    members: Vec<Range<usize>>,
}

/// A container that is printed.
struct Level {
    container: Container,
    /// Where its first member begins in the text.
    start: usize,
    /// How many members the objects around it have.
    members: usize,
}

impl Visit for Printer<'_, '_> {
    #[inline]
    fn open(&mut self, at: usize, container: Container) -> Result<(), TooDeep> {
        self.check_depth()?;
        self.out.copy(at, at + 1);
        let (start, members) = (self.out.len(), self.members.len());
        self.levels.push(Level { container, start, members });
        Ok(())
    }

    #[inline]
    fn empty(&mut self, open: usize, close: usize) -> Result<(), TooDeep> {
        self.check_depth()?;
        self.out.copy(open, open + 1);
        self.out.copy(close, close + 1);
        Ok(())
    }

    #[inline]
    fn key(&mut self, key: Span, colon: usize) -> Result<()> {
        let start = self.out.len() + 1;
        self.string(key)?;
        self.members.push(start..self.out.len() - 1);
        self.out.copy(colon, colon + 1);
        Ok(())
    }

    #[inline]
    fn string(&mut self, span: Span) -> Result<()> {
        let raw = self.out.source.get(span.from..span.to).unwrap_or_default();
        if !span.escaped || (self.out.owned.is_none() && has_short_escapes(raw)) {
            self.out.copy(span.from - 1, span.to + 1);
            return Ok(());
        }
        let half_pairs = self.style.half_pairs;
        let out = self.out.owned();
        out.push('"');
        for part in Parts(raw) {
            match part {
                StringPart::Plain(text) => out.push_str(text),
                StringPart::Escape(c @ ('\0'..='\u{1f}' | '"' | '\\')) => push_escape(out, c as u8),
                StringPart::Escape(character) => out.push(character),
                StringPart::HalfPair if half_pairs == HalfPairs::Replace => {
                    out.push(char::REPLACEMENT_CHARACTER);
                }
                StringPart::HalfPair => return Err(half_pair(raw)),
            }
        }
        out.push('"');
        Ok(())
    }

    #[inline]
    fn number(&mut self, from: usize, to: usize) -> Result<()> {
        if let Some(number) = self.style.number
            && let Some(raw) = self.out.source.get(from..to)
            && let printed = number(raw)?
            && printed != raw
        {
            self.out.owned().push_str(&printed);
            return Ok(());
        }
        self.out.copy(from, to);
        Ok(())
    }

    #[inline]
    fn word(&mut self, from: usize, to: usize) {
        self.out.copy(from, to);
    }

    #[inline]
    fn comma(&mut self, at: usize) {
        self.out.copy(at, at + 1);
    }

    #[inline]
    fn close(&mut self, at: usize) {
        if let Some(level) = self.levels.pop() {
            self.settle_members(&level);
            self.members.truncate(level.members);
        }
        self.out.copy(at, at + 1);
    }

    #[inline]
    fn inside(&self) -> Option<Container> {
        self.levels.last().map(|level| level.container)
    }
}

impl Printer<'_, '_> {
    fn check_depth(&self) -> Result<(), TooDeep> {
        match self.style.max_depth {
            Some(limit) if self.levels.len() >= limit => Err(TooDeep(limit)),
            _ => Ok(()),
        }
    }

    /// Puts the members of the container that ends into their order, each key once.
    #[inline]
    fn settle_members(&mut self, level: &Level) {
        let members = self.members.get(level.members..).unwrap_or_default();
        let text = self.out.text();
        let settled = match self.style.sorted {
            true => members.is_sorted_by(|a, b| order(key(text, a), key(text, b)).is_lt()),
            false => !has_repeats(text, members),
        };
        if !settled {
            let object = settle(text, members, self.style.sorted);
            let out = self.out.owned();
            out.truncate(level.start);
            out.push_str(&object);
        }
    }
}

/// The key of a member, as it is printed.
#[inline]
fn key<'t>(text: &'t str, member: &Range<usize>) -> &'t str {
    text.get(member.clone()).unwrap_or_default()
}

/// The order of two keys by their code points.
#[inline]
fn order(one: &str, other: &str) -> Ordering {
    match one.contains('\\') || other.contains('\\') {
        true => unescape(one).cmp(&unescape(other)),
        false => one.cmp(other),
    }
}

/// Whether two of the members have one key.
#[inline]
fn has_repeats(text: &str, members: &[Range<usize>]) -> bool {
    if members.len() > 16 {
        let mut keys: Vec<_> = members.iter().map(|member| key(text, member)).collect();
        keys.sort_unstable();
        return keys.windows(2).any(|pair| matches!(pair, [a, b] if a == b));
    }
    let mut rest = members;
    while let Some((member, others)) = rest.split_first() {
        let is_same = |other: &Range<usize>| {
            other.len() == member.len() && key(text, other) == key(text, member)
        };
        if others.iter().any(is_same) {
            return true;
        }
        rest = others;
    }
    false
}

/// The members of the object at the end of a text, each key once.
#[cold]
fn settle(text: &str, members: &[Range<usize>], sorted: bool) -> String {
    // The comma and the quote before the next key are of neither member.
    let ends = members.iter().skip(1).map(|next| next.start.saturating_sub(2)).chain([text.len()]);
    let mut unique: IndexMap<&str, &str> = IndexMap::with_capacity(members.len());
    for (member, end) in members.iter().zip(ends) {
        unique.insert(key(text, member), text.get(member.end..end).unwrap_or_default());
    }
    if sorted {
        unique.sort_by(|one, _, other, _| order(one, other));
    }
    let mut object = String::with_capacity(text.len() - members.first().map_or(0, |m| m.start) + 1);
    for (n, (key, value)) in unique.iter().enumerate() {
        object.push_str(if n == 0 { "\"" } else { ",\"" });
        object.push_str(key);
        object.push_str(value);
    }
    object
}

/// Whether a string has no escape but the short ones that are needed.
fn has_short_escapes(raw: &str) -> bool {
    let mut rest = raw.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        if !matches!(rest.get(at + 1), Some(b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't')) {
            return false;
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    true
}

#[cfg(test)]
mod tests;
