//! Statements of an examination that loads do not send.
//!
//! Values are read back as text that does not depend on session parameters: instants as numbers of
//! microseconds, and dates, times and bytes with an explicit format.

use super::{Name, SqlColumn, in_utc, join, literal, quote};
use crate::dlt::types::DataType;

/// The privileges on the schemas of a dataset that the owner of the procedures needs.
pub(crate) const NEEDED_PRIVILEGES: [&str; 3] = ["USAGE", "CREATE TABLE", "CREATE STAGE"];

/// Creates a scratch schema. Fails if it exists. The mark identifies its creator.
pub(crate) fn create_scratch(schema: &Name, mark: &str) -> String {
    format!("CREATE SCHEMA {schema} COMMENT = {}", literal(mark))
}

/// Drops a schema and its objects.
pub(crate) fn drop_schema(schema: &Name) -> String {
    format!("DROP SCHEMA IF EXISTS {schema}")
}

/// Selects the existing schemas among these: name, owner, comment.
/// Source: Snowflake documentation, "SCHEMATA view" of the information schema.
pub(crate) fn select_schemas(database: &str, schemas: &[&Name]) -> String {
    format!(
        "SELECT \"SCHEMA_NAME\", \"SCHEMA_OWNER\", \"COMMENT\" FROM {} WHERE \"SCHEMA_NAME\" IN ({})",
        view(database, "SCHEMATA"),
        join(schemas, ", ", |schema| literal(schema.last())),
    )
}

/// Selects the tables of these schemas: schema, name, type, owner.
/// Source: Snowflake documentation, "TABLES view" of the information schema.
pub(crate) fn select_tables(database: &str, schemas: &[&Name]) -> String {
    format!(
        "SELECT \"TABLE_SCHEMA\", \"TABLE_NAME\", \"TABLE_TYPE\", \"TABLE_OWNER\" FROM {} \
         WHERE \"TABLE_SCHEMA\" IN ({}) ORDER BY \"TABLE_SCHEMA\", \"TABLE_NAME\"",
        view(database, "TABLES"),
        join(schemas, ", ", |schema| literal(schema.last())),
    )
}

/// Shows the privileges on a schema: when, privilege, kind, name, kind of grantee, grantee, ...
/// Source: Snowflake documentation, "SHOW GRANTS".
pub(crate) fn show_grants(schema: &Name) -> String {
    format!("SHOW GRANTS ON SCHEMA {schema}")
}

/// Shows the privileges that new objects of a schema get. The columns are the same.
pub(crate) fn show_future_grants(schema: &Name) -> String {
    format!("SHOW FUTURE GRANTS IN SCHEMA {schema}")
}

/// The id of the session's open transaction, or NULL.
pub(crate) const SELECT_TRANSACTION: &str =
    "SELECT CURRENT_TRANSACTION()::VARCHAR AS \"TRANSACTION\"";

/// The server's version.
pub(crate) const SELECT_VERSION: &str = "SELECT CURRENT_VERSION()::VARCHAR AS \"VERSION\"";
/// The region of the account.
pub(crate) const SELECT_REGION: &str = "SELECT CURRENT_REGION()::VARCHAR AS \"REGION\"";
/// The warehouse of the session.
pub(crate) const SELECT_WAREHOUSE: &str = "SELECT CURRENT_WAREHOUSE()::VARCHAR AS \"WAREHOUSE\"";

/// Shows a warehouse: name, state, type, size, ...
/// Source: Snowflake documentation, "SHOW WAREHOUSES".
pub(crate) fn show_warehouse(name: &str) -> String {
    format!("SHOW WAREHOUSES LIKE {}", literal(name))
}

/// Creates a table of strings.
pub(crate) fn create_texts(table: &Name, columns: &[&str]) -> String {
    let columns = join(columns, ", ", |column| format!("{} VARCHAR", quote(column)));
    format!("CREATE TABLE {table} ({columns})")
}

/// Inserts a row of strings.
pub(crate) fn insert_texts(table: &Name, values: &[&str]) -> String {
    format!("INSERT INTO {table} SELECT {}", join(values, ", ", |value| literal(value)))
}

/// Selects the rows of a table of strings in order.
pub(crate) fn select_texts(table: &Name, columns: &[&str]) -> String {
    let columns = join(columns, ", ", |column| quote(column));
    format!("SELECT {columns} FROM {table} ORDER BY {columns}")
}

/// Counts the rows of a table.
pub(crate) fn count(table: &Name) -> String {
    format!("SELECT COUNT(*)::VARCHAR AS \"COUNT\" FROM {table}")
}

/// Counts the rows of a table, and sums the values of a column.
pub(crate) fn count_and_sum(table: &Name, column: &SqlColumn) -> String {
    format!(
        "SELECT COUNT(*)::VARCHAR AS \"COUNT\", SUM({})::VARCHAR AS \"SUM\" FROM {table}",
        column.quoted()
    )
}

/// Selects the rows of a table whose first column is at most `last`, in order, each value as text.
pub(crate) fn select_values(table: &Name, columns: &[SqlColumn], last: i64) -> String {
    let values = join(columns, ", ", text_of);
    let first = columns.first().map(SqlColumn::quoted).unwrap_or_default();
    format!("SELECT {values} FROM {table} WHERE {first} <= {last} ORDER BY {first}")
}

