//! The path of one record. It gets the fields of its parent or file. The processing steps of the
//! job change or discard it. The cursor decides if it is new. Then it is written as rows, and the
//! fields that child resources need are kept.

use std::borrow::Cow;

use super::staging::FileLimits;
use crate::columnar::cells::{CellColumn, CellReader};
use crate::fault::{Fault, Result};
use crate::job::{ProcessingStep, Resource};
use crate::json::Path;
use crate::json::select::{self, Flow};
use crate::json::{Peek, Reader};
use crate::shred::{CellTargets, Family};
use crate::sources::incremental::{Incremental, RecordVerdict, Unique};
use crate::sources::process::process;
use crate::sources::rest::ParentRows;

/// The sink of the records of a resource.
pub(crate) struct RecordSink<'i> {
    family: Option<&'i mut Family>,
    cursor: Option<&'i mut Incremental>,
    children: &'i mut [ParentRows],
    steps: &'i [ProcessingStep],
    /// The number of records since the size of the batch was measured, and the position in the text
    /// where it is measured next.
    records: u32,
    weighed_at: usize,
    /// The number of records after which it is measured next, and when the batch is full.
    weighed_after: u32,
    limits: Option<FileLimits>,
}

/// Within a page the batch is measured after this many bytes of the page, or this many records.
const WEIGH_BYTES: usize = 1 << 20;
const WEIGH_RECORDS: u32 = 1 << 14;

impl<'i> RecordSink<'i> {
    /// A sink for the records of a resource. Without a family nothing is loaded; with one, `limits` are those
    /// of its files.
    pub(crate) fn new(
        resource: &'i Resource,
        family: Option<(&'i mut Family, FileLimits)>,
        cursor: Option<&'i mut Incremental>,
        children: &'i mut [ParentRows],
    ) -> Self {
        let steps = &resource.processing_steps;
        let (family, limits) = family.unzip();
        let weighed_at = WEIGH_BYTES;
        let mut sink = Self {
            family,
            cursor,
            children,
            steps,
            records: 0,
            weighed_at,
            weighed_after: 0,
            limits,
        };
        sink.weigh_next();
        sink
    }

    /// Begins a new text.
    pub(crate) fn begin(&mut self) {
        self.weighed_at = WEIGH_BYTES;
    }

    /// Decides whether to read on in a text, or to write the batch to files first. `position` is that of the next
    /// record.
    #[inline]
    pub(crate) fn flow(&mut self, position: usize) -> Flow {
        self.records += 1;
        match position < self.weighed_at && self.records < self.weighed_after {
            true => Flow::On,
            false => self.weigh(position),
        }
    }

    #[cold]
    fn weigh(&mut self, position: usize) -> Flow {
        self.records = 0;
        self.weighed_at = position.saturating_add(WEIGH_BYTES);
        let family = self.family.as_deref_mut().zip(self.limits);
        let is_full = family.is_some_and(|(family, limits)| limits.is_full_in_page(family));
        self.weigh_next();
        if is_full { Flow::Pause } else { Flow::On }
    }

    /// Determines when the batch is measured next: not after the record with which it has all its rows.
    fn weigh_next(&mut self) {
        let family = self.family.as_deref().zip(self.limits);
        let next = family.map_or(WEIGH_RECORDS, |(family, limits)| limits.next_rows(family));
        self.weighed_after = next.min(WEIGH_RECORDS);
    }

    /// The tables that are filled.
    pub(crate) fn family(&mut self) -> Option<&mut Family> {
        self.family.as_deref_mut()
    }

    /// The resource's cursor.
    pub(crate) fn cursor(&self) -> Option<&Incremental> {
        self.cursor.as_deref()
    }

    /// Takes one record. `members` are the fields that it gets from its parent or its file, as JSON members.
    pub(crate) fn take(&mut self, reader: &mut Reader<'_>, members: &str) -> Result<()> {
        if members.is_empty() && self.steps.is_empty() {
            return self.load(reader);
        }
        let mut ahead = reader.clone();
        let mut record = Cow::Borrowed(ahead.skip()?);
        if !members.is_empty() {
            record = Cow::Owned(with_members(&record, members)?);
        }
        if let Some(record) = process(self.steps, record)? {
            self.load(&mut Reader::new(&record))?;
        }
        *reader = ahead;
        Ok(())
    }

    /// Resolves the columns of rows of cells.
    pub(crate) fn cells<'f>(&mut self, fields: &'f [CellColumn]) -> CellRows<'f> {
        let cells = self.family.as_mut().map(|family| family.cells(fields));
        CellRows { fields, cells, json: String::new() }
    }

    /// Takes one row of cells, as [`Self::take`] takes a record. It is written as JSON only if something other
    /// than the tables needs it.
    pub(crate) fn row(
        &mut self,
        row: &CellReader<'_>,
        taking: &mut CellRows<'_>,
        members: &str,
    ) -> Result<()> {
        let untouched = members.is_empty() && self.steps.is_empty();
        if untouched
            && self.cursor.is_none()
            && self.children.is_empty()
            && let (Some(family), Some(cells)) = (&mut self.family, &mut taking.cells)
        {
            return family.row(row, cells);
        }
        let json = taking.json(row);
        if !untouched {
            return self.take(&mut Reader::new(json), members);
        }
        if self.is_new(json)?
            && let (Some(family), Some(cells)) = (&mut self.family, &mut taking.cells)
        {
            return family.row(row, cells);
        }
        Ok(())
    }

    /// Loads a record, unless it is not new by the cursor.
    fn load(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        if self.cursor.is_none()
            && self.children.is_empty()
            && let Some(family) = &mut self.family
        {
            return family.record(reader);
        }
        let mut ahead = reader.clone();
        let raw = ahead.skip()?;
        if self.is_new(raw)?
            && let Some(family) = &mut self.family
        {
            return family.record(reader);
        }
        *reader = ahead;
        Ok(())
    }

    /// Returns `true` if a record is new by the cursor. The children keep the fields that they need of it.
    fn is_new(&mut self, raw: &str) -> Result<bool> {
        let verdict = match &mut self.cursor {
            None => RecordVerdict::Keep,
            Some(cursor) => judge(raw, cursor)?,
        };
        if verdict != RecordVerdict::Keep {
            return Ok(false);
        }
        for child in &mut *self.children {
            child.keep(raw)?;
        }
        Ok(true)
    }
}

