//! The removal of escapes, one layer at a time.

use super::ROUNDS;

/// Whitespace after base64 of this length is a line break that was replaced.
const LINE: usize = 40;
/// HTML's names of ASCII characters.
#[rustfmt::skip]
const NAMES: [(&str, char); 37] = [
    ("Tab", '\t'),
    ("NewLine", '\n'),
    ("excl", '!'),
    ("quot", '"'),
    ("num", '#'),
    ("dollar", '$'),
    ("percnt", '%'),
    ("amp", '&'),
    ("apos", '\''),
    ("lpar", '('),
    ("rpar", ')'),
    ("ast", '*'),
    ("plus", '+'),
    ("comma", ','),
    ("period", '.'),
    ("sol", '/'),
    ("colon", ':'),
    ("semi", ';'),
    ("lt", '<'),
    ("equals", '='),
    ("gt", '>'),
    ("quest", '?'),
    ("commat", '@'),
    ("lsqb", '['),
    ("lbrack", '['),
    ("bsol", '\\'),
    ("rsqb", ']'),
    ("rbrack", ']'),
    ("Hat", '^'),
    ("lowbar", '_'),
    ("grave", '`'),
    ("lcub", '{'),
    ("lbrace", '{'),
    ("verbar", '|'),
    ("vert", '|'),
    ("rcub", '}'),
    ("rbrace", '}'),
];

/// Removes the escapes of JSON, Python and C. `None` if there are none.
pub(in crate::http) fn json(text: &str) -> Option<String> {
    replaced(text, '\\', |rest| {
        if rest.starts_with("\\u") {
            return utf_16(rest, "\\u");
        }
        if rest.starts_with("\\x") {
            return bytes(rest, "\\x");
        }
        let c = match rest.as_bytes().get(1)? {
            c @ (b'"' | b'\'' | b'\\' | b'/') => char::from(*c),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            _ => return None,
        };
        Some((c.to_string(), 2))
    })
}

/// Removes HTML's entities: numbers, and the names of ASCII characters.
pub(super) fn html(text: &str) -> Option<String> {
    replaced(text, '&', |rest| {
        let named = |(name, _): &&(&str, char)| {
            rest.get(1..)
                .and_then(|rest| rest.strip_prefix(*name))
                .is_some_and(|rest| rest.starts_with(';'))
        };
        if let Some((name, c)) = NAMES.iter().find(named) {
            return Some((c.to_string(), name.len() + 2));
        }
        let (code, len) = number(rest)?;
        Some((char::from_u32(code)?.to_string(), len))
    })
}

/// Removes percent encoding: of bytes, and of UTF-16 units as in JavaScript's `escape`.
pub(in crate::http) fn percent(text: &str) -> Option<String> {
    replaced(
        text,
        '%',
        |rest| {
            if rest.starts_with("%u") { utf_16(rest, "%u") } else { bytes(rest, "%") }
        },
    )
}

/// Removes whitespace within base64: line breaks, or what replaced them.
pub(super) fn unwrapped(text: &str) -> Option<String> {
    let coded =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    let space = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
    let mut made = String::new();
    // The length of the base64 run since the last whitespace; the output; the position.
    let (mut run, mut done, mut at) = (0, 0, 0);
    while let Some(&byte) = text.as_bytes().get(at) {
        if coded(byte) {
            run += 1;
            at += 1;
            continue;
        }
        if run > 0 && space(char::from(byte)) {
            let rest = text.get(at..).unwrap_or_default();
            let len = rest.find(|c| !space(c)).unwrap_or(rest.len());
            let next = rest.as_bytes().get(len).is_some_and(|&byte| coded(byte));
            if next && (run >= LINE || rest.get(..len).is_some_and(|it| it.contains(['\r', '\n'])))
            {
                made.push_str(text.get(done..at).unwrap_or_default());
                done = at + len;
            }
            at += len;
        } else {
            at += 1;
        }
        run = 0;
    }
    if done == 0 {
        return None;
    }
    made.push_str(text.get(done..).unwrap_or_default());
    Some(made)
}

/// Returns `true` if four consecutive ASCII characters are escaped that need no escape: only then
/// can letters and digits be hidden.
pub(super) fn dense(text: &str) -> bool {
    if !["\\u00", "\\x", "%", "&"].into_iter().any(|mark| text.contains(mark)) {
        return false;
    }
    let mut run = 0;
    let mut rest = text.as_bytes();
    while let Some(&first) = rest.first() {
        let len = match first {
            b'\\' | b'%' | b'&' => escape_len(rest),
            _ => None,
        };
        run = if len.is_some() { run + 1 } else { 0 };
        if run == 4 {
            return true;
        }
        rest = rest.get(len.unwrap_or(1)..).unwrap_or_default();
    }
    false
}

