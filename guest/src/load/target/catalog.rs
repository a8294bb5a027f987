//! The tables, columns and stages of the database, read from its catalogue.
//!
//! The information schema may reject a query, may lag behind other sessions, and hides what the role has
//! no privilege on. A rejection falls back to SHOW. An answer that the session truncates is a fault.
//! Tables that are missing for another reason are detected when the load creates one that exists:
//! see `publish::ddl`.

use std::collections::HashMap;

use super::Target;
use crate::dlt::state::Instant;
use crate::fault::{Context, Fault, Result};
use crate::load::session::{Session, SqlReply};
use crate::protocol::Outcome;
use crate::sql::Name;
use crate::sql::state::{
    CatalogEntry, CatalogRow, MOST_SHOWN, ShownColumn, select_catalogue, select_rows,
    show_columns_of_schema, show_columns_of_table, show_tables, shown_table,
};

/// The tables and columns of the dataset, as Snowflake stores the names, and the stored version of the schema.
#[derive(Default)]
pub(crate) struct Catalog {
    tables: HashMap<Name, HashMap<String, CatalogColumn>>,
    stages: Vec<EarlierStage>,
    schema_stored_at: Option<i64>,
    schema_row: bool,
}

/// A column of a table in the database.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct CatalogColumn {
    /// Whether its type is TIMESTAMP_TZ.
    pub(crate) with_offset: bool,
    /// The length of a string in characters, or of a binary in bytes, if known.
    pub(crate) length: Option<u64>,
}

/// A stage of the pipeline that the load found when it began.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct EarlierStage {
    pub(crate) name: String,
    /// Whether it was created more than 30 days ago.
    pub(crate) old: bool,
}

impl Catalog {
    /// Returns `true` if the database has this table.
    pub(crate) fn has(&self, table: &Name) -> bool {
        self.tables.contains_key(table)
    }

    /// Adds created tables and columns.
    pub(crate) fn note(
        &mut self,
        made: impl IntoIterator<Item = (Name, Vec<(String, CatalogColumn)>)>,
    ) {
        for (table, columns) in made {
            self.tables.entry(table).or_default().extend(columns);
        }
    }

    /// Notes that a schema was stored, and when.
    pub(crate) fn note_schema(&mut self, stored_at: Instant) {
        self.set_schema_row(Some(stored_at.micros()));
    }

    /// Notes that the schema has a stored row, and when it was stored, in microseconds since 1970.
    pub(crate) fn set_schema_row(&mut self, stored_at: Option<i64>) {
        self.schema_row = true;
        self.schema_stored_at = stored_at;
    }

    /// Notes that a table was dropped.
    pub(crate) fn forget(&mut self, table: &Name) {
        self.tables.remove(table);
    }

    /// When the schema that was restored was stored, in microseconds since 1970.
    pub(crate) fn schema_stored_at(&self) -> Option<i64> {
        self.schema_stored_at
    }

    /// The column of the table, if the database has it.
    pub(crate) fn column(&self, table: &Name, column: &str) -> Option<CatalogColumn> {
        self.tables.get(table)?.get(column).copied()
    }

    /// Returns `true` if the column is TIMESTAMP_TZ.
    pub(crate) fn has_offset(&self, table: &Name, column: &str) -> bool {
        self.column(table, column).is_some_and(|column| column.with_offset)
    }

    /// Returns `true` if any table is in the schema of this table.
    pub(crate) fn has_schema_of(&self, table: &Name) -> bool {
        self.tables.keys().any(|known| known.object("") == table.object(""))
    }

    /// Returns `true` if this dataset stores a version of the schema.
    pub(crate) fn has_schema_row(&self) -> bool {
        self.schema_row
    }

    /// The stages of the pipeline that the load found when it began.
    pub(crate) fn stages(&self) -> &[EarlierStage] {
        &self.stages
    }

    fn add(&mut self, table: Name, column: &str, data_type: &str, length: Option<u64>) {
        let column_type = CatalogColumn { with_offset: data_type == "TIMESTAMP_TZ", length };
        self.tables.entry(table).or_default().insert(column.to_owned(), column_type);
    }
}

