//! The documents and tables that a family knows, and the resolution of keys: each key is resolved
//! once, to a column, a nested object or a nested table. From then on it is found by comparing
//! bytes.

use super::arena::{EntryId, KeyId, LayoutId, TableId};
use super::held::HeldValues;
use super::layout::{
    KeyRole, LayoutEntry, Layouts, ListTarget, ObjectLayout, ObjectTarget, RowOrigin, with,
};
use super::notices::Notices;
use super::options::ShredOptions;
use super::owners::NameOwners;
use super::tables::Tables;
use crate::dlt::naming::EMPTY_KEY;
use crate::dlt::types::{DataType, Kind};
use crate::fault::Result;
use crate::json::{Reader, unescape};

/// The known layouts of documents, and the tables they become.
pub(super) struct Mapping {
    pub(super) options: ShredOptions,
    pub(super) tables: Tables,
    pub(super) layouts: Layouts,
    pub(super) owners: NameOwners,
    pub(super) held: HeldValues,
    pub(super) notices: Notices,
    /// Whether something in the record is stored as JSON from now on.
    pub(super) collapsed: bool,
    /// Whether the contract discards the current row.
    pub(super) row_rejected: bool,
}

impl Mapping {
    pub(super) fn new(options: ShredOptions) -> Self {
        let mut tables = Tables::default();
        let root = tables.find_or_add(&options.table, None);
        let mut layouts = Layouts::default();
        let path = vec![options.table.clone()];
        layouts.all.push(ObjectLayout::new(root, options.max_nesting, path));
        Self {
            options,
            tables,
            layouts,
            owners: NameOwners::default(),
            held: HeldValues::default(),
            notices: Notices::default(),
            collapsed: false,
            row_rejected: false,
        }
    }

    /// Drops the state of the current record, except for its rows in the tables.
    pub(super) fn undo(&mut self) {
        self.held.clear();
        self.owners.undo(&mut self.layouts);
        self.notices.discarded.undo();
        self.collapsed = false;
        self.row_rejected = false;
    }

    /// Finds the entry of the next key and skips the key. Most keys are in the same position as in
    /// the previous object, so the guess costs one comparison of bytes.
    #[inline]
    pub(super) fn entry(
        &mut self,
        reader: &mut Reader<'_>,
        layout: LayoutId,
        previous: Option<EntryId>,
    ) -> Result<EntryId> {
        let known = &self.layouts[layout];
        let guess = match previous {
            Some(previous) => known.entries[previous].next,
            None => known.first,
        };
        if let Some(entry) = known.entries.at(guess)
            && reader.key_is(entry.key.as_bytes())?
        {
            return Ok(guess);
        }
        let key = reader.key()?;
        let entry = self.entry_named(layout, key);
        let known = &mut self.layouts[layout];
        match previous {
            Some(previous) => known.entries[previous].next = entry,
            None => known.first = entry,
        }
        Ok(entry)
    }

    /// The entry of a key that is not in the document: that of a wrapped value of a list.
    pub(super) fn entry_named(&mut self, layout: LayoutId, key: &str) -> EntryId {
        match self.layouts[layout].find(key) {
            Some(entry) => entry,
            None => self.new_entry(layout, key),
        }
    }

    #[cold]
    fn new_entry(&mut self, layout: LayoutId, key: &str) -> EntryId {
        let known = &mut self.layouts[layout];
        let norm = self.options.convention.norm(&unescape(key));
        let mut name = if known.path.is_empty() {
            norm
        } else {
            let mut parts: Vec<&str> = known.path.iter().map(String::as_str).collect();
            parts.push(&norm);
            self.options.convention.shorten_fragments(&parts)
        };
        if name.is_empty() {
            // `__` is a path of blank parts. dlt creates a column without a name for it, and loses
            // its values.
            EMPTY_KEY.clone_into(&mut name);
        }
        let rows = match known.table {
            TableId::ROOT => RowOrigin::Record,
            table if self.tables[table].nested_root.is_some() => RowOrigin::NestedRoot,
            _ => RowOrigin::Element,
        };
        let role = if rows.has_system(&name) { KeyRole::System } else { KeyRole::Plain };
        known.add(key, name, role)
    }

