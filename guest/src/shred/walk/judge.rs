//! Rows of a family with a schema contract: the values of a row are read first; its lists are read
//! only if the contract keeps the row.

use super::Walk;
use crate::json::{MAX_DEPTH, Peek, Reader};
use crate::shred::arena::{KeyId, LayoutId};
use crate::shred::collisions::weigh_held;
use crate::shred::layout::{ListTarget, ObjectTarget};
use crate::shred::restart::WalkResult;
use crate::shred::row::OpenRow;

impl Walk {
    /// Reads the values of a row, then its lists. Returns `false` if the contract discards the row.
    #[cold]
    pub(super) fn fill_by_contract(
        &mut self,
        reader: &mut Reader<'_>,
        layout: LayoutId,
        key: Option<&str>,
        row: &OpenRow<'_>,
    ) -> WalkResult<bool> {
        let mut again = reader.clone();
        self.values_only = true;
        self.mapping.row_rejected = false;
        match key {
            None => self.object(reader, layout, row)?,
            Some(key) => self.value(reader, layout, key, row)?,
        }
        self.values_only = false;
        if !self.mapping.held.is_empty() {
            weigh_held(&mut self.mapping, row)?;
        }
        if std::mem::take(&mut self.mapping.row_rejected) {
            return Ok(false);
        }
        match key {
            None => self.lists(&mut again, layout, row)?,
            Some(key) => {
                let entry = self.mapping.entry_named(layout, key);
                self.lists_of(&mut again, KeyId { layout, entry }, 0, row)?;
            }
        }
        Ok(true)
    }

    /// Reads the lists of an object and of its nested objects, whose values have been read.
    fn lists(
        &mut self,
        reader: &mut Reader<'_>,
        layout: LayoutId,
        row: &OpenRow<'_>,
    ) -> WalkResult<()> {
        let mut more = reader.enter();
        let mut previous = None;
        let mut place = 0;
        while more {
            let entry = self.mapping.entry(reader, layout, previous)?;
            previous = Some(entry);
            self.lists_of(reader, KeyId { layout, entry }, place, row)?;
            place += 1;
            more = reader.more(b'}')?;
        }
        Ok(())
    }

    /// Reads the lists under one key.
    fn lists_of(
        &mut self,
        reader: &mut Reader<'_>,
        key: KeyId,
        place: u32,
        row: &OpenRow<'_>,
    ) -> WalkResult<()> {
        if self.trail.len() >= MAX_DEPTH as usize {
            return Err(reader.too_deep().into());
        }
        self.trail.push(place);
        match reader.peek()? {
            Peek::Object => match self.mapping.object_target(key) {
                ObjectTarget::Row(inner) => self.lists(reader, inner, row)?,
                ObjectTarget::Json => reader.skip().map(drop)?,
            },
            Peek::Array => match self.mapping.list_target(key, row.table) {
                ListTarget::Rows(list) => self.list(reader, list, row)?,
                ListTarget::Json => reader.skip().map(drop)?,
            },
            _ => reader.skip().map(drop)?,
        }
        self.trail.pop();
        Ok(())
    }
}
