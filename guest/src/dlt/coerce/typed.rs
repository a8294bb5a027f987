//! Values whose type is declared by the source: Parquet, Arrow and databases.
//!
//! Such a value is converted to the type of another column only if nothing is lost: every digit of
//! a decimal, the time of a timestamp. Otherwise it goes to a variant column of its own type. (JSON
//! values follow dlt's rules, which for example truncate a timestamp to the date of a date column.)

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Datum, Scalar, coerce, decimal, finite, from_float, from_text, nanos};
use crate::dlt::datetime;
use crate::dlt::python;
use crate::dlt::types::{DataType, Kind, StorageType};

/// A value and its type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Typed<'a> {
    /// The value in the notation of cells: binary in hexadecimal digits, everything else as in JSON
    /// without quotes and escapes.
    pub(crate) text: Cow<'a, str>,
    /// Its type.
    pub(crate) kind: Kind,
}

impl Typed<'_> {
    /// The value as a JSON scalar: a number, a boolean or a string.
    #[inline]
    pub(crate) fn scalar(&self) -> Scalar<'_> {
        let text = self.text.as_ref();
        let is_number = match self.kind.data_type.is_integer() {
            true => is_integer,
            false => is_number,
        };
        match self.kind.data_type.coarse_storage() {
            StorageType::Int | StorageType::Decimal | StorageType::Double if is_number(text) => {
                Scalar::Number(text)
            }
            StorageType::Bool => bool_of(text).map_or(Scalar::Text(text), Scalar::Bool),
            _ => Scalar::Text(text),
        }
    }

    /// The text of the value in JSON, unescaped: binary is base64.
    pub(crate) fn spelled(&self) -> Cow<'_, str> {
        let text = Cow::Borrowed(self.text.as_ref());
        match self.kind.data_type {
            DataType::Binary => {
                bytes(&text).map_or(text, |bytes| Cow::Owned(STANDARD.encode(bytes)))
            }
            _ => text,
        }
    }

    /// The value in a text column. A value that contradicts its type is unchanged.
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

    /// The type of a new column for it, which it fits: text if it contradicts its type.
    pub(super) fn own(&self) -> Kind {
        match self.datum(&self.kind) {
            Some(_) => self.kind,
            None => Kind::of(DataType::Text),
        }
    }

    /// Converts the value to the type of a column. `None`: it does not fit.
    pub(super) fn datum(&self, to: &Kind) -> Option<Datum<'_>> {
        use StorageType as T;
        let text = self.text.as_ref();
        Some(match (self.kind.data_type.coarse_storage(), to.data_type.coarse_storage()) {
            // Every value has a text form.
            (_, T::Text) => Datum::Text(self.shown()),
            (T::Bool, _) => return coerce(&Scalar::Bool(bool_of(text)?), to),
            (T::Text | T::Json, _) => return from_text(text, to),
            (T::Int, _) if is_integer(text) => return coerce(&Scalar::Number(text), to),
            (T::Double, T::Double) => Datum::Double(double(text)?),
            (T::Double, _) => {
                finite(text)?;
                return from_float(text, to);
            }
            (T::Bytes, T::Bytes) => Datum::Bytes(bytes(text)?),
            (T::Decimal, T::Decimal) => {
                let (precision, scale) = to.decimal();
                let limit = 10_u128.checked_pow(precision)?;
                let small = small_decimal(text, scale);
                let fits = small.filter(|value| value.unsigned_abs() < limit);
                Datum::Decimal(fits.or_else(|| decimal::scaled(text, (precision, scale)))?)
            }
            (T::Decimal, T::Int) => Datum::Int(decimal::scaled(text, (19, 0))?.try_into().ok()?),
            (T::Decimal, T::Double) => Datum::Double(exact_double(text, &self.kind)?),
            (T::Days, T::Days) => Datum::Days(datetime::parse_day(text)?),
            (T::Days, T::Micros) => {
                Datum::Micros(i64::from(datetime::parse_day(text)?) * datetime::DAY_MICROS)
            }
            (T::Micros, T::Micros) if to.is_fine() => {
                exact_nanos(text, datetime::parse_timestamp(text)?, to)?
            }
            (T::TimeMicros, T::TimeMicros) if to.is_fine() => {
                exact_nanos(text, datetime::parse_time(text)?, to)?
            }
            (T::Micros, T::Micros) => {
                Datum::Micros(exact(text, datetime::parse_timestamp(text)?, to)?)
            }
            (T::Micros, T::Days) => {
                let micros =
                    exact(text, datetime::parse_timestamp(text)?, &Kind::of(DataType::Timestamp))?;
                let day = datetime::date_of(micros);
                (i64::from(day) * datetime::DAY_MICROS == micros).then_some(Datum::Days(day))?
            }
            (T::TimeMicros, T::TimeMicros) => {
                Datum::TimeMicros(exact(text, datetime::parse_time(text)?, to)?)
            }
            _ => return None,
        })
    }
}

