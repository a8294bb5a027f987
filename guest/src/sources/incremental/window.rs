//! A scheduler's interval as the range of a cursor: dlt's `allow_external_schedulers`.
//!
//! The interval replaces the saved state, and the job's own bounds of the cursor narrow it. The
//! format of its two instants is that of the cursor's `initial_value`: dlt takes the type from
//! there, for strings only after the resource has converted them to datetimes.
//!
//! Source: dlt 1.31, `extract/incremental/__init__.py` (`_join_external_scheduler`),
//! `common/data_types/type_helpers.py` (`coerce_from_date_types`).

use chrono::NaiveDateTime;

use crate::fault::{Context as _, Fault, Result};
use crate::job::{Cursor, CursorFormat, CursorValue, Job, Last, WrittenInstant};

/// Sets the range of each cursor that requests it to the job's interval.
///
/// # Errors
/// A config fault if there is no interval, or if a cursor's values are not instants.
pub(crate) fn scheduled(mut job: Job) -> Result<Job> {
    let interval = match &job.interval {
        None => None,
        Some((start, end)) => {
            let (from, to) = (utc(start, "interval.start")?, utc(end, "interval.end")?);
            if to < from {
                let message = format_args!("expected it not to be before {start}, found {end}");
                return Err(Fault::config(message).at("interval.end"));
            }
            Some((from, to))
        }
    };
    for resource in &mut job.resources {
        if let Some(cursor) = resource.cursor.as_mut().filter(|cursor| cursor.scheduled) {
            join(cursor, interval)
                .at(|| format!("cursor {}", cursor.path))
                .at(|| format!("resource {}", resource.name))?;
        }
    }
    Ok(job)
}

fn join(cursor: &mut Cursor, interval: Option<(NaiveDateTime, NaiveDateTime)>) -> Result<()> {
    let Some((start, end)) = interval else {
        return Err(Fault::config(
            "expected the job to have an interval, for the cursor takes its range from it",
        ));
    };
    if cursor.last == Last::Min {
        return Err(Fault::config(
            "expected last_value_func max, for an interval is given, found min",
        ));
    }
    let Some(initial) = &cursor.initial_value else {
        return Err(Fault::config(
            "expected an initial_value, for it tells how the ends of the interval are written",
        ));
    };
    let format = &cursor.format;
    let written = |at| {
        like(initial, format, at).ok_or_else(|| {
            Fault::config(format_args!(
                "expected an initial_value that is a date, a time or seconds since 1970, found {initial}"
            ))
        })
    };
    let (mut start, mut end) = (written(start)?, written(end)?);
    if format.compare(initial, &start)?.ordering.is_gt() {
        start = initial.clone();
    }
    if let Some(given) = &cursor.end_value
        && format.compare(given, &end)?.ordering.is_lt()
    {
        end = given.clone();
    }
    cursor.initial_value = Some(start);
    cursor.end_value = Some(end);
    Ok(())
}

/// An instant in the format of another value. `None` if that value is no date, time or number of
/// seconds.
pub(super) fn like(
    value: &CursorValue<'_>,
    format: &CursorFormat,
    at: NaiveDateTime,
) -> Option<CursorValue<'static>> {
    match value {
        CursorValue::Whole(_) => Some(CursorValue::Whole(at.and_utc().timestamp().into())),
        CursorValue::Real(_) => {
            Some(CursorValue::Real(at.and_utc().timestamp_micros() as f64 / 1e6))
        }
        CursorValue::Text(text) => format
            .instant(text)
            .and_then(|instant| instant.at_utc(at))
            .map(|instant| CursorValue::Text(instant.text().into())),
        CursorValue::Bool(_) => None,
    }
}

