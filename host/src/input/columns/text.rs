//! Values as text: as cells, or as JSON if they are nested. The procedure's handler writes the same
//! text.

use std::io::{self, Write as _};

use arrow2::datatypes::TimeUnit;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Datelike as _, NaiveDate, Timelike as _};

use super::fault::invalid;

/// The form of a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// A cell of a row, with all digits.
    Cell,
    /// JSON. Digits beyond microseconds are truncated, and NaN is null.
    Json,
}

impl Form {
    /// Writes a string in JSON that has no characters that need escapes.
    fn quoted(
        self,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>,
    ) -> io::Result<()> {
        if self == Self::Cell {
            return write(out);
        }
        out.push(b'"');
        write(out)?;
        out.push(b'"');
        Ok(())
    }
}

pub(super) fn null(form: Form, out: &mut Vec<u8>) -> io::Result<()> {
    out.write_all(match form {
        Form::Cell => b"\\N",
        Form::Json => b"null",
    })
}

/// Writes the content of a cell with escapes.
pub(super) fn escaped(content: &[u8], out: &mut Vec<u8>) {
    let mut plain = 0;
    for (at, byte) in content.iter().enumerate() {
        let escape = match byte {
            b'\\' => b"\\\\",
            b'\t' => b"\\t",
            b'\n' => b"\\n",
            _ => continue,
        };
        out.extend_from_slice(content.get(plain..at).unwrap_or_default());
        out.extend_from_slice(escape);
        plain = at + 1;
    }
    out.extend_from_slice(content.get(plain..).unwrap_or_default());
}

/// Writes the JSON of a cell.
pub(super) fn json(json: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    match json {
        b"null" => null(Form::Cell, out),
        json => {
            escaped(json, out);
            Ok(())
        }
    }
}

pub(super) fn boolean(value: bool, form: Form, out: &mut Vec<u8>) -> io::Result<()> {
    out.write_all(match (form, value) {
        (Form::Cell, true) => b"t",
        (Form::Cell, false) => b"f",
        (Form::Json, true) => b"true",
        (Form::Json, false) => b"false",
    })
}

/// Writes the shortest digits with the same value, as Python does.
pub(super) fn double(value: f64, form: Form, out: &mut Vec<u8>) -> io::Result<()> {
    if !value.is_finite() {
        return match form {
            Form::Json => null(form, out),
            Form::Cell if value.is_nan() => out.write_all(b"NaN"),
            Form::Cell if value > 0.0 => out.write_all(b"Infinity"),
            Form::Cell => out.write_all(b"-Infinity"),
        };
    }
    let text = format!("{value:?}");
    let Some((digits, exponent)) = text.split_once('e') else {
        return out.write_all(text.as_bytes());
    };
    match exponent.strip_prefix('-') {
        Some(exponent) => write!(out, "{digits}e-{exponent:0>2}"),
        None => write!(out, "{digits}e+{exponent:0>2}"),
    }
}

pub(super) fn decimal(number: &str, scale: usize, out: &mut Vec<u8>) -> io::Result<()> {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("-", digits));
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    match fraction {
        "" => write!(out, "{sign}{whole}"),
        fraction => write!(out, "{sign}{whole}.{fraction}"),
    }
}

/// Writes a duration in seconds.
pub(super) fn duration(
    value: i64,
    unit: TimeUnit,
    form: Form,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    match form {
        Form::Cell => decimal(&value.to_string(), digits(unit), out),
        Form::Json => decimal(&micros(value, unit)?.to_string(), 6, out),
    }
}

