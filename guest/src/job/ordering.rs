//! The comparison of cursor values: by the numbers or times they represent, not by their text.

use std::cmp::Ordering;

use chrono::format::{Item, StrftimeItems};

use super::instant::WrittenInstant;
use super::parse::JobObject;
use super::value::CursorValue;
use crate::fault::{Fault, Result};

/// The format of string cursors.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum CursorFormat {
    /// ISO 8601 dates and times, or numbers. Other strings are compared as strings.
    #[default]
    Any,
    /// A `strptime` format.
    Pattern(String),
    /// RFC 2822: `Fri, 06 Sep 2024 10:00:00 +0000`.
    Rfc2822,
    /// Strings, compared by code points as in dlt.
    Text,
}

/// The result of a comparison.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Compared {
    /// The order of the two values.
    pub(crate) ordering: Ordering,
    /// `true` if they were compared as strings because their format is unknown.
    pub(crate) as_text: bool,
}

impl CursorFormat {
    /// Parses the key `format` of a cursor.
    pub(super) fn parse(object: &JobObject<'_>) -> Result<Self> {
        let Some(text) = object.text("format")? else { return Ok(Self::Any) };
        match text {
            "text" => return Ok(Self::Text),
            "rfc2822" => return Ok(Self::Rfc2822),
            _ => {}
        }
        // A format whose output does not parse back to the same day cannot order days.
        let format = Self::Pattern(text.to_owned());
        let valid = StrftimeItems::new(text).all(|item| item != Item::Error);
        let sample = WrittenInstant::parse("2001-02-03T04:05:06.789+01:00").filter(|_| valid);
        let mut written = String::new();
        let has_offset = sample.as_ref().is_some_and(|sample| {
            std::fmt::Write::write_fmt(&mut written, format_args!("{}", sample.format(text)))
                .is_ok()
        });
        let read = format.instant(&written).filter(|_| has_offset);
        match read.and_then(|read| read.utc()).zip(sample.and_then(|sample| sample.utc())) {
            Some((read, sample)) if (read - sample).num_hours().abs() < 24 => Ok(format),
            _ => Err(object.fault_at(
                "format",
                format_args!(
                    "expected \"text\", \"rfc2822\" or a format with year, month and day such as \
                     %m/%d/%Y or %d.%m.%Y %H:%M, found {text:?}"
                ),
            )),
        }
    }

    /// The date or time that a string represents.
    pub(crate) fn instant(&self, text: &str) -> Option<WrittenInstant> {
        match self {
            Self::Any | Self::Text => WrittenInstant::parse(text),
            Self::Pattern(pattern) => WrittenInstant::parse_pattern(text, pattern),
            Self::Rfc2822 => WrittenInstant::parse_rfc2822(text),
        }
    }

    /// Compares two values of a cursor.
    ///
    /// # Errors
    /// A data fault if they differ in type or do not have the format.
    pub(crate) fn compare(
        &self,
        one: &CursorValue<'_>,
        other: &CursorValue<'_>,
    ) -> Result<Compared> {
        let known = |ordering| Ok(Compared { ordering, as_text: false });
        let (CursorValue::Text(a), CursorValue::Text(b)) = (one, other) else {
            return one.compare(other).and_then(known);
        };
        let (a, b) = (a.as_ref(), b.as_ref());
        match self {
            _ if a == b => known(Ordering::Equal),
            Self::Text => known(a.cmp(b)),
            Self::Any if are_alike(a, b) => known(a.cmp(b)),
            Self::Any => match (Decimal::parse(a), Decimal::parse(b)) {
                (Some(a), Some(b)) => known(a.compare(&b)),
                _ => match (instant_of(self, a), instant_of(self, b)) {
                    (Some(a), Some(b)) => known(a.cmp(&b)),
                    _ => Ok(Compared { ordering: a.cmp(b), as_text: true }),
                },
            },
            Self::Pattern(_) | Self::Rfc2822 => {
                let read = |text: &str| {
                    instant_of(self, text).ok_or_else(|| {
                        Fault::data(format_args!(
                            "expected a cursor in the format {self}, found {text:?}"
                        ))
                    })
                };
                known(read(a)?.cmp(&read(b)?))
            }
        }
    }
}

impl std::fmt::Display for CursorFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("ISO 8601"),
            Self::Pattern(pattern) => f.write_str(pattern),
            Self::Rfc2822 => f.write_str("rfc2822"),
            Self::Text => f.write_str("text"),
        }
    }
}

fn instant_of(format: &CursorFormat, text: &str) -> Option<chrono::NaiveDateTime> {
    format.instant(text)?.utc()
}

