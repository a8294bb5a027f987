//! Hints for the nested tables of a resource.

use indexmap::IndexMap;
use serde_json::Value;

use super::contract::contract;
use super::disposition::{WriteDisposition, disposition};
use super::hints::{ColumnHints, columns};
use super::key::Key;
use super::parse::{JobObject, Keys, at, member};
use super::references::references;
use crate::fault::{Context as _, Fault, Result};
use crate::json::{Path, Segment};

/// Hints for a nested table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NestedHints {
    /// The keys from the record to the list, not normalized.
    pub(crate) path: Vec<String>,
    /// The parent, if it is not the table above.
    pub(crate) parent_table_name: Option<String>,
    /// How rows are written, if not as in the root table.
    pub(crate) write_disposition: Option<WriteDisposition>,
    /// The primary key; with one the table is a root table.
    pub(crate) primary_key: Key,
    /// The merge key; with one the table is a root table.
    pub(crate) merge_key: Key,
    /// The hints of columns by name, not normalized.
    pub(crate) columns: IndexMap<String, ColumnHints>,
    /// The contract of the table as the job writes it; null if it is that of the root table.
    pub(crate) schema_contract: Value,
    /// The references to other tables as the schema stores them; null if there are none.
    pub(crate) references: Value,
}

const KEYS: Keys = Keys {
    known: &[
        "parent_table_name",
        "write_disposition",
        "primary_key",
        "merge_key",
        "columns",
        "schema_contract",
        "references",
    ],
    refused: REFUSED,
};

const NO_CODE: &str = "it is code, and a job is data";

/// Keys of dlt that a job does not have, and the reason.
pub(super) const REFUSED: &[(&str, &str)] = &[
    ("parallelized", "how requests are sent is the host's business"),
    ("validator", NO_CODE),
    ("data_from", "name the parent's fields in the endpoint: {resources.<parent>.<field>}"),
    ("file_format", "files are always Parquet"),
];

/// The keys of a path such as `a.b`, or `['a.b'].c` if a key contains a dot.
fn keys_of(path: &str) -> Result<Vec<String>> {
    if !path.contains("['") {
        return Ok(path.split('.').map(str::to_owned).collect());
    }
    let key = |segment: &Segment| match segment {
        Segment::Key(key) => Ok(key.clone()),
        _ => Err(Fault::config(format_args!(
            "expected the keys to a list and nothing else, found {path:?}"
        ))),
    };
    Path::parse(path)?.segments().iter().map(key).collect()
}

/// Parses the hints for the nested tables of a resource, shorter paths first.
pub(super) fn nested_hints(object: &JobObject<'_>) -> Result<Vec<NestedHints>> {
    let Some(map) = object.map("nested_hints")? else { return Ok(Vec::new()) };
    let place = object.place_of("nested_hints");
    let read = |(path, value): (&String, &Value)| {
        let place = member(&place, path);
        let keys = keys_of(path).at(|| place.clone())?;
        if keys.iter().any(String::is_empty) {
            let message =
                format!("expected the keys to a list with dots between them, found {path:?}");
            return Err(at(&place, message));
        }
        let hints = JobObject::new(value, place, KEYS)?;
        Ok(NestedHints {
            path: keys,
            parent_table_name: hints.text("parent_table_name")?.map(str::to_owned),
            write_disposition: disposition(&hints)?,
            primary_key: Key::parse(&hints, "primary_key")?.unwrap_or_default(),
            merge_key: Key::parse(&hints, "merge_key")?.unwrap_or_default(),
            columns: columns(&hints)?,
            schema_contract: contract(&hints)?,
            references: references(&hints)?,
        })
    };
    let mut nested = map.iter().map(read).collect::<Result<Vec<_>>>()?;
    // Parents come before their children, otherwise in the order of the job (a stable sort).
    nested.sort_by_key(|hints| hints.path.len());
    Ok(nested)
}