/// Selects the records of a file that are read. An interrupted load has loaded the first ones.
#[derive(Default)]
pub(crate) struct FileRecords {
    /// The fields that each record gets of the file's name, as JSON members.
    pub(crate) members: String,
    /// The number of records read so far, bad ones included.
    pub(crate) read: u64,
    /// The number of records that are loaded already.
    pub(crate) loaded: u64,
}

/// Reads cells with resolved columns.
pub(crate) struct CellRows<'f> {
    fields: &'f [CellColumn],
    /// `None` if nothing is loaded.
    cells: Option<CellTargets<'f>>,
    json: String,
}

impl CellRows<'_> {
    /// The row as a JSON object.
    pub(crate) fn json(&mut self, row: &CellReader<'_>) -> &str {
        row.json(self.fields, &mut self.json);
        &self.json
    }
}

/// The most bytes of a page: it is in memory as a whole.
const PAGE_BYTES: usize = 256 << 20;

/// Checks that a page is not too large.
pub(crate) fn check_size(bytes: usize) -> Result<()> {
    if bytes <= PAGE_BYTES {
        return Ok(());
    }
    let mib = |bytes: usize| bytes >> 20;
    Err(Fault::source(format_args!(
        "expected a page of at most {} MiB, found one of {} MiB: ask for smaller pages",
        mib(PAGE_BYTES),
        mib(bytes)
    )))
}

/// The cursor's verdict on a record.
fn judge(raw: &str, cursor: &mut Incremental) -> Result<RecordVerdict> {
    let value = select::find(raw, &cursor.cursor().path)?;
    let unique = match cursor.unique() {
        Unique::Field(field) => Some(vec![field.to_owned()]),
        Unique::Fields(fields) => Some(fields.to_vec()),
        Unique::Nothing | Unique::Record => None,
    };
    let single = matches!(cursor.unique(), Unique::Field(_));
    cursor.keep(value, || {
        let Some(fields) = unique else { return Ok(raw.to_owned()) };
        let mut values = Vec::new();
        for field in &fields {
            let found = select::find(raw, &Path::of_keys(&[field]))?;
            let missing = || {
                Fault::data("expected a value, found nothing")
                    .at(format_args!("primary key {field}"))
            };
            values.push(found.ok_or_else(missing)?);
        }
        Ok(if single { values.concat() } else { format!("[{}]", values.join(",")) })
    })
}

/// A record with more members. A member whose key exists replaces its value: that is how objects with a repeated
/// key are read, and what Python's `update` does.
fn with_members(record: &str, members: &str) -> Result<String> {
    let mut reader = Reader::new(record);
    if reader.peek()? != Peek::Object {
        return Err(Fault::data(format_args!(
            "expected an object to add fields of its parent or its file to, found {}",
            record.chars().take(60).collect::<String>()
        )));
    }
    let separator = if reader.enter() { "," } else { "" };
    let open = record.trim_end().strip_suffix('}').unwrap_or(record);
    Ok(format!("{open}{separator}{members}}}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_may_not_be_too_large() {
        let check = |bytes: usize, expect: Option<&str>| {
            let fault = check_size(bytes).err().map(|fault| fault.to_string());
            assert_eq!(fault.as_deref(), expect, "{bytes}");
        };
        check(256 << 20, None);
        check(
            300 << 20,
            Some("expected a page of at most 256 MiB, found one of 300 MiB: ask for smaller pages"),
        );
    }

    #[test]
    fn adds_members() {
        let check = |record: &str, expect: &str| {
            assert_eq!(with_members(record, "\"_p_id\":1").unwrap(), expect, "{record}");
        };
        check("{}", "{\"_p_id\":1}");
        check("{ }", "{ \"_p_id\":1}");
        check("{\"a\":{}}", "{\"a\":{},\"_p_id\":1}");
        check("{\"a\":1 } ", "{\"a\":1 ,\"_p_id\":1}");
        assert_eq!(
            with_members("[1]", "x").unwrap_err().to_string(),
            "expected an object to add fields of its parent or its file to, found [1]"
        );
    }
}