/// Returns `true` if two strings are ISO 8601 times of the same length and offset: they then sort
/// as strings. This fast path covers most cursors, which are compared for every record.
fn are_alike(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let is_digit = |at: usize| one.get(at).is_some_and(u8::is_ascii_digit);
    let is = |at: usize, bytes: &[u8]| one.get(at).is_some_and(|byte| bytes.contains(byte));
    let shaped = one.len() == other.len()
        && is(4, b"-")
        && is(7, b"-")
        && is(10, b"T ")
        && is(13, b":")
        && is(16, b":")
        && [0, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18].into_iter().all(is_digit);
    let digits_alike =
        one.iter().zip(other).all(|(a, b)| a == b || (a.is_ascii_digit() && b.is_ascii_digit()));
    // The offset is after the seconds.
    let offset = one.iter().skip(19).position(|byte| b"Z+-".contains(byte)).map(|at| at + 19);
    shaped && digits_alike && offset.is_none_or(|at| one.get(at..) == other.get(at..))
}

/// A decimal number of any length.
struct Decimal<'t> {
    negative: bool,
    /// The integer digits, without leading zeros.
    whole: &'t str,
    /// The fraction digits, without trailing zeros.
    fraction: &'t str,
}

impl<'t> Decimal<'t> {
    fn parse(text: &'t str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((_, "")) => return None,
            Some((whole, fraction)) => (whole, fraction),
            None => (digits, ""),
        };
        let all = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all(whole) || !all(fraction) {
            return None;
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        // There is no negative zero.
        let negative = negative && !(whole.is_empty() && fraction.is_empty());
        Some(Self { negative, whole, fraction })
    }

    fn compare(&self, other: &Self) -> Ordering {
        let size = |it: &Self| it.whole.len();
        let magnitude = size(self)
            .cmp(&size(other))
            .then_with(|| self.whole.cmp(other.whole))
            .then_with(|| self.fraction.cmp(other.fraction));
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => magnitude,
            (true, true) => magnitude.reverse(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_as_what_they_are() {
        let check =
            |format: &CursorFormat, one: &str, other: &str, ordering: Ordering, as_text: bool| {
                let value = |text: &str| CursorValue::Text(text.to_owned().into());
                let compared = |a: &str, b: &str| format.compare(&value(a), &value(b)).unwrap();
                assert_eq!(compared(one, other), Compared { ordering, as_text }, "{one} {other}");
                let ordering = ordering.reverse();
                assert_eq!(compared(other, one), Compared { ordering, as_text }, "{other} {one}");
            };
        let (less, equal) = (Ordering::Less, Ordering::Equal);
        let any = |one: &str, other: &str, ordering| {
            check(&CursorFormat::Any, one, other, ordering, false)
        };
        any("2024-01-01", "2024-01-02", less);
        any("2024-01-01T00:00:00.000+0100", "2024-01-01T00:00:00.001+0100", less);
        // The end of daylight saving time, and several forms of offsets.
        any("2024-11-03T01:50:00.000-0700", "2024-11-03T01:20:00.000-0800", less);
        any("2024-01-01T01:00:00+01:00", "2024-01-01T00:00:00Z", equal);
        any("2024-01-01T12:00:00-05:00", "2024-01-01T12:00:00-06:00", less);
        // With and without a fraction.
        any("2024-01-01T00:00:00Z", "2024-01-01T00:00:00.750Z", less);
        any("2024-01-01T00:00:00.5Z", "2024-01-01T00:00:00.75Z", less);
        any("2024-01-01T00:00:00Z", "2024-01-01 00:00:00.000+0000", equal);
        any("2024-01-01", "2024-01-01T00:00:01", less);
        any("9", "10", less);
        any("-10", "-9", less);
        any("-1", "0.5", less);
        any("0.25", "0.3", less);
        any("-0", "0.00", equal);
        any("007", "7", equal);
        any(
            "12345678901234567890123456789012345678901",
            "12345678901234567890123456789012345678902",
            less,
        );
        any("abc", "abc", equal);
        let text = |one: &str, other: &str| check(&CursorFormat::Any, one, other, less, true);
        text("01HQ3", "01HQ4");
        text("Fri, 06 Sep 2024 10:00:00 +0000", "Wed, 04 Sep 2024 10:00:00 +0000");
        text("10/1/2024", "9/2/2024");
        text("10", "9a");
        text("1.", "2.");
        text("2024-01-01T00:00:00 Z", "2024-01-02T00:00:00Z");
        let mails = CursorFormat::Rfc2822;
        check(
            &mails,
            "Wed, 04 Sep 2024 10:00:00 +0000",
            "Fri, 06 Sep 2024 10:00:00 +0000",
            less,
            false,
        );
        let american = CursorFormat::Pattern("%m/%d/%Y".to_owned());
        check(&american, "9/2/2024", "10/1/2024", less, false);
        check(&CursorFormat::Text, "10", "9", less, false);
    }

    #[test]
    fn rejects_other_formats() {
        let format = CursorFormat::Pattern("%m/%d/%Y".to_owned());
        let [one, other] = ["9/2/2024", "2024-09-02"].map(|text| CursorValue::Text(text.into()));
        assert_eq!(
            format.compare(&one, &other).unwrap_err().to_string(),
            "expected a cursor in the format %m/%d/%Y, found \"2024-09-02\""
        );
        format.compare(&one, &CursorValue::Whole(1)).unwrap_err();
    }
}
