//! The text orjson gives a JSON value: what dlt hashes, so what every hash that is compared with
//! one of dlt's has to be made of.
//!
//! `canonical(raw)` is `orjson.dumps(orjson.loads(raw))` (3.13), `canonical_sorted` the same with
//! `OPT_SORT_KEYS`: no white space, whole numbers beyond 64 bits become floats, floats in their
//! shortest form (`1e+20`, `1.5e-7`, positional from 1e-5 up to below 1e16), the last of duplicate
//! keys at the place of the first, and only `"`, `\` and control characters escaped.

use indexmap::IndexMap;

use crate::dlt::python::float_repr;
use crate::fault::{Fault, Result};

/// orjson gives up on values nested deeper than this.
const DEPTH: usize = 254;

/// The canonical text of a JSON value.
///
/// # Errors
/// A data fault when the text is not one JSON value, is nested more than 254 levels deep, or holds
/// a number too large for a 64 bit float.
pub fn canonical(raw: &str) -> Result<String> {
    Scanner { raw, at: 0, sorted: false }.document()
}

/// The canonical text of a JSON value with the keys of all its objects in the order of their code
/// points.
///
/// # Errors
/// As [`canonical`].
pub fn canonical_sorted(raw: &str) -> Result<String> {
    Scanner { raw, at: 0, sorted: true }.document()
}

/// Appends a JSON string with this content.
pub fn push_string(out: &mut String, content: &str) {
    out.push('"');
    let mut plain = 0;
    for (at, byte) in content.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            0x08 => "\\b",
            b'\t' => "\\t",
            b'\n' => "\\n",
            0x0c => "\\f",
            b'\r' => "\\r",
            0..=0x1f => "",
            _ => continue,
        };
        // All of these are ASCII, so both cuts are between characters.
        out.push_str(content.get(plain..at).unwrap_or_default());
        plain = at + 1;
        if escape.is_empty() {
            out.push_str("\\u00");
            for nibble in [byte >> 4, byte & 15] {
                out.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
            }
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(content.get(plain..).unwrap_or_default());
    out.push('"');
}

/// Appends a number, given as JSON writes it.
///
/// # Errors
/// A data fault when it is not a JSON number or beyond the range of a 64 bit float.
pub fn push_number(out: &mut String, raw: &str) -> Result<()> {
    let fault = || Fault::data(format_args!("expected a JSON number, found {raw}"));
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    let whole = digits.bytes().take_while(u8::is_ascii_digit).count();
    let leading_zero = whole > 1 && digits.starts_with('0');
    let rest = digits.get(whole..).unwrap_or_default();
    if whole == 0 || leading_zero || !is_tail(rest) {
        return Err(fault());
    }
    if rest.is_empty() {
        if digits == "0" {
            out.push('0');
            return Ok(());
        }
        if raw.parse::<i64>().is_ok() || raw.parse::<u64>().is_ok() {
            out.push_str(raw);
            return Ok(());
        }
    }
    let value: f64 = raw.parse().map_err(|_| fault())?;
    if value.is_infinite() {
        return Err(Fault::data(format_args!(
            "expected a number in the range of a 64 bit float, found {raw}"
        )));
    }
    push_double(out, value);
    Ok(())
}

/// Appends a float; those JSON cannot write (NaN, the infinities) become `null`.
pub fn push_double(out: &mut String, value: f64) {
    if !value.is_finite() {
        out.push_str("null");
        return;
    }
    // orjson's digits are Python's. It goes on without an exponent for one power of ten more, and
    // writes exponents without leading zeros.
    let text = float_repr(value);
    let Some((mantissa, exponent)) = text.split_once('e') else {
        out.push_str(&text);
        return;
    };
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |m| ("-", m));
    out.push_str(sign);
    if exponent == "-05" {
        out.push_str("0.0000");
        out.extend(mantissa.chars().filter(char::is_ascii_digit));
        return;
    }
    let (sign, digits) = exponent.split_at_checked(1).unwrap_or(("+", exponent));
    out.push_str(mantissa);
    out.push('e');
    out.push_str(sign);
    out.push_str(digits.trim_start_matches('0'));
}

/// The content of a raw JSON string, quotes included.
///
/// # Errors
/// A data fault when it is not one JSON string.
pub fn string_content(raw: &str) -> Result<std::borrow::Cow<'_, str>> {
    if let Some(inner) = raw.strip_prefix('"').and_then(|r| r.strip_suffix('"'))
        && !inner.bytes().any(|b| b == b'\\' || b == b'"' || b < 0x20)
    {
        return Ok(inner.into());
    }
    let mut scanner = Scanner { raw, at: 0, sorted: false };
    let content = scanner.string()?;
    if scanner.at == raw.len() { Ok(content.into()) } else { Err(scanner.expected("one string")) }
}

/// A fraction, an exponent, both or neither.
fn is_tail(rest: &str) -> bool {
    let (fraction, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (rest.get(..at).unwrap_or_default(), rest.get(at + 1..)),
        None => (rest, None),
    };
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let fraction_ok = fraction.is_empty() || fraction.strip_prefix('.').is_some_and(all_digits);
    fraction_ok && exponent.is_none_or(|e| all_digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
}

struct Scanner<'a> {
    raw: &'a str,
    at: usize,
    sorted: bool,
}

