use serde_json::Value;

use super::*;

/// The corpus has dlt's result for each text; errors are `None` here.
#[test]
fn parses_timestamps_as_dlt() {
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/conformance/corpus/timestamps.json");
    let corpus: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut wrong = 0;
    for case in &corpus {
        let text = case["in"].as_str().unwrap();
        let mut check = |key: &str, expect: Option<&str>, found: Option<String>| {
            if expect != found.as_deref() {
                wrong += 1;
                println!("{text:?} as {key}: expected {expect:?}, found {found:?}");
            }
        };
        let instant = case["timestamp"]["$ts"].as_str();
        // Deliberate difference: a text that dlt infers to be a timestamp and then fails on stays
        // text.
        let inferred = if case["infer"] == "timestamp" { instant } else { None };
        let show = |micros| {
            let text = timestamp_text(micros, false);
            if text.contains('.') { format!("{text}Z") } else { format!("{text}.000000Z") }
        };
        check("first value", inferred, parse_iso(text).map(|found| show(found.micros)));
        check("timestamp", instant, parse_timestamp(text).map(show));
        check("date", case["date"]["$date"].as_str(), parse_date(text).map(date_text));
        let time = parse_time(text).map(|micros| {
            let text = time_text(micros);
            if text.contains('.') { text } else { format!("{text}.000000") }
        });
        check("time", case["time"]["$time"].as_str(), time);
    }
    assert!(wrong == 0 && corpus.len() > 1000, "{wrong} of {} differ", corpus.len());
}

#[test]
fn shapes() {
    let check = |text: &str, expect: Option<(&str, bool)>| {
        let found = parse_iso(text).map(|t| (timestamp_text(t.micros, false), t.had_offset));
        let expect = expect.map(|(text, offset)| (text.to_owned(), offset));
        assert_eq!(found, expect, "{text:?}");
    };
    check("2024-02-29T10:20:30Z", Some(("2024-02-29T10:20:30", true)));
    check("2024-02-29 10:20:30", Some(("2024-02-29T10:20:30", false)));
    check("2024-02-29T10:20:30.123456789+0530", Some(("2024-02-29T04:50:30.123456", true)));
    check("2024-02-29T10:20:30,5-05", Some(("2024-02-29T15:20:30.500000", true)));
    check("2024-02-29T10:20:30+05:", Some(("2024-02-29T05:20:30", true)));
    check("2024-060T10", Some(("2024-02-29T10:00:00", false)));
    check("20240229T102030", Some(("2024-02-29T10:20:30", false)));
    check("2024/02/29 1:2", Some(("2024-02-29T01:02:00", false)));
    check("20241:2", Some(("2024-01-01T01:02:00", false)));
    check("٢٠٢٤/02/29 ١:٢", Some(("2024-02-29T01:02:00", false)));
    check("0001-01-01T00:00:00", Some(("0001-01-01T00:00:00", false)));
    check("9999-12-31T23:59:59.999999", Some(("9999-12-31T23:59:59.999999", false)));
    for text in [
        "",
        "T",
        "2024-02-29",
        "2023-02-29T10:20:30Z",
        "2024-02-29T10:20:30z",
        "2024-02-29T10:20:30 Z",
        "2024-02-29T24:00:00",
        "2024-02-29T10:20:60",
        "2024-02-29T10:20:30.",
        "2024-02-29T10:20:30+24:00",
        "2024-02-29T10:20:30-2400",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "0000-01-01T00:00:00",
        "2024-02-29T10:20:30é",
        "é",
        "日本語日本語日本語日本語",
        "550e8400-e29b-41d4-a716-446655440000",
        "2024-01-01T00:00:00/2024-01-02T00:00:00",
        "P1DT2H",
        "20241234567:12",
    ] {
        check(text, None);
    }
}

/// Every text that dlt can read as a timestamp passes the first check.
#[test]
fn the_first_check_rejects_no_timestamp() {
    for text in ["20241:3", "2024W01T10", "2024001T10", "2024-01T10", "٢٠٢٤1:3", "2024٠١01 1:3"]
    {
        assert!(may_have_date(text) && parse_iso(text).is_some(), "{text:?}");
    }
}

#[test]
fn epochs() {
    let check = |seconds, expect| assert_eq!(from_epoch_seconds(seconds), expect, "{seconds}");
    check(0.0, Some(0));
    check(-2.5, Some(-2_500_000));
    check(1e-7, Some(0));
    check(0.000_000_5, Some(0));
    check(0.000_001_5, Some(2));
    check(1_704_067_200.123_456_7, Some(1_704_067_200_123_457));
    check(253_402_300_799.0, Some(253_402_300_799_000_000));
    check(253_402_300_800.0, None);
    check(-62_135_596_800.0, Some(-62_135_596_800_000_000));
    check(-62_135_596_800.5, None);
    check(f64::NAN, None);
    check(f64::INFINITY, None);
    assert_eq!(from_epoch(i64::MIN), None);
    assert_eq!(from_epoch(-1), Some(-1_000_000));
}

#[test]
fn precisions() {
    let check = |micros, precision, expect| assert_eq!(truncate(micros, precision), expect);
    check(1_234_567, 6, 1_234_567);
    check(1_234_567, 9, 1_234_567);
    check(1_234_567, 3, 1_234_000);
    check(1_234_567, 0, 1_000_000);
    // The fraction is truncated towards negative infinity, before 1970 too.
    check(-1, 3, -1_000);
}

#[test]
fn every_day_converts_to_a_date_and_back() {
    let first = days_of(1, 1, 1);
    let mut previous = (0, 12, 31);
    for days in first..=days_of(9999, 12, 31) {
        let (year, month, day) = civil(days);
        assert_eq!(days_of(year, month, day), days);
        assert!((year, month, day) > previous);
        previous = (year, month, day);
    }
    assert_eq!((days_of(1970, 1, 1), civil(0)), (0, (1970, 1, 1)));
    assert_eq!(timestamp_text(-1, true), "1969-12-31T23:59:59.999999+00:00");
}

/// An instant in Python's `isoformat`: `2024-01-01T10:00:00.500000+00:00`, or without the offset. A
/// fraction of zero is omitted.
fn timestamp_text(micros: i64, with_offset: bool) -> String {
    let date = date_text(date_of(micros));
    let time = time_text(micros.rem_euclid(DAY_MICROS));
    let offset = if with_offset { "+00:00" } else { "" };
    format!("{date}T{time}{offset}")
}

/// A date in Python's `isoformat`: `2024-01-01`.
fn date_text(days: i32) -> String {
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// A time of day in Python's `isoformat`: `10:00:00`, or `10:00:00.500000`.
fn time_text(micros: i64) -> String {
    let (seconds, fraction) = (micros.div_euclid(MICROS), micros.rem_euclid(MICROS));
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{hour:02}:{minute:02}:{second:02}");
    if fraction != 0 {
        text.push_str(&format!(".{fraction:06}"));
    }
    text
}

/// Converts days since 1970-01-01 to year, month and day.
///
/// Source: as [`days_of`].
fn civil(days: i32) -> (i32, u32, u32) {
    let days = i64::from(days) + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year as i32, month as u32, day as u32)
}
