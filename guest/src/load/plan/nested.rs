//! A job's hints for the tables of lists: dlt's nested hints. A table with its own key is merged
//! independently of its parent's rows.
//!
//! Source: dlt 1.31, `extract/hints.py` (`get_nested_hints`, `compute_nested_table_schemas`).

use super::hints::{columns, given, kept_hints};
use crate::dlt::naming::Convention;
use crate::dlt::schema::{Hints, Schema, Table, is_dlt};
use crate::fault::Result;
use crate::job::{NestedHints, Resource, WriteDisposition};

/// Declares the table of a list as the job describes it.
pub(crate) fn declare(
    resource: &Resource,
    nested: &NestedHints,
    root: &str,
    schema: &mut Schema,
    convention: Convention,
) -> Result<()> {
    let (name, parent) = names(nested, root, convention);
    let kept = [("schema_contract", &nested.schema_contract), ("references", &nested.references)];
    let hints = Hints {
        columns: columns(&nested.columns),
        primary_key: given(&nested.primary_key.columns),
        merge_key: given(&nested.merge_key.columns),
        write_disposition: nested.write_disposition.as_ref().map(WriteDisposition::hint),
        table: kept_hints(kept).collect(),
        ..Hints::default()
    };
    let normalize = |name: &str| convention.normalize_path(name);
    schema.declare(hints.nested(&name, &parent, &resource.name, normalize)?).map(drop)
}

/// The tables of the resource's lists that have keys of their own, and so are no part of its family:
/// those the job names, with its hints for them, and those that an earlier job named.
pub(crate) fn roots<'r>(
    resource: &'r Resource,
    schema: &Schema,
    root: &str,
    convention: Convention,
) -> Vec<(String, Option<&'r WriteDisposition>)> {
    let is_nested_root = |table: &&Table| {
        let of_resource = table.resource() == Some(&resource.name) && table.parent().is_none();
        let name = table.name();
        of_resource && name != root && name.starts_with(root) && !is_dlt(name)
    };
    let disposition = |name: &str| {
        let mut hints = resource.nested_hints.iter();
        let own = hints.find(|nested| names(nested, root, convention).0 == name);
        own.and_then(|nested| nested.write_disposition.as_ref())
    };
    let tables = schema.tables().values().filter(is_nested_root);
    tables.map(|table| (table.name().to_owned(), disposition(table.name()))).collect()
}

/// The name of the table of a list, and that of its parent.
fn names(nested: &NestedHints, root: &str, convention: Convention) -> (String, String) {
    let keys = nested.path.iter().map(|key| convention.normalize_identifier(key));
    let path: Vec<String> = std::iter::once(root.to_owned()).chain(keys).collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let above = path.split_last().map_or(&[][..], |(_, above)| above);
    let parent = match &nested.parent_table_name {
        Some(parent) => convention.normalize_path(parent),
        None => convention.shorten_fragments(above),
    };
    (convention.shorten_fragments(&path), parent)
}
