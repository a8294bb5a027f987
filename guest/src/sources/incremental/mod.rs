//! Which records are new: dlt's `Incremental` for JSON (`extract/incremental/transform.py`), record
//! by record.
//!
//! The saved state is dlt's: `initial_value`, `last_value`, `unique_hashes` and `start_value`. A run
//! begins where the last one ended, with the records there included: those that were loaded then
//! are known by their hashes and left out. Hashes of dlt before 1.29 (20 characters) are understood,
//! and values JSON has no type for: a saved date or time is one of ISO 8601. Unlike dlt, texts are compared
//! as the instants or numbers they are; the state keeps them as the source writes them.

pub(crate) mod convert;
mod window;

use std::cell::Cell;
use std::cmp::Ordering;

use chrono::{DateTime, NaiveDateTime};
use indexmap::IndexSet;
use serde_json::{Map, Value, json};

use self::convert::delta;
use self::window::like;
pub use self::window::scheduled;
use crate::dlt::hash::b64_digest;
use crate::dlt::orjson::canonical_sorted;
use crate::dlt::state::Tag;
use crate::fault::{Context as _, Fault, Result};
use crate::job::{Cursor, CursorFormat, CursorValue, Instant, Key, Last, OnMissing, Sort};

/// The bytes of a hash in the state: 12 characters (`DEDUP_HASH_BYTES` in `extract/utils.py`).
const HASH_BYTES: usize = 9;
/// The same before dlt 1.29: 20 characters.
const LEGACY_HASH_BYTES: usize = 15;
const LEGACY_HASH_CHARS: usize = 20;
/// From how many records with one cursor value a person should know of it.
const MANY: usize = 200;

/// The cursor of one resource in one run.
#[derive(Clone, Debug)]
pub struct Incremental {
    cursor: Cursor,
    key: Key,
    deduplicates: bool,
    /// The state holds dates or times (dlt's, of a source that gave such values): the texts of records
    /// are compared as what they mean.
    times: bool,
    /// The last value as it was saved.
    saved: Value,
    /// The state as it was, or as it is for a first run.
    initial_value: Value,
    saved_last: Option<CursorValue<'static>>,
    saved_start: Value,
    start: Option<CursorValue<'static>>,
    start_hashes: IndexSet<String>,
    start_legacy: bool,
    last: Option<CursorValue<'static>>,
    hashes: IndexSet<String>,
    legacy: bool,
    /// What identifies the record that set `last`, not hashed yet: the next record is likely to
    /// set another.
    pending: Option<String>,
    touched: bool,
    kept: bool,
    closed: bool,
    /// Texts of which nothing is known were compared as texts.
    as_text: Cell<bool>,
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It is out of range, or was loaded before.
    Drop,
    /// It is loaded.
    Keep,
}

