//! One table of a family: its columns as they are known so far, and the rows of the current batch.

use rustc_hash::FxHashMap;

use crate::batch;
use crate::coerce::{self, Datum, Scalar};
use crate::fault::{Fault, Result};
use crate::kind::{DataType, Kind};
use crate::name::Convention;

use super::rules::{self, Refusal, Rules};
use super::widen::Meeting;
use super::{Options, Rooted, RowId, SEQ};

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
    /// Whether it had columns before the open row, and before the record that is being taken.
    settled: bool,
    first_settled: bool,
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
            settled: false,
            first_settled: false,
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

    /// Memory the rows of the batch hold.
    pub fn bytes(&self) -> usize {
        self.columns.iter().map(|column| column.values.bytes()).sum()
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
            self.fresh.sort();
            for (_, column) in self.fresh.drain(..) {
                self.columns[column].rank = self.next_rank;
                self.next_rank += 1;
            }
        }
        self.settled = true;
        for &column in &self.required {
            let column = &self.columns[column];
            if column.values.last_row() != Some(row) {
                return Err(Fault::data("expected a value, found null or nothing")
                    .at(format_args!("column {}", column.name))
                    .at(format_args!("table {}", self.name)));
            }
        }
        Ok(())
    }

    /// Remembers where a record begins; gives the rows there are.
    pub(super) fn begin_record(&mut self) -> u32 {
        self.first_seen.clear();
        self.first_rank = self.next_rank;
        self.first_settled = self.settled;
        self.rows
    }

    /// Leaves out the row that was opened last, which nothing is nested in. Columns it brought that
    /// were welcome stay, as in dlt.
    pub(super) fn drop_row(&mut self, row: u32) {
        self.rows = row;
        for column in &mut self.columns {
            column.values.truncate(row);
        }
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
            let column = &mut self.columns[at];
            column.seen = false;
            if !column.known {
                column.kind = None;
                column.rank = u32::MAX;
            }
        }
        self.next_rank = self.first_rank;
        self.system.retain(|&(_, at)| self.columns[at].seen);
        self.numbering = None;
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

    /// Puts a value into a column of the row, or into the variant of that column that it fits.
    #[inline]
    pub(super) fn put(
        &mut self,
        row: u32,
        at: usize,
        value: Scalar<'_>,
        origin: Origin<'_>,
        options: &Options,
    ) -> Result<Put> {
        let column = &mut self.columns[at];
        if column.values.last_row() == Some(row) {
            return Ok(Put::Taken);
        }
        let kind = match column.kind {
            Some(kind) if column.seen => kind,
            _ => match self.refuses(at, value)? {
                None => self.first_value(at, value, origin, options),
                Some(row) => return Ok(Put::Refused { column: at, row }),
            },
        };
        if options.widen && matches!(value, Scalar::Number(_)) {
            match self.meet(at, kind, value, options)? {
                Meeting::Fits => {}
                Meeting::Widened => return self.put(row, at, value, origin, options),
                Meeting::Variant => {
                    let variant = self.variant(at, value, &options.convention);
                    return self.put(row, variant, value, origin, options);
                }
            }
        }
        let column = &mut self.columns[at];
        // Most values are of their column's type as they stand.
        let stored = match (value, kind.data_type) {
            (Scalar::Text(text), DataType::Text) => column.values.set_text(row, text),
            (Scalar::Bool(value), DataType::Bool) => column.values.set_bool(row, value),
            _ => match coerce::coerce(value, &kind) {
                Some(datum) => store(&mut column.values, row, datum),
                None => {
                    let variant = self.variant(at, value, &options.convention);
                    return self.put(row, variant, value, origin, options);
                }
            },
        };
        match stored {
            Ok(()) => Ok(Put::Done),
            Err(refused) => {
                Err(Fault::internal(refused).at(format_args!("column {}", column.name)))
            }
        }
    }

    /// Whether the rules refuse a column for this value: then whether the row goes with it.
    #[cold]
    fn refuses(&self, at: usize, value: Scalar<'_>) -> Result<Option<bool>> {
        let column = &self.columns[at];
        let Rules { columns, data_type, once, .. } = self.rules;
        if column.known || column.name.starts_with("_dlt") {
            return Ok(None);
        }
        let (refusal, expected) = match column.variant {
            true => {
                (data_type, "a value of the column's type, not one that needs a variant column")
            }
            false if once || !self.settled => return Ok(None),
            false => (columns, "no new columns"),
        };
        match refusal {
            None => Ok(None),
            Some(Refusal::Row) => Ok(Some(true)),
            Some(Refusal::Value) => Ok(Some(false)),
            Some(Refusal::Freeze) => Err(rules::frozen(expected, value.form().name())
                .at(format_args!("column {}", column.name))),
        }
    }

    /// A column's first value in this load: it may decide the type.
    #[cold]
    fn first_value(
        &mut self,
        at: usize,
        value: Scalar<'_>,
        origin: Origin<'_>,
        options: &Options,
    ) -> Kind {
        let column = &mut self.columns[at];
        column.seen = true;
        self.first_seen.push(at);
        if !column.known {
            self.fresh.push((origin.order(), at));
        }
        let kind = column.kind.unwrap_or_else(|| match options.preferred(&column.name) {
            Some(data_type) if !column.variant => Kind::of(data_type),
            _ => {
                column.inferred = options.widen && !column.variant;
                if options.texts_only { Kind::of(value.form()) } else { coerce::infer(value) }
            }
        });
        if column.kind.is_none() || column.values.is_empty() {
            column.values = batch::Column::new(kind);
        }
        column.kind = Some(kind);
        kind
    }

    pub(super) fn system_id(&mut self, row: u32, name: &'static str, id: &RowId) -> Result<()> {
        let at = self.system(name, DataType::Text);
        let values = &mut self.columns[at].values;
        let set = match id {
            RowId::Given(id) => values.set_text(row, id),
            RowId::Digest(id) => values.set_ascii(row, id.as_bytes()),
        };
        set.map_err(|refused| Fault::internal(refused).at(name))
    }

    /// The text that this column has in every row.
    pub(super) fn system_text(&mut self, row: u32, name: &'static str, text: &str) -> Result<()> {
        let at = self.system(name, DataType::Text);
        let repeated = self.columns[at].values.repeat_text(row);
        match repeated.map_err(|refused| Fault::internal(refused).at(name))? {
            true => Ok(()),
            false => {
                let set = self.columns[at].values.set_text(row, text);
                set.map_err(|refused| Fault::internal(refused).at(name))
            }
        }
    }

    /// The same id as in the row before, which is known to be this one.
    pub(super) fn system_id_again(
        &mut self,
        row: u32,
        name: &'static str,
        id: &RowId,
    ) -> Result<()> {
        let at = self.system(name, DataType::Text);
        let repeated = self.columns[at].values.repeat_text(row);
        match repeated.map_err(|refused| Fault::internal(refused).at(name))? {
            true => Ok(()),
            false => self.system_id(row, name, id),
        }
    }

    pub(super) fn system_int(&mut self, row: u32, name: &'static str, value: u64) -> Result<()> {
        let at = self.system(name, DataType::Bigint);
        let value = i64::try_from(value).map_err(|_| Fault::internal("a row number overflows"))?;
        self.columns[at].values.set_int(row, value).map_err(|m| Fault::internal(m).at(name))
    }

    #[inline]
    fn system(&mut self, name: &'static str, data_type: DataType) -> usize {
        // Names are the same constants every time: comparing addresses would do, comparing texts is as
        // short.
        match self.system.iter().find(|(known, _)| *known == name) {
            Some(&(_, at)) => at,
            None => self.new_system(name, data_type),
        }
    }

    /// The record itself brings this text column: a new one stands where the record has it.
    #[cold]
    pub(super) fn bring_system(&mut self, name: &'static str, origin: Origin<'_>) {
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
            column.values = batch::Column::new(Kind::of(data_type));
        }
        if !column.known {
            self.fresh.push((order, at));
        }
        self.system.push((name, at));
        at
    }

    pub(super) fn column_at(&mut self, at: usize) -> &mut Column {
        &mut self.columns[at]
    }

    /// Whether the variant of a column for these digits has a value in this row or behind it: the data
    /// itself has a key of that name.
    pub(super) fn has_variant_behind(
        &mut self,
        at: usize,
        row: u32,
        digits: &str,
        options: &Options,
    ) -> bool {
        let variant = self.variant(at, Scalar::Number(digits), &options.convention);
        self.columns[variant].values.last_row().is_some_and(|last| last >= row)
    }

    /// Moves an integer of an earlier row into the variant of a column that was widened. The variant
    /// stays, even if the record that widened the column is undone.
    pub(super) fn spill(
        &mut self,
        at: usize,
        row: u32,
        digits: &str,
        options: &Options,
    ) -> Result<()> {
        let value = Scalar::Number(digits);
        let variant = self.variant(at, value, &options.convention);
        let origin = Origin { trail: &[], place: 0 };
        match self.put(row, variant, value, origin, options)? {
            Put::Done => {}
            Put::Refused { .. } | Put::Taken => {
                return Err(Fault::internal("a variant column took no value"));
            }
        }
        if self.first_seen.last() == Some(&variant) {
            self.first_seen.pop();
            self.fresh.retain(|(_, column)| *column != variant);
            self.columns[variant].rank = self.next_rank;
            self.next_rank += 1;
            self.first_rank = self.next_rank;
        }
        Ok(())
    }

    /// The column for values that do not fit this one.
    #[cold]
    fn variant(&mut self, at: usize, value: Scalar<'_>, convention: &Convention) -> usize {
        let suffix = value.form().name();
        if let Some(&(_, variant)) = self.columns[at].variants.iter().find(|(s, _)| *s == suffix) {
            return variant;
        }
        let tail = format!("v_{suffix}");
        let name = convention.shorten_fragments(&[&self.columns[at].name, &tail]);
        let variant = self.column(&name);
        self.columns[variant].variant = true;
        self.columns[at].variants.push((suffix, variant));
        variant
    }
}

#[inline]
fn store(values: &mut batch::Column, row: u32, datum: Datum<'_>) -> Result<(), batch::Refused> {
    match datum {
        Datum::Null => Ok(()),
        Datum::Text(text) | Datum::Json(text) => values.set_text(row, &text),
        Datum::Int(value) => values.set_int(row, value),
        Datum::Double(value) => values.set_double(row, value),
        Datum::Bool(value) => values.set_bool(row, value),
        Datum::Micros(value) | Datum::TimeMicros(value) => values.set_micros(row, value),
        Datum::Days(value) => values.set_days(row, value),
        Datum::Decimal(value) => values.set_decimal(row, value),
        Datum::Bytes(value) => values.set_bytes(row, &value),
    }
}
