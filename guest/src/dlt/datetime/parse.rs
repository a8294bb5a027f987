//! The grammars: pendulum's ISO 8601 parser and its common formats.

use super::{DAY_MICROS, DAY_SECONDS, MICROS, Timestamp, days_of, in_range};
use crate::dlt::python;

/// The result of parsing a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Moment {
    /// A date with a time.
    Instant(Timestamp),
    /// A date alone, in days since 1970-01-01.
    Date(i32),
    /// A time of day alone, in microseconds since midnight.
    Time {
        /// In local time at the offset.
        micros: i64,
        /// East of UTC, in microseconds; 0 if the text has no offset.
        offset: i64,
    },
}

/// Parses the most common format: `YYYY-MM-DDTHH:MM:SS`, or a space for the `T`, with or without a
/// fraction and an offset. `None`: the text may still have another format.
pub(super) fn usual(text: &[u8]) -> Option<Timestamp> {
    let (head, tail) = text.split_first_chunk::<19>()?;
    let &[a, b, c, d, b'-', e, f, b'-', g, h, b'T' | b' ', i, j, b':', k, l, b':', m, n] = head
    else {
        return None;
    };
    let digits = [a, b, c, d, e, f, g, h, i, j, k, l, m, n].map(|byte| byte.wrapping_sub(b'0'));
    if digits.iter().any(|digit| *digit > 9) {
        return None;
    }
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = digits.map(u32::from);
    let clock = Clock { hour: i * 10 + j, minute: k * 10 + l, second: m * 10 + n, fraction: 0 };
    let mut rest = ByteCursor { rest: tail };
    let clock = Clock { fraction: rest.fraction()?, ..clock };
    let offset = rest.offset()?;
    if !rest.is_at_end() {
        return None;
    }
    let day = date(a * 1000 + b * 100 + c * 10 + d, e * 10 + f, g * 10 + h)?;
    instant(day, clock.micros()?, offset)
}

/// Parses `YYYY-MM-DD`, in days since 1970-01-01.
pub(super) fn day(text: &[u8]) -> Option<i32> {
    let &[a, b, c, d, b'-', e, f, b'-', g, h] = text else { return None };
    let digits = [a, b, c, d, e, f, g, h].map(|byte| byte.wrapping_sub(b'0'));
    if digits.iter().any(|digit| *digit > 9) {
        return None;
    }
    let [a, b, c, d, e, f, g, h] = digits.map(u32::from);
    date(a * 1000 + b * 100 + c * 10 + d, e * 10 + f, g * 10 + h)
}

/// Parses a date, a time, or both.
pub(super) fn moment(text: &str) -> Option<Moment> {
    iso(text.as_bytes()).or_else(|| common(python::ascii_digits(text).as_bytes()))
}

/// Dates and times as pendulum's ISO 8601 parser reads them. Its intervals and durations are
/// omitted: dlt does not use them.
fn iso(text: &[u8]) -> Option<Moment> {
    let mut text = ByteCursor { rest: text };
    if text.peek() == b'T' {
        return text.iso_time(false, None)?.alone(&text);
    }
    let century = text.digits(2)?;
    if text.peek() == b':' {
        return text.iso_time(true, Some(century))?.alone(&text);
    }
    let year = century * 100 + text.digits(2)?;
    let (day, extended) = text.iso_date(year)?;
    if text.is_at_end() {
        return Some(Moment::Date(day));
    }
    let time = text.iso_time(extended, None)?;
    if !text.is_at_end() {
        return None;
    }
    Some(Moment::Instant(instant(day, time.clock.micros()?, time.offset)?))
}

/// The common formats: the part of pendulum's regular expression `COMMON` that remains. Its date
/// and time are both optional and need no separator.
fn common(text: &[u8]) -> Option<Moment> {
    let whole = ByteCursor { rest: text };
    // The first match of the whole text decides, even if its value is invalid: "202410:00" has the
    // month 10 and the day 00.
    let mut rest = whole;
    if let Some((year, month, day)) = rest.common_date()
        && let Some(time) = rest.common_time()
    {
        return with_time(date(year, month, day)?, time);
    }
    let mut rest = whole;
    if let Some(year) = rest.digits(4)
        && let Some(time) = rest.common_time()
    {
        return with_time(date(year, 1, 1)?, time);
    }
    let mut rest = whole;
    let micros = rest.common_time()??.micros()?;
    Some(Moment::Time { micros, offset: 0 })
}

