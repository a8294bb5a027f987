//! What is known about the objects at one place of the documents: for each key, where its values go.
//!
//! A layout belongs to a table and has a level: dlt counts `max_table_nesting` down, one for each object
//! and one for each list, and a list's rows begin at their parent row's level minus one, however deep
//! in it the list stands.

use rustc_hash::FxHashMap;

use super::Family;
use super::table::{self, RowOrigin};
use crate::dlt::naming::EMPTY_KEY;
use crate::dlt::types::{DataType, Kind};
use crate::fault::Result;
use crate::json::{Reader, unescape};

/// Which nested values are unnested: given the raw keys from the record's root (lists add none).
pub type UnnestRule = Box<dyn Fn(&[String]) -> bool>;

/// The objects at one place.
pub(super) struct ObjectLayout {
    /// The table their scalars go to.
    pub(super) table: usize,
    /// Levels left; at 0 what is nested here is kept as JSON.
    level: i64,
    /// The level of the row these objects belong to.
    row_level: i64,
    /// The name of the row's table, in parts as they are joined.
    table_path: Vec<String>,
    /// The normalised keys from the row to here.
    path: Vec<String>,
    /// The raw keys from the record to here.
    raw_path: Vec<String>,
    pub(super) entries: Vec<LayoutEntry>,
    by_key: FxHashMap<Box<str>, u32>,
    /// The entry an object begins with, most often.
    first: usize,
    /// The layout of `{"list": [..]}` rows, for lists in the list of this layout.
    list_in_list: Option<usize>,
    /// The layout and the entry these objects stand at; none for records.
    pub(super) origin: Option<(usize, usize)>,
    /// Whether the objects are rows, not part of one.
    pub(super) is_row: bool,
    /// For the elements of lists: whether it is decided that the table is theirs.
    pub(super) is_claimed: bool,
}

/// One key of a layout.
pub(super) struct LayoutEntry {
    /// As it is spelled in the documents.
    pub(super) key: Box<str>,
    /// The name of its column.
    pub(super) name: String,
    /// What becomes of its values.
    pub(super) role: KeyRole,
    /// The type that its values have in the input, where that says one.
    pub(super) typed: Option<Kind>,
    /// The object that had it last.
    pub(super) instance: u64,
    /// Its column, once a scalar was seen.
    pub(super) column: Option<usize>,
    /// Whether what is nested here is kept as JSON because there are too many columns.
    pub(super) squashed: bool,
    pub(super) object: Option<ObjectTarget>,
    pub(super) list: Option<ListTarget>,
    /// The entry that follows it, most often.
    next: usize,
}

/// What becomes of the values of a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum KeyRole {
    /// They go into its column.
    Plain,
    /// They go into its column, with the type that the input says.
    Typed,
    /// It has the name of a system column of its row.
    System,
}

/// Where an object goes.
#[derive(Clone, Copy)]
pub(super) enum ObjectTarget {
    /// Into a column, as it is.
    Json,
    /// Into the row, by this layout.
    Row(usize),
}

/// Where a list goes.
#[derive(Clone, Copy)]
pub(super) enum ListTarget {
    /// Into a column, as it is.
    Json,
    /// Into rows, by the layout of its elements.
    List(usize),
}

impl ObjectLayout {
    /// The layout of rows of a table.
    pub(super) fn new(table: usize, level: i64, table_path: Vec<String>) -> Self {
        Self {
            table,
            level,
            row_level: level,
            table_path,
            path: Vec::new(),
            raw_path: Vec::new(),
            entries: Vec::new(),
            by_key: FxHashMap::default(),
            first: 0,
            list_in_list: None,
            origin: None,
            is_row: true,
            is_claimed: false,
        }
    }

    /// The raw keys from the record to here.
    pub(super) fn raw_path(&self) -> &[String] {
        &self.raw_path
    }

    /// How many objects there are around these, up to their row.
    pub(super) fn depth(&self) -> usize {
        self.path.len()
    }

    /// The name of the row's table, in parts as they are joined.
    pub(super) fn table_path(&self) -> &[String] {
        &self.table_path
    }

    /// The layout of the same lists, if their rows go to a table that is not named for where they stand.
    pub(super) fn of_own_table(&self, table: usize, name: String) -> Self {
        let raw_path = self.raw_path.clone();
        Self { raw_path, origin: self.origin, ..Self::new(table, self.level, vec![name]) }
    }

    fn deeper(&self, norm: &str, raw: &str) -> Self {
        Self {
            level: self.level - 1,
            row_level: self.row_level,
            path: with(&self.path, norm),
            raw_path: with(&self.raw_path, raw),
            is_row: false,
            ..Self::new(self.table, 0, self.table_path.clone())
        }
    }
}

impl Family {
    /// The entry of the next key; steps over the key. Most keys are where the last object had them, so
    /// the guess costs one comparison of bytes.
    #[inline]
    pub(super) fn entry(
        &mut self,
        reader: &mut Reader<'_>,
        layout: usize,
        previous: Option<usize>,
    ) -> Result<usize> {
        let known = &self.layouts[layout];
        let guess = match previous {
            Some(previous) => known.entries[previous].next,
            None => known.first,
        };
        if let Some(entry) = known.entries.get(guess)
            && reader.key_is(entry.key.as_bytes())?
        {
            return Ok(guess);
        }
        let key = reader.key()?;
        let entry = match known.by_key.get(key) {
            Some(&entry) => entry as usize,
            None => self.new_entry(layout, key),
        };
        let known = &mut self.layouts[layout];
        match previous {
            Some(previous) => known.entries[previous].next = entry,
            None => known.first = entry,
        }
        Ok(entry)
    }

