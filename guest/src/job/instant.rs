//! Dates and times in the notation of the source, shifted and written in the same notation.
//!
//! Dates of ISO 8601 need no setting. RFC 2822 and formats of `strptime` are read if the job names
//! them.
//!
//! The formats are those that dlt detects (`detect_datetime_format` in `common/time.py`), and also
//! a blank for the `T` and an offset after hours or minutes. Unlike dlt, which writes fractions
//! with six digits, a fraction keeps its digits: strings are compared by code points, and
//! `.000000+0000` is not `.000+0000`.

use std::fmt::Write as _;

use chrono::format::{DelayedFormat, Parsed, StrftimeItems, parse};
use chrono::{
    DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike as _, Weekday,
};

/// A date or a time, and its notation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WrittenInstant {
    /// The local time.
    local: NaiveDateTime,
    /// The offset from UTC, if it has one.
    offset: Option<FixedOffset>,
    notation: Notation,
}

/// The notation of an instant.
#[derive(Clone, Debug, PartialEq)]
enum Notation {
    /// A date in this strftime format.
    Day(&'static str),
    /// The job's strftime format.
    Pattern {
        /// The format.
        pattern: String,
        /// `true` if it has no time of day.
        is_date: bool,
    },
    /// `Fri, 06 Sep 2024 10:00:00 +0000`.
    Rfc2822,
    /// A day and a time of day.
    Time {
        /// `T` or a blank.
        separator: char,
        /// The number of fields among hours, minutes and seconds.
        fields: usize,
        /// The number of digits of the fraction.
        fraction: usize,
        /// The notation of the offset.
        zone: Zone,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Zone {
    /// `+01:00`.
    Colon,
    /// No offset.
    None,
    /// `+0100`.
    Plain,
    /// `Z`.
    Z,
}

impl WrittenInstant {
    /// Parses a date or a time in any of the ISO formats.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if !text.is_ascii() {
            return None;
        }
        let Some(at) = text.find(['T', ' ']) else { return day(text) };
        let (date, rest) = text.split_at(at);
        let separator = rest.chars().next()?;
        let rest = rest.get(1..)?;
        let date = iso_day(date)?;
        let (clock, offset, zone) = match rest.find(['Z', '+', '-']) {
            None => (rest, None, Zone::None),
            Some(at) => {
                let (clock, zone) = rest.split_at(at);
                let (offset, zone) = offset(zone)?;
                (clock, Some(offset), zone)
            }
        };
        let (clock, fraction) = match clock.split_once('.') {
            Some((_, "")) => return None,
            Some((clock, fraction)) => (clock, fraction),
            None => (clock, ""),
        };
        let mut parts = clock.split(':').map(|part| number(part, 2));
        let (hour, minute, second) = (parts.next()??, parts.next(), parts.next());
        let fields = 1 + usize::from(minute.is_some()) + usize::from(second.is_some());
        if parts.next().is_some() || (!fraction.is_empty() && fields < 3) {
            return None;
        }
        let minute = minute.map_or(Some(0), |m| m)?;
        let second = second.map_or(Some(0), |s| s)?;
        let kept = fraction.get(..fraction.len().min(9))?;
        let scale = u32::try_from(9 - kept.len()).ok()?;
        let nanos = if kept.is_empty() { 0 } else { number(kept, kept.len())? * 10_u32.pow(scale) };
        if !fraction.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let time = NaiveTime::from_hms_nano_opt(hour, minute, second, nanos)?;
        let notation = Notation::Time { separator, fields, fraction: fraction.len(), zone };
        Some(Self { local: date.and_time(time), offset, notation })
    }

    /// Parses a date and a time in the notation of mails (RFC 2822).
    pub(crate) fn parse_rfc2822(text: &str) -> Option<Self> {
        let read = DateTime::parse_from_rfc2822(text.trim()).ok()?;
        Some(Self {
            local: read.naive_local(),
            offset: Some(*read.offset()),
            notation: Notation::Rfc2822,
        })
    }

    /// Parses a date or a time in a format of `strptime`; without an offset it is in UTC.
    pub(crate) fn parse_pattern(text: &str, pattern: &str) -> Option<Self> {
        let mut parsed = Parsed::new();
        parse(&mut parsed, text, StrftimeItems::new(pattern)).ok()?;
        let offset = parsed.to_fixed_offset().ok();
        let seconds = offset.map_or(0, |offset| offset.local_minus_utc());
        let (local, is_date) = match parsed.to_naive_datetime_with_offset(seconds) {
            Ok(local) => (local, false),
            Err(_) => (parsed.to_naive_date().ok()?.and_time(NaiveTime::MIN), true),
        };
        Some(Self {
            local,
            offset,
            notation: Notation::Pattern { pattern: pattern.to_owned(), is_date },
        })
    }

    /// Returns `true` if it is a date in one of the two formats that dlt reads as dates, or in the
    /// job's format.
    pub(crate) fn is_date(&self) -> bool {
        match &self.notation {
            Notation::Day(format) => matches!(*format, "%Y-%m-%d" | "%Y%m%d"),
            Notation::Pattern { is_date, .. } => *is_date,
            Notation::Rfc2822 | Notation::Time { .. } => false,
        }
    }

    /// The time in UTC; without an offset it is in UTC.
    pub(crate) fn utc(&self) -> Option<NaiveDateTime> {
        match self.offset {
            Some(offset) => self.local.checked_sub_offset(offset),
            None => Some(self.local),
        }
    }

    /// The text that Python prints: to the microsecond, with its offset.
    pub(crate) fn iso(&self) -> String {
        let micros = self.local.nanosecond() / 1000 % 1_000_000;
        let clock = if micros == 0 { "%Y-%m-%dT%H:%M:%S" } else { "%Y-%m-%dT%H:%M:%S%.6f" };
        let zone = self.offset.map_or_else(String::new, |offset| offset.to_string());
        format!("{}{zone}", self.local.format(clock))
    }

    /// The date in UTC; without an offset it is in UTC.
    pub(crate) fn utc_day(&self) -> Option<NaiveDate> {
        self.utc().map(|utc| utc.date())
    }

    /// The instant after this duration, which may be negative. The instant is shifted, not the
    /// local time.
    pub(crate) fn plus(self, delta: TimeDelta) -> Option<Self> {
        Some(Self { local: self.local.checked_add_signed(delta)?, ..self })
    }

    /// The same notation with another time, given in UTC.
    pub(crate) fn at_utc(self, utc: NaiveDateTime) -> Option<Self> {
        let local = match self.offset {
            Some(offset) => utc.checked_add_offset(offset)?,
            None => utc,
        };
        Some(Self { local, ..self })
    }

    /// The text in a strftime format, with its own offset. Fails if the format needs an offset and
    /// it has none.
    pub(crate) fn format<'f>(&self, format: &'f str) -> DelayedFormat<StrftimeItems<'f>> {
        match self.offset {
            Some(offset) => {
                DateTime::<FixedOffset>::from_naive_utc_and_offset(self.local - offset, offset)
                    .format(format)
            }
            None => self.local.format(format),
        }
    }

    /// The text in its own notation.
    pub(crate) fn text(&self) -> String {
        let (separator, fields, fraction, zone) = match &self.notation {
            Notation::Day(format) => return self.local.format(format).to_string(),
            Notation::Pattern { pattern, .. } => {
                let mut text = String::new();
                // It was parsed in this format, so that it has all fields of the format.
                return match write!(text, "{}", self.format(pattern)) {
                    Ok(()) => text,
                    Err(std::fmt::Error) => self.iso(),
                };
            }
            Notation::Rfc2822 => {
                return self.format("%a, %d %b %Y %H:%M:%S %z").to_string();
            }
            &Notation::Time { separator, fields, fraction, zone } => {
                (separator, fields, fraction, zone)
            }
        };
        let clock = match fields {
            1 => "%H",
            2 => "%H:%M",
            _ => "%H:%M:%S",
        };
        let mut text =
            format!("{}{separator}{}", self.local.format("%Y-%m-%d"), self.local.format(clock));
        if fraction > 0 {
            let nanos = format!("{:09}", self.local.nanosecond() % 1_000_000_000);
            text.push('.');
            text.extend(nanos.chars().chain(std::iter::repeat('0')).take(fraction));
        }
        let seconds = self.offset.map_or(0, |offset| offset.local_minus_utc());
        let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
        match zone {
            Zone::Colon => text + &format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60),
            Zone::None => text,
            Zone::Plain => text + &format!("{sign}{:02}{:02}", minutes / 60, minutes % 60),
            Zone::Z => text + "Z",
        }
    }
}

