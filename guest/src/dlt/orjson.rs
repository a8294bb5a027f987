//! The text in which orjson prints a JSON value. dlt hashes this text, so every hash that is
//! compared with dlt's is made of it.
//!
//! `canonical(raw)` is `orjson.dumps(orjson.loads(raw))` (3.13), `canonical_sorted` the same with
//! `OPT_SORT_KEYS`: no whitespace, integers beyond 64 bits become floats, floats in their shortest
//! form (`1e+20`, `1.5e-7`, positional from 1e-5 to below 1e16), the last of repeated keys at the
//! position of the first, and only `"`, `\` and control characters escaped.

use std::borrow::Cow;

use crate::dlt::python::float_repr;
use crate::fault::{Fault, Result};
use crate::json::{self, HalfPairs, Style, print};

const PLAIN: Style = Style {
    half_pairs: HalfPairs::Refuse,
    // orjson rejects deeper nesting.
    max_depth: Some(254),
    number: Some(number),
    sorted: false,
};

const SORTED: Style = Style { sorted: true, ..PLAIN };

/// The canonical text of a JSON value.
///
/// # Errors
/// A data fault if the text is not exactly one JSON value, is nested more than 254 levels deep, has
/// an unpaired surrogate, or has a number too large for a 64 bit float.
pub(crate) fn canonical(raw: &str) -> Result<Cow<'_, str>> {
    print(raw, &PLAIN)
}

/// The canonical text of a JSON value, with the keys of all objects sorted by code points.
///
/// # Errors
/// As [`canonical`].
pub(crate) fn canonical_sorted(raw: &str) -> Result<Cow<'_, str>> {
    print(raw, &SORTED)
}

/// Appends a JSON string with the given content.
#[inline]
pub(crate) fn push_string(out: &mut String, content: &str) {
    json::push_string(out, content);
}

/// The canonical text of a JSON number.
///
/// # Errors
/// A data fault if it is outside the range of a 64 bit float.
pub(super) fn number(raw: &str) -> Result<Cow<'_, str>> {
    if is_integer(raw) {
        if raw == "-0" {
            return Ok(Cow::Borrowed("0"));
        }
        if raw.len() <= 18 || raw.parse::<i64>().is_ok() || raw.parse::<u64>().is_ok() {
            return Ok(Cow::Borrowed(raw));
        }
    }
    match raw.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Cow::Owned(double(value))),
        _ => Err(Fault::data(format_args!(
            "expected a number in the range of a 64 bit float, found {raw}"
        ))),
    }
}

/// Returns `true` if a JSON number has neither fraction nor exponent: Python reads it as an int.
pub(super) fn is_integer(number: &str) -> bool {
    !number.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'))
}

/// The text of a finite float.
fn double(value: f64) -> String {
    // orjson's digits are Python's. It uses positional notation for one more power of ten, and
    // writes exponents without leading zeros.
    let text = float_repr(value);
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |m| ("-", m));
    if exponent == "-05" {
        let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
        return format!("{sign}0.0000{digits}");
    }
    let (exponent_sign, digits) = exponent.split_at_checked(1).unwrap_or(("+", exponent));
    format!("{sign}{mantissa}e{exponent_sign}{}", digits.trim_start_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The output of orjson 3.13.0: (input, plain, sorted).
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
        // Between two shortest texts, the one with an even last digit.
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
    fn rejects_what_orjson_rejects() {
        let check = |raw: &str, message: &str| {
            assert_eq!(canonical(raw).unwrap_err().to_string(), message, "{raw}");
        };
        check(
            "",
            "not JSON: expected a value, found the end of the text at line 1 column 1 (byte 0)",
        );
        check(
            "1 2",
            "not JSON: expected the end of the text, found '2' at line 1 column 3 (byte 2)",
        );
        check(
            "\u{feff}1",
            "not JSON: expected a value, found '\\u{feff}' at line 1 column 1 (byte 0)",
        );
        check("\"\\ud800\"", "expected both halves of each surrogate pair, found \\ud800");
        check(
            "\"\\ud800\\u0041\"",
            "expected both halves of each surrogate pair, found \\ud800\\u0041",
        );
        for number in ["01", "1.", "-", "1e", "1.e1", "--1", "1e+"] {
            assert!(canonical(number).unwrap_err().message.starts_with("not JSON: "), "{number}");
        }
        check("1e400", "expected a number in the range of a 64 bit float, found 1e400");
        let too_deep = |column: usize| {
            format!("expected at most 254 levels of nesting, found more at line 1 column {column}")
        };
        check(&"[".repeat(300), &too_deep(256));
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        check(&nested(255), &too_deep(256));
        assert_eq!(canonical(&nested(254)).unwrap(), nested(254));
        check(&nested(254).replace('1', "[]"), &too_deep(257));
    }
}
