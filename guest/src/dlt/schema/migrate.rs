//! Migration of schemas that an older dlt stored to the form of dlt 1.31.
//!
//! Source: dlt 1.31, `common/schema/migrations.py`.

use serde_json::{Map, Value, json};

use super::ENGINE_VERSION;
use crate::fault::{Fault, Result};

/// The oldest supported form: dlt 0.3 of 2023.
const OLDEST: u64 = 7;

/// Migrates a stored schema to the current form.
///
/// # Errors
/// A destination fault if it was stored by a dlt that is too old or too new.
pub(super) fn migrate(schema: &mut Map<String, Value>) -> Result<()> {
    let engine = schema.get("engine_version").and_then(Value::as_u64);
    let Some(engine @ OLDEST..=ENGINE_VERSION) = engine else {
        let found = schema.get("engine_version").unwrap_or(&Value::Null);
        return Err(Fault::destination(format_args!(
            "expected an engine_version from {OLDEST} to {ENGINE_VERSION}, found {found}: \
             the dataset was written by a dlt that is older or newer than 0.3 to 1.31"
        )));
    };
    if engine < 8 {
        schema.insert("previous_hashes".into(), json!([]));
    }
    if engine < 9 {
        for table in tables(schema) {
            if table.get("columns").and_then(|columns| columns.get("_dlt_id")).is_some() {
                let flags = table.entry("x-normalizer").or_insert_with(|| json!({}));
                if let Value::Object(flags) = flags {
                    flags.insert("seen-data".into(), true.into());
                }
            }
        }
    }
    if engine < 10 {
        name_keys(schema);
    }
    if engine < 11
        && let Some(Value::Object(normalizers)) = schema.get_mut("normalizers")
    {
        normalizers.insert("use_break_path_on_normalize".into(), false.into());
    }
    forget_nulls(schema);
    Ok(())
}

/// Engine 10: `row_key` and `parent_key` replace `foreign_key`; `json` replaces `complex`.
fn name_keys(schema: &mut Map<String, Value>) {
    for table in tables(schema) {
        for (name, column) in columns(table).into_iter().flatten() {
            let Value::Object(column) = column else { continue };
            if column.get("data_type") == Some(&Value::from("complex")) {
                column.insert("data_type".into(), "json".into());
            }
            let was = |hint: &str| column.get(hint).cloned().unwrap_or(Value::Bool(false));
            match name.as_str() {
                "_dlt_id" => column.insert("row_key".into(), was("unique")),
                "_dlt_parent_id" => column.insert("parent_key".into(), was("foreign_key")),
                _ => None,
            };
            column.shift_remove("foreign_key");
        }
    }
    if let Some(Value::Object(settings)) = schema.get_mut("settings") {
        if let Some(Value::Object(types)) = settings.get_mut("preferred_types") {
            for data_type in types.values_mut().filter(|t| **t == "complex") {
                *data_type = "json".into();
            }
        }
        if let Some(Value::Object(hints)) = settings.get_mut("default_hints")
            && !hints.is_empty()
        {
            hints.shift_remove("foreign_key");
            hints.insert("row_key".into(), json!(["_dlt_id"]));
            hints.insert("parent_key".into(), json!(["_dlt_parent_id"]));
        }
    }
    let json = schema.get_mut("normalizers").and_then(|normalizers| normalizers.get_mut("json"));
    if let Some(Value::Object(config)) = json.and_then(|json| json.get_mut("config")) {
        config.shift_remove("generate_dlt_id");
    }
}

/// Removes columns with only NULLs, which some versions stored.
fn forget_nulls(schema: &mut Map<String, Value>) {
    for columns in tables(schema).filter_map(columns) {
        columns.retain(|_, column| {
            let Value::Object(column) = column else { return true };
            let flags = column.get_mut("x-normalizer").and_then(Value::as_object_mut);
            let Some(flags) =
                flags.filter(|f| f.get("seen-null-first") == Some(&Value::Bool(true)))
            else {
                return true;
            };
            flags.shift_remove("seen-null-first");
            if flags.is_empty() {
                column.shift_remove("x-normalizer");
            }
            column.contains_key("data_type")
        });
    }
}

fn tables(schema: &mut Map<String, Value>) -> impl Iterator<Item = &mut Map<String, Value>> {
    let tables = schema.get_mut("tables").and_then(Value::as_object_mut);
    tables.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut)
}

fn columns(table: &mut Map<String, Value>) -> Option<&mut Map<String, Value>> {
    table.get_mut("columns")?.as_object_mut()
}
