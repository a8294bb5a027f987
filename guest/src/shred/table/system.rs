//! dlt's own columns: ids, places in lists, the load.

use super::{Origin, ShredTable};
use crate::columnar::batch::ColumnBuffer;
use crate::dlt::types::{DataType, Kind};
use crate::fault::{Fault, Result};
use crate::shred::RowIdentity;

impl ShredTable {
    pub(in crate::shred) fn system_id(
        &mut self,
        row: u32,
        name: &'static str,
        id: &RowIdentity,
    ) -> Result<()> {
        if let RowIdentity::Value(value) = id {
            return self.system_value(row, name, value);
        }
        let at = self.system(name, DataType::Text);
        let values = &mut self.columns[at].values;
        let set = match id {
            RowIdentity::Digest(id) => values.set_ascii(row, id.as_bytes()),
            other => values.set_text(row, other.as_str()),
        };
        set.map_err(|refused| Fault::internal(refused).at(name))
    }

    /// The text that this column has in every row.
    pub(in crate::shred) fn system_text(
        &mut self,
        row: u32,
        name: &'static str,
        text: &str,
    ) -> Result<()> {
        if self.repeats(row, name)? {
            return Ok(());
        }
        let at = self.system(name, DataType::Text);
        let set = self.columns[at].values.set_text(row, text);
        set.map_err(|refused| Fault::internal(refused).at(name))
    }

    /// The same id as in the row before, which is known to be this one.
    pub(in crate::shred) fn system_id_again(
        &mut self,
        row: u32,
        name: &'static str,
        id: &RowIdentity,
    ) -> Result<()> {
        if let RowIdentity::Value(value) = id {
            return self.system_value(row, name, value);
        }
        if self.repeats(row, name)? { Ok(()) } else { self.system_id(row, name, id) }
    }

    /// Puts the text of the row before into this one; no if there is none.
    #[inline]
    fn repeats(&mut self, row: u32, name: &'static str) -> Result<bool> {
        let at = self.system(name, DataType::Text);
        let repeated = self.columns[at].values.repeat_text(row);
        repeated.map_err(|refused| Fault::internal(refused).at(name))
    }

    /// The column of that name, which is made with this type if it has none, for a value.
    pub(in crate::shred) fn system_column(
        &mut self,
        name: &'static str,
        kind: Kind,
    ) -> (Kind, &mut ColumnBuffer) {
        let at = self.system(name, kind.data_type);
        let column = &mut self.columns[at];
        (column.kind.unwrap_or(kind), &mut column.values)
    }

    pub(in crate::shred) fn system_int(
        &mut self,
        row: u32,
        name: &'static str,
        value: u64,
    ) -> Result<()> {
        let at = self.system(name, DataType::Bigint);
        let value = i64::try_from(value).map_err(|_| Fault::internal("a row number overflows"))?;
        self.columns[at].values.set_int(row, value).map_err(|m| Fault::internal(m).at(name))
    }

    #[inline]
    fn system(&mut self, name: &'static str, data_type: DataType) -> usize {
        // Names are the same constants every time, mostly at the same address: texts are compared only
        // where none is.
        let system = &self.system;
        let same = || system.iter().find(|(known, _)| std::ptr::eq(*known, name));
        match same().or_else(|| system.iter().find(|(known, _)| *known == name)) {
            Some(&(_, at)) => at,
            None => self.new_system(name, data_type),
        }
    }

    /// The record itself brings this text column: a new one stands where the record has it.
    #[cold]
    pub(in crate::shred) fn bring_system(&mut self, name: &'static str, origin: Origin<'_>) {
        if !self.system.iter().any(|(known, _)| *known == name) {
            self.place_system(name, DataType::Text, origin.order());
        }
    }

    #[cold]
    fn new_system(&mut self, name: &'static str, data_type: DataType) -> usize {
        // Behind everything the row brought.
        let place = self.fresh.len() as u32;
        self.place_system(name, data_type, vec![u32::MAX, place])
    }

    fn place_system(&mut self, name: &'static str, data_type: DataType, order: Vec<u32>) -> usize {
        let at = self.column(name);
        let column = &mut self.columns[at];
        column.seen = true;
        column.nullable = false;
        self.first_seen.push(at);
        if column.kind.is_none() {
            column.kind = Some(Kind::of(data_type));
            column.values = ColumnBuffer::new(Kind::of(data_type));
        }
        if !column.known {
            self.fresh.push((order, at));
        }
        self.note_type(at);
        self.system.push((name, at));
        at
    }
}
