//! Statements for dlt's own tables (`_dlt_loads`, `_dlt_version`, `_dlt_pipeline_state`) and for
//! the catalog.

use super::{Name, SqlColumn, join, literal, quote};
use crate::fault::{Fault, Result};

/// A value as a literal in a statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SqlValue {
    /// An integer.
    Int(i64),
    /// An instant: microseconds since 1970 UTC.
    Instant(i64),
    /// An instant for a column of TIMESTAMP_TZ, with the offset of UTC.
    InstantWithOffset(i64),
    /// A string.
    Text(String),
    /// NULL.
    Null,
}

impl SqlValue {
    /// An instant for this column: microseconds since 1970 UTC.
    pub(crate) fn instant(column: &SqlColumn, micros: i64) -> Self {
        if column.with_offset { Self::InstantWithOffset(micros) } else { Self::Instant(micros) }
    }

    pub(super) fn sql(&self) -> String {
        match self {
            Self::Int(n) => n.to_string(),
            // A number and its scale do not depend on the session's formats and time zone.
            Self::Instant(micros) => format!("TO_TIMESTAMP_LTZ({micros}, 6)"),
            Self::InstantWithOffset(micros) => {
                super::in_utc(&format!("TO_TIMESTAMP_LTZ({micros}, 6)"))
            }
            Self::Text(text) => literal(text),
            Self::Null => "NULL".to_owned(),
        }
    }
}

/// Selects the columns of these schemas, and the stages in the first of them whose names have the
/// prefix. Each row has `column` or `stage`, schema, table or stage, column, data type, length of
/// strings and binaries, `1` for a stage created more than 30 days ago (else `0`), and the number
/// of rows of the result, because a session's ROWS_PER_RESULTSET truncates results without an
/// error.
/// Source: Snowflake documentation, "COLUMNS view" and "STAGES view" of the information schema.
pub(crate) fn select_catalogue(database: &str, schemas: &[String], stage_prefix: &str) -> String {
    let view =
        |name| format!("{}.{}.{}", quote(database), quote("INFORMATION_SCHEMA"), quote(name));
    format!(
        "SELECT \"KIND\", \"SCHEMA\", \"NAME\", \"COLUMN\", \"TYPE\", \"LENGTH\", \"OLD\", (COUNT(*) OVER ())::VARCHAR \
         AS \"ROWS\" FROM (SELECT 'column' AS \"KIND\", \"TABLE_SCHEMA\" AS \"SCHEMA\", \"TABLE_NAME\" AS \"NAME\", \
         \"COLUMN_NAME\" AS \"COLUMN\", \"DATA_TYPE\" AS \"TYPE\", \
         COALESCE(\"CHARACTER_MAXIMUM_LENGTH\", \"CHARACTER_OCTET_LENGTH\")::VARCHAR AS \"LENGTH\", '0' AS \"OLD\", \
         \"ORDINAL_POSITION\" AS \"AT\" FROM {} WHERE \"TABLE_SCHEMA\" IN ({}) \
         UNION ALL SELECT 'stage', \"STAGE_SCHEMA\", \"STAGE_NAME\", NULL, NULL, NULL, \
         IFF(\"CREATED\" < DATEADD('day', -30, CURRENT_TIMESTAMP()), '1', '0'), 0 FROM {} \
         WHERE \"STAGE_SCHEMA\" = {} AND STARTSWITH(\"STAGE_NAME\", {})) ORDER BY \"SCHEMA\", \"NAME\", \"AT\"",
        view("COLUMNS"),
        join(schemas, ", ", |schema| literal(schema)),
        view("STAGES"),
        literal(schemas.first().map_or("", String::as_str)),
        literal(stage_prefix),
    )
}

/// A row of [`select_catalogue`].
pub(crate) struct CatalogRow<'r> {
    /// The schema of the table or stage.
    pub(crate) schema: &'r str,
    /// The table or stage.
    pub(crate) name: &'r str,
    /// The object of the row.
    pub(crate) entry: CatalogEntry<'r>,
    /// The number of rows of the whole result.
    pub(crate) rows: Option<usize>,
}

/// The object of a row of [`select_catalogue`].
pub(crate) enum CatalogEntry<'r> {
    /// A column of a table.
    Column {
        /// The column.
        name: &'r str,
        /// Its data type.
        data_type: &'r str,
        /// The length of a string in characters, or of a binary in bytes.
        length: Option<u64>,
    },
    /// A stage.
    Stage {
        /// Whether it was created more than 30 days ago.
        old: bool,
    },
}

