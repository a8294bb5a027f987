//! Documents to rows: one walk over each record, straight into typed columns of a family of tables.
//!
//! The tables are dlt's (`common/normalizers/json/relational.py`): objects are flattened into their
//! row, lists become child tables, every row has an id that its children point to. What differs is
//! how: dlt builds the record, a flat copy of it and a list of rows; here nothing is built. Each key of
//! each object is resolved once, to a column, a nested object or a child table ([`layout`]), and looked
//! up by comparing bytes from then on.
//!
//! A record that turns out to need another look (it repeats a key, or brings its own row id) is undone
//! and walked again; so is one that is refused. Nothing of it remains.

mod cells;
mod collapse;
mod collisions;
mod contract;
mod known;
mod layout;
mod limits;
mod options;
mod row_id;
mod table;
mod walk;
mod widen;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use rustc_hash::FxHashMap;

pub use cells::CellTargets;
pub use collisions::KEY_HINT;
pub use contract::TableContract;
pub use layout::UnnestRule;
pub use options::{Preferred, SEQ, Sequence, ShredOptions};
pub use row_id::{NestedRoot, RootId, RootKey, RowIdentity};
pub use table::{KnownColumn, SeenColumn, ShredTable};

use crate::dlt::coerce::Scalar;
use crate::fault::{Fault, Result};
use crate::json::{self, Peek, Reader};
use collisions::Claims;
use contract::Discarded;
use layout::{KeyRole, ObjectLayout};
use limits::WEIGHED;
use row_id::Numbered;
use table::Origin;

/// A family of tables, filling.
pub struct Family {
    options: ShredOptions,
    tables: Vec<ShredTable>,
    by_name: FxHashMap<String, usize>,
    layouts: Vec<ObjectLayout>,
    /// Counts objects, so that a key repeated in one object is noticed.
    instance: u64,
    /// The place of each open container among its siblings, for the order of new columns.
    trail: Vec<u32>,
    /// The number of the record that is being taken, from 1, and the tables it has opened rows of: a
    /// record costs what it brings, however many tables there are.
    record: u64,
    opened: Vec<usize>,
    root_rows: u64,
    root_ids: Numbered,
    claims: Claims,
    warnings: Vec<String>,
    /// Whether any table has rules.
    guarded: bool,
    /// Whether the record has brought something that is kept as JSON from now on.
    squashed: bool,
    /// Whether lists are passed over: the row is to be judged first.
    values_only: bool,
    /// Whether the rules leave out the row that is being judged.
    refused: bool,
    left_out: Discarded,
}

/// Why a walk ended early.
enum Halt {
    /// Two keys of a row have the same name: their values have to be weighed.
    Contested,
    /// For good.
    Fault(Fault),
    /// The record brings its own row id, which its children need from the start.
    GivenId(String),
    /// A key stands twice in one object.
    Repeats,
    /// Objects of it are to be kept as JSON from now on.
    Squashed,
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// The row that is being written.
struct OpenRow<'r> {
    table: usize,
    row: u32,
    id: &'r RowIdentity,
    /// What the rows nested in it have for `_dlt_root_id`, if they have it.
    root: Option<&'r RowIdentity>,
    seq: u64,
    sequence: Sequence,
    /// Where this row's part of the trail begins.
    base: usize,
    /// Whether this is a root row whose id is still ours to choose.
    ours: bool,
}

/// How a row hangs together with others.
enum RowLink<'r> {
    /// A row of a list: its parent's id, its place in the list, what it knows its root row by.
    Nested(&'r RowIdentity, u64, Option<&'r RowIdentity>),
    /// A row that begins a family: what it knows the root row of the family it left by.
    Root(Option<&'r RowIdentity>),
}

impl Family {
    /// An empty family.
    pub fn new(options: ShredOptions) -> Self {
        let root = ObjectLayout::new(0, options.max_nesting, vec![options.table.clone()]);
        let mut family = Self {
            tables: Vec::new(),
            by_name: FxHashMap::default(),
            layouts: vec![root],
            instance: 0,
            trail: Vec::new(),
            record: 0,
            opened: Vec::new(),
            root_rows: 0,
            root_ids: Numbered::new(&options.load_id, &options.table),
            claims: Claims::default(),
            warnings: Vec::new(),
            guarded: false,
            squashed: false,
            values_only: false,
            refused: false,
            left_out: Discarded::default(),
            options,
        };
        let name = family.options.table.clone();
        family.table(&name, None);
        family
    }

