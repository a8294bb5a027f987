//! Text as Python reads and writes it. dlt's tables depend on how Python strips strings, matches
//! `\d`, and converts numbers to text.
//!
//! Source: CPython 3.11 with Unicode 14, `Objects/unicodeobject.c`, `Python/pystrtod.c`.

use std::borrow::Cow;

/// Returns `true` if `str.strip` removes the character and `str.isspace` accepts it.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// `str.strip`.
pub(crate) fn trim(text: &str) -> &str {
    let is_plain = |byte: Option<&u8>| byte.is_some_and(|byte| (b'!'..=b'~').contains(byte));
    if is_plain(text.as_bytes().first()) && is_plain(text.as_bytes().last()) {
        return text;
    }
    text.trim_matches(is_space)
}

/// Returns `true` if `str.strip` leaves nothing.
pub(crate) fn is_blank(text: &str) -> bool {
    text.chars().all(is_space)
}

/// The value of a decimal digit of any script (`\d`, `int`, `float`, `Decimal`).
pub(crate) fn digit(c: char) -> Option<u8> {
    if c.is_ascii() {
        return c.to_digit(10).map(|value| value as u8);
    }
    let code = u32::from(c);
    let after = ZEROS.partition_point(|zero| *zero <= code);
    let zero = after.checked_sub(1).and_then(|at| ZEROS.get(at))?;
    u8::try_from(code - zero).ok().filter(|value| *value < 10)
}

/// Replaces the decimal digits of every script by ASCII digits.
pub(crate) fn ascii_digits(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    text.chars().map(|c| digit(c).map_or(c, |value| char::from(b'0' + value))).collect()
}

/// `float(text)`.
pub(crate) fn float(text: &str) -> Option<f64> {
    let text = ascii_digits(trim_number(text));
    // Rust's grammar is Python's except for underscores.
    if text.contains('_') { without_underscores(&text)?.parse() } else { text.parse() }.ok()
}

/// `int(text, radix)` for a radix of 10 or 16: whether it is negative, and the digits in ASCII.
pub(crate) fn int(text: &str, radix: u32) -> Option<(bool, String)> {
    let text = ascii_digits(trim_number(text));
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(&text);
    let mut digits = unsigned;
    if radix == 16
        && let Some(rest) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"))
    {
        // An underscore may be first only after a prefix.
        digits = rest.strip_prefix('_').unwrap_or(rest);
    }
    let is_separated = |digits: &str| digits.split('_').all(|part| !part.is_empty());
    let is_number = |digits: &str| digits.chars().all(|c| c == '_' || c.is_digit(radix));
    (is_separated(digits) && is_number(digits))
        .then(|| (text.starts_with('-'), digits.replace('_', "")))
}

/// Strips what `int` and `float` strip: of ASCII characters, only C's whitespace.
fn trim_number(text: &str) -> &str {
    text.trim_matches(|c: char| match c {
        ' ' | '\t'..='\r' => true,
        _ => !c.is_ascii() && is_space(c),
    })
}

/// Removes underscores. `None` if one of them is not between two digits.
fn without_underscores(text: &str) -> Option<String> {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let bytes = text.as_bytes();
    let between = |(at, _): (usize, &str)| {
        is_digit(at.checked_sub(1).and_then(|at| bytes.get(at))) && is_digit(bytes.get(at + 1))
    };
    text.match_indices('_').all(between).then(|| text.replace('_', ""))
}

/// `repr` of a float: the shortest digits that parse to the same float, in exponential notation
/// below 1e-4 and from 1e16 on.
pub(crate) fn float_repr(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        // Rust writes 1e-7 and 1e20, Python 1e-07 and 1e+20.
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |e| ('-', e));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    // Debug formatting keeps the ".0" of integers.
    let text = format!("{value:?}");
    tie(value, &text).unwrap_or(text)
}

/// Python's text of a float exactly between two shortest ones: Python chooses the even last digit,
/// Rust the larger. `None` if they agree.
fn tie(value: f64, shortest: &str) -> Option<String> {
    // Such a float has one more decimal place, and as many binary places. In exponential notation
    // there are none.
    let decimals = shortest.split_once('.')?.1.len() + 1;
    let bits = value.to_bits();
    let exponent = i64::try_from(bits >> 52 & 0x7ff).ok()? - 1075;
    let mantissa = bits & ((1 << 52) - 1) | 1 << 52;
    if usize::try_from(-exponent - i64::from(mantissa.trailing_zeros())) != Ok(decimals) {
        return None;
    }
    let exact = format!("{value:.decimals$}");
    let smaller = exact.strip_suffix('5')?;
    let is_even = smaller.ends_with(['0', '2', '4', '6', '8']);
    (is_even && smaller.parse() == Ok(value)).then(|| smaller.to_owned())
}

