//! Cursor values, and their order.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use serde_json::{Number, Value};

use crate::fault::{Fault, Result};
use crate::json::string_content;

/// A cursor value, unchanged from the source.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum CursorValue<'a> {
    /// True or false.
    Bool(bool),
    /// A number with a fraction or an exponent.
    Real(f64),
    /// A string, ordered by code points.
    Text(Cow<'a, str>),
    /// An integer.
    Whole(i128),
}

impl<'a> CursorValue<'a> {
    /// Parses a raw JSON value. Returns `None` for `null`.
    ///
    /// # Errors
    /// A data fault if it is a list, an object or invalid JSON.
    pub(crate) fn parse(raw: &'a str) -> Result<Option<Self>> {
        Ok(Some(match raw.as_bytes().first() {
            Some(b'"') => Self::Text(string_content(raw)?),
            Some(b't') if raw == "true" => Self::Bool(true),
            Some(b'f') if raw == "false" => Self::Bool(false),
            Some(b'n') if raw == "null" => return Ok(None),
            Some(b'-' | b'0'..=b'9') => match (raw.parse(), raw.parse::<f64>()) {
                (Ok(whole), _) => Self::Whole(whole),
                (_, Ok(real)) if real.is_finite() => Self::Real(real),
                _ => return Err(unfit(raw)),
            },
            _ => return Err(unfit(raw)),
        }))
    }

    /// The cursor value of a JSON value, or `None` if it cannot be one.
    pub(crate) fn of(value: &Value) -> Option<CursorValue<'static>> {
        Some(match value {
            Value::Bool(flag) => CursorValue::Bool(*flag),
            Value::String(text) => CursorValue::Text(text.clone().into()),
            Value::Number(number) => {
                match number.as_i64().map(i128::from).or(number.as_u64().map(i128::from)) {
                    Some(whole) => CursorValue::Whole(whole),
                    None => CursorValue::Real(number.as_f64()?),
                }
            }
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        })
    }

    /// The value as JSON.
    pub(crate) fn to_value(&self) -> Value {
        match self {
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Real(real) => Number::from_f64(*real).map_or(Value::Null, Value::Number),
            Self::Text(text) => Value::String(text.clone().into_owned()),
            Self::Whole(whole) => match (i64::try_from(*whole), u64::try_from(*whole)) {
                (Ok(signed), _) => Value::from(signed),
                (_, Ok(unsigned)) => Value::from(unsigned),
                // dlt's JSON makes a float of it, too.
                _ => Number::from_f64(*whole as f64).map_or(Value::Null, Value::Number),
            },
        }
    }

    /// The value without a borrow.
    pub(crate) fn into_owned(self) -> CursorValue<'static> {
        match self {
            Self::Bool(flag) => CursorValue::Bool(flag),
            Self::Real(real) => CursorValue::Real(real),
            Self::Text(text) => CursorValue::Text(text.into_owned().into()),
            Self::Whole(whole) => CursorValue::Whole(whole),
        }
    }

    /// Compares numbers by value and strings by code points, as Python does.
    ///
    /// # Errors
    /// A data fault if the types differ, such as a string and a number.
    pub(crate) fn compare(&self, other: &CursorValue<'_>) -> Result<Ordering> {
        let ordering = match (self, other) {
            (Self::Text(one), CursorValue::Text(two)) => Some(one.as_ref().cmp(two.as_ref())),
            (Self::Bool(one), CursorValue::Bool(two)) => Some(one.cmp(two)),
            (Self::Whole(one), CursorValue::Whole(two)) => Some(one.cmp(two)),
            (Self::Real(one), CursorValue::Real(two)) => one.partial_cmp(two),
            (Self::Whole(one), CursorValue::Real(two)) => (*one as f64).partial_cmp(two),
            (Self::Real(one), CursorValue::Whole(two)) => one.partial_cmp(&(*two as f64)),
            _ => None,
        };
        ordering.ok_or_else(|| {
            Fault::data(format_args!(
                "expected values of the cursor to be of one type, found {self} and {other}"
            ))
        })
    }
}

/// The value as JSON text.
impl fmt::Display for CursorValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_value().fmt(f)
    }
}

#[cold]
fn unfit(raw: &str) -> Fault {
    let shown: String = raw.chars().take(60).collect();
    Fault::data(format_args!(
        "expected the cursor to be a string, a number, true or false, found {shown}"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn compares_as_python() {
        let check = |one: &str, other: &str, ordering: Ordering| {
            let [a, b] = [one, other].map(|raw| CursorValue::parse(raw).unwrap().unwrap());
            assert_eq!(a.compare(&b).unwrap(), ordering, "{one} {other}");
            assert_eq!(b.compare(&a).unwrap(), ordering.reverse(), "{other} {one}");
        };
        check("\"2024-01-01\"", "\"2024-01-02\"", Ordering::Less);
        check("\"a\"", "\"B\"", Ordering::Greater);
        check("\"\\u00e9\"", "\"é\"", Ordering::Equal);
        check("\"\u{ffff}\"", "\"\u{10000}\"", Ordering::Less);
        check("2", "10", Ordering::Less);
        check("2", "2.0", Ordering::Equal);
        check("2.5", "2", Ordering::Greater);
        check("9007199254740993", "9007199254740992", Ordering::Greater);
        check("18446744073709551616", "18446744073709551615", Ordering::Greater);
        check("1e3", "1000", Ordering::Equal);
        check("true", "false", Ordering::Greater);
    }

    #[test]
    fn rejects_to_compare_unlike_values() {
        let check = |one: &str, other: &str, message: &str| {
            let [a, b] = [one, other].map(|raw| CursorValue::parse(raw).unwrap().unwrap());
            let expected =
                format!("expected values of the cursor to be of one type, found {message}");
            assert_eq!(a.compare(&b).unwrap_err().to_string(), expected);
        };
        check("\"1\"", "1", "\"1\" and 1");
        check("true", "1", "true and 1");
        check("2.5", "\"a\"", "2.5 and \"a\"");
        for raw in ["[1]", "{}", "", "nope", "-"] {
            let message = CursorValue::parse(raw).unwrap_err().to_string();
            assert_eq!(
                message,
                format!("expected the cursor to be a string, a number, true or false, found {raw}")
            );
        }
        assert_eq!(CursorValue::parse("null").unwrap(), None);
    }

    #[test]
    fn goes_to_json_and_back() {
        for raw in ["\"a\\\"b\"", "12", "-7", "1.5", "true", "18446744073709551615"] {
            let value = CursorValue::parse(raw).unwrap().unwrap();
            assert_eq!(value.to_value().to_string(), raw);
            assert_eq!(CursorValue::of(&value.to_value()), Some(value.into_owned()));
        }
        assert_eq!(CursorValue::of(&json!([1])), None);
    }
}
