//! COPY INTO: staged Parquet to rows.
//!
//! One form for every table, a SELECT over the file: Parquet carries JSON as text, and a plain
//! MATCH_BY_COLUMN_NAME would keep it as a *string* in the VARIANT, so it is parsed on the way; every
//! other value is cast to the declared type, so that neither the file's nor the session's idea of it
//! counts. A column that an older file of the load lacks is NULL.
//! Source: Snowflake documentation, "Transforming data during a load" and "COPY INTO <table>".

use super::{Column, Name, join, list, quote, type_of};
use crate::kind::DataType;

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
            DataType::Json if json == Json::Parse => format!("PARSE_JSON({value}::VARCHAR)"),
            DataType::Json => format!("{value}::VARCHAR"),
            _ => format!("{value}::{}", type_of(&column.kind)),
        }
    });
    format!(
        "COPY INTO {table} ({}) FROM (SELECT {select} FROM @{stage}/{path}/) \
         FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE BINARY_AS_TEXT = FALSE \
         USE_VECTORIZED_SCANNER = TRUE) ON_ERROR = ABORT_STATEMENT",
        list(columns),
    )
}