impl<'r> CatalogRow<'r> {
    /// Parses a row.
    ///
    /// # Errors
    /// A destination fault if the row has other columns.
    pub(crate) fn read(row: &'r [Option<String>]) -> Result<Self> {
        let [kind, schema, name, column, data_type, length, old, rows] = cells(row)?;
        let (Some(schema), Some(name)) = (schema, name) else {
            return Err(Fault::destination("expected a schema and a name, found NULL"));
        };
        let entry = match (kind, column) {
            (Some("stage"), _) => CatalogEntry::Stage { old: old == Some("1") },
            (Some("column"), Some(column)) => CatalogEntry::Column {
                name: column,
                data_type: data_type.unwrap_or_default(),
                length: length.and_then(|length| length.parse().ok()),
            },
            (kind, _) => {
                return Err(Fault::destination(format_args!(
                    "expected a column or a stage, found {kind:?} for {name:?}"
                )));
            }
        };
        Ok(Self { schema, name, entry, rows: rows.and_then(|rows| rows.parse().ok()) })
    }
}

/// The cells of a row with this number of columns.
fn cells<const N: usize>(row: &[Option<String>]) -> Result<[Option<&str>; N]> {
    let cells: Vec<Option<&str>> = row.iter().map(|cell| cell.as_deref()).collect();
    cells.try_into().map_err(|cells: Vec<_>| {
        Fault::destination(format_args!("expected {N} columns, found {}", cells.len()))
    })
}

/// Shows the columns of all tables of a schema, if the information schema fails. Returns at most
/// 10,000 rows.
/// Source: Snowflake documentation, "SHOW COLUMNS".
pub(crate) fn show_columns_of_schema(schema: &Name) -> String {
    format!("SHOW COLUMNS IN SCHEMA {schema}")
}

/// Shows the columns of one table, for a schema with more columns than `SHOW COLUMNS IN SCHEMA`
/// returns.
pub(crate) fn show_columns_of_table(table: &Name) -> String {
    format!("SHOW COLUMNS IN TABLE {table}")
}

/// A row of [`show_columns_of_schema`] or [`show_columns_of_table`].
pub(crate) struct ShownColumn<'r> {
    /// The table.
    pub(crate) table: &'r str,
    /// Its schema.
    pub(crate) schema: &'r str,
    /// The column.
    pub(crate) name: &'r str,
    /// Its data type, a JSON object.
    pub(crate) data_type: &'r str,
}

impl<'r> ShownColumn<'r> {
    /// Parses a row: table_name, schema_name, column_name, data_type, and others.
    ///
    /// # Errors
    /// A destination fault if one of them is NULL.
    pub(crate) fn read(row: &'r [Option<String>]) -> Result<Self> {
        match row {
            [Some(table), Some(schema), Some(name), Some(data_type), ..] => {
                Ok(Self { table, schema, name, data_type })
            }
            _ => {
                Err(Fault::destination("expected table, schema, column and data type, found NULL"))
            }
        }
    }
}

/// Shows the tables of a schema. Returns at most 10,000 rows.
/// Source: Snowflake documentation, "SHOW TABLES".
pub(crate) fn show_tables(schema: &Name) -> String {
    format!("SHOW TABLES IN SCHEMA {schema}")
}

/// The name of the table in a row of [`show_tables`]: created_on, name, and others.
pub(crate) fn shown_table(row: &[Option<String>]) -> Option<&str> {
    row.get(1)?.as_deref()
}

/// The maximum number of rows of a SHOW statement.
pub(crate) const MOST_SHOWN: usize = 10_000;

/// A result with this number of rows. A session with a smaller ROWS_PER_RESULTSET returns fewer.
pub(crate) fn select_rows(count: usize) -> String {
    format!("SELECT 1 AS \"ONE\" FROM TABLE(GENERATOR(ROWCOUNT => {count}))")
}

/// Selects the name that a quoted lower-case name has in this session: `a`, or `A` if the parameter
/// QUOTED_IDENTIFIERS_IGNORE_CASE is TRUE.
/// Source: Snowflake documentation, "OBJECT_CONSTRUCT": with `*` the keys are the names of the columns.
pub(crate) const SELECT_QUOTED_CASE: &str =
    "SELECT OBJECT_KEYS(OBJECT_CONSTRUCT(*))[0]::VARCHAR AS \"KEY\" FROM (SELECT 1 AS \"a\")";

