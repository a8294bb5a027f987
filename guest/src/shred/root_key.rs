//! What nested rows carry as `_dlt_root_id`: the id of their root row, or a value of it, where a job says
//! that another column is the row's key.
//!
//! Source: dlt 1.31, `common/normalizers/json/relational.py`, `extend_table` and `_get_propagated_values`.

use super::ident::raw_values;
use super::table::{Table, store};
use super::{Options, RowId};
use crate::dlt::coerce::{self, Scalar};
use crate::dlt::types::{DataType, Kind};
use crate::fault::{Fault, Result};
use crate::json::{Peek, Reader};

/// What the rows nested in a row carry as `_dlt_root_id`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RootKey {
    /// The value of these columns of the row: of those it has, the last one; its id, where that is said
    /// and it has none of them.
    Columns {
        /// Names, normalised.
        names: Vec<String>,
        /// Whether the id stands in.
        or_id: bool,
    },
    /// Its id.
    Id,
    /// Nothing.
    None,
}

/// A value of a root row, as nested rows have it.
pub struct RootValue {
    /// As the record spells it.
    raw: String,
    /// Its type in a column that has none yet.
    kind: Kind,
}

impl RootKey {
    /// The key of columns: those from which `_dlt_root_id` is taken, in their order.
    pub fn of(columns: &[&str]) -> Self {
        const ID: &str = "_dlt_id";
        // Every row has an id: what is said before it never counts.
        let or_id = columns.iter().rposition(|name| *name == ID);
        let behind = columns.get(or_id.map_or(0, |at| at + 1)..).unwrap_or_default();
        match (behind, or_id) {
            ([], None) => Self::None,
            ([], Some(_)) => Self::Id,
            (names, or_id) => {
                let names = names.iter().map(|name| (*name).to_owned()).collect();
                Self::Columns { names, or_id: or_id.is_some() }
            }
        }
    }

    /// What the rows nested in this record carry instead of its id.
    #[cold]
    pub(super) fn value(&self, record: &str, options: &Options) -> Result<Option<RowId>> {
        let Self::Columns { names, or_id } = self else { return Ok(None) };
        let found = raw_values(record, names, &options.convention)?;
        let raw = names.iter().rev().find_map(|name| found.get(name.as_str()).copied());
        let raw = match raw {
            None if *or_id => return Ok(None),
            raw => raw.unwrap_or("null"),
        };
        let kind = match (options.preferred("_dlt_root_id"), raw) {
            (Some(data_type), _) => Kind::of(data_type),
            // There may be no rows to carry it.
            (None, "null") => Kind::of(DataType::Text),
            (None, raw) => with_scalar(raw, |value| Ok(options.inferred(value)))?,
        };
        Ok(Some(RowId::Value(Box::new(RootValue { raw: raw.to_owned(), kind }))))
    }
}

impl RootValue {
    /// As the record spells it.
    pub(super) fn raw(&self) -> &str {
        &self.raw
    }
}

impl Table {
    /// Puts the value of the root row into a nested row.
    #[cold]
    pub(super) fn system_value(
        &mut self,
        row: u32,
        name: &'static str,
        value: &RootValue,
    ) -> Result<()> {
        with_scalar(&value.raw, |scalar| {
            let (kind, values) = self.system_column(name, value.kind);
            let datum = coerce::coerce(&scalar, &kind).ok_or_else(|| {
                let (expected, found) = (kind.data_type.name(), scalar.form().name());
                Fault::data(format_args!(
                    "expected a row key of the type {expected}, found {found}"
                ))
            })?;
            store(values, row, datum).map_err(Fault::internal)
        })
        .map_err(|fault| fault.at(format_args!("column {name}")))
        .map_err(|fault| fault.at(format_args!("table {}", self.name)))
    }
}

/// The value that is spelled so; a null is none.
fn with_scalar<T>(raw: &str, use_it: impl FnOnce(Scalar<'_>) -> Result<T>) -> Result<T> {
    let mut reader = Reader::new(raw);
    match reader.peek()? {
        Peek::Null => Err(Fault::data(
            "expected a value of the row key in the root row, which nested rows carry, found null or nothing",
        )),
        Peek::Bool => use_it(Scalar::Bool(reader.bool()?)),
        Peek::Number => use_it(Scalar::Number(reader.number()?)),
        Peek::String => use_it(Scalar::Text(&reader.string()?)),
        Peek::Array | Peek::Object => use_it(Scalar::Json(reader.skip()?)),
    }
}
