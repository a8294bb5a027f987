//! The schema: every table a pipeline has, as dlt describes and stores it, so that dlt can go on
//! after Snowcat and Snowcat after dlt.
//!
//! dlt compares schemas by a hash of their content and writes a row to `_dlt_version` for each hash
//! that is not there yet. The hash is made of the JSON with sorted keys, and of the order of the
//! columns. So every key dlt wrote is kept, known or not, and nothing is added that dlt would not
//! add.
//!
//! Names in a schema are normalised already. dlt's own names are the same in every naming
//! convention dlt brings.
//!
//! Source: dlt 1.31, `common/schema/`.

mod column;
mod contract;
mod document;
mod hints;
mod migrate;
pub mod packed;
mod settings;
mod system;
mod table;

use indexmap::IndexMap;
use rustc_hash::FxHashMap;
use serde_json::{Map, Value, json};

pub use column::Column;
pub use contract::{Contract, Mode};
pub use hints::Hints;
pub use settings::ColumnRules;
pub use system::{LOADS_TABLE, STATE_TABLE, VERSION_TABLE, is_dlt};
pub use table::Table;

use crate::dlt::merge_strategy::{MergeStrategy, RootKeyNeed};
use crate::fault::{Fault, Result};

/// The version of the form schemas are stored in; dlt's `SCHEMA_ENGINE_VERSION`.
pub const ENGINE_VERSION: u64 = 11;

/// The normaliser whose configuration tells nesting and propagation.
const RELATIONAL: &str = "dlt.common.normalizers.json.relational";

/// All the tables of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    name: String,
    /// 0 until it is stored for the first time.
    version: u64,
    /// Empty until then.
    version_hash: String,
    previous_hashes: Vec<String>,
    tables: IndexMap<String, Table>,
    settings: Map<String, Value>,
    normalizers: Map<String, Value>,
    /// What else is stored: `description`, `imported_version_hash`, and what is not known here.
    rest: Map<String, Value>,
}

impl Schema {
    /// A schema with nothing but dlt's own tables, as dlt makes it.
    ///
    /// `naming` is the name of the naming convention: `snake_case` where the job says nothing.
    pub fn new(name: impl Into<String>, naming: &str) -> Self {
        let mut schema = Self {
            name: name.into(),
            version: 0,
            version_hash: String::new(),
            previous_hashes: Vec::new(),
            tables: IndexMap::new(),
            settings: system::settings(),
            normalizers: Map::new(),
            rest: Map::new(),
        };
        schema.normalizers.insert("names".into(), naming.into());
        schema.normalizers.insert("json".into(), json!({ "module": RELATIONAL }));
        for table in [system::version_table(), system::loads_table(), system::state_table()] {
            schema.insert(table);
        }
        schema
    }

    /// A schema of the same name and naming with nothing in it.
    #[must_use]
    pub fn fresh(&self) -> Self {
        let names = self.normalizers.get("names").and_then(Value::as_str).unwrap_or("snake_case");
        Self::new(self.name.as_str(), names)
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Counts the contents it had; 0 when it was never stored.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The hash of the content when it was bumped last; empty when it never was.
    pub fn version_hash(&self) -> &str {
        &self.version_hash
    }

    /// The hashes it had before, the last one first.
    pub fn previous_hashes(&self) -> &[String] {
        &self.previous_hashes
    }

    /// All tables, dlt's own among them, in the order they were added.
    pub fn tables(&self) -> &IndexMap<String, Table> {
        &self.tables
    }

    /// A table.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)
    }

    /// A table and the tables nested in it, each after its parent.
    pub fn chain(&self, root: &str) -> Vec<&Table> {
        // By parent, the last one first: asking every table for every table would be quadratic.
        let mut nested: FxHashMap<&str, Vec<&Table>> = FxHashMap::default();
        for table in self.tables.values().rev() {
            if let Some(parent) = table.parent() {
                nested.entry(parent).or_default().push(table);
            }
        }
        let mut chain = Vec::new();
        // A stack, so that a circle of parents, which dlt never stores, could not overflow one.
        let mut next: Vec<_> = self.table(root).into_iter().collect();
        while let Some(table) = next.pop() {
            if chain.len() >= self.tables.len() {
                break;
            }
            chain.push(table);
            next.extend(nested.get(table.name()).into_iter().flatten().copied());
        }
        chain
    }

    /// The root table of a table: the table itself when it is not nested.
    pub fn root(&self, table: &str) -> Option<&Table> {
        let mut table = self.table(table)?;
        for _ in 0..self.tables.len() {
            match table.parent() {
                Some(parent) => table = self.table(parent)?,
                None => return Some(table),
            }
        }
        None
    }

