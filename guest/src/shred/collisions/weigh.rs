//! Keys of one row whose name nobody has yet: their values wait for the end of the row.

use rustc_hash::FxHashSet;

use super::super::layout::LayoutEntry;
use super::super::table::Origin;
use super::super::{Family, Halt, OpenRow};
use crate::dlt::coerce::{Scalar, Typed};
use crate::json::unescape;

/// A value that waits for the end of its row.
pub(super) struct Held {
    table: usize,
    row: u32,
    layout: usize,
    entry: usize,
    trail: Vec<u32>,
    place: u32,
    value: HeldValue,
}

/// A [`Scalar`] that is kept.
enum HeldValue {
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
            HeldValue::Bool(value) => Scalar::Bool(*value),
            HeldValue::Json(text) => Scalar::Json(text),
            HeldValue::Number(text) => Scalar::Number(text),
            HeldValue::Text(text) => Scalar::Text(text),
            HeldValue::Typed(typed) => Scalar::Typed(typed),
        }
    }
}

impl Family {
    /// Keeps a value for the end of its row.
    pub(super) fn hold(
        &mut self,
        scalar: Scalar<'_>,
        (layout, entry): (usize, usize),
        place: u32,
        row: &OpenRow<'_>,
    ) {
        let trail = self.trail.get(row.base..).unwrap_or_default().to_vec();
        self.claims.held.push(Held {
            table: row.table,
            row: row.row,
            layout,
            entry,
            trail,
            place,
            value: match scalar {
                Scalar::Bool(value) => HeldValue::Bool(value),
                Scalar::Json(text) => HeldValue::Json(text.to_owned()),
                Scalar::Number(text) => HeldValue::Number(text.to_owned()),
                Scalar::Text(text) => HeldValue::Text(text.to_owned()),
                Scalar::Typed(Typed { text, kind }) => {
                    HeldValue::Typed(Typed { text: text.to_string().into(), kind: *kind })
                }
            },
        });
    }

    /// Weighs what waits for the end of this row.
    #[cold]
    pub(in crate::shred) fn settle(&mut self, row: &OpenRow<'_>) -> Result<(), Halt> {
        // The rows nested in it have taken theirs, so its own are the last.
        let held = &mut self.claims.held;
        let others = held.iter().rposition(|held| (held.table, held.row) != (row.table, row.row));
        let held = held.split_off(others.map_or(0, |at| at + 1));
        let name = |held: &Held| self.layouts[held.layout].entries[held.entry].name.clone();
        let mut named: Vec<(String, Held)> = held.into_iter().map(|h| (name(&h), h)).collect();
        // Those of one name together, as dlt comes to them.
        named.sort_by_cached_key(|(name, held)| (name.clone(), held.origin().order()));
        for group in named.chunk_by(|a, b| a.0 == b.0) {
            let [.., (_, last)] = group else { continue };
            if self.repeats(group) {
                return Err(Halt::Repeats);
            }
            for (_, held) in group.iter().rev() {
                let (layout, entry) = (held.layout, held.entry);
                let is_last = std::ptr::eq(held, last);
                let column = match is_last {
                    true => self.claim_column(layout, entry, row)?,
                    false => Some(self.own_column(layout, entry, row)?),
                };
                let Some(column) = column else { break };
                // The column stands where dlt sees the name first.
                let first = if is_last { group.first().map(|(_, first)| first) } else { None };
                let origin = first.unwrap_or(held).origin();
                let table = &mut self.tables[row.table];
                let put = table.put(row.row, column, &held.scalar(), origin, &self.options);
                if !self.refused(put, row.table)? {
                    self.put_aside(held.scalar(), (layout, entry), held.origin(), row)?;
                }
            }
        }
        Ok(())
    }

    /// Whether two of these are one key, spelled with escapes.
    fn repeats(&self, group: &[(String, Held)]) -> bool {
        let key = |held: &Held| {
            (held.layout, unescape(&self.layouts[held.layout].entries[held.entry].key))
        };
        let mut keys = FxHashSet::default();
        group.len() > 1 && group.iter().any(|(_, held)| !keys.insert(key(held)))
    }

    /// A value whose column has one in this row already: the same key comes twice, spelled with escapes, or
    /// the column is a variant of another one, which did not fit there.
    #[cold]
    pub(in crate::shred) fn taken(
        &mut self,
        scalar: Scalar<'_>,
        (layout, entry): (usize, usize),
        place: u32,
        row: &OpenRow<'_>,
    ) -> Result<(), Halt> {
        let entries = &self.layouts[layout].entries;
        let (key, instance) = (unescape(&entries[entry].key), entries[entry].instance);
        let same = |(at, other): (usize, &LayoutEntry)| {
            at != entry && other.instance == instance && unescape(&other.key) == key
        };
        if entries.iter().enumerate().any(same) {
            return Err(Halt::Repeats);
        }
        let trail = self.trail.get(row.base..).unwrap_or_default().to_vec();
        self.put_aside(scalar, (layout, entry), Origin { trail: &trail, place }, row)
    }

    /// Puts a value into the column that its key has to itself.
    fn put_aside(
        &mut self,
        scalar: Scalar<'_>,
        (layout, entry): (usize, usize),
        origin: Origin<'_>,
        row: &OpenRow<'_>,
    ) -> Result<(), Halt> {
        let column = self.make_own(layout, entry, row.table)?;
        let table = &mut self.tables[row.table];
        let put = table.put(row.row, column, &scalar, origin, &self.options);
        if !self.refused(put, row.table)? {
            return Err(Halt::Repeats);
        }
        let resolved = &self.layouts[layout].entries[entry];
        let table = &self.tables[row.table];
        let warning = format!(
            "table {}: the column {} has values that do not fit another column in rows in which the key {:?} has one: \
             that is in the column {}",
            table.name,
            resolved.name,
            self.layouts[layout].within_row(entry).join("."),
            table.column_name(column),
        );
        self.warn(warning);
        Ok(())
    }
}
