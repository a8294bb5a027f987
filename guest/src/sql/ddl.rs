//! CREATE, ALTER and DROP. Every statement may run twice, and all but those of a refresh only add: a load may run
//! beside another, or after one that crashed. DDL commits in Snowflake, so none of it is between BEGIN and COMMIT.

use super::{Name, SqlColumn, join, literal, quote};

/// Creates a schema if it does not exist.
pub(crate) fn create_schema(schema: &Name) -> String {
    format!("CREATE SCHEMA IF NOT EXISTS {schema}")
}

/// The properties of a table besides its columns. They are set when the table is created and never changed: a
/// clustering key that is set by hand later stays.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TableOptions<'a> {
    /// The columns of its clustering key.
    pub(crate) cluster: &'a [String],
    /// Its comment.
    pub(crate) comment: Option<&'a str>,
    /// The columns of its primary key, which Snowflake stores and does not enforce.
    pub(crate) primary_key: &'a [String],
}

/// Creates a table if it does not exist, with its columns in this order.
pub(crate) fn create_table(table: &Name, columns: &[SqlColumn], more: &TableOptions<'_>) -> String {
    let names = |names: &[String]| join(names, ", ", |name| quote(name));
    let mut text =
        format!("CREATE TABLE IF NOT EXISTS {table} (\n{}", join(columns, ",\n", definition));
    if !more.primary_key.is_empty() {
        text.push_str(&format!(",\nPRIMARY KEY ({})", names(more.primary_key)));
    }
    text.push_str("\n)");
    if !more.cluster.is_empty() {
        text.push_str(&format!(" CLUSTER BY ({})", names(more.cluster)));
    }
    if let Some(comment) = more.comment {
        text.push_str(&format!(" COMMENT = {}", literal(comment)));
    }
    text
}

/// Creates a staging table, which has neither Fail-safe nor Time Travel storage.
pub(crate) fn create_staging_table(table: &Name, columns: &[SqlColumn]) -> String {
    format!(
        "CREATE TRANSIENT TABLE IF NOT EXISTS {table} (\n{}\n) DATA_RETENTION_TIME_IN_DAYS = 0",
        join(columns, ",\n", staging_definition)
    )
}

/// Adds columns to a staging table.
pub(crate) fn add_staging_columns(table: &Name, columns: &[SqlColumn]) -> String {
    let columns =
        join(columns, ",\n", |column| format!("IF NOT EXISTS {}", staging_definition(column)));
    format!("ALTER TABLE {table} ADD COLUMN\n{columns}")
}

/// Increases the length of a column of a staging table.
/// Source: Snowflake documentation, "ALTER TABLE ... ALTER COLUMN": a length may grow.
pub(crate) fn widen_staging_column(table: &Name, column: &SqlColumn) -> String {
    format!(
        "ALTER TABLE {table} ALTER COLUMN {} SET DATA TYPE {}",
        column.quoted(),
        column.text_type_name()
    )
}

/// Adds columns. They are nullable, because existing rows have no value for them.
pub(crate) fn add_columns(table: &Name, columns: &[SqlColumn]) -> String {
    let columns = join(columns, ",\n", |column| {
        let column = SqlColumn { nullable: true, unique: false, ..column.clone() };
        format!("IF NOT EXISTS {}", definition(&column))
    });
    format!("ALTER TABLE {table} ADD COLUMN\n{columns}")
}

/// Drops a table.
pub(crate) fn drop_table(table: &Name) -> String {
    format!("DROP TABLE IF EXISTS {table}")
}

/// Creates the named internal stage of one load. It fails if the stage exists, because another load has the same id
/// then. `encryption` is the name of the type in Snowflake.
pub(crate) fn create_stage(stage: &Name, encryption: &str) -> String {
    format!("CREATE STAGE {stage} ENCRYPTION = (TYPE = {})", literal(encryption))
}

/// Drops a stage and its files.
pub(crate) fn drop_stage(stage: &Name) -> String {
    format!("DROP STAGE IF EXISTS {stage}")
}

/// The definition of a column of a staging table: it is nullable, and JSON is a string.
fn staging_definition(column: &SqlColumn) -> String {
    format!("{} {}", column.quoted(), column.text_type_name())
}

fn definition(column: &SqlColumn) -> String {
    let mut text = format!("{} {}", column.quoted(), column.type_name());
    if column.unique {
        text.push_str(" UNIQUE");
    }
    if !column.nullable {
        text.push_str(" NOT NULL");
    }
    if let Some(comment) = &column.comment {
        text.push_str(" COMMENT ");
        text.push_str(&literal(comment));
    }
    text
}
