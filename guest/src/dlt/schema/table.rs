//! A table of the schema: its columns and its hints, in dlt's terms.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::column::{COMPOUND, Column};
use crate::fault::{Context, Fault, Result};

/// A table. If it has a parent, it is nested: its rows belong to rows of the parent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Table {
    name: String,
    columns: IndexMap<String, Column>,
    /// All hints, without the name and the columns.
    hints: Map<String, Value>,
}

impl Table {
    /// The root table of a resource. Its default disposition is `append`.
    pub(crate) fn root(name: impl Into<String>, resource: &str) -> Self {
        let mut hints = Map::new();
        hints.insert("write_disposition".into(), "append".into());
        hints.insert("resource".into(), resource.into());
        Self { name: name.into(), columns: IndexMap::new(), hints }
    }

    /// A nested table, for lists in the rows of its parent.
    pub(crate) fn child(name: impl Into<String>, parent: &str) -> Self {
        let mut hints = Map::new();
        hints.insert("parent".into(), parent.into());
        Self { name: name.into(), columns: IndexMap::new(), hints }
    }

    /// Adds a hint.
    #[must_use]
    pub(crate) fn with(mut self, hint: &str, value: impl Into<Value>) -> Self {
        self.hints.insert(hint.into(), value.into());
        self
    }

    /// Appends columns.
    #[must_use]
    pub(crate) fn with_columns(mut self, columns: impl IntoIterator<Item = Column>) -> Self {
        for column in columns {
            self.add_column(column);
        }
        self
    }

    /// The normalized name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The columns in dlt's order, including those without a known type.
    pub(crate) fn columns(&self) -> &IndexMap<String, Column> {
        &self.columns
    }

