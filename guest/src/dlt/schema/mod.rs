//! The schema: all tables of a pipeline in the form that dlt stores, so that dlt and Snowcat can
//! load the same dataset in turns.
//!
//! dlt compares schemas by a hash of their content and writes a row to `_dlt_version` for each new
//! hash. The hash covers the JSON with sorted keys and the order of the columns. So every key that
//! dlt wrote is kept, known or not, and nothing is added that dlt would not add.
//!
//! Names in a schema are normalized. dlt's own names are the same in every naming convention of
//! dlt.
//!
//! Source: dlt 1.31, `common/schema/`.

mod column;
mod contract;
mod document;
mod hints;
mod migrate;
pub(crate) mod packed;
mod settings;
mod system;
mod table;

use indexmap::IndexMap;
use rustc_hash::FxHashMap;
use serde_json::{Map, Value, json};

pub(crate) use column::Column;
pub(crate) use contract::{Contract, ContractMode};
pub(crate) use hints::Hints;
pub(crate) use settings::ColumnRules;
pub(crate) use system::{LOADS_TABLE, STATE_TABLE, VERSION_TABLE, is_dlt};
pub(crate) use table::Table;

use crate::dlt::merge_strategy::{MergeStrategy, RootKeyNeed};
use crate::fault::{Fault, Result};

/// The version of the stored form; dlt's `SCHEMA_ENGINE_VERSION`.
pub(crate) const ENGINE_VERSION: u64 = 11;

/// The normalizer whose configuration has the nesting limit and the propagation of root keys.
const RELATIONAL: &str = "dlt.common.normalizers.json.relational";

/// All the tables of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Schema {
    name: String,
    /// 0 before it is first stored.
    version: u64,
    /// Empty before it is first stored.
    version_hash: String,
    previous_hashes: Vec<String>,
    tables: IndexMap<String, Table>,
    settings: Map<String, Value>,
    normalizers: Map<String, Value>,
    /// Other stored keys: `description`, `imported_version_hash`, and unknown ones.
    rest: Map<String, Value>,
}

