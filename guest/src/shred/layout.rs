//! What is known about the objects at one path of the documents: for each key, the target of its
//! values.
//!
//! A layout belongs to a table and has a level: dlt counts `max_table_nesting` down by one for each
//! object and each list. The rows of a list begin at the level of their parent row minus one,
//! however deep the list is nested in it.

use std::ops::{Index, IndexMut};

use rustc_hash::FxHashMap;

use super::arena::{Arena, ColumnId, EntryId, KeyId, LayoutId, TableId};
use super::options::SEQ;
use crate::dlt::types::Kind;
use crate::json::unescape;

/// The objects at one path.
#[derive(Debug)]
pub(super) struct ObjectLayout {
    /// The table of their scalars.
    pub(super) table: TableId,
    /// The remaining levels; at 0 nested values are stored as JSON.
    pub(super) level: i64,
    /// The level of the row that these objects belong to.
    pub(super) row_level: i64,
    /// The parts of the name of the row's table, as they are joined.
    pub(super) table_path: Vec<String>,
    /// The normalized keys from the row to here.
    pub(super) path: Vec<String>,
    /// The raw keys from the record to here.
    pub(super) raw_path: Vec<String>,
    pub(super) entries: Arena<EntryId, LayoutEntry>,
    by_key: FxHashMap<Box<str>, EntryId>,
    /// The entry with which most objects begin.
    pub(super) first: EntryId,
    /// The layout of `{"list": [..]}` rows, for lists in the list of this layout.
    pub(super) list_in_list: Option<LayoutId>,
    /// The key of these objects. `None` for records.
    pub(super) origin: Option<KeyId>,
    /// Whether the objects are rows rather than parts of one.
    pub(super) is_row: bool,
    /// For elements of lists: whether the table is decided.
    pub(super) owns_table: bool,
}

/// One key of a layout.
#[derive(Debug)]
pub(super) struct LayoutEntry {
    /// As spelled in the documents.
    pub(super) key: Box<str>,
    /// The name of its column.
    pub(super) name: String,
    /// The handling of its values.
    pub(super) role: KeyRole,
    /// The type that the input declares for its values.
    pub(super) typed: Option<Kind>,
    /// The number of the last object that had it.
    pub(super) object_number: u64,
    /// Its column, after its first scalar.
    pub(super) column: Option<ColumnId>,
    /// Whether its nested values are stored as JSON because the table has too many columns.
    pub(super) is_collapsed: bool,
    pub(super) object: Option<ObjectTarget>,
    pub(super) list: Option<ListTarget>,
    /// The entry that follows in most objects.
    pub(super) next: EntryId,
}

/// The handling of the values of a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum KeyRole {
    /// Stored in its column.
    Plain,
    /// Stored in its column, with the type that the input declares.
    Typed,
    /// The key has the name of a system column of its row.
    System,
}

/// The target of an object.
#[derive(Clone, Copy, Debug)]
pub(super) enum ObjectTarget {
    /// A column, as JSON.
    Json,
    /// The columns of the row, by this layout.
    Row(LayoutId),
}

/// The target of a list.
#[derive(Clone, Copy, Debug)]
pub(super) enum ListTarget {
    /// A column, as JSON.
    Json,
    /// Rows, by the layout of its elements.
    Rows(LayoutId),
}

/// The source of the rows of a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum RowOrigin {
    /// Elements of lists.
    Element,
    /// Records.
    Record,
    /// Elements of lists that are root rows.
    NestedRoot,
}

/// The layouts of a family.
#[derive(Debug, Default)]
pub(super) struct Layouts {
    pub(super) all: Arena<LayoutId, ObjectLayout>,
}

impl ObjectLayout {
    /// The layout of rows of a table.
    pub(super) fn new(table: TableId, level: i64, table_path: Vec<String>) -> Self {
        Self {
            table,
            level,
            row_level: level,
            table_path,
            path: Vec::new(),
            raw_path: Vec::new(),
            entries: Arena::default(),
            by_key: FxHashMap::default(),
            first: EntryId::FIRST,
            list_in_list: None,
            origin: None,
            is_row: true,
            owns_table: false,
        }
    }

