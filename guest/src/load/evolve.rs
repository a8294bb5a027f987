//! The DDL of a load: what the schema wants and the database does not have. Nothing else is said, and
//! nothing is ever dropped or changed.

use super::Target;
use super::publish::{Action, Ingested};
use super::restore::Live;
use crate::fault::Result;
use crate::kind::{DataType, Kind};
use crate::schema::{Schema, Table, is_dlt};
use crate::shred::SEQ;
use crate::sql::{Column, ddl};

/// The statements, in the order they depend on one another: lists of statements that do not depend
/// on one another.
pub(super) fn ddl(
    target: &Target,
    schema: &Schema,
    live: &Live,
    ingested: &[Ingested],
    schema_made: bool,
) -> Result<[Vec<String>; 2]> {
    let mut schemas = Vec::new();
    let mut tables = Vec::new();
    if !schema_made && !live.has_schema_of(&target.table("")) {
        schemas.push(ddl::create_schema(&target.schema));
    }
    let brought = |name: &str| {
        ingested.iter().flat_map(|i| &i.tables).any(|table| table.name == name && table.rows > 0)
    };
    for table in schema.tables().values().filter(|t| is_dlt(t.name()) || brought(t.name())) {
        let name = target.table(table.name());
        let columns = columns(target, table);
        if !live.has(&name) {
            tables.push(ddl::create_table(&name, &columns, &cluster(target, table)));
            continue;
        }
        let new: Vec<Column> =
            columns.into_iter().filter(|column| !live.has_column(&name, &column.name)).collect();
        if !new.is_empty() {
            tables.push(ddl::add_columns(&name, &new));
        }
    }
    let mut staged = false;
    for ingested in ingested.iter().filter(|i| i.changes() && matches!(i.action, Action::Merge(_)))
    {
        let depth = if ingested.stages_children() { ingested.tables.len() } else { 1 };
        for table in ingested.tables.iter().take(depth) {
            let Some(known) = schema.table(&table.name) else { continue };
            staged = true;
            let name = target.staging(&table.name);
            // Everything may be NULL there, and JSON waits as text: what comes is checked on the way out.
            let mut columns: Vec<Column> = columns(target, known)
                .into_iter()
                .map(|column| Column {
                    comment: None,
                    nullable: true,
                    kind: as_text(column.kind),
                    ..column
                })
                .collect();
            columns.push(Column::new(target.convention.fold(SEQ), Kind::of(DataType::Bigint)));
            if !live.has(&name) {
                tables.push(ddl::create_staging_table(&name, &columns));
                continue;
            }
            columns.retain(|column| !live.has_column(&name, &column.name));
            if !columns.is_empty() {
                tables.push(ddl::add_columns(&name, &columns));
            }
        }
    }
    if staged && !live.has_schema_of(&target.staging("")) {
        schemas.push(ddl::create_schema(&target.staging_schema));
    }
    Ok([schemas, tables])
}

fn columns(target: &Target, table: &Table) -> Vec<Column> {
    let known = table.complete_columns().filter_map(|column| Some((column, column.kind()?)));
    known
        .map(|(column, kind)| Column {
            name: target.convention.fold(column.name()),
            kind,
            nullable: column.nullable(),
            comment: column.description().map(str::to_owned),
        })
        .collect()
}

fn cluster(target: &Target, table: &Table) -> Vec<String> {
    let columns = table.columns_with("cluster");
    columns
        .filter(|name| table.column(name).is_some_and(|column| column.is_complete()))
        .map(|name| target.convention.fold(name))
        .collect()
}

fn as_text(kind: Kind) -> Kind {
    if kind.data_type == DataType::Json { Kind::of(DataType::Text) } else { kind }
}