fn utc(text: &str, place: &str) -> Result<NaiveDateTime> {
    WrittenInstant::parse(text).and_then(|instant| instant.utc()).ok_or_else(|| {
        Fault::config(format_args!("expected a date or a time, found {text:?}")).at(place)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn range(interval: Value, cursor: Value) -> Result<String> {
        let job = json!({
            "pipeline": "p", "database": "D", "dataset": "s", "interval": interval,
            "resources": [{"name": "r", "incremental": cursor}],
        });
        let job = scheduled(Job::parse(&job.to_string())?)?;
        let cursor = job.resources[0].cursor.as_ref().unwrap();
        let shown =
            |v: &Option<CursorValue<'_>>| v.as_ref().map_or_else(String::new, ToString::to_string);
        Ok(format!("{} {}", shown(&cursor.initial_value), shown(&cursor.end_value)))
    }

    fn cursor(more: Value) -> Value {
        let mut cursor = json!({"cursor_path": "c", "allow_external_schedulers": true});
        cursor.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        cursor
    }

    #[test]
    fn interval_becomes_the_range() {
        let check = |more: Value, expect: &str| {
            let day =
                json!({"start": "2024-01-01T00:00:00+01:00", "end": "2024-01-02T00:00:00.5Z"});
            assert_eq!(range(day, cursor(more.clone())).unwrap(), expect, "{more}");
        };
        check(json!({"initial_value": 0}), "1704063600 1704153600");
        check(json!({"initial_value": 0.5}), "1704063600.0 1704153600.5");
        check(
            json!({"initial_value": "1970-01-01T00:00:00.000+0000"}),
            "\"2023-12-31T23:00:00.000+0000\" \"2024-01-02T00:00:00.500+0000\"",
        );
        check(
            json!({"initial_value": "1970-01-01T00:00:00+01:00"}),
            "\"2024-01-01T00:00:00+01:00\" \"2024-01-02T01:00:00+01:00\"",
        );
        check(json!({"initial_value": "1970-01-01"}), "\"2023-12-31\" \"2024-01-02\"");
        // The job's own bounds narrow it.
        check(
            json!({"initial_value": "2024-01-01T12:00:00Z", "end_value": "2024-01-01T18:00:00Z"}),
            "\"2024-01-01T12:00:00Z\" \"2024-01-01T18:00:00Z\"",
        );
        check(
            json!({"initial_value": "2020-01-01", "end_value": "2030-01-01"}),
            "\"2023-12-31\" \"2024-01-02\"",
        );
    }

    #[test]
    fn other_cursors_are_unchanged() {
        let day = json!({"start": "2024-01-01", "end": "2024-01-02"});
        assert_eq!(
            range(day.clone(), json!({"cursor_path": "c", "initial_value": 1})).unwrap(),
            "1 "
        );
        let no =
            json!({"cursor_path": "c", "initial_value": 1, "allow_external_schedulers": false});
        assert_eq!(range(day, no).unwrap(), "1 ");
    }

    #[test]
    fn names_mistakes() {
        let check = |interval: Value, more: Value, message: &str| {
            assert_eq!(range(interval, cursor(more)).unwrap_err().to_string(), message);
        };
        let day = json!({"start": "2024-01-01", "end": "2024-01-02"});
        let place = "resource r: cursor c: ";
        check(
            json!(null),
            json!({"initial_value": 1}),
            &format!(
                "{place}expected the job to have an interval, for the cursor takes its range from it"
            ),
        );
        check(
            day.clone(),
            json!({}),
            &format!(
                "{place}expected an initial_value, for it tells how the ends of the interval are written"
            ),
        );
        check(
            day.clone(),
            json!({"initial_value": "abc"}),
            &format!(
                "{place}expected an initial_value that is a date, a time or seconds since 1970, found \"abc\""
            ),
        );
        check(
            day,
            json!({"initial_value": 1, "last_value_func": "min"}),
            &format!("{place}expected last_value_func max, for an interval is given, found min"),
        );
        check(
            json!({"start": "2024-01-02", "end": "2024-01-01"}),
            json!({"initial_value": 1}),
            "interval.end: expected it not to be before 2024-01-02, found 2024-01-01",
        );
        check(
            json!({"start": "monday", "end": "2024-01-01"}),
            json!({"initial_value": 1}),
            "interval.start: expected a date or a time, found \"monday\"",
        );
        check(
            json!({"start": "2024-01-02"}),
            json!({}),
            "interval.end: expected a string, found nothing",
        );
    }
}
