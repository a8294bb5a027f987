//! One table of a family: its columns as they are known so far, and the rows of the current batch.

mod put;
mod system;

pub(super) use put::store;

use rustc_hash::FxHashMap;

use crate::batch;
use crate::fault::{Fault, Result};
use crate::kind::{DataType, Kind};

use super::rules::{Refusal, Rules};
use super::{Rooted, SEQ};

/// How many times a text counts that does not come again. A longer batch makes such texts no smaller,
/// as it does a dictionary; they are only farther away from the processor.
const PLAIN: usize = 2;

/// And how many times in a table of so many columns. The processor follows a few texts as they grow, not
/// hundreds: there, every line of memory is waited for, unless the batch is small enough for its cache.
const PLAIN_OF_WIDE: usize = 4;
const WIDE: usize = 256;

/// A table, filling.
pub struct Table {
    /// Its name, normalised.
    pub name: String,
    /// The table its rows' parents are in.
    pub parent: Option<usize>,
    columns: Vec<Column>,
    by_name: FxHashMap<String, usize>,
    system: Vec<(&'static str, usize)>,
    rows: u32,
    total_rows: u64,
    /// Where the next new column goes.
    next_rank: u32,
    /// The columns first seen in the open row.
    fresh: Vec<(Vec<u32>, usize)>,
    /// The columns first seen in the record that is being taken, and the rank they began with.
    first_seen: Vec<usize>,
    first_rank: u32,
    required: Vec<usize>,
    /// The parent row whose list was read last, and how many elements it had so far.
    numbering: Option<((usize, u32), u64)>,
    /// What the data may bring.
    pub(super) rules: Rules,
    /// The columns for which rows were left out, and those for which the open row is.
    refused: Vec<usize>,
    refusing: Vec<usize>,
    /// Whether it had columns before the open row, and before the record that is being taken.
    settled: bool,
    first_settled: bool,
    /// Whether the schema says what it is nested in.
    pub(super) declared: bool,
    /// For a table that begins a family of its own.
    pub(super) rooted: Option<Box<Rooted>>,
}

/// What became of a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Put {
    /// It is in the column, or in a variant of it.
    Done,
    /// The rules refuse a column of this number: the row is to be left out, or the value was.
    Refused { column: usize, row: bool },
    /// The row has a value there already: two keys of the record have the same name.
    Taken,
}

/// A column of a table.
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Option<Kind>,
    nullable: bool,
    variant: bool,
    /// Whether values went in during this load.
    seen: bool,
    known: bool,
    rank: u32,
    pub(super) values: batch::Column,
    variants: Vec<(&'static str, usize)>,
    /// Whether the type is the data's choice in this load, so that it may still be widened.
    pub(super) inferred: bool,
    /// Whether what went into files by now stays the same as a double.
    pub(super) exact: bool,
}

/// A column that is known from the saved schema or the job.
#[derive(Clone, Debug)]
pub struct KnownColumn {
    /// Its name, normalised.
    pub name: String,
    /// Its type, if that is known.
    pub kind: Option<Kind>,
    /// Whether it may be NULL.
    pub nullable: bool,
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
    pub values: &'a batch::Column,
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
pub(super) enum Rows {
    /// Elements of lists.
    Nested,
    /// Records.
    Root,
    /// Elements of lists that begin a family of their own.
    Rooted,
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
pub(super) fn is_system(name: &str, rows: Rows) -> bool {
    match name {
        "_dlt_id" | SEQ => true,
        "_dlt_load_id" => rows != Rows::Nested,
        "_dlt_root_id" => rows != Rows::Root,
        "_dlt_parent_id" | "_dlt_list_idx" => rows == Rows::Nested,
        _ => false,
    }
}

impl Column {
    /// Back to where no value of this load was in it.
    fn forget(&mut self) {
        self.seen = false;
        if !self.known {
            self.kind = None;
            self.rank = u32::MAX;
        }
    }
}

impl Table {
    pub(super) fn new(name: String, parent: Option<usize>) -> Self {
        Self {
            name,
            parent,
            columns: Vec::new(),
            by_name: FxHashMap::default(),
            system: Vec::new(),
            rows: 0,
            total_rows: 0,
            next_rank: 0,
            fresh: Vec::new(),
            first_seen: Vec::new(),
            first_rank: 0,
            required: Vec::new(),
            numbering: None,
            rules: Rules::default(),
            refused: Vec::new(),
            refusing: Vec::new(),
            settled: false,
            first_settled: false,
            declared: false,
            rooted: None,
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
        let weight = |values: &batch::Column| values.bytes() + values.plain_bytes() * more;
        self.columns.iter().map(|column| weight(&column.values)).sum()
    }

    /// The memory that the values of the batch hold, in bytes.
    pub fn bytes(&self) -> usize {
        self.columns.iter().map(|column| column.values.bytes()).sum()
    }

    /// Brings the values of all rows to their place in the columns.
    pub fn settle(&mut self) {
        for column in &mut self.columns {
            column.values.settle();
        }
    }

    /// How many columns there are, those without a type included.
    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    /// Whether there is a column of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
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
                let Column { name, nullable, variant, seen, values, .. } = column;
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
        for column in &mut self.columns {
            column.flushed();
            column.values.clear();
        }
    }

