//! JSON values in columns of type `json` and `text`.

use std::borrow::Cow;

use crate::dlt::orjson;
use crate::fault::{Fault, Result};
use crate::json::{HalfPairs, Style, compact, print};

/// JSON in a text column: floats are written as orjson writes them. Integers beyond 64 bits keep
/// their digits; orjson would turn them into floats.
const SPELLED: Style = Style {
    half_pairs: HalfPairs::Replace,
    max_depth: None,
    number: Some(spelled_number),
    sorted: false,
};

/// JSON that orjson accepts: without unpaired surrogates and without numbers too large for a float.
/// Numbers keep their digits.
const READABLE: Style = Style {
    half_pairs: HalfPairs::Refuse,
    max_depth: None,
    number: Some(readable_number),
    sorted: false,
};

/// A value in a `json` column. `None`: it is invalid JSON.
pub(super) fn in_json_column(json: &str) -> Option<Cow<'_, str>> {
    compact(json).ok()
}

/// A value in a `text` column. `None`: it is invalid JSON.
pub(super) fn in_text_column(json: &str) -> Option<Cow<'_, str>> {
    print(json, &SPELLED).ok()
}

/// A string as a value of a `json` column. `None`: orjson rejects it.
pub(super) fn from_text(text: &str) -> Option<Cow<'_, str>> {
    print(text, &READABLE).ok()
}

fn spelled_number(raw: &str) -> Result<Cow<'_, str>> {
    if orjson::is_integer(raw) && raw != "-0" {
        return Ok(Cow::Borrowed(raw));
    }
    // A number too large for a float is written as in the input.
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
    fn accepts_what_orjson_accepts() {
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
    fn writes_floats_as_orjson_in_text_columns() {
        let check = |json: &str, expect: &str| {
            assert_eq!(in_text_column(json).as_deref(), Some(expect), "{json}");
        };
        check("[1.50,1E5,-0,-0.0,0]", "[1.5,100000.0,0,-0.0,0]");
        check("[123456789012345678901234567890]", "[123456789012345678901234567890]");
        check("[1e999,\"1.50\"]", "[1e999,\"1.50\"]");
    }
}
