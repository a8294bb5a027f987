//! The hints of a resource, converted to a table of the schema.
//!
//! Source: dlt 1.31, `extract/hints.py` (`_hints_to_table_schema`, `compute_table_schema`,
//! `compute_nested_table_schemas`) and `common/schema/utils.py` (`normalize_table_identifiers`).

use indexmap::IndexMap;
use indexmap::map::Entry;
use serde_json::{Map, Value};

use super::{Column, Table};
use crate::dlt::merge_strategy::MergeStrategy;
use crate::fault::{Context, Fault, Result};

/// The keys of a merge disposition, and the table hints that store them.
const MERGE_HINTS: [(&str, &str); 5] = [
    ("strategy", "x-merge-strategy"),
    ("deduplicated", "x-stage-data-deduplicated"),
    ("source_filter", "x-merge-source-filter"),
    ("destination_scope", "x-merge-destination-scope"),
    ("skip_unchanged_rows", "x-merge-skip-unchanged-rows"),
];

/// The hints of a resource, or of a table nested in it. Names are not normalized.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hints {
    /// The columns in order, each with its hints.
    pub(crate) columns: IndexMap<String, Map<String, Value>>,
    /// The primary key of the table, if one is set. An empty key removes the `primary_key` hints of
    /// the columns.
    pub(crate) primary_key: Option<Vec<String>>,
    /// The merge key, in the same way.
    pub(crate) merge_key: Option<Vec<String>>,
    /// `append`, `replace`, `merge`, or an object with a `disposition` and its options.
    pub(crate) write_disposition: Option<Value>,
    /// The column of the incremental cursor, if the cursor's path is a plain name.
    pub(crate) cursor: Option<String>,
    /// The maximum nesting level.
    pub(crate) max_nesting: Option<u64>,
    /// Hints that are stored in the table unchanged: `schema_contract`, `description`,
    /// `references`, ...
    pub(crate) table: Map<String, Value>,
}

impl Hints {
    /// The table of a resource. `name` is normalized; `normalize` is applied to the columns' names.
    ///
    /// # Errors
    /// A config fault that names the column or option that dlt does not allow.
    pub(crate) fn root(
        &self,
        name: &str,
        resource: &str,
        normalize: impl Fn(&str) -> String,
    ) -> Result<Table> {
        self.fill(Table::root(name, resource), &normalize).at(|| format!("table {name}"))
    }

    /// The table of nested hints. With a key of its own it is a root table of the resource.
    ///
    /// # Errors
    /// As [`Hints::root`].
    pub(crate) fn nested(
        &self,
        name: &str,
        parent: &str,
        resource: &str,
        normalize: impl Fn(&str) -> String,
    ) -> Result<Table> {
        let table = self.fill(Table::child(name, parent), &normalize);
        let mut table = table.at(|| format!("table {name}"))?;
        let keys = ["primary_key", "merge_key"];
        if keys.iter().any(|key| table.columns_with(key).next().is_some()) {
            table.hints_mut().shift_remove("parent");
            let disposition = table.write_disposition().unwrap_or("append").to_owned();
            table = table.with("write_disposition", disposition).with("resource", resource);
        }
        Ok(table)
    }

    fn fill(&self, mut table: Table, normalize: &dyn Fn(&str) -> String) -> Result<Table> {
        let mut columns = self.columns.clone();
        if let Some(key) = &self.primary_key {
            set_key(&mut columns, "primary_key", key);
        }
        if let Some(key) = &self.merge_key {
            set_key(&mut columns, "merge_key", key);
        }
        for (hint, value) in &self.table {
            table = table.with(hint, value.clone());
        }
        if let Some(disposition) = &self.write_disposition {
            set_disposition(&mut table, &mut columns, disposition).at(|| "write_disposition")?;
        }
        if let Some(cursor) = &self.cursor {
            columns.entry(cursor.clone()).or_default().insert("incremental".into(), true.into());
        }
        if let Some(levels) = self.max_nesting {
            table = table.with("x-normalizer", serde_json::json!({ "max_nesting": levels }));
        }
        normalize_references(&mut table, normalize);
        for (name, hints) in columns {
            let name = normalize(&name);
            let column = Column::from_hints(name.as_str(), hints)?;
            // If two names normalize to the same one, the hints of the later column win.
            match table.columns_mut().entry(name) {
                Entry::Occupied(mut known) => known.get_mut().merge_hints_of(&column),
                Entry::Vacant(place) => {
                    place.insert(column);
                }
            }
        }
        Ok(table)
    }
}

