//! The slices of a resource: how its records are divided for a backfill.

use std::cmp::Ordering;

use chrono::{NaiveDateTime, TimeDelta};
use serde_json::{Value, json};

use super::cursor::{Cursor, Last, OnMissing};
use super::ordering::CursorFormat;
use super::parse::{JobObject, Keys};
use super::value::CursorValue;
use crate::dlt::hash::{b64_digest, sha3_256};
use crate::dlt::orjson::canonical_sorted;
use crate::fault::{Fault, Result};

/// The greatest number of slices of a resource. Each is a row of a table, and a load.
const MOST: usize = 10_000;

/// How the records of a resource are divided.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Slices {
    /// Identifies the division: a digest of the definition in the job.
    pub(crate) definition: String,
    rule: SliceRule,
}

/// What decides to which slice a record belongs.
#[derive(Clone, Debug, PartialEq)]
enum SliceRule {
    /// The cursor of the record.
    Window {
        /// The bounds, one more than there are windows. A window has the values from its bound to the next one,
        /// without that.
        bounds: Vec<CursorValue<'static>>,
        /// The last bound, if it is an instant.
        end: Option<NaiveDateTime>,
    },
    /// The name of its file.
    Files {
        /// The number of slices.
        count: usize,
    },
}

/// The files of one slice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FileShare {
    number: usize,
    count: usize,
}

impl FileShare {
    /// Returns `true` if the file of this name is one of them. The slice of a file depends on nothing but its name,
    /// so a file that is added or removed does not move others.
    pub(crate) fn has(self, name: &str) -> bool {
        let digest = sha3_256(name.as_bytes());
        let number =
            digest.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        u64::try_from(self.count).is_ok_and(|count| {
            number.checked_rem(count).and_then(|it| usize::try_from(it).ok()) == Some(self.number)
        })
    }
}

impl Slices {
    /// Parses the slices of a resource with this cursor, which reads these files.
    pub(super) fn parse(
        value: &Value,
        place: &str,
        cursor: Option<&Cursor>,
        files: &[String],
    ) -> Result<Self> {
        const KEYS: [&str; 5] = ["by", "from", "to", "every", "count"];
        let object = JobObject::new(value, place, Keys::of(&KEYS))?;
        let Some(by_files) = object.choice("by", &[("window", false), ("files", true)])? else {
            return Err(object.missing("by", "\"window\" or \"files\""));
        };
        let (other, by) = match by_files {
            true => (&["from", "to", "every"][..], "files"),
            false => (&["count"][..], "window"),
        };
        if let Some(key) = other.iter().find(|key| object.get(key).is_some()) {
            return Err(object.fault_at(key, format!("expected nothing, for slices by {by}")));
        }
        let rule = match by_files {
            true => of_files(&object, cursor, files)?,
            false => of_cursor(&object, cursor)?,
        };
        let said = KEYS.map(|key| object.get(key));
        let document =
            json!({"said": said, "cursor": cursor.map(|it| it.path.as_str()), "files": files})
                .to_string();
        let definition = b64_digest(canonical_sorted(&document)?.as_bytes(), 12);
        Ok(Self { definition, rule })
    }

    /// Returns `true` if no cursor is behind the slices, so that an ordinary load begins with the first file again.
    pub(crate) const fn is_by_files(&self) -> bool {
        matches!(self.rule, SliceRule::Files { .. })
    }

    /// The number of slices.
    pub(crate) fn count(&self) -> usize {
        match &self.rule {
            SliceRule::Window { bounds, .. } => bounds.len().saturating_sub(1),
            SliceRule::Files { count } => *count,
        }
    }

    /// The first value of a slice, and the value at which it ends, if it is a window.
    pub(crate) fn range(
        &self,
        number: usize,
    ) -> Option<(&CursorValue<'static>, &CursorValue<'static>)> {
        match &self.rule {
            SliceRule::Window { bounds, .. } => {
                Some((bounds.get(number)?, bounds.get(number.checked_add(1)?)?))
            }
            SliceRule::Files { .. } => None,
        }
    }

    /// The files of a slice, if it is one of files.
    pub(crate) fn share(&self, number: usize) -> Option<FileShare> {
        match self.rule {
            SliceRule::Files { count } if number < count => Some(FileShare { number, count }),
            SliceRule::Files { .. } | SliceRule::Window { .. } => None,
        }
    }

