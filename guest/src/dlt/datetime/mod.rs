//! Instants, dates and times of day: which texts dlt accepts, their value, and how they are
//! written.
//!
//! Every string of a timestamp column is parsed here, and so is the first string of every new
//! column: ordinary text is rejected by its first characters, and the most common format is read at
//! fixed positions.
//!
//! All values are in UTC: a text without an offset is UTC, as in dlt's default context. Texts that
//! dlt accepts and then fails on (an offset of a day or more, an instant outside the years 1 to
//! 9999) are rejected.
//!
//! Source: dlt 1.31, `common/time.py`, and pendulum 3.3: first its ISO 8601 parser, then its
//! "common formats" (`parsing/__init__.py`).

mod parse;

use parse::{Moment, moment};

use crate::dlt::python;

const MICROS: i64 = 1_000_000;
const DAY_SECONDS: i64 = 86_400;
/// A day, in microseconds.
pub(crate) const DAY_MICROS: i64 = DAY_SECONDS * MICROS;
/// 0001-01-01T00:00:00 in seconds: the minimum of Python's `datetime`.
const FIRST_SECOND: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59 in seconds: the maximum of Python's `datetime`.
const LAST_SECOND: i64 = 253_402_300_799;

/// An instant parsed from a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Timestamp {
    /// Microseconds since 1970-01-01T00:00:00 UTC.
    pub(crate) micros: i64,
    /// Whether the text has an offset from UTC.
    pub(crate) had_offset: bool,
}

/// Parses a text that dlt infers to be a timestamp: a date *and* a time.
pub(crate) fn parse_iso(text: &str) -> Option<Timestamp> {
    if !may_have_date(text) {
        return None;
    }
    if let Some(timestamp) = parse::usual(text.as_bytes()) {
        return Some(timestamp);
    }
    match moment(text)? {
        Moment::Instant(timestamp) => Some(timestamp),
        Moment::Date(_) | Moment::Time { .. } => None,
    }
}

/// Parses a text as dlt coerces it to a timestamp: also a date alone, or a number of seconds since
/// 1970. Returns microseconds since 1970-01-01T00:00:00 UTC.
pub(crate) fn parse_timestamp(text: &str) -> Option<i64> {
    if let Some(timestamp) = parse::usual(text.as_bytes()) {
        return Some(timestamp.micros);
    }
    match moment(text) {
        Some(Moment::Instant(timestamp)) => Some(timestamp.micros),
        Some(Moment::Date(days)) => Some(i64::from(days) * DAY_MICROS),
        Some(Moment::Time { .. }) => None,
        None => from_epoch_seconds(python::float(text)?),
    }
}

/// Parses a text as dlt coerces it to a date: the UTC day of its timestamp, in days since
/// 1970-01-01.
///
/// CPython 3.11's `date.fromisoformat`, which dlt tries first, ignores two bytes behind a date of
/// eight characters (`20240101 Z`, `2024010199`). Such a text is parsed in full here.
pub(crate) fn parse_date(text: &str) -> Option<i32> {
    parse_timestamp(text).map(date_of)
}

/// Parses a day such as `2024-01-31`, in days since 1970-01-01.
pub(crate) fn parse_day(text: &str) -> Option<i32> {
    parse::day(text.as_bytes())
}

/// The seventh to ninth fractional digit of a text, and whether a later one is not zero.
fn behind_micros(text: &str) -> (u32, bool) {
    let fraction = text.split_once(['.', ',']).map_or("", |(_, fraction)| fraction);
    let mut digits = fraction.bytes().take_while(u8::is_ascii_digit).skip(6);
    let nanos = (0..3)
        .fold(0, |nanos, _| nanos * 10 + digits.next().map_or(0, |digit| u32::from(digit - b'0')));
    (nanos, digits.any(|digit| digit != b'0'))
}

/// The nanoseconds of a text beyond its microseconds.
pub(crate) fn nanos_of(text: &str) -> u32 {
    behind_micros(text).0
}

/// Returns `true` if a text has a digit other than zero behind its microseconds, or its
/// nanoseconds.
pub(crate) fn is_finer(text: &str, than_nanos: bool) -> bool {
    let (nanos, rest) = behind_micros(text);
    rest || !than_nanos && nanos != 0
}

/// Parses a text as dlt coerces it to a time: a time of day, in UTC if it has an offset. Returns
/// microseconds since midnight.
pub(crate) fn parse_time(text: &str) -> Option<i64> {
    match moment(text)? {
        Moment::Time { micros, offset } => Some((micros - offset).rem_euclid(DAY_MICROS)),
        Moment::Instant(_) | Moment::Date(_) => None,
    }
}

/// Converts seconds since 1970 to microseconds, rounding to the nearest, ties to even.
///
/// Source: CPython 3.11, `Python/pytime.c` (`_PyTime_DoubleToDenominator`).
pub(crate) fn from_epoch_seconds(seconds: f64) -> Option<i64> {
    let whole = seconds.trunc();
    // NaN is out of range, too.
    if !(whole >= FIRST_SECOND as f64 - 1.0 && whole <= LAST_SECOND as f64 + 1.0) {
        return None;
    }
    let micros = ((seconds - whole) * MICROS as f64).round_ties_even();
    in_range(whole as i64 * MICROS + micros as i64)
}

/// Converts whole seconds since 1970 to microseconds.
pub(crate) fn from_epoch(seconds: i64) -> Option<i64> {
    seconds.checked_mul(MICROS).and_then(in_range)
}

/// The UTC day of an instant, in days since 1970-01-01.
pub(crate) fn date_of(micros: i64) -> i32 {
    // An `i64` of microseconds spans 107 million days in each direction.
    micros.div_euclid(DAY_MICROS) as i32
}

/// Truncates an instant or a time of day to `precision` fractional digits, as dlt's
/// `reduce_pendulum_datetime_precision` does.
pub(crate) fn truncate(micros: i64, precision: u32) -> i64 {
    let unit = 10_i64.pow(6_u32.saturating_sub(precision));
    micros - micros.rem_euclid(unit)
}

/// Returns `false` if a text cannot begin with a year: a cheap check that rejects most texts.
fn may_have_date(text: &str) -> bool {
    // The shortest such text is "20241:2", which pendulum reads as year, hour and minute.
    let Some(head) = text.as_bytes().first_chunk::<7>() else {
        return false;
    };
    let [year @ .., _, _, _] = head;
    year.iter().all(u8::is_ascii_digit)
        // The common formats accept the digits of any script.
        || !head.is_ascii() && text.chars().take(4).all(|c| python::digit(c).is_some())
}

fn in_range(micros: i64) -> Option<i64> {
    let range = FIRST_SECOND * MICROS..=LAST_SECOND * MICROS + (MICROS - 1);
    range.contains(&micros).then_some(micros)
}

/// Converts a date of the proleptic Gregorian calendar to days since 1970-01-01.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn days_of(year: i32, month: u32, day: u32) -> i32 {
    let (month, day) = (month as i32, day as i32);
    let year = year - i32::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests;
