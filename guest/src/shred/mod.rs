//! Documents to rows: one walk over each record, straight into typed columns of a family of tables.
//!
//! The tables are dlt's (`common/normalizers/json/relational.py`): objects are flattened into their
//! row, lists become child tables, every row has an id that its children point to. What differs is
//! how: dlt builds the record, a flat copy of it and a list of rows; here nothing is built. Each key of
//! each object is resolved once, to a column, a nested object or a child table ([`shape`]), and looked
//! up by comparing bytes from then on.
//!
//! A record that turns out to need another look (it repeats a key, or brings its own row id) is undone
//! and walked again; so is one that is refused. Nothing of it remains.

mod contest;
mod ident;
mod shape;
mod table;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use rustc_hash::FxHashMap;

pub use ident::{RootId, RowId};
pub use shape::Unnest;
pub use table::{KnownColumn, SeenColumn, Table};

use crate::coerce::Scalar;
use crate::digest;
use crate::fault::{Fault, Result};
use crate::json::{self, MAX_DEPTH, Peek, Reader};
use crate::name::Convention;
use contest::Contest;
use ident::Numbered;
use shape::{ListTarget, ObjectTarget, Role, Shape};
use table::Origin;

/// What a family of tables is made of, decided before the first record.
pub struct Options {
    /// How names are made.
    pub convention: Convention,
    /// The root table's name, normalised.
    pub table: String,
    /// Levels of nesting that become columns and tables; what is deeper is kept as JSON.
    pub max_nesting: i64,
    /// The load's id, for `_dlt_load_id`.
    pub load_id: String,
    /// Where a root row's id comes from.
    pub root_id: RootId,
    /// Whether child rows carry `_dlt_root_id`.
    pub root_key: bool,
    /// Which rows carry the number of their root row.
    pub sequence: Sequence,
    /// When set, what is unnested; everything else that is nested is kept as JSON.
    pub unnest: Option<Unnest>,
}

/// Which rows carry the number of their root row in the load, in the column [`SEQ`]. It is staged
/// only, never kept: it ranks rows of one key, and ties child rows to one of several root rows that
/// share an id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sequence {
    /// Root and child rows.
    All,
    /// None.
    None,
    /// Root rows.
    Root,
}

/// The staged column that holds the number of the root row in the load.
pub const SEQ: &str = "_snowcat_seq";

/// A family of tables, filling.
pub struct Family {
    options: Options,
    tables: Vec<Table>,
    by_name: FxHashMap<String, usize>,
    shapes: Vec<Shape>,
    /// Counts objects, so that a key repeated in one object is noticed.
    instance: u64,
    /// The place of each open container among its siblings, for the order of new columns.
    trail: Vec<u32>,
    /// How many rows each table had before the record that is being taken.
    marks: Vec<u32>,
    root_rows: u64,
    root_ids: Numbered,
    contest: Contest,
    warnings: Vec<String>,
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
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// The row that is being written.
struct Row<'r> {
    table: usize,
    row: u32,
    id: &'r RowId,
    root: &'r RowId,
    seq: u64,
    /// Where this row's part of the trail begins.
    base: usize,
    /// Whether this is a root row whose id is still ours to choose.
    ours: bool,
}

impl Family {
    /// An empty family.
    pub fn new(options: Options) -> Self {
        let root = Shape::new(0, options.max_nesting, vec![options.table.clone()]);
        let mut family = Self {
            tables: Vec::new(),
            by_name: FxHashMap::default(),
            shapes: vec![root],
            instance: 0,
            trail: Vec::new(),
            marks: Vec::new(),
            root_rows: 0,
            root_ids: Numbered::new(&options.load_id, &options.table),
            contest: Contest::default(),
            warnings: Vec::new(),
            options,
        };
        let name = family.options.table.clone();
        family.table(&name, None);
        family
    }