    /// The values at which the first slice begins and the last one ends, if they are windows.
    pub(crate) fn whole(&self) -> Option<(&CursorValue<'static>, &CursorValue<'static>)> {
        match &self.rule {
            SliceRule::Window { bounds, .. } => Some((bounds.first()?, bounds.last()?)),
            SliceRule::Files { .. } => None,
        }
    }

    /// Checks that no window ends after this instant: a record that changes meanwhile would be in two.
    ///
    /// # Errors
    /// A config fault.
    pub(crate) fn check_end(&self, now: NaiveDateTime) -> Result<()> {
        match (&self.rule, self.whole()) {
            (SliceRule::Window { end: Some(end), .. }, Some((_, last))) if *end > now => Err(Fault::config(format_args!(
                "expected an end that is not after the start of the load, found {last}: a record that changes \
                 while the slices are loaded would be in two of them"
            ))
            .at("slices.to")),
            _ => Ok(()),
        }
    }
}

/// The slices of the values of a cursor.
fn of_cursor(object: &JobObject<'_>, cursor: Option<&Cursor>) -> Result<SliceRule> {
    let Some(cursor) = cursor else {
        return Err(object.fault("expected an incremental cursor, for a slice is a range of it"));
    };
    if let Some((key, found)) = unfit(cursor) {
        return Err(object.fault(format_args!(
            "expected a cursor without {key}, found {found}: each slice is a range of the cursor, and each \
             record belongs to one"
        )));
    }
    let (bounds, end) = windows(object, &cursor.format)?;
    Ok(SliceRule::Window { bounds, end })
}

/// The slices of files.
fn of_files(
    object: &JobObject<'_>,
    cursor: Option<&Cursor>,
    files: &[String],
) -> Result<SliceRule> {
    if files.is_empty() {
        return Err(object.fault("expected a resource with files, for a slice has some of them"));
    }
    if cursor.is_some() {
        return Err(object.fault(
            "expected a resource without an incremental cursor, or slices by window: the cursor would \
             not move",
        ));
    }
    match object.whole("count", 1, MOST as i64)?.and_then(|count| usize::try_from(count).ok()) {
        Some(count) => Ok(SliceRule::Files { count }),
        None => Err(object.missing("count", "an integer, the number of slices")),
    }
}

/// The option of a cursor that contradicts slices, and its value.
fn unfit(cursor: &Cursor) -> Option<(&'static str, &'static str)> {
    match cursor {
        _ if cursor.end_value.is_some() => Some(("end_value", "one")),
        _ if cursor.scheduled => Some(("allow_external_schedulers", "true")),
        _ if cursor.last == Last::Min => Some(("last_value_func", "\"min\"")),
        _ if cursor.on_missing == OnMissing::Include => {
            Some(("on_cursor_value_missing", "\"include\""))
        }
        _ if !cursor.start_closed => Some(("range_start", "\"open\"")),
        _ if cursor.end_closed => Some(("range_end", "\"closed\"")),
        _ => None,
    }
}

