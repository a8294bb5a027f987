//! COPY INTO: rows from staged Parquet files.
//!
//! There is one form for every table, a SELECT over the file. Parquet has JSON as text, which
//! MATCH_BY_COLUMN_NAME would store as a *string* in the VARIANT, so the SELECT parses it. Every
//! other value is cast to the declared type, so that the result depends neither on the file nor on
//! the session. A column that an older file of the load lacks is NULL.
//! Source: Snowflake documentation, "Transforming data during a load" and `COPY INTO <table>`.

use super::{Name, SqlColumn, in_utc, join, list, literal, quote};
use crate::dlt::types::DataType;

/// Whether JSON is parsed by COPY, or stored as a string that a later statement parses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Json {
    /// Parsed to VARIANT.
    Parse,
    /// Stored as VARCHAR, in a staging table.
    Text,
}

/// Copies all files under a path of a stage into a table. The columns have the same order in the table's list and in
/// the SELECT, and the same names in the files and in the table.
pub(crate) fn copy_into(
    table: &Name,
    columns: &[SqlColumn],
    stage: &Name,
    path: &str,
    json: Json,
) -> String {
    let select = join(columns, ", ", |column| {
        let value = format!("$1:{}", quote(&column.name));
        match column.kind.data_type {
            DataType::Json if json == Json::Parse => {
                format!("PARSE_JSON({value}::{})", column.text_type_name())
            }
            DataType::Json => format!("{value}::{}", column.text_type_name()),
            DataType::Time | DataType::Timestamp if column.kind.is_fine() => fine(column, &value),
            DataType::Timestamp if column.with_offset => in_utc(&format!("{value}::TIMESTAMP_LTZ")),
            _ => format!("{value}::{}", column.type_name()),
        }
    });
    format!(
        "COPY INTO {table} ({}) FROM (SELECT {select} FROM {}) \
         FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE BINARY_AS_TEXT = FALSE \
         USE_VECTORIZED_SCANNER = TRUE) ON_ERROR = ABORT_STATEMENT",
        list(columns),
        // Quoted, because names of stages and paths may have characters that a bare reference may
        // not.
        literal(&format!("@{stage}/{path}/")),
    )
}

/// A time or a timestamp that the file has as an integer of nanoseconds. One without a time zone is the instant in
/// UTC, so that it does not depend on the session's time zone.
/// Source: Snowflake documentation, "TO_TIMESTAMP / TO_TIMESTAMP_*": a number is of the unit that the scale says.
pub(super) fn fine(column: &SqlColumn, value: &str) -> String {
    let instant = format!("TO_TIMESTAMP_LTZ({value}::NUMBER(38,0), 9)");
    let kind = column.type_name();
    match column.kind.data_type {
        DataType::Time => format!("{}::TIMESTAMP_NTZ(9)::{kind}", in_utc(&instant)),
        _ if column.with_offset => in_utc(&instant),
        _ if column.kind.timezone => format!("{instant}::{kind}"),
        _ => format!("{}::{kind}", in_utc(&instant)),
    }
}

/// How many rows [`copy_into`] loaded, by its answer; `None` if the answer does not say. A row has file, status,
/// rows_parsed, rows_loaded, and others; it has one column if there was no file.
pub(crate) fn rows_loaded(rows: &[Vec<Option<String>>]) -> Option<u64> {
    rows.iter()
        .map(|row| row.get(3).map_or(Some(0), |n| n.as_deref().unwrap_or("0").parse().ok()))
        .sum()
}
