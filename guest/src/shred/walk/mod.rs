//! The walk over a record: the target of each value.

mod judge;
mod list;
mod row;

use std::borrow::Cow;

use super::arena::{EntryId, KeyId, LayoutId, TableId};
use super::collisions::{new_column, put_into_occupied};
use super::discard::handle_put;
use super::layout::{KeyRole, ListTarget, ObjectTarget};
use super::mapping::Mapping;
use super::restart::{Restart, WalkResult};
use super::row::OpenRow;
use super::table::PutOutcome;
use crate::dlt::coerce::{self, Scalar, Typed};
use crate::dlt::types::{Kind, StorageType};
use crate::json::{MAX_DEPTH, Peek, Reader};

/// A walk over records, one after the other.
pub(super) struct Walk {
    pub(super) mapping: Mapping,
    /// The number of objects, for the detection of keys repeated in one object.
    objects: u64,
    /// The position of each open container among its siblings, for the order of new columns.
    trail: Vec<u32>,
    /// The number of the record, from 1, and the tables in which it opened rows: the cost of a
    /// record does not depend on the number of tables.
    record: u64,
    opened: Vec<TableId>,
    /// Whether any table has a contract that restricts something.
    pub(super) has_contracts: bool,
    /// Whether lists are skipped, because the contract judges the row first.
    values_only: bool,
}

impl Walk {
    pub(super) fn new(mapping: Mapping) -> Self {
        Self {
            mapping,
            objects: 0,
            trail: Vec::new(),
            record: 0,
            opened: Vec::new(),
            has_contracts: false,
            values_only: false,
        }
    }

    /// Begins a record.
    pub(super) fn begin_record(&mut self) {
        self.record += 1;
        self.opened.clear();
        self.trail.clear();
        self.mapping.owners.begin(self.record);
        self.mapping.held.is_weighing = false;
    }

    /// Ends a record whose rows are complete. Fails if it collapsed objects.
    #[inline]
    pub(super) fn end_record(&mut self) -> WalkResult<()> {
        if self.mapping.collapsed {
            return Err(Restart::Collapsed.into());
        }
        self.mapping.notices.discarded.keep();
        Ok(())
    }

    /// Drops the rows of the record.
    pub(super) fn undo(&mut self) {
        self.mapping.undo();
        for table in self.opened.drain(..) {
            self.mapping.tables[table].undo_record();
        }
        self.values_only = false;
        self.trail.clear();
    }

    /// Reads the values of a row: the members of an object, or one value under a key. Returns
    /// `false` if the contract discards the row.
    #[inline]
    pub(super) fn fill(
        &mut self,
        reader: &mut Reader<'_>,
        layout: LayoutId,
        key: Option<&str>,
        row: &OpenRow<'_>,
    ) -> WalkResult<bool> {
        if self.has_contracts {
            return self.fill_by_contract(reader, layout, key, row);
        }
        match key {
            None => self.object(reader, layout, row)?,
            Some(key) => self.value(reader, layout, key, row)?,
        }
        Ok(true)
    }

    /// Reads the members of an object into the row.
    fn object(
        &mut self,
        reader: &mut Reader<'_>,
        layout: LayoutId,
        row: &OpenRow<'_>,
    ) -> WalkResult<()> {
        if self.trail.len() >= MAX_DEPTH as usize {
            return Err(reader.too_deep().into());
        }
        self.objects += 1;
        let number = self.objects;
        let mut more = reader.enter();
        let mut previous: Option<EntryId> = None;
        let mut place = 0;
        while more {
            let entry = self.mapping.entry(reader, layout, previous)?;
            previous = Some(entry);
            let key = KeyId { layout, entry };
            let last = &mut self.mapping.layouts[key].object_number;
            if *last == number {
                return Err(Restart::RepeatedKey.into());
            }
            *last = number;
            self.member(reader, key, place, row)?;
            place += 1;
            more = reader.more(b'}')?;
        }
        Ok(())
    }