    pub(super) fn know(&mut self, known: KnownColumn) {
        if self.by_name.contains_key(&known.name) {
            return;
        }
        let at = self.column(&known.name);
        let rank = self.next_rank;
        self.next_rank += 1;
        let column = &mut self.columns[at];
        column.nullable = known.nullable;
        column.rank = rank;
        if let Some(kind) = known.kind {
            column.known = true;
            column.kind = Some(kind);
            column.values = batch::Column::new(kind);
            self.settled = true;
        }
        if !known.nullable && !known.name.starts_with("_dlt_") {
            self.required.push(at);
        }
    }

    /// The column of that name; made, without a type, if there is none.
    pub(super) fn column(&mut self, name: &str) -> usize {
        if let Some(&at) = self.by_name.get(name) {
            return at;
        }
        let at = self.columns.len();
        self.columns.push(Column {
            name: name.to_owned(),
            kind: None,
            nullable: true,
            variant: false,
            seen: false,
            known: false,
            rank: u32::MAX,
            values: batch::Column::new(Kind::of(DataType::Text)),
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

    /// Ends a row: new columns find their place, and what must be there is.
    pub(super) fn close_row(&mut self, row: u32) -> Result<()> {
        if !self.fresh.is_empty() {
            self.place_fresh();
        }
        self.settled = true;
        for &column in &self.required {
            if self.columns[column].values.last_row() != Some(row) {
                return Err(self.no_value(column, row));
            }
        }
        Ok(())
    }

    /// The fault of a row without a value in a column that has to have one.
    #[cold]
    fn no_value(&self, column: usize, row: u32) -> Fault {
        let column = &self.columns[column];
        let of_row =
            |&&(_, variant): &&(&str, usize)| self.columns[variant].values.last_row() == Some(row);
        let fault = match (column.variants.iter().find(of_row), column.kind) {
            (Some(&(found, variant)), Some(kind)) => Fault::data(format_args!(
                "expected a value of the type {}, for the column must not be null, found one of the type \
                 {found}, which goes to the column {}: say a type that holds both in \"columns\"",
                kind.data_type.name(),
                self.columns[variant].name,
            )),
            _ => Fault::data("expected a value, found null or nothing"),
        };
        fault.at(format_args!("column {}", column.name)).at(format_args!("table {}", self.name))
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

    /// Remembers where a record begins; gives the rows there are.
    pub(super) fn begin_record(&mut self) -> u32 {
        self.first_seen.clear();
        self.first_rank = self.next_rank;
        self.first_settled = self.settled;
        self.rows
    }

    /// Notes that the open row is left out for this column.
    pub(super) fn refusing(&mut self, column: usize) {
        // dlt knows the next row of a kind by its keys, and none is named like a variant.
        if !self.columns[column].variant {
            self.refusing.push(column);
        }
    }

    /// Leaves out the row that was opened last, which nothing is nested in. Columns it brought that
    /// were welcome stay, as in dlt, which does not look twice at what it leaves out, though.
    pub(super) fn drop_row(&mut self, row: u32) {
        if self.refusing.iter().any(|column| self.refused.contains(column)) {
            for (_, at) in self.fresh.drain(..) {
                self.columns[at].forget();
            }
            self.system.retain(|&(_, at)| self.columns[at].seen);
        } else {
            self.refused.append(&mut self.refusing);
        }
        self.refusing.clear();
        self.place_fresh();
        self.rows = row;
        for column in &mut self.columns {
            column.values.truncate(row);
        }
    }

    /// Whether it is not known yet what it is nested in, for no row has come.
    pub(super) fn is_open(&self) -> bool {
        !self.settled && !self.declared
    }

    /// Whether this table is new, and how it is refused if new tables are.
    pub(super) fn refused(&self) -> Option<Refusal> {
        if self.settled { None } else { self.rules.tables }
    }

    /// Back to where the record began, with this many rows.
    pub(super) fn undo_record(&mut self, rows: u32) {
        if self.rows > rows {
            self.rows = rows;
            for column in &mut self.columns {
                column.values.truncate(rows);
            }
        }
        for at in self.first_seen.drain(..) {
            self.columns[at].forget();
        }
        self.next_rank = self.first_rank;
        self.system.retain(|&(_, at)| self.columns[at].seen);
        self.numbering = None;
        self.refusing.clear();
        self.fresh.clear();
        self.settled = self.first_settled;
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

    pub(super) fn column_at(&mut self, at: usize) -> &mut Column {
        &mut self.columns[at]
    }
}
