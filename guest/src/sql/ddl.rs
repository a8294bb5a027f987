//! CREATE, ALTER and DROP. Everything here may run twice, and all but a refresh only adds: two loads that
//! race, or one that comes after a crash, find what is there already. DDL commits in Snowflake, so none of this is ever
//! said between BEGIN and COMMIT.

use super::{Column, Name, join, literal, quote, type_of};

/// A schema, if it is not there.
pub fn create_schema(schema: &Name) -> String {
    format!("CREATE SCHEMA IF NOT EXISTS {schema}")
}

/// A table, if it is not there, with its columns in this order.
pub fn create_table(table: &Name, columns: &[Column], cluster: &[String]) -> String {
    let cluster = cluster_clause(cluster);
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (\n{}\n){cluster}",
        join(columns, ",\n", definition)
    )
}

/// A table for rows on their way: no fail-safe storage is paid for it.
pub fn create_staging_table(table: &Name, columns: &[Column]) -> String {
    format!(
        "CREATE TRANSIENT TABLE IF NOT EXISTS {table} (\n{}\n)",
        join(columns, ",\n", definition)
    )
}

/// New columns. They are nullable whatever the schema says: the rows that are there have no value.
pub fn add_columns(table: &Name, columns: &[Column]) -> String {
    let columns = join(columns, ",\n", |column| {
        let column = Column { nullable: true, ..column.clone() };
        format!("IF NOT EXISTS {}", definition(&column))
    });
    format!("ALTER TABLE {table} ADD COLUMN\n{columns}")
}

/// A table, gone with its rows.
pub fn drop_table(table: &Name) -> String {
    format!("DROP TABLE IF EXISTS {table}")
}

/// A named internal stage of one load; refused if it is there, for then another load has the same id.
/// Server-side encryption, so that a host needs no keys to write to it.
pub fn create_stage(stage: &Name) -> String {
    format!("CREATE STAGE {stage} ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE')")
}

/// A stage and its files, gone.
pub fn drop_stage(stage: &Name) -> String {
    format!("DROP STAGE IF EXISTS {stage}")
}

fn definition(column: &Column) -> String {
    let mut text = format!("{} {}", column.quoted(), type_of(&column.kind));
    if !column.nullable {
        text.push_str(" NOT NULL");
    }
    if let Some(comment) = &column.comment {
        text.push_str(" COMMENT ");
        text.push_str(&literal(comment));
    }
    text
}

fn cluster_clause(columns: &[String]) -> String {
    if columns.is_empty() {
        return String::new();
    }
    format!(" CLUSTER BY ({})", join(columns, ", ", |name| quote(name)))
}
