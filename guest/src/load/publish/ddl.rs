//! The DDL of a load: tables and columns that the schema has and the database lacks. Nothing is ever dropped
//! or narrowed.
//!
//! A table that the catalogue does not show, and that CREATE TABLE then finds, is adopted: another load made it
//! meanwhile, or the information schema lags behind. It gets the columns it lacks, and from then on counts as a
//! table that may have rows, so that a merge or a replace deletes those that it replaces.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::dlt::schema::{Schema, Table, is_dlt};
use crate::dlt::types::{DataType, Kind};
use crate::fault::{Fault, Result};
use crate::load::extract::staged::{StagedFamily, StagedTable};
use crate::load::plan::merge::WriteAction;
use crate::load::session::Session;
use crate::load::target::Target;
use crate::load::target::catalog::{Catalog, CatalogColumn};
use crate::shred::SEQ;
use crate::sql::{DEFAULT_BINARY, DEFAULT_TEXT, MAX_BINARY, MAX_TEXT, Name, SqlColumn, ddl};

/// The tables and columns that the database should have.
pub(crate) struct SchemaTarget<'a> {
    pub(crate) target: &'a Target,
    pub(crate) schema: &'a Schema,
    pub(crate) catalog: &'a Catalog,
    pub(crate) staged: &'a [StagedFamily],
    /// Whether this load has created the dataset's schema.
    pub(crate) schema_made: bool,
    pub(crate) create_indexes: bool,
}

/// The staged tables by name: several resources may share one.
type Brought<'a> = FxHashMap<&'a str, Vec<&'a StagedTable>>;

/// The DDL of a load.
#[derive(Default)]
pub(crate) struct SchemaChanges {
    /// Statements that create schemas.
    schemas: Vec<String>,
    /// Changes of tables. They do not depend on one another.
    changes: Vec<Change>,
}

/// A statement, and the columns that it creates.
struct Change {
    statement: String,
    table: Name,
    columns: Vec<(String, CatalogColumn)>,
    /// The statement that adds the columns if the table to create turns out to exist.
    adopts: Option<String>,
}

/// The tables after the statements.
#[derive(Default)]
pub(crate) struct ChangedTables {
    /// The tables that were created or changed, with their new columns.
    pub(crate) tables: Vec<(Name, Vec<(String, CatalogColumn)>)>,
    /// The tables of the user's data that existed although the catalogue did not show them.
    pub(crate) adopted: Vec<Name>,
}

impl SchemaChanges {
    /// Runs the statements.
    pub(crate) async fn run(self, session: &mut Session) -> Result<ChangedTables> {
        session.any(self.schemas).await?;
        let statements = self.changes.iter().map(|change| change.statement.clone()).collect();
        let outcomes = session.any(statements).await?;
        let mut made = ChangedTables::default();
        let mut adopting = Vec::new();
        for (at, change) in self.changes.into_iter().enumerate() {
            // The status row of CREATE TABLE IF NOT EXISTS: "X already exists, statement succeeded."
            let outcome = outcomes.get(at).and_then(|outcome| outcome.rows.first());
            let status = outcome.and_then(|row| row.first()?.as_deref());
            if let Some(statement) = change.adopts
                && status.is_some_and(|text| text.contains("already exists"))
            {
                adopting.push(statement);
                made.adopted.push(change.table.clone());
            }
            made.tables.push((change.table, change.columns));
        }
        session.any(adopting).await?;
        Ok(made)
    }
}