    /// Makes a child table known before its first row.
    pub fn know_table(&mut self, name: &str, parent: &str) {
        let parent = self.by_name.get(parent).copied();
        self.table(name, parent);
    }

    /// Makes a column known before its first value, behind those known already.
    pub fn know_column(&mut self, table: &str, column: KnownColumn) {
        if let Some(&table) = self.by_name.get(table) {
            self.tables[table].know(column);
        }
    }

    /// Takes one record from the reader, whole: any JSON value. A null is no record.
    pub fn record(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        if reader.peek()? == Peek::Null {
            return reader.null();
        }
        self.marks.clear();
        self.marks.extend(self.tables.iter_mut().map(Table::begin_record));
        let start = reader.clone();
        let mut id = match &self.options.root_id {
            RootId::Numbered => None,
            RootId::Key(columns) => {
                let raw = reader.clone().skip()?;
                Some(ident::key_hash(raw, columns, &self.options.convention)?)
            }
            RootId::Record => Some(ident::record_hash(reader.clone().skip()?)?),
        };
        // Until the record is seen to bring its own.
        let mut ours = true;
        let mut halt = match self.root_row(reader, id.as_deref(), ours) {
            Ok(()) => return Ok(()),
            Err(halt) => halt,
        };
        *reader = start;
        let mut text = Cow::Borrowed(reader.skip().inspect_err(|_| self.undo())?);
        // A record is sent back at most once for its id or for a repeated key, and once for a name that
        // two keys share.
        let mut looks = 0;
        while looks <= 2 {
            self.undo();
            match halt {
                Halt::Contested => {}
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
            halt = match self.root_row(&mut Reader::new(&text), id.as_deref(), ours) {
                Ok(()) => return Ok(()),
                Err(halt) => halt,
            };
        }
        self.undo();
        Err(match halt {
            Halt::Fault(fault) => fault,
            Halt::Contested | Halt::GivenId(_) | Halt::Repeats => {
                Fault::internal("a record never settles")
            }
        })
    }

    /// Every table, in the order of first sight.
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// The tables, to take their rows.
    pub fn tables_mut(&mut self) -> &mut [Table] {
        &mut self.tables
    }

    /// Records taken so far.
    pub fn root_rows(&self) -> u64 {
        self.root_rows
    }

    /// Memory the rows hold, in bytes.
    pub fn bytes(&self) -> usize {
        self.tables.iter().map(Table::bytes).sum()
    }

    /// What a person should know; each thing once.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Forgets the rows of the record that is being taken.
    fn undo(&mut self) {
        self.contest.forget();
        for (at, table) in self.tables.iter_mut().enumerate() {
            table.undo_record(self.marks.get(at).copied().unwrap_or(0));
        }
    }

    fn root_row(
        &mut self,
        reader: &mut Reader<'_>,
        given: Option<&str>,
        ours: bool,
    ) -> Result<(), Halt> {
        self.trail.clear();
        let seq = self.root_rows;
        let id = match given {
            Some(id) => RowId::given(id),
            None => self.root_ids.id(seq),
        };
        let row = self.tables[0].open_row();
        let row = Row { table: 0, row, id: &id, root: &id, seq, base: 0, ours };
        if reader.peek()? == Peek::Object {
            self.object(reader, 0, &row)?;
        } else {
            self.value(reader, 0, "value", &row)?;
        }
        self.close_row(&row, None)?;
        self.root_rows += 1;
        Ok(())
    }

    /// The members of an object, into the row.
    fn object(&mut self, reader: &mut Reader<'_>, shape: usize, row: &Row<'_>) -> Result<(), Halt> {
        if self.trail.len() >= MAX_DEPTH as usize {
            return Err(reader.too_deep().into());
        }
        self.instance += 1;
        let instance = self.instance;
        let mut more = reader.enter();
        let mut previous = None;
        let mut place = 0;
        while more {
            let entry = self.entry(reader, shape, previous)?;
            previous = Some(entry);
            let seen = &mut self.shapes[shape].entries[entry].instance;
            if *seen == instance {
                return Err(Halt::Repeats);
            }
            *seen = instance;
            self.member(reader, (shape, entry), place, row)?;
            place += 1;
            more = reader.more(b'}')?;
        }
        Ok(())
    }

    /// The value of one key of an object.
    fn member(
        &mut self,
        reader: &mut Reader<'_>,
        (shape, entry): (usize, usize),
        place: u32,
        row: &Row<'_>,
    ) -> Result<(), Halt> {
        let text;
        let scalar = match reader.peek()? {
            Peek::Null => return Ok(reader.null()?),
            Peek::Bool => Scalar::Bool(reader.bool()?),
            Peek::Number => Scalar::Number(reader.number()?),
            Peek::String => {
                text = reader.string()?;
                Scalar::Text(&text)
            }
            Peek::Object => match self.object_target(shape, entry) {
                ObjectTarget::Shape(inner) => {
                    self.trail.push(place);
                    self.object(reader, inner, row)?;
                    self.trail.pop();
                    return Ok(());
                }
                ObjectTarget::Json => {
                    text = kept(reader)?;
                    Scalar::Json(&text)
                }
            },
            Peek::Array => match self.list_target(shape, entry, row.table) {
                ListTarget::List(list) => {
                    self.trail.push(place);
                    self.list(reader, list, row)?;
                    self.trail.pop();
                    return Ok(());
                }
                ListTarget::Json => {
                    text = kept(reader)?;
                    Scalar::Json(&text)
                }
            },
        };
        let resolved = &mut self.shapes[shape].entries[entry];
        if resolved.role != Role::Plain {
            return self.special(scalar, (shape, entry), place, row);
        }
        let table = &mut self.tables[row.table];
        let column = match resolved.column {
            Some(column) => column,
            None => *resolved.column.insert(table.column(&resolved.name)),
        };
        let trail = self.trail.get(row.base..).unwrap_or_default();
        let origin = Origin { trail, place };
        let convention = &self.options.convention;
        match table.put(row.row, column, scalar, origin, convention) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(fault) => return Err(fault.at(format_args!("table {}", table.name)).into()),
        }
        if self.begin_contest(row.table, shape, entry) {
            return Err(Halt::Contested);
        }
        let trail = self.trail.get(row.base..).unwrap_or_default().to_vec();
        self.put_aside(scalar, (shape, entry), Origin { trail: &trail, place }, row)
    }

