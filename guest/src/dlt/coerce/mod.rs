//! Values: the type of a JSON value, and its conversion to the type of a column.
//!
//! The conversions are dlt's. Where dlt would lose digits or fail the load, the value is stored
//! exactly or goes to a variant column:
//!
//! - An integer of more than 64 bits is a `wei` of up to 38 digits, or text. It is a float only if
//!   a float has the same digits.
//! - A decimal has the digits of the input, not those of the nearest float. Nothing is rounded to
//!   the scale of the column.
//! - A value for which Python raises an exception other than `ValueError` is treated as one that
//!   does not fit.
//!
//! Source: dlt 1.31, `common/data_types/type_helpers.py` (`coerce_value`) and
//! `common/schema/detections.py`.

mod decimal;
mod json;
mod typed;

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

pub(crate) use typed::{Typed, hexadecimal_of};

use crate::dlt::datetime;
use crate::dlt::orjson::is_integer;
use crate::dlt::python;
use crate::dlt::types::{DataType, Kind};

/// A non-null value of the input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    /// `true` or `false`.
    Bool(bool),
    /// A number, as written in the page.
    Number(&'a str),
    /// An unescaped string.
    Text(&'a str),
    /// An object or an array, as written in the page.
    Json(&'a str),
    /// A value whose type is declared by the source.
    Typed(&'a Typed<'a>),
}

impl Scalar<'_> {
    /// The type of the value by its JSON form: a string is text, even if it is a timestamp. Variant
    /// columns are named by it.
    pub(crate) fn form(&self) -> DataType {
        match self {
            Self::Bool(_) => DataType::Bool,
            Self::Number(number) => form_of_number(number),
            Self::Text(_) => DataType::Text,
            Self::Json(_) => DataType::Json,
            Self::Typed(typed) => typed.own().data_type,
        }
    }

    /// The content of a string or number.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Number(text) | Self::Text(text) => Some(text),
            Self::Typed(typed) => Some(&typed.text),
            Self::Bool(_) | Self::Json(_) => None,
        }
    }

    /// The number that may widen its column, in JSON's notation.
    pub(crate) fn number(&self) -> Option<&str> {
        match self {
            Self::Number(number) => Some(number),
            Self::Typed(typed) if typed.kind.data_type == DataType::Double => {
                finite(&typed.text).map(|_| typed.text.as_ref())
            }
            Self::Bool(_) | Self::Json(_) | Self::Text(_) | Self::Typed(_) => None,
        }
    }
}

/// A non-null value of a column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Datum<'a> {
    /// In a `bool` column.
    Bool(bool),
    /// In a `bigint` column.
    Int(i64),
    /// In a `double` column.
    Double(f64),
    /// In a `text` column.
    Text(Cow<'a, str>),
    /// In a `timestamp` column: microseconds since 1970-01-01T00:00:00 UTC.
    Micros(i64),
    /// In a `date` column: days since 1970-01-01.
    Days(i32),
    /// In a `time` column: microseconds since midnight UTC.
    TimeMicros(i64),
    /// In a `time` or `timestamp` column of more than six fractional digits: nanoseconds.
    Nanos(i128),
    /// In a column of decimals: the value times ten to the power of the column's scale.
    Decimal(i128),
    /// In a `binary` column.
    Bytes(Vec<u8>),
    /// In a `json` column: compact JSON.
    Json(Cow<'a, str>),
    /// NULL: the string `null` in a `json` column.
    Null,
}

/// The type of a new column whose first value this is. The value always fits it.
pub(crate) fn infer(value: Scalar<'_>) -> Kind {
    match value {
        Scalar::Text(text) if datetime::parse_iso(text).is_some() => Kind::of(DataType::Timestamp),
        Scalar::Typed(typed) => typed.own(),
        _ => Kind::of(value.form()),
    }
}

/// Converts the value to the type of a column. `None`: it does not fit, and goes to a variant
/// column.
pub(crate) fn coerce<'a>(value: &Scalar<'a>, to: &Kind) -> Option<Datum<'a>> {
    match *value {
        Scalar::Number(number) if to.data_type == DataType::Bigint => {
            small_integer(number).or_else(|| integer_of_number(number)).map(Datum::Int)
        }
        Scalar::Text(text) => from_text(text, to),
        Scalar::Typed(typed) => typed.datum(to),
        Scalar::Number(number) if is_integer(number) => from_integer(number, to),
        Scalar::Number(number) => from_float(number, to),
        Scalar::Bool(value) => match to.data_type {
            DataType::Bool => Some(Datum::Bool(value)),
            DataType::Text => {
                Some(Datum::Text(Cow::Borrowed(if value { "True" } else { "False" })))
            }
            _ => None,
        },
        Scalar::Json(text) => match to.data_type {
            DataType::Json => Some(Datum::Json(json::in_json_column(text)?)),
            DataType::Text => Some(Datum::Text(json::in_text_column(text)?)),
            _ => None,
        },
    }
}

