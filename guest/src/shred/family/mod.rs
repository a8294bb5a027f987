//! The family of tables of a resource: the interface of this module for the load.

pub(super) mod cells;
mod known;

use std::borrow::Cow;

use super::arena::{LayoutId, TableId};
use super::mapping::Mapping;
use super::options::{RootId, RootKey, ShredOptions};
use super::restart::{Restart, WalkResult, WalkStop};
use super::row::{OpenRow, RowLink};
use super::row_id::{NumberedIds, RowIdentity, key_hash, record_hash, root_value};
use super::table::ShredTable;
use super::walk::Walk;
use crate::fault::{Fault, Result};
use crate::json::{self, Peek, Reader};

/// The tables of a resource, which records fill.
pub(crate) struct Family {
    walk: Walk,
    /// The number of records walked so far.
    root_rows: u64,
    root_ids: NumberedIds,
}

impl Family {
    /// An empty family.
    pub(crate) fn new(options: ShredOptions) -> Self {
        let root_ids = NumberedIds::new(&options.load_id, &options.table);
        Self { walk: Walk::new(Mapping::new(options)), root_rows: 0, root_ids }
    }

    /// Reads one complete record: any JSON value. A null is not a record.
    pub(crate) fn record(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        if reader.peek()? == Peek::Null {
            return reader.null();
        }
        self.walk.begin_record();
        let start = reader.clone();
        let options = &self.walk.mapping.options;
        let id = match &options.root_id {
            RootId::Numbered => None,
            RootId::Key(columns) => {
                Some(key_hash(reader.clone().skip()?, columns, &options.convention)?)
            }
            RootId::Record => Some(record_hash(reader.clone().skip()?)?),
        };
        let root = match &options.root_key {
            RootKey::None | RootKey::Id => None,
            key => root_value(key, reader.clone().skip()?, options)?,
        };
        // Assume that the record does not contain its own id; the walk restarts if it does.
        match self.root_row(reader, id.as_deref(), root.as_ref(), true) {
            Ok(()) => Ok(()),
            Err(stop) => {
                *reader = start;
                let record = reader.skip().inspect_err(|_| self.walk.undo())?;
                self.walk_again(record, id, root.as_ref(), stop)
            }
        }
    }

    /// Restarts the walk over a record until it completes.
    #[cold]
    fn walk_again(
        &mut self,
        record: &str,
        mut id: Option<String>,
        root: Option<&RowIdentity>,
        mut stop: WalkStop,
    ) -> Result<()> {
        let mut record = Cow::Borrowed(record);
        let mut may_bring_id = true;
        // A record restarts at most once for its id, once for a repeated key, once for a name that
        // two keys share, and once for each collapsed object.
        let mut restarts = 0;
        loop {
            self.walk.undo();
            match stop {
                WalkStop::Fault(fault) => return Err(fault),
                WalkStop::Restart(_) if restarts > 2 => {
                    return Err(Fault::internal(
                        "expected at most 3 restarts of a record, found more",
                    ));
                }
                WalkStop::Restart(Restart::NameContested) => {
                    self.walk.mapping.held.is_weighing = true
                }
                WalkStop::Restart(Restart::Collapsed) => {}
                WalkStop::Restart(Restart::GivenId(given)) => {
                    restarts += 1;
                    id = Some(given);
                    may_bring_id = false;
                }
                WalkStop::Restart(Restart::RepeatedKey) => {
                    restarts += 1;
                    record = Cow::Owned(json::compact(&record)?.into_owned());
                }
            }
            let reader = &mut Reader::new(&record);
            stop = match self.root_row(reader, id.as_deref(), root, may_bring_id) {
                Ok(()) => return Ok(()),
                Err(stop) => stop,
            };
        }
    }

    /// Every table with its id, in the order of first use.
    pub(crate) fn tables(&self) -> impl Iterator<Item = (TableId, &ShredTable)> {
        self.walk.mapping.tables.all.enumerate()
    }

    /// The tables, mutable so that their rows can be taken.
    pub(crate) fn tables_mut(&mut self) -> impl Iterator<Item = (TableId, &mut ShredTable)> {
        self.walk.mapping.tables.all.enumerate_mut()
    }

    /// A table of the family.
    pub(crate) fn table(&self, table: TableId) -> &ShredTable {
        &self.walk.mapping.tables[table]
    }

    /// The name of the root table above a table.
    pub(crate) fn root_of(&self, table: TableId) -> &str {
        let tables = &self.walk.mapping.tables;
        &tables[tables.root_of(table)].name
    }

    /// The tables, each after its parent.
    pub(crate) fn descending(&self) -> Vec<TableId> {
        self.walk.mapping.tables.descending()
    }

    /// The number of records walked so far.
    pub(crate) fn root_rows(&self) -> u64 {
        self.root_rows
    }

    /// The weight of the rows of the batch, in bytes.
    pub(crate) fn weight(&mut self) -> usize {
        self.walk.mapping.tables.all.iter_mut().map(ShredTable::weight).sum()
    }

    /// The keys that the schema must store: the table, the column for keys of columns, and the
    /// path.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&str, Option<&str>, &[String])> {
        self.walk.mapping.owners.stored().map(|(table, column, key)| {
            let table = self.table(table);
            (table.name.as_str(), column.map(|column| table.column_name(column)), key)
        })
    }

    /// The warnings, each once.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.walk.mapping.notices.lines()
    }

    /// Returns `true` if the schema contract discarded anything.
    pub(crate) fn has_discarded(&self) -> bool {
        !self.walk.mapping.notices.discarded.is_empty()
    }

    /// Reads the row of a record. `id`: its id, if known. `root`: the value that nested rows carry
    /// instead.
    fn root_row(
        &mut self,
        reader: &mut Reader<'_>,
        id: Option<&str>,
        root: Option<&RowIdentity>,
        may_bring_id: bool,
    ) -> WalkResult<()> {
        let seq = self.root_rows;
        let id = match id {
            Some(id) => RowIdentity::Given(id.to_owned()),
            None => self.root_ids.id(seq),
        };
        let row = self.walk.open_row(TableId::ROOT);
        let options = &self.walk.mapping.options;
        let root = match options.root_key {
            RootKey::None => None,
            RootKey::Id | RootKey::Columns { .. } => root.or(Some(&id)),
        };
        let sequence = options.sequence;
        let table = TableId::ROOT;
        let row = OpenRow { table, row, id: &id, root, seq, sequence, base: 0, may_bring_id };
        let key = if reader.peek()? == Peek::Object { None } else { Some("value") };
        let kept = self.walk.fill(reader, LayoutId::ROOT, key, &row)?;
        self.walk.end_row(&row, RowLink::Root(None), kept)?;
        self.walk.end_record()?;
        self.root_rows += u64::from(kept);
        Ok(())
    }
}