/// Parses a date.
fn day(text: &str) -> Option<WrittenInstant> {
    let part = |from: usize, to: usize| number(text.get(from..to)?, to - from);
    let dash = |at: usize| text.as_bytes().get(at) == Some(&b'-');
    let year = i32::try_from(part(0, 4)?).ok()?;
    let week = text.as_bytes().get(5) == Some(&b'W');
    let weekday = |n: u32| Weekday::try_from(u8::try_from(n.checked_sub(1)?).ok()?).ok();
    let (date, format) = match text.len() {
        4 => (NaiveDate::from_ymd_opt(year, 1, 1), "%Y"),
        6 => (NaiveDate::from_ymd_opt(year, part(4, 6)?, 1), "%Y%m"),
        7 if dash(4) => (NaiveDate::from_ymd_opt(year, part(5, 7)?, 1), "%Y-%m"),
        8 if dash(4) && week => {
            (NaiveDate::from_isoywd_opt(year, part(6, 8)?, Weekday::Mon), "%G-W%V")
        }
        8 if dash(4) => (NaiveDate::from_yo_opt(year, part(5, 8)?), "%Y-%j"),
        8 => (NaiveDate::from_ymd_opt(year, part(4, 6)?, part(6, 8)?), "%Y%m%d"),
        10 if dash(4) && week && dash(8) => {
            (NaiveDate::from_isoywd_opt(year, part(6, 8)?, weekday(part(9, 10)?)?), "%G-W%V-%u")
        }
        10 => (iso_day(text), "%Y-%m-%d"),
        _ => return None,
    };
    Some(WrittenInstant {
        local: date?.and_time(NaiveTime::MIN),
        offset: None,
        notation: Notation::Day(format),
    })
}