    /// The elements of a list, each a row of the list's table.
    fn list(&mut self, reader: &mut Reader<'_>, list: usize, parent: &Row<'_>) -> Result<(), Halt> {
        if self.trail.len() >= MAX_DEPTH as usize {
            return Err(reader.too_deep().into());
        }
        let table = self.shapes[list].table;
        // Two keys of one row may name the same table: their elements are numbered through.
        let mut index = self.tables[table].next_index((parent.table, parent.row));
        let mut ids = digest::ChildIds::new(parent.id.as_str(), &self.tables[table].name);
        let mut more = reader.enter();
        while more {
            let id = RowId::Digest(ids.in_turn(index));
            let row = self.tables[table].open_row();
            let row = Row {
                table,
                row,
                id: &id,
                root: parent.root,
                seq: parent.seq,
                base: self.trail.len(),
                ours: false,
            };
            match reader.peek()? {
                Peek::Object => self.object(reader, list, &row)?,
                Peek::Array => {
                    let inner = self.list_in_list(list);
                    self.value(reader, inner, "list", &row)?;
                }
                Peek::Null => reader.null()?,
                _ => self.value(reader, list, "value", &row)?,
            }
            self.close_row(&row, Some((parent.id, index)))?;
            index += 1;
            more = reader.more(b']')?;
        }
        self.tables[table].set_next_index((parent.table, parent.row), index);
        Ok(())
    }

