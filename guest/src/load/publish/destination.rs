//! The tables of the dataset for the statements, and the COPY into them.

use crate::dlt::schema::{self, Schema, Table};
use crate::dlt::types::{DataType, Kind};
use crate::fault::{Fault, Result};
use crate::job::DeliveredFormat;
use crate::load::extract::staged::StagedTable;
use crate::load::session::{Session, SqlReply};
use crate::load::target::Target;
use crate::load::target::catalog::Catalog;
use crate::shred::SEQ;
use crate::sql::copy::{Json, copy_into, rows_loaded};
use crate::sql::copy_text::{TextFiles, TextRows, copy_text_into};
use crate::sql::{Name, SqlColumn};

/// The dataset that a load writes.
#[derive(Clone, Copy)]
pub(crate) struct Destination<'a> {
    pub(crate) target: &'a Target,
    pub(crate) schema: &'a Schema,
    /// The tables and columns of the database before this load.
    pub(crate) catalog: &'a Catalog,
}

/// The target of a COPY.
pub(crate) enum CopyInto<'a> {
    /// A table of the dataset.
    Table(&'a Name),
    /// A staging table, whose rows are numbered in the column.
    Staging(&'a Name, SqlColumn),
}

impl Destination<'_> {
    /// Copies the staged files of a table, and checks that every row was loaded.
    pub(crate) async fn copy(
        &self,
        session: &mut Session,
        table: &StagedTable,
        into: CopyInto<'_>,
    ) -> Result<()> {
        if table.rows == 0 {
            return Ok(());
        }
        let (into, json, seq) = match into {
            CopyInto::Table(into) => (into, Json::Parse, None),
            CopyInto::Staging(into, seq) => (into, Json::Text, Some(seq)),
        };
        // The columns of the files, with the types of the target table.
        let mut columns = self.columns(table, into);
        columns.extend(seq);
        let (stage, path) = (&self.target.stage, table.directory.as_str());
        let statement = match table.format {
            DeliveredFormat::Parquet(_) => copy_into(into, &columns, stage, path, json),
            DeliveredFormat::JsonLines { gzip } => {
                let files = TextFiles { stage, path, gzip, rows: TextRows::Objects };
                copy_text_into(into, &columns, &files, json)
            }
            DeliveredFormat::Csv { gzip } => {
                let rows = TextRows::Fields(positions(table));
                copy_text_into(into, &columns, &TextFiles { stage, path, gzip, rows }, json)
            }
        };
        let SqlReply::Ran(outcome) = session.sql(statement).await? else { return Ok(()) };
        let loaded = rows_loaded(&outcome.rows);
        if loaded != Some(table.rows) {
            return Err(Fault::destination(format_args!(
                "expected COPY to load the {} rows that were staged, found {}: \
                 has a later load of this pipeline finished and cleared the stage away?",
                table.rows,
                loaded.map_or("no number of rows in its result".to_owned(), |n| n.to_string())
            ))
            .at(format_args!("table {}", table.name)));
        }
        Ok(())
    }

    /// All columns of a table.
    pub(crate) fn all_columns(&self, table: &Table) -> Vec<SqlColumn> {
        let columns = table.complete_columns();
        columns.map(|column| self.column(table, column.name())).collect()
    }

    /// The columns of a table that have staged values, with the types of this table of the database.
    pub(crate) fn columns(&self, table: &StagedTable, into: &Name) -> Vec<SqlColumn> {
        let columns = table.columns.iter().filter(|column| column.name != SEQ);
        columns
            .map(|column| {
                let name = self.fold(&column.name);
                SqlColumn {
                    with_offset: self.catalog.has_offset(into, &name),
                    large: column.longest > 0,
                    ..SqlColumn::new(name, column.kind)
                }
            })
            .collect()
    }

    /// A column of a table.
    pub(crate) fn column(&self, table: &Table, name: &str) -> SqlColumn {
        let known = table.column(name);
        let kind = known.and_then(schema::Column::kind).unwrap_or(Kind::of(DataType::Text));
        let nullable = known.is_none_or(schema::Column::nullable);
        let into = self.target.table(table.name());
        let name = self.fold(name);
        let with_offset = self.catalog.has_offset(&into, &name);
        SqlColumn { nullable, with_offset, ..SqlColumn::new(name, kind) }
    }

    /// A name as Snowflake stores it.
    pub(crate) fn fold(&self, name: &str) -> String {
        self.target.convention.fold(name)
    }
}

/// The positions of the columns in files of CSV: those of [`Destination::columns`], then that of the sequence
/// number.
fn positions(table: &StagedTable) -> Vec<usize> {
    let (seq, others): (Vec<_>, Vec<_>) = table.columns.iter().partition(|it| it.name == SEQ);
    others.into_iter().chain(seq).map(|column| column.position).collect()
}