/// Asks the catalogue for the tables of the dataset and the stages of the pipeline.
pub(crate) async fn read(session: &mut Session, target: &Target) -> Result<Catalog> {
    let schemas = [target.schema.last().to_owned(), target.staging_schema.last().to_owned()];
    let statement = select_catalogue(&target.database, &schemas, &target.stage_prefix);
    match session.try_sql(statement).await? {
        Ok(SqlReply::DryRun) => Ok(Catalog::default()),
        Ok(SqlReply::Ran(outcome)) => read_rows(target, &outcome).at(|| "reading the catalogue"),
        Err(refusal) if refusal.is_too_much_data() => {
            show(session, target).await.at(|| "reading the catalogue with SHOW")
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// Reads the answer to [`select_catalogue`].
fn read_rows(target: &Target, outcome: &Outcome) -> Result<Catalog> {
    let mut catalog = Catalog::default();
    let found = outcome.rows.len();
    for row in &outcome.rows {
        let CatalogRow { schema, name, entry, rows } = CatalogRow::read(row)?;
        if rows != Some(found) {
            return Err(cut_short(rows, found));
        }
        match entry {
            CatalogEntry::Stage { old } => {
                catalog.stages.push(EarlierStage { name: name.to_owned(), old });
            }
            CatalogEntry::Column { name: column, data_type, length } => {
                let table = Name::schema(&target.database, schema).object(name);
                catalog.add(table, column, data_type, length);
            }
        }
    }
    Ok(catalog)
}

fn cut_short(rows: Option<usize>, found: usize) -> Fault {
    let rows = rows.map_or("a number of".to_owned(), |rows| rows.to_string());
    Fault::destination(format_args!(
        "expected {rows} rows, found {found}: the session cuts answers short; \
         run ALTER SESSION SET ROWS_PER_RESULTSET = 0 before the CALL"
    ))
}

/// Reads the same with SHOW, without the stages.
async fn show(session: &mut Session, target: &Target) -> Result<Catalog> {
    let mut catalog = Catalog::default();
    let mut most = 0;
    for schema in [&target.schema, &target.staging_schema] {
        let rows = match session.try_sql(show_columns_of_schema(schema)).await? {
            Ok(SqlReply::Ran(outcome)) => outcome.rows,
            Ok(SqlReply::DryRun) => Vec::new(),
            Err(refusal) if refusal.is_missing_object() => continue,
            Err(refusal) => return Err(refusal.into()),
        };
        most = most.max(rows.len());
        if rows.len() < MOST_SHOWN {
            read_shown(&mut catalog, target, &rows)?;
            continue;
        }
        let SqlReply::Ran(tables) = session.sql(show_tables(schema)).await? else { continue };
        if tables.rows.len() >= MOST_SHOWN {
            return Err(Fault::destination(format_args!(
                "expected fewer than {MOST_SHOWN} tables in the schema {schema}, found as many"
            )));
        }
        most = most.max(tables.rows.len());
        for name in tables.rows.iter().filter_map(|row| shown_table(row)) {
            let statement = show_columns_of_table(&schema.object(name));
            if let SqlReply::Ran(outcome) = session.sql(statement).await? {
                most = most.max(outcome.rows.len());
                read_shown(&mut catalog, target, &outcome.rows)?;
            }
        }
    }
    // A SHOW does not count its rows. An answer that is longer by one proves that all of them were returned.
    let longer = most + 1;
    match session.sql(select_rows(longer)).await? {
        SqlReply::Ran(outcome) if outcome.rows.len() != longer => {
            Err(cut_short(Some(longer), outcome.rows.len()))
        }
        SqlReply::Ran(_) | SqlReply::DryRun => Ok(catalog),
    }
}

/// Reads the answer to SHOW COLUMNS.
fn read_shown(catalog: &mut Catalog, target: &Target, rows: &[Vec<Option<String>>]) -> Result<()> {
    for row in rows {
        let ShownColumn { table, schema, name, data_type } = ShownColumn::read(row)?;
        let described: serde_json::Value = serde_json::from_str(data_type).map_err(|error| {
            Fault::destination(format_args!(
                "expected the data type as JSON, found {data_type:?}: {error}"
            ))
        })?;
        let data_type = described.get("type").and_then(|name| name.as_str()).unwrap_or_default();
        let length = described.get("length").and_then(serde_json::Value::as_u64);
        let table = Name::schema(&target.database, schema).object(table);
        catalog.add(table, name, data_type, length);
    }
    Ok(())
}
