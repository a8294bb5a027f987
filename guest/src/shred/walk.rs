//! The walk over a record: what each value of it becomes.

use std::borrow::Cow;

use super::layout::{KeyRole, ListTarget, ObjectTarget};
use super::table::{Origin, PutOutcome};
use super::{Family, Halt, OpenRow, RowIdentity, RowLink};
use crate::dlt::coerce::Scalar;
use crate::dlt::hash;
use crate::fault::{Fault, Result};
use crate::json::{self, MAX_DEPTH, Peek, Reader};

impl Family {
    /// The values of a row: an object's members, or one value under a key. Says whether the row is to be.
    #[inline]
    pub(super) fn fill(
        &mut self,
        reader: &mut Reader<'_>,
        layout: usize,
        key: Option<&str>,
        row: &OpenRow<'_>,
    ) -> Result<bool, Halt> {
        if self.guarded {
            return self.fill_guarded(reader, layout, key, row);
        }
        match key {
            None => self.object(reader, layout, row)?,
            Some(key) => self.value(reader, layout, key, row)?,
        }
        Ok(true)
    }

    /// The members of an object, into the row.
    pub(super) fn object(
        &mut self,
        reader: &mut Reader<'_>,
        layout: usize,
        row: &OpenRow<'_>,
    ) -> Result<(), Halt> {
        if self.trail.len() >= MAX_DEPTH as usize {
            return Err(reader.too_deep().into());
        }
        self.instance += 1;
        let instance = self.instance;
        let mut more = reader.enter();
        let mut previous = None;
        let mut place = 0;
        while more {
            let entry = self.entry(reader, layout, previous)?;
            previous = Some(entry);
            let seen = &mut self.layouts[layout].entries[entry].instance;
            if *seen == instance {
                return Err(Halt::Repeats);
            }
            *seen = instance;
            self.member(reader, (layout, entry), place, row)?;
            place += 1;
            more = reader.more(b'}')?;
        }
        Ok(())
    }