fn set_key(columns: &mut IndexMap<String, Map<String, Value>>, hint: &str, key: &[String]) {
    for column in columns.values_mut() {
        column.shift_remove(hint);
    }
    for name in key {
        let column = columns.entry(name.clone()).or_default();
        // Key columns are not nullable unless the job says so.
        column.entry("nullable").or_insert(Value::Bool(false));
        column.insert(hint.into(), true.into());
    }
}

fn set_disposition(
    table: &mut Table,
    columns: &mut IndexMap<String, Map<String, Value>>,
    disposition: &Value,
) -> Result<()> {
    let options = match disposition {
        Value::String(_) => &Map::new(),
        Value::Object(options) => options,
        other => {
            return Err(Fault::config(format_args!(
                "expected a string or an object, found {other}"
            )));
        }
    };
    let kind = options.get("disposition").unwrap_or(disposition);
    let Some(kind @ ("append" | "replace" | "merge" | "skip")) = kind.as_str() else {
        return Err(Fault::config(format_args!(
            "expected append, replace, merge or skip, found {kind}"
        )));
    };
    table.hints_mut().insert("write_disposition".into(), kind.into());
    if kind != "merge" {
        return Ok(());
    }
    for (key, hint) in MERGE_HINTS {
        if let Some(value) = options.get(key).filter(|value| is_true(value)) {
            table.hints_mut().insert(hint.into(), value.clone());
        }
    }
    let name = |key: &str| match options.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) => Ok(Some(name.as_str())),
        Some(other) => {
            Err(Fault::config(format_args!("expected a column's name as {key}, found {other}")))
        }
    };
    let version = name("row_version_column_name")?;
    let strategy = options.get("strategy").and_then(Value::as_str).and_then(MergeStrategy::parse);
    if !strategy.is_some_and(MergeStrategy::keeps_versions) {
        if let Some(version) = version
            && options.get("skip_unchanged_rows").is_some_and(is_true)
        {
            let column = columns.entry(version.to_owned()).or_default();
            column.insert("nullable".into(), false.into());
            column.insert("x-row-version".into(), true.into());
        }
        return Ok(());
    }
    if let Some(boundary) = options.get("boundary_timestamp") {
        table.hints_mut().insert("x-boundary-timestamp".into(), boundary.clone());
    }
    let (from, to) = match options.get("validity_column_names") {
        None | Some(Value::Null) => ("_dlt_valid_from", "_dlt_valid_to"),
        Some(names) => match names.as_array().map(Vec::as_slice) {
            Some([Value::String(from), Value::String(to)]) => (from.as_str(), to.as_str()),
            _ => {
                return Err(Fault::config(format_args!(
                    "expected two names as validity_column_names, found {names}"
                )));
            }
        },
    };
    let active = options.get("active_record_timestamp").cloned().unwrap_or(Value::Null);
    let mut set = |name: &str, hints: &[(&str, Value)]| {
        let hints = hints.iter().map(|(hint, value)| ((*hint).to_owned(), value.clone()));
        columns.insert(name.to_owned(), hints.collect());
    };
    let timestamp = ("data_type", Value::from("timestamp"));
    // They are NULL in the staged rows.
    let nullable = ("nullable", Value::from(true));
    set(from, &[timestamp.clone(), nullable.clone(), ("x-valid-from", true.into())]);
    set(
        to,
        &[timestamp, nullable, ("x-valid-to", true.into()), ("x-active-record-timestamp", active)],
    );
    // A row may return after it was retired, so its hash is not unique.
    let is_not = |hint| (hint, Value::from(false));
    set(
        version.unwrap_or("_dlt_id"),
        &[is_not("nullable"), ("x-row-version", true.into()), is_not("unique"), is_not("row_key")],
    );
    Ok(())
}

/// Returns `true` if Python treats the value as true.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(n) => n.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

fn normalize_references(table: &mut Table, normalize: &dyn Fn(&str) -> String) {
    let Some(Value::Array(references)) = table.hints_mut().get_mut("references") else {
        return;
    };
    for reference in references {
        for (key, value) in reference.as_object_mut().into_iter().flatten() {
            let names = match (key.as_str(), value) {
                ("referenced_table", name) => std::slice::from_mut(name),
                ("columns" | "referenced_columns", Value::Array(names)) => names.as_mut_slice(),
                _ => continue,
            };
            for name in names {
                if let Some(text) = name.as_str() {
                    *name = normalize(text).into();
                }
            }
        }
    }
}