    /// A hint of a table, or of the nearest table it is nested in that has one.
    pub fn inherited(&self, table: &str, hint: &str) -> Option<&Value> {
        let mut table = self.table(table)?;
        for _ in 0..self.tables.len() {
            if let Some(value) = table.hint(hint) {
                return Some(value);
            }
            table = self.table(table.parent()?)?;
        }
        None
    }

    /// The strategy a table is merged with; none when it is not merged.
    pub fn merge_strategy(&self, table: &str) -> Option<&str> {
        let disposition = self.inherited(table, "write_disposition")?.as_str()?;
        let strategy = self.inherited(table, "x-merge-strategy").and_then(Value::as_str);
        (disposition == "merge").then_some(strategy.unwrap_or(MergeStrategy::default().name()))
    }

    /// The columns of this root table whose value nested rows carry as `_dlt_root_id`: of those that a
    /// row has, the last one. Most often it is `_dlt_id` alone; none where they carry nothing.
    pub fn root_keys(&self, root: &str) -> Vec<&str> {
        let tables = self.config("propagation").and_then(|propagation| propagation.get("tables"));
        let columns = tables.and_then(|tables| tables.get(root)?.as_object());
        let to_root_id = |(_, to): &(&String, &Value)| to.as_str() == Some("_dlt_root_id");
        columns.into_iter().flatten().filter(to_root_id).map(|(from, _)| from.as_str()).collect()
    }

    /// The column of this root table by which nested rows know their root row.
    pub fn root_key(&self, root: &str) -> &str {
        let complete = |name: &&str| {
            self.table(root).and_then(|table| table.column(name)).is_some_and(Column::is_complete)
        };
        self.root_keys(root).into_iter().rev().find(complete).unwrap_or("_dlt_id")
    }

    /// The naming convention, as dlt calls it in short: `snake_case`, `direct`, `sql_cs_v1`, ...
    ///
    /// # Errors
    /// A destination fault when it is not one of dlt's.
    pub fn naming(&self) -> Result<&str> {
        let names = self.normalizers.get("names").and_then(Value::as_str).unwrap_or("snake_case");
        let module = names.strip_suffix(".NamingConvention").unwrap_or(names);
        let short = ["dlt.common.normalizers.naming.", "dlt.common.normalizers.names."]
            .iter()
            .find_map(|namespace| module.strip_prefix(namespace))
            .unwrap_or(module);
        if short.contains('.') {
            return Err(Fault::destination(format_args!(
                "expected one of dlt's naming conventions in the stored schema, found {names}"
            )));
        }
        Ok(short)
    }

    /// Whether `__` in a key separates two names. It does, but in schemas of an older dlt.
    pub fn breaks_paths(&self) -> bool {
        self.normalizers.get("use_break_path_on_normalize") != Some(&Value::Bool(false))
    }

    /// How deep values are taken apart where the resource does not say it.
    pub fn max_nesting(&self) -> Option<u64> {
        self.config("max_nesting")?.as_u64()
    }

    /// Sets how deep values are taken apart where the resource does not say it.
    pub fn set_max_nesting(&mut self, levels: u64) {
        self.set_config(&["max_nesting"], levels.into());
    }

    /// Says for the whole schema whether nested tables have their root's id: without it they have
    /// where merging needs it.
    pub fn set_root_key(&mut self, propagate: bool) {
        self.set_config(&["root_key_propagation"], propagate.into());
    }

    /// Says that the rows of a root table are replaced, and nothing else of it.
    pub fn set_replaced(&mut self, table: &str) {
        if let Some(table) = self.tables.get_mut(table) {
            table.hints_mut().insert("write_disposition".into(), "replace".into());
        }
    }

    /// The settings: `default_hints`, `preferred_types`, `detections`, `schema_contract`.
    pub fn settings(&self) -> &Map<String, Value> {
        &self.settings
    }

    /// Adds a table a resource declares, or brings it up to date: what the resource says of keys,
    /// partitions and clusters replaces what was said before.
    ///
    /// Source: dlt 1.31, `extract/extractors.py`, `_compute_and_update_tables`.
    ///
    /// Returns `false` if the contract discards the new table.
    ///
    /// # Errors
    /// A config fault when the table cannot become what is asked for; a contract fault when the
    /// contract freezes what is new.
    pub fn declare(&mut self, mut table: Table) -> Result<bool> {
        let contract = Contract::of_new(self, &table)?;
        if contract.columns != Mode::Evolve && self.table(table.name()).is_none_or(Table::is_new) {
            table.mark_evolves_once();
        }
        if !contract.admits(self, &mut table)? {
            return Ok(false);
        }
        let name = table.name().to_owned();
        self.update(table, true)?;
        self.propagate(&name);
        Ok(true)
    }

