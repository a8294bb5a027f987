//! The DDL of a load: what the schema wants and the database does not have. Nothing else is said, and
//! nothing is ever dropped or changed.

use super::Target;
use super::publish::{Action, Ingested};
use super::restore::Live;
use crate::fault::Result;
use crate::kind::{DataType, Kind};
use crate::schema::{Schema, Table, is_dlt};
use crate::shred::SEQ;
use crate::sql::{Column, Name, ddl};

/// What the statements make is added to `made`: tables, and the columns they get.
///
/// The statements, in the order they depend on one another: lists of statements that do not depend
/// on one another.
pub(super) fn ddl(
    target: &Target,
    schema: &Schema,
    live: &Live,
    ingested: &[Ingested],
    schema_made: bool,
    create_indexes: bool,
    made: &mut Vec<(Name, Vec<String>)>,
) -> Result<[Vec<String>; 2]> {
    let mut schemas = Vec::new();
    let mut tables = Vec::new();
    if !schema_made && !live.has_schema_of(&target.table("")) {
        schemas.push(ddl::create_schema(&target.schema));
    }
    let brought = |name: &str| {
        ingested.iter().flat_map(|i| &i.tables).any(|table| table.name == name && table.rows > 0)
    };
    // Tables that nothing came for may have to hold more too: the ids of their roots.
    let told = |name: &str| {
        let root = schema.root(name).map(Table::name);
        ingested.iter().any(|i| Some(i.root.as_str()) == root)
    };
    for table in schema.tables().values() {
        let name = target.table(table.name());
        let wanted = is_dlt(table.name()) || brought(table.name());
        let kept = wanted || (live.has(&name) && told(table.name()));
        if !kept {
            continue;
        }
        let columns = columns(target, table, create_indexes);
        if !live.has(&name) {
            let cluster = names(target, table, "cluster");
            let primary_key = match create_indexes {
                true => names(target, table, "primary_key"),
                false => Vec::new(),
            };
            let comment = table.hint("description").and_then(|text| text.as_str());
            let more = ddl::TableOptions { cluster: &cluster, comment, primary_key: &primary_key };
            tables.push(ddl::create_table(&name, &columns, &more));
            made.push((name, column_names(&columns)));
            continue;
        }
        let new: Vec<Column> =
            columns.into_iter().filter(|column| !live.has_column(&name, &column.name)).collect();
        if !new.is_empty() {
            tables.push(ddl::add_columns(&name, &new));
            made.push((name, column_names(&new)));
        }
    }
    let mut staged = false;
    for ingested in ingested.iter().filter(|i| i.changes() && matches!(i.action, Action::Merge(_)))
    {
        let stages_children = ingested.stages_children();
        let family = ingested.tables.iter().enumerate();
        let waiting = family.filter(|(at, table)| *at == 0 || (stages_children && table.rows > 0));
        for (_, table) in waiting {
            let Some(known) = schema.table(&table.name) else { continue };
            staged = true;
            let name = target.staging(&table.name);
            // Everything may be NULL there, and JSON waits as text: what comes is checked on the way out.
            let mut columns: Vec<Column> = columns(target, known, false)
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
                made.push((name, column_names(&columns)));
                continue;
            }
            columns.retain(|column| !live.has_column(&name, &column.name));
            if !columns.is_empty() {
                tables.push(ddl::add_columns(&name, &columns));
                made.push((name, column_names(&columns)));
            }
        }
    }
    if staged && !live.has_schema_of(&target.staging("")) {
        schemas.push(ddl::create_schema(&target.staging_schema));
    }
    Ok([schemas, tables])
}

fn column_names(columns: &[Column]) -> Vec<String> {
    columns.iter().map(|column| column.name.clone()).collect()
}

fn columns(target: &Target, table: &Table, create_indexes: bool) -> Vec<Column> {
    let known = table.complete_columns().filter_map(|column| Some((column, column.kind()?)));
    known
        .map(|(column, kind)| Column {
            name: target.convention.fold(column.name()),
            kind,
            nullable: column.nullable(),
            unique: create_indexes && column.has("unique"),
            comment: comment(column),
        })
        .collect()
}

/// The columns with a hint, as Snowflake stores their names.
fn names(target: &Target, table: &Table, hint: &str) -> Vec<String> {
    let columns = table.columns_with(hint);
    columns
        .filter(|name| table.column(name).is_some_and(|column| column.is_complete()))
        .map(|name| target.convention.fold(name))
        .collect()
}

/// What is said of a column: for Snowflake alone, or for any destination.
fn comment(column: &crate::schema::Column) -> Option<String> {
    let own = column.hint("x-snowflake-column-comment").and_then(|text| text.as_str());
    own.filter(|text| !text.is_empty()).or(column.description()).map(str::to_owned)
}

fn as_text(kind: Kind) -> Kind {
    if kind.data_type == DataType::Json { Kind::of(DataType::Text) } else { kind }
}
