//! The stored form of the schema, the hash of its content, and its version.

use serde_json::{Map, Value};

use super::{Column, ENGINE_VERSION, Schema, Table, migrate, packed};
use crate::fault::{Context, Fault, FaultKind, Result};

/// The number of previous hashes that dlt keeps.
const HISTORY: usize = 10;

impl Schema {
    /// Parses `_dlt_version.schema`: JSON, or JSON compressed and in base64.
    ///
    /// # Errors
    /// A destination fault that names what differs from dlt's form, or if it was stored by a dlt
    /// that is too new or too old.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let parse = || {
            let mut document = packed::unpack(text)?;
            migrate::migrate(&mut document)?;
            Self::from_document(document)
        };
        parse()
            // An error here concerns the stored schema, not the job.
            .map_err(|fault| Fault { kind: FaultKind::Destination, ..fault })
            .at(|| "stored schema")
    }

    /// The text for `_dlt_version.schema`: JSON, or JSON compressed and in base64 if it is longer
    /// than `limit` bytes. dlt reads both; its limit is Snowflake's 16 MiB.
    pub(crate) fn to_text(&self, limit: usize) -> String {
        let text = self.to_json();
        if text.len() > limit { packed::pack(&text) } else { text }
    }

    /// The stored form as JSON.
    pub(crate) fn to_json(&self) -> String {
        packed::print(&self.to_document())
    }

    /// Updates the version and its hash if the content has changed. Call it when the load knows all
    /// tables and columns, before the schema is stored. Returns `true` if it has changed.
    ///
    /// Source: dlt 1.31, `common/schema/utils.py`, `bump_version_if_modified`.
    ///
    /// # Errors
    /// A destination fault if the content has no canonical form.
    pub(crate) fn bump(&mut self) -> Result<bool> {
        let hash = self.content_hash()?;
        if hash == self.version_hash {
            return Ok(false);
        }
        let previous = std::mem::replace(&mut self.version_hash, hash);
        if previous.is_empty() {
            self.version = self.version.max(1);
        } else {
            self.version += 1;
            if !self.previous_hashes.contains(&previous) {
                self.previous_hashes.insert(0, previous);
                self.previous_hashes.truncate(HISTORY);
            }
        }
        Ok(true)
    }

    /// Source: dlt 1.31, `common/schema/utils.py`, `generate_version_hash`.
    fn content_hash(&self) -> Result<String> {
        let mut document = self.to_document();
        for key in ["version", "version_hash", "imported_version_hash", "previous_hashes"] {
            document.shift_remove(key);
        }
        let mut tables: Vec<_> = self.tables.values().collect();
        tables.sort_unstable_by_key(|table| table.name());
        let names = tables.into_iter().flat_map(|table| {
            [table.name()].into_iter().chain(table.columns().values().map(Column::name))
        });
        packed::hash(&document, names)
    }

    fn to_document(&self) -> Map<String, Value> {
        let tables = self.tables.iter().map(|(name, table)| (name.clone(), table.to_value()));
        let head = [
            ("version", self.version.into()),
            ("version_hash", self.version_hash.as_str().into()),
            ("engine_version", ENGINE_VERSION.into()),
            ("name", self.name.as_str().into()),
            ("tables", Value::Object(tables.collect())),
            ("settings", self.settings.clone().into()),
            ("normalizers", self.normalizers.clone().into()),
            ("previous_hashes", self.previous_hashes.clone().into()),
        ];
        let head = head.into_iter().map(|(key, value)| (key.to_owned(), value));
        head.chain(self.rest.clone()).collect()
    }

    fn from_document(mut document: Map<String, Value>) -> Result<Self> {
        let mut take = |key: &str| document.shift_remove(key).unwrap_or(Value::Null);
        let wrong = |key: &str, expected: &str, found: &Value| {
            Fault::destination(format_args!("expected {expected} as {key}, found {found}"))
        };
        let text = |key: &str, found: Value| match found {
            Value::String(text) => Ok(text),
            Value::Null if key == "version_hash" => Ok(String::new()),
            other => Err(wrong(key, "a string", &other)),
        };
        let object = |key: &str, found: Value| match found {
            Value::Object(map) => Ok(map),
            Value::Null if key == "settings" => Ok(Map::new()),
            other => Err(wrong(key, "an object", &other)),
        };
        take("engine_version");
        let version = match take("version") {
            Value::Null => 0,
            found => found.as_u64().ok_or_else(|| wrong("version", "an integer", &found))?,
        };
        let previous_hashes = match take("previous_hashes") {
            Value::Array(hashes) => hashes
                .into_iter()
                .map(|hash| text("previous_hashes", hash))
                .collect::<Result<_>>()?,
            Value::Null => Vec::new(),
            found => return Err(wrong("previous_hashes", "a list", &found)),
        };
        let tables = object("tables", take("tables"))?.into_iter().map(|(name, table)| {
            let table = Table::parse(&name, table).at(|| format!("table {name}"))?;
            Ok((name, table))
        });
        let schema = Self {
            name: text("name", take("name"))?,
            version,
            version_hash: text("version_hash", take("version_hash"))?,
            previous_hashes,
            tables: tables.collect::<Result<_>>()?,
            settings: object("settings", take("settings"))?,
            normalizers: object("normalizers", take("normalizers"))?,
            rest: document,
        };
        for table in schema.tables.values() {
            if schema.root(table.name()).is_none() {
                return Err(Fault::destination("expected the table's parents in the schema")
                    .at(format_args!("table {}", table.name())));
            }
        }
        Ok(schema)
    }
}
