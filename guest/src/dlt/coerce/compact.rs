//! Compact JSON, as orjson writes it: no white space, no escape that is not needed, and one value
//! for each key. Numbers keep their digits.
//!
//! One value for each key, because Snowflake's PARSE_JSON refuses an object that has a key twice;
//! as in Python the last value counts, in the place of the first.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::dlt::orjson::push_number;

/// The same JSON in its compact form. `json` is valid JSON; of anything else something is made that
/// is no more valid.
pub fn compact(json: &str) -> Cow<'_, str> {
    if is_compact(json) { Cow::Borrowed(json) } else { Cow::Owned(rewrite(json)) }
}

/// Compact JSON with numbers as orjson writes them, for a text shows how they are spelled. Integers
/// beyond 64 bits, which it would make floats of, keep their digits.
pub(super) fn spelled(json: Cow<'_, str>) -> Cow<'_, str> {
    if !json.contains(['.', 'e', 'E']) && !json.contains("-0") {
        return json;
    }
    let mut out = String::with_capacity(json.len());
    let mut rest = json.as_ref();
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'"' | b'-' | b'0'..=b'9')) {
        let (before, token) = rest.split_at(at);
        let end = match token.starts_with('"') {
            true => string_end(token.as_bytes(), 0),
            false => token.find(['}', ']', ',']).unwrap_or(token.len()),
        };
        let (token, behind) = token.split_at_checked(end).unwrap_or((token, ""));
        out.push_str(before);
        let is_float = token.contains(['.', 'e', 'E']) || token == "-0";
        // What is no float at all (1e999) stays as it is.
        if token.starts_with('"') || !is_float || push_number(&mut out, token).is_err() {
            out.push_str(token);
        }
        rest = behind;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Whether orjson reads this JSON, whose compact form is given too: it does not know half a surrogate pair,
/// nor a number too large for a float.
pub(super) fn is_readable(text: &str, json: &str) -> bool {
    !has_half_pair(text) && has_finite_numbers(json)
}

fn has_finite_numbers(json: &str) -> bool {
    let mut rest = json;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'"' | b'-' | b'0'..=b'9')) {
        let (_, token) = rest.split_at(at);
        let end = if token.starts_with('"') {
            string_end(token.as_bytes(), 0)
        } else {
            let end = token.find(['}', ']', ',']).unwrap_or(token.len());
            let number = token.get(..end).unwrap_or_default().parse();
            if number.is_ok_and(f64::is_infinite) {
                return false;
            }
            end
        };
        rest = token.get(end..).unwrap_or_default();
    }
    true
}

/// An object or an array that is being read.
struct Level {
    /// Where it begins.
    start: usize,
    /// How many members there were before it, in the objects around it.
    members: usize,
    is_object: bool,
}

/// A member of an object that is being read.
#[derive(Clone)]
struct Member {
    /// Where its key is, with the quotes.
    key: Range<usize>,
}

/// Whether nothing is to be done.
fn is_compact(json: &str) -> bool {
    let bytes = json.as_bytes();
    let mut levels: Vec<Level> = Vec::new();
    let mut members: Vec<Member> = Vec::new();
    let mut key_follows = false;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let end = string_end(bytes, at);
                let string = bytes.get(at..end).unwrap_or_default();
                let is_key = std::mem::take(&mut key_follows);
                if string.contains(&b'\\') && (is_key || !is_plain(string)) {
                    return false;
                }
                if is_key {
                    members.push(Member { key: at..end });
                }
                at = end;
                continue;
            }
            b'{' | b'[' => {
                key_follows = *byte == b'{';
                levels.push(Level { start: at, members: members.len(), is_object: key_follows });
            }
            b'}' | b']' => {
                key_follows = false;
                let first = levels.pop().map_or(0, |level| level.members);
                if has_duplicates(json, members.get(first..).unwrap_or_default()) {
                    return false;
                }
                members.truncate(first);
            }
            b',' => key_follows = levels.last().is_some_and(|level| level.is_object),
            b' ' | b'\t' | b'\n' | b'\r' => return false,
            _ => {}
        }
        at += 1;
    }
    true
}

