//! The rows of dlt's own tables, column by column in dlt's order.
//!
//! Which columns there are, with their types, the schema tells ([`crate::dlt::schema::LOADS_TABLE`] and
//! the others in [`crate::dlt::schema::Schema::table`]); the names here are those.

use super::{Instant, LoadId, State};
use crate::dlt::hash::b64_digest;
use crate::dlt::schema::{self, Schema};

/// Bytes in an id of a row; dlt's `DLT_ID_LENGTH_BYTES`.
const ID_BYTES: usize = 10;

/// A value of one of these rows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Cell {
    /// A whole number.
    Int(u64),
    /// A point in time.
    Instant(Instant),
    /// A text.
    Text(String),
}

impl From<u64> for Cell {
    fn from(value: u64) -> Self {
        Self::Int(value)
    }
}

impl From<Instant> for Cell {
    fn from(value: Instant) -> Self {
        Self::Instant(value)
    }
}

impl<T: AsRef<str>> From<&T> for Cell {
    fn from(value: &T) -> Self {
        Self::Text(value.as_ref().to_owned())
    }
}

/// A row of `_dlt_loads`: a load that has finished.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LoadRow {
    /// The load.
    pub load_id: LoadId,
    /// The schema's name.
    pub schema_name: String,
    /// When the load finished.
    pub inserted_at: Instant,
    /// The schema's hash.
    pub schema_version_hash: String,
}

impl LoadRow {
    /// The row of a load with this schema, which has been bumped.
    pub fn new(load_id: &LoadId, schema: &Schema, now: Instant) -> Self {
        Self {
            load_id: load_id.clone(),
            schema_name: schema.name().to_owned(),
            inserted_at: now,
            schema_version_hash: schema.version_hash().to_owned(),
        }
    }

    /// The columns and their values.
    pub fn cells(&self) -> [(&'static str, Cell); 5] {
        [
            ("load_id", Cell::Text(self.load_id.to_string())),
            ("schema_name", (&self.schema_name).into()),
            // 0 is success: a load that fails leaves no row.
            ("status", 0.into()),
            ("inserted_at", self.inserted_at.into()),
            ("schema_version_hash", (&self.schema_version_hash).into()),
        ]
    }
}

/// A row of `_dlt_version`: a content of a schema.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VersionRow {
    /// The schema's version.
    pub version: u64,
    /// When it was stored.
    pub inserted_at: Instant,
    /// The schema's name.
    pub schema_name: String,
    /// The hash of its content.
    pub version_hash: String,
    /// The schema.
    pub schema: String,
}

impl VersionRow {
    /// The row of a schema that has been bumped; its text is compressed when it is longer than
    /// `limit` bytes.
    pub fn new(schema: &Schema, now: Instant, limit: usize) -> Self {
        Self {
            version: schema.version(),
            inserted_at: now,
            schema_name: schema.name().to_owned(),
            version_hash: schema.version_hash().to_owned(),
            schema: schema.to_text(limit),
        }
    }

    /// The columns and their values.
    pub fn cells(&self) -> [(&'static str, Cell); 6] {
        [
            ("version", self.version.into()),
            ("engine_version", schema::ENGINE_VERSION.into()),
            ("inserted_at", self.inserted_at.into()),
            ("schema_name", (&self.schema_name).into()),
            ("version_hash", (&self.version_hash).into()),
            ("schema", (&self.schema).into()),
        ]
    }
}

/// A row of `_dlt_pipeline_state`: a content of the state of a pipeline.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StateRow {
    /// The state's version.
    pub version: u64,
    /// The pipeline.
    pub pipeline_name: String,
    /// The state.
    pub state: String,
    /// When it was stored.
    pub created_at: Instant,
    /// The hash of its content.
    pub version_hash: String,
    /// The load that brought it.
    pub load_id: LoadId,
}

impl StateRow {
    /// The row of a state that has been bumped.
    pub fn new(load_id: &LoadId, state: &State, now: Instant) -> Self {
        Self {
            version: state.version(),
            pipeline_name: state.pipeline().to_owned(),
            state: state.to_text(),
            created_at: now,
            version_hash: state.version_hash().to_owned(),
            load_id: load_id.clone(),
        }
    }

    /// The columns and their values.
    pub fn cells(&self) -> [(&'static str, Cell); 8] {
        // dlt's is random. This one is its own for each load of each pipeline.
        let row = format!("{}_{}", self.pipeline_name, self.load_id);
        [
            ("version", self.version.into()),
            ("engine_version", super::ENGINE_VERSION.into()),
            ("pipeline_name", (&self.pipeline_name).into()),
            ("state", (&self.state).into()),
            ("created_at", self.created_at.into()),
            ("version_hash", (&self.version_hash).into()),
            ("_dlt_load_id", Cell::Text(self.load_id.to_string())),
            ("_dlt_id", Cell::Text(b64_digest(row.as_bytes(), ID_BYTES))),
        ]
    }
}