    /// Takes one record from the reader, whole: any JSON value. A null is no record.
    pub fn record(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        if reader.peek()? == Peek::Null {
            return reader.null();
        }
        self.begin_record();
        let start = reader.clone();
        let mut id = match &self.options.root_id {
            RootId::Numbered => None,
            RootId::Key(columns) => {
                let raw = reader.clone().skip()?;
                Some(row_id::key_hash(raw, columns, &self.options.convention)?)
            }
            RootId::Record => Some(row_id::record_hash(reader.clone().skip()?)?),
        };
        let root = match &self.options.root_key {
            RootKey::None | RootKey::Id => None,
            key => key.value(reader.clone().skip()?, &self.options)?,
        };
        // Until the record is seen to bring its own.
        let mut ours = true;
        let mut halt = match self.root_row(reader, id.as_deref(), root.as_ref(), ours) {
            Ok(()) => return Ok(()),
            Err(halt) => halt,
        };
        *reader = start;
        let mut text = Cow::Borrowed(reader.skip().inspect_err(|_| self.undo())?);
        // A record is sent back at most once for its id or for a repeated key, once for a name that
        // two keys share, and once for each place where what is nested is kept as JSON from then on.
        let mut looks = 0;
        while looks <= 2 {
            self.undo();
            match halt {
                Halt::Contested => self.claims.weigh(),
                Halt::Squashed => {}
                Halt::Fault(fault) => return Err(fault),
                Halt::GivenId(given) => {
                    looks += 1;
                    id = Some(given);
                    ours = false;
                }
                Halt::Repeats => {
                    looks += 1;
                    text = Cow::Owned(json::without_repeats(&text)?);
                }
            }
            let reader = &mut Reader::new(&text);
            halt = match self.root_row(reader, id.as_deref(), root.as_ref(), ours) {
                Ok(()) => return Ok(()),
                Err(halt) => halt,
            };
        }
        self.undo();
        Err(match halt {
            Halt::Fault(fault) => fault,
            _ => Fault::internal("a record never settles"),
        })
    }

    fn begin_record(&mut self) {
        self.record += 1;
        self.opened.clear();
        self.claims.begin();
    }

    /// Every table, in the order of first sight.
    pub fn tables(&self) -> &[ShredTable] {
        &self.tables
    }

    /// The name of the table that begins the family of the table with this number.
    pub fn root_of(&self, table: usize) -> &str {
        let mut at = table;
        // No more steps than tables.
        for _ in 0..self.tables.len() {
            match self.tables.get(at).and_then(|table| table.parent) {
                Some(parent) => at = parent,
                None => break,
            }
        }
        self.tables.get(at).map_or("", |table| table.name.as_str())
    }

    /// The numbers of the tables, each behind the one it is nested in.
    pub fn descending(&self) -> Vec<usize> {
        let parent = |at: usize| self.tables.get(at).and_then(|table| table.parent);
        // No more steps than tables.
        let depth = |at: usize| {
            std::iter::successors(Some(at), |at| parent(*at)).take(self.tables.len()).count()
        };
        let mut numbers: Vec<usize> = (0..self.tables.len()).collect();
        numbers.sort_by_cached_key(|at| depth(*at));
        numbers
    }

    /// The tables, to take their rows.
    pub fn tables_mut(&mut self) -> &mut [ShredTable] {
        &mut self.tables
    }

    /// Records taken so far.
    pub fn root_rows(&self) -> u64 {
        self.root_rows
    }

    /// How much the rows of the batch weigh, in bytes.
    pub fn weight(&mut self) -> usize {
        self.tables.iter_mut().map(ShredTable::weight).sum()
    }

    /// What the schema is to remember of keys: the table, its column where it is one's, and the key.
    pub fn keys(&self) -> impl Iterator<Item = (&str, Option<&str>, &[String])> {
        self.claims.told().filter_map(|(table, column, key)| {
            let table = self.tables.get(table)?;
            Some((table.name.as_str(), column.map(|column| table.column_name(column)), key))
        })
    }

