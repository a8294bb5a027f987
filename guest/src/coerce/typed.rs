//! Values whose type the source tells: those of Parquet, Arrow and databases.
//!
//! Such a value goes into a column of another type only if the column holds all of it: every digit of a
//! decimal, the time of a timestamp. If it does not, the value goes to a variant column of its own type.
//! (JSON is read by dlt's rules, which cut a text to the date of a date column, for example.)

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Datum, Scalar, coerce, decimal, finite, from_float, from_text};
use crate::datetime;
use crate::kind::{DataType, Kind};
use crate::python;

/// A value and its type.
#[derive(Clone, Debug, PartialEq)]
pub struct Typed<'a> {
    /// The value as a cell has it: binary in hexadecimal digits, everything else as in JSON, without
    /// quotes and escapes.
    pub text: Cow<'a, str>,
    /// Its type.
    pub kind: Kind,
}

impl Typed<'_> {
    /// The value as JSON has it: a number, true or false, or a text.
    #[inline]
    pub fn scalar(&self) -> Scalar<'_> {
        let text = self.text.as_ref();
        match self.kind.data_type {
            DataType::Bigint | DataType::Wei if is_integer(text) => Scalar::Number(text),
            DataType::Decimal | DataType::Double if is_number(text) => Scalar::Number(text),
            DataType::Bool => bool_of(text).map_or(Scalar::Text(text), Scalar::Bool),
            _ => Scalar::Text(text),
        }
    }

    /// The text of the value in JSON, without escapes: binary is base64 there.
    pub fn spelled(&self) -> Cow<'_, str> {
        let text = Cow::Borrowed(self.text.as_ref());
        match self.kind.data_type {
            DataType::Binary => {
                bytes(&text).map_or(text, |bytes| Cow::Owned(STANDARD.encode(bytes)))
            }
            _ => text,
        }
    }

    /// The value in a text column. What is not what its type says is kept as it is.
    fn shown(&self) -> Cow<'_, str> {
        let python = match self.scalar() {
            Scalar::Bool(_) | Scalar::Number(_) if self.kind.data_type != DataType::Decimal => {
                coerce(&self.scalar(), &Kind::of(DataType::Text))
            }
            _ => None,
        };
        match python {
            Some(Datum::Text(text)) => Cow::Owned(text.into_owned()),
            _ => self.spelled(),
        }
    }

    /// The type of a new column for it, which it fits: text if it is not what its type says.
    pub(super) fn own(&self) -> Kind {
        match self.datum(&self.kind) {
            Some(_) => self.kind,
            None => Kind::of(DataType::Text),
        }
    }

    /// The value in a column of that type. None: it does not fit.
    pub(super) fn datum(&self, to: &Kind) -> Option<Datum<'_>> {
        use DataType as T;
        let text = self.text.as_ref();
        Some(match (self.kind.data_type, to.data_type) {
            // Every value is a text.
            (_, T::Text) => Datum::Text(self.shown()),
            (T::Bool, _) => return coerce(&Scalar::Bool(bool_of(text)?), to),
            (T::Text | T::Json, _) => return from_text(text, to),
            (T::Bigint, _) if is_integer(text) => return coerce(&Scalar::Number(text), to),
            (T::Double, T::Double) => Datum::Double(double(text)?),
            (T::Double, _) => {
                finite(text)?;
                return from_float(text, to);
            }
            (T::Binary, T::Binary) => Datum::Bytes(bytes(text)?),
            (T::Decimal | T::Wei, T::Decimal | T::Wei) => {
                Datum::Decimal(decimal::scaled(text, to.decimal())?)
            }
            (T::Decimal | T::Wei, T::Bigint) => {
                Datum::Int(decimal::scaled(text, (19, 0))?.try_into().ok()?)
            }
            (T::Decimal | T::Wei, T::Double) => Datum::Double(exact_double(text, &self.kind)?),
            (T::Date, T::Date) => Datum::Days(datetime::parse_day(text)?),
            (T::Date, T::Timestamp) => {
                Datum::Micros(i64::from(datetime::parse_day(text)?) * datetime::DAY_MICROS)
            }
            (T::Timestamp, T::Timestamp) => {
                Datum::Micros(exact(text, datetime::parse_timestamp(text)?, to)?)
            }
            (T::Timestamp, T::Date) => {
                let micros =
                    exact(text, datetime::parse_timestamp(text)?, &Kind::of(T::Timestamp))?;
                let day = datetime::date_of(micros);
                (i64::from(day) * datetime::DAY_MICROS == micros).then_some(Datum::Days(day))?
            }
            (T::Time, T::Time) => Datum::TimeMicros(exact(text, datetime::parse_time(text)?, to)?),
            _ => return None,
        })
    }
}

/// `t` and `f`, as PostgreSQL writes them, or JSON's words.
fn bool_of(text: &str) -> Option<bool> {
    match text {
        "t" | "true" => Some(true),
        "f" | "false" => Some(false),
        _ => None,
    }
}

/// Whether a text is the digits of an integer, as in JSON.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn double(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// Whether a text is a number of JSON.
fn is_number(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            (mantissa, exponent.strip_prefix(['+', '-']).unwrap_or(exponent))
        }
        None => (text, "0"),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let whole = whole.strip_prefix('-').unwrap_or(whole);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    [whole, fraction, exponent].into_iter().all(digits) && (whole == "0" || !whole.starts_with('0'))
}

/// The double that means the same decimal number: its shortest digits are those of the number.
fn exact_double(text: &str, kind: &Kind) -> Option<f64> {
    let value = finite(text)?;
    let limits = (38, kind.decimal().1);
    let same =
        decimal::scaled(&python::float_repr(value), limits)? == decimal::scaled(text, limits)?;
    same.then_some(value)
}

/// An instant or a time of day, if it has no digit that the column cuts off.
fn exact(text: &str, micros: i64, to: &Kind) -> Option<i64> {
    let precision = to.precision.unwrap_or(6).min(6);
    let cut = datetime::truncate(micros, precision) != micros || datetime::is_finer(text);
    (!cut).then_some(micros)
}

/// The bytes that a text in base64 stands for, in hexadecimal digits.
pub fn hexadecimal_of(base64: &str) -> Option<String> {
    let bytes = STANDARD.decode(base64).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The bytes of hexadecimal digits.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks();
    if !rest.is_empty() {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16);
    pairs.iter().map(|[high, low]| u8::try_from(value(*high)? * 16 + value(*low)?).ok()).collect()
}
