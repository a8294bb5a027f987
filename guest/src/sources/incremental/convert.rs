//! Conversion of cursor values to the form that the source expects, as the job configures it.

use std::fmt::Write as _;

use chrono::TimeDelta;
use serde_json::Value;

use crate::fault::{Context as _, Fault, Result};
use crate::job::{Convert, CursorFormat, CursorValue};

/// Converts a cursor value for the source, or returns it unchanged. `format` is the format of its
/// strings.
///
/// # Errors
/// A config fault if the conversion requires a date or a time and the value is neither.
pub(crate) fn convert(
    value: &CursorValue<'_>,
    format: &CursorFormat,
    convert: Option<&Convert>,
) -> Result<Value> {
    let Some(convert) = convert else { return Ok(value.to_value()) };
    let mut text = plain(&value.to_value());
    if convert.shift_seconds.is_some() || convert.format.is_some() {
        let mut instant = format.instant(&text).ok_or_else(|| {
            Fault::config(format_args!(
                "expected a cursor that is a date or a time, for its conversion has a format or a \
                 shift, found {value}"
            ))
        })?;
        if let Some(seconds) = convert.shift_seconds {
            instant = delta(seconds).and_then(|delta| instant.plus(delta)).ok_or_else(|| {
                Fault::config(format_args!(
                    "expected a shift within the calendar, found {seconds} s from {value}"
                ))
            })?;
        }
        text = match &convert.format {
            None => instant.text(),
            Some(format) => {
                let mut formatted = String::new();
                // Only a field that the value lacks can fail: an offset.
                write!(formatted, "{}", instant.format(format)).map_err(|_| {
                    Fault::config(format_args!(
                        "expected a cursor with an offset, for its format is {format:?}, found {value}"
                    ))
                })?;
                formatted
            }
        };
    }
    if let Some(characters) = convert.truncate {
        text = text.chars().take(characters).collect();
    }
    if let Some(template) = &convert.template {
        text = template.fill(|_| Ok(text.clone())).at(|| "the template of a conversion")?;
    }
    Ok(Value::String(text))
}

/// A value as text, without quotes.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Seconds with microsecond precision, as in Python's `timedelta`.
pub(crate) fn delta(seconds: f64) -> Option<TimeDelta> {
    let micros = (seconds * 1e6).round();
    // Far beyond the calendar, and within the range of the type.
    (micros.abs() < 1e18).then(|| TimeDelta::microseconds(micros as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Job;

    /// The conversion, as parsed from a job.
    fn conversion(json: &str) -> Convert {
        let job = format!(
            r#"{{"pipeline":"p","database":"D","dataset":"s","client":{{"base_url":"https://x.net"}},
                "resources":[{{"name":"a","endpoint":{{"incremental":{{"cursor_path":"c","convert":{json}}}}}}}]}}"#
        );
        Job::parse(&job).unwrap().resources[0].cursor.as_ref().unwrap().convert.clone().unwrap()
    }

    #[test]
    fn converts() {
        let check = |json: &str, raw: &str, expected: &str| {
            let value = CursorValue::parse(raw).unwrap().unwrap();
            assert_eq!(
                convert(&value, &CursorFormat::Any, Some(&conversion(json))).unwrap(),
                expected,
                "{json}"
            );
        };
        let jql = r#"{"format":"%Y-%m-%d %H:%M","template":"updated >= \"{value}\" ORDER BY updated ASC"}"#;
        check(
            jql,
            "\"2024-05-06T07:08:09.123+0200\"",
            "updated >= \"2024-05-06 07:08\" ORDER BY updated ASC",
        );
        check(
            jql,
            "\"1970-01-01T00:00:00.000+0000\"",
            "updated >= \"1970-01-01 00:00\" ORDER BY updated ASC",
        );
        check(
            r#"{"truncate":10,"template":"updated >= \"{value}\""}"#,
            "\"2024-05-06T07:08:09.123+0200\"",
            "updated >= \"2024-05-06\"",
        );
        check(
            r#"{"shift_seconds":-60}"#,
            "\"2024-05-06T00:00:09.123Z\"",
            "2024-05-05T23:59:09.123Z",
        );
        check(r#"{"shift_seconds":-0.5,"format":"%s"}"#, "\"1970-01-01T00:01:00Z\"", "59");
        check(r#"{"format":"%Y%m%d%z"}"#, "\"2024-05-06T00:00:00-0330\"", "20240506-0330");
        check(r#"{"format":"%d.%m.%Y"}"#, "\"2024-05-06\"", "06.05.2024");
        check(r#"{"template":"id > {value} AND {{x}}"}"#, "17", "id > 17 AND {x}");
        check(r#"{"truncate":2}"#, "\"日本語\"", "日本");
        check("{}", "1.5", "1.5");
        let value = CursorValue::Text("9/2/2024".into());
        let format = CursorFormat::Pattern("%m/%d/%Y".to_owned());
        let iso = convert(&value, &format, Some(&conversion(r#"{"format":"%Y-%m-%d"}"#)));
        assert_eq!(iso.unwrap(), "2024-09-02");
        let seventeen = CursorValue::parse("17").unwrap().unwrap();
        assert_eq!(convert(&seventeen, &CursorFormat::Any, None).unwrap(), Value::from(17));
    }

    #[test]
    fn invalid_conversions_are_reported() {
        let check = |json: &str, raw: &str, message: &str| {
            let value = CursorValue::parse(raw).unwrap().unwrap();
            let fault = convert(&value, &CursorFormat::Any, Some(&conversion(json))).unwrap_err();
            assert_eq!(fault.to_string(), message);
        };
        let no_time = "expected a cursor that is a date or a time, for its conversion has a format or a shift, found";
        check(r#"{"format":"%Y"}"#, "\"abc\"", &format!("{no_time} \"abc\""));
        check(r#"{"shift_seconds":1}"#, "170000", &format!("{no_time} 170000"));
        check(
            r#"{"format":"%Y%z"}"#,
            "\"2024-05-06T00:00:00\"",
            "expected a cursor with an offset, for its format is \"%Y%z\", found \"2024-05-06T00:00:00\"",
        );
        check(
            r#"{"shift_seconds":1e14}"#,
            "\"2024-05-06\"",
            "expected a shift within the calendar, found 100000000000000 s from \"2024-05-06\"",
        );
    }
}
