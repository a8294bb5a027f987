//! Incremental loading, record by record: dlt's `Incremental` for JSON
//! (`extract/incremental/transform.py`).
//!
//! The saved state is dlt's: `initial_value`, `last_value`, `unique_hashes` and `start_value`. A
//! run starts where the last one ended, including the records there: those that were loaded are
//! recognized by their hashes and discarded. Hashes of dlt before 1.29 (20 characters) are
//! supported, and so are values of types that JSON lacks: a saved date or time is in ISO 8601.
//! Unlike dlt, strings are compared as the instants or numbers they represent; the state keeps them
//! as the source writes them.

pub(crate) mod convert;
mod lag;
mod saved;
mod window;

use std::cell::Cell;
use std::cmp::Ordering;

use chrono::NaiveDateTime;
use indexmap::IndexSet;
use serde_json::{Map, Value};

use self::lag::lag_off;
use self::saved::hash;
use self::window::like;
pub(crate) use self::window::scheduled;
use crate::fault::{Context as _, Fault, Result};
use crate::job::{Cursor, CursorFormat, CursorValue, Key, Last, OnMissing, Sort, WrittenInstant};

/// The number of records with one cursor value above which there is a warning.
const MANY: usize = 200;

/// The cursor of one resource in one run.
#[derive(Clone, Debug)]
pub(crate) struct Incremental {
    cursor: Cursor,
    key: Key,
    deduplicates: bool,
    /// Whether the state has dates or times: strings of records are then compared as such.
    times: bool,
    /// The saved last value.
    saved: Value,
    /// The previous state, or the initial state of a first run.
    initial_value: Value,
    saved_last: Option<CursorValue<'static>>,
    saved_start: Value,
    start: Option<CursorValue<'static>>,
    start_hashes: IndexSet<String>,
    start_legacy: bool,
    last: Option<CursorValue<'static>>,
    hashes: IndexSet<String>,
    legacy: bool,
    /// The unique value of the record that set `last`. It is not hashed yet, because the next record is likely to
    /// set another.
    pending: Option<String>,
    touched: bool,
    kept: bool,
    closed: bool,
    /// Whether strings of an unknown format were compared as strings.
    as_text: Cell<bool>,
}

/// What happens to a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RecordVerdict {
    /// It is discarded: out of range, or loaded before.
    Drop,
    /// It is loaded.
    Keep,
}