/// Returns `true` if the result of [`SELECT_QUOTED_CASE`] shows that quoted names lose their case.
pub(crate) fn folds_quoted_names(rows: &[Vec<Option<String>>]) -> bool {
    matches!(rows, [row, ..] if row.first().and_then(|key| key.as_deref()) == Some("A"))
}

/// A row of [`Bookkeeping::select_state`].
pub(crate) struct StoredState<'r> {
    /// The stored state.
    pub(crate) state: &'r str,
    /// The load that stored it.
    pub(crate) load_id: Option<&'r str>,
    /// Whether that load has finished.
    pub(crate) finished: bool,
    /// The highest version of any row of the pipeline.
    pub(crate) greatest_version: u64,
    /// The greatest id of any load of the dataset.
    pub(crate) last_load: Option<&'r str>,
}

impl<'r> StoredState<'r> {
    /// Parses a row.
    ///
    /// # Errors
    /// A destination fault if the row has other columns.
    pub(crate) fn read(row: &'r [Option<String>]) -> Result<Self> {
        let [_version, state, _hash, load_id, finished, greatest, last_load] = cells(row)?;
        let greatest = greatest.unwrap_or("0");
        let greatest_version = greatest.parse().map_err(|_| {
            Fault::destination(format_args!("expected a version number, found {greatest:?}"))
        })?;
        let (state, finished) = (state.unwrap_or_default(), finished == Some("1"));
        Ok(Self { state, load_id, finished, greatest_version, last_load })
    }
}

/// A row of [`Bookkeeping::select_schema`].
pub(crate) struct StoredSchema<'r> {
    /// The stored schema.
    pub(crate) schema: &'r str,
    /// When it was stored, in microseconds since 1970.
    pub(crate) stored_at: Option<i64>,
}

impl<'r> StoredSchema<'r> {
    /// Parses a row.
    ///
    /// # Errors
    /// A destination fault if the row has other columns.
    pub(crate) fn read(row: &'r [Option<String>]) -> Result<Self> {
        let [_version, _hash, schema, stored_at] = cells(row)?;
        let stored_at = stored_at.map(|micros| {
            micros.parse().map_err(|_| {
                Fault::destination(format_args!("expected microseconds, found {micros:?}"))
            })
        });
        Ok(Self { schema: schema.unwrap_or_default(), stored_at: stored_at.transpose()? })
    }
}

/// The names of dlt's tables and of their columns.
pub(crate) struct Bookkeeping<'a> {
    /// `_dlt_loads`
    pub(crate) loads: Name,
    /// `_dlt_version`
    pub(crate) version: Name,
    /// `_dlt_pipeline_state`
    pub(crate) state: Name,
    /// Converts the name of a column to the one that Snowflake stores.
    pub(crate) fold: Box<dyn Fn(&str) -> String + 'a>,
}

