//! One table of a family: its columns as they are known so far, and the rows of the current batch.

mod lack;
mod put;
mod record;
mod system;

use lack::Misfit;
pub(super) use put::store;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::columnar::batch::ColumnBuffer;
use crate::dlt::schema::Mode;
use crate::dlt::types::{DataType, Kind};

use super::contract::TableContract;
use super::{NestedRoot, SEQ};

/// How many times a text counts that does not come again. A longer batch makes such texts no smaller,
/// as it does a dictionary; they are only farther away from the processor.
const PLAIN: usize = 2;

/// And how many times in a table of so many columns. The processor follows a few texts as they grow, not
/// hundreds: there, every line of memory is waited for, unless the batch is small enough for its cache.
const PLAIN_OF_WIDE: usize = 4;
const WIDE: usize = 256;

/// A table, filling.
pub struct ShredTable {
    /// Its name, normalised.
    pub name: String,
    /// The table its rows' parents are in.
    pub parent: Option<usize>,
    columns: Vec<ShredColumn>,
    /// Those of them that have had a type, and so may have values: the others may be many more.
    typed: Vec<usize>,
    by_name: FxHashMap<String, usize>,
    system: Vec<(&'static str, usize)>,
    rows: u32,
    total_rows: u64,
    /// Where the next new column goes.
    next_rank: u32,
    /// The columns first seen in the open row.
    fresh: Vec<(Vec<u32>, usize)>,
    /// The record that opened a row last, and what there was before it: rows, and the next rank.
    record: u64,
    first_row: u32,
    first_rank: u32,
    /// The columns first seen in that record.
    first_seen: Vec<usize>,
    required: Vec<usize>,
    /// The parent row whose list was read last, and how many elements it had so far.
    numbering: Option<((usize, u32), u64)>,
    /// What the data may bring.
    pub(super) contract: TableContract,
    /// The columns that the rules refuse.
    unwelcome: FxHashSet<usize>,
    /// The columns for which rows were left out, and those for which the open row is.
    refused: FxHashSet<usize>,
    refusing: Vec<usize>,
    /// Whether it had columns before the open row, and before the record that is being taken.
    settled: bool,
    first_settled: bool,
    /// Whether the schema says what it is nested in.
    pub(super) declared: bool,
    /// For a table that begins a family of its own.
    pub(super) rooted: Option<Box<NestedRoot>>,
    /// The last value that did not fit a column that must have one.
    misfit: Option<Box<Misfit>>,
}

/// What became of a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum PutOutcome {
    /// It is in the column, or in a variant of it.
    Stored,
    /// The rules refuse a column of this number: the row is to be left out, or the value was.
    Rejected { column: usize, row: bool },
    /// The row has a value there already: two keys of the record have the same name.
    Occupied,
}

/// A column of a table.
pub(super) struct ShredColumn {
    pub(super) name: String,
    pub(super) kind: Option<Kind>,
    nullable: bool,
    primary_key: bool,
    variant: bool,
    /// Whether values went in during this load.
    seen: bool,
    known: bool,
    /// Whether it is among the table's columns that have had a type.
    typed: bool,
    rank: u32,
    pub(super) values: ColumnBuffer,
    variants: Vec<(&'static str, usize)>,
    /// Whether the type is the data's choice in this load, so that it may still be widened.
    pub(super) inferred: bool,
    /// Whether what went into files by now stays the same as a double.
    pub(super) exact: bool,
}

/// A column that is known from the saved schema or the job.
#[derive(Clone, Debug, Default)]
pub struct KnownColumn {
    /// Its name, normalised.
    pub name: String,
    /// Its type, if that is known.
    pub kind: Option<Kind>,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// Whether it is part of the primary key.
    pub primary_key: bool,
    /// The key whose values it holds, where the schema remembers it.
    pub key: Option<Vec<String>>,
}

/// A column as it stands after some records.
#[derive(Clone, Copy, Debug)]
pub struct SeenColumn<'a> {
    /// Its name, normalised.
    pub name: &'a str,
    /// Its type.
    pub kind: Kind,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// Whether it holds what did not fit another column.
    pub variant: bool,
    /// Whether a value went in during this load.
    pub seen: bool,
    /// The rows' values.
    pub values: &'a ColumnBuffer,
}

/// Where a value stands in its record.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    /// The places of the containers around it, from the row on.
    pub(super) trail: &'a [u32],
    /// Its place in the innermost.
    pub(super) place: u32,
}