/// The zeros of Unicode's decimal digits. The digits one to nine follow each of them.
const ZEROS: [u32; 66] = [
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66,
    0xde6, 0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90,
    0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
    0x104a0, 0x10d30, 0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650,
    0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50,
    0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces() {
        let check = |text, expect| assert_eq!(trim(text), expect);
        check("a", "a");
        check(" a b\t\n", "a b");
        check("\u{1c}\u{85}\u{a0}\u{2003}\u{3000}x\u{1f}", "x");
        check("\u{200b}x\u{180e}\u{feff}", "\u{200b}x\u{180e}\u{feff}");
        check(" \u{1c}", "");
        assert!(is_blank("") && is_blank(" \u{1c}\u{2028}") && !is_blank("\u{200b}"));
    }

    #[test]
    fn digits() {
        let check = |c, expect| assert_eq!(digit(c), expect, "{c:?}");
        check('0', Some(0));
        check('9', Some(9));
        check('٣', Some(3));
        check('９', Some(9));
        check('\u{1d7ff}', Some(9));
        check('\u{1fbf9}', Some(9));
        for c in ['a', '/', ':', '²', '½', '一', '٫', '\u{1fbfa}', '\u{10ffff}'] {
            check(c, None);
        }
        assert_eq!(ascii_digits("٢٠٢٤-é1"), "2024-é1");
    }

    #[test]
    fn ints() {
        let check = |text, radix, expect: Option<(bool, &str)>| {
            let expect = expect.map(|(negative, digits)| (negative, digits.to_owned()));
            assert_eq!(int(text, radix), expect, "{text:?}");
        };
        check(" 007\n", 10, Some((false, "007")));
        check("+1_000", 10, Some((false, "1000")));
        check("-١٢", 10, Some((true, "12")));
        check("1F", 16, Some((false, "1F")));
        check("-0x_1f", 16, Some((true, "1f")));
        for text in ["", " ", "_1", "1_", "1__0", "- 1", "+-1", "1.0", "1e3", "0x1", "²", "1F"] {
            check(text, 10, None);
        }
        for text in ["", "0x", "_1", "0x__1", "x1", "g"] {
            check(text, 16, None);
        }
    }

    #[test]
    fn prints_floats_as_python() {
        let check = |text, expect: Option<f64>| {
            assert_eq!(float(text).map(f64::to_bits), expect.map(f64::to_bits), "{text:?}");
        };
        check(" 1.5\n", Some(1.5));
        check("1_0.0_1e1_0", Some(10.01e10));
        check("٣.٥", Some(3.5));
        check("-.5", Some(-0.5));
        check("5.", Some(5.0));
        check("-Infinity", Some(f64::NEG_INFINITY));
        check("nAn", Some(f64::NAN));
        check("1e400", Some(f64::INFINITY));
        check("\u{2003}١\u{85}", Some(1.0));
        check("\u{1f}١", None);
        for text in
            ["", ".", "\u{1f}1", "_1", "1_", "1__0", "1_.0", "1e", "1e_5", "0x1F", "1,5", "- 1"]
        {
            check(text, None);
        }
    }

    #[test]
    fn floats() {
        let check = |value, expect| assert_eq!(float_repr(value), expect);
        check(0.0, "0.0");
        check(-0.0, "-0.0");
        check(1.0, "1.0");
        check(0.1 + 0.2, "0.30000000000000004");
        check(0.0001, "0.0001");
        check(0.00001, "1e-05");
        check(-1.5e-7, "-1.5e-07");
        check(680_332_614_349_437.0 + 0.25, "680332614349437.2");
        check(-621_932_380_706_451.0 - 0.25, "-621932380706451.2");
        check(680_332_614_349_437.0 + 0.75, "680332614349437.8");
        check(0.25, "0.25");
        check(9_999_999_999_999_998.0, "9999999999999998.0");
        check(1e16, "1e+16");
        check(18_446_744_073_709_551_616.0, "1.8446744073709552e+19");
        check(5e-324, "5e-324");
        check(f64::MAX, "1.7976931348623157e+308");
        check(f64::INFINITY, "inf");
        check(f64::NEG_INFINITY, "-inf");
        check(f64::NAN, "nan");
    }
}
