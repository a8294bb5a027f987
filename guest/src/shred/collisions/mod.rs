//! Keys that become one name: `userId` and `user_id`, `# of items` and `% of items`, 名前 and 住所.
//!
//! A name belongs to one key of a table, the first that brings a value for it. If several keys of the
//! record that is the first with it do, it belongs to the one whose value dlt would keep: dlt writes them one
//! over the other, and comes to an object's own values first, then to the objects in it, the last one first.
//! Every other key has a column of its own, named for where it stands, with a warning: nothing is lost, and
//! no column holds the values of two keys. The same holds for lists and their tables, where the first
//! list with elements has the name.
//!
//! The schema remembers the key of such columns and tables in the hint [`KEY_HINT`], and that of a name
//! which says little of its key (`__of_items`, `x`), so that later loads decide likewise. Other names have
//! no hint: their schemas are dlt's.
//!
//! It costs nothing until it happens, for the key of an object is resolved to its column once. When two keys of
//! one row have a name that no record had before, the record is walked again, and the values of such names
//! wait for the end of their row.

mod lists;
mod weigh;

use rustc_hash::FxHashMap;

use super::layout::ObjectLayout;
use super::{Family, Halt, OpenRow};
use crate::dlt::coerce::Scalar;
use crate::dlt::hash;
use crate::dlt::naming::says_little;
use crate::dlt::types::Kind;
use crate::fault::Fault;
use crate::json::unescape;
use weigh::Held;

/// The hint of a column, or of a table, that holds the key its values stand under: the keys from the row,
/// or from the record.
pub const KEY_HINT: &str = "x-snowcat-key";

/// Who has which name.
#[derive(Default)]
pub(super) struct Claims {
    /// The keys of columns, by table and column.
    columns: FxHashMap<(usize, usize), Holder>,
    /// The keys of tables, from the record on.
    tables: FxHashMap<usize, Vec<String>>,
    /// The keys that the schema remembers, or is to: of columns, by the table.
    told_columns: FxHashMap<(usize, Vec<String>), usize>,
    told_tables: FxHashMap<Vec<String>, usize>,
    /// What the record that is being taken has decided.
    decided: Vec<Decided>,
    /// Whether values of names that nobody has wait for the end of their row.
    weighing: bool,
    held: Vec<Held>,
}

/// The key that has a column.
enum Holder {
    /// This one, since a row of a record.
    Entry { layout: usize, entry: usize, record: u64, row: u32 },
    /// These keys from the row on, as the schema remembers.
    Known(Vec<String>),
}

/// What is forgotten when a record is.
enum Decided {
    /// The column of an entry.
    Column { layout: usize, entry: usize, table: usize, column: usize },
    /// The table of the lists at an entry.
    Table { layout: usize, entry: usize, list: usize, table: usize },
}

impl Claims {
    /// Whether any value waits.
    pub(super) fn waits(&self) -> bool {
        !self.held.is_empty()
    }

    /// A record begins.
    pub(super) fn begin(&mut self) {
        self.decided.clear();
        self.weighing = false;
    }

    /// The record is to be walked again, and its values weighed.
    pub(super) fn weigh(&mut self) {
        self.weighing = true;
    }

    /// The schema remembers the key of a column.
    pub(super) fn know_column(&mut self, table: usize, column: usize, key: Vec<String>) {
        self.told_columns.insert((table, key.clone()), column);
        self.columns.insert((table, column), Holder::Known(key));
    }

    /// The schema remembers the key of a table.
    pub(super) fn know_table(&mut self, table: usize, key: Vec<String>) {
        self.told_tables.insert(key.clone(), table);
        self.tables.insert(table, key);
    }

    /// The keys of columns and tables that the schema is to remember: table, column, keys.
    pub(super) fn told(&self) -> impl Iterator<Item = (usize, Option<usize>, &[String])> {
        let columns = self.told_columns.iter();
        let columns = columns.map(|((table, key), column)| (*table, Some(*column), key.as_slice()));
        let tables = self.told_tables.iter().map(|(key, table)| (*table, None, key.as_slice()));
        columns.chain(tables)
    }
}