/// The number times ten to the power of the scale, if it has exactly that many fractional digits
/// and at most 18 digits in total. This fast path covers most decimals of files. `None`: not
/// decided here.
fn small_decimal(text: &str, scale: u32) -> Option<i128> {
    let bytes = text.as_bytes();
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let (whole, fraction) = match (digits.len().checked_sub(scale as usize), scale) {
        (Some(_), 0) => (digits, &[][..]),
        (Some(point), _) => {
            let (whole, fraction) = digits.split_at_checked(point)?;
            (whole.strip_suffix(b".")?, fraction)
        }
        (None, _) => return None,
    };
    if whole.is_empty() || whole.len() + fraction.len() > 18 {
        return None;
    }
    let value = whole.iter().chain(fraction).try_fold(0_i64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then(|| value * 10 + i64::from(digit))
    })?;
    Some(i128::from(if digits.len() < bytes.len() { -value } else { value }))
}

/// `t` and `f`, as PostgreSQL writes them, or JSON's `true` and `false`.
fn bool_of(text: &str) -> Option<bool> {
    match text {
        "t" | "true" => Some(true),
        "f" | "false" => Some(false),
        _ => None,
    }
}

/// Returns `true` if a text is an integer in JSON's notation.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn double(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// Returns `true` if a text is a JSON number.
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

/// The double with the same decimal value: its shortest digits are those of the number.
fn exact_double(text: &str, kind: &Kind) -> Option<f64> {
    let value = finite(text)?;
    let limits = (38, kind.decimal().1);
    let same =
        decimal::scaled(&python::float_repr(value), limits)? == decimal::scaled(text, limits)?;
    same.then_some(value)
}

/// An instant or a time of day, if the column truncates no digit of it.
fn exact(text: &str, micros: i64, to: &Kind) -> Option<i64> {
    let precision = to.precision.unwrap_or(6).min(6);
    let cut = datetime::truncate(micros, precision) != micros || datetime::is_finer(text, false);
    (!cut).then_some(micros)
}

/// Like [`exact`], in nanoseconds.
fn exact_nanos<'a>(text: &str, micros: i64, to: &Kind) -> Option<Datum<'a>> {
    let all = nanos(text, micros, &Kind { precision: Some(9), ..*to });
    (all == nanos(text, micros, to) && !datetime::is_finer(text, true)).then_some(all)
}