    /// What a person should know; each thing once.
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.iter().cloned().chain(self.left_out.lines()).collect()
    }

    /// Whether anything was left out as the rules have it.
    pub fn has_left_out(&self) -> bool {
        self.left_out.lines().next().is_some()
    }

    /// Begins a row of a table.
    #[inline]
    fn open_row(&mut self, at: usize) -> u32 {
        let table = &mut self.tables[at];
        if table.begin_record(self.record) {
            self.opened.push(at);
        }
        table.open_row()
    }

    /// Forgets the rows of the record that is being taken.
    fn undo(&mut self) {
        self.forget_claims();
        for at in self.opened.drain(..) {
            if let Some(table) = self.tables.get_mut(at) {
                table.undo_record();
            }
        }
        self.squashed = false;
        self.values_only = false;
        self.refused = false;
        self.left_out.forget();
    }

    fn root_row(
        &mut self,
        reader: &mut Reader<'_>,
        given: Option<&str>,
        root: Option<&RowIdentity>,
        ours: bool,
    ) -> Result<(), Halt> {
        self.trail.clear();
        let seq = self.root_rows;
        let id = match given {
            Some(id) => RowIdentity::given(id),
            None => self.root_ids.id(seq),
        };
        let row = self.open_row(0);
        let sequence = self.options.sequence;
        let root = match self.options.root_key {
            RootKey::None => None,
            RootKey::Id | RootKey::Columns { .. } => root.or(Some(&id)),
        };
        let row = OpenRow { table: 0, row, id: &id, root, seq, sequence, base: 0, ours };
        let key = if reader.peek()? == Peek::Object { None } else { Some("value") };
        let kept = self.fill(reader, 0, key, &row)?;
        self.end_row(&row, RowLink::Root(None), kept)?;
        if self.squashed {
            return Err(Halt::Squashed);
        }
        self.root_rows += u64::from(kept);
        self.left_out.keep();
        Ok(())
    }

    /// A value of a key that is no plain one.
    #[cold]
    fn special(
        &mut self,
        scalar: Scalar<'_>,
        (layout, entry): (usize, usize),
        place: u32,
        row: &OpenRow<'_>,
    ) -> Result<(), Halt> {
        let resolved = &self.layouts[layout].entries[entry];
        let typed = resolved.typed.and_then(|kind| cells::lifted(scalar, kind));
        let scalar = typed.as_ref().map_or(scalar, Scalar::Typed);
        match resolved.role {
            KeyRole::Plain | KeyRole::Typed => self.plain(scalar, (layout, entry), place, row),
            KeyRole::System => self.system_value(scalar, (layout, entry), place, row),
        }
    }

    /// A value under the name of a system column: a root row may bring its own id; anything else of
    /// that name is ours to write.
    #[cold]
    fn system_value(
        &mut self,
        scalar: Scalar<'_>,
        (layout, entry): (usize, usize),
        place: u32,
        row: &OpenRow<'_>,
    ) -> Result<(), Halt> {
        let name = self.layouts[layout].entries[entry].name.clone();
        let name = name.as_str();
        let trail = self.trail.get(row.base..).unwrap_or_default();
        if let Some(name) = ["_dlt_id", "_dlt_load_id"].into_iter().find(|root| *root == name)
            && row.table == 0
        {
            self.tables[0].bring_system(name, Origin { trail, place });
        }
        if name == "_dlt_id"
            && row.table == 0
            && let Some(id) = scalar.text()
            && !id.is_empty()
        {
            return if row.ours { Err(Halt::GivenId(id.to_owned())) } else { Ok(()) };
        }
        let table = &self.tables[row.table].name;
        let warning = format!("table {table}: the data's own {name} was left out");
        self.warn(warning);
        Ok(())
    }

    /// Ends a row: its system columns, the order of its new columns, what it must not lack. One that is
    /// not kept leaves the columns it brought, its system columns among them, as in dlt.
    #[inline]
    fn end_row(&mut self, row: &OpenRow<'_>, link: RowLink<'_>, kept: bool) -> Result<(), Halt> {
        if self.claims.waits() {
            self.settle(row)?;
        }
        let table = &mut self.tables[row.table];
        let is_root = matches!(link, RowLink::Root(_));
        match link {
            RowLink::Nested(parent, index, root) => {
                // The elements of a list have their parent in common; the first has set it.
                let again = index != 0 && !self.guarded;
                let set = if again { ShredTable::system_id_again } else { ShredTable::system_id };
                if let Some(root) = root {
                    set(table, row.row, "_dlt_root_id", root)?;
                }
                set(table, row.row, "_dlt_parent_id", parent)?;
                table.system_int(row.row, "_dlt_list_idx", index)?;
            }
            RowLink::Root(left) => {
                if let Some(root) = left {
                    table.system_id(row.row, "_dlt_root_id", root)?;
                }
                table.system_text(row.row, "_dlt_load_id", &self.options.load_id)?;
            }
        }
        table.system_id(row.row, "_dlt_id", row.id)?;
        if row.sequence == Sequence::All || (row.sequence == Sequence::Root && is_root) {
            table.system_int(row.row, SEQ, row.seq)?;
        }
        if !kept {
            table.drop_row(row.row);
            return Ok(());
        }
        if let Some(column) = table.close_row(row.row) {
            let other = self.other_key(row.table, column, row.row);
            return Err(self.tables[row.table].lacks(column, row.row, other).into());
        }
        if row.table != 0 && row.row % WEIGHED == WEIGHED - 1 {
            self.check_weight(row.table)?;
        }
        Ok(())
    }

    #[cold]
    fn warn(&mut self, warning: String) {
        const MOST: usize = 100;
        if self.warnings.len() < MOST && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// A list that has elements makes its rows' table the child of this one, if none has done so before:
    /// another place, whose lists were empty, may have the same name for its table.
    #[cold]
    fn adopt(&mut self, reader: &Reader<'_>, table: usize, parent: usize) {
        if self.tables[table].parent != Some(parent) && reader.clone().enter() {
            let contract = self.tables[parent].contract.nested();
            let table = &mut self.tables[table];
            (table.parent, table.contract) = (Some(parent), contract);
        }
    }

    /// The table of that name, new or old.
    fn table(&mut self, name: &str, parent: Option<usize>) -> usize {
        if let Some(&table) = self.by_name.get(name) {
            return table;
        }
        let at = self.tables.len();
        let mut table = ShredTable::new(name.to_owned(), parent);
        if let Some(parent) = parent.and_then(|parent| self.tables.get(parent)) {
            table.contract = parent.contract.nested();
        }
        self.tables.push(table);
        self.by_name.insert(name.to_owned(), at);
        at
    }
}