impl Family {
    /// The column of a key that had no value yet; none if its value is not to be put anywhere now: it
    /// waits, or the record is walked again.
    #[cold]
    pub(super) fn new_column(
        &mut self,
        (layout, entry): (usize, usize),
        scalar: &Scalar<'_>,
        place: u32,
        row: &OpenRow<'_>,
    ) -> Result<Option<usize>, Halt> {
        if let Some(column) = self.told_column(layout, entry, row) {
            return Ok(Some(column));
        }
        let known = &self.tables[row.table];
        let column = known.column_of(&self.layouts[layout].entries[entry].name);
        let holder = column.and_then(|column| self.claims.columns.get(&(row.table, column)));
        match (column, holder) {
            (Some(column), Some(holder)) if self.holds(holder, layout, entry) => {
                self.decide(layout, entry, row, column);
                Ok(Some(column))
            }
            // Which of them has the name is not for their order to say.
            (_, Some(Holder::Entry { record, row: claimed, .. }))
                if (*record, *claimed) == (self.record, row.row) && !self.claims.weighing =>
            {
                Err(Halt::Contested)
            }
            (_, Some(_)) => self.own_column(layout, entry, row).map(Some),
            (_, None) if self.claims.weighing => {
                self.hold(*scalar, (layout, entry), place, row);
                Ok(None)
            }
            (_, None) => self.claim_column(layout, entry, row),
        }
    }

    /// Gives a name that nobody has to a key; none if the value is nested in what is kept as JSON.
    fn claim_column(
        &mut self,
        layout: usize,
        entry: usize,
        row: &OpenRow<'_>,
    ) -> Result<Option<usize>, Halt> {
        if !self.may_have_column(layout, entry, row.table)? {
            return Ok(None);
        }
        let resolved = &self.layouts[layout].entries[entry];
        let table = &mut self.tables[row.table];
        let column = table.column(&resolved.name);
        // A variant may have values of the key that it is a variant of in the same rows.
        if !table.is_variant(column) {
            let within = self.layouts[layout].within_row(entry);
            let holder = Holder::Entry { layout, entry, record: self.record, row: row.row };
            self.claims.columns.insert((row.table, column), holder);
            let naming = self.options.convention.naming;
            if within.iter().any(|key| says_little(naming, key)) {
                self.claims.told_columns.insert((row.table, within), column);
            }
        }
        self.decide(layout, entry, row, column);
        Ok(Some(column))
    }

    /// The column that the schema remembers for this key.
    fn told_column(&mut self, layout: usize, entry: usize, row: &OpenRow<'_>) -> Option<usize> {
        if self.claims.told_columns.is_empty() {
            return None;
        }
        let within = self.layouts[layout].within_row(entry);
        let column = *self.claims.told_columns.get(&(row.table, within))?;
        let own = self.tables[row.table].column_name(column);
        if own != self.layouts[layout].entries[entry].name {
            self.warn_of_column(layout, entry, row.table, column);
        }
        self.decide(layout, entry, row, column);
        Some(column)
    }

    /// The column that a key has to itself, for its name is another's.
    #[cold]
    fn own_column(
        &mut self,
        layout: usize,
        entry: usize,
        row: &OpenRow<'_>,
    ) -> Result<usize, Halt> {
        let column = self.make_own(layout, entry, row.table)?;
        let holder = Holder::Entry { layout, entry, record: self.record, row: row.row };
        self.claims.columns.insert((row.table, column), holder);
        self.decide(layout, entry, row, column);
        // Both are remembered from now on.
        let within = self.layouts[layout].within_row(entry);
        self.claims.told_columns.insert((row.table, within), column);
        let named = self.tables[row.table].column_of(&self.layouts[layout].entries[entry].name);
        if let Some(named) = named
            && let Some(key) = self.key_of(row.table, named)
        {
            self.claims.told_columns.insert((row.table, key), named);
        }
        self.warn_of_column(layout, entry, row.table, column);
        Ok(column)
    }

    /// Makes the column that a key has to itself.
    fn make_own(&mut self, layout: usize, entry: usize, table: usize) -> Result<usize, Halt> {
        let key = self.layouts[layout].path_to(entry);
        let name = &self.layouts[layout].entries[entry].name;
        for attempt in 0.. {
            let own = own_name(&[name], &key, attempt, self);
            let found = self.tables[table].column_of(&own);
            let holder = found.and_then(|column| self.claims.columns.get(&(table, column)));
            if holder.is_none_or(|holder| self.holds(holder, layout, entry)) {
                let known = &mut self.tables[table];
                known
                    .check_columns(&own, &self.options)
                    .map_err(|fault| fault.at(format_args!("table {}", known.name)))?;
                return Ok(known.column(&own));
            }
        }
        Err(Fault::internal("no name is free").into())
    }

    /// Whether the holder of a name is this key.
    fn holds(&self, holder: &Holder, layout: usize, entry: usize) -> bool {
        match holder {
            Holder::Entry { layout: s, entry: e, .. } if (*s, *e) == (layout, entry) => true,
            Holder::Entry { layout: s, entry: e, .. } => {
                self.layouts[*s].within_row(*e) == self.layouts[layout].within_row(entry)
            }
            Holder::Known(key) => *key == self.layouts[layout].within_row(entry),
        }
    }