fn with_time(day: i32, time: Option<Clock>) -> Option<Moment> {
    match time {
        None => Some(Moment::Date(day)),
        Some(clock) => Some(Moment::Instant(instant(day, clock.micros()?, None)?)),
    }
}

/// A calendar date in days since 1970-01-01.
fn date(year: u32, month: u32, day: u32) -> Option<i32> {
    let days_in_month = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => return None,
    };
    let exists = (1..=9999).contains(&year) && (1..=days_in_month).contains(&day);
    exists.then(|| days_of(year as i32, month, day))
}

fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// An instant from a day, a time of day and an offset, the latter two in microseconds.
fn instant(day: i32, micros: i64, offset: Option<i64>) -> Option<Timestamp> {
    let micros = in_range(i64::from(day) * DAY_MICROS + micros - offset.unwrap_or(0))?;
    Some(Timestamp { micros, had_offset: offset.is_some() })
}

/// A time of day by its parts.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    hour: u32,
    minute: u32,
    second: u32,
    /// Microseconds.
    fraction: u32,
}

impl Clock {
    /// Microseconds since midnight. The hour 24 and the second 60 are invalid.
    fn micros(self) -> Option<i64> {
        let Self { hour, minute, second, fraction } = self;
        let exists = hour < 24 && minute < 60 && second < 60;
        let seconds = i64::from(hour * 3600 + minute * 60 + second);
        exists.then(|| seconds * MICROS + i64::from(fraction))
    }
}

/// A time of day in ISO 8601.
struct IsoTime {
    clock: Clock,
    /// East of UTC, in microseconds.
    offset: Option<i64>,
}

impl IsoTime {
    /// The time, if it ends the text.
    fn alone(&self, rest: &ByteCursor<'_>) -> Option<Moment> {
        let micros = self.clock.micros()?;
        rest.is_at_end().then(|| Moment::Time { micros, offset: self.offset.unwrap_or(0) })
    }
}

/// The unread rest of the text.
#[derive(Clone, Copy)]
struct ByteCursor<'a> {
    rest: &'a [u8],
}

