//! The hints of a job in the form of the schema.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::job::{self, Resource};

/// The hints of columns in the form of the schema.
pub(crate) fn columns(
    columns: &IndexMap<String, job::ColumnHints>,
) -> IndexMap<String, Map<String, Value>> {
    columns.iter().map(|(name, hints)| (name.clone(), hints.as_map().clone())).collect()
}

pub(crate) fn given(columns: &[String]) -> Option<Vec<String>> {
    (!columns.is_empty()).then(|| columns.to_vec())
}

/// The hints that the schema stores in the form of the job.
pub(crate) fn kept_hints<'v>(
    hints: [(&'v str, &'v Value); 2],
) -> impl Iterator<Item = (String, Value)> + use<'v> {
    let given = hints.into_iter().filter(|(_, value)| !value.is_null());
    given.map(|(hint, value)| (hint.to_owned(), value.clone()))
}

pub(crate) fn table_hints(resource: &Resource) -> Map<String, Value> {
    let mut hints = Map::new();
    if let Some(description) = &resource.description {
        hints.insert("description".to_owned(), description.as_str().into());
    }
    if resource.native {
        hints.insert("table_format".to_owned(), "native".into());
    }
    let kept =
        [("schema_contract", &resource.schema_contract), ("references", &resource.references)];
    hints.extend(kept_hints(kept));
    hints
}

/// The cursor's column, if its path is the name of one.
pub(crate) fn cursor_column(resource: &Resource) -> Option<String> {
    let cursor = resource.cursor.as_ref().filter(|cursor| cursor.hinted)?;
    cursor.path.field().map(str::to_owned)
}
