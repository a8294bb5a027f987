//! dlt's own tables, and the hints of dlt's own columns.
//!
//! Source: dlt 1.31, `common/schema/utils.py` (`version_table`, `loads_table`,
//! `pipeline_state_table`), `common/normalizers/json/relational.py` (`extend_schema`).

use serde_json::{Map, Value, json};

use super::{Column, Table};
use crate::dlt::types::{DataType, Kind};

/// One row per finished load.
pub(crate) const LOADS_TABLE: &str = "_dlt_loads";
/// One row per version of a schema.
pub(crate) const VERSION_TABLE: &str = "_dlt_version";
/// One row per version of the state of a pipeline.
pub(crate) const STATE_TABLE: &str = "_dlt_pipeline_state";

/// Returns `true` if a table or a column is dlt's own.
pub(crate) fn is_dlt(name: &str) -> bool {
    name.starts_with("_dlt")
}

/// The settings of a new schema.
pub(super) fn settings() -> Map<String, Value> {
    let hints = json!({
        "not_null": ["_dlt_id", "_dlt_root_id", "_dlt_parent_id", "_dlt_list_idx", "_dlt_load_id"],
        "parent_key": ["_dlt_parent_id"],
        "root_key": ["_dlt_root_id"],
        "unique": ["_dlt_id"],
        "row_key": ["_dlt_id"],
    });
    [("detections".to_owned(), json!(["iso_timestamp"])), ("default_hints".to_owned(), hints)]
        .into_iter()
        .collect()
}

pub(super) fn version_table() -> Table {
    table(VERSION_TABLE, "skip", "Created by DLT. Tracks schema updates").with_columns([
        column(
            "version",
            DataType::Bigint,
            false,
            "Numeric version of the schema, incremented on each schema change",
        ),
        column(
            "engine_version",
            DataType::Bigint,
            false,
            "Version of the dlt schema engine that created this schema",
        ),
        column(
            "inserted_at",
            DataType::Timestamp,
            false,
            "Timestamp when this schema version was stored",
        ),
        column("schema_name", DataType::Text, false, "Name of the schema"),
        column(
            "version_hash",
            DataType::Text,
            false,
            "Unique hash of the schema content, used to detect changes",
        ),
        column(
            "schema",
            DataType::Text,
            false,
            "JSON representation of the complete schema definition",
        ),
    ])
}

pub(super) fn loads_table() -> Table {
    table(LOADS_TABLE, "skip", "Created by DLT. Tracks completed loads").with_columns([
        column("load_id", DataType::Text, false, "Unique identifier of the load operation")
            .with("precision", 64),
        column("schema_name", DataType::Text, true, "Name of the schema associated with this load"),
        column("status", DataType::Bigint, false, "Status of the load operation (0 = success)"),
        column("inserted_at", DataType::Timestamp, false, "Timestamp when the load was completed"),
        column(
            "schema_version_hash",
            DataType::Text,
            true,
            "Hash of the schema version used during this load",
        ),
    ])
}

/// dlt loads this table like any data: it has a row id, and has seen data.
pub(super) fn state_table() -> Table {
    let mut table =
        Table::root(STATE_TABLE, STATE_TABLE).with("file_format", "preferred").with_columns([
            column("version", DataType::Bigint, false, "Numeric version of the pipeline state"),
            column("engine_version", DataType::Bigint, false, "Version of the dlt state engine"),
            column(
                "pipeline_name",
                DataType::Text,
                false,
                "Name of the pipeline this state belongs to",
            ),
            column(
                "state",
                DataType::Text,
                false,
                "Compressed JSON representation of the pipeline state",
            ),
            column(
                "created_at",
                DataType::Timestamp,
                false,
                "Timestamp when this state was created",
            ),
            column(
                "version_hash",
                DataType::Text,
                true,
                "Hash of the state content, used to detect changes",
            ),
            column(
                "_dlt_load_id",
                DataType::Text,
                false,
                "Load identifier linking this row to its load operation",
            )
            .with("precision", 64),
            Column::row_id(),
        ]);
    table.mark_seen();
    table
}

fn table(name: &str, write_disposition: &str, description: &str) -> Table {
    Table::root(name, name)
        .with("write_disposition", write_disposition)
        .with("description", description)
}

fn column(name: &str, data_type: DataType, nullable: bool, description: &str) -> Column {
    Column::new(name, Kind::of(data_type), nullable).with("description", description)
}