/// The rows of a table, by where they come from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum RowOrigin {
    /// Elements of lists.
    Element,
    /// Records.
    Record,
    /// Elements of lists that begin a family of their own.
    NestedRoot,
}

impl Origin<'_> {
    /// Its place among the values of its row, as dlt comes to them: an object's own values first, then
    /// the objects in it, the last one first.
    pub(super) fn order(&self) -> Vec<u32> {
        const NESTED: u32 = 1 << 31;
        let mut order: Vec<u32> =
            self.trail.iter().map(|place| u32::MAX - 1 - place.min(&(NESTED - 2))).collect();
        order.push(self.place.min(NESTED - 1));
        order
    }
}

/// Whether a key of that name would hide a system column of its row.
pub(super) fn is_system(name: &str, rows: RowOrigin) -> bool {
    match name {
        "_dlt_id" | SEQ => true,
        "_dlt_load_id" => rows != RowOrigin::Element,
        "_dlt_root_id" => rows != RowOrigin::Record,
        "_dlt_parent_id" | "_dlt_list_idx" => rows == RowOrigin::Element,
        _ => false,
    }
}

impl ShredColumn {
    /// Back to where no value of this load was in it.
    fn forget(&mut self) {
        self.seen = false;
        if !self.known {
            self.kind = None;
            self.rank = u32::MAX;
        }
    }
}

impl ShredTable {
    pub(super) fn new(name: String, parent: Option<usize>) -> Self {
        Self {
            name,
            parent,
            columns: Vec::new(),
            typed: Vec::new(),
            by_name: FxHashMap::default(),
            system: Vec::new(),
            rows: 0,
            total_rows: 0,
            next_rank: 0,
            fresh: Vec::new(),
            record: 0,
            first_row: 0,
            first_rank: 0,
            first_seen: Vec::new(),
            required: Vec::new(),
            numbering: None,
            contract: TableContract::EVOLVE,
            unwelcome: FxHashSet::default(),
            refused: FxHashSet::default(),
            refusing: Vec::new(),
            settled: false,
            first_settled: false,
            declared: false,
            rooted: None,
            misfit: None,
        }
    }

    /// Rows in the current batch.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Rows of the load, those of the current batch included.
    pub fn total_rows(&self) -> u64 {
        self.total_rows + u64::from(self.rows)
    }

    /// How much the rows of the batch weigh: the memory they hold, and more than that for texts which
    /// do not come again. It is not known before they are settled.
    pub fn weight(&mut self) -> usize {
        self.settle();
        let more = if self.columns.len() < WIDE { PLAIN - 1 } else { PLAIN_OF_WIDE - 1 };
        let weight = |values: &ColumnBuffer| values.bytes() + values.unique_bytes() * more;
        self.columns.iter().map(|column| weight(&column.values)).sum()
    }

    /// The memory that the values of the batch hold, in bytes.
    pub fn bytes(&self) -> usize {
        self.columns.iter().map(|column| column.values.bytes()).sum()
    }

    /// Brings the values of all rows to their place in the columns.
    pub fn settle(&mut self) {
        for column in &mut self.columns {
            column.values.flush_pending();
        }
    }

    /// How many columns there are, those without a type included, but not those that the rules refuse.
    pub(super) fn width(&self) -> usize {
        self.columns.len() - self.unwelcome.len()
    }

    /// The same without dlt's columns. It looks at every column.
    pub(super) fn own_width(&self) -> usize {
        let system = self.columns.iter().filter(|column| column.name.starts_with("_dlt_"));
        self.width().saturating_sub(system.count())
    }

    /// Whether the rules refuse a new column, so that none is made.
    pub(super) fn refuses_columns(&self) -> bool {
        self.contract.modes.columns != Mode::Evolve && !self.contract.evolves_once && self.settled
    }

