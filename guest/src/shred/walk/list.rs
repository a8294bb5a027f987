//! Lists: their elements become rows.

use super::Walk;
use crate::dlt::hash;
use crate::fault::Result;
use crate::json::{MAX_DEPTH, Peek, Reader};
use crate::shred::arena::{LayoutId, TableId};
use crate::shred::collisions::own_table_of;
use crate::shred::discard::discards_list;
use crate::shred::limits::check_tables;
use crate::shred::options::{NestedRoot, RootId, RootKey};
use crate::shred::restart::WalkResult;
use crate::shred::row::{OpenRow, RowLink};
use crate::shred::row_id::{NumberedIds, RowIdentity, key_hash, record_hash, root_value};

impl Walk {
    /// Reads the elements of a list, each a row of the list's table.
    pub(super) fn list(
        &mut self,
        reader: &mut Reader<'_>,
        list: LayoutId,
        parent: &OpenRow<'_>,
    ) -> WalkResult<()> {
        let Some(list) = self.begin_list(reader, list, parent.table)? else { return Ok(()) };
        let table = self.mapping.layouts[list].table;
        if self.mapping.tables[table].nested_root.is_some() {
            return self.nested_roots(reader, list, parent);
        }
        // A key may be repeated, spelled with escapes: its elements are numbered consecutively.
        let mut index = self.mapping.tables[table].next_index((parent.table, parent.row));
        let mut ids = hash::ChildIds::new(parent.id.as_str(), &self.mapping.tables[table].name);
        let mut more = reader.enter();
        while more {
            let id = RowIdentity::Digest(ids.in_turn(index));
            let row = self.open_row(table);
            let row = OpenRow {
                table,
                row,
                id: &id,
                root: parent.root,
                seq: parent.seq,
                sequence: parent.sequence,
                base: self.trail.len(),
                may_bring_id: false,
            };
            let kept = self.element(reader, list, &row)?;
            self.end_row(&row, RowLink::Nested(parent.id, index, parent.root), kept)?;
            index += 1;
            more = reader.more(b']')?;
        }
        self.mapping.tables[table].set_next_index((parent.table, parent.row), index);
        Ok(())
    }

    /// Decides the table of a list's rows. Returns the layout of its elements, or `None` if the
    /// contract discards the list. This is a separate function because lists are nested, and its
    /// stack frame is not needed for the elements.
    fn begin_list(
        &mut self,
        reader: &mut Reader<'_>,
        mut list: LayoutId,
        parent: TableId,
    ) -> WalkResult<Option<LayoutId>> {
        if self.trail.len() >= MAX_DEPTH as usize {
            return Err(reader.too_deep().into());
        }
        let mapping = &mut self.mapping;
        if !mapping.layouts[list].owns_table {
            list = own_table_of(mapping, reader, list, parent)?;
        }
        let table = mapping.layouts[list].table;
        // A list with elements makes this table the parent of its own, unless another list has done
        // so before: another list without elements may have the same table name.
        if mapping.tables[table].is_open()
            && mapping.tables[table].parent != Some(parent)
            && reader.clone().enter()
        {
            mapping.tables.set_parent(table, parent);
        }
        if self.has_contracts && discards_list(mapping, reader, table)? {
            return Ok(None);
        }
        if mapping.tables[table].is_open() {
            check_tables(mapping, reader, list)?;
        }
        Ok(Some(list))
    }

    /// Reads an element of a list as a row. Returns `false` if the contract discards it.
    #[inline]
    fn element(
        &mut self,
        reader: &mut Reader<'_>,
        list: LayoutId,
        row: &OpenRow<'_>,
    ) -> WalkResult<bool> {
        match reader.peek()? {
            Peek::Object => self.fill(reader, list, None, row),
            Peek::Array => {
                let inner = self.mapping.list_in_list(list);
                self.fill(reader, inner, Some("list"), row)
            }
            Peek::Null => {
                reader.null()?;
                Ok(true)
            }
            _ => self.fill(reader, list, Some("value"), row),
        }
    }

    /// Reads the elements of a list, each a root row.
    #[cold]
    fn nested_roots(
        &mut self,
        reader: &mut Reader<'_>,
        list: LayoutId,
        parent: &OpenRow<'_>,
    ) -> WalkResult<()> {
        let table = self.mapping.layouts[list].table;
        let Some(nested_root) = self.mapping.tables[table].nested_root.as_deref().cloned() else {
            return Ok(());
        };
        let mut more = reader.enter();
        while more {
            let seq = self.mapping.tables[table].total_rows();
            let id = self.nested_root_id(reader, &nested_root, table, seq)?;
            let value = match &nested_root.root_key {
                RootKey::None | RootKey::Id => None,
                key => root_value(key, reader.clone().skip()?, &self.mapping.options)?,
            };
            let row = self.open_row(table);
            let root = match nested_root.root_key {
                RootKey::None => parent.root,
                RootKey::Id | RootKey::Columns { .. } => value.as_ref().or(Some(&id)),
            };
            let row = OpenRow {
                table,
                row,
                id: &id,
                root,
                seq,
                sequence: nested_root.sequence,
                base: self.trail.len(),
                may_bring_id: false,
            };
            let kept = self.element(reader, list, &row)?;
            self.end_row(&row, RowLink::Root(parent.root), kept)?;
            more = reader.more(b']')?;
        }
        Ok(())
    }

    /// The id of the next element, a root row with this number.
    fn nested_root_id(
        &self,
        reader: &Reader<'_>,
        nested_root: &NestedRoot,
        table: TableId,
        number: u64,
    ) -> Result<RowIdentity> {
        let (name, options) = (&self.mapping.tables[table].name, &self.mapping.options);
        match &nested_root.root_id {
            RootId::Key(columns) => {
                let id = key_hash(reader.clone().skip()?, columns, &options.convention);
                let id = id.map_err(|fault| fault.at(format_args!("table {name}")))?;
                Ok(RowIdentity::Given(id))
            }
            RootId::Numbered => Ok(NumberedIds::new(&options.load_id, name).id(number)),
            RootId::Record => Ok(RowIdentity::Given(record_hash(reader.clone().skip()?)?)),
        }
    }
}