/// Converts base64 to hexadecimal digits.
pub(crate) fn hexadecimal_of(base64: &str) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Kind {
        let (word, digits) = text.split_once('(').unwrap_or((text, ""));
        let mut digits = digits.trim_end_matches(')').split(',').map(|digits| digits.parse().ok());
        let (word, timezone) = word.strip_suffix("_ntz").map_or((word, true), |word| (word, false));
        let data_type = DataType::parse(word).unwrap();
        let (precision, scale) = (digits.next().flatten(), digits.next().flatten());
        Kind { precision, scale, timezone, ..Kind::of(data_type) }
    }

    #[test]
    fn converts_only_without_loss() {
        let check = |of: &str, text: &str, to: &str, expect: Option<Datum<'_>>| {
            let typed = Typed { text: Cow::Borrowed(text), kind: kind(of) };
            assert_eq!(typed.datum(&kind(to)), expect, "{of} {text} {to}");
        };
        let text = |text: &'static str| Some(Datum::Text(Cow::Borrowed(text)));
        check("decimal(38,2)", "-1.50", "decimal(38,2)", Some(Datum::Decimal(-150)));
        check("decimal(38,2)", "1.50", "decimal(9,1)", Some(Datum::Decimal(15)));
        check("decimal(38,2)", "1.55", "decimal(9,1)", None);
        check("decimal(38,2)", "100.00", "decimal(4,2)", None);
        check(
            "decimal(38,2)",
            "999999999999999999999999999999999999.99",
            "decimal(38,2)",
            Some(Datum::Decimal(10_i128.pow(38) - 1)),
        );
        check("decimal(38,2)", "2.00", "bigint", Some(Datum::Int(2)));
        check("decimal(38,2)", "2.50", "bigint", None);
        check("decimal(38,2)", "0.10", "double", Some(Datum::Double(0.1)));
        check("decimal(38,2)", "12345678901234567890.12", "double", None);
        check("decimal(38,2)", "1.50", "text", text("1.50"));
        check("decimal(38,2)", "1.50", "date", None);
        check("decimal(38,2)", "NaN", "decimal(38,2)", None);
        check("bigint", "1", "decimal(9,2)", Some(Datum::Decimal(100)));
        check("bigint", "1", "bool", Some(Datum::Bool(true)));
        check("double", "1", "double", Some(Datum::Double(1.0)));
        check("double", "Infinity", "double", Some(Datum::Double(f64::INFINITY)));
        check("double", "Infinity", "bigint", None);
        check("double", "1e+16", "text", text("1e+16"));
        check("double", "2.0", "bigint", Some(Datum::Int(2)));
        check("bool", "t", "bool", Some(Datum::Bool(true)));
        check("bool", "false", "text", text("False"));
        check("bool", "x", "text", text("x"));
        check("date", "1970-01-02", "date", Some(Datum::Days(1)));
        check("date", "1970-01-02", "timestamp", Some(Datum::Micros(datetime::DAY_MICROS)));
        check("date", "1970-02-30", "date", None);
        check("timestamp", "1970-01-02T00:00:00+00:00", "date", Some(Datum::Days(1)));
        check("timestamp", "1970-01-02T00:00:01+00:00", "date", None);
        check(
            "timestamp_ntz",
            "1970-01-01T00:00:00.000001",
            "timestamp_ntz",
            Some(Datum::Micros(1)),
        );
        check(
            "timestamp_ntz",
            "1970-01-01T00:00:00.001",
            "timestamp_ntz(3)",
            Some(Datum::Micros(1000)),
        );
        check("timestamp_ntz", "1970-01-01T00:00:00.0001", "timestamp_ntz(3)", None);
        check("timestamp", "1970-01-01T01:00:00+01:00", "timestamp", Some(Datum::Micros(0)));
        check("timestamp", "1970-01-01T00:00:00.000001001Z", "timestamp", None);
        check(
            "timestamp",
            "1970-01-01T00:00:00.000001001Z",
            "timestamp(9)",
            Some(Datum::Nanos(1001)),
        );
        check(
            "timestamp",
            "1969-12-31T23:59:59.999999999Z",
            "timestamp(9)",
            Some(Datum::Nanos(-1)),
        );
        check("timestamp", "1970-01-01T00:00:00.00000001Z", "timestamp(8)", Some(Datum::Nanos(10)));
        check("timestamp", "1970-01-01T00:00:00.000000001Z", "timestamp(8)", None);
        check("timestamp", "1970-01-01T00:00:00.0000000001Z", "timestamp(9)", None);
        check("time(9)", "00:00:00.000000001", "time(9)", Some(Datum::Nanos(1)));
        check("time", "00:00:01.5", "time", Some(Datum::TimeMicros(1_500_000)));
        check("time", "00:00:01", "timestamp", None);
        check("binary", "00fF", "binary", Some(Datum::Bytes(vec![0, 255])));
        check("binary", "00f", "binary", None);
        check("binary", "00ff", "text", text("AP8="));
        check("text", "12", "bigint", Some(Datum::Int(12)));
    }

    #[test]
    fn small_decimal_agrees_with_the_general_conversion() {
        for scale in [0, 1, 2, 18] {
            for number in [
                "0",
                "-0",
                "1",
                "-12",
                "1.5",
                "0.05",
                "-0.05",
                ".5",
                "5.",
                "1e2",
                "",
                "-",
                ".",
                "1.2.3",
                "123456789012345678",
                "1234567890123456789",
                "0.123456789012345678",
                "9999999999999999.99",
            ] {
                if let Some(small) = small_decimal(number, scale) {
                    assert_eq!(
                        Some(small),
                        decimal::scaled(number, (38, scale)),
                        "{number} {scale}"
                    );
                }
            }
        }
        assert_eq!(small_decimal("-12.34", 2), Some(-1234));
    }
}
