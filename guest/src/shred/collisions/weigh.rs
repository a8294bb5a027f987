//! Keys of one row whose name nobody has yet: their values wait for the end of the row.

use rustc_hash::FxHashSet;

use super::super::layout::Entry;
use super::super::table::Origin;
use super::super::{Family, Halt, Row};
use crate::dlt::coerce::{Scalar, Typed};
use crate::json::unescape;

/// A value that waits for the end of its row.
pub(super) struct Held {
    table: usize,
    row: u32,
    shape: usize,
    entry: usize,
    trail: Vec<u32>,
    place: u32,
    value: Value,
}

/// A [`Scalar`] that is kept.
enum Value {
    Bool(bool),
    Json(String),
    Number(String),
    Text(String),
    Typed(Typed<'static>),
}

impl Held {
    fn origin(&self) -> Origin<'_> {
        Origin { trail: &self.trail, place: self.place }
    }

    fn scalar(&self) -> Scalar<'_> {
        match &self.value {
            Value::Bool(value) => Scalar::Bool(*value),
            Value::Json(text) => Scalar::Json(text),
            Value::Number(text) => Scalar::Number(text),
            Value::Text(text) => Scalar::Text(text),
            Value::Typed(typed) => Scalar::Typed(typed),
        }
    }
}

impl Family {
    /// Keeps a value for the end of its row.
    pub(super) fn hold(
        &mut self,
        scalar: Scalar<'_>,
        (shape, entry): (usize, usize),
        place: u32,
        row: &Row<'_>,
    ) {
        let trail = self.trail.get(row.base..).unwrap_or_default().to_vec();
        self.claims.held.push(Held {
            table: row.table,
            row: row.row,
            shape,
            entry,
            trail,
            place,
            value: match scalar {
                Scalar::Bool(value) => Value::Bool(value),
                Scalar::Json(text) => Value::Json(text.to_owned()),
                Scalar::Number(text) => Value::Number(text.to_owned()),
                Scalar::Text(text) => Value::Text(text.to_owned()),
                Scalar::Typed(Typed { text, kind }) => {
                    Value::Typed(Typed { text: text.to_string().into(), kind: *kind })
                }
            },
        });
    }

    /// Weighs what waits for the end of this row.
    #[cold]
    pub(in crate::shred) fn settle(&mut self, row: &Row<'_>) -> Result<(), Halt> {
        // The rows nested in it have taken theirs, so its own are the last.
        let held = &mut self.claims.held;
        let others = held.iter().rposition(|held| (held.table, held.row) != (row.table, row.row));
        let held = held.split_off(others.map_or(0, |at| at + 1));
        let name = |held: &Held| self.shapes[held.shape].entries[held.entry].name.clone();
        let mut named: Vec<(String, Held)> = held.into_iter().map(|h| (name(&h), h)).collect();
        // Those of one name together, as dlt comes to them.
        named.sort_by_cached_key(|(name, held)| (name.clone(), held.origin().order()));
        for group in named.chunk_by(|a, b| a.0 == b.0) {
            let [.., (_, last)] = group else { continue };
            if self.repeats(group) {
                return Err(Halt::Repeats);
            }
            for (_, held) in group.iter().rev() {
                let (shape, entry) = (held.shape, held.entry);
                let is_last = std::ptr::eq(held, last);
                let column = match is_last {
                    true => self.claim_column(shape, entry, row)?,
                    false => Some(self.own_column(shape, entry, row)?),
                };
                let Some(column) = column else { break };
                // The column stands where dlt sees the name first.
                let first = if is_last { group.first().map(|(_, first)| first) } else { None };
                let origin = first.unwrap_or(held).origin();
                let table = &mut self.tables[row.table];
                let put = table.put(row.row, column, &held.scalar(), origin, &self.options);
                if !self.refused(put, row.table)? {
                    self.put_aside(held.scalar(), (shape, entry), held.origin(), row)?;
                }
            }
        }
        Ok(())
    }

    /// Whether two of these are one key, spelled with escapes.
    fn repeats(&self, group: &[(String, Held)]) -> bool {
        let key =
            |held: &Held| (held.shape, unescape(&self.shapes[held.shape].entries[held.entry].key));
        let mut keys = FxHashSet::default();
        group.len() > 1 && group.iter().any(|(_, held)| !keys.insert(key(held)))
    }

    /// A value whose column has one in this row already: the same key comes twice, spelled with escapes, or
    /// the column is a variant of another one, which did not fit there.
    #[cold]
    pub(in crate::shred) fn taken(
        &mut self,
        scalar: Scalar<'_>,
        (shape, entry): (usize, usize),
        place: u32,
        row: &Row<'_>,
    ) -> Result<(), Halt> {
        let entries = &self.shapes[shape].entries;
        let (key, instance) = (unescape(&entries[entry].key), entries[entry].instance);
        let same = |(at, other): (usize, &Entry)| {
            at != entry && other.instance == instance && unescape(&other.key) == key
        };
        if entries.iter().enumerate().any(same) {
            return Err(Halt::Repeats);
        }
        let trail = self.trail.get(row.base..).unwrap_or_default().to_vec();
        self.put_aside(scalar, (shape, entry), Origin { trail: &trail, place }, row)
    }

    /// Puts a value into the column that its key has to itself.
    fn put_aside(
        &mut self,
        scalar: Scalar<'_>,
        (shape, entry): (usize, usize),
        origin: Origin<'_>,
        row: &Row<'_>,
    ) -> Result<(), Halt> {
        let column = self.make_own(shape, entry, row.table)?;
        let table = &mut self.tables[row.table];
        let put = table.put(row.row, column, &scalar, origin, &self.options);
        if !self.refused(put, row.table)? {
            return Err(Halt::Repeats);
        }
        let resolved = &self.shapes[shape].entries[entry];
        let table = &self.tables[row.table];
        let warning = format!(
            "table {}: the column {} has values that do not fit another column in rows in which the key {:?} has one: \
             that is in the column {}",
            table.name,
            resolved.name,
            self.shapes[shape].within_row(entry).join("."),
            table.column_name(column),
        );
        self.warn(warning);
        Ok(())
    }
}