    /// A value that is not a member of an object, as if it were one.
    fn value(
        &mut self,
        reader: &mut Reader<'_>,
        shape: usize,
        key: &str,
        row: &Row<'_>,
    ) -> Result<(), Halt> {
        let entry = self.entry_named(shape, key);
        self.member(reader, (shape, entry), 0, row)
    }

    /// A value that does not simply go into its column.
    #[cold]
    fn special(
        &mut self,
        scalar: Scalar<'_>,
        (shape, entry): (usize, usize),
        place: u32,
        row: &Row<'_>,
    ) -> Result<(), Halt> {
        let resolved = &self.shapes[shape].entries[entry];
        if resolved.role == Role::Contested {
            let trail = self.trail.get(row.base..).unwrap_or_default();
            self.contest.hold(scalar, (shape, entry), Origin { trail, place }, row);
            return Ok(());
        }
        let name = resolved.name.clone();
        self.system_value(scalar, &name, place, row)
    }

    /// A value under the name of a system column: a root row may bring its own id; anything else of
    /// that name is ours to write.
    fn system_value(
        &mut self,
        scalar: Scalar<'_>,
        name: &str,
        place: u32,
        row: &Row<'_>,
    ) -> Result<(), Halt> {
        let trail = self.trail.get(row.base..).unwrap_or_default();
        if let Some(name) = ["_dlt_id", "_dlt_load_id"].into_iter().find(|root| *root == name)
            && row.table == 0
        {
            self.tables[0].bring_system(name, Origin { trail, place });
        }
        if name == "_dlt_id"
            && row.table == 0
            && let Scalar::Text(id) | Scalar::Number(id) = scalar
            && !id.is_empty()
        {
            return if row.ours { Err(Halt::GivenId(id.to_owned())) } else { Ok(()) };
        }
        let table = &self.tables[row.table].name;
        let warning = format!("table {table}: the data's own {name} was left out");
        self.warn(warning);
        Ok(())
    }

    /// Ends a row: its system columns, the order of its new columns, what it must not lack.
    fn close_row(&mut self, row: &Row<'_>, parent: Option<(&RowId, u64)>) -> Result<(), Halt> {
        if self.contest.is_on() {
            self.settle(row)?;
        }
        let Options { load_id, root_key, sequence, .. } = &self.options;
        let table = &mut self.tables[row.table];
        if let Some((parent, index)) = parent {
            // The elements of a list have their parent in common; the first has set it.
            let set = if index == 0 { Table::system_id } else { Table::system_id_again };
            if *root_key {
                set(table, row.row, "_dlt_root_id", row.root)?;
            }
            set(table, row.row, "_dlt_parent_id", parent)?;
            table.system_int(row.row, "_dlt_list_idx", index)?;
        } else {
            table.system_text(row.row, "_dlt_load_id", load_id)?;
        }
        table.system_id(row.row, "_dlt_id", row.id)?;
        if *sequence == Sequence::All || (*sequence == Sequence::Root && parent.is_none()) {
            table.system_int(row.row, SEQ, row.seq)?;
        }
        Ok(table.close_row(row.row)?)
    }

    #[cold]
    fn warn(&mut self, warning: String) {
        const MOST: usize = 100;
        if self.warnings.len() < MOST && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// The table of that name, new or old.
    fn table(&mut self, name: &str, parent: Option<usize>) -> usize {
        if let Some(&table) = self.by_name.get(name) {
            return table;
        }
        let at = self.tables.len();
        self.tables.push(Table::new(name.to_owned(), parent));
        self.by_name.insert(name.to_owned(), at);
        at
    }
}

/// A container that is kept as it is. Snowflake's PARSE_JSON refuses an object that repeats a key.
fn kept<'a>(reader: &mut Reader<'a>) -> Result<Cow<'a, str>> {
    let raw = reader.skip()?;
    Ok(if json::has_repeats(raw)? {
        Cow::Owned(json::without_repeats(raw)?)
    } else {
        Cow::Borrowed(raw)
    })
}