impl Schema {
    /// A new schema with dlt's own tables only.
    ///
    /// `naming` is the name of the naming convention; the default of a job is `snake_case`.
    pub(crate) fn new(name: impl Into<String>, naming: &str) -> Self {
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

    /// An empty schema with the same name and naming.
    #[must_use]
    pub(crate) fn fresh(&self) -> Self {
        let names = self.normalizers.get("names").and_then(Value::as_str).unwrap_or("snake_case");
        Self::new(self.name.as_str(), names)
    }

    /// The name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The number of its versions; 0 if it was never stored.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The hash of the content at the last [`Self::bump`]; empty before the first.
    pub(crate) fn version_hash(&self) -> &str {
        &self.version_hash
    }

    /// All tables, including dlt's own, in the order in which they were added.
    pub(crate) fn tables(&self) -> &IndexMap<String, Table> {
        &self.tables
    }

    /// The table with this name.
    pub(crate) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)
    }

    /// A table and its nested tables, each after its parent.
    pub(crate) fn chain(&self, root: &str) -> Vec<&Table> {
        // Grouped by parent in reverse order: comparing each table with each other would be
        // quadratic.
        let mut nested: FxHashMap<&str, Vec<&Table>> = FxHashMap::default();
        for table in self.tables.values().rev() {
            if let Some(parent) = table.parent() {
                nested.entry(parent).or_default().push(table);
            }
        }
        let mut chain = Vec::new();
        // An explicit stack cannot overflow, even with cyclic parents, which dlt never stores.
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

    /// The root table of a table: itself if it is not nested.
    pub(crate) fn root(&self, table: &str) -> Option<&Table> {
        let mut table = self.table(table)?;
        for _ in 0..self.tables.len() {
            match table.parent() {
                Some(parent) => table = self.table(parent)?,
                None => return Some(table),
            }
        }
        None
    }

    /// A hint of a table, or of its nearest ancestor that has it.
    pub(crate) fn inherited(&self, table: &str, hint: &str) -> Option<&Value> {
        let mut table = self.table(table)?;
        for _ in 0..self.tables.len() {
            if let Some(value) = table.hint(hint) {
                return Some(value);
            }
            table = self.table(table.parent()?)?;
        }
        None
    }

    /// The merge strategy of a table, or `None` if it is not merged.
    pub(crate) fn merge_strategy(&self, table: &str) -> Option<&str> {
        let disposition = self.inherited(table, "write_disposition")?.as_str()?;
        let strategy = self.inherited(table, "x-merge-strategy").and_then(Value::as_str);
        (disposition == "merge").then_some(strategy.unwrap_or(MergeStrategy::default().name()))
    }

    /// The columns of a root table whose value nested rows carry as `_dlt_root_id`: the last one
    /// that a row has. Usually only `_dlt_id`; empty if nested rows carry none.
    pub(crate) fn root_keys(&self, root: &str) -> Vec<&str> {
        let tables = self.config("propagation").and_then(|propagation| propagation.get("tables"));
        let columns = tables.and_then(|tables| tables.get(root)?.as_object());
        let to_root_id = |(_, to): &(&String, &Value)| to.as_str() == Some("_dlt_root_id");
        columns.into_iter().flatten().filter(to_root_id).map(|(from, _)| from.as_str()).collect()
    }

    /// The column of a root table by which nested rows refer to their root row.
    pub(crate) fn root_key(&self, root: &str) -> &str {
        let complete = |name: &&str| {
            self.table(root).and_then(|table| table.column(name)).is_some_and(Column::is_complete)
        };
        self.root_keys(root).into_iter().rev().find(complete).unwrap_or("_dlt_id")
    }

    /// The short name of the naming convention in dlt: `snake_case`, `direct`, `sql_cs_v1`, ...
    ///
    /// # Errors
    /// A destination fault if it is not one of dlt's.
    pub(crate) fn naming(&self) -> Result<&str> {
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

    /// Sets for the whole schema whether nested tables carry their root's id. By default they do if
    /// merging needs it.
    pub(crate) fn set_root_key(&mut self, propagate: bool) {
        self.set_config(&["root_key_propagation"], propagate.into());
    }

    /// Sets the write disposition `replace` of a root table.
    pub(crate) fn set_replaced(&mut self, table: &str) {
        if let Some(table) = self.tables.get_mut(table) {
            table.hints_mut().insert("write_disposition".into(), "replace".into());
        }
    }

    /// The settings: `default_hints`, `preferred_types`, `detections`, `schema_contract`.
    pub(crate) fn settings(&self) -> &Map<String, Value> {
        &self.settings
    }

    /// Adds or updates a table that a resource declares: the resource's keys, partitions and
    /// clusters replace the previous ones.
    ///
    /// Source: dlt 1.31, `extract/extractors.py`, `_compute_and_update_tables`.
    ///
    /// Returns `false` if the contract discards the new table.
    ///
    /// # Errors
    /// A config fault if the table cannot be changed as declared; a contract fault if the contract
    /// freezes what is new.
    pub(crate) fn declare(&mut self, mut table: Table) -> Result<bool> {
        let contract = Contract::of_new(self, &table)?;
        if contract.columns != ContractMode::Evolve
            && self.table(table.name()).is_none_or(Table::is_new)
        {
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

    /// Sets the contract of tables without their own.
    pub(crate) fn set_contract(&mut self, contract: Value) {
        self.settings.insert("schema_contract".into(), contract);
    }

    /// Adds a table or columns that were created by data. Call [`Self::propagate`] for its root
    /// table after the last one.
    ///
    /// # Errors
    /// A config fault if the table exists and the two are incompatible.
    pub(crate) fn add(&mut self, table: Table) -> Result<()> {
        self.update(table, false)
    }

    /// Adds a column that was created by data; see [`Table::add_column`]. Call [`Self::propagate`]
    /// for its root table after the last one.
    ///
    /// # Errors
    /// An internal fault if the table does not exist.
    pub(crate) fn add_column(&mut self, table: &str, column: Column) -> Result<()> {
        match self.tables.get_mut(table) {
            Some(found) => found.add_column(column),
            None => return Err(no_table(table)),
        }
        Ok(())
    }

    /// Records that the table has received rows.
    ///
    /// # Errors
    /// An internal fault if the table does not exist.
    pub(crate) fn mark_seen(&mut self, table: &str) -> Result<()> {
        self.tables.get_mut(table).ok_or_else(|| no_table(table))?.mark_seen();
        Ok(())
    }

    /// Sets a hint of a table, or of a column of it if it exists.
    pub(crate) fn remember(&mut self, table: &str, column: Option<&str>, hint: &str, value: Value) {
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

    /// Removes a table and its nested tables, and returns their names.
    pub(crate) fn drop(&mut self, root: &str) -> Vec<String> {
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

    /// Records which column of the root table nested rows carry, if any. It visits every table and
    /// column of the family: call it once per batch, not per column.
    ///
    /// Source: dlt 1.31, `common/normalizers/json/relational.py`, `extend_table`.
    pub(crate) fn propagate(&mut self, table: &str) {
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