    /// The type of the column that the values of a key have, if there is one.
    pub(super) fn kind_at(&self, layout: usize, entry: usize) -> Option<Kind> {
        let table = self.layouts[layout].table;
        let known = self.tables.get(table)?;
        if self.claims.told_columns.is_empty() {
            return known.kind_of(&self.layouts[layout].entries[entry].name);
        }
        let within = self.layouts[layout].within_row(entry);
        if let Some(&column) = self.claims.told_columns.get(&(table, within)) {
            return known.kind_at(column);
        }
        let column = known.column_of(&self.layouts[layout].entries[entry].name)?;
        let holder = self.claims.columns.get(&(table, column));
        let is_free = holder.is_none_or(|holder| self.holds(holder, layout, entry));
        is_free.then(|| known.kind_at(column)).flatten()
    }

    /// The key of a row whose values have a column of their own, because another key has this one.
    pub(super) fn other_key(&self, table: usize, column: usize, row: u32) -> Option<String> {
        let known = self.tables.get(table)?;
        let convention = &self.options.convention;
        let told = self.claims.told_columns.iter().filter(|((of, _), own)| {
            *of == table && **own != column && known.has_value(**own, row)
        });
        let (_, key) = told.map(|(told, _)| told).find(|(_, key)| {
            let names: Vec<String> = key.iter().map(|key| convention.norm(key)).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            convention.shorten_fragments(&names) == known.column_name(column)
        })?;
        Some(key.join("."))
    }

    /// The keys from the row on whose values a column holds.
    fn key_of(&self, table: usize, column: usize) -> Option<Vec<String>> {
        Some(match self.claims.columns.get(&(table, column))? {
            Holder::Entry { layout, entry, .. } => self.layouts[*layout].within_row(*entry),
            Holder::Known(key) => key.clone(),
        })
    }

    fn decide(&mut self, layout: usize, entry: usize, row: &OpenRow<'_>, column: usize) {
        self.layouts[layout].entries[entry].column = Some(column);
        let table = row.table;
        self.claims.decided.push(Decided::Column { layout, entry, table, column });
    }

    fn warn_of_column(&mut self, layout: usize, entry: usize, table: usize, column: usize) {
        let resolved = &self.layouts[layout].entries[entry];
        let known = &self.tables[table];
        let other = known.column_of(&resolved.name).and_then(|named| self.key_of(table, named));
        let other = other.unwrap_or_default().join(".");
        let key = self.layouts[layout].within_row(entry).join(".");
        let warning = format!(
            "table {}: the keys {other:?} and {key:?} have the same name: {key:?} is in the column {}, {other:?} in {}",
            known.name,
            known.column_name(column),
            resolved.name,
        );
        self.warn(warning);
    }

    /// Forgets what the record that is being taken has decided, and what waits.
    pub(super) fn forget_claims(&mut self) {
        self.claims.held.clear();
        for decided in std::mem::take(&mut self.claims.decided) {
            match decided {
                Decided::Column { layout, entry, table, column } => {
                    self.layouts[layout].entries[entry].column = None;
                    let holder = self.claims.columns.get(&(table, column));
                    if matches!(holder, Some(Holder::Entry { record, .. }) if *record == self.record)
                    {
                        self.claims.columns.remove(&(table, column));
                        let within = self.layouts[layout].within_row(entry);
                        self.claims.told_columns.remove(&(table, within));
                    }
                }
                Decided::Table { layout, entry, list, table } => {
                    self.layouts[layout].entries[entry].list = None;
                    if let Some(key) = self.claims.tables.remove(&table) {
                        self.claims.told_tables.remove(&key);
                    }
                    self.layouts[list].is_claimed = false;
                }
            }
        }
    }
}

impl ObjectLayout {
    /// The keys from the record to an entry.
    fn path_to(&self, entry: usize) -> Vec<String> {
        let key = self.entries.get(entry).map(|entry| unescape(&entry.key)).unwrap_or_default();
        self.raw_path().iter().cloned().chain([key]).collect()
    }

    /// The keys from the row to an entry.
    fn within_row(&self, entry: usize) -> Vec<String> {
        let path = self.path_to(entry);
        let row = path.len().saturating_sub(self.depth() + 1);
        path.get(row..).unwrap_or_default().to_vec()
    }
}

/// The name for what stands under a key whose own name another key has. It depends on nothing but where the
/// key stands; the first attempt is free, unless somebody has seen to it that it is not.
fn own_name(parts: &[&str], key: &[String], attempt: u32, family: &Family) -> String {
    let mut path = key.join("\u{0}");
    if attempt > 0 {
        path.push_str(&format!("\u{0}\u{0}{attempt}"));
    }
    let tag: String = hash::b64_digest(path.as_bytes(), 4)
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { 'x' })
        .collect();
    let tag = format!("x_{tag}");
    let parts: Vec<&str> = parts.iter().copied().chain([tag.as_str()]).collect();
    family.options.convention.shorten_fragments(&parts)
}