/// What tells records with the same cursor value apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unique<'a> {
    /// The value of this key of the record: its raw JSON.
    Field(&'a str),
    /// The values of these keys: a JSON list of them.
    Fields(&'a [String]),
    /// Nothing: it is never asked for.
    Nothing,
    /// The whole record: its raw JSON.
    Record,
}

impl Incremental {
    /// The cursor as the job describes it, going on from a saved state.
    ///
    /// `saved` is dlt's state of this cursor (`incremental.<cursor_path>` of the resource); none for
    /// a first run or a full load. `primary_key` is the resource's.
    ///
    /// # Errors
    /// A data fault when the state is not one; a config fault when the lag cannot be taken off.
    pub fn new(
        cursor: &Cursor,
        primary_key: &Key,
        saved: Option<&Map<String, Value>>,
    ) -> Result<Self> {
        let explicit = cursor.key.as_ref();
        let key = explicit.filter(|key| !key.is_empty()).unwrap_or(primary_key).clone();
        let ignored = explicit.is_some_and(Key::is_empty);
        let initial_value =
            cursor.initial_value.as_ref().map_or(Value::Null, CursorValue::to_value);
        // With an end the range is what the job says, whatever was loaded before.
        let saved = saved.filter(|state| cursor.end_value.is_none() && !state.is_empty());
        let mut incremental = Self {
            cursor: cursor.clone(),
            key,
            times: false,
            saved: Value::Null,
            deduplicates: cursor.start_closed
                && cursor.end_value.is_none()
                && cursor.lag.is_none()
                && cursor.saved_at_most.is_none()
                && !ignored,
            saved_last: cursor.initial_value.clone(),
            saved_start: initial_value.clone(),
            initial_value,
            start: None,
            start_hashes: IndexSet::new(),
            start_legacy: false,
            last: None,
            hashes: IndexSet::new(),
            legacy: false,
            pending: None,
            touched: false,
            kept: false,
            closed: false,
            as_text: Cell::new(false),
        };
        if let Some(state) = saved {
            incremental
                .restore(state)
                .at(|| format!("the saved state of cursor {}", cursor.path))?;
        }
        incremental.start = incremental.lagged()?;
        incremental.last.clone_from(&incremental.start);
        Ok(incremental)
    }

    /// What has to be handed to [`Incremental::keep`] by its `unique`.
    pub fn unique(&self) -> Unique<'_> {
        match self.key.columns.as_slice() {
            _ if !self.deduplicates => Unique::Nothing,
            [] => Unique::Record,
            [field] if self.key.single => Unique::Field(field),
            fields => Unique::Fields(fields),
        }
    }

    /// Where this run begins, the lag taken off: what the source is asked for.
    pub fn start_value(&self) -> Option<&CursorValue<'static>> {
        self.start.as_ref()
    }

    /// The last value so far, which the next run begins with.
    ///
    /// # Errors
    /// A data fault when the last value is to be at most a time, and is none.
    pub fn last_value(&self) -> Result<Option<CursorValue<'static>>> {
        let last = self.latest()?;
        let (Some(latest), Some(at)) = (&last, self.cursor.saved_at_most) else { return Ok(last) };
        let Some(at_most) = like(latest, &self.cursor.format, at) else {
            return Err(Fault::data(format_args!(
                "expected a cursor that is a date, a time or seconds since 1970, for it has \
                 saved_before_start, found {latest}"
            ))
            .at(format!("cursor {}", self.cursor.path)));
        };
        if !self.is_later(latest, &at_most)? {
            return Ok(last);
        }
        // The state never goes back.
        match &self.saved_last {
            Some(saved) if self.is_later(saved, &at_most)? => Ok(Some(saved.clone())),
            _ => Ok(Some(at_most)),
        }
    }

    /// The latest of the values that were seen and the one that was saved.
    fn latest(&self) -> Result<Option<CursorValue<'static>>> {
        match (&self.last, &self.saved_last) {
            // The lag took the start back; the state never goes back.
            (Some(last), Some(saved)) if self.cursor.lag.is_some() => {
                Ok(Some(if self.is_later(saved, last)? { saved.clone() } else { last.clone() }))
            }
            (last, _) => Ok(last.clone()),
        }
    }

    /// The cursor as the job describes it.
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Whether nothing that is still to come can be in range, as far as the job tells the order of
    /// records: do not ask for more pages.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Decides about a record and remembers it.
    ///
    /// `value` is the raw JSON at the cursor's path (where the path matches several, the first),
    /// none where there is nothing. `unique` gives the raw JSON that [`Incremental::unique`] names;
    /// it is called where that is needed, which is seldom.
    ///
    /// # Errors
    /// A data fault when there is no cursor and there has to be one, or when it does not compare
    /// with the others; the faults of `unique`.
    pub fn keep(
        &mut self,
        value: Option<&str>,
        unique: impl FnOnce() -> Result<String>,
    ) -> Result<Verdict> {
        self.touched = true;
        let verdict = match value.map(CursorValue::parse).transpose()? {
            Some(Some(found)) => self.judge(&found, unique)?,
            missing => match self.cursor.on_missing {
                OnMissing::Exclude => Verdict::Drop,
                OnMissing::Include => Verdict::Keep,
                OnMissing::Raise => return Err(self.missing(missing.is_some())),
            },
        };
        self.kept |= verdict == Verdict::Keep;
        Ok(verdict)
    }

    /// dlt's state of this cursor after this run; none where there is an end, for then nothing is
    /// saved.
    ///
    /// # Errors
    /// A data fault when a record that has to be hashed cannot be.
    pub fn state(&mut self) -> Result<Option<Map<String, Value>>> {
        if self.cursor.end_value.is_some() {
            return Ok(None);
        }
        self.settle()?;
        let value = |value: &Option<CursorValue<'_>>| {
            // To the letter, where nothing has changed.
            if *value == self.saved_last && !self.saved.is_null() {
                return self.saved.clone();
            }
            self.typed(value.as_ref().map_or(Value::Null, CursorValue::to_value))
        };
        let (last, hashes, start) = if self.touched {
            let start = if self.kept { value(&self.saved_last) } else { self.saved_start.clone() };
            // Without deduplication dlt keeps none, whatever there was.
            let hashes = if self.deduplicates { self.hashes.clone() } else { IndexSet::new() };
            (value(&self.last_value()?), hashes, start)
        } else {
            (value(&self.saved_last), self.start_hashes.clone(), self.saved_start.clone())
        };
        Ok(Some(Map::from_iter([
            ("initial_value".to_owned(), self.initial_value.clone()),
            ("last_value".to_owned(), last),
            ("unique_hashes".to_owned(), hashes.into_iter().collect()),
            ("start_value".to_owned(), start),
        ])))
    }

    /// What was seen so far, for a run that goes on in the midst of it: see [`Incremental::go_on`].
    ///
    /// # Errors
    /// A data fault when a record that has to be hashed cannot be.
    pub fn progress(&mut self) -> Result<Value> {
        self.settle()?;
        let mut progress = json!({
            "last_value": self.last.as_ref().map_or(Value::Null, CursorValue::to_value),
            "unique_hashes": self.hashes.iter().collect::<Vec<_>>(),
            "kept": self.kept,
        });
        if let Some(at) = self.cursor.saved_at_most {
            progress["saved_at_most"] = at.and_utc().timestamp_micros().into();
        }
        Ok(progress)
    }

    /// Goes on from the progress of a run that began where this one did.
    ///
    /// # Errors
    /// A data fault when it is no progress.
    pub fn go_on(&mut self, progress: &Value) -> Result<()> {
        let last = progress.get("last_value").unwrap_or(&Value::Null);
        if !last.is_null() {
            let value = CursorValue::of(last).ok_or_else(|| {
                Fault::data(format_args!("expected a cursor's value, found {last}"))
            })?;
            self.last = Some(value);
        }
        let hashes = progress.get("unique_hashes").and_then(Value::as_array);
        let hashes = hashes.into_iter().flatten().filter_map(Value::as_str);
        self.hashes = hashes.map(str::to_owned).collect();
        self.kept = progress.get("kept") == Some(&Value::Bool(true));
        self.touched = true;
        // The first pages are as old as the load that read them.
        let earlier = progress.get("saved_at_most").and_then(Value::as_i64);
        let earlier = earlier.and_then(DateTime::from_timestamp_micros);
        if let (Some(at), Some(earlier)) = (&mut self.cursor.saved_at_most, earlier) {
            *at = earlier.naive_utc().min(*at);
        }
        Ok(())
    }

    /// Whether a run can begin anew at the last value that was seen, and miss nothing: what comes is in
    /// the order of the cursor.
    pub fn is_ordered(&self) -> bool {
        self.cursor.row_order == Some(Sort::Ascending)
            && self.cursor.last == Last::Max
            && self.cursor.end_value.is_none()
    }

    /// What a person should know of the cursor.
    pub fn warnings(&self) -> Vec<String> {
        let path = &self.cursor.path;
        let many = (self.hashes.len() > MANY && self.start_hashes.len() <= MANY).then(|| {
            format!(
                "{} records have the same value of cursor {path}: a cursor of a higher resolution \
                 would keep the state small",
                self.hashes.len(),
            )
        });
        let as_text = self.as_text.get().then(|| {
            let such = self.last.as_ref().map_or_else(String::new, |last| format!(" such as {last}"));
            format!(
                "values of cursor {path}{such} are neither dates or times of ISO 8601 nor numbers, and are \
                 compared as texts: say in the cursor's \"format\" how they are written (\"rfc2822\", \
                 \"%m/%d/%Y\"), or \"text\" if that is meant"
            )
        });
        many.into_iter().chain(as_text).collect()
    }

    fn restore(&mut self, state: &Map<String, Value>) -> Result<()> {
        self.saved = state.get("last_value").cloned().unwrap_or_default();
        let plain = Tag::strip(&self.saved);
        self.saved_last = match (self.saved.as_str().and_then(Tag::split), &plain) {
            (_, Value::Null) => None,
            (Some((Tag::Decimal | Tag::Wei, number)), _) => {
                CursorValue::parse(number)?.map(CursorValue::into_owned)
            }
            (tagged, _) => {
                self.times = matches!(tagged, Some((Tag::DateTime | Tag::Date, _)));
                Some(CursorValue::of(&plain).ok_or_else(|| {
                    Fault::data(format_args!(
                        "expected last_value to be a text or a number, found {plain}"
                    ))
                })?)
            }
        };
        self.saved_start = state.get("start_value").cloned().unwrap_or_default();
        self.initial_value = state.get("initial_value").cloned().unwrap_or_default();
        match state.get("unique_hashes") {
            None | Some(Value::Null) => {}
            Some(Value::Array(hashes)) if hashes.iter().all(Value::is_string) => {
                self.start_hashes =
                    hashes.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            }
            Some(other) => {
                return Err(Fault::data(format_args!(
                    "expected unique_hashes to be a list of texts, found {other}"
                )));
            }
        }
        self.start_legacy = self.start_hashes.iter().any(|hash| hash.len() == LEGACY_HASH_CHARS);
        self.legacy = self.start_legacy;
        self.hashes.clone_from(&self.start_hashes);
        Ok(())
    }

    /// The saved last value with the lag taken off, but never before the initial value.
    fn lagged(&self) -> Result<Option<CursorValue<'static>>> {
        let (Some(lag), Some(last)) = (self.cursor.lag, &self.saved_last) else {
            return Ok(self.saved_last.clone());
        };
        if self.cursor.end_value.is_some() {
            return Ok(self.saved_last.clone());
        }
        let initial = self.cursor.initial_value.as_ref();
        let lagged = lag_off(lag, last, &self.cursor, initial).ok_or_else(|| {
            Fault::config(format_args!(
                "expected a cursor a lag can be taken off, a number, a date or a time, found {last}"
            ))
            .at(format!("cursor {}", self.cursor.path))
        })?;
        match initial {
            Some(initial) if !self.is_later(&lagged, initial)? => Ok(Some(initial.clone())),
            _ => Ok(Some(lagged)),
        }
    }

    fn judge(
        &mut self,
        found: &CursorValue<'_>,
        unique: impl FnOnce() -> Result<String>,
    ) -> Result<Verdict> {
        if let Some(end) = &self.cursor.end_value {
            let ordering = self.compare(found, end)?;
            if ordering.is_gt() || (ordering.is_eq() && !self.cursor.end_closed) {
                self.closed |= self.cursor.row_order == Some(Sort::Ascending);
                return Ok(Verdict::Drop);
            }
        }
        let to_last = match &self.last {
            None => Ordering::Greater,
            Some(last) => self.compare(found, last)?,
        };
        if to_last.is_gt() {
            self.last = Some(found.clone().into_owned());
            if self.deduplicates {
                self.hashes.clear();
                self.legacy = false;
                self.pending = Some(unique()?);
            }
            return Ok(Verdict::Keep);
        }
        let to_start = match &self.start {
            None => Ordering::Greater,
            Some(start) => self.compare(found, start)?,
        };
        if to_start.is_lt() || (to_start.is_eq() && !self.cursor.start_closed) {
            self.closed |= self.cursor.row_order == Some(Sort::Descending);
            return Ok(Verdict::Drop);
        }
        if !self.deduplicates || (to_start.is_gt() && to_last.is_lt()) {
            return Ok(Verdict::Keep);
        }
        // At the start it may have been loaded before; at the last value the next run may see it.
        let unique = unique()?;
        if to_start.is_eq() && self.start_hashes.contains(&hash(&unique, self.start_legacy)?) {
            self.closed |= self.cursor.row_order == Some(Sort::Descending);
            return Ok(Verdict::Drop);
        }
        if to_last.is_eq() {
            self.settle()?;
            let hash = hash(&unique, self.legacy)?;
            self.hashes.insert(hash);
        }
        Ok(Verdict::Keep)
    }

    /// A value as it is saved: with the type the saved one has, so that dlt finds it again.
    fn typed(&self, value: Value) -> Value {
        let iso = |text: &str| {
            let instant = Instant::parse(text).filter(|_| self.times)?;
            let is_date = matches!(self.saved.as_str().and_then(Tag::split), Some((Tag::Date, _)));
            Some(if is_date { instant.utc_day()?.to_string() } else { instant.iso() })
        };
        let value = match value.as_str().and_then(iso) {
            Some(text) => Value::String(text),
            None => value,
        };
        Tag::like(&self.saved, value)
    }

    fn settle(&mut self) -> Result<()> {
        if let Some(unique) = self.pending.take() {
            let hash = hash(&unique, self.legacy)?;
            self.hashes.insert(hash);
        }
        Ok(())
    }

    fn is_later(&self, one: &CursorValue<'_>, other: &CursorValue<'_>) -> Result<bool> {
        Ok(self.compare(one, other)?.is_gt())
    }

    /// Greater means later, whichever way the cursor goes.
    fn compare(&self, one: &CursorValue<'_>, other: &CursorValue<'_>) -> Result<Ordering> {
        let ordering = match (one, other) {
            (CursorValue::Text(one), CursorValue::Text(other)) if self.times => {
                let utc = |text| utc(text, &self.cursor.format);
                utc(one).and_then(|one| Ok(one.cmp(&utc(other)?)))
            }
            _ => self.cursor.format.compare(one, other).map(|compared| {
                self.as_text.set(self.as_text.get() | compared.as_text);
                compared.ordering
            }),
        };
        let ordering = ordering.at(|| format!("cursor {}", self.cursor.path))?;
        Ok(match self.cursor.last {
            Last::Max => ordering,
            Last::Min => ordering.reverse(),
        })
    }

    #[cold]
    fn missing(&self, is_null: bool) -> Fault {
        let found = if is_null { "null" } else { "nothing" };
        Fault::data(format_args!(
            "expected a value for the cursor, found {found}: on_cursor_value_missing can say \
             \"include\" or \"exclude\""
        ))
        .at(format!("cursor {}", self.cursor.path))
    }
}

