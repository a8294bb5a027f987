//! Keys of one row that have the same name, such as `userId` and `user_id`.
//!
//! dlt writes them one over the other: the last one it comes to stays, and it comes to an object's own
//! values first, then to the objects in it, the last one first. Here that one has the column too, and the
//! others have columns of their own, named for where they stand: nothing is lost.
//!
//! It costs nothing until it happens. The first time, the name is remembered, and the record is walked
//! again; from then on the values of such keys wait for the end of their row.

use rustc_hash::FxHashSet;

use super::shape::Role;
use super::table::Origin;
use super::{Family, Halt, Row};
use crate::coerce::{Scalar, Typed};
use crate::json::unescape;

/// The names that several keys have, and what waits to be weighed.
#[derive(Default)]
pub(super) struct Contest {
    /// By table.
    names: FxHashSet<(usize, String)>,
    held: Vec<Held>,
}

/// A value that waits for the end of its row.
struct Held {
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

impl Contest {
    /// Whether several keys of the table have this name.
    pub(super) fn knows(&self, table: usize, name: &str) -> bool {
        !self.names.is_empty() && self.names.contains(&(table, name.to_owned()))
    }

    /// Whether anything waits.
    pub(super) fn is_on(&self) -> bool {
        !self.held.is_empty()
    }

    /// Forgets what waits.
    pub(super) fn forget(&mut self) {
        self.held.clear();
    }

    /// Keeps a value for the end of its row.
    pub(super) fn hold(
        &mut self,
        scalar: Scalar<'_>,
        (shape, entry): (usize, usize),
        origin: Origin<'_>,
        row: &Row<'_>,
    ) {
        self.held.push(Held {
            table: row.table,
            row: row.row,
            shape,
            entry,
            trail: origin.trail.to_vec(),
            place: origin.place,
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
    /// Notes that this key shares its name with others of its table. Says no if there are no others,
    /// or if that is known.
    #[cold]
    pub(super) fn begin_contest(&mut self, table: usize, shape: usize, entry: usize) -> bool {
        let name = self.shapes[shape].entries[entry].name.clone();
        let of_table = self.shapes.iter_mut().filter(|shape| shape.table == table);
        let mut same: Vec<_> = of_table
            .flat_map(|shape| &mut shape.entries)
            .filter(|entry| entry.role != Role::System && entry.name == name)
            .collect();
        if same.len() < 2 || !self.contest.names.insert((table, name)) {
            return false;
        }
        for entry in &mut same {
            entry.role = Role::Contested;
        }
        true
    }

    /// Weighs what waits for the end of this row.
    #[cold]
    pub(super) fn settle(&mut self, row: &Row<'_>) -> Result<(), Halt> {
        let of_row = |held: &mut Held| held.table == row.table && held.row == row.row;
        let held: Vec<Held> = self.contest.held.extract_if(.., of_row).collect();
        let name = |held: &Held| self.shapes[held.shape].entries[held.entry].name.clone();
        let mut named: Vec<(String, Held)> = held.into_iter().map(|h| (name(&h), h)).collect();
        // Those of one name together, as dlt comes to them.
        named.sort_by_cached_key(|(name, held)| (name.clone(), held.origin().order()));
        for group in named.chunk_by(|a, b| a.0 == b.0) {
            let [others @ .., (name, last)] = group else { continue };
            if self.repeats(group) {
                return Err(Halt::Repeats);
            }
            // The column stands where dlt sees the name first.
            let origin = others.first().map_or(last, |(_, first)| first).origin();
            let table = &mut self.tables[row.table];
            let column = table.column(name);
            let put = table.put(row.row, column, &last.scalar(), origin, &self.options);
            if !self.refused(put, row.table)? {
                self.put_aside(last.scalar(), (last.shape, last.entry), last.origin(), row)?;
            }
            for (_, other) in others {
                self.put_aside(other.scalar(), (other.shape, other.entry), other.origin(), row)?;
            }
        }
        Ok(())
    }

    /// Whether two of these are one key, spelled with escapes.
    fn repeats(&self, group: &[(String, Held)]) -> bool {
        let key = |held: &Held| unescape(&self.shapes[held.shape].entries[held.entry].key);
        let pairs = group
            .iter()
            .enumerate()
            .flat_map(|(n, (_, a))| group.iter().skip(n + 1).map(move |(_, b)| (a, b)));
        let mut within = pairs.filter(|(a, b)| a.shape == b.shape);
        within.any(|(a, b)| key(a) == key(b))
    }

    /// Puts a value into the column that its key has to itself.
    pub(super) fn put_aside(
        &mut self,
        scalar: Scalar<'_>,
        (shape, entry): (usize, usize),
        origin: Origin<'_>,
        row: &Row<'_>,
    ) -> Result<(), Halt> {
        let convention = &self.options.convention;
        let own = self.shapes[shape].own_name(entry, convention);
        let table = &mut self.tables[row.table];
        let column = table.column(&own);
        let put = table.put(row.row, column, &scalar, origin, &self.options);
        if !self.refused(put, row.table)? {
            // The same key twice, spelled with escapes: the slow path finds that out.
            return Err(Halt::Repeats);
        }
        let warning = format!(
            "table {}: two keys of one record have the same name; one of them is in the column {own}",
            self.tables[row.table].name
        );
        self.warn(warning);
        Ok(())
    }
}