    /// The layout of the elements of a list under a key.
    pub(super) fn of_list(
        origin: Option<KeyId>,
        raw_path: Vec<String>,
        table: TableId,
        level: i64,
        table_path: Vec<String>,
    ) -> Self {
        Self { origin, raw_path, ..Self::new(table, level, table_path) }
    }

    /// The layout of the same lists with their rows in another table, whose name does not follow
    /// from the path.
    pub(super) fn with_table(&self, table: TableId, name: String) -> Self {
        Self::of_list(self.origin, self.raw_path.clone(), table, self.level, vec![name])
    }

    /// The layout of the objects under a key.
    pub(super) fn nested(&self, key: KeyId, norm: &str, raw: &str) -> Self {
        Self {
            level: self.level - 1,
            row_level: self.row_level,
            path: with(&self.path, norm),
            raw_path: with(&self.raw_path, raw),
            is_row: false,
            origin: Some(key),
            ..Self::new(self.table, 0, self.table_path.clone())
        }
    }

    /// The entry of a key.
    pub(super) fn find(&self, key: &str) -> Option<EntryId> {
        self.by_key.get(key).copied()
    }

    /// Adds a key. `name`: the name of its column.
    pub(super) fn add(&mut self, key: &str, name: String, role: KeyRole) -> EntryId {
        let entry = LayoutEntry {
            key: key.into(),
            role,
            name,
            typed: None,
            object_number: 0,
            column: None,
            is_collapsed: false,
            object: None,
            list: None,
            next: self.entries.next_id().next(),
        };
        let entry = self.entries.push(entry);
        self.by_key.insert(key.into(), entry);
        entry
    }
}

impl Layouts {
    /// The raw keys from the record to a key.
    pub(super) fn path_to(&self, key: KeyId) -> Vec<String> {
        with(&self[key.layout].raw_path, &unescape(&self[key].key))
    }

    /// The raw keys from the row to a key.
    pub(super) fn within_row(&self, key: KeyId) -> Vec<String> {
        let path = self.path_to(key);
        let row = path.len().saturating_sub(self[key.layout].path.len() + 1);
        path.get(row..).unwrap_or_default().to_vec()
    }

    /// Returns `true` if an object around a layout, up to its record, is stored as JSON from now
    /// on.
    pub(super) fn is_collapsed(&self, innermost: LayoutId) -> bool {
        let around = |key: &KeyId| self[key.layout].origin;
        std::iter::successors(self[innermost].origin, around).any(|key| self[key].is_collapsed)
    }
}

impl Index<LayoutId> for Layouts {
    type Output = ObjectLayout;

    #[inline]
    fn index(&self, layout: LayoutId) -> &ObjectLayout {
        &self.all[layout]
    }
}

impl IndexMut<LayoutId> for Layouts {
    #[inline]
    fn index_mut(&mut self, layout: LayoutId) -> &mut ObjectLayout {
        &mut self.all[layout]
    }
}

impl Index<KeyId> for Layouts {
    type Output = LayoutEntry;

    #[inline]
    fn index(&self, key: KeyId) -> &LayoutEntry {
        &self.all[key.layout].entries[key.entry]
    }
}

impl IndexMut<KeyId> for Layouts {
    #[inline]
    fn index_mut(&mut self, key: KeyId) -> &mut LayoutEntry {
        &mut self.all[key.layout].entries[key.entry]
    }
}

impl RowOrigin {
    /// Returns `true` if a key of this name would hide a system column of the row.
    pub(super) fn has_system(self, name: &str) -> bool {
        match name {
            "_dlt_id" | SEQ => true,
            "_dlt_load_id" => self != Self::Element,
            "_dlt_root_id" => self != Self::Record,
            "_dlt_parent_id" | "_dlt_list_idx" => self == Self::Element,
            _ => false,
        }
    }
}

/// Appends a key to a path.
pub(super) fn with(path: &[String], last: &str) -> Vec<String> {
    path.iter().cloned().chain([last.to_owned()]).collect()
}
