//! COPY INTO: staged Parquet to rows.
//!
//! One form for every table, a SELECT over the file: Parquet carries JSON as text, and a plain
//! MATCH_BY_COLUMN_NAME would keep it as a *string* in the VARIANT, so it is parsed on the way; every
//! other value is cast to the declared type, so that neither the file's nor the session's idea of it
//! counts. A column that an older file of the load lacks is NULL.
//! Source: Snowflake documentation, "Transforming data during a load" and "COPY INTO <table>".

use super::{Column, Name, in_utc, join, list, literal, quote};
use crate::dlt::types::DataType;

/// Whether JSON is parsed on the way in, or kept as text for a later statement to parse.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Json {
    /// To VARIANT.
    Parse,
    /// As VARCHAR: a staging table.
    Text,
}

/// All files under a path of a stage into a table. The order of columns is the same in the table's
/// list and in the SELECT; the files name their columns as the table does.
pub fn copy_into(table: &Name, columns: &[Column], stage: &Name, path: &str, json: Json) -> String {
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
        // In quotes: names of stages and paths hold signs that a bare reference may not hold.
        literal(&format!("@{stage}/{path}/")),
    )
}

/// A time or a timestamp that the file has as a whole number of nanoseconds. A clock's reading is that of the
/// instant in UTC, so that the session's time zone does not count.
/// Source: Snowflake documentation, "TO_TIMESTAMP / TO_TIMESTAMP_*": a number is of the unit that the scale says.
fn fine(column: &Column, value: &str) -> String {
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
pub fn rows_loaded(rows: &[Vec<Option<String>>]) -> Option<u64> {
    rows.iter()
        .map(|row| row.get(3).map_or(Some(0), |n| n.as_deref().unwrap_or("0").parse().ok()))
        .sum()
}
