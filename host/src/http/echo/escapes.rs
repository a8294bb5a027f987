//! Escapes, taken away: one layer at a time, and only what is an escape.

/// Without JSON's; none where there is none.
pub(in crate::http) fn json(text: &str) -> Option<String> {
    replaced(text, '\\', |rest| {
        let code = |rest: &str| u32::from_str_radix(four(rest.strip_prefix("\\u")?)?, 16).ok();
        if let Some(unit) = code(rest) {
            if (0xd800..0xdc00).contains(&unit) {
                let low =
                    rest.get(6..).and_then(code).filter(|low| (0xdc00..0xe000).contains(low))?;
                let c = char::from_u32(0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff))?;
                return Some((c.to_string(), 12));
            }
            return Some((char::from_u32(unit)?.to_string(), 6));
        }
        let c = match rest.as_bytes().get(1)? {
            c @ (b'"' | b'\\' | b'/') => char::from(*c),
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

/// Without HTML's: numbers, and the five names that every program writes.
pub(super) fn html(text: &str) -> Option<String> {
    const NAMES: [(&str, char); 5] =
        [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"'), ("&apos;", '\'')];
    replaced(text, '&', |rest| {
        if let Some((name, c)) = NAMES.iter().find(|(name, _)| rest.starts_with(name)) {
            return Some((c.to_string(), name.len()));
        }
        let (code, len) = number(rest)?;
        Some((char::from_u32(code)?.to_string(), len))
    })
}

/// Without percent encoding: of UTF-8, and where it is none, of Latin-1.
pub(in crate::http) fn percent(text: &str) -> Option<String> {
    replaced(text, '%', |rest| {
        let mut bytes = Vec::new();
        let code = |at: usize| {
            let code = rest.get(at..)?.strip_prefix('%')?.get(..2)?;
            let whole = code.bytes().all(|b| b.is_ascii_hexdigit());
            whole.then(|| u8::from_str_radix(code, 16).ok()).flatten()
        };
        while let Some(byte) = code(3 * bytes.len()) {
            bytes.push(byte);
        }
        let len = 3 * bytes.len();
        let latin = |bytes: &[u8]| bytes.iter().map(|&byte| char::from(byte)).collect();
        let plain = String::from_utf8(bytes).unwrap_or_else(|e| latin(e.as_bytes()));
        (len > 0).then_some((plain, len))
    })
}

/// Whether four characters of ASCII in a row that need no escape have one: only then can letters and
/// digits be hidden.
pub(super) fn dense(text: &str) -> bool {
    if !["\\u00", "%", "&"].into_iter().any(|mark| text.contains(mark)) {
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

/// The length of the escape of an ASCII character that these bytes begin with, itself escaped perhaps.
fn escape_len(bytes: &[u8]) -> Option<usize> {
    let after =
        |at: usize, prefix: &[u8]| bytes.get(at..)?.strip_prefix(prefix).map(|_| at + prefix.len());
    let again = |mut at: usize, more: &[u8]| {
        while let Some(next) = after(at, more) {
            at = next;
        }
        at
    };
    let two = |at: usize| {
        let code = bytes.get(at..at + 2)?;
        (matches!(code.first()?, b'2'..=b'7') && code.get(1)?.is_ascii_hexdigit()).then_some(at + 2)
    };
    match bytes.first()? {
        b'\\' => two(after(again(1, b"\\"), b"u00")?),
        b'%' => two(again(1, b"25")),
        _ => {
            let at = again(1, b"amp;");
            let rest = bytes.get(at..bytes.len().min(at + 12))?;
            let (_, len) = number(&format!(
                "&{}",
                str::from_utf8(rest.split(|b| !b.is_ascii()).next()?).ok()?
            ))?;
            Some(at + len - 1)
        }
    }
}

/// The number that the text begins with, in HTML's way (`&#43;`, `&#x2b;`), and its length.
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

/// Four digits of sixteen.
fn four(text: &str) -> Option<&str> {
    text.get(..4).filter(|code| code.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// The text with whatever begins with the mark replaced, where there is something for it and its length.
fn replaced(
    text: &str,
    mark: char,
    plain: impl Fn(&str) -> Option<(String, usize)>,
) -> Option<String> {
    let mut made = String::new();
    let mut rest = text;
    let mut changed = false;
    while let Some(at) = rest.find(mark) {
        made.push_str(&rest[..at]);
        rest = &rest[at..];
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
