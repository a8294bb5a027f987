//! Values that wait for the end of their row, which decides the owner of their name.

use super::arena::{KeyId, TableId};
use super::origin::Origin;
use crate::dlt::coerce::{Scalar, Typed};

/// A value that waits for the end of its row.
#[derive(Debug)]
pub(super) struct Held {
    table: TableId,
    row: u32,
    pub(super) key: KeyId,
    trail: Vec<u32>,
    place: u32,
    value: HeldValue,
}

/// A [`Scalar`] that owns its text.
#[derive(Debug)]
enum HeldValue {
    Bool(bool),
    Json(String),
    Number(String),
    Text(String),
    Typed(Typed<'static>),
}

/// The waiting values.
#[derive(Debug, Default)]
pub(super) struct HeldValues {
    values: Vec<Held>,
    /// Whether values of unowned names wait for the end of their row.
    pub(super) is_weighing: bool,
}

impl Held {
    pub(super) fn origin(&self) -> Origin<'_> {
        Origin { trail: &self.trail, place: self.place }
    }

    pub(super) fn scalar(&self) -> Scalar<'_> {
        match &self.value {
            HeldValue::Bool(value) => Scalar::Bool(*value),
            HeldValue::Json(text) => Scalar::Json(text),
            HeldValue::Number(text) => Scalar::Number(text),
            HeldValue::Text(text) => Scalar::Text(text),
            HeldValue::Typed(typed) => Scalar::Typed(typed),
        }
    }
}

impl HeldValues {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Holds a value of a row.
    pub(super) fn hold(
        &mut self,
        (table, row): (TableId, u32),
        key: KeyId,
        value: Scalar<'_>,
        origin: Origin<'_>,
    ) {
        let value = match value {
            Scalar::Bool(value) => HeldValue::Bool(value),
            Scalar::Json(text) => HeldValue::Json(text.to_owned()),
            Scalar::Number(text) => HeldValue::Number(text.to_owned()),
            Scalar::Text(text) => HeldValue::Text(text.to_owned()),
            Scalar::Typed(Typed { text, kind }) => {
                HeldValue::Typed(Typed { text: text.to_string().into(), kind: *kind })
            }
        };
        let (trail, place) = (origin.trail.to_vec(), origin.place);
        self.values.push(Held { table, row, key, trail, place, value });
    }

    /// Takes the values of a row that ends. Nested rows have taken theirs, so those of the row are
    /// the last.
    pub(super) fn take(&mut self, row: (TableId, u32)) -> Vec<Held> {
        let others = self.values.iter().rposition(|held| (held.table, held.row) != row);
        self.values.split_off(others.map_or(0, |at| at + 1))
    }

    /// Drops the values of a record that is undone.
    pub(super) fn clear(&mut self) {
        self.values.clear();
    }
}