/// The values that deduplicate records with equal cursor values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unique<'a> {
    /// The value of this key of the record: its raw JSON.
    Field(&'a str),
    /// The values of these keys: a JSON list of them.
    Fields(&'a [String]),
    /// Nothing: records are not deduplicated.
    Nothing,
    /// The whole record: its raw JSON.
    Record,
}

impl Incremental {
    /// Creates the cursor of a job, starting at a saved state.
    ///
    /// `saved` is dlt's state of this cursor (`incremental.<cursor_path>` of the resource), or
    /// `None` for a first run or a full load. `primary_key` is the resource's.
    ///
    /// # Errors
    /// A data fault if the state is invalid; a config fault if the lag cannot be subtracted.
    pub(crate) fn new(
        cursor: &Cursor,
        primary_key: &Key,
        saved: Option<&Map<String, Value>>,
    ) -> Result<Self> {
        let explicit = cursor.key.as_ref();
        let key = explicit.filter(|key| !key.is_empty()).unwrap_or(primary_key).clone();
        let ignored = explicit.is_some_and(Key::is_empty);
        let initial_value =
            cursor.initial_value.as_ref().map_or(Value::Null, CursorValue::to_value);
        // With an end, the range is that of the job, regardless of earlier loads.
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

    /// The value that `unique` returns to [`Incremental::keep`].
    pub(crate) fn unique(&self) -> Unique<'_> {
        match self.key.columns.as_slice() {
            _ if !self.deduplicates => Unique::Nothing,
            [] => Unique::Record,
            [field] if self.key.single => Unique::Field(field),
            fields => Unique::Fields(fields),
        }
    }

    /// The start of this run's range, minus the lag: the value for requests.
    pub(crate) fn start_value(&self) -> Option<&CursorValue<'static>> {
        self.start.as_ref()
    }

    /// The last value so far, at which the next run starts.
    ///
    /// # Errors
    /// A data fault if the last value is limited to an instant, and is not one.
    pub(crate) fn last_value(&self) -> Result<Option<CursorValue<'static>>> {
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

    /// The latest of the values seen and the saved one.
    fn latest(&self) -> Result<Option<CursorValue<'static>>> {
        match (&self.last, &self.saved_last) {
            // The lag moved the start back; the state never goes back.
            (Some(last), Some(saved)) if self.cursor.lag.is_some() => {
                Ok(Some(if self.is_later(saved, last)? { saved.clone() } else { last.clone() }))
            }
            (last, _) => Ok(last.clone()),
        }
    }

    /// The cursor of the job.
    pub(crate) fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Returns `true` if no later record can be in range, by the order of records that the job
    /// declares: no more pages are needed.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Returns `true` if a record can show that no more pages are needed, by the order of records that the job
    /// declares.
    pub(crate) fn may_close(&self) -> bool {
        match self.cursor.row_order {
            Some(Sort::Ascending) => self.cursor.end_value.is_some(),
            Some(Sort::Descending) => true,
            None => false,
        }
    }

    /// Decides whether a record is loaded.
    ///
    /// `value` is the raw JSON at the cursor's path (the first, if the path matches several), or
    /// `None` if there is none. `unique` returns the raw JSON for [`Incremental::unique`]; it is
    /// called only if needed, which is rare.
    ///
    /// # Errors
    /// A data fault if the cursor is missing and required, or cannot be compared with the others;
    /// the faults of `unique`.
    pub(crate) fn keep(
        &mut self,
        value: Option<&str>,
        unique: impl FnOnce() -> Result<String>,
    ) -> Result<RecordVerdict> {
        self.touched = true;
        let verdict = match value.map(CursorValue::parse).transpose()? {
            Some(Some(found)) => self.judge(&found, unique)?,
            missing => match self.cursor.on_missing {
                OnMissing::Exclude => RecordVerdict::Drop,
                OnMissing::Include => RecordVerdict::Keep,
                OnMissing::Raise => return Err(self.missing(missing.is_some())),
            },
        };
        self.kept |= verdict == RecordVerdict::Keep;
        Ok(verdict)
    }

    /// Returns `true` if a run can restart at the last value seen and miss nothing: records are in
    /// the order of the cursor.
    pub(crate) fn is_ordered(&self) -> bool {
        self.cursor.row_order == Some(Sort::Ascending)
            && self.cursor.last == Last::Max
            && self.cursor.end_value.is_none()
    }

    /// Warnings about the cursor.
    pub(crate) fn warnings(&self) -> Vec<String> {
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

    /// The saved last value minus the lag, but never before the initial value.
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
                "expected a number, a date or a time as the cursor, from which the lag can be subtracted, found {last}"
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
    ) -> Result<RecordVerdict> {
        if let Some(end) = &self.cursor.end_value {
            let ordering = self.compare(found, end)?;
            if ordering.is_gt() || (ordering.is_eq() && !self.cursor.end_closed) {
                self.closed |= self.cursor.row_order == Some(Sort::Ascending);
                return Ok(RecordVerdict::Drop);
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
            return Ok(RecordVerdict::Keep);
        }
        let to_start = match &self.start {
            None => Ordering::Greater,
            Some(start) => self.compare(found, start)?,
        };
        if to_start.is_lt() || (to_start.is_eq() && !self.cursor.start_closed) {
            self.closed |= self.cursor.row_order == Some(Sort::Descending);
            return Ok(RecordVerdict::Drop);
        }
        if !self.deduplicates || (to_start.is_gt() && to_last.is_lt()) {
            return Ok(RecordVerdict::Keep);
        }
        // A record at the start may have been loaded before; one at the last value may be seen by
        // the next run.
        let unique = unique()?;
        if to_start.is_eq() && self.start_hashes.contains(&hash(&unique, self.start_legacy)?) {
            self.closed |= self.cursor.row_order == Some(Sort::Descending);
            return Ok(RecordVerdict::Drop);
        }
        if to_last.is_eq() {
            self.settle()?;
            let hash = hash(&unique, self.legacy)?;
            self.hashes.insert(hash);
        }
        Ok(RecordVerdict::Keep)
    }

    fn is_later(&self, one: &CursorValue<'_>, other: &CursorValue<'_>) -> Result<bool> {
        Ok(self.compare(one, other)?.is_gt())
    }

    /// Compares two values: greater is later, whichever direction the cursor has.
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

/// The value of a date or a time: one that dlt saved is in ISO 8601, whatever the source writes.
fn utc(text: &str, format: &CursorFormat) -> Result<NaiveDateTime> {
    let instant = format.instant(text).or_else(|| WrittenInstant::parse(text));
    instant.and_then(|instant| instant.utc()).ok_or_else(|| {
        Fault::data(format_args!("expected a date or a time, for such was saved, found {text:?}"))
    })
}

#[cfg(test)]
mod tests;