/// Writes everything anew.
fn rewrite(json: &str) -> String {
    let bytes = json.as_bytes();
    let mut out = String::with_capacity(json.len());
    let mut levels: Vec<Level> = Vec::new();
    let mut members: Vec<Member> = Vec::new();
    let mut key_follows = false;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let start = out.len();
        let mut end = at + 1;
        match byte {
            b'"' => {
                end = string_end(bytes, at);
                push_string(json.get(at..end).unwrap_or_default(), &mut out);
                if std::mem::take(&mut key_follows) {
                    members.push(Member { key: start..out.len() });
                }
            }
            b' ' | b'\t' | b'\n' | b'\r' => {}
            b'{' | b'[' => {
                key_follows = *byte == b'{';
                levels.push(Level { start, members: members.len(), is_object: key_follows });
                out.push(char::from(*byte));
            }
            b'}' | b']' => {
                key_follows = false;
                if let Some(level) = levels.pop() {
                    let own = members.get(level.members..).unwrap_or_default();
                    if has_duplicates(&out, own) {
                        let object = without_duplicates(&out, own);
                        out.truncate(level.start + 1);
                        out.push_str(&object);
                    }
                    members.truncate(level.members);
                }
                out.push(char::from(*byte));
            }
            b',' => {
                key_follows = levels.last().is_some_and(|level| level.is_object);
                out.push(',');
            }
            _ => {
                // Numbers, literals and colons, up to the next byte that means something.
                let rest = bytes.get(end..).unwrap_or_default();
                end += rest.iter().take_while(|byte| !is_special(**byte)).count();
                out.push_str(json.get(at..end).unwrap_or_default());
            }
        }
        at = end;
    }
    out
}

/// Whether a byte outside strings begins, ends or separates something.
fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'{' | b'}' | b'[' | b']' | b',' | b' ' | b'\t' | b'\n' | b'\r')
}

/// Where the string that begins at `start` ends, behind its closing quote.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        match rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
            None => return bytes.len(),
            Some(found) if rest.get(found) == Some(&b'"') => return at + found + 1,
            // What is escaped does not end the string.
            Some(found) => at += found + 2,
        }
    }
}