    /// The columns that exist, or will exist, in the destination: those with a type.
    pub(crate) fn complete_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.values().filter(|column| column.is_complete())
    }

    /// A column, with or without a known type.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.get(name)
    }

    /// The names of the columns that have a hint: `primary_key`, `merge_key`, `hard_delete`, ...
    pub(crate) fn columns_with<'a>(&'a self, hint: &'a str) -> impl Iterator<Item = &'a str> {
        self.columns.values().filter(move |column| column.has(hint)).map(Column::name)
    }

    /// The parent, if the table is nested.
    pub(crate) fn parent(&self) -> Option<&str> {
        self.text("parent").filter(|parent| !parent.is_empty())
    }

    /// The resource of a root table.
    pub(crate) fn resource(&self) -> Option<&str> {
        self.text("resource")
    }

    /// `append`, `replace`, `merge` or `skip`. Nested tables have none.
    pub(crate) fn write_disposition(&self) -> Option<&str> {
        self.text("write_disposition")
    }

    /// The nesting limit of this table, if the resource sets one.
    pub(crate) fn max_nesting(&self) -> Option<u64> {
        self.hint("x-normalizer")?.get("max_nesting")?.as_u64()
    }

    /// Returns `true` if the table has received rows, so that it exists in the destination.
    pub(crate) fn has_seen_data(&self) -> bool {
        self.normalizer_flag("seen-data")
    }

    /// Returns `true` if the table is new: its first rows may add columns regardless of the
    /// contract.
    pub(crate) fn evolves_once(&self) -> bool {
        self.normalizer_flag("evolve-columns-once")
    }

    /// A hint, if it is set: `schema_contract`, `x-merge-strategy`, `description`, ...
    pub(crate) fn hint(&self, hint: &str) -> Option<&Value> {
        self.hints.get(hint)
    }

    /// Returns `true` if no column has a type yet.
    pub(crate) fn is_new(&self) -> bool {
        self.complete_columns().next().is_none()
    }

    /// Adds a column that was created by data.
    ///
    /// If the table has hints for this name without a type, they are kept and take precedence; the
    /// column moves to the end, where it is created. An existing column receives the hints of the
    /// new one.
    ///
    /// Source: dlt 1.31, `common/schema/utils.py`, `merge_columns`, and
    /// `normalize/items_normalizers/jsonl.py`, `_coerce_non_null_value`.
    pub(crate) fn add_column(&mut self, mut column: Column) {
        if let Some(known) = self.columns.get_mut(&column.name().to_owned()) {
            if known.is_complete() || !column.is_complete() {
                known.merge(&column);
                return;
            }
            column.merge(known);
            self.columns.shift_remove(column.name());
        }
        self.columns.insert(column.name().to_owned(), column);
    }

    /// Records that the table has received rows.
    ///
    /// Source: dlt 1.31, `normalize/normalize.py`, `clean_x_normalizer`.
    pub(crate) fn mark_seen(&mut self) {
        self.change_normalizer(|hints| {
            hints.shift_remove("evolve-columns-once");
            hints.entry("seen-data").or_insert(Value::Bool(true));
        });
    }

    pub(super) fn mark_evolves_once(&mut self) {
        self.change_normalizer(|hints| {
            hints.insert("evolve-columns-once".into(), true.into());
        });
    }

    /// Merges another description of the same table into this one. If `authoritative`, its keys,
    /// partitions and clusters replace the existing ones.
    ///
    /// Source: dlt 1.31, `common/schema/utils.py`, `merge_table`.
    ///
    /// # Errors
    /// A config fault if the two have different parents, or different types for a column: types
    /// never change.
    pub(super) fn merge(&mut self, other: Self, authoritative: bool) -> Result<()> {
        if self.parent() != other.parent() {
            let parent = |table: &Self| table.parent().unwrap_or("no table").to_owned();
            return Err(Fault::config(format_args!(
                "the table is nested in {} in the stored schema, but in {} now",
                parent(self),
                parent(&other)
            ))
            .at(format_args!("table {}", self.name)));
        }
        for column in other.columns.values() {
            self.check_type(column).at(|| format!("table {}", self.name))?;
        }
        if authoritative {
            let has = |hint: &&str| other.columns_with(hint).next().is_some();
            for hint in COMPOUND.iter().filter(|hint| has(hint)) {
                for column in self.columns.values_mut() {
                    column.remove(hint);
                }
            }
        }
        for (name, column) in other.columns {
            match self.columns.get_mut(&name) {
                Some(known) if known.is_complete() || !column.is_complete() => known.merge(&column),
                known => {
                    let mut merged = known.map_or_else(|| column.clone(), |known| known.clone());
                    merged.merge(&column);
                    self.columns.shift_remove(&name);
                    self.columns.insert(name, merged);
                }
            }
        }
        for (hint, value) in other.hints {
            match (hint.as_str(), value) {
                // dlt replaces this hint, and so loses for a while that the table has seen data.
                ("x-normalizer", Value::Object(flags)) => {
                    self.change_normalizer(|known| known.extend(flags))
                }
                ("references", Value::Array(references)) => self.merge_references(references),
                (_, value) => {
                    self.hints.insert(hint, value);
                }
            }
        }
        Ok(())
    }

    /// Parses the stored form.
    pub(super) fn parse(name: &str, value: Value) -> Result<Self> {
        let object = |value: Value, what: &str| match value {
            Value::Object(map) => Ok(map),
            other => {
                Err(Fault::config(format_args!("expected an object as {what}, found {other}")))
            }
        };
        let mut hints = object(value, "the table")?;
        hints.shift_remove("name");
        let columns = hints.shift_remove("columns").unwrap_or(Value::Null);
        let columns = object(columns, "its columns")?.into_iter().map(|(name, value)| {
            let hints = object(value, "the column").at(|| format!("column {name}"))?;
            Ok((name.clone(), Column::from_hints(name, hints)?))
        });
        let mut table =
            Self { name: name.to_owned(), columns: columns.collect::<Result<_>>()?, hints };
        if table.parent().is_none() {
            // dlt's defaults; `apply_defaults` in `common/schema/utils.py`.
            for (hint, default) in [("write_disposition", "append"), ("resource", name)] {
                if table.hint(hint).is_none_or(Value::is_null) {
                    table = table.with(hint, default);
                }
            }
        }
        Ok(table)
    }

    pub(super) fn to_value(&self) -> Value {
        let columns = self.columns.iter().map(|(name, column)| (name.clone(), column.to_value()));
        let head = [
            ("name".to_owned(), Value::from(self.name.as_str())),
            ("columns".to_owned(), Value::Object(columns.collect())),
        ];
        let hints = self.hints.iter().map(|(hint, value)| (hint.clone(), value.clone()));
        Value::Object(head.into_iter().chain(hints).collect())
    }

    pub(super) fn hints_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.hints
    }

    pub(super) fn columns_mut(&mut self) -> &mut IndexMap<String, Column> {
        &mut self.columns
    }

    fn text(&self, hint: &str) -> Option<&str> {
        self.hint(hint)?.as_str()
    }

    fn normalizer_flag(&self, flag: &str) -> bool {
        self.hint("x-normalizer").and_then(|hints| hints.get(flag)) == Some(&Value::Bool(true))
    }

    /// Changes the table's `x-normalizer` hint.
    fn change_normalizer(&mut self, change: impl FnOnce(&mut Map<String, Value>)) {
        let hints = self.hints.entry("x-normalizer").or_insert(Value::Null);
        if let Value::Object(map) = hints {
            change(map);
        } else {
            let mut map = Map::new();
            change(&mut map);
            *hints = Value::Object(map);
        }
    }

    /// References are identified by the table they refer to.
    #[expect(clippy::indexing_slicing, reason = "a JSON value without the key is null")]
    fn merge_references(&mut self, new: Vec<Value>) {
        let known = self.hints.entry("references").or_insert(Value::Array(Vec::new()));
        let Value::Array(known) = known else {
            *known = Value::Array(new);
            return;
        };
        for reference in new {
            let same =
                |other: &&mut Value| other["referenced_table"] == reference["referenced_table"];
            match known.iter_mut().find(same) {
                Some(other) => *other = reference,
                None => known.push(reference),
            }
        }
    }

    fn check_type(&self, column: &Column) -> Result<()> {
        let types = self.column(column.name()).and_then(Column::kind).zip(column.kind());
        match types {
            Some((known, new)) if known.data_type != new.data_type => Err(Fault::config(format_args!(
                "the column has the type {} in the stored schema, but {} is asked for now: the type of \
                 a column cannot be changed (\"refresh\": \"drop_resources\" loads the resource into new \
                 tables)",
                known.data_type.name(),
                new.data_type.name()
            ))
            .at(format_args!("column {}", column.name()))),
            _ => Ok(()),
        }
    }
}
