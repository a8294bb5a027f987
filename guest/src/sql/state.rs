//! Reading and writing what dlt keeps beside the data: `_dlt_loads`, `_dlt_version`,
//! `_dlt_pipeline_state`; and asking what is there at all.

use super::{Name, join, literal, quote};

/// A value of a row that is written with the statement itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Int(i64),
    /// An instant: microseconds since 1970 UTC.
    Instant(i64),
    /// A text.
    Text(String),
    /// Nothing.
    Null,
}

impl Value {
    pub(super) fn sql(&self) -> String {
        match self {
            Self::Int(n) => n.to_string(),
            // A number and its scale: no session format, no session time zone.
            Self::Instant(micros) => format!("TO_TIMESTAMP_LTZ({micros}, 6)"),
            Self::Text(text) => literal(text),
            Self::Null => "NULL".to_owned(),
        }
    }
}

/// The columns of every table in these schemas of the database: schema, table, column, as text, in
/// the tables' own order.
pub fn select_columns(database: &str, schemas: &[String]) -> String {
    format!(
        "SELECT \"TABLE_SCHEMA\", \"TABLE_NAME\", \"COLUMN_NAME\", \"DATA_TYPE\", \"IS_NULLABLE\" FROM {}.{}.{} \
         WHERE \"TABLE_SCHEMA\" IN ({}) ORDER BY \"TABLE_SCHEMA\", \"TABLE_NAME\", \"ORDINAL_POSITION\"",
        quote(database),
        quote("INFORMATION_SCHEMA"),
        quote("COLUMNS"),
        join(schemas, ", ", |schema| literal(schema)),
    )
}

/// The stages of a schema whose names begin so: their names.
/// Source: Snowflake documentation, "STAGES view" of the information schema.
pub fn select_stages(database: &str, schema: &str, prefix: &str) -> String {
    format!(
        "SELECT \"STAGE_NAME\" FROM {}.{}.{} WHERE \"STAGE_SCHEMA\" = {} AND STARTSWITH(\"STAGE_NAME\", {})",
        quote(database),
        quote("INFORMATION_SCHEMA"),
        quote("STAGES"),
        literal(schema),
        literal(prefix),
    )
}

/// How the columns of dlt's tables are called here.
pub struct Bookkeeping<'a> {
    /// `_dlt_loads`
    pub loads: Name,
    /// `_dlt_version`
    pub version: Name,
    /// `_dlt_pipeline_state`
    pub state: Name,
    /// Spells a column's name as Snowflake stores it.
    pub fold: Box<dyn Fn(&str) -> String + 'a>,
}

impl Bookkeeping<'_> {
    fn column(&self, name: &str) -> String {
        quote(&(self.fold)(name))
    }

    /// The newest state of a pipeline that belongs to a finished load, as dlt restores it: version,
    /// state, hash, load id, `1` if the load has finished (else `0`), the highest version of any row, and
    /// the greatest id of any load.
    pub fn select_state(&self, pipeline: &str) -> String {
        let column = |name: &str| self.column(name);
        format!(
            "SELECT s.{version}::VARCHAR, s.{state}, s.{hash}, s.{load}, \
             IFF(l.{load_id} IS NULL, '0', '1') AS \"FINISHED\", \
             (MAX(s.{version}) OVER ())::VARCHAR AS \"TOP\", \
             (SELECT MAX({load_id}) FROM {}) AS \"LAST\" \
             FROM {} AS s LEFT JOIN {} AS l ON l.{load_id} = s.{load} AND l.{status} = 0 \
             WHERE s.{pipeline_name} = {} ORDER BY \"FINISHED\" DESC, s.{load} DESC, s.{version} DESC LIMIT 1",
            self.loads,
            self.state,
            self.loads,
            literal(pipeline),
            version = column("version"),
            state = column("state"),
            hash = column("version_hash"),
            load = column("_dlt_load_id"),
            load_id = column("load_id"),
            status = column("status"),
            pipeline_name = column("pipeline_name"),
        )
    }

    /// The newest stored schema of that name: version, hash, schema, and when it was stored, in
    /// microseconds since 1970.
    pub fn select_schema(&self, schema: &str) -> String {
        let column = |name: &str| self.column(name);
        format!(
            "SELECT {}::VARCHAR, {}, {}, DATE_PART(EPOCH_MICROSECOND, {inserted_at})::VARCHAR FROM {} \
             WHERE {} = {} ORDER BY {inserted_at} DESC LIMIT 1",
            column("version"),
            column("version_hash"),
            column("schema"),
            self.version,
            column("schema_name"),
            literal(schema),
            inserted_at = column("inserted_at"),
        )
    }

    /// Everything that is stored of the schema of that name: dlt takes a content it finds there for
    /// one that the tables have.
    pub fn delete_versions(&self, table: &Name, schema: &str) -> String {
        format!("DELETE FROM {table} WHERE {} = {}", self.column("schema_name"), literal(schema))
    }

    /// One row.
    pub fn insert(&self, table: &Name, row: &[(&str, Value)]) -> String {
        format!(
            "INSERT INTO {table} ({}) SELECT {}",
            join(row, ", ", |(name, _)| self.column(name)),
            join(row, ", ", |(_, value)| value.sql()),
        )
    }

    /// The state's row, unless some load has written this version or a later one in the meantime: no
    /// row is inserted then. A MERGE locks the table until the transaction ends, so of two loads the
    /// second waits for the first, and sees what it did.
    pub fn insert_state_fenced(
        &self,
        pipeline: &str,
        version: i64,
        row: &[(&str, Value)],
    ) -> String {
        format!(
            "MERGE INTO {} AS d USING (SELECT {} AS \"P\", {version} AS \"V\") AS s \
             ON d.{} = s.\"P\" AND d.{} >= s.\"V\" WHEN NOT MATCHED THEN INSERT ({}) VALUES ({})",
            self.state,
            literal(pipeline),
            self.column("pipeline_name"),
            self.column("version"),
            join(row, ", ", |(name, _)| self.column(name)),
            join(row, ", ", |(_, value)| value.sql()),
        )
    }
}
