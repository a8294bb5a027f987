//! One value as text.

use std::fmt::Write as _;

use crate::dlt::orjson::push_string;
use crate::dlt::python::float_repr;
use crate::fault::{Fault, Result};

/// A value that is not NULL.
pub(super) enum TextValue<'a> {
    Bool(bool),
    Bytes(&'a [u8]),
    /// A decimal in units of its last digit, and the digits after the point.
    Decimal(i128, u32),
    Double(f64),
    Int(i64),
    Integer(i128),
    Text(&'a [u8]),
}

impl TextValue<'_> {
    /// Appends the value as JSON.
    pub(super) fn push_json(&self, to: &mut String) -> Result<()> {
        match self {
            Self::Text(text) => push_string(to, utf8(text)?),
            // Readers have integers of 64 bits.
            Self::Bool(_) | Self::Int(_) => self.push_plain(to),
            _ => {
                to.push('"');
                self.push_plain(to);
                to.push('"');
            }
        }
        Ok(())
    }

    /// Appends the value as a field of CSV. Texts are quoted, so that an empty one is not NULL.
    pub(super) fn push_field(&self, to: &mut String) -> Result<()> {
        let text = match self {
            Self::Text(text) => utf8(text)?,
            // No bytes are a value, too.
            Self::Bytes([]) => "",
            _ => {
                self.push_plain(to);
                return Ok(());
            }
        };
        to.push('"');
        for (n, part) in text.split('"').enumerate() {
            if n > 0 {
                to.push_str("\"\"");
            }
            to.push_str(part);
        }
        to.push('"');
        Ok(())
    }

    fn push_plain(&self, to: &mut String) {
        match self {
            Self::Bool(value) => to.push_str(if *value { "true" } else { "false" }),
            Self::Bytes(bytes) => {
                const DIGITS: [char; 16] = [
                    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
                ];
                let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or('0');
                for byte in *bytes {
                    to.push(digit(byte >> 4));
                    to.push(digit(byte & 15));
                }
            }
            Self::Decimal(value, scale) => push_decimal(to, *value, *scale),
            Self::Double(value) if value.is_nan() => to.push_str("NaN"),
            Self::Double(value) => to.push_str(&float_repr(*value)),
            // Writing to a string does not fail.
            Self::Int(value) => drop(write!(to, "{value}")),
            Self::Integer(value) => drop(write!(to, "{value}")),
            Self::Text(_) => {}
        }
    }
}

fn utf8(text: &[u8]) -> Result<&str> {
    std::str::from_utf8(text).map_err(|_| Fault::internal("expected UTF-8 in a column of texts"))
}

fn push_decimal(to: &mut String, value: i128, scale: u32) {
    let digits = value.unsigned_abs().to_string();
    if value < 0 {
        to.push('-');
    }
    let scale = scale as usize;
    if scale == 0 {
        return to.push_str(&digits);
    }
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    to.push_str(whole);
    to.push('.');
    to.push_str(fraction);
}