    /// The column of that name, if there is one.
    pub(super) fn column_of(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Whether a column holds what does not fit another one.
    pub(super) fn is_variant(&self, at: usize) -> bool {
        self.columns.get(at).is_some_and(|column| column.variant)
    }

    /// Whether a column has a value in the last row.
    pub(super) fn has_value(&self, at: usize, row: u32) -> bool {
        self.columns.get(at).is_some_and(|column| column.values.last_row() == Some(row))
    }

    /// The type of a column, if it has one.
    pub(super) fn kind_at(&self, at: usize) -> Option<Kind> {
        self.columns.get(at)?.kind
    }

    /// The name of a column.
    pub(super) fn column_name(&self, at: usize) -> &str {
        self.columns.get(at).map_or("", |column| column.name.as_str())
    }

    /// The columns that have a type, in the order dlt would have them.
    pub fn columns(&self) -> Vec<SeenColumn<'_>> {
        let mut columns: Vec<(u32, SeenColumn<'_>)> = self
            .columns
            .iter()
            .filter_map(|column| {
                let ShredColumn { name, nullable, variant, seen, values, .. } = column;
                let (nullable, variant, seen) = (*nullable, *variant, *seen);
                let kind = column.kind?;
                Some((column.rank, SeenColumn { name, kind, nullable, variant, seen, values }))
            })
            .collect();
        columns.sort_by_key(|(rank, _)| *rank);
        columns.into_iter().map(|(_, column)| column).collect()
    }

    /// The type of a column, if there is one of that name and it has one.
    pub fn kind_of(&self, name: &str) -> Option<Kind> {
        self.columns.get(*self.by_name.get(name)?)?.kind
    }

    /// Ends the batch: the rows are forgotten, the columns are not.
    pub fn clear(&mut self) {
        self.total_rows += u64::from(self.rows);
        self.rows = 0;
        self.numbering = None;
        self.misfit = None;
        for column in &mut self.columns {
            column.flushed();
            column.values.clear();
        }
    }

    /// Makes a column known. Returns its number if it was not known before.
    pub(super) fn know(&mut self, known: KnownColumn) -> Option<usize> {
        if self.by_name.contains_key(&known.name) {
            return None;
        }
        let at = self.column(&known.name);
        let rank = self.next_rank;
        self.next_rank += 1;
        let column = &mut self.columns[at];
        column.nullable = known.nullable;
        column.primary_key = known.primary_key;
        column.rank = rank;
        if let Some(kind) = known.kind {
            column.known = true;
            column.kind = Some(kind);
            column.values = ColumnBuffer::new(kind);
            self.settled = true;
            self.note_type(at);
        }
        if !known.nullable && !known.name.starts_with("_dlt_") {
            self.required.push(at);
        }
        Some(at)
    }

    /// The column of that name; made, without a type, if there is none.
    pub(super) fn column(&mut self, name: &str) -> usize {
        if let Some(&at) = self.by_name.get(name) {
            return at;
        }
        let at = self.columns.len();
        self.columns.push(ShredColumn {
            name: name.to_owned(),
            kind: None,
            nullable: true,
            primary_key: false,
            variant: false,
            seen: false,
            known: false,
            typed: false,
            rank: u32::MAX,
            values: ColumnBuffer::new(Kind::of(DataType::Text)),
            variants: Vec::new(),
            inferred: false,
            exact: true,
        });
        self.by_name.insert(name.to_owned(), at);
        at
    }

    pub(super) fn open_row(&mut self) -> u32 {
        let row = self.rows;
        self.rows += 1;
        row
    }

    /// Ends a row: new columns find their place. Returns a column that must have a value and has none.
    pub(super) fn close_row(&mut self, row: u32) -> Option<usize> {
        if !self.fresh.is_empty() {
            self.place_fresh();
        }
        self.settled = true;
        let lacks = |column: &&usize| self.columns[**column].values.last_row() != Some(row);
        self.required.iter().find(lacks).copied()
    }

    /// The columns that the row brought have their places behind those that were there.
    #[cold]
    fn place_fresh(&mut self) {
        self.fresh.sort();
        for (_, column) in self.fresh.drain(..) {
            self.columns[column].rank = self.next_rank;
            self.next_rank += 1;
        }
    }

    /// Whether it is not known yet what it is nested in, for no row has come.
    pub(super) fn is_open(&self) -> bool {
        !self.settled && !self.declared
    }

    /// The mode of new tables, if this table is new and may not simply be added.
    pub(super) fn rejected(&self) -> Option<Mode> {
        let mode = self.contract.modes.tables;
        (!self.settled && mode != Mode::Evolve).then_some(mode)
    }

    pub(super) fn next_index(&self, parent: (usize, u32)) -> u64 {
        match self.numbering {
            Some((last, next)) if last == parent => next,
            _ => 0,
        }
    }

    pub(super) fn set_next_index(&mut self, parent: (usize, u32), next: u64) {
        self.numbering = Some((parent, next));
    }

    pub(super) fn column_at(&mut self, at: usize) -> &mut ShredColumn {
        &mut self.columns[at]
    }
}
