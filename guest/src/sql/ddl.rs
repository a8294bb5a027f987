//! CREATE, ALTER and DROP. Everything here may run twice, and all but a refresh only adds: two loads that
//! race, or one that comes after a crash, find what is there already. DDL commits in Snowflake, so none of this is ever
//! said between BEGIN and COMMIT.

use super::{Column, Name, join, literal, quote};

/// A schema, if it is not there.
pub fn create_schema(schema: &Name) -> String {
    format!("CREATE SCHEMA IF NOT EXISTS {schema}")
}

/// What is said of a table besides its columns, when it is made and never again: a clustering key that
/// somebody sets by hand later stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct TableOptions<'a> {
    /// The columns it is clustered by.
    pub cluster: &'a [String],
    /// What COMMENT says of it.
    pub comment: Option<&'a str>,
    /// The columns of its primary key, which Snowflake keeps and does not check.
    pub primary_key: &'a [String],
}

/// A table, if it is not there, with its columns in this order.
pub fn create_table(table: &Name, columns: &[Column], more: &TableOptions<'_>) -> String {
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

/// A table for rows on their way: neither fail-safe nor Time Travel storage is paid for it.
pub fn create_staging_table(table: &Name, columns: &[Column]) -> String {
    format!(
        "CREATE TRANSIENT TABLE IF NOT EXISTS {table} (\n{}\n) DATA_RETENTION_TIME_IN_DAYS = 0",
        join(columns, ",\n", staging_definition)
    )
}

/// New columns of a staging table.
pub fn add_staging_columns(table: &Name, columns: &[Column]) -> String {
    let columns =
        join(columns, ",\n", |column| format!("IF NOT EXISTS {}", staging_definition(column)));
    format!("ALTER TABLE {table} ADD COLUMN\n{columns}")
}

/// A column of a staging table that takes longer values from now on.
/// Source: Snowflake documentation, "ALTER TABLE ... ALTER COLUMN": a length may grow.
pub fn widen_staging_column(table: &Name, column: &Column) -> String {
    format!(
        "ALTER TABLE {table} ALTER COLUMN {} SET DATA TYPE {}",
        column.quoted(),
        column.text_type_name()
    )
}

/// New columns. They are nullable whatever the schema says: the rows of the table have no value for them.
pub fn add_columns(table: &Name, columns: &[Column]) -> String {
    let columns = join(columns, ",\n", |column| {
        let column = Column { nullable: true, unique: false, ..column.clone() };
        format!("IF NOT EXISTS {}", definition(&column))
    });
    format!("ALTER TABLE {table} ADD COLUMN\n{columns}")
}

/// A table, gone with its rows.
pub fn drop_table(table: &Name) -> String {
    format!("DROP TABLE IF EXISTS {table}")
}

/// A named internal stage of one load; refused if it is there, for then another load has the same id.
/// `encryption` is the type's name in Snowflake.
pub fn create_stage(stage: &Name, encryption: &str) -> String {
    format!("CREATE STAGE {stage} ENCRYPTION = (TYPE = {})", literal(encryption))
}

/// A stage and its files, gone.
pub fn drop_stage(stage: &Name) -> String {
    format!("DROP STAGE IF EXISTS {stage}")
}

/// A column of a staging table: everything may be NULL there, and JSON waits as text.
fn staging_definition(column: &Column) -> String {
    format!("{} {}", column.quoted(), column.text_type_name())
}

fn definition(column: &Column) -> String {
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
