//! Slowly changing dimensions, type 2: every version of a row, with the time span in which it was
//! valid.

use super::{Links, Name, Scope, SqlColumn, StagedRows, join, list, parsed_of, quote};
use crate::sql::state::SqlValue;

/// The columns of the time span in which a version is valid, and the instants of this load.
#[derive(Clone, Debug)]
pub(crate) struct Validity<'a> {
    /// The column of the version: rows with equal versions are equal.
    pub(crate) version: &'a str,
    /// The column of the start.
    pub(crate) from: &'a SqlColumn,
    /// The column of the end.
    pub(crate) to: &'a SqlColumn,
    /// The end of active versions: microseconds since 1970. `None`: NULL.
    pub(crate) active: Option<i64>,
    /// The instant that ends existing versions and begins staged ones.
    pub(crate) boundary: i64,
}

impl Validity<'_> {
    fn is_active(&self, alias: &str) -> String {
        let to = format!("{alias}{}", self.to.quoted());
        match self.active {
            None => format!("{to} IS NULL"),
            Some(end) => format!("{to} = {}", SqlValue::Instant(end).sql()),
        }
    }
}

/// Ends the active versions in the scope that are not staged.
pub(crate) fn retire_absent(
    root: &Name,
    staged: &StagedRows<'_>,
    validity: &Validity<'_>,
    scope: Scope<'_>,
    links: Links<'_>,
) -> String {
    let (id, version) = (quote(links.id), quote(validity.version));
    format!(
        "MERGE INTO {root} AS d USING (SELECT DISTINCT d.{id} FROM {} LEFT JOIN \
         (SELECT {version} FROM {}) AS s ON s.{version} = d.{version} \
         WHERE s.{version} IS NULL AND {}) AS s ON d.{id} = s.{id} AND {} \
         WHEN MATCHED THEN UPDATE SET {} = {}",
        scope.rows(root, staged.table),
        staged.kept(),
        validity.is_active("d."),
        validity.is_active("d."),
        validity.to.quoted(),
        SqlValue::instant(validity.to, validity.boundary).sql(),
    )
}

/// Inserts the staged versions that are not active yet. `columns` excludes those of the validity.
pub(crate) fn insert_versions(
    root: &Name,
    columns: &[SqlColumn],
    staged: &StagedRows<'_>,
    validity: &Validity<'_>,
) -> String {
    let version = quote(validity.version);
    let end = validity.active.map_or(SqlValue::Null, |end| SqlValue::instant(validity.to, end));
    format!(
        "INSERT INTO {root} ({}, {}, {}) SELECT {}, {}, {} FROM (SELECT * FROM {}) AS s LEFT JOIN \
         (SELECT {version} FROM {root} WHERE {}) AS d ON d.{version} = s.{version} \
         WHERE d.{version} IS NULL",
        list(columns),
        validity.from.quoted(),
        validity.to.quoted(),
        join(columns, ", ", |column| parsed_of("s.", column)),
        SqlValue::instant(validity.from, validity.boundary).sql(),
        end.sql(),
        staged.kept(),
        validity.is_active(""),
    )
}