/// The length of the escape of an ASCII character at the start of these bytes, which may itself be
/// escaped.
fn escape_len(bytes: &[u8]) -> Option<usize> {
    let after =
        |at: usize, prefix: &[u8]| bytes.get(at..)?.strip_prefix(prefix).map(|_| at + prefix.len());
    let again = |mut at: usize, more: &[u8], most: usize| {
        for _ in 0..most {
            at = after(at, more).unwrap_or(at);
        }
        at
    };
    let two = |at: usize| {
        let code = bytes.get(at..at + 2)?;
        (matches!(code.first()?, b'2'..=b'7') && code.get(1)?.is_ascii_hexdigit()).then_some(at + 2)
    };
    match bytes.first()? {
        b'\\' => {
            // Each layer of escapes doubles the backslashes.
            let at = again(1, b"\\", 7);
            two(after(at, b"u00").or_else(|| after(at, b"x"))?)
        }
        b'%' => {
            let at = again(1, b"25", ROUNDS);
            two(after(at, b"u00").unwrap_or(at))
        }
        _ => {
            let at = again(1, b"amp;", ROUNDS);
            let rest = bytes.get(at..bytes.len().min(at + 12))?;
            let (_, len) = number(&format!(
                "&{}",
                str::from_utf8(rest.split(|b| !b.is_ascii()).next()?).ok()?
            ))?;
            Some(at + len - 1)
        }
    }
}

/// The HTML character reference (`&#43;`, `&#x2b;`) at the start of the text, and its length.
fn number(text: &str) -> Option<(u32, usize)> {
    let digits = text.strip_prefix("&#")?;
    let sixteen = digits.strip_prefix(['x', 'X']);
    let (digits, radix, most, before) = match sixteen {
        Some(digits) => (digits, 16, 6, 3),
        None => (digits, 10, 7, 2),
    };
    let len = digits.bytes().take(most + 1).take_while(|b| char::from(*b).is_digit(radix)).count();
    let closed = len > 0 && len <= most && digits.as_bytes().get(len) == Some(&b';');
    let code = u32::from_str_radix(digits.get(..len).filter(|_| closed)?, radix).ok()?;
    Some((code, before + len + 1))
}

/// The character whose UTF-16 units are at the start of the text, and their length.
fn utf_16(text: &str, mark: &str) -> Option<(String, usize)> {
    let code = |text: &str| u32::from_str_radix(four(text.strip_prefix(mark)?)?, 16).ok();
    let unit = code(text)?;
    let len = mark.len() + 4;
    if !(0xd800..0xdc00).contains(&unit) {
        return Some((char::from_u32(unit)?.to_string(), len));
    }
    let low = text.get(len..).and_then(code).filter(|low| (0xdc00..0xe000).contains(low))?;
    let c = char::from_u32(0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff))?;
    Some((c.to_string(), 2 * len))
}

/// The text of the bytes at the start of the text (UTF-8, or Latin-1 for invalid bytes), and their
/// length.
fn bytes(text: &str, mark: &str) -> Option<(String, usize)> {
    let mut bytes = Vec::new();
    let len = mark.len() + 2;
    let code = |at: usize| {
        let code = text.get(at..)?.strip_prefix(mark)?.get(..2)?;
        let whole = code.bytes().all(|b| b.is_ascii_hexdigit());
        whole.then(|| u8::from_str_radix(code, 16).ok()).flatten()
    };
    while let Some(byte) = code(len * bytes.len()) {
        bytes.push(byte);
    }
    let mut plain = String::new();
    for chunk in bytes.utf8_chunks() {
        plain.push_str(chunk.valid());
        plain.extend(chunk.invalid().iter().map(|&byte| char::from(byte)));
    }
    (!bytes.is_empty()).then_some((plain, len * bytes.len()))
}

/// Four hexadecimal digits.
fn four(text: &str) -> Option<&str> {
    text.get(..4).filter(|code| code.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Replaces each occurrence of the mark for which `plain` returns a text and a length.
fn replaced(
    text: &str,
    mark: char,
    plain: impl Fn(&str) -> Option<(String, usize)>,
) -> Option<String> {
    let mut made = String::new();
    let mut rest = text;
    let mut changed = false;
    while let Some(at) = rest.find(mark) {
        let (before, marked) = rest.split_at(at);
        made.push_str(before);
        rest = marked;
        let (new, len) = match plain(rest) {
            Some(found) => {
                changed = true;
                found
            }
            None => (mark.to_string(), mark.len_utf8()),
        };
        made.push_str(&new);
        rest = rest.get(len..).unwrap_or_default();
    }
    made.push_str(rest);
    changed.then_some(made)
}
