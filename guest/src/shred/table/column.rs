//! The columns of a table.

use rustc_hash::FxHashMap;

use crate::columnar::batch::{BufferError, ColumnBuffer};
use crate::dlt::coerce::{self, Datum, Scalar, is_exact_integer};
use crate::dlt::types::{DataType, Kind};
use crate::fault::{Fault, Result};
use crate::shred::arena::{Arena, ColumnId};

/// A column of a table.
#[derive(Debug)]
pub(super) struct ShredColumn {
    pub(super) name: String,
    pub(super) kind: Option<Kind>,
    pub(super) nullable: bool,
    pub(super) primary_key: bool,
    /// Whether it is the variant of another column.
    pub(super) is_variant: bool,
    /// Whether it received values in this load.
    pub(super) seen: bool,
    /// Whether the saved schema or the job sets its type.
    pub(super) known: bool,
    /// Whether it is in [`Columns::typed`].
    typed: bool,
    pub(super) values: ColumnBuffer,
    /// Its variant columns, by the suffix of their names.
    pub(super) variants: Vec<(&'static str, ColumnId)>,
    /// Whether data chose the type in this load, so that it may still be widened.
    pub(super) inferred: bool,
    /// Whether all values in written files are unchanged as doubles.
    pub(super) exact: bool,
}

/// A column of the saved schema or the job.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownColumn {
    /// Its normalized name.
    pub(crate) name: String,
    /// Its type, if known.
    pub(crate) kind: Option<Kind>,
    /// Whether it may be NULL.
    pub(crate) nullable: bool,
    /// Whether it is part of the primary key.
    pub(crate) primary_key: bool,
    /// The key of its values, if the schema stores it.
    pub(crate) key: Option<Vec<String>>,
}

/// A column after some records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SeenColumn<'a> {
    /// Its normalized name.
    pub(crate) name: &'a str,
    /// Its type.
    pub(crate) kind: Kind,
    /// Whether it is the variant of another column.
    pub(crate) variant: bool,
    /// Whether it received a value in this load.
    pub(crate) seen: bool,
    /// The values of the rows.
    pub(crate) values: &'a ColumnBuffer,
}

/// The columns of a table, and their names.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) all: Arena<ColumnId, ShredColumn>,
    /// The columns that have a type, and so may have values. There may be many more without.
    typed: Vec<ColumnId>,
    by_name: FxHashMap<String, ColumnId>,
}

impl ShredColumn {
    fn new(name: String) -> Self {
        Self {
            name,
            kind: None,
            nullable: true,
            primary_key: false,
            is_variant: false,
            seen: false,
            known: false,
            typed: false,
            values: ColumnBuffer::new(Kind::of(DataType::Text)),
            variants: Vec::new(),
            inferred: false,
            exact: true,
        }
    }

    /// Sets the value of a row. Returns `false` if it does not fit the column's type, or there is none yet.
    #[inline]
    pub(super) fn set(&mut self, row: u32, value: &Scalar<'_>) -> Result<bool> {
        let Some(kind) = &self.kind else { return Ok(false) };
        // Most values have the type of their column.
        let stored = match (value, kind.data_type) {
            (Scalar::Text(text), DataType::Text) => self.values.set_text(row, text),
            (Scalar::Typed(typed), DataType::Text) if typed.kind.data_type == DataType::Text => {
                self.values.set_text(row, &typed.text)
            }
            (Scalar::Bool(value), DataType::Bool) => self.values.set_bool(row, *value),
            _ => match coerce::coerce(value, kind) {
                Some(datum) => store(&mut self.values, row, datum),
                None => return Ok(false),
            },
        };
        match stored {
            Ok(()) => Ok(true),
            Err(error) => Err(Fault::internal(error).at(format_args!("column {}", self.name))),
        }
    }

    /// Resets the column to having no values in this load.
    pub(super) fn forget(&mut self) {
        self.seen = false;
        if !self.known {
            self.kind = None;
        }
    }

    /// Clears the rows of the batch after they were written to a file.
    pub(super) fn end_batch(&mut self) {
        if self.inferred && self.exact {
            let values = self.values.integers();
            self.exact = values.iter().all(|(_, value)| is_exact_integer(*value));
        }
        self.values.clear();
    }
}

impl Columns {
    /// The column with this name.
    pub(super) fn find(&self, name: &str) -> Option<ColumnId> {
        self.by_name.get(name).copied()
    }

    /// The column with this name. Adds one without a type if there is none.
    pub(super) fn find_or_add(&mut self, name: &str) -> ColumnId {
        if let Some(column) = self.find(name) {
            return column;
        }
        let column = self.all.push(ShredColumn::new(name.to_owned()));
        self.by_name.insert(name.to_owned(), column);
        column
    }

    /// Records that a column has a type.
    pub(super) fn note_type(&mut self, column: ColumnId) {
        if !std::mem::replace(&mut self.all[column].typed, true) {
            self.typed.push(column);
        }
    }

    /// Drops the values of all rows from this one on.
    pub(super) fn truncate(&mut self, row: u32) {
        for &column in &self.typed {
            self.all[column].values.truncate(row);
        }
    }
}

/// Sets the value of a row; the column has the value's type.
#[inline]
pub(super) fn store(
    values: &mut ColumnBuffer,
    row: u32,
    datum: Datum<'_>,
) -> Result<(), BufferError> {
    match datum {
        Datum::Null => Ok(()),
        Datum::Text(text) | Datum::Json(text) => values.set_text(row, &text),
        Datum::Int(value) => values.set_int(row, value),
        Datum::Double(value) => values.set_double(row, value),
        Datum::Bool(value) => values.set_bool(row, value),
        Datum::Micros(value) | Datum::TimeMicros(value) => values.set_micros(row, value),
        Datum::Nanos(value) => values.set_nanos(row, value),
        Datum::Days(value) => values.set_days(row, value),
        Datum::Decimal(value) => values.set_decimal(row, value),
        Datum::Bytes(value) => values.set_bytes(row, &value),
    }
}
