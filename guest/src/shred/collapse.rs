//! Documents whose keys are data: `{"users": {"u1": {..}, "u2": {..}, ..}}` would give a table a column
//! for each user. When a table has as many columns as it may have, the widest object around the next
//! new key is kept as JSON from then on, in one column of its parent. What is in columns by then stays
//! there. It depends on nothing but the records and their order, and the schema remembers it: the
//! column is a JSON column, and dlt goes on likewise.

use super::layout::{ListTarget, ObjectLayout, ObjectTarget};
use super::{Family, Halt};
use crate::fault::Fault;
use crate::json::unescape;

impl Family {
    /// Whether the table may have a column for this key. It may not if the value is nested in what is kept as
    /// JSON from now on, so that the record is walked again.
    pub(super) fn may_have_column(
        &mut self,
        layout: usize,
        entry: usize,
        table: usize,
    ) -> Result<bool, Halt> {
        let resolved = &self.layouts[layout].entries[entry];
        let known = &self.tables[table];
        if known.column_of(&resolved.name).is_some() || known.refuses_columns() {
            return Ok(true);
        }
        if resolved.squashed {
            let place = |fault: Fault| fault.at(format_args!("table {}", known.name));
            known.check_columns(&resolved.name, &self.options).map_err(place)?;
        } else if known.width() >= self.options.max_columns {
            self.squash_around(layout, entry, table)?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Keeps the widest object around a key as JSON from now on. The walk goes on, so that everything in
    /// the record that has to be kept is found at once; then the record is walked again.
    fn squash_around(&mut self, layout: usize, entry: usize, table: usize) -> Result<(), Halt> {
        if self.is_squashed(layout) {
            return Ok(());
        }
        let Some(squashed) = self.widest(layout) else {
            return Err(self.too_many_columns(layout, entry, table).into());
        };
        let path = self.squash(squashed);
        let warning = format!(
            "table {}: it has {} columns, the most it may have (max_columns): what is nested under {path} is \
             kept as JSON",
            self.tables[table].name, self.options.max_columns
        );
        self.warn(warning);
        self.squashed = true;
        Ok(())
    }

    /// Whether anything around a key, up to its record, is kept as JSON from now on.
    fn is_squashed(&self, innermost: usize) -> bool {
        let origin = |at: &(usize, usize)| self.layouts.get(at.0)?.origin;
        let mut around = std::iter::successors(self.layouts[innermost].origin, origin);
        around.any(|(layout, entry)| self.layouts[layout].entries[entry].squashed)
    }

    /// Of the objects around a key, up to its row, the one with the most keys, the innermost of
    /// several: the layout and the entry it stands at.
    fn widest(&self, innermost: usize) -> Option<(usize, usize)> {
        let mut widest = None;
        let mut most = 0;
        let mut at = innermost;
        loop {
            let layout = self.layouts.get(at)?;
            let Some(origin) = layout.origin else { return widest };
            let squashed = self.layouts.get(origin.0)?.entries.get(origin.1)?.squashed;
            if layout.entries.len() > most && !squashed {
                most = layout.entries.len();
                widest = Some(origin);
            }
            if layout.is_row {
                return widest;
            }
            at = origin.0;
        }
    }

    /// Keeps what is nested at a place as JSON from now on; gives the keys to it.
    fn squash(&mut self, (layout, entry): (usize, usize)) -> String {
        let path = keys_to(&self.layouts[layout], entry);
        let entry = &mut self.layouts[layout].entries[entry];
        entry.squashed = true;
        entry.object = Some(ObjectTarget::Json);
        entry.list = Some(ListTarget::Json);
        path
    }
}

/// The keys from the record to an entry, for people.
pub(super) fn keys_to(layout: &ObjectLayout, entry: usize) -> String {
    let key = layout.entries.get(entry).map(|entry| unescape(&entry.key)).unwrap_or_default();
    let path: Vec<&str> =
        layout.raw_path().iter().map(String::as_str).chain([key.as_str()]).collect();
    path.join(".")
}