    /// Sets the contract of tables that have none of their own.
    pub fn set_contract(&mut self, contract: Value) {
        self.settings.insert("schema_contract".into(), contract);
    }

    /// Adds a table the data brought, or columns of it. Call [`Self::propagate`] for its root table
    /// after the last one.
    ///
    /// # Errors
    /// A config fault when the table is there already and the two do not go together.
    pub fn add(&mut self, table: Table) -> Result<()> {
        self.update(table, false)
    }

    /// Adds a column the data brought to a table; see [`Table::add_column`]. Call [`Self::propagate`]
    /// for its root table after the last one.
    ///
    /// # Errors
    /// An internal fault when there is no such table.
    pub fn add_column(&mut self, table: &str, column: Column) -> Result<()> {
        match self.tables.get_mut(table) {
            Some(found) => found.add_column(column),
            None => return Err(no_table(table)),
        }
        Ok(())
    }

    /// Notes that rows have come for a table.
    ///
    /// # Errors
    /// An internal fault when there is no such table.
    pub fn mark_seen(&mut self, table: &str) -> Result<()> {
        self.tables.get_mut(table).ok_or_else(|| no_table(table))?.mark_seen();
        Ok(())
    }

    /// Sets a hint of a table, or of a column of it, if there is one.
    pub fn remember(&mut self, table: &str, column: Option<&str>, hint: &str, value: Value) {
        let Some(table) = self.tables.get_mut(table) else { return };
        match column {
            None => drop(table.hints_mut().insert(hint.to_owned(), value)),
            Some(column) => {
                if let Some(column) = table.columns_mut().get_mut(column) {
                    column.set(hint, value);
                }
            }
        }
    }

    /// Removes a table and the tables nested in it; gives their names.
    pub fn drop(&mut self, root: &str) -> Vec<String> {
        let names: Vec<_> = self.chain(root).into_iter().map(|t| t.name().to_owned()).collect();
        for name in &names {
            self.tables.shift_remove(name);
            let json = self.normalizers.get_mut("json");
            let tables = json.and_then(|json| json.pointer_mut("/config/propagation/tables"));
            if let Some(Value::Object(tables)) = tables {
                tables.shift_remove(name);
            }
        }
        names
    }

    fn update(&mut self, table: Table, authoritative: bool) -> Result<()> {
        if let Some(parent) = table.parent().filter(|parent| self.table(parent).is_none()) {
            return Err(Fault::config(format_args!(
                "the table is nested in {parent}, which is not declared"
            ))
            .at(format_args!("table {}", table.name())));
        }
        let name = table.name().to_owned();
        match self.tables.get_mut(&name) {
            Some(known) => known.merge(table, authoritative)?,
            None => self.insert(table),
        }
        Ok(())
    }

    fn insert(&mut self, table: Table) {
        self.tables.insert(table.name().to_owned(), table);
    }

    /// Notes that the rows nested in the root table of this one carry its rows' ids, where they do.
    /// It looks at every table and column of the family: call it once for a batch, not for a column.
    ///
    /// Source: dlt 1.31, `common/normalizers/json/relational.py`, `extend_table`.
    pub fn propagate(&mut self, table: &str) {
        let Some(root) = self.root(table).filter(|root| !is_dlt(root.name())) else {
            return;
        };
        let has_root_key = |table: &&Table| table.columns_with("root_key").next().is_some();
        let strategy = || MergeStrategy::parse(self.merge_strategy(root.name())?);
        let merges = || match strategy().map(MergeStrategy::root_key) {
            Some(RootKeyNeed::IfNew) => {
                self.chain(root.name()).iter().skip(1).all(|nested| nested.is_new())
            }
            Some(RootKeyNeed::Always) => true,
            None => false,
        };
        let wanted = match self.config("root_key_propagation") {
            Some(Value::Bool(always)) => *always,
            _ => merges(),
        };
        if !wanted && !self.chain(root.name()).iter().any(has_root_key) {
            return;
        }
        let from = root.columns_with("row_key").next().unwrap_or("_dlt_id").to_owned();
        let name = root.name().to_owned();
        self.set_config(&["propagation", "tables", &name, &from], "_dlt_root_id".into());
    }

    fn config(&self, key: &str) -> Option<&Value> {
        self.normalizers.get("json")?.get("config")?.get(key)
    }

    fn set_config(&mut self, path: &[&str], value: Value) {
        let path: Vec<_> = ["json", "config"].iter().chain(path).copied().collect();
        packed::set(&mut self.normalizers, &path, value);
    }
}

#[cold]
fn no_table(name: &str) -> Fault {
    Fault::internal(format_args!("there is no table {name} in the schema"))
}

#[cfg(test)]
mod tests;
