//! Strings as JSON spells them: escapes to characters.

use crate::fault::Fault;

/// A part of a string.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum StringPart<'a> {
    /// The character of an escape.
    Escape(char),
    /// The escape of half a surrogate pair, which is not a character.
    HalfPair,
    /// Characters that are spelled as they are.
    Plain(&'a str),
}

/// The parts of a string that the reader has checked, from what is between its quotes.
pub(super) struct Parts<'a>(pub(super) &'a str);

impl<'a> Iterator for Parts<'a> {
    type Item = StringPart<'a>;

    fn next(&mut self) -> Option<StringPart<'a>> {
        let Some(escape) = self.0.strip_prefix('\\') else {
            let end = self.0.bytes().position(|byte| byte == b'\\').unwrap_or(self.0.len());
            let (plain, rest) = self.0.split_at_checked(end)?;
            self.0 = rest;
            return (!plain.is_empty()).then_some(StringPart::Plain(plain));
        };
        let mut chars = escape.chars();
        let found = chars.next()?;
        self.0 = chars.as_str();
        Some(match found {
            'b' => StringPart::Escape('\u{8}'),
            'f' => StringPart::Escape('\u{c}'),
            'n' => StringPart::Escape('\n'),
            'r' => StringPart::Escape('\r'),
            't' => StringPart::Escape('\t'),
            'u' => {
                let (character, rest) = unicode(self.0);
                self.0 = rest;
                character.map_or(StringPart::HalfPair, StringPart::Escape)
            }
            other => StringPart::Escape(other),
        })
    }
}

/// The character of `XXXX` (of `XXXX\uXXXX` for a surrogate pair) and the text behind it. `None` is half a
/// surrogate pair.
fn unicode(text: &str) -> (Option<char>, &str) {
    let unit = |text: &str| text.get(..4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let behind = text.get(4..).unwrap_or_default();
    let Some(first) = unit(text) else { return (None, behind) };
    if (0xd800..0xdc00).contains(&first)
        && let Some(next) = behind.strip_prefix("\\u")
        && let Some(second @ 0xdc00..0xe000) = unit(next)
    {
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (char::from_u32(code), next.get(4..).unwrap_or_default());
    }
    (char::from_u32(first), behind)
}

/// The characters of a string that the reader has checked, from what is between its quotes. Half a
/// surrogate pair becomes U+FFFD.
pub(crate) fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for part in Parts(raw) {
        match part {
            StringPart::Escape(character) => out.push(character),
            StringPart::HalfPair => out.push(char::REPLACEMENT_CHARACTER),
            StringPart::Plain(text) => out.push_str(text),
        }
    }
    out
}

/// The fault of half a surrogate pair in a string.
#[cold]
pub(super) fn half_pair(raw: &str) -> Fault {
    let start: String = raw.chars().take(60).collect();
    Fault::data(format_args!("expected both halves of each surrogate pair, found {start}"))
}