fn iso_day(text: &str) -> Option<NaiveDate> {
    let mut parts = text.split('-');
    let year = i32::try_from(number(parts.next()?, 4)?).ok()?;
    let (month, day) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if parts.next().is_some() { None } else { NaiveDate::from_ymd_opt(year, month, day) }
}

fn offset(text: &str) -> Option<(FixedOffset, Zone)> {
    if text == "Z" {
        return Some((FixedOffset::east_opt(0)?, Zone::Z));
    }
    let digits = text.get(1..)?;
    let (hours, minutes, zone) = match digits.split_once(':') {
        Some((hours, minutes)) => (hours, minutes, Zone::Colon),
        None => (digits.get(..2)?, digits.get(2..)?, Zone::Plain),
    };
    let seconds = i32::try_from(number(hours, 2)? * 3600 + number(minutes, 2)? * 60).ok()?;
    let offset = FixedOffset::east_opt(if text.starts_with('-') { -seconds } else { seconds })?;
    Some((offset, zone))
}

/// A number of exactly this many digits.
fn number(text: &str, digits: usize) -> Option<u32> {
    let all = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    if all { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_its_format() {
        for text in [
            "2024-02-29T23:59:59Z",
            "2024-02-29T23:59:59.5Z",
            "2024-02-29T23:59:59.123456789Z",
            "2024-02-29T23:59:59+00:00",
            "2024-02-29T23:59:59-0930",
            "1970-01-01T00:00:00.000+0000",
            "2024-02-29T23:59:59.120-09:30",
            "2024-02-29T23:59:59",
            "2024-02-29T23:59",
            "2024-02-29T23",
            "2024-02-29T23:59Z",
            "2024-02-29 23:59:59+02:00",
            "2024-02-29",
            "20240229",
            "2024-02",
            "202402",
            "2024",
            "2024-W09",
            "2024-W09-4",
            "2024-060",
        ] {
            let instant = WrittenInstant::parse(text).unwrap();
            assert_eq!(instant.text(), text);
            assert_eq!(instant.is_date(), matches!(text, "2024-02-29" | "20240229"), "{text}");
        }
    }

    #[test]
    fn reads_other_formats() {
        let check = |instant: Option<WrittenInstant>, utc: &str, shifted: &str, is_date: bool| {
            let instant = instant.unwrap();
            assert_eq!(instant.utc().unwrap().to_string(), utc);
            assert_eq!(instant.is_date(), is_date);
            assert_eq!(instant.plus(TimeDelta::days(-1)).unwrap().text(), shifted);
        };
        check(
            WrittenInstant::parse_rfc2822("Fri, 06 Sep 2024 10:00:00 +0200"),
            "2024-09-06 08:00:00",
            "Thu, 05 Sep 2024 10:00:00 +0200",
            false,
        );
        let pattern = |text, pattern| WrittenInstant::parse_pattern(text, pattern);
        check(pattern("9/2/2024", "%m/%d/%Y"), "2024-09-02 00:00:00", "09/01/2024", true);
        check(
            pattern("02.09.2024 7:30", "%d.%m.%Y %H:%M"),
            "2024-09-02 07:30:00",
            "01.09.2024 07:30",
            false,
        );
        check(
            pattern("20240902T073000+0200", "%Y%m%dT%H%M%S%z"),
            "2024-09-02 05:30:00",
            "20240901T073000+0200",
            false,
        );
        assert_eq!(WrittenInstant::parse_rfc2822("2024-09-06"), None);
        assert_eq!(WrittenInstant::parse_pattern("13/2/2024", "%m/%d/%Y"), None);
        assert_eq!(WrittenInstant::parse_pattern("9/2/2024 x", "%m/%d/%Y"), None);
    }

    #[test]
    fn invalid_instants_are_not_parsed() {
        for text in [
            "",
            "abc",
            "2024-13-01",
            "2023-02-29",
            "2024-1-1",
            "2024-02-29T",
            "2024-02-29T24:00",
            "2024-02-29T23:59:60Z",
            "2024-02-29T23:59:59.Z",
            "2024-02-29T23:59.5",
            "2024-02-29T23:59:59+1",
            "2024-02-29T23:59:59+24:00",
            "2024-02-29T23:59:59z",
            "2024-W54",
            "2024-W09-8",
            "2024-W09-0",
            "2024-367",
            "12345",
            "2024-02-29T23:59:59.1x",
            "２０２４",
            "2024-02-29T23:59:59:59",
        ] {
            assert_eq!(WrittenInstant::parse(text), None, "{text}");
        }
    }

    #[test]
    fn shifts_and_formats() {
        let check = |text: &str, seconds: i64, shifted: &str, formatted: &str| {
            let instant =
                WrittenInstant::parse(text).unwrap().plus(TimeDelta::seconds(seconds)).unwrap();
            assert_eq!(instant.text(), shifted);
            assert_eq!(instant.format("%Y-%m-%d %H:%M").to_string(), formatted);
        };
        check(
            "2024-03-01T00:30:00.000+0100",
            -3600,
            "2024-02-29T23:30:00.000+0100",
            "2024-02-29 23:30",
        );
        check("2024-03-01T00:00:00Z", -1, "2024-02-29T23:59:59Z", "2024-02-29 23:59");
        check("2024-03-01", -86_400, "2024-02-29", "2024-02-29 00:00");
    }
}