fn from_text<'a>(text: &'a str, to: &Kind) -> Option<Datum<'a>> {
    Some(match to.data_type {
        DataType::Text => Datum::Text(Cow::Borrowed(text)),
        DataType::Timestamp if to.is_fine() => nanos(text, datetime::parse_timestamp(text)?, to),
        DataType::Time if to.is_fine() => nanos(text, datetime::parse_time(text)?, to),
        DataType::Timestamp => timestamp(datetime::parse_timestamp(text)?, to),
        DataType::Bigint => Datum::Int(integer_of_text(text)?),
        DataType::Double => Datum::Double(double_of_text(text)?),
        DataType::Bool => Datum::Bool(bool_of_text(text)?),
        DataType::Date => Datum::Days(datetime::parse_date(text)?),
        DataType::Time => time(datetime::parse_time(text)?, to),
        DataType::Decimal | DataType::Wei => Datum::Decimal(decimal_of_text(text, to)?),
        DataType::Binary => Datum::Bytes(bytes_of_text(text)?),
        DataType::Json => match json::from_text(text)? {
            json if json == "null" => Datum::Null,
            json => Datum::Json(json),
        },
    })
}

/// A JSON number without fraction and exponent: an int in Python.
fn from_integer<'a>(number: &'a str, to: &Kind) -> Option<Datum<'a>> {
    Some(match to.data_type {
        DataType::Bigint => Datum::Int(integer_of_number(number)?),
        DataType::Double if is_beyond_64_bits(number) && !is_exact(number) => return None,
        DataType::Double => Datum::Double(finite(number)?),
        DataType::Text => Datum::Text(Cow::Borrowed(if number == "-0" { "0" } else { number })),
        DataType::Bool => Datum::Bool(number.bytes().any(|byte| matches!(byte, b'1'..=b'9'))),
        DataType::Timestamp => timestamp(datetime::from_epoch(number.parse().ok()?)?, to),
        DataType::Date => {
            Datum::Days(datetime::date_of(datetime::from_epoch(number.parse().ok()?)?))
        }
        DataType::Decimal | DataType::Wei => Datum::Decimal(decimal::scaled(number, to.decimal())?),
        DataType::Binary => {
            // Little-endian without leading zeros; empty for zero. Negative integers do not fit.
            let value: u64 = if number == "-0" { 0 } else { number.parse().ok()? };
            let len = (u64::BITS - value.leading_zeros()).div_ceil(8);
            Datum::Bytes(value.to_le_bytes().into_iter().take(len as usize).collect())
        }
        DataType::Time | DataType::Json => return None,
    })
}

/// A JSON number with a fraction or an exponent: a float in Python.
fn from_float<'a>(number: &'a str, to: &Kind) -> Option<Datum<'a>> {
    Some(match to.data_type {
        DataType::Double => Datum::Double(finite(number)?),
        DataType::Bigint => Datum::Int(integer_of_number(number)?),
        DataType::Text => Datum::Text(match finite(number) {
            Some(value) => Cow::Owned(python::float_repr(value)),
            None => Cow::Borrowed(number),
        }),
        DataType::Bool => Datum::Bool(finite(number)? != 0.0),
        DataType::Timestamp => timestamp(datetime::from_epoch_seconds(finite(number)?)?, to),
        DataType::Date => {
            Datum::Days(datetime::date_of(datetime::from_epoch_seconds(finite(number)?)?))
        }
        DataType::Decimal | DataType::Wei => Datum::Decimal(decimal::scaled(number, to.decimal())?),
        DataType::Time | DataType::Json | DataType::Binary => return None,
    })
}

fn form_of_number(number: &str) -> DataType {
    if small_integer(number).is_some() {
        DataType::Bigint
    } else if is_integer(number) {
        match number.strip_prefix('-').unwrap_or(number).len() {
            _ if number.parse::<i64>().is_ok() => DataType::Bigint,
            // The range of Snowflake's NUMBER.
            0..=38 => DataType::Wei,
            _ => DataType::Text,
        }
    } else if finite(number).is_some() {
        DataType::Double
    } else {
        // For example 1e400, where dlt cannot read the page.
        DataType::Text
    }
}

/// The integer value of a JSON number of up to 18 digits. `None`: not decided here.
fn small_integer(number: &str) -> Option<i64> {
    let (negative, digits) = match number.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.len() > 18 {
        return None;
    }
    let value = digits.iter().try_fold(0, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then(|| value * 10 + i64::from(digit))
    })?;
    Some(if negative { -value } else { value })
}

/// The integer value of a JSON number in any notation.
fn integer_of_number(number: &str) -> Option<i64> {
    // 19 digits cover every `i64` and more.
    decimal::scaled(number, (19, 0))?.try_into().ok()
}

/// Returns `true` if dlt would not read an integer as an int.
fn is_beyond_64_bits(number: &str) -> bool {
    number.len() > 18 && number.parse::<u64>().is_err() && number.parse::<i64>().is_err()
}

/// Returns `true` if a double represents an integer exactly: it has at most 53 significant bits.
pub(crate) fn is_exact(number: &str) -> bool {
    match number.parse::<i128>() {
        Ok(value) => is_exact_integer(value),
        Err(_) => false,
    }
}

