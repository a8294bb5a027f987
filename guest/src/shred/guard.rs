//! Rows of tables that have rules, and rows that begin a family of their own: what most loads have none
//! of, out of the way of those that do not.

use super::ident::{key_hash, record_hash};
use super::rules::{Refusal, frozen};
use super::shape::{ListTarget, ObjectTarget};
use super::{Family, Halt, Link, RootId, RootKey, Row, RowId};
use crate::fault::Result;
use crate::json::{MAX_DEPTH, Peek, Reader};

impl Family {
    /// A row of a table with rules: its values first, then, if it may stay, its lists.
    #[cold]
    pub(super) fn fill_guarded(
        &mut self,
        reader: &mut Reader<'_>,
        shape: usize,
        key: Option<&str>,
        row: &Row<'_>,
    ) -> Result<bool, Halt> {
        let mut again = reader.clone();
        self.values_only = true;
        self.refused = false;
        match key {
            None => self.object(reader, shape, row)?,
            Some(key) => self.value(reader, shape, key, row)?,
        }
        self.values_only = false;
        if self.claims.waits() {
            self.settle(row)?;
        }
        if std::mem::take(&mut self.refused) {
            return Ok(false);
        }
        match key {
            None => self.lists(&mut again, shape, row)?,
            Some(key) => {
                let entry = self.entry_named(shape, key);
                self.lists_of(&mut again, (shape, entry), 0, row)?;
            }
        }
        Ok(true)
    }

    /// Notes that the rules refuse this column a value, or its row.
    #[cold]
    pub(super) fn leave_out(&mut self, table: usize, column: usize, row: bool) {
        self.refused |= row;
        let table = &mut self.tables[table];
        table.refuse(column);
        if row {
            table.refusing(column);
        }
        let what = if row { "rows with" } else { "values of" };
        let what = format!("{what} the new column {}", table.column_name(column));
        self.left_out.add(&table.name, what);
    }

    /// Passes over a list, if its table is new and may not be.
    #[cold]
    pub(super) fn leave_out_list(
        &mut self,
        reader: &mut Reader<'_>,
        table: usize,
    ) -> Result<bool, Halt> {
        let table = &self.tables[table];
        let Some(refusal) = table.refused() else { return Ok(false) };
        let mut ahead = reader.clone();
        if !ahead.enter() {
            return Ok(false);
        }
        if refusal == Refusal::Freeze {
            let found = format_args!("one for the lists of {}", table.name);
            return Err(frozen("no new tables", found)
                .at(format_args!("table {}", table.name))
                .into());
        }
        reader.skip()?;
        self.left_out.add(&table.name, "lists of the new table".to_owned());
        Ok(true)
    }

    /// The elements of a list, each a row that begins a family.
    #[cold]
    pub(super) fn rooted_list(
        &mut self,
        reader: &mut Reader<'_>,
        list: usize,
        parent: &Row<'_>,
    ) -> Result<(), Halt> {
        let table = self.shapes[list].table;
        let Some(rooted) = self.tables[table].rooted.as_deref().cloned() else {
            return Ok(());
        };
        let mut more = reader.enter();
        while more {
            let seq = self.tables[table].total_rows();
            let id = match &rooted.root_id {
                RootId::Key(columns) => {
                    let raw = reader.clone().skip()?;
                    let id = key_hash(raw, columns, &self.options.convention);
                    let place = format!("table {}", self.tables[table].name);
                    RowId::given(&id.map_err(|fault| fault.at(place))?)
                }
                RootId::Numbered => self.rooted_id(table, seq),
                RootId::Record => RowId::given(&record_hash(reader.clone().skip()?)?),
            };
            let value = match &rooted.root_key {
                RootKey::None | RootKey::Id => None,
                key => key.value(reader.clone().skip()?, &self.options)?,
            };
            let row = self.open_row(table);
            let root = match rooted.root_key {
                RootKey::None => parent.root,
                RootKey::Id | RootKey::Columns { .. } => value.as_ref().or(Some(&id)),
            };
            let row = Row {
                table,
                row,
                id: &id,
                root,
                seq,
                sequence: rooted.sequence,
                base: self.trail.len(),
                ours: false,
            };
            let kept = self.element(reader, list, &row)?;
            self.end_row(&row, Link::Root(parent.root), kept)?;
            more = reader.more(b']')?;
        }
        Ok(())
    }

    /// The id of a row that has none of its own: a digest of the load, the table and its number.
    fn rooted_id(&self, table: usize, number: u64) -> RowId {
        let table = &self.tables[table].name;
        super::ident::Numbered::new(&self.options.load_id, table).id(number)
    }

    /// The lists of an object, and of the objects in it, whose values have been read.
    fn lists(&mut self, reader: &mut Reader<'_>, shape: usize, row: &Row<'_>) -> Result<(), Halt> {
        let mut more = reader.enter();
        let mut previous = None;
        let mut place = 0;
        while more {
            let entry = self.entry(reader, shape, previous)?;
            previous = Some(entry);
            self.lists_of(reader, (shape, entry), place, row)?;
            place += 1;
            more = reader.more(b'}')?;
        }
        Ok(())
    }

    fn lists_of(
        &mut self,
        reader: &mut Reader<'_>,
        (shape, entry): (usize, usize),
        place: u32,
        row: &Row<'_>,
    ) -> Result<(), Halt> {
        if self.trail.len() >= MAX_DEPTH as usize {
            return Err(reader.too_deep().into());
        }
        let inner = match reader.peek()? {
            Peek::Object => match self.object_target(shape, entry) {
                ObjectTarget::Shape(inner) => Ok(inner),
                ObjectTarget::Json => return Ok(reader.skip().map(drop)?),
            },
            Peek::Array => match self.list_target(shape, entry, row.table) {
                ListTarget::List(list) => Err(list),
                ListTarget::Json => return Ok(reader.skip().map(drop)?),
            },
            _ => return Ok(reader.skip().map(drop)?),
        };
        self.trail.push(place);
        match inner {
            Ok(shape) => self.lists(reader, shape, row)?,
            Err(list) => self.list(reader, list, row)?,
        }
        self.trail.pop();
        Ok(())
    }
}