impl SchemaTarget<'_> {
    /// The statements that create what the database lacks.
    ///
    /// # Errors
    /// A destination fault where a column of the database is too short for a value of the load.
    pub(crate) fn changes(&self) -> Result<SchemaChanges> {
        let Self { target, catalog, .. } = self;
        let mut changes = SchemaChanges::default();
        if !self.schema_made && !catalog.has_schema_of(&target.table("")) {
            changes.schemas.push(ddl::create_schema(&target.schema));
        }
        let mut brought = Brought::default();
        for table in self.staged.iter().flat_map(|staged| &staged.tables) {
            brought.entry(table.name.as_str()).or_default().push(table);
        }
        for table in self.schema.tables().values() {
            let brought = brought.get(table.name()).map_or(&[][..], Vec::as_slice);
            self.dataset_table(table, brought, &mut changes.changes)?;
        }
        let mut has_staging = false;
        for family in self.staged.iter().filter(|family| family.changes()) {
            if let WriteAction::Merge(_) = family.action {
                has_staging |= self.staging_tables(family, &brought, &mut changes.changes);
            }
        }
        if has_staging && !catalog.has_schema_of(&target.staging("")) {
            changes.schemas.push(ddl::create_schema(&target.staging_schema));
        }
        Ok(changes)
    }

    /// The change that a table of the dataset needs.
    fn dataset_table(
        &self,
        table: &Table,
        brought: &[&StagedTable],
        changes: &mut Vec<Change>,
    ) -> Result<()> {
        let Self { target, catalog, .. } = self;
        let name = target.table(table.name());
        // A table without staged rows may need a column too: the ids of its roots.
        let root = self.schema.root(table.name()).map(Table::name);
        let of_family = || self.staged.iter().any(|i| Some(i.root.as_str()) == root);
        let wanted = is_dlt(table.name()) || brought.iter().any(|table| table.rows > 0);
        if !(wanted || catalog.has(&name) && of_family()) {
            return Ok(());
        }
        let columns = self.columns(table, brought, self.create_indexes);
        if !catalog.has(&name) {
            let cluster = self.names(table, "cluster");
            let primary_key = match self.create_indexes {
                true => self.names(table, "primary_key"),
                false => Vec::new(),
            };
            let comment = table.hint("description").and_then(|text| text.as_str());
            let more = ddl::TableOptions { cluster: &cluster, comment, primary_key: &primary_key };
            changes.push(Change {
                statement: ddl::create_table(&name, &columns, &more),
                columns: made(&columns),
                adopts: (!is_dlt(table.name())).then(|| ddl::add_columns(&name, &columns)),
                table: name,
            });
            return Ok(());
        }
        for brought in brought {
            self.check_lengths(&name, brought)?;
        }
        let new: Vec<SqlColumn> =
            columns.into_iter().filter(|c| catalog.column(&name, &c.name).is_none()).collect();
        if !new.is_empty() {
            changes.push(Change {
                statement: ddl::add_columns(&name, &new),
                columns: made(&new),
                table: name,
                adopts: None,
            });
        }
        Ok(())
    }

    /// Checks that the columns of a table that exists are long enough for the values that were staged.
    fn check_lengths(&self, name: &Name, brought: &StagedTable) -> Result<()> {
        for column in brought.columns.iter().filter(|column| column.longest > 0) {
            let folded = self.target.convention.fold(&column.name);
            let Some(length) =
                self.catalog.column(name, &folded).and_then(|catalog| catalog.length)
            else {
                continue;
            };
            let (most, large) = match column.kind.data_type {
                DataType::Binary => (MAX_BINARY, "BINARY"),
                _ => (MAX_TEXT, "VARCHAR"),
            };
            if column.longest > length {
                return Err(Fault::destination(format_args!(
                    "expected values of at most {length} bytes, which is the length of the column, found one of \
                     {}: make the column longer with ALTER TABLE .. ALTER COLUMN .. SET DATA TYPE \
                     {large}({most}), then run the load again",
                    column.longest
                ))
                .at(format_args!("column {}", column.name))
                .at(format_args!("table {}", brought.name)));
            }
        }
        Ok(())
    }

    /// The changes that the staging tables of a merge need. Returns `true` if there are staging tables.
    fn staging_tables(
        &self,
        family: &StagedFamily,
        brought: &Brought<'_>,
        changes: &mut Vec<Change>,
    ) -> bool {
        let Self { target, catalog, .. } = self;
        let stages_children = family.stages_children();
        let family = family.tables.iter().enumerate();
        let waiting = family.filter(|(at, table)| *at == 0 || (stages_children && table.rows > 0));
        let mut found = false;
        for (_, table) in waiting {
            let Some(known) = self.schema.table(&table.name) else { continue };
            found = true;
            let name = target.staging(&table.name);
            let brought = brought.get(known.name()).map_or(&[][..], Vec::as_slice);
            let mut columns = self.columns(known, brought, false);
            columns.push(SqlColumn::new(target.convention.fold(SEQ), Kind::of(DataType::Bigint)));
            if !catalog.has(&name) {
                changes.push(Change {
                    statement: ddl::create_staging_table(&name, &columns),
                    columns: made(&columns),
                    adopts: Some(ddl::add_staging_columns(&name, &columns)),
                    table: name,
                });
                continue;
            }
            let (old, new): (Vec<SqlColumn>, Vec<SqlColumn>) =
                columns.into_iter().partition(|c| catalog.column(&name, &c.name).is_some());
            let short = |column: &SqlColumn| {
                let length = catalog.column(&name, &column.name).and_then(|catalog| catalog.length);
                column.large && length.is_some_and(|length| length < large_length(column))
            };
            for column in old.into_iter().filter(short) {
                changes.push(Change {
                    statement: ddl::widen_staging_column(&name, &column),
                    columns: made(std::slice::from_ref(&column)),
                    table: name.clone(),
                    adopts: None,
                });
            }
            if !new.is_empty() {
                changes.push(Change {
                    statement: ddl::add_staging_columns(&name, &new),
                    columns: made(&new),
                    table: name,
                    adopts: None,
                });
            }
        }
        found
    }

    /// The columns of a table for the statements.
    fn columns(
        &self,
        table: &Table,
        brought: &[&StagedTable],
        create_indexes: bool,
    ) -> Vec<SqlColumn> {
        let staged = brought.iter().flat_map(|brought| &brought.columns);
        let large: FxHashSet<&str> =
            staged.filter(|column| column.longest > 0).map(|column| column.name.as_str()).collect();
        let known = table.complete_columns().filter_map(|column| Some((column, column.kind()?)));
        known
            .map(|(column, kind)| SqlColumn {
                name: self.target.convention.fold(column.name()),
                kind,
                nullable: column.nullable(),
                unique: create_indexes && column.has("unique"),
                comment: comment(column),
                with_offset: false,
                large: large.contains(column.name()),
            })
            .collect()
    }

    /// The columns with a hint, as Snowflake stores their names.
    fn names(&self, table: &Table, hint: &str) -> Vec<String> {
        let columns = table.columns_with(hint);
        columns
            .filter(|name| table.column(name).is_some_and(|column| column.is_complete()))
            .map(|name| self.target.convention.fold(name))
            .collect()
    }
}

/// The columns that a statement creates, as the catalogue will show them.
fn made(columns: &[SqlColumn]) -> Vec<(String, CatalogColumn)> {
    let made = columns.iter().map(|column| {
        let length = match column.kind.data_type {
            DataType::Binary | DataType::Json | DataType::Text if column.large => {
                Some(large_length(column))
            }
            DataType::Binary => Some(DEFAULT_BINARY),
            DataType::Text => Some(column.kind.precision.map_or(DEFAULT_TEXT, u64::from)),
            _ => None,
        };
        (column.name.clone(), CatalogColumn { with_offset: false, length })
    });
    made.collect()
}

fn large_length(column: &SqlColumn) -> u64 {
    if column.kind.data_type == DataType::Binary { MAX_BINARY } else { MAX_TEXT }
}

/// The comment of a column: for Snowflake alone, or for any destination.
fn comment(column: &crate::dlt::schema::Column) -> Option<String> {
    let own = column.hint("x-snowflake-column-comment").and_then(|text| text.as_str());
    own.filter(|text| !text.is_empty()).or(column.description()).map(str::to_owned)
}