type Bounds = (Vec<CursorValue<'static>>, Option<NaiveDateTime>);

/// The bounds of the windows.
fn windows(object: &JobObject<'_>, format: &CursorFormat) -> Result<Bounds> {
    const EXPECTED: &str = "a date, a time or an integer";
    let bound = |key| {
        let value = object.get(key).ok_or_else(|| object.missing(key, EXPECTED))?;
        match CursorValue::of(value) {
            Some(bound @ (CursorValue::Whole(_) | CursorValue::Text(_))) => Ok(bound),
            _ => Err(object.wrong_type(EXPECTED, value, key)),
        }
    };
    let (from, to) = (bound("from")?, bound("to")?);
    let (bounds, end) = match (&from, &to) {
        (CursorValue::Whole(from), CursorValue::Whole(to)) => (steps(object, *from, *to)?, None),
        (CursorValue::Text(from), CursorValue::Text(to)) => periods(object, format, from, to)?,
        _ => {
            let message = format!("expected a value of the type of from {from}, found {to}");
            return Err(object.fault_at("to", message));
        }
    };
    for pair in bounds.windows(2) {
        let [one, next] = pair else { continue };
        if format.compare(one, next)?.ordering != Ordering::Less {
            let message = format!("expected bounds that grow, found {one} and then {next}");
            return Err(object.fault_at("every", message));
        }
    }
    Ok((bounds, end))
}

/// The bounds between two integers.
fn steps(object: &JobObject<'_>, from: i128, to: i128) -> Result<Vec<CursorValue<'static>>> {
    let Some(every) = object.whole("every", 1, i64::MAX)? else {
        return Err(object.missing("every", "an integer, the values of a slice"));
    };
    check_order(object, from < to)?;
    check_count(object, (to - from - 1) / i128::from(every) + 1)?;
    let starts = (0..).map(|n| from + n * i128::from(every)).take_while(|start| *start < to);
    Ok(starts.chain([to]).map(CursorValue::Whole).collect())
}

/// The bounds between two instants, in the notation of the first.
fn periods(object: &JobObject<'_>, format: &CursorFormat, from: &str, to: &str) -> Result<Bounds> {
    let instant = |key, text: &str| {
        let instant = format.instant(text);
        let utc = instant.as_ref().and_then(|instant| instant.utc());
        instant.zip(utc).ok_or_else(|| {
            object.fault_at(key, format!("expected a date or a time of the cursor, found {text:?}"))
        })
    };
    let ((first, begin), (_, end)) = (instant("from", from)?, instant("to", to)?);
    let every = period(object)?;
    check_order(object, begin < end)?;
    let (all, one) = ((end - begin).num_seconds().max(1), every.num_seconds().max(1));
    check_count(object, i128::from((all - 1) / one) + 1)?;
    let mut bounds = vec![CursorValue::Text(from.to_owned().into())];
    let mut next = begin;
    while let Some(start) = next.checked_add_signed(every).filter(|start| *start < end) {
        let Some(written) = first.clone().at_utc(start) else {
            return Err(object.fault_at("every", "a bound is beyond the range of dates"));
        };
        bounds.push(CursorValue::Text(written.text().into()));
        next = start;
    }
    bounds.push(CursorValue::Text(to.to_owned().into()));
    Ok((bounds, Some(end)))
}

/// The duration of a window: a number and a unit.
fn period(object: &JobObject<'_>) -> Result<TimeDelta> {
    const EXPECTED: &str = "a duration such as \"7d\", \"1h\" or \"30m\"";
    let Some(value) = object.get("every") else { return Err(object.missing("every", EXPECTED)) };
    let duration = value.as_str().and_then(|text| {
        let unit = text.chars().next_back()?;
        let number: i64 = text.strip_suffix(unit)?.parse().ok()?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        TimeDelta::try_seconds(number.checked_mul(seconds)?).filter(|_| number > 0)
    });
    duration.ok_or_else(|| object.wrong_type(EXPECTED, value, "every"))
}

fn check_order(object: &JobObject<'_>, ordered: bool) -> Result<()> {
    match ordered {
        true => Ok(()),
        false => Err(object.fault_at("to", "expected a value after from")),
    }
}

fn check_count(object: &JobObject<'_>, count: i128) -> Result<()> {
    match count <= MOST as i128 {
        true => Ok(()),
        false => {
            let message = format!("expected at most {MOST} slices, found {count}");
            Err(object.fault_at("every", message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Job;

    fn job(cursor: Value, slices: Value) -> Result<Job> {
        let job = json!({
            "pipeline": "p", "database": "D", "dataset": "s",
            "resources": [{"name": "r", "incremental": cursor, "slices": slices}],
        });
        Job::parse(&job.to_string())
    }

    fn window(from: Value, to: Value, every: Value) -> Value {
        json!({"by": "window", "from": from, "to": to, "every": every})
    }

    #[test]
    fn windows_cover_the_range_without_a_gap() {
        let check = |from: Value, to: Value, every: Value, expect: &[&str]| {
            let job = job(json!({"cursor_path": "c"}), window(from, to, every)).unwrap();
            let slices = job.resources[0].slices.as_ref().unwrap();
            let SliceRule::Window { bounds, .. } = &slices.rule else { panic!("{slices:?}") };
            let bounds: Vec<String> = bounds.iter().map(ToString::to_string).collect();
            assert_eq!(bounds, expect);
            assert_eq!(slices.count(), expect.len() - 1);
        };
        check(json!(0), json!(10), json!(4), &["0", "4", "8", "10"]);
        check(json!(-3), json!(-1), json!(5), &["-3", "-1"]);
        check(json!(0), json!(8), json!(4), &["0", "4", "8"]);
        check(
            json!("2024-02-28"),
            json!("2024-03-02"),
            json!("1d"),
            &["\"2024-02-28\"", "\"2024-02-29\"", "\"2024-03-01\"", "\"2024-03-02\""],
        );
        check(
            json!("2024-01-01T00:00:00.000+0100"),
            json!("2024-01-01T01:30:00Z"),
            json!("2h"),
            &[
                "\"2024-01-01T00:00:00.000+0100\"",
                "\"2024-01-01T02:00:00.000+0100\"",
                "\"2024-01-01T01:30:00Z\"",
            ],
        );
        check(
            json!("2024-01-01"),
            json!("2024-01-16"),
            json!("1w"),
            &["\"2024-01-01\"", "\"2024-01-08\"", "\"2024-01-15\"", "\"2024-01-16\""],
        );
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of cases")]
    fn names_mistakes() {
        let check = |cursor: Value, slices: Value, message: &str| {
            let cursor = if cursor.is_null() {
                cursor
            } else {
                let mut map = json!({"cursor_path": "c"});
                map.as_object_mut().unwrap().extend(cursor.as_object().unwrap().clone());
                map
            };
            let fault = job(cursor, slices).unwrap_err().to_string();
            assert_eq!(fault, format!("resources[0].slices{message}"));
        };
        let ten = || window(json!(0), json!(10), json!(4));
        check(json!({}), json!({}), ".by: expected \"window\" or \"files\", found nothing");
        check(
            json!({}),
            json!({"by": "day"}),
            ".by: expected one of \"window\", \"files\", found \"day\"",
        );
        check(
            json!({}),
            json!({"by": "files", "from": 1}),
            ".from: expected nothing, for slices by files",
        );
        check(
            json!({}),
            json!({"by": "files", "count": 2}),
            ": expected a resource with files, for a slice has some of them",
        );
        check(Value::Null, ten(), ": expected an incremental cursor, for a slice is a range of it");
        for (key, value, found) in [
            ("last_value_func", json!("min"), "\"min\""),
            ("on_cursor_value_missing", json!("include"), "\"include\""),
            ("range_start", json!("open"), "\"open\""),
            ("range_end", json!("closed"), "\"closed\""),
        ] {
            check(
                json!({key: value}),
                ten(),
                &format!(
                    ": expected a cursor without {key}, found {found}: each slice is a range of the cursor, and \
                     each record belongs to one"
                ),
            );
        }
        let cursor = || json!({});
        check(
            cursor(),
            window(json!(0), json!("9"), json!(1)),
            ".to: expected a value of the type of from 0, found \"9\"",
        );
        check(
            cursor(),
            window(json!(0), json!(1.5), json!(1)),
            ".to: expected a date, a time or an integer, found 1.5",
        );
        check(cursor(), window(json!(1), json!(1), json!(1)), ".to: expected a value after from");
        check(
            cursor(),
            window(json!(0), json!(10), json!("1d")),
            ".every: expected an integer from 1 to 9223372036854775807, found \"1d\"",
        );
        check(
            cursor(),
            window(json!(0), json!(10_001), json!(1)),
            ".every: expected at most 10000 slices, found 10001",
        );
        let days = |every: Value| window(json!("2024-01-01"), json!("2024-01-02"), every);
        for every in [json!(1), json!("d"), json!("-1d"), json!("0h"), json!("1y"), json!("1 d")] {
            check(
                cursor(),
                days(every.clone()),
                &format!(
                    ".every: expected a duration such as \"7d\", \"1h\" or \"30m\", found {every}"
                ),
            );
        }
        check(
            cursor(),
            days(json!("1h")),
            ".every: expected bounds that grow, found \"2024-01-01\" and then \"2024-01-01\"",
        );
        check(
            cursor(),
            window(json!("a"), json!("b"), json!("1d")),
            ".from: expected a date or a time of the cursor, found \"a\"",
        );
    }

    #[test]
    fn each_file_belongs_to_one_slice() {
        let mut files = [0; 7];
        for n in 0..700 {
            let name = format!("2024/{n}.parquet");
            let shares = (0..7).filter(|number| FileShare { number: *number, count: 7 }.has(&name));
            let shares: Vec<usize> = shares.collect();
            assert_eq!(shares.len(), 1, "{name}");
            files[shares[0]] += 1;
        }
        assert!(files.iter().all(|count| (70..130).contains(count)), "{files:?}");
    }
}