/// A value as text that does not depend on the session's formats.
fn text_of(column: &SqlColumn) -> String {
    let value = column.quoted();
    match column.kind.data_type {
        DataType::Binary => format!("TO_CHAR({value}, 'HEX')"),
        DataType::Date => format!("TO_CHAR({value}, 'YYYY-MM-DD')"),
        DataType::Json => format!("TO_JSON({value})"),
        DataType::Time => {
            format!("DATEDIFF('microsecond', TIME_FROM_PARTS(0, 0, 0), {value})::VARCHAR")
        }
        DataType::Timestamp => format!("DATE_PART(EPOCH_MICROSECOND, {value})::VARCHAR"),
        _ => format!("{value}::VARCHAR"),
    }
}

/// Selects an element of a list in an object in a JSON column: NULL if the column has the JSON as a
/// string.
pub(crate) fn select_path(table: &Name, column: &SqlColumn, member: &str, element: u32) -> String {
    format!(
        "SELECT {}:{}[{element}]::VARCHAR AS \"ELEMENT\" FROM {table} WHERE {}:{} IS NOT NULL",
        column.quoted(),
        quote(member),
        column.quoted(),
        quote(member),
    )
}

/// Selects the length of a JSON column's text, by row.
pub(crate) fn select_length(table: &Name, column: &SqlColumn) -> String {
    format!("SELECT LENGTH(TO_JSON({}))::VARCHAR AS \"LENGTH\" FROM {table}", column.quoted())
}

/// COPY from a stage whose reference is not quoted; loads quote it.
pub(crate) fn copy_from_bare_stage(
    table: &Name,
    column: &SqlColumn,
    stage: &Name,
    path: &str,
) -> String {
    let name = column.quoted();
    format!(
        "COPY INTO {table} ({name}) FROM (SELECT $1:{name}::{} FROM @{stage}/{path}/) \
         FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE BINARY_AS_TEXT = FALSE \
         USE_VECTORIZED_SCANNER = TRUE) ON_ERROR = ABORT_STATEMENT",
        column.type_name(),
    )
}

/// Creates a table with a column of TIMESTAMP_TZ, as dlt before 1.27 did.
pub(crate) fn create_with_offset(table: &Name, column: &SqlColumn) -> String {
    format!("CREATE TABLE {table} ({} TIMESTAMP_TZ)", column.quoted())
}

/// Inserts an instant (microseconds since 1970) into it, as loads do.
pub(crate) fn insert_with_offset(table: &Name, column: &SqlColumn, micros: i64) -> String {
    let value = in_utc(&format!("TO_TIMESTAMP_LTZ({micros}, 6)"));
    format!("INSERT INTO {table} ({}) SELECT {value}", column.quoted())
}

/// Selects the instants of such a column with their offsets: `2026-01-02 03:04:05 +00:00`.
pub(crate) fn select_offsets(table: &Name, column: &SqlColumn) -> String {
    format!(
        "SELECT TO_CHAR({name}, 'YYYY-MM-DD HH24:MI:SS TZH:TZM') AS \"INSTANT\" FROM {table} ORDER BY 1",
        name = column.quoted()
    )
}

/// Selects the columns of TIMESTAMP_TZ in these schemas: schema, table, column.
pub(crate) fn select_offset_columns(database: &str, schemas: &[&Name]) -> String {
    format!(
        "SELECT \"TABLE_SCHEMA\", \"TABLE_NAME\", \"COLUMN_NAME\" FROM {} WHERE \"TABLE_SCHEMA\" IN ({}) \
         AND \"DATA_TYPE\" = 'TIMESTAMP_TZ' ORDER BY \"TABLE_SCHEMA\", \"TABLE_NAME\", \"COLUMN_NAME\"",
        view(database, "COLUMNS"),
        join(schemas, ", ", |schema| literal(schema.last())),
    )
}

/// A MERGE in which two source rows match one row.
pub(crate) fn merge_twice(table: &Name, column: &str, value: &str) -> String {
    let (column, value) = (quote(column), literal(value));
    format!(
        "MERGE INTO {table} AS d USING (SELECT {value} AS \"K\", '1' AS \"V\" UNION ALL SELECT {value}, '2') AS s \
         ON d.{column} = s.\"K\" WHEN MATCHED THEN UPDATE SET {column} = s.\"V\""
    )
}

/// A statement that fails on any account: it selects from a missing table.
pub(crate) fn select_missing(schema: &Name) -> String {
    format!("SELECT 1 AS \"ONE\" FROM {}", schema.object("DOCTOR_MISSING"))
}

/// Lists the files of a stage with this prefix: name, size, ...
pub(crate) fn list(stage: &Name, path: &str) -> String {
    format!("LIST {}", literal(&format!("@{stage}/{path}")))
}

/// Removes the files of a stage with this prefix. Procedures with owner's rights may not run it.
pub(crate) fn remove(stage: &Name, path: &str) -> String {
    format!("REMOVE {}", literal(&format!("@{stage}/{path}")))
}

fn view(database: &str, name: &str) -> String {
    format!("{}.{}.{}", quote(database), quote("INFORMATION_SCHEMA"), quote(name))
}
