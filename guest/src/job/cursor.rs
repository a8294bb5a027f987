//! Incremental loading: the cursor of a resource, its range, and how its values are formatted for the source.

use std::cmp::Ordering;

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde_json::Value;

use super::hints::{SORTS, Sort};
use super::key::Key;
use super::ordering::CursorFormat;
use super::parse::{JobObject, Keys};
use super::template::{Placeholder, Template, TemplatePart};
use super::value::CursorValue;
use crate::fault::{Fault, Result};
use crate::json::Path;

/// An incremental cursor: dlt's `Incremental`, as configuration.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cursor {
    /// The path of the cursor value in a record. Its text is the key of the saved state.
    pub(crate) path: Path,
    /// The format of its strings, which decides how they are compared.
    pub(crate) format: CursorFormat,
    /// The start of the first run's range.
    pub(crate) initial_value: Option<CursorValue<'static>>,
    /// The end of the range. With it the state is neither read nor saved.
    pub(crate) end_value: Option<CursorValue<'static>>,
    /// How far before the saved value a run begins: seconds; days for dates, units for numbers.
    pub(crate) lag: Option<f64>,
    /// The order in which the source sends records, if it is known.
    pub(crate) row_order: Option<Sort>,
    /// What happens to records without a cursor value.
    pub(crate) on_missing: OnMissing,
    /// `true`, the default, if records at the start of the range belong to it.
    pub(crate) start_closed: bool,
    /// `true` if records at the end of the range belong to it.
    pub(crate) end_closed: bool,
    /// The order of values: which of two is the later one.
    pub(crate) last: Last,
    /// The columns that deduplicate records with equal cursor values. `None`: the resource's primary key. Empty: no
    /// deduplication.
    pub(crate) key: Option<Key>,
    /// The parameter of the query for the start.
    pub(crate) start_param: Option<String>,
    /// The parameter of the query for the end.
    pub(crate) end_param: Option<String>,
    /// How values are formatted for the source.
    pub(crate) convert: Option<Convert>,
    /// `true` if its column gets the cursor's hint. The cursor of an endpoint sets it; a cursor
    /// that only filters records (dlt's `add_step`) sets no hint.
    pub(crate) hinted: bool,
    /// `true` if its range is the job's interval.
    pub(crate) scheduled: bool,
    /// Seconds before the start of the load: no later value is saved.
    pub(crate) saved_before_start: Option<f64>,
    /// The latest value that is saved: `saved_before_start`, once the start of the load is known.
    pub(crate) saved_at_most: Option<NaiveDateTime>,
}

/// What happens to a record without a cursor value.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum OnMissing {
    /// It is discarded.
    Exclude,
    /// It is loaded.
    Include,
    /// The load fails.
    #[default]
    Raise,
}

/// Which values of a cursor are later.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Last {
    /// The larger ones.
    #[default]
    Max,
    /// The smaller ones.
    Min,
}

/// How a cursor's value is formatted for the source: it is shifted, formatted, truncated and put into a template,
/// in this order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Convert {
    /// Seconds to add; the value must be a date or a time.
    pub(crate) shift_seconds: Option<f64>,
    /// A `strftime` format; the value must be a date or a time, and keeps its own offset.
    pub(crate) format: Option<String>,
    /// The number of characters to keep.
    pub(crate) truncate: Option<usize>,
    /// A template with `{value}`.
    pub(crate) template: Option<Template>,
}

impl Cursor {
    /// Parses a cursor. `requests` is `true` if the resource has requests that may contain it.
    pub(super) fn parse(value: &Value, place: &str, requests: bool) -> Result<Self> {
        let object = JobObject::new(value, place, KEYS)?;
        Self::read(&object, requests)
    }

    /// Parses a parameter that is `{"type": "incremental", ...}`, dlt's other notation.
    pub(super) fn parse_param(param: &str, value: &Value, place: &str) -> Result<Self> {
        let object = JobObject::new(value, place, PARAM_KEYS)?;
        for key in ["end_value", "end_param", "start_param"] {
            if object.get(key).is_some() {
                let message =
                    "expected nothing: say it in endpoint.incremental, which can hold both ends";
                return Err(object.fault_at(key, message));
            }
        }
        Ok(Self { start_param: Some(param.to_owned()), ..Self::read(&object, true)? })
    }

