//! Values as JSON, as the interface wants them of a host; the procedure's handler writes the same.

use std::io::{self, Write as _};

use arrow2::datatypes::TimeUnit;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Datelike as _, Timelike as _};

use super::invalid;

pub(super) fn null(out: &mut Vec<u8>) -> io::Result<()> {
    out.write_all(b"null")
}

/// The shortest digits that mean the same, as Python writes them. What is no number is null.
pub(super) fn double(value: f64, out: &mut Vec<u8>) -> io::Result<()> {
    if !value.is_finite() {
        return null(out);
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

/// Finer than microseconds is cut off, as in the tables.
pub(super) fn micros(value: i64, unit: TimeUnit) -> io::Result<i64> {
    let micros = match unit {
        TimeUnit::Second => value.checked_mul(1_000_000),
        TimeUnit::Millisecond => value.checked_mul(1000),
        TimeUnit::Microsecond => Some(value),
        TimeUnit::Nanosecond => Some(value / 1000),
    };
    micros.ok_or_else(|| invalid(&format!("{value} {unit:?}s are too many")))
}

pub(super) fn instant(value: i64, unit: TimeUnit, zone: bool, out: &mut Vec<u8>) -> io::Result<()> {
    let found = DateTime::from_timestamp_micros(micros(value, unit)?);
    let at = found.filter(|at| (1..=9999).contains(&at.year())).ok_or_else(|| {
        invalid(&format!("expected an instant of the years 1 to 9999, found {value} {unit:?}s"))
    })?;
    write!(out, "\"{:04}-{:02}-{:02}T", at.year(), at.month(), at.day())?;
    clock(at.hour(), at.minute(), at.second(), at.timestamp_subsec_micros(), out)?;
    out.write_all(if zone { b"+00:00\"" } else { b"\"" })
}

pub(super) fn date(days: i64, out: &mut Vec<u8>) -> io::Result<()> {
    let at = days.checked_mul(86_400).and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let at = at.filter(|at| (1..=9999).contains(&at.year())).ok_or_else(|| {
        invalid(&format!("expected a date of the years 1 to 9999, found day {days}"))
    })?;
    write!(out, "\"{:04}-{:02}-{:02}\"", at.year(), at.month(), at.day())
}

pub(super) fn time(value: i64, unit: TimeUnit, out: &mut Vec<u8>) -> io::Result<()> {
    let micros = micros(value, unit)?;
    let wrong = |_| invalid(&format!("expected a time of the day, found {value} {unit:?}s"));
    let micros = u64::try_from(micros).map_err(wrong)?;
    let part = |unit, most: u64| u32::try_from(micros / unit % most).map_err(wrong);
    let hours = u32::try_from(micros / 3_600_000_000).map_err(wrong)?;
    if hours > 23 {
        return Err(invalid(&format!("expected a time of the day, found {value} {unit:?}s")));
    }
    out.push(b'"');
    clock(hours, part(60_000_000, 60)?, part(1_000_000, 60)?, part(1, 1_000_000)?, out)?;
    out.push(b'"');
    Ok(())
}

fn clock(hour: u32, minute: u32, second: u32, micros: u32, out: &mut Vec<u8>) -> io::Result<()> {
    write!(out, "{hour:02}:{minute:02}:{second:02}")?;
    if micros > 0 { write!(out, ".{micros:06}") } else { Ok(()) }
}

pub(super) fn text(value: &str, out: &mut Vec<u8>) -> io::Result<()> {
    Ok(serde_json::to_writer(out, value)?)
}

pub(super) fn bytes(value: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    write!(out, "\"{}\"", STANDARD.encode(value))
}

pub(super) fn uuid(value: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    out.push(b'"');
    for (n, byte) in value.iter().enumerate() {
        if matches!(n, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        write!(out, "{byte:02x}")?;
    }
    out.push(b'"');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_python_does() {
        let check = |value: f64, expect: &str| {
            let mut out = Vec::new();
            double(value, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expect);
        };
        check(-0.0, "-0.0");
        check(1.5, "1.5");
        check(1e-4, "0.0001");
        check(1.25e-5, "1.25e-05");
        check(1e15, "1000000000000000.0");
        check(1e16, "1e+16");
        check(-1e300, "-1e+300");
        check(f64::NAN, "null");
        let check = |number: &str, scale, expect: &str| {
            let mut out = Vec::new();
            decimal(number, scale, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expect);
        };
        check("12", 0, "12");
        check("-5", 2, "-0.05");
        check("12345", 2, "123.45");
        check("0", 6, "0.000000");
    }

    #[test]
    fn instants_are_cut_to_microseconds() {
        let check = |value, unit, zone, expect: &str| {
            let mut out = Vec::new();
            let text = match instant(value, unit, zone, &mut out) {
                Ok(()) => String::from_utf8(out).unwrap(),
                Err(error) => error.to_string(),
            };
            assert_eq!(text, expect);
        };
        check(0, TimeUnit::Second, false, "\"1970-01-01T00:00:00\"");
        check(-1, TimeUnit::Millisecond, true, "\"1969-12-31T23:59:59.999000+00:00\"");
        check(1_999, TimeUnit::Nanosecond, true, "\"1970-01-01T00:00:00.000001+00:00\"");
        check(
            253_402_300_800,
            TimeUnit::Second,
            false,
            "expected an instant of the years 1 to 9999, found 253402300800 Seconds",
        );
        check(i64::MAX, TimeUnit::Second, false, &format!("{} Seconds are too many", i64::MAX));
    }
}