impl Bookkeeping<'_> {
    fn column(&self, name: &str) -> String {
        quote(&(self.fold)(name))
    }

    /// Selects the newest state of a pipeline that belongs to a finished load, as dlt restores it:
    /// version, state, hash, load id, `1` if the load has finished (else `0`), the highest version
    /// of any row, and the greatest id of any load.
    pub(crate) fn select_state(&self, pipeline: &str) -> String {
        let column = |name: &str| self.column(name);
        format!(
            "SELECT s.{version}::VARCHAR, s.{state}, s.{hash}, s.{load}, \
             IFF(l.{load_id} IS NULL, '0', '1') AS \"FINISHED\", \
             (MAX(s.{version}) OVER ())::VARCHAR AS \"TOP\", \
             (SELECT MAX({load_id}) FROM {}) AS \"LAST\" \
             FROM {} AS s LEFT JOIN {} AS l ON l.{load_id} = s.{load} AND l.{status} = 0 \
             WHERE s.{pipeline_name} = {} ORDER BY \"FINISHED\" DESC, s.{load} DESC, s.{version} DESC LIMIT 1",
            self.loads,
            self.state,
            self.loads,
            literal(pipeline),
            version = column("version"),
            state = column("state"),
            hash = column("version_hash"),
            load = column("_dlt_load_id"),
            load_id = column("load_id"),
            status = column("status"),
            pipeline_name = column("pipeline_name"),
        )
    }

    /// Selects the newest stored schema with this name: version, hash, schema, and when it was
    /// stored, in microseconds since 1970.
    pub(crate) fn select_schema(&self, schema: &str) -> String {
        let column = |name: &str| self.column(name);
        format!(
            "SELECT {}::VARCHAR, {}, {}, DATE_PART(EPOCH_MICROSECOND, {inserted_at})::VARCHAR FROM {} \
             WHERE {} = {} ORDER BY {inserted_at} DESC LIMIT 1",
            column("version"),
            column("version_hash"),
            column("schema"),
            self.version,
            column("schema_name"),
            literal(schema),
            inserted_at = column("inserted_at"),
        )
    }

    /// Deletes all versions of the schema with this name. dlt assumes that the tables have every
    /// stored version.
    pub(crate) fn delete_versions(&self, table: &Name, schema: &str) -> String {
        format!("DELETE FROM {table} WHERE {} = {}", self.column("schema_name"), literal(schema))
    }

    /// Inserts one row.
    pub(crate) fn insert(&self, table: &Name, row: &[(&str, SqlValue)]) -> String {
        format!(
            "INSERT INTO {table} ({}) SELECT {}",
            join(row, ", ", |(name, _)| self.column(name)),
            join(row, ", ", |(_, value)| value.sql()),
        )
    }

    /// Rewrites the states of a pipeline from this version on without a change. The statement locks
    /// the committed rows that it rewrites, and returns their number.
    pub(crate) fn rewrite_states(&self, pipeline: &str, from: u64) -> String {
        let version = self.column("version");
        format!(
            "UPDATE {} SET {version} = {version} WHERE {} = {} AND {version} >= {from}",
            self.state,
            self.column("pipeline_name"),
            literal(pipeline),
        )
    }

    /// Rewrites the states of all pipelines without a change.
    pub(crate) fn rewrite_all_states(&self) -> String {
        let version = self.column("version");
        format!("UPDATE {} SET {version} = {version}", self.state)
    }

    /// Rewrites the rows of a schema that were stored at this instant (microseconds since 1970) or later, without a
    /// change.
    pub(crate) fn rewrite_versions(&self, schema: &str, from: Option<i64>) -> String {
        let version = self.column("version");
        format!(
            "UPDATE {} SET {version} = {version} WHERE {} = {}{}",
            self.version,
            self.column("schema_name"),
            literal(schema),
            self.stored_from("", from),
        )
    }

    fn stored_from(&self, alias: &str, from: Option<i64>) -> String {
        let inserted_at = self.column("inserted_at");
        from.map_or(String::new(), |micros| {
            format!(" AND {alias}{inserted_at} >= {}", SqlValue::Instant(micros).sql())
        })
    }

    /// Deletes the seed rows of a pipeline: version 0, which no load has.
    pub(crate) fn delete_seeds(&self, pipeline: &str) -> String {
        format!(
            "DELETE FROM {} WHERE {} = {} AND {} = 0",
            self.state,
            self.column("pipeline_name"),
            literal(pipeline),
            self.column("version"),
        )
    }

    /// Inserts the row of a state unless the pipeline has a row of this version or a later one. If
    /// it begins while the lock of [`Self::rewrite_states`] is held, it sees what others committed.
    pub(crate) fn insert_state_fenced(
        &self,
        pipeline: &str,
        version: u64,
        row: &[(&str, SqlValue)],
    ) -> String {
        let on = format!(
            "d.{} = {} AND d.{} >= {version}",
            self.column("pipeline_name"),
            literal(pipeline),
            self.column("version"),
        );
        self.insert_unless(&self.state, &on, row)
    }

    /// Inserts the row of a schema unless one with its name was stored at or after this instant
    /// (microseconds since 1970), or, without an instant, at all.
    pub(crate) fn insert_version_fenced(
        &self,
        schema: &str,
        from: Option<i64>,
        row: &[(&str, SqlValue)],
    ) -> String {
        let name = self.column("schema_name");
        let on = format!("d.{name} = {}{}", literal(schema), self.stored_from("d.", from));
        self.insert_unless(&self.version, &on, row)
    }

    /// Inserts one row unless the table has a row `d` that meets the condition.
    fn insert_unless(&self, table: &Name, on: &str, row: &[(&str, SqlValue)]) -> String {
        format!(
            "MERGE INTO {table} AS d USING (SELECT 1 AS \"ONE\") AS s ON {on} \
             WHEN NOT MATCHED THEN INSERT ({}) VALUES ({})",
            join(row, ", ", |(name, _)| self.column(name)),
            join(row, ", ", |(_, value)| value.sql()),
        )
    }
}