    /// The value of one key of an object.
    pub(super) fn member(
        &mut self,
        reader: &mut Reader<'_>,
        (layout, entry): (usize, usize),
        place: u32,
        row: &OpenRow<'_>,
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
            Peek::Object => match self.object_target(layout, entry) {
                ObjectTarget::Row(inner) => {
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
            Peek::Array if self.values_only => {
                // Whether it is a value or rows: only values are read now.
                match self.list_target(layout, entry, row.table) {
                    ListTarget::List(_) => return Ok(reader.skip().map(drop)?),
                    ListTarget::Json => {
                        text = kept(reader)?;
                        Scalar::Json(&text)
                    }
                }
            }
            Peek::Array => match self.list_target(layout, entry, row.table) {
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
        self.scalar(scalar, (layout, entry), place, row)
    }

    /// A scalar of a key, or what is kept as JSON.
    #[inline(always)]
    pub(super) fn scalar(
        &mut self,
        scalar: Scalar<'_>,
        (layout, entry): (usize, usize),
        place: u32,
        row: &OpenRow<'_>,
    ) -> Result<(), Halt> {
        if self.layouts[layout].entries[entry].role != KeyRole::Plain {
            return self.special(scalar, (layout, entry), place, row);
        }
        self.plain(scalar, (layout, entry), place, row)
    }

    /// The same of a key that has its name to itself.
    #[inline(always)]
    pub(super) fn plain(
        &mut self,
        scalar: Scalar<'_>,
        (layout, entry): (usize, usize),
        place: u32,
        row: &OpenRow<'_>,
    ) -> Result<(), Halt> {
        let resolved = &mut self.layouts[layout].entries[entry];
        let column = match resolved.column {
            Some(column) => column,
            None => match self.new_column((layout, entry), &scalar, place, row)? {
                Some(column) => column,
                None => return Ok(()),
            },
        };
        let trail = self.trail.get(row.base..).unwrap_or_default();
        let origin = Origin { trail, place };
        let table = &mut self.tables[row.table];
        match table.put(row.row, column, &scalar, origin, &self.options) {
            Ok(PutOutcome::Stored) => Ok(()),
            Ok(PutOutcome::Occupied) => self.taken(scalar, (layout, entry), place, row),
            other => self.refused(other, row.table).map(drop),
        }
    }

    /// What becomes of a value that could not simply be put into its column. Says no if the row has a
    /// value there already.
    #[cold]
    pub(super) fn refused(&mut self, put: Result<PutOutcome>, table: usize) -> Result<bool, Halt> {
        let place = |fault: Fault| fault.at(format_args!("table {}", self.tables[table].name));
        match put.map_err(place)? {
            PutOutcome::Stored => Ok(true),
            PutOutcome::Occupied => Ok(false),
            PutOutcome::Rejected { column, row } => {
                self.leave_out(table, column, row);
                Ok(true)
            }
        }
    }

    /// The elements of a list, each a row of the list's table.
    pub(super) fn list(
        &mut self,
        reader: &mut Reader<'_>,
        list: usize,
        parent: &OpenRow<'_>,
    ) -> Result<(), Halt> {
        let Some(list) = self.begin_list(reader, list, parent.table)? else { return Ok(()) };
        let table = self.layouts[list].table;
        if self.tables[table].rooted.is_some() {
            return self.rooted_list(reader, list, parent);
        }
        // A key may come twice, spelled with escapes: the elements are numbered through.
        let mut index = self.tables[table].next_index((parent.table, parent.row));
        let mut ids = hash::ChildIds::new(parent.id.as_str(), &self.tables[table].name);
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
                ours: false,
            };
            let kept = self.element(reader, list, &row)?;
            self.end_row(&row, RowLink::Nested(parent.id, index, parent.root), kept)?;
            index += 1;
            more = reader.more(b']')?;
        }
        self.tables[table].set_next_index((parent.table, parent.row), index);
        Ok(())
    }

    /// Decides which table the rows of a list go to. Returns the layout of its elements, or none if the list is left
    /// out. A function of its own: lists are nested, and what it needs of the stack it needs once.
    fn begin_list(
        &mut self,
        reader: &mut Reader<'_>,
        mut list: usize,
        parent: usize,
    ) -> Result<Option<usize>, Halt> {
        if self.trail.len() >= MAX_DEPTH as usize {
            return Err(reader.too_deep().into());
        }
        if !self.layouts[list].is_claimed {
            list = self.claim_table(reader, list, parent)?;
        }
        let table = self.layouts[list].table;
        if self.tables[table].is_open() {
            self.adopt(reader, table, parent);
        }
        if self.guarded && self.leave_out_list(reader, table)? {
            return Ok(None);
        }
        if self.tables[table].is_open() {
            self.check_tables(reader, list)?;
        }
        Ok(Some(list))
    }

    /// An element of a list, as a row. Says whether the row is to be.
    #[inline]
    pub(super) fn element(
        &mut self,
        reader: &mut Reader<'_>,
        list: usize,
        row: &OpenRow<'_>,
    ) -> Result<bool, Halt> {
        match reader.peek()? {
            Peek::Object => self.fill(reader, list, None, row),
            Peek::Array => {
                let inner = self.list_in_list(list);
                self.fill(reader, inner, Some("list"), row)
            }
            Peek::Null => {
                reader.null()?;
                Ok(true)
            }
            _ => self.fill(reader, list, Some("value"), row),
        }
    }

    /// A value that is not a member of an object, as if it were one.
    pub(super) fn value(
        &mut self,
        reader: &mut Reader<'_>,
        layout: usize,
        key: &str,
        row: &OpenRow<'_>,
    ) -> Result<(), Halt> {
        let entry = self.entry_named(layout, key);
        self.member(reader, (layout, entry), 0, row)
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