impl ByteCursor<'_> {
    fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte, or 0 at the end. No caller looks for 0.
    fn peek(&self) -> u8 {
        self.rest.first().copied().unwrap_or(0)
    }

    fn skip(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    /// Skips the next byte if it is the given one.
    fn take(&mut self, byte: u8) -> bool {
        let found = !self.is_at_end() && self.peek() == byte;
        if found {
            self.skip();
        }
        found
    }

    fn digit(&mut self) -> Option<u32> {
        let digit = self.peek().wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        self.skip();
        Some(u32::from(digit))
    }

    /// A number of exactly `count` digits.
    fn digits(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |value, _| Some(value * 10 + self.digit()?))
    }

    /// A number of one or two digits.
    fn one_or_two_digits(&mut self) -> Option<u32> {
        let value = self.digit()?;
        Some(self.digit().map_or(value, |next| value * 10 + next))
    }

    /// Microseconds after a point or a comma. At least one digit is required; digits after the
    /// sixth are ignored.
    fn fraction(&mut self) -> Option<u32> {
        if !self.take(b'.') && !self.take(b',') {
            return Some(0);
        }
        let mut value = self.digit()?;
        let mut count = 1;
        while let Some(digit) = self.digit() {
            if count < 6 {
                value = value * 10 + digit;
                count += 1;
            }
        }
        Some(value * 10_u32.pow(6 - count))
    }

    /// The offset from UTC in microseconds, if there is one: `Z`, `+hh`, `+hhmm`, `+hh:mm`, and
    /// `+hh:`.
    fn offset(&mut self) -> Option<Option<i64>> {
        if self.take(b'Z') {
            return Some(Some(0));
        }
        let sign = match self.peek() {
            b'+' => 1,
            b'-' => -1,
            _ => return Some(None),
        };
        self.skip();
        let hours = self.digits(2)?;
        self.take(b':');
        let minutes = if self.is_at_end() { 0 } else { self.digits(2)? };
        let seconds = i64::from(hours * 60 + minutes) * 60;
        (seconds < DAY_SECONDS).then_some(Some(sign * seconds * MICROS))
    }

    /// The rest of a date after the year, and whether it has the extended format, with hyphens.
    fn iso_date(&mut self, year: u32) -> Option<(i32, bool)> {
        let extended = self.take(b'-');
        if self.take(b'W') {
            let week = self.digits(2)?;
            let weekday = match self.peek() {
                _ if self.ends_date() => 1,
                b'-' if extended => {
                    self.skip();
                    self.digit()?
                }
                _ if extended => return None,
                _ => self.digit()?,
            };
            return Some((iso_week(year, week, weekday)?, extended));
        }
        let month = self.digits(2)?;
        let day = if extended {
            if self.ends_date() {
                return Some((date(year, month, 1)?, extended));
            }
            if !self.take(b'-') {
                let ordinal = month * 10 + self.digit()?;
                return Some((day_of_year(year, ordinal)?, extended));
            }
            self.digits(2)?
        } else {
            let digit = self.digit()?;
            if self.ends_date() {
                return Some((day_of_year(year, month * 10 + digit)?, extended));
            }
            digit * 10 + self.digit()?
        };
        Some((date(year, month, day)?, extended))
    }

    fn ends_date(&self) -> bool {
        self.is_at_end() || matches!(self.peek(), b' ' | b'T')
    }

    /// A time of day after a `T` or a space, or after an hour that is already read. Its format,
    /// extended or basic, must be the date's, unless it is an hour or minute only.
    fn iso_time(&mut self, extended: bool, hour: Option<u32>) -> Option<IsoTime> {
        let hour = match hour {
            Some(hour) => hour,
            None if self.take(b'T') || self.take(b' ') => self.digits(2)?,
            None => return None,
        };
        let mut clock = Clock { hour, ..Clock::default() };
        if !self.ends_time() {
            let with_colons = self.take(b':');
            clock.minute = self.digits(2)?;
            if !self.ends_time() {
                if with_colons && !self.take(b':') {
                    return None;
                }
                clock.second = self.digits(2)?;
                clock.fraction = self.fraction()?;
                if with_colons != extended {
                    return None;
                }
            }
            if extended && !with_colons {
                return None;
            }
        }
        Some(IsoTime { clock, offset: self.offset()? })
    }

    fn ends_time(&self) -> bool {
        self.is_at_end() || matches!(self.peek(), b'Z' | b'+' | b'-')
    }

    /// Year, month and day, separated by slashes, colons or nothing.
    fn common_date(&mut self) -> Option<(u32, u32, u32)> {
        let year = self.digits(4)?;
        let _ = self.take(b'/') || self.take(b':');
        let month = self.digits(2)?;
        let _ = self.take(b'/') || self.take(b':');
        Some((year, month, self.digits(2)?))
    }

    /// The time of day at the end of the text; `Some(None)` if the text has ended. The grammar
    /// allows a missing minute, on which dlt fails.
    fn common_time(&mut self) -> Option<Option<Clock>> {
        if self.is_at_end() {
            return Some(None);
        }
        self.take(b' ');
        let hour = self.one_or_two_digits()?;
        if !self.take(b':') {
            return None;
        }
        // A minute of 60 makes the time invalid.
        let minute = self.one_or_two_digits().unwrap_or(60);
        let second = if self.take(b':') { self.one_or_two_digits()? } else { 0 };
        let mut fraction = 0;
        if self.take(b'.') || self.take(b'|') || self.take(b',') {
            let digits = self.rest.len();
            if digits > 9 {
                return None;
            }
            for place in 0..digits {
                let digit = self.digit()?;
                fraction += if place < 6 { digit * 10_u32.pow(5 - place as u32) } else { 0 };
            }
            if digits == 0 {
                return None;
            }
        }
        self.is_at_end().then_some(Some(Clock { hour, minute, second, fraction }))
    }
}

/// The day with the given number in its year.
fn day_of_year(year: u32, ordinal: u32) -> Option<i32> {
    let exists = (1..=365 + u32::from(is_leap(year))).contains(&ordinal);
    if exists { Some(date(year, 1, 1)? + ordinal as i32 - 1) } else { None }
}

/// A day of an ISO week. pendulum accepts the weekday 0: the Sunday before.
fn iso_week(year: u32, week: u32, weekday: u32) -> Option<i32> {
    let first = week_one(year)?;
    let weeks = (week_one(year + 1)? - first) / 7;
    if week > weeks as u32 || weekday > 7 {
        return None;
    }
    let day = first + (week as i32 - 1) * 7 + weekday as i32 - 1;
    // The week 0 is accepted, too.
    (days_of(1, 1, 1)..=days_of(9999, 12, 31)).contains(&day).then_some(day)
}

/// The Monday of the year's first ISO week, which is the one with 4 January.
fn week_one(year: u32) -> Option<i32> {
    let fourth = days_of(i32::try_from(year).ok()?, 1, 4);
    // 1970-01-01 was a Thursday.
    Some(fourth - (fourth + 3).rem_euclid(7))
}
