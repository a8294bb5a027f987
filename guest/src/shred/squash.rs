//! Documents whose keys are data: `{"users": {"u1": {..}, "u2": {..}, ..}}` would give a table a column
//! for each user. When a table has as many columns as it may have, the widest object around the next
//! new key is kept as JSON from then on, in one column of its parent. What is in columns by then stays
//! there. It depends on nothing but the records and their order, and the schema remembers it: the
//! column is a JSON column, and dlt goes on likewise.

use super::shape::{ListTarget, ObjectTarget};
use super::{Family, Halt};
use crate::json::unescape;

impl Family {
    /// The column of a key that had no value yet.
    #[cold]
    pub(super) fn new_column(
        &mut self,
        shape: usize,
        entry: usize,
        table: usize,
    ) -> Result<usize, Halt> {
        let resolved = &self.shapes[shape].entries[entry];
        let full = self.tables[table].width() >= self.options.max_columns
            && !resolved.squashed
            && !self.tables[table].has(&resolved.name);
        if full {
            let most = self.options.max_columns;
            let name = &self.tables[table].name;
            let Some(squashed) = self.widest(shape) else {
                let warning = format!("table {name}: it has more than {most} columns");
                self.warn(warning);
                return Ok(self.resolve(shape, entry, table));
            };
            let path = self.squash(squashed);
            let warning = format!(
                "table {}: it has {most} columns, the most it may have (max_columns): what is nested \
                 under {path} is kept as JSON",
                self.tables[table].name
            );
            self.warn(warning);
            return Err(Halt::Squashed);
        }
        Ok(self.resolve(shape, entry, table))
    }

    fn resolve(&mut self, shape: usize, entry: usize, table: usize) -> usize {
        let resolved = &mut self.shapes[shape].entries[entry];
        *resolved.column.insert(self.tables[table].column(&resolved.name))
    }

    /// Of the objects around a key, up to its row, the one with the most keys, the innermost of
    /// several: the shape and the entry it stands at.
    fn widest(&self, innermost: usize) -> Option<(usize, usize)> {
        let mut widest = None;
        let mut most = 0;
        let mut at = innermost;
        loop {
            let shape = self.shapes.get(at)?;
            let Some(origin) = shape.origin else { return widest };
            let squashed = self.shapes.get(origin.0)?.entries.get(origin.1)?.squashed;
            if shape.entries.len() > most && !squashed {
                most = shape.entries.len();
                widest = Some(origin);
            }
            if shape.is_row {
                return widest;
            }
            at = origin.0;
        }
    }

    /// Keeps what is nested at a place as JSON from now on; gives the keys to it.
    fn squash(&mut self, (shape, entry): (usize, usize)) -> String {
        let shape = &mut self.shapes[shape];
        let path = shape.keys_to(entry);
        let entry = &mut shape.entries[entry];
        entry.squashed = true;
        entry.object = Some(ObjectTarget::Json);
        entry.list = Some(ListTarget::Json);
        path
    }
}

impl super::shape::Shape {
    /// The keys from the record to an entry, for people.
    fn keys_to(&self, entry: usize) -> String {
        let key = self.entries.get(entry).map(|entry| unescape(&entry.key)).unwrap_or_default();
        let path: Vec<&str> =
            self.raw_path().iter().map(String::as_str).chain([key.as_str()]).collect();
        path.join(".")
    }
}