    /// The target of an object under this key.
    #[inline]
    pub(super) fn object_target(&mut self, key: KeyId) -> ObjectTarget {
        match self.layouts[key].object {
            Some(target) => target,
            None => self.new_object_target(key),
        }
    }

    #[cold]
    fn new_object_target(&mut self, key: KeyId) -> ObjectTarget {
        let raw = unescape(&self.layouts[key].key);
        let target = if self.is_stored_as_json(key, &raw) {
            ObjectTarget::Json
        } else {
            let norm = self.options.convention.norm(&raw);
            let inner = self.layouts[key.layout].nested(key, &norm, &raw);
            ObjectTarget::Row(self.layouts.all.push(inner))
        };
        self.layouts[key].object = Some(target);
        target
    }

    /// The target of a list under this key. `parent`: the table of the row around it.
    #[inline]
    pub(super) fn list_target(&mut self, key: KeyId, parent: TableId) -> ListTarget {
        match self.layouts[key].list {
            Some(target) => target,
            None => self.new_list_target(key, parent),
        }
    }

    #[cold]
    fn new_list_target(&mut self, key: KeyId, parent: TableId) -> ListTarget {
        let raw = unescape(&self.layouts[key].key);
        let target = if self.is_stored_as_json(key, &raw) {
            ListTarget::Json
        } else {
            let known = &self.layouts[key.layout];
            let mut table_path = known.table_path.clone();
            table_path.extend(known.path.iter().cloned());
            let part = self.options.convention.normalize_path(&raw);
            // dlt uses an empty part for a blank key: the rows of the list become rows of the
            // parent table, and the load fails.
            table_path.push(if part.is_empty() { EMPTY_KEY.to_owned() } else { part });
            let level = known.row_level - 1;
            let raw_path = with(&known.raw_path, &raw);
            let parts: Vec<&str> = table_path.iter().map(String::as_str).collect();
            let name = self.options.convention.shorten_fragments(&parts);
            let table = self.tables.find_or_add(&name, Some(parent));
            let rows = ObjectLayout::of_list(Some(key), raw_path, table, level, table_path);
            ListTarget::Rows(self.layouts.all.push(rows))
        };
        self.layouts[key].list = Some(target);
        target
    }

    /// The layout of the row `{"list": [..]}` for a list in a list, one level further down.
    pub(super) fn list_in_list(&mut self, list: LayoutId) -> LayoutId {
        if let Some(inner) = self.layouts[list].list_in_list {
            return inner;
        }
        let known = &self.layouts[list];
        let (level, table_path) = (known.row_level - 1, known.table_path.clone());
        let raw_path = known.raw_path.clone();
        let inner = ObjectLayout::of_list(known.origin, raw_path, known.table, level, table_path);
        let inner = self.layouts.all.push(inner);
        self.layouts[list].list_in_list = Some(inner);
        inner
    }

    /// Returns `true` if nested values under this key are stored as JSON.
    fn is_stored_as_json(&self, key: KeyId, raw: &str) -> bool {
        let known = &self.layouts[key.layout];
        if known.level <= 0 {
            return true;
        }
        let LayoutEntry { name, is_collapsed, .. } = &self.layouts[key];
        let data_type = match self.kind_of(key) {
            Some(kind) => Some(kind.data_type),
            None => self.options.preferred(name),
        };
        if *is_collapsed || data_type == Some(DataType::Json) {
            return true;
        }
        match &self.options.unnest {
            Some(unnest) => !unnest(&with(&known.raw_path, raw)),
            None => false,
        }
    }

    /// The type of the column of a key, if there is one.
    fn kind_of(&self, key: KeyId) -> Option<Kind> {
        let table = self.layouts[key.layout].table;
        let known = &self.tables[table];
        let name = &self.layouts[key].name;
        if !self.owners.stores_columns() {
            return known.kind_of(name);
        }
        let within_row = self.layouts.within_row(key);
        if let Some(column) = self.owners.stored_column(table, within_row) {
            return known.kind_at(column);
        }
        let column = known.column_of(name)?;
        let owner = self.owners.column_owner(table, column);
        let is_free = owner.is_none_or(|owner| owner.is(key, &self.layouts));
        is_free.then(|| known.kind_at(column)).flatten()
    }
}