/// What a date or a time means: one that dlt saved is of ISO 8601, whatever the source writes.
fn utc(text: &str, format: &CursorFormat) -> Result<NaiveDateTime> {
    let instant = format.instant(text).or_else(|| Instant::parse(text));
    instant.and_then(|instant| instant.utc()).ok_or_else(|| {
        Fault::data(format_args!("expected a date or a time, for such was saved, found {text:?}"))
    })
}

fn hash(unique: &str, legacy: bool) -> Result<String> {
    let bytes = if legacy { LEGACY_HASH_BYTES } else { HASH_BYTES };
    Ok(b64_digest(canonical_sorted(unique)?.as_bytes(), bytes))
}

/// A value with the lag taken off (`extract/incremental/lag.py`); none where that means nothing.
fn lag_off(
    lag: f64,
    value: &CursorValue<'_>,
    cursor: &Cursor,
    initial: Option<&CursorValue<'_>>,
) -> Option<CursorValue<'static>> {
    let back = match cursor.last {
        Last::Max => -lag,
        Last::Min => lag,
    };
    let text = match value {
        CursorValue::Bool(_) => return None,
        CursorValue::Real(real) => return Some(CursorValue::Real(real + back)),
        CursorValue::Whole(whole) if back.fract() == 0.0 && back.abs() < 1e18 => {
            return Some(CursorValue::Whole(whole.checked_add(back as i128)?));
        }
        CursorValue::Whole(whole) => {
            return Some(CursorValue::Whole((*whole as f64 + back).trunc() as i128));
        }
        CursorValue::Text(text) => text,
    };
    let instant = cursor.format.instant(text)?;
    let declared = match initial {
        Some(CursorValue::Text(initial)) => cursor.format.instant(initial).map(|i| i.is_date()),
        _ => None,
    };
    let lagged = if declared.unwrap_or(instant.is_date()) {
        // Days of the calendar; a part of a day counts as one.
        let days = chrono::TimeDelta::try_days(back.floor() as i64)?;
        let day = instant.utc_day()?.checked_add_signed(days)?;
        if instant.is_date() {
            instant.plus(days)?
        } else {
            // The whole day stays in range.
            let boundary = match cursor.last {
                Last::Max => chrono::NaiveTime::MIN,
                Last::Min => chrono::NaiveTime::from_hms_micro_opt(23, 59, 59, 999_999)?,
            };
            instant.at_utc(day.and_time(boundary))?
        }
    } else {
        instant.plus(delta(back)?)?
    };
    Some(CursorValue::Text(lagged.text().into()))
}

#[cfg(test)]
mod tests;