/// The number of fractional digits of a second.
pub(super) const fn digits(unit: TimeUnit) -> usize {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// Converts to microseconds, truncating.
fn micros(value: i64, unit: TimeUnit) -> io::Result<i64> {
    let micros = match unit {
        TimeUnit::Second => value.checked_mul(1_000_000),
        TimeUnit::Millisecond => value.checked_mul(1000),
        TimeUnit::Microsecond => Some(value),
        TimeUnit::Nanosecond => Some(value / 1000),
    };
    micros.ok_or_else(|| invalid(&format!("{value} {unit:?}s are too many")))
}

/// Microseconds, and the nanoseconds beyond them, which are omitted in JSON.
fn parts(value: i64, unit: TimeUnit, form: Form) -> io::Result<(i64, u32)> {
    match (form, unit) {
        (Form::Cell, TimeUnit::Nanosecond) => {
            let nanos = u32::try_from(value.rem_euclid(1000)).unwrap_or_default();
            Ok((value.div_euclid(1000), nanos))
        }
        _ => Ok((micros(value, unit)?, 0)),
    }
}

pub(super) fn instant(
    value: i64,
    unit: TimeUnit,
    zone: bool,
    form: Form,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    let (micros, nanos) = parts(value, unit, form)?;
    let wrong = || format!("expected an instant of the years 1 to 9999, found {value} {unit:?}s");
    moment(micros, nanos, zone, form, out).map_err(|it| it.unwrap_or_else(|| invalid(&wrong())))
}

/// Writes an instant of microseconds and the nanoseconds beyond them.
pub(super) fn moment(
    micros: i64,
    nanos: u32,
    zone: bool,
    form: Form,
    out: &mut Vec<u8>,
) -> Result<(), Option<io::Error>> {
    let at = DateTime::from_timestamp_micros(micros).filter(|at| (1..=9999).contains(&at.year()));
    let at = at.ok_or(None)?;
    form.quoted(out, |out| {
        day(at.date_naive(), out)?;
        out.push(b'T');
        clock(at.hour(), at.minute(), at.second(), (at.timestamp_subsec_micros(), nanos), out)?;
        if zone { out.write_all(b"+00:00") } else { Ok(()) }
    })
    .map_err(Some)
}

pub(super) fn date(days: i64, form: Form, out: &mut Vec<u8>) -> io::Result<()> {
    let at = days.checked_mul(86_400).and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let at = at.filter(|at| (1..=9999).contains(&at.year())).ok_or_else(|| {
        invalid(&format!("expected a date of the years 1 to 9999, found day {days}"))
    })?;
    form.quoted(out, |out| day(at.date_naive(), out))
}

pub(super) fn time(value: i64, unit: TimeUnit, form: Form, out: &mut Vec<u8>) -> io::Result<()> {
    let (micros, nanos) = parts(value, unit, form)?;
    let wrong = |_| invalid(&format!("expected a time of the day, found {value} {unit:?}s"));
    let micros = u64::try_from(micros).map_err(wrong)?;
    let part = |unit, most: u64| u32::try_from(micros / unit % most).map_err(wrong);
    let hours = u32::try_from(micros / 3_600_000_000).map_err(wrong)?;
    if hours > 23 {
        return Err(invalid(&format!("expected a time of the day, found {value} {unit:?}s")));
    }
    let fraction = (part(1, 1_000_000)?, nanos);
    let (minutes, seconds) = (part(60_000_000, 60)?, part(1_000_000, 60)?);
    form.quoted(out, |out| clock(hours, minutes, seconds, fraction, out))
}

fn day(at: NaiveDate, out: &mut Vec<u8>) -> io::Result<()> {
    write!(out, "{:04}-{:02}-{:02}", at.year(), at.month(), at.day())
}

/// Writes a time of day. Its fraction is microseconds and the nanoseconds beyond them.
fn clock(
    hour: u32,
    minute: u32,
    second: u32,
    fraction: (u32, u32),
    out: &mut Vec<u8>,
) -> io::Result<()> {
    write!(out, "{hour:02}:{minute:02}:{second:02}")?;
    match fraction {
        (0, 0) => Ok(()),
        (micros, 0) => write!(out, ".{micros:06}"),
        (micros, nanos) => write!(out, ".{micros:06}{nanos:03}"),
    }
}

pub(super) fn text(value: &str, form: Form, out: &mut Vec<u8>) -> io::Result<()> {
    match form {
        Form::Cell => {
            escaped(value.as_bytes(), out);
            Ok(())
        }
        Form::Json => Ok(serde_json::to_writer(out, value)?),
    }
}

/// Writes bytes: hexadecimal digits in a cell, base64 in JSON.
pub(super) fn bytes(value: &[u8], form: Form, out: &mut Vec<u8>) -> io::Result<()> {
    match form {
        Form::Cell => {
            value.iter().for_each(|byte| hexadecimal(*byte, out));
            Ok(())
        }
        Form::Json => write!(out, "\"{}\"", STANDARD.encode(value)),
    }
}

pub(super) fn uuid(value: &[u8], form: Form, out: &mut Vec<u8>) -> io::Result<()> {
    form.quoted(out, |out| {
        for (n, byte) in value.iter().enumerate() {
            if matches!(n, 4 | 6 | 8 | 10) {
                out.push(b'-');
            }
            hexadecimal(*byte, out);
        }
        Ok(())
    })
}

fn hexadecimal(byte: u8, out: &mut Vec<u8>) {
    let digit = |nibble: u8| nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
    out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
}

/// Returns a column's name as JSON.
pub(super) fn name(name: &str) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(name)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        match write(&mut out) {
            Ok(()) => String::from_utf8(out).unwrap(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn numbers_are_written_as_python_does() {
        let check = |value: f64, cell: &str, json: &str| {
            assert_eq!(written(|out| double(value, Form::Cell, out)), cell);
            assert_eq!(written(|out| double(value, Form::Json, out)), json);
        };
        check(-0.0, "-0.0", "-0.0");
        check(1.5, "1.5", "1.5");
        check(1e-4, "0.0001", "0.0001");
        check(1.25e-5, "1.25e-05", "1.25e-05");
        check(1e15, "1000000000000000.0", "1000000000000000.0");
        check(1e16, "1e+16", "1e+16");
        check(-1e300, "-1e+300", "-1e+300");
        check(f64::NAN, "NaN", "null");
        check(f64::INFINITY, "Infinity", "null");
        check(f64::NEG_INFINITY, "-Infinity", "null");
        let check = |number: &str, scale, expect: &str| {
            assert_eq!(written(|out| decimal(number, scale, out)), expect);
        };
        check("12", 0, "12");
        check("-5", 2, "-0.05");
        check("12345", 2, "123.45");
        check("0", 6, "0.000000");
    }

    #[test]
    fn instants_have_every_digit_in_cells() {
        let check = |value, unit, zone, cell: &str, json: &str| {
            assert_eq!(written(|out| instant(value, unit, zone, Form::Cell, out)), cell);
            assert_eq!(written(|out| instant(value, unit, zone, Form::Json, out)), json);
        };
        check(0, TimeUnit::Second, false, "1970-01-01T00:00:00", "\"1970-01-01T00:00:00\"");
        check(
            -1,
            TimeUnit::Millisecond,
            true,
            "1969-12-31T23:59:59.999000+00:00",
            "\"1969-12-31T23:59:59.999000+00:00\"",
        );
        check(
            1_999,
            TimeUnit::Nanosecond,
            true,
            "1970-01-01T00:00:00.000001999+00:00",
            "\"1970-01-01T00:00:00.000001+00:00\"",
        );
        check(
            -1,
            TimeUnit::Nanosecond,
            false,
            "1969-12-31T23:59:59.999999999",
            "\"1970-01-01T00:00:00\"",
        );
        let late = "expected an instant of the years 1 to 9999, found 253402300800 Seconds";
        check(253_402_300_800, TimeUnit::Second, false, late, late);
        let most = format!("{} Seconds are too many", i64::MAX);
        check(i64::MAX, TimeUnit::Second, false, &most, &most);
        let check = |value, unit, cell: &str| {
            assert_eq!(written(|out| time(value, unit, Form::Cell, out)), cell);
        };
        check(86_399_999_999_999, TimeUnit::Nanosecond, "23:59:59.999999999");
        check(3_600_000, TimeUnit::Millisecond, "01:00:00");
    }

    #[test]
    fn cells_are_escaped() {
        let check = |value: &str, cell: &str| {
            assert_eq!(written(|out| text(value, Form::Cell, out)), cell);
        };
        check("", "");
        check("\\N", "\\\\N");
        check("a\tb\nc\\d\r", "a\\tb\\nc\\\\d\r");
        assert_eq!(written(|out| bytes(&[0, 255, 0x5a], Form::Cell, out)), "00ff5a");
        assert_eq!(written(|out| json(br#"{"a":"\n"}"#, out)), r#"{"a":"\\n"}"#);
        assert_eq!(written(|out| json(b"null", out)), "\\N");
    }
}
