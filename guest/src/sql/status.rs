//! Statements that read what is stored of pipelines.

use super::state::Bookkeeping;
use super::{Name, quote};

/// The number of loads that are listed.
const MOST_LOADS: u32 = 10;

/// Selects the names of all pipelines.
pub(crate) fn select_pipelines(books: &Bookkeeping<'_>) -> String {
    let name = quote(&(books.fold)("pipeline_name"));
    format!("SELECT DISTINCT {name} FROM {} ORDER BY {name}", books.state)
}

/// Selects the last loads: id, schema, status, and when each ended in microseconds since 1970.
pub(crate) fn select_loads(books: &Bookkeeping<'_>) -> String {
    let [load, schema, status, at] =
        ["load_id", "schema_name", "status", "inserted_at"].map(|name| quote(&(books.fold)(name)));
    format!(
        "SELECT {load}, {schema}, {status}::VARCHAR, DATE_PART(EPOCH_MICROSECOND, {at})::VARCHAR FROM {} \
         ORDER BY {at} DESC LIMIT {MOST_LOADS}",
        books.loads
    )
}

/// Selects the newest version of each schema: name, version, and when it was stored in microseconds since 1970.
pub(crate) fn select_schemas(books: &Bookkeeping<'_>) -> String {
    let [schema, version, at] =
        ["schema_name", "version", "inserted_at"].map(|name| quote(&(books.fold)(name)));
    format!(
        "SELECT {schema}, MAX({version})::VARCHAR, DATE_PART(EPOCH_MICROSECOND, MAX({at}))::VARCHAR FROM {} \
         GROUP BY {schema} ORDER BY {schema}",
        books.version
    )
}

/// Counts the rejected records of each resource. `column` has the name of the resource.
pub(crate) fn count_rejected(table: &Name, column: &str) -> String {
    let column = quote(column);
    format!("SELECT {column}, COUNT(*)::VARCHAR FROM {table} GROUP BY {column} ORDER BY {column}")
}
