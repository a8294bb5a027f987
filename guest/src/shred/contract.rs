//! What the data may bring to a table: dlt's schema contracts, as they bear on one row.
//!
//! A row is judged before the lists in it are read, as dlt does it: what is left out takes its
//! descendants along, and what they would have brought is never looked at. So where there are rules at
//! all, each object is walked twice, first for its values and then for its lists; where there are none,
//! nothing here is ever asked.
//!
//! Source: dlt 1.31, `common/schema/schema.py` (`apply_schema_contract`) and
//! `normalize/items_normalizers/jsonl.py` (`_normalize_chunk`).

use std::collections::BTreeMap;

use super::layout::{ListTarget, ObjectTarget};
use super::row_id::{Numbered, key_hash, record_hash};
use super::{Family, Halt, OpenRow, RootId, RootKey, RowIdentity, RowLink};
use crate::dlt::schema::{Contract, Mode};
use crate::fault::{Fault, FaultKind, Result};
use crate::json::{MAX_DEPTH, Peek, Reader};

/// The schema contract of a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TableContract {
    /// What becomes of new tables (this one, and those nested in it), of new columns of a table that is not
    /// new, and of values that need a variant column.
    pub modes: Contract,
    /// The table is new in this load: all of its rows may add columns.
    pub evolves_once: bool,
}

impl TableContract {
    /// Everything new is added.
    pub(super) const EVOLVE: Self = Self { modes: Contract::EVOLVE, evolves_once: false };

    /// Returns `true` if anything new can be rejected or discarded.
    pub(super) fn restricts(&self) -> bool {
        self.modes != Contract::EVOLVE
    }

    /// The contract of a new table nested in one with this contract.
    pub(super) fn nested(&self) -> Self {
        Self { evolves_once: false, ..*self }
    }
}

/// What was left out, counted.
#[derive(Debug, Default)]
pub(super) struct Discarded {
    counts: BTreeMap<(String, String), u64>,
    /// Of the record that is being taken.
    open: Vec<(String, String)>,
}

impl Discarded {
    pub(super) fn add(&mut self, table: &str, what: String) {
        self.open.push((table.to_owned(), what));
    }

    /// The record is taken.
    pub(super) fn keep(&mut self) {
        for what in self.open.drain(..) {
            *self.counts.entry(what).or_default() += 1;
        }
    }

    /// The record is walked again, or refused.
    pub(super) fn forget(&mut self) {
        self.open.clear();
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        self.counts.iter().map(|((table, what), count)| {
            format!("table {table}: {what}, as the schema contract has it; {count} left out")
        })
    }
}

/// The fault of something new where all is frozen.
#[cold]
pub(super) fn frozen(expected: &str, found: impl std::fmt::Display) -> Fault {
    Fault::new(
        FaultKind::Contract,
        format_args!("expected {expected}, for the schema contract freezes them, found {found}"),
    )
}

impl Family {
    /// A row of a table with rules: its values first, then, if it may stay, its lists.
    #[cold]
    pub(super) fn fill_guarded(
        &mut self,
        reader: &mut Reader<'_>,
        layout: usize,
        key: Option<&str>,
        row: &OpenRow<'_>,
    ) -> Result<bool, Halt> {
        let mut again = reader.clone();
        self.values_only = true;
        self.refused = false;
        match key {
            None => self.object(reader, layout, row)?,
            Some(key) => self.value(reader, layout, key, row)?,
        }
        self.values_only = false;
        if self.claims.waits() {
            self.settle(row)?;
        }
        if std::mem::take(&mut self.refused) {
            return Ok(false);
        }
        match key {
            None => self.lists(&mut again, layout, row)?,
            Some(key) => {
                let entry = self.entry_named(layout, key);
                self.lists_of(&mut again, (layout, entry), 0, row)?;
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
        let Some(mode) = table.rejected() else { return Ok(false) };
        let mut ahead = reader.clone();
        if !ahead.enter() {
            return Ok(false);
        }
        if mode == Mode::Freeze {
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
        parent: &OpenRow<'_>,
    ) -> Result<(), Halt> {
        let table = self.layouts[list].table;
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
                    RowIdentity::given(&id.map_err(|fault| fault.at(place))?)
                }
                RootId::Numbered => self.rooted_id(table, seq),
                RootId::Record => RowIdentity::given(&record_hash(reader.clone().skip()?)?),
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
            let row = OpenRow {
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
            self.end_row(&row, RowLink::Root(parent.root), kept)?;
            more = reader.more(b']')?;
        }
        Ok(())
    }

    /// The id of a row that has none of its own: a digest of the load, the table and its number.
    fn rooted_id(&self, table: usize, number: u64) -> RowIdentity {
        let table = &self.tables[table].name;
        Numbered::new(&self.options.load_id, table).id(number)
    }

    /// The lists of an object, and of the objects in it, whose values have been read.
    fn lists(
        &mut self,
        reader: &mut Reader<'_>,
        layout: usize,
        row: &OpenRow<'_>,
    ) -> Result<(), Halt> {
        let mut more = reader.enter();
        let mut previous = None;
        let mut place = 0;
        while more {
            let entry = self.entry(reader, layout, previous)?;
            previous = Some(entry);
            self.lists_of(reader, (layout, entry), place, row)?;
            place += 1;
            more = reader.more(b'}')?;
        }
        Ok(())
    }

    fn lists_of(
        &mut self,
        reader: &mut Reader<'_>,
        (layout, entry): (usize, usize),
        place: u32,
        row: &OpenRow<'_>,
    ) -> Result<(), Halt> {
        if self.trail.len() >= MAX_DEPTH as usize {
            return Err(reader.too_deep().into());
        }
        let inner = match reader.peek()? {
            Peek::Object => match self.object_target(layout, entry) {
                ObjectTarget::Row(inner) => Ok(inner),
                ObjectTarget::Json => return Ok(reader.skip().map(drop)?),
            },
            Peek::Array => match self.list_target(layout, entry, row.table) {
                ListTarget::List(list) => Err(list),
                ListTarget::Json => return Ok(reader.skip().map(drop)?),
            },
            _ => return Ok(reader.skip().map(drop)?),
        };
        self.trail.push(place);
        match inner {
            Ok(layout) => self.lists(reader, layout, row)?,
            Err(list) => self.list(reader, list, row)?,
        }
        self.trail.pop();
        Ok(())
    }
}