    /// The entry of a key that the document does not spell: the wrapped value of a list.
    pub(super) fn entry_named(&mut self, layout: usize, key: &str) -> usize {
        match self.layouts[layout].by_key.get(key) {
            Some(&entry) => entry as usize,
            None => self.new_entry(layout, key),
        }
    }

    #[cold]
    fn new_entry(&mut self, layout: usize, key: &str) -> usize {
        let norm = self.options.convention.norm(&unescape(key));
        let known = &mut self.layouts[layout];
        let mut name = if known.path.is_empty() {
            norm
        } else {
            let mut parts: Vec<&str> = known.path.iter().map(String::as_str).collect();
            parts.push(&norm);
            self.options.convention.shorten_fragments(&parts)
        };
        let rows = match known.table {
            0 => RowOrigin::Record,
            table if self.tables.get(table).is_some_and(|t| t.rooted.is_some()) => {
                RowOrigin::NestedRoot
            }
            _ => RowOrigin::Element,
        };
        if name.is_empty() {
            // `__` is a path of blank parts. dlt makes a column without a name of it, and loses its values.
            EMPTY_KEY.clone_into(&mut name);
        }
        let role = if table::is_system(&name, rows) { KeyRole::System } else { KeyRole::Plain };
        let entry = LayoutEntry {
            key: key.into(),
            role,
            name,
            typed: None,
            instance: 0,
            column: None,
            squashed: false,
            object: None,
            list: None,
            next: known.entries.len() + 1,
        };
        let at = known.entries.len();
        known.by_key.insert(key.into(), at as u32);
        known.entries.push(entry);
        at
    }

    /// Where an object under this key goes.
    #[inline]
    pub(super) fn object_target(&mut self, layout: usize, entry: usize) -> ObjectTarget {
        match self.layouts[layout].entries[entry].object {
            Some(target) => target,
            None => self.new_object_target(layout, entry),
        }
    }

    #[cold]
    fn new_object_target(&mut self, layout: usize, entry: usize) -> ObjectTarget {
        let raw = unescape(&self.layouts[layout].entries[entry].key);
        let target = if self.is_kept(layout, entry, &raw) {
            ObjectTarget::Json
        } else {
            let norm = self.options.convention.norm(&raw);
            let mut inner = self.layouts[layout].deeper(&norm, &raw);
            inner.origin = Some((layout, entry));
            self.layouts.push(inner);
            ObjectTarget::Row(self.layouts.len() - 1)
        };
        self.layouts[layout].entries[entry].object = Some(target);
        target
    }

    /// Where a list under this key goes; `parent` is the table of the row it stands in.
    #[inline]
    pub(super) fn list_target(&mut self, layout: usize, entry: usize, parent: usize) -> ListTarget {
        match self.layouts[layout].entries[entry].list {
            Some(target) => target,
            None => self.new_list_target(layout, entry, parent),
        }
    }

    #[cold]
    fn new_list_target(&mut self, layout: usize, entry: usize, parent: usize) -> ListTarget {
        let raw = unescape(&self.layouts[layout].entries[entry].key);
        let target = if self.is_kept(layout, entry, &raw) {
            ListTarget::Json
        } else {
            let known = &self.layouts[layout];
            let mut table_path = known.table_path.clone();
            table_path.extend(known.path.iter().cloned());
            let part = self.options.convention.normalize_path(&raw);
            // dlt has an empty part for a blank key: the rows of the list become rows of the table above,
            // and the load fails.
            table_path.push(if part.is_empty() { EMPTY_KEY.to_owned() } else { part });
            let level = known.row_level - 1;
            let raw_path = with(&known.raw_path, &raw);
            let parts: Vec<&str> = table_path.iter().map(String::as_str).collect();
            let name = self.options.convention.shorten_fragments(&parts);
            let table = self.table(&name, Some(parent));
            let origin = Some((layout, entry));
            let rows =
                ObjectLayout { raw_path, origin, ..ObjectLayout::new(table, level, table_path) };
            self.layouts.push(rows);
            ListTarget::List(self.layouts.len() - 1)
        };
        self.layouts[layout].entries[entry].list = Some(target);
        target
    }

    /// The layout of the row `{"list": [..]}` that a list in a list becomes, one level further down.
    pub(super) fn list_in_list(&mut self, list: usize) -> usize {
        if let Some(inner) = self.layouts[list].list_in_list {
            return inner;
        }
        let known = &self.layouts[list];
        let mut inner =
            ObjectLayout::new(known.table, known.row_level - 1, known.table_path.clone());
        inner.raw_path.clone_from(&known.raw_path);
        inner.origin = known.origin;
        self.layouts.push(inner);
        let inner = self.layouts.len() - 1;
        self.layouts[list].list_in_list = Some(inner);
        inner
    }

    /// Whether what is nested under this key stays JSON.
    fn is_kept(&self, layout: usize, entry: usize, raw: &str) -> bool {
        let known = &self.layouts[layout];
        if known.level <= 0 {
            return true;
        }
        let LayoutEntry { name, squashed, .. } = &known.entries[entry];
        let data_type = match self.kind_at(layout, entry) {
            Some(kind) => Some(kind.data_type),
            None => self.options.preferred(name),
        };
        if *squashed || data_type == Some(DataType::Json) {
            return true;
        }
        match &self.options.unnest {
            Some(unnest) => !unnest(&with(&known.raw_path, raw)),
            None => false,
        }
    }
}

fn with(path: &[String], last: &str) -> Vec<String> {
    path.iter().cloned().chain([last.to_owned()]).collect()
}
