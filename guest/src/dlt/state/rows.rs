//! The rows of dlt's own tables, column by column in dlt's order.
//!
//! The schema has the columns and their types ([`crate::dlt::schema::LOADS_TABLE`] and the others
//! in [`crate::dlt::schema::Schema::table`]); the names here are the same.

use super::{Instant, LoadId, State};
use crate::dlt::hash::b64_digest;
use crate::dlt::schema::{self, Schema};

/// The number of bytes in a row id; dlt's `DLT_ID_LENGTH_BYTES`.
const ID_BYTES: usize = 10;

/// A value of such a row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Cell {
    /// An integer.
    Int(u64),
    /// A point in time.
    Instant(Instant),
    /// A string.
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

/// A row of `_dlt_loads`: a finished load.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct LoadRow {
    /// The id of the load.
    pub(crate) load_id: LoadId,
    /// The name of the schema.
    pub(crate) schema_name: String,
    /// When the load finished.
    pub(crate) inserted_at: Instant,
    /// The hash of the schema.
    pub(crate) schema_version_hash: String,
}

impl LoadRow {
    /// The row of a load with this schema, after [`Schema::bump`].
    pub(crate) fn new(load_id: &LoadId, schema: &Schema, now: Instant) -> Self {
        Self {
            load_id: load_id.clone(),
            schema_name: schema.name().to_owned(),
            inserted_at: now,
            schema_version_hash: schema.version_hash().to_owned(),
        }
    }

    /// The columns and their values.
    pub(crate) fn cells(&self) -> [(&'static str, Cell); 5] {
        [
            ("load_id", Cell::Text(self.load_id.to_string())),
            ("schema_name", (&self.schema_name).into()),
            // 0 is success: a failed load has no row.
            ("status", 0.into()),
            ("inserted_at", self.inserted_at.into()),
            ("schema_version_hash", (&self.schema_version_hash).into()),
        ]
    }
}

/// A row of `_dlt_version`: one version of a schema.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct VersionRow {
    /// The version of the schema.
    pub(crate) version: u64,
    /// When it was stored.
    pub(crate) inserted_at: Instant,
    /// The name of the schema.
    pub(crate) schema_name: String,
    /// The hash of its content.
    pub(crate) version_hash: String,
    /// The stored form of the schema.
    pub(crate) schema: String,
}

impl VersionRow {
    /// The row of a schema after [`Schema::bump`]. Its text is compressed if longer than `limit`
    /// bytes.
    pub(crate) fn new(schema: &Schema, now: Instant, limit: usize) -> Self {
        Self {
            version: schema.version(),
            inserted_at: now,
            schema_name: schema.name().to_owned(),
            version_hash: schema.version_hash().to_owned(),
            schema: schema.to_text(limit),
        }
    }

    /// The columns and their values.
    pub(crate) fn cells(&self) -> [(&'static str, Cell); 6] {
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

/// A row of `_dlt_pipeline_state`: one version of the state of a pipeline.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct StateRow {
    /// The version of the state.
    pub(crate) version: u64,
    /// The name of the pipeline.
    pub(crate) pipeline_name: String,
    /// The stored form of the state.
    pub(crate) state: String,
    /// When it was stored.
    pub(crate) created_at: Instant,
    /// The hash of its content.
    pub(crate) version_hash: String,
    /// The load that stored it.
    pub(crate) load_id: LoadId,
}

impl StateRow {
    /// The row of a state after [`State::bump`].
    pub(crate) fn new(load_id: &LoadId, state: &State, now: Instant) -> Self {
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
    pub(crate) fn cells(&self) -> [(&'static str, Cell); 8] {
        // dlt's id is random. Ours is determined by the load and the pipeline.
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
