//! Instants as text. All instants are milliseconds since 1970 in UTC.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, SecondsFormat, TimeZone};
use chrono_tz::Europe::Vienna;
use chrono_tz::Tz;

/// The time zone of the account that asks Jira, whose offset Jira prints and in which it reads the
/// times of a query. It has summer time on purpose: texts of instants do not sort like instants.
const ZONE: Tz = Vienna;

/// The IANA name of the account's time zone.
pub fn zone_name() -> &'static str {
    ZONE.name()
}

/// RFC 3339 in UTC, to the second.
pub(crate) fn utc(millis: i64) -> String {
    DateTime::from_timestamp_millis(millis)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// RFC 3339 in UTC, to the millisecond.
pub(crate) fn utc_millis(millis: i64) -> String {
    DateTime::from_timestamp_millis(millis)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// As Jira prints instants: local time, milliseconds, an offset without a colon
/// (`2024-02-17T06:03:16.879+0100`).
pub fn jira_time(millis: i64) -> String {
    DateTime::from_timestamp_millis(millis)
        .unwrap_or_default()
        .with_timezone(&ZONE)
        .format("%Y-%m-%dT%H:%M:%S%.3f%z")
        .to_string()
}

/// The day of an instant, `yyyy-MM-dd`.
pub(crate) fn day(millis: i64) -> String {
    let date = DateTime::from_timestamp_millis(millis).unwrap_or_default().with_timezone(&ZONE);
    format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
}

/// An instant as RFC 3339 or as Jira prints it.
///
/// # Errors
///
/// Says what was expected when the text is neither.
pub fn parse_time(text: &str) -> Result<i64, String> {
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .map(|time| time.timestamp_millis())
        .map_err(|error| {
            format!(
                "expected an instant such as 2024-02-17T06:03:16.879+0100, found {text}: {error}"
            )
        })
}

/// An instant as a query says it, in the account's time zone: a date, or date and minute, with
/// dashes or slashes. None when the text is neither.
pub fn parse_jql_time(text: &str) -> Option<i64> {
    let text = text.trim().replace('/', "-");
    let local = NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M").ok().or_else(|| {
        NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok().and_then(|day| day.and_hms_opt(0, 0, 0))
    })?;
    // In the hour that summer time skips there is no such instant: take the one an hour later.
    ZONE.from_local_datetime(&local)
        .earliest()
        .or_else(|| ZONE.from_local_datetime(&(local + chrono::TimeDelta::hours(1))).earliest())
        .map(|time| time.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_printed_as_jira_does() {
        for (millis, text) in [
            (1_708_146_196_879, "2024-02-17T06:03:16.879+0100"),
            (1_720_000_000_000, "2024-07-03T11:46:40.000+0200"),
            (0, "1970-01-01T01:00:00.000+0100"),
        ] {
            assert_eq!(jira_time(millis), text);
            assert_eq!(parse_time(text), Ok(millis));
        }
    }

    #[test]
    fn queries_speak_of_local_time() {
        for (text, instant) in [
            ("2024-02-17 06:03", Some("2024-02-17T06:03:00.000+0100")),
            ("2024/07/03 11:46", Some("2024-07-03T11:46:00.000+0200")),
            ("2024-07-03", Some("2024-07-03T00:00:00.000+0200")),
            // The clocks go from 02:00 to 03:00.
            ("2024-03-31 02:30", Some("2024-03-31T03:30:00.000+0200")),
            // 02:30 happens twice: the first of them, so that nothing is skipped.
            ("2024-10-27 02:30", Some("2024-10-27T02:30:00.000+0200")),
            ("2024-07-03 11:46:40", None),
            ("2024-07-03T11:46", None),
            ("yesterday", None),
        ] {
            let expected = instant.map(|text| parse_time(text).unwrap());
            assert_eq!(parse_jql_time(text), expected, "{text}");
        }
    }
}