    fn read(object: &JobObject<'_>, requests: bool) -> Result<Self> {
        let path = object.required_text("cursor_path")?;
        let path = Path::parse(path).map_err(|fault| fault.at(object.place_of("cursor_path")))?;
        if path.segments().is_empty() {
            return Err(object.fault_at(
                "cursor_path",
                "expected a path to a value of the record, found the record",
            ));
        }
        let bound = |key| match object.get(key) {
            None => Ok(None),
            Some(value) => match CursorValue::of(value) {
                Some(bound) => Ok(Some(bound)),
                None => Err(object.wrong_type("a string, a number, true or false", value, key)),
            },
        };
        let range = |key| object.choice(key, &[("open", false), ("closed", true)]);
        let last = object.choice("last_value_func", &[("max", Last::Max), ("min", Last::Min)])?;
        let key = Key::parse(object, "primary_key")?;
        let cursor = Self {
            path,
            format: CursorFormat::parse(object)?,
            initial_value: bound("initial_value")?,
            end_value: bound("end_value")?,
            lag: object.number("lag")?.filter(|lag| *lag != 0.0),
            row_order: object.choice("row_order", SORTS)?,
            on_missing: object
                .choice(
                    "on_cursor_value_missing",
                    &[
                        ("raise", OnMissing::Raise),
                        ("include", OnMissing::Include),
                        ("exclude", OnMissing::Exclude),
                    ],
                )?
                .unwrap_or_default(),
            start_closed: range("range_start")?.unwrap_or(true),
            end_closed: range("range_end")?.unwrap_or(false),
            last: last.unwrap_or_default(),
            key,
            start_param: object.text("start_param")?.map(str::to_owned),
            end_param: object.text("end_param")?.map(str::to_owned),
            convert: match object.get("convert") {
                None => None,
                Some(value) => Some(Convert::parse(value, &object.place_of("convert"))?),
            },
            hinted: true,
            scheduled: object.boolean("allow_external_schedulers")?.unwrap_or(false),
            saved_before_start: saved_before_start(object)?,
            saved_at_most: None,
        };
        if !requests {
            for key in ["start_param", "end_param", "convert"] {
                if object.get(key).is_some() {
                    let message = "a resource without an endpoint sends no requests";
                    return Err(object.fault_at(key, message));
                }
            }
        }
        cursor.check_range(object)?;
        if cursor.saved_before_start.is_some() && cursor.last == Last::Min {
            let message = "saved_before_start has no effect with \"last_value_func\": \"min\"";
            return Err(object.fault_at("saved_before_start", message));
        }
        Ok(cursor)
    }

    /// Computes the latest value that is saved by a load that starts then.
    pub(super) fn start_at(&mut self, now: DateTime<Utc>) {
        let Some(seconds) = self.saved_before_start else { return };
        // At most a century (checked while parsing), in microseconds.
        let back = TimeDelta::microseconds((seconds * 1e6) as i64);
        self.saved_at_most = now.naive_utc().checked_sub_signed(back);
    }

    fn check_range(&self, object: &JobObject<'_>) -> Result<()> {
        let Some(end) = &self.end_value else {
            return match self.end_param {
                Some(_) => Err(object.missing("end_value", "a value for end_param")),
                None => Ok(()),
            };
        };
        let Some(initial) = &self.initial_value else {
            return Err(object.missing("initial_value", "a value, for there is an end_value"));
        };
        let compared = self.format.compare(end, initial).map_err(|_| {
            object.fault_at(
                "end_value",
                format_args!(
                    "expected a value of the same type as initial_value {initial}, found {end}"
                ),
            )
        })?;
        let (beyond, word) = match self.last {
            Last::Max => (Ordering::Less, "least"),
            Last::Min => (Ordering::Greater, "most"),
        };
        if compared.ordering == beyond {
            return Err(object.fault_at(
                "end_value",
                format_args!("expected at {word} initial_value {initial}, found {end}"),
            ));
        }
        Ok(())
    }
}

fn saved_before_start(object: &JobObject<'_>) -> Result<Option<f64>> {
    const CENTURY: f64 = 100.0 * 366.0 * 86_400.0;
    match object.number("saved_before_start")? {
        Some(seconds) if !(0.0..=CENTURY).contains(&seconds) => Err(object.fault_at(
            "saved_before_start",
            format_args!("expected seconds from 0 to {CENTURY}, found {seconds}"),
        )),
        seconds => Ok(seconds),
    }
}

impl Convert {
    fn parse(value: &Value, place: &str) -> Result<Self> {
        let keys = Keys::of(&["shift_seconds", "format", "truncate", "template"]);
        let object = JobObject::new(value, place, keys)?;
        let format = object.text("format")?.map(str::to_owned);
        if let Some(text) = &format
            && StrftimeItems::new(text).any(|item| item == Item::Error)
        {
            let message =
                format!("expected a strftime format such as %Y-%m-%d %H:%M, found {text:?}");
            return Err(object.fault_at("format", message));
        }
        let template = match object.text("template")? {
            None => None,
            Some(text) => Some(
                Template::parse(text, |name| match name {
                    "value" => Ok(TemplatePart::Placeholder(Placeholder::Value)),
                    other => Err(Fault::config(format_args!(
                        "expected {{value}}, found {{{other}}}: write {{{{ and }}}} for braces that are meant"
                    ))),
                })
                .map_err(|fault| fault.at(object.place_of("template")))?,
            ),
        };
        Ok(Self {
            shift_seconds: object.number("shift_seconds")?,
            format,
            truncate: object.whole("truncate", 1, 10_000)?.and_then(|n| usize::try_from(n).ok()),
            template,
        })
    }
}