/// Like [`is_exact`], for an integer.
pub(crate) fn is_exact_integer(value: i128) -> bool {
    let magnitude = value.unsigned_abs();
    magnitude == 0 || 128 - magnitude.leading_zeros() - magnitude.trailing_zeros() <= 53
}

fn finite(number: &str) -> Option<f64> {
    number.parse().ok().filter(|value: &f64| value.is_finite())
}

fn timestamp<'a>(micros: i64, to: &Kind) -> Datum<'a> {
    Datum::Micros(to.precision.map_or(micros, |precision| datetime::truncate(micros, precision)))
}

fn time<'a>(micros: i64, to: &Kind) -> Datum<'a> {
    Datum::TimeMicros(
        to.precision.map_or(micros, |precision| datetime::truncate(micros, precision)),
    )
}

/// Adds the digits of a text behind its microseconds, in nanoseconds.
fn nanos<'a>(text: &str, micros: i64, to: &Kind) -> Datum<'a> {
    let unit = 10_i128.pow(9_u32.saturating_sub(to.precision.unwrap_or(9)));
    let nanos = i128::from(micros) * 1000 + i128::from(datetime::nanos_of(text));
    Datum::Nanos(nanos - nanos.rem_euclid(unit))
}

/// Source: `_text_to_bigint`.
fn integer_of_text(text: &str) -> Option<i64> {
    // Rust parses an optional sign and ASCII digits, which have the same value in Python.
    if let Ok(value) = text.parse() {
        return Some(value);
    }
    let text = python::trim(text);
    let (text, radix) = hexadecimal(text).map_or((text, 10), |digits| (digits, 16));
    let (negative, digits) = python::int(text, radix)?;
    let magnitude = i128::from_str_radix(&digits, radix).ok()?;
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// Source: `_text_to_double`. The result may be infinite or NaN if the text says so.
fn double_of_text(text: &str) -> Option<f64> {
    let text = python::trim(text);
    let Some(digits) = hexadecimal(text) else {
        return python::float(text);
    };
    let (negative, digits) = python::int(digits, 16)?;
    let digits = digits.trim_start_matches('0');
    // The first 31 digits exceed the precision of a float. The rest affects the rounding only by
    // whether it is all zeros.
    let (head, tail) = digits.split_at(digits.len().min(31));
    let head = if head.is_empty() { 0 } else { u128::from_str_radix(head, 16).ok()? };
    let sticky = u128::from(tail.bytes().any(|byte| byte != b'0'));
    let scale = 2_f64.powi(i32::try_from(tail.len() * 4).ok()? - 1);
    let value = (head << 1 | sticky) as f64 * scale;
    // An int has no negative zero.
    let value = if negative && value != 0.0 { -value } else { value };
    value.is_finite().then_some(value)
}

/// Source: `_text_to_decimal` and `_text_to_wei`.
fn decimal_of_text(text: &str, to: &Kind) -> Option<i128> {
    let text = python::trim(text);
    if let Some(digits) = hexadecimal(text) {
        let (negative, digits) = python::int(digits, 16)?;
        let magnitude = i128::from_str_radix(&digits, 16).ok()?;
        let sign = if negative { "-" } else { "" };
        return decimal::scaled(&format!("{sign}{magnitude}"), to.decimal());
    }
    // `Decimal` takes underscores anywhere.
    let text = python::ascii_digits(text);
    if text.contains('_') {
        return decimal::scaled(&text.replace('_', ""), to.decimal());
    }
    decimal::scaled(&text, to.decimal())
}

/// The digits after `0x`, if the trimmed text begins with it.
fn hexadecimal(text: &str) -> Option<&str> {
    text.strip_prefix("0x")
}

/// Source: `str2bool`.
fn bool_of_text(text: &str) -> Option<bool> {
    let is_in = |words: [&str; 5]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_in(["yes", "true", "t", "y", "1"]) {
        Some(true)
    } else if is_in(["no", "false", "f", "n", "0"]) {
        Some(false)
    } else {
        None
    }
}

/// Source: `_text_to_binary`: `bytes.fromhex` after `0x`, else strict base64.
fn bytes_of_text(text: &str) -> Option<Vec<u8>> {
    static BASE64: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        // Python ignores the bits behind the last byte.
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
    );
    let Some(hex) = hexadecimal(text) else {
        // Python also accepts superfluous padding.
        let unpadded = text.trim_end_matches('=');
        let whole = !unpadded.is_empty() && unpadded.len().is_multiple_of(4);
        return BASE64.decode(if whole { unpadded } else { text }).ok();
    };
    // Whitespace is allowed between bytes, not between the two digits of one.
    let words = hex.split([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let mut bytes = Vec::with_capacity(hex.len() / 2);
    for word in words {
        let (pairs, rest) = word.as_bytes().as_chunks();
        if !rest.is_empty() {
            return None;
        }
        for [high, low] in pairs {
            let value = |digit: u8| char::from(digit).to_digit(16);
            bytes.push((value(*high)? * 16 + value(*low)?) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
