//! Statements for the table of slices of backfills (`_snowcat_slices`): a row for each slice, and one for the last
//! step of the backfill, whose number is that of the slices. A row without a load id is open.

use super::ddl::{TableOptions, create_table};
use super::state::SqlValue;
use super::{Name, SqlColumn, join, literal, quote};
use crate::dlt::types::{DataType, Kind};
use crate::fault::{Fault, Result};

/// The columns of the table.
const COLUMNS: [(&str, DataType); 8] = [
    ("pipeline_name", DataType::Text),
    ("resource_name", DataType::Text),
    ("definition", DataType::Text),
    ("number", DataType::Bigint),
    ("lower_bound", DataType::Text),
    ("upper_bound", DataType::Text),
    ("load_id", DataType::Text),
    ("loaded_at", DataType::Timestamp),
];

/// The table of slices.
pub(crate) struct SliceTable<'a> {
    pub(crate) name: Name,
    pub(crate) pipeline: &'a str,
    /// Converts the name of a column to the one that Snowflake stores.
    pub(crate) fold: Box<dyn Fn(&str) -> String + 'a>,
}

/// A division of a resource.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Division<'a> {
    pub(crate) resource: &'a str,
    pub(crate) definition: &'a str,
}

/// A slice to insert.
#[derive(Clone, Debug)]
pub(crate) struct SliceBounds {
    pub(crate) number: usize,
    pub(crate) lower: String,
    pub(crate) upper: String,
}

/// A row of [`SliceTable::select`].
pub(crate) struct StoredSlice<'r> {
    pub(crate) resource: &'r str,
    pub(crate) definition: &'r str,
    pub(crate) number: usize,
    /// The load that has loaded it.
    pub(crate) load_id: Option<&'r str>,
    /// The number of rows of the whole result.
    pub(crate) rows: Option<usize>,
}

impl<'r> StoredSlice<'r> {
    /// Parses a row.
    ///
    /// # Errors
    /// A destination fault if the row has other columns.
    pub(crate) fn read(row: &'r [Option<String>]) -> Result<Self> {
        let [Some(resource), Some(definition), Some(number), load_id, rows] = row else {
            return Err(Fault::destination(format_args!(
                "expected resource, definition, number, load and rows of a slice, found {row:?}"
            )));
        };
        let number = number.parse().map_err(|_| {
            Fault::destination(format_args!("expected the number of a slice, found {number:?}"))
        })?;
        let rows = rows.as_ref().and_then(|rows| rows.parse().ok());
        Ok(Self { resource, definition, number, load_id: load_id.as_deref(), rows })
    }
}

impl SliceTable<'_> {
    fn column(&self, name: &str) -> String {
        quote(&(self.fold)(name))
    }

    /// Creates the table if it does not exist.
    pub(crate) fn create(&self) -> String {
        let columns = COLUMNS.map(|(name, data_type)| {
            let column = SqlColumn::new((self.fold)(name), Kind::of(data_type));
            let nullable =
                !matches!(name, "pipeline_name" | "resource_name" | "definition" | "number");
            SqlColumn { nullable, ..column }
        });
        let comment = Some("Created by Snowcat. Tracks slices of backfills");
        create_table(&self.name, &columns, &TableOptions { comment, ..TableOptions::default() })
    }

    /// Selects the slices of the pipeline: resource, definition, number, load, and the number of rows of the result,
    /// because a session's ROWS_PER_RESULTSET truncates results without an error.
    pub(crate) fn select(&self) -> String {
        format!(
            "SELECT {}, {}, {}::VARCHAR, {}, (COUNT(*) OVER ())::VARCHAR AS \"ROWS\" FROM {} WHERE {} = {}",
            self.column("resource_name"),
            self.column("definition"),
            self.column("number"),
            self.column("load_id"),
            self.name,
            self.column("pipeline_name"),
            literal(self.pipeline),
        )
    }

    /// Inserts the slices that the table lacks: numbers with their bounds. Needs the lock of the pipeline.
    pub(crate) fn insert(&self, of: Division<'_>, slices: &[SliceBounds]) -> String {
        let values = join(slices, ", ", |SliceBounds { number, lower, upper }| {
            format!("({number}, {}, {})", literal(lower), literal(upper))
        });
        let [pipeline, resource, definition, number, lower, upper] = [
            "pipeline_name",
            "resource_name",
            "definition",
            "number",
            "lower_bound",
            "upper_bound",
        ]
        .map(|name| self.column(name));
        let key = [self.pipeline, of.resource, of.definition].map(literal);
        let [of_pipeline, of_resource, of_definition] = &key;
        format!(
            "MERGE INTO {} AS d USING (SELECT * FROM (VALUES {values}) AS v (\"N\", \"L\", \"U\")) AS s \
             ON d.{pipeline} = {of_pipeline} AND d.{resource} = {of_resource} \
             AND d.{definition} = {of_definition} AND d.{number} = s.\"N\" \
             WHEN NOT MATCHED THEN INSERT ({pipeline}, {resource}, {definition}, {number}, {lower}, {upper}) \
             VALUES ({}, s.\"N\", s.\"L\", s.\"U\")",
            self.name,
            key.join(", "),
        )
    }

    fn of(&self, of: Division<'_>) -> String {
        format!(
            "{} = {} AND {} = {} AND {} = {}",
            self.column("pipeline_name"),
            literal(self.pipeline),
            self.column("resource_name"),
            literal(of.resource),
            self.column("definition"),
            literal(of.definition),
        )
    }

    /// Rewrites the row of a slice without a change, which locks it.
    pub(crate) fn lock(&self, of: Division<'_>, number: usize) -> String {
        let column = self.column("number");
        format!(
            "UPDATE {} SET {column} = {column} WHERE {} AND {column} = {number}",
            self.name,
            self.of(of)
        )
    }

    /// Rewrites the open slices below a number without a change.
    pub(crate) fn rewrite_open(&self, of: Division<'_>, below: usize) -> String {
        let column = self.column("number");
        format!(
            "UPDATE {} SET {column} = {column} WHERE {} AND {column} < {below} AND {} IS NULL",
            self.name,
            self.of(of),
            self.column("load_id"),
        )
    }

    /// Assigns an open slice to a load.
    pub(crate) fn claim(
        &self,
        of: Division<'_>,
        number: usize,
        load_id: &str,
        at: &SqlValue,
    ) -> String {
        let load = self.column("load_id");
        format!(
            "UPDATE {} SET {load} = {}, {} = {} WHERE {} AND {} = {number} AND {load} IS NULL",
            self.name,
            literal(load_id),
            self.column("loaded_at"),
            at.sql(),
            self.of(of),
            self.column("number"),
        )
    }

    /// Deletes the slices of these resources of the pipeline; of all, without resources.
    pub(crate) fn delete(&self, resources: Option<&[String]>) -> String {
        let of_resources = resources.map_or(String::new(), |resources| {
            let names = join(resources, ", ", |name| literal(name));
            format!(" AND {} IN ({names})", self.column("resource_name"))
        });
        format!(
            "DELETE FROM {} WHERE {} = {}{of_resources}",
            self.name,
            self.column("pipeline_name"),
            literal(self.pipeline),
        )
    }
}
