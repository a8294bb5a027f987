//! dlt's own columns: ids, list indices, and the load.

use super::ShredTable;
use super::column::store;
use crate::columnar::batch::ColumnBuffer;
use crate::dlt::coerce;
use crate::dlt::types::{DataType, Kind};
use crate::fault::{Fault, Result};
use crate::shred::arena::ColumnId;
use crate::shred::origin::Origin;
use crate::shred::row_id::{RootValue, RowIdentity, with_scalar};

impl ShredTable {
    /// Sets an id column of a row.
    pub(in crate::shred) fn system_id(
        &mut self,
        row: u32,
        name: &'static str,
        id: &RowIdentity,
    ) -> Result<()> {
        if let RowIdentity::Value(value) = id {
            return self.system_value(row, name, value);
        }
        let column = self.system(name, DataType::Text);
        let values = &mut self.columns.all[column].values;
        let set = match id {
            RowIdentity::Digest(id) => values.set_ascii(row, id.as_bytes()),
            other => values.set_text(row, other.as_str()),
        };
        set.map_err(|error| Fault::internal(error).at(name))
    }

    /// Sets a text column that has the same value in every row.
    pub(in crate::shred) fn system_text(
        &mut self,
        row: u32,
        name: &'static str,
        text: &str,
    ) -> Result<()> {
        if self.repeat(row, name)? {
            return Ok(());
        }
        let column = self.system(name, DataType::Text);
        let set = self.columns.all[column].values.set_text(row, text);
        set.map_err(|error| Fault::internal(error).at(name))
    }

    /// Sets an id column of a row to the value of the previous row, which the caller knows to be
    /// the same.
    pub(in crate::shred) fn system_id_again(
        &mut self,
        row: u32,
        name: &'static str,
        id: &RowIdentity,
    ) -> Result<()> {
        if let RowIdentity::Value(value) = id {
            return self.system_value(row, name, value);
        }
        if self.repeat(row, name)? { Ok(()) } else { self.system_id(row, name, id) }
    }

    /// Sets a column of numbers.
    pub(in crate::shred) fn system_int(
        &mut self,
        row: u32,
        name: &'static str,
        value: u64,
    ) -> Result<()> {
        let column = self.system(name, DataType::Bigint);
        let value = i64::try_from(value).map_err(|_| Fault::internal("a row number overflows"))?;
        let set = self.columns.all[column].values.set_int(row, value);
        set.map_err(|error| Fault::internal(error).at(name))
    }

    /// Records that the record itself has a value for this system column: a new column is ranked by
    /// its position there.
    #[cold]
    pub(in crate::shred) fn bring_system(&mut self, name: &'static str, origin: Origin<'_>) {
        if !self.system.iter().any(|(known, _)| *known == name) {
            self.add_system(name, DataType::Text, origin.order());
        }
    }

    /// Sets the column by which a nested row refers to its root row to a value of that row.
    #[cold]
    fn system_value(&mut self, row: u32, name: &'static str, value: &RootValue) -> Result<()> {
        with_scalar(&value.raw, |scalar| {
            let column = self.system(name, value.kind.data_type);
            let column = &mut self.columns.all[column];
            let kind = column.kind.unwrap_or(value.kind);
            let datum = coerce::coerce(&scalar, &kind).ok_or_else(|| {
                let (expected, found) = (kind.data_type.name(), scalar.form().name());
                Fault::data(format_args!(
                    "expected a row key of the type {expected}, found {found}"
                ))
            })?;
            store(&mut column.values, row, datum).map_err(Fault::internal)
        })
        .map_err(|fault| fault.at(format_args!("column {name}")))
        .map_err(|fault| fault.at(format_args!("table {}", self.name)))
    }

    /// Repeats the string of the previous row. Returns `false` if there is none.
    #[inline]
    fn repeat(&mut self, row: u32, name: &'static str) -> Result<bool> {
        let column = self.system(name, DataType::Text);
        let repeated = self.columns.all[column].values.repeat_text(row);
        repeated.map_err(|error| Fault::internal(error).at(name))
    }

    #[inline]
    fn system(&mut self, name: &'static str, data_type: DataType) -> ColumnId {
        // Names are constants and usually have the same address: strings are compared only if no
        // address matches.
        let system = &self.system;
        let same = || system.iter().find(|(known, _)| std::ptr::eq(*known, name));
        match same().or_else(|| system.iter().find(|(known, _)| *known == name)) {
            Some(&(_, column)) => column,
            None => self.new_system(name, data_type),
        }
    }

    #[cold]
    fn new_system(&mut self, name: &'static str, data_type: DataType) -> ColumnId {
        // After all columns that the row added.
        let place = self.order.new_columns() as u32;
        self.add_system(name, data_type, vec![u32::MAX, place])
    }

    fn add_system(
        &mut self,
        name: &'static str,
        data_type: DataType,
        position: Vec<u32>,
    ) -> ColumnId {
        let id = self.columns.find_or_add(name);
        let column = &mut self.columns.all[id];
        column.seen = true;
        column.nullable = false;
        self.undo.first_seen(id);
        if column.kind.is_none() {
            column.kind = Some(Kind::of(data_type));
            column.values = ColumnBuffer::new(Kind::of(data_type));
        }
        if !column.known {
            self.order.add_new(id, position);
        }
        self.columns.note_type(id);
        self.system.push((name, id));
        id
    }
}