/// Whether all escapes of a string are those that orjson would write.
fn is_plain(string: &[u8]) -> bool {
    let mut rest = string;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        if !matches!(rest.get(at + 1), Some(b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't')) {
            return false;
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    true
}

/// Whether a string of this JSON has half a surrogate pair.
fn has_half_pair(json: &str) -> bool {
    let mut rest = json;
    while let Some((_, escape)) = rest.split_once('\\') {
        let end = match escape.as_bytes().first() {
            Some(b'u') => match unicode_escape(escape) {
                (_, None) => return true,
                (end, Some(_)) => end,
            },
            _ => 1,
        };
        rest = escape.get(end..).unwrap_or_default();
    }
    false
}

/// Appends a string, quotes included, with the escapes that orjson would write. Half a surrogate
/// pair, which is no character and which a JSON parser may refuse, becomes U+FFFD, as in columns of text.
fn push_string(string: &str, out: &mut String) {
    let mut rest = string;
    while let Some((before, escape)) = rest.split_once('\\') {
        out.push_str(before);
        let mut end = 1;
        match escape.as_bytes().first() {
            Some(b'/') => out.push('/'),
            Some(b'u') => {
                let (len, character) = unicode_escape(escape);
                end = len;
                match character {
                    Some(character) => push_character(character, out),
                    None => out.push(char::REPLACEMENT_CHARACTER),
                }
            }
            Some(_) => {
                out.push('\\');
                out.push_str(escape.get(..end).unwrap_or_default());
            }
            None => out.push('\\'),
        }
        rest = escape.get(end..).unwrap_or_default();
    }
    out.push_str(rest);
}

/// Reads `uXXXX`, or `uXXXX\uXXXX` for a surrogate pair: its length and the character.
fn unicode_escape(escape: &str) -> (usize, Option<char>) {
    let unit = |from: usize| {
        let digits = escape.get(from..from + 4)?;
        digits
            .bytes()
            .all(|b| b.is_ascii_hexdigit())
            .then(|| u32::from_str_radix(digits, 16).ok())?
    };
    let Some(first) = unit(1) else {
        return (1, None);
    };
    if let Some(character) = char::from_u32(first) {
        return (5, Some(character));
    }
    let second = if escape.get(5..7) == Some("\\u") { unit(7) } else { None };
    let pair = second.and_then(|second| {
        char::decode_utf16([first as u16, second as u16]).next().and_then(Result::ok)
    });
    match pair {
        Some(character) => (11, Some(character)),
        None => (5, None),
    }
}

fn push_character(character: char, out: &mut String) {
    match character {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\0'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
        _ => out.push(character),
    }
}

/// Whether two of these members have the same key.
fn has_duplicates(text: &str, members: &[Member]) -> bool {
    let key = |member: &Member| text.get(member.key.clone());
    if members.len() > 16 {
        let mut keys: Vec<_> = members.iter().map(key).collect();
        keys.sort_unstable();
        return keys.windows(2).any(|pair| matches!(pair, [a, b] if a == b));
    }
    let mut rest = members;
    while let Some((member, others)) = rest.split_first() {
        if others
            .iter()
            .any(|other| other.key.len() == member.key.len() && key(other) == key(member))
        {
            return true;
        }
        rest = others;
    }
    false
}

/// The members of the object at the end of `text`, each key once: its last value in the place of
/// its first.
fn without_duplicates(text: &str, members: &[Member]) -> String {
    let ends = members.iter().skip(1).map(|next| next.key.start - 1).chain([text.len()]);
    let mut kept: Vec<(&str, &str)> = Vec::with_capacity(members.len());
    let mut places = BTreeMap::new();
    for (member, end) in members.iter().zip(ends) {
        let key = text.get(member.key.clone()).unwrap_or_default();
        let value = text.get(member.key.end..end).unwrap_or_default();
        match places.get(key).and_then(|place: &usize| kept.get_mut(*place)) {
            Some(first) => first.1 = value,
            None => {
                places.insert(key, kept.len());
                kept.push((key, value));
            }
        }
    }
    kept.iter().map(|(key, value)| format!("{key}{value}")).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let check = |json: &str, expect: &str| {
            let found = compact(json);
            assert_eq!(found, expect, "{json}");
            assert_eq!(matches!(found, Cow::Borrowed(_)), json == expect, "{json}");
            assert_eq!(compact(expect), expect);
        };
        check("{}", "{}");
        check(" [ ] ", "[]");
        check(
            r#"{"a":[1,2.50,-0,1E5,null,true,"é / ·"],"b":{"a":{}}}"#,
            r#"{"a":[1,2.50,-0,1E5,null,true,"é / ·"],"b":{"a":{}}}"#,
        );
        check("{ \"a b\" :\t[ 1 ,\r\n2 ] }", r#"{"a b":[1,2]}"#);
        check(r#"["\u00e9\u0041\ud83d\ude00\/"]"#, r#"["éA😀/"]"#);
        check(
            r#"["\u0008\u0009\u000a\u000c\u000d\u0022\u005c\u0000\u001F\u007f"]"#,
            "[\"\\b\\t\\n\\f\\r\\\"\\\\\\u0000\\u001f\u{7f}\"]",
        );
        check(r#"["\"\\\b\f\n\r\t"]"#, r#"["\"\\\b\f\n\r\t"]"#);
        check(r#"["a\\"," b"]"#, r#"["a\\"," b"]"#);
        check(r#"{"a":1,"b":2,"a":{"x":[3]},"c":4}"#, r#"{"a":{"x":[3]},"b":2,"c":4}"#);
        check(r#"{"a":1,"\u0061":2}"#, r#"{"a":2}"#);
        check(
            r#"{"a":{"b":1,"b":2},"c":[{"d":1,"d":{"e":1,"e":2}}]}"#,
            r#"{"a":{"b":2},"c":[{"d":{"e":2}}]}"#,
        );
        check(r#"{"a":["a","a"],"b":{"a":1}}"#, r#"{"a":["a","a"],"b":{"a":1}}"#);
        check("7", "7");
        check(r#" "x" "#, r#""x""#);
    }

    #[test]
    fn what_orjson_reads() {
        let check = |json: &str, expect| assert_eq!(is_readable(json, json), expect, "{json}");
        check(r#"{"a":[1,-2.5e300,"1e999",{}],"\\ud800":null}"#, true);
        check("1e308", true);
        check("-1e309", false);
        check(r#"[{"a":1e400}]"#, false);
        check(r#"["x",9e999]"#, false);
        check(r#"["\udead"]"#, false);
        check(r#"["\u0000"]"#, true);
    }

    #[test]
    fn half_a_surrogate_pair() {
        let check = |json: &str, expect: &str| {
            assert_eq!(compact(json), expect);
            assert!(!is_readable(json, expect), "{json}");
        };
        check(r#"["\ud800"]"#, "[\"\u{fffd}\"]");
        check(r#"["\ude00x"]"#, "[\"\u{fffd}x\"]");
        check(r#"["\ud800\n"]"#, "[\"\u{fffd}\\n\"]");
        check(r#"["\ud800\u0041"]"#, "[\"\u{fffd}A\"]");
    }

    #[test]
    fn many_keys() {
        let members: Vec<String> = (0..1000).map(|i| format!(r#""k{i}":{i}"#)).collect();
        let json = format!("{{{}}}", members.join(","));
        assert_eq!(compact(&json), json);
        let twice = format!(r#"{{{},"k0":"new"}}"#, members.join(","));
        assert_eq!(compact(&twice), json.replacen(r#""k0":0"#, r#""k0":"new""#, 1));
    }

    /// It only has to end.
    #[test]
    fn what_is_no_json() {
        for text in [
            "",
            "{",
            "}",
            "]",
            "\"",
            "\"\\",
            "\"\\é\"",
            "{\"a\"",
            "[\"\\u12\"]",
            "\"\\uD800\\u\"",
            "é\"é",
            "{,}",
        ] {
            let _ = compact(text);
        }
    }

    #[test]
    fn deep() {
        let json = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(compact(&json), json);
        assert_eq!(compact(&format!("{json} ")), json);
    }
}
