//! JSON in columns of JSON and of text.

use std::borrow::Cow;

use crate::dlt::orjson;
use crate::fault::{Fault, Result};
use crate::json::{HalfPairs, Style, compact, print};

/// JSON in a column of text, which shows how numbers are spelled: floats as orjson writes them. Integers
/// beyond 64 bits, which orjson would make floats of, keep their digits.
const SPELLED: Style = Style {
    half_pairs: HalfPairs::Replace,
    max_depth: None,
    number: Some(spelled_number),
    sorted: false,
};

/// JSON that orjson reads: no half of a surrogate pair, no number too large for a float. Numbers keep their
/// digits.
const READABLE: Style = Style {
    half_pairs: HalfPairs::Refuse,
    max_depth: None,
    number: Some(readable_number),
    sorted: false,
};

/// A value in a column of JSON. `None`: it is not JSON.
pub(super) fn in_json_column(json: &str) -> Option<Cow<'_, str>> {
    compact(json).ok()
}

/// A value in a column of text. `None`: it is not JSON.
pub(super) fn in_text_column(json: &str) -> Option<Cow<'_, str>> {
    print(json, &SPELLED).ok()
}

/// A text as a value of a column of JSON. `None`: orjson does not read it.
pub(super) fn from_text(text: &str) -> Option<Cow<'_, str>> {
    print(text, &READABLE).ok()
}

fn spelled_number(raw: &str) -> Result<Cow<'_, str>> {
    if orjson::is_integer(raw) && raw != "-0" {
        return Ok(Cow::Borrowed(raw));
    }
    // A number too large for a float has no spelling but its own.
    Ok(orjson::number(raw).unwrap_or(Cow::Borrowed(raw)))
}

fn readable_number(raw: &str) -> Result<Cow<'_, str>> {
    match raw.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Cow::Borrowed(raw)),
        _ => Err(Fault::data(format_args!(
            "expected a number in the range of a 64 bit float, found {raw}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_orjson_reads() {
        let check = |json: &str, expect| assert_eq!(from_text(json).is_some(), expect, "{json}");
        check(r#"{"a":[1,-2.5e300,"1e999",{}],"\\ud800":null}"#, true);
        check("1e308", true);
        check("-1e309", false);
        check(r#"[{"a":1e400}]"#, false);
        check(r#"["x",9e999]"#, false);
        check(r#"["\udead"]"#, false);
        check(r#"{"\ud800\n":1}"#, false);
        check(r#"["\u0000"]"#, true);
        check("\u{feff}1", false);
        check("1 2", false);
        check("", false);
    }

    #[test]
    fn numbers_in_a_column_of_text() {
        let check = |json: &str, expect: &str| {
            assert_eq!(in_text_column(json).as_deref(), Some(expect), "{json}");
        };
        check("[1.50,1E5,-0,-0.0,0]", "[1.5,100000.0,0,-0.0,0]");
        check("[123456789012345678901234567890]", "[123456789012345678901234567890]");
        check("[1e999,\"1.50\"]", "[1e999,\"1.50\"]");
    }
}