    /// Reads the value of one key of an object.
    pub(super) fn member(
        &mut self,
        reader: &mut Reader<'_>,
        key: KeyId,
        place: u32,
        row: &OpenRow<'_>,
    ) -> WalkResult<()> {
        let text;
        let scalar = match reader.peek()? {
            Peek::Null => return Ok(reader.null()?),
            Peek::Bool => Scalar::Bool(reader.bool()?),
            Peek::Number => Scalar::Number(reader.number()?),
            Peek::String => {
                text = reader.string()?;
                Scalar::Text(&text)
            }
            Peek::Object => match self.mapping.object_target(key) {
                ObjectTarget::Row(inner) => {
                    self.trail.push(place);
                    self.object(reader, inner, row)?;
                    self.trail.pop();
                    return Ok(());
                }
                ObjectTarget::Json => Scalar::Json(reader.skip()?),
            },
            Peek::Array => match self.mapping.list_target(key, row.table) {
                ListTarget::Rows(_) if self.values_only => return Ok(reader.skip().map(drop)?),
                ListTarget::Rows(list) => {
                    self.trail.push(place);
                    self.list(reader, list, row)?;
                    self.trail.pop();
                    return Ok(());
                }
                ListTarget::Json => Scalar::Json(reader.skip()?),
            },
        };
        self.scalar(scalar, key, place, row)
    }

    /// Stores a scalar of a key, or a value that is stored as JSON.
    #[inline(always)]
    pub(super) fn scalar(
        &mut self,
        scalar: Scalar<'_>,
        key: KeyId,
        place: u32,
        row: &OpenRow<'_>,
    ) -> WalkResult<()> {
        if self.mapping.layouts[key].role != KeyRole::Plain {
            return self.special(scalar, key, place, row);
        }
        self.plain(scalar, key, place, row)
    }

    /// Stores a cell whose type the caller has applied.
    #[inline]
    pub(super) fn typed_scalar(
        &mut self,
        scalar: Scalar<'_>,
        key: KeyId,
        place: u32,
        row: &OpenRow<'_>,
    ) -> WalkResult<()> {
        match self.mapping.layouts[key].role {
            KeyRole::Plain | KeyRole::Typed => self.plain(scalar, key, place, row),
            KeyRole::System => self.special(scalar, key, place, row),
        }
    }

    /// Stores the scalar of a key with a special role.
    #[cold]
    fn special(
        &mut self,
        scalar: Scalar<'_>,
        key: KeyId,
        place: u32,
        row: &OpenRow<'_>,
    ) -> WalkResult<()> {
        let resolved = &self.mapping.layouts[key];
        let typed = resolved.typed.and_then(|kind| typed_text(scalar, kind));
        let scalar = typed.as_ref().map_or(scalar, Scalar::Typed);
        match resolved.role {
            KeyRole::Plain | KeyRole::Typed => self.plain(scalar, key, place, row),
            KeyRole::System => self.system_value(scalar, key, place, row),
        }
    }

    /// Stores the scalar of a plain key in its column.
    #[inline(always)]
    fn plain(
        &mut self,
        scalar: Scalar<'_>,
        key: KeyId,
        place: u32,
        row: &OpenRow<'_>,
    ) -> WalkResult<()> {
        let origin = row.origin(&self.trail, place);
        let column = match self.mapping.layouts[key].column {
            Some(column) => column,
            None => match new_column(&mut self.mapping, key, &scalar, origin, row)? {
                Some(column) => column,
                None => return Ok(()),
            },
        };
        let table = &mut self.mapping.tables[row.table];
        match table.put(row.cell(column), &scalar, origin, &self.mapping.options) {
            Ok(PutOutcome::Stored) => Ok(()),
            Ok(PutOutcome::Occupied) => {
                put_into_occupied(&mut self.mapping, key, &scalar, origin, row)
            }
            other => handle_put(&mut self.mapping, other, row.table).map(drop),
        }
    }

    /// Reads a value that is not a member of an object as if it were.
    fn value(
        &mut self,
        reader: &mut Reader<'_>,
        layout: LayoutId,
        key: &str,
        row: &OpenRow<'_>,
    ) -> WalkResult<()> {
        let entry = self.mapping.entry_named(layout, key);
        self.member(reader, KeyId { layout, entry }, 0, row)
    }
}

/// The value of a record of cells that was written as JSON, with the declared type of its column.
fn typed_text<'v>(scalar: Scalar<'v>, kind: Kind) -> Option<Typed<'v>> {
    use StorageType as T;
    let text = match (scalar, kind.data_type.coarse_storage()) {
        (Scalar::Number(_), T::Int) => return None,
        (Scalar::Number(text), T::Decimal | T::Double) => Cow::Borrowed(text),
        (Scalar::Text(text @ ("NaN" | "Infinity" | "-Infinity")), T::Double) => Cow::Borrowed(text),
        (Scalar::Text(text), T::Bytes) => Cow::Owned(coerce::hexadecimal_of(text)?),
        (Scalar::Text(text), T::Text | T::Days | T::TimeMicros | T::Micros) => Cow::Borrowed(text),
        _ => return None,
    };
    Some(Typed { text, kind })
}
