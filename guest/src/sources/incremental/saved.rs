//! dlt's saved state of a cursor: how it is read and written.

use chrono::DateTime;
use indexmap::IndexSet;
use serde_json::{Map, Value, json};

use super::Incremental;
use crate::dlt::hash::b64_digest;
use crate::dlt::orjson::canonical_sorted;
use crate::dlt::state::Tag;
use crate::fault::{Fault, Result};
use crate::job::{CursorValue, WrittenInstant};

/// The number of bytes of a hash in the state: 12 characters (`DEDUP_HASH_BYTES` in
/// `extract/utils.py`).
const HASH_BYTES: usize = 9;
/// The number before dlt 1.29: 20 characters.
const LEGACY_HASH_BYTES: usize = 15;
const LEGACY_HASH_CHARS: usize = 20;

impl Incremental {
    /// dlt's state of this cursor after this run. `None` if there is an end: then nothing is saved.
    ///
    /// # Errors
    /// A data fault if a record cannot be hashed.
    pub(crate) fn state(&mut self) -> Result<Option<Map<String, Value>>> {
        if self.cursor.end_value.is_some() {
            return Ok(None);
        }
        self.settle()?;
        let value = |value: &Option<CursorValue<'_>>| {
            // Unchanged text if the value has not changed.
            if *value == self.saved_last && !self.saved.is_null() {
                return self.saved.clone();
            }
            self.typed(value.as_ref().map_or(Value::Null, CursorValue::to_value))
        };
        let (last, hashes, start) = if self.touched {
            let start = if self.kept { value(&self.saved_last) } else { self.saved_start.clone() };
            // Without deduplication dlt keeps no hashes, whatever was saved.
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

    /// The progress so far, for a run that continues from here: see [`Incremental::go_on`].
    ///
    /// # Errors
    /// A data fault if a record cannot be hashed.
    pub(crate) fn progress(&mut self) -> Result<Value> {
        self.settle()?;
        let mut progress = json!({
            "last_value": self.last.as_ref().map_or(Value::Null, CursorValue::to_value),
            "unique_hashes": self.hashes.iter().collect::<Vec<_>>(),
            "kept": self.kept,
        });
        if let (Some(at), Value::Object(progress)) = (self.cursor.saved_at_most, &mut progress) {
            progress.insert("saved_at_most".to_owned(), at.and_utc().timestamp_micros().into());
        }
        Ok(progress)
    }

    /// Continues from the progress of a run with the same start.
    ///
    /// # Errors
    /// A data fault if it is not a progress.
    pub(crate) fn go_on(&mut self, progress: &Value) -> Result<()> {
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

    pub(super) fn restore(&mut self, state: &Map<String, Value>) -> Result<()> {
        self.saved = state.get("last_value").cloned().unwrap_or_default();
        let plain = Tag::strip(&self.saved);
        self.saved_last = match (self.saved.as_str().and_then(Tag::split), &plain) {
            (_, Value::Null) => None,
            (Some((tag, number)), _) if tag.is_number() => {
                CursorValue::parse(number)?.map(CursorValue::into_owned)
            }
            (tagged, _) => {
                self.times = matches!(tagged, Some((Tag::DateTime | Tag::Date, _)));
                Some(CursorValue::of(&plain).ok_or_else(|| {
                    Fault::data(format_args!(
                        "expected last_value to be a string or a number, found {plain}"
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
                    "expected unique_hashes to be a list of strings, found {other}"
                )));
            }
        }
        self.start_legacy = self.start_hashes.iter().any(|hash| hash.len() == LEGACY_HASH_CHARS);
        self.legacy = self.start_legacy;
        self.hashes.clone_from(&self.start_hashes);
        Ok(())
    }

    /// A value for the state, with the type of the saved one, so that dlt recognizes it.
    fn typed(&self, value: Value) -> Value {
        let iso = |text: &str| {
            let instant = WrittenInstant::parse(text).filter(|_| self.times)?;
            let is_date = matches!(self.saved.as_str().and_then(Tag::split), Some((Tag::Date, _)));
            Some(if is_date { instant.utc_day()?.to_string() } else { instant.iso() })
        };
        let value = match value.as_str().and_then(iso) {
            Some(text) => Value::String(text),
            None => value,
        };
        Tag::like(&self.saved, value)
    }

    pub(super) fn settle(&mut self) -> Result<()> {
        if let Some(unique) = self.pending.take() {
            let hash = hash(&unique, self.legacy)?;
            self.hashes.insert(hash);
        }
        Ok(())
    }
}

/// The hash that identifies a record in the state.
pub(super) fn hash(unique: &str, legacy: bool) -> Result<String> {
    let bytes = if legacy { LEGACY_HASH_BYTES } else { HASH_BYTES };
    Ok(b64_digest(canonical_sorted(unique)?.as_bytes(), bytes))
}