impl Scanner<'_> {
    fn document(mut self) -> Result<String> {
        let mut out = String::with_capacity(self.raw.len());
        self.value(&mut out, 0)?;
        self.space();
        if self.at < self.raw.len() {
            return Err(self.expected("the end"));
        }
        Ok(out)
    }

    fn value(&mut self, out: &mut String, depth: usize) -> Result<()> {
        self.space();
        match self.peek() {
            Some(b'"') => {
                let content = self.string()?;
                push_string(out, &content);
                Ok(())
            }
            Some(b'[') => self.array(out, depth),
            Some(b'{') => self.object(out, depth),
            Some(b'-' | b'0'..=b'9') => {
                let start = self.at;
                while matches!(self.peek(), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
                    self.at += 1;
                }
                push_number(out, self.raw.get(start..self.at).unwrap_or_default())
            }
            _ => {
                for word in ["true", "false", "null"] {
                    if self.rest().starts_with(word) {
                        self.at += word.len();
                        out.push_str(word);
                        return Ok(());
                    }
                }
                Err(self.expected("a JSON value"))
            }
        }
    }

    fn array(&mut self, out: &mut String, depth: usize) -> Result<()> {
        self.descend(depth)?;
        out.push('[');
        if !self.take_after_space(b']') {
            loop {
                self.value(out, depth + 1)?;
                if self.take_after_space(b']') {
                    break;
                }
                if !self.take_after_space(b',') {
                    return Err(self.expected("a comma or ]"));
                }
                out.push(',');
            }
        }
        out.push(']');
        Ok(())
    }

    fn object(&mut self, out: &mut String, depth: usize) -> Result<()> {
        self.descend(depth)?;
        // As a Python dict: a key given again keeps its place and takes the new value.
        let mut members = IndexMap::<String, String>::new();
        if !self.take_after_space(b'}') {
            loop {
                self.space();
                let key = self.string()?;
                if !self.take_after_space(b':') {
                    return Err(self.expected("a colon"));
                }
                let mut value = String::new();
                self.value(&mut value, depth + 1)?;
                members.insert(key, value);
                if self.take_after_space(b'}') {
                    break;
                }
                if !self.take_after_space(b',') {
                    return Err(self.expected("a comma or }"));
                }
            }
        }
        if self.sorted {
            members.sort_unstable_keys();
        }
        out.push('{');
        for (n, (key, value)) in members.iter().enumerate() {
            if n > 0 {
                out.push(',');
            }
            push_string(out, key);
            out.push(':');
            out.push_str(value);
        }
        out.push('}');
        Ok(())
    }

    fn string(&mut self) -> Result<String> {
        if !self.take(b'"') {
            return Err(self.expected("a string"));
        }
        let mut content = String::new();
        loop {
            let plain = self.rest().bytes().take_while(|&b| b != b'"' && b != b'\\' && b >= 0x20);
            let plain = plain.count();
            content.push_str(self.rest().get(..plain).unwrap_or_default());
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(content);
                }
                Some(b'\\') => {
                    self.at += 1;
                    content.push(self.escape()?);
                }
                _ => return Err(self.expected("the end of the string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        let found = self.peek();
        self.at += 1;
        Ok(match found {
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'u') => {
                let first = self.hex()?;
                let code = if (0xd800..0xdc00).contains(&first) && self.rest().starts_with("\\u") {
                    self.at += 2;
                    let second = self.hex()?;
                    if !(0xdc00..0xe000).contains(&second) {
                        return Err(self.expected("a low surrogate"));
                    }
                    0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                } else {
                    first
                };
                match char::from_u32(code) {
                    Some(c) => c,
                    None => return Err(self.expected("a low surrogate")),
                }
            }
            _ => {
                self.at -= 1;
                return Err(self.expected("an escape"));
            }
        })
    }

    fn hex(&mut self) -> Result<u32> {
        let digits = self.rest().get(..4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(code) = digits.and_then(|d| u32::from_str_radix(d, 16).ok()) else {
            return Err(self.expected("four hexadecimal digits"));
        };
        self.at += 4;
        Ok(code)
    }

    fn descend(&mut self, depth: usize) -> Result<()> {
        if depth >= DEPTH {
            return Err(Fault::data(format_args!(
                "the value is nested deeper than {DEPTH} levels"
            )));
        }
        self.at += 1;
        Ok(())
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take_after_space(&mut self, byte: u8) -> bool {
        self.space();
        self.take(byte)
    }

    fn take(&mut self, byte: u8) -> bool {
        let taken = self.peek() == Some(byte);
        self.at += usize::from(taken);
        taken
    }

    fn peek(&self) -> Option<u8> {
        self.raw.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &str {
        self.raw.get(self.at..).unwrap_or_default()
    }

    #[cold]
    fn expected(&self, what: &str) -> Fault {
        let found: String = self.rest().chars().take(20).collect();
        let found = if found.is_empty() { "the end".to_owned() } else { format!("{found:?}") };
        Fault::data(format_args!("expected {what} at byte {}, found {found}", self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What orjson 3.13.0 prints: (input, plain, sorted).
    #[test]
    fn prints_as_orjson() {
        let check = |raw: &str, plain: &str, sorted: &str| {
            assert_eq!(canonical(raw).unwrap(), plain, "{raw}");
            assert_eq!(canonical_sorted(raw).unwrap(), sorted, "{raw} sorted");
        };
        let same = |raw: &str, text: &str| check(raw, text, text);
        same("-0", "0");
        same("-0.0", "-0.0");
        same("0e5", "0.0");
        same("-0e1", "-0.0");
        same("1e20", "1e+20");
        same("1e15", "1000000000000000.0");
        same("1e16", "1e+16");
        same("12345678901234567000.0", "1.2345678901234567e+19");
        same("1e-5", "0.00001");
        same("1.5e-7", "1.5e-7");
        same("0.00012", "0.00012");
        same("0.5", "0.5");
        same("-1.25e-5", "-0.0000125");
        same("-1.25e-9", "-1.25e-9");
        // Between two shortest texts: the even one.
        same("71004853874333523e-2", "710048538743335.2");
        same("5e-324", "5e-324");
        same("1.7976931348623157e308", "1.7976931348623157e+308");
        same("123456789.123", "123456789.123");
        same("18446744073709551615", "18446744073709551615");
        same("18446744073709551616", "1.8446744073709552e+19");
        same("-9223372036854775808", "-9223372036854775808");
        same("-9223372036854775809", "-9.223372036854776e+18");
        same("9007199254740993.0", "9007199254740992.0");
        same("1E5", "100000.0");
        same("1e-400", "0.0");
        same(
            r#""\u0000\u001f\u007f\u0080\/\ud83d\ude00\u2028\b\f\n\r\t""#,
            concat!("\"\\u0000\\u001f\u{7f}\u{80}/\u{1f600}\u{2028}", r#"\b\f\n\r\t""#),
        );
        same("\"a\\\"b\\\\c\"", "\"a\\\"b\\\\c\"");
        same(" [ 1 , [ ] , { } , null , true,false ] ", "[1,[],{},null,true,false]");
        check(r#"{"b":1,"a":2,"b":3}"#, r#"{"b":3,"a":2}"#, r#"{"a":2,"b":3}"#);
        check(
            "{\"é\":1,\"z\":2,\"\\ud83d\\ude00\":3,\"\u{ffff}\":{\"b\":0,\"a\":0}}",
            "{\"é\":1,\"z\":2,\"😀\":3,\"\u{ffff}\":{\"b\":0,\"a\":0}}",
            "{\"z\":2,\"é\":1,\"\u{ffff}\":{\"a\":0,\"b\":0},\"😀\":3}",
        );
    }

    #[test]
    fn refuses_what_is_not_json() {
        let check = |raw: &str, message: &str| {
            assert_eq!(canonical(raw).unwrap_err().to_string(), message, "{raw}");
        };
        check("", "expected a JSON value at byte 0, found the end");
        check("nul", "expected a JSON value at byte 0, found \"nul\"");
        check("1 2", "expected the end at byte 2, found \"2\"");
        check("[1,]", "expected a JSON value at byte 3, found \"]\"");
        check("[1 2]", "expected a comma or ] at byte 3, found \"2]\"");
        check("{\"a\":1 \"b\"}", "expected a comma or } at byte 7, found \"\\\"b\\\"}\"");
        check("{\"a\" 1}", "expected a colon at byte 5, found \"1}\"");
        check("{a:1}", "expected a string at byte 1, found \"a:1}\"");
        check("\"a", "expected the end of the string at byte 2, found the end");
        check("\"\t\"", "expected the end of the string at byte 1, found \"\\t\\\"\"");
        check("\"\\x\"", "expected an escape at byte 2, found \"x\\\"\"");
        check("\"\\u12\"", "expected four hexadecimal digits at byte 3, found \"12\\\"\"");
        check("\"\\ud800\"", "expected a low surrogate at byte 7, found \"\\\"\"");
        check("\"\\ud800\\u0041\"", "expected a low surrogate at byte 13, found \"\\\"\"");
        for number in ["01", "1.", "-", "1e", "1.e1", "--1", "1e+"] {
            check(number, &format!("expected a JSON number, found {number}"));
        }
        check("1e400", "expected a number in the range of a 64 bit float, found 1e400");
        check(&"[".repeat(300), "the value is nested deeper than 254 levels");
        let deep = format!("{}1{}", "[".repeat(254), "]".repeat(254));
        assert_eq!(canonical(&deep).unwrap(), deep);
    }

    #[test]
    fn reads_strings() {
        assert_eq!(string_content("\"abc\"").unwrap(), "abc");
        assert_eq!(string_content("\"a\\nb\"").unwrap(), "a\nb");
        for raw in ["abc", "\"a\"b\"", "\"", ""] {
            assert!(string_content(raw).is_err(), "{raw}");
        }
    }
}