const KEYS: Keys = Keys {
    known: &[
        "cursor_path",
        "format",
        "initial_value",
        "end_value",
        "lag",
        "row_order",
        "on_cursor_value_missing",
        "range_start",
        "range_end",
        "last_value_func",
        "primary_key",
        "allow_external_schedulers",
        "saved_before_start",
        "start_param",
        "end_param",
        "convert",
    ],
    refused: &[("transform", "it is called \"convert\" now, and is data, not code")],
};

const PARAM_KEYS: Keys = Keys {
    known: &[
        "type",
        "cursor_path",
        "format",
        "initial_value",
        "end_value",
        "lag",
        "row_order",
        "on_cursor_value_missing",
        "range_start",
        "range_end",
        "last_value_func",
        "primary_key",
        "allow_external_schedulers",
        "saved_before_start",
        "start_param",
        "end_param",
        "convert",
    ],
    refused: KEYS.refused,
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of cases")]
    fn names_mistakes() {
        let check = |value: Value, message: &str| {
            let fault = Cursor::parse(&value, "incremental", true).unwrap_err();
            assert_eq!(fault.to_string(), format!("incremental{message}"));
        };
        check(json!({}), ".cursor_path: expected a string, found nothing");
        check(
            json!({"cursor_path": "$"}),
            ".cursor_path: expected a path to a value of the record, found the record",
        );
        check(
            json!({"cursor_path": "a b"}),
            ".cursor_path: expected a path such as a.b, $['a b'] or items[*].id, found \"a b\": a key with ' ' in it is written ['like this']",
        );
        check(
            json!({"cursor_path": "a", "initial_value": {}}),
            ".initial_value: expected a string, a number, true or false, found an object",
        );
        check(
            json!({"cursor_path": "a", "end_value": 1}),
            ".initial_value: expected a value, for there is an end_value, found nothing",
        );
        check(
            json!({"cursor_path": "a", "initial_value": 2, "end_value": 1}),
            ".end_value: expected at least initial_value 2, found 1",
        );
        check(
            json!({"cursor_path": "a", "initial_value": 1, "end_value": 2, "last_value_func": "min"}),
            ".end_value: expected at most initial_value 1, found 2",
        );
        check(
            json!({"cursor_path": "a", "initial_value": 1, "end_value": "2"}),
            ".end_value: expected a value of the same type as initial_value 1, found \"2\"",
        );
        // Instants, not texts.
        let late = json!({"cursor_path": "a", "initial_value": "2024-01-01T00:00:00+01:00",
                          "end_value": "2023-12-31T23:30:00Z"});
        Cursor::parse(&late, "incremental", true).unwrap();
        for format in ["%H:%M", "%Q", "%B", "iso", "%Y-%m"] {
            check(
                json!({"cursor_path": "a", "format": format}),
                &format!(
                    ".format: expected \"text\", \"rfc2822\" or a format with year, month and day such as %m/%d/%Y or %d.%m.%Y %H:%M, found {format:?}"
                ),
            );
        }
        check(
            json!({"cursor_path": "a", "end_param": "until"}),
            ".end_value: expected a value for end_param, found nothing",
        );
        check(
            json!({"cursor_path": "a", "on_cursor_value_missing": "ignore"}),
            ".on_cursor_value_missing: expected one of \"raise\", \"include\", \"exclude\", found \"ignore\"",
        );
        check(json!({"cursor_path": "a", "lag": "1"}), ".lag: expected a number, found \"1\"");
        check(
            json!({"cursor_path": "a", "allow_external_schedulers": "airflow"}),
            ".allow_external_schedulers: expected true or false, found \"airflow\"",
        );
        check(
            json!({"cursor_path": "a", "saved_before_start": -1}),
            ".saved_before_start: expected seconds from 0 to 3162240000, found -1",
        );
        check(
            json!({"cursor_path": "a", "saved_before_start": 1, "last_value_func": "min"}),
            ".saved_before_start: saved_before_start has no effect with \"last_value_func\": \"min\"",
        );
        check(
            json!({"cursor_path": "a", "convert": {"format": "%Q"}}),
            ".convert.format: expected a strftime format such as %Y-%m-%d %H:%M, found \"%Q\"",
        );
        check(
            json!({"cursor_path": "a", "convert": {"template": "{val}"}}),
            ".convert.template: expected {value}, found {val}: write {{ and }} for braces that are meant",
        );
        let fault = Cursor::parse(&json!({"cursor_path": "a", "start_param": "since"}), "i", false);
        assert_eq!(
            fault.unwrap_err().to_string(),
            "i.start_param: a resource without an endpoint sends no requests"
        );
        let param = json!({"type": "incremental", "cursor_path": "a", "end_value": 1});
        assert_eq!(
            Cursor::parse_param("since", &param, "p").unwrap_err().to_string(),
            "p.end_value: expected nothing: say it in endpoint.incremental, which can hold both ends"
        );
    }
}
