//! The family of tables of a resource, with the tables and columns of the schema.

use serde_json::Value;

use super::tables::Plan;
use crate::dlt::schema::{Contract, Schema};
use crate::fault::{Context, Fault, Result};
use crate::job::{Job, OnTypeConflict, Resource};
use crate::shred::{
    Family, KEY_HINT, KnownColumn, NestedRoot, Preferred, RootKey, ShredOptions, TableContract,
};

/// An empty family of tables of the resource, with the tables and columns of the schema.
///
/// # Errors
/// A config fault if a contract in the schema cannot be read.
pub(crate) fn of(
    job: &Job,
    resource: &Resource,
    schema: &Schema,
    plan: &Plan,
    load_id: &str,
) -> Result<Family> {
    let known = schema.table(&plan.table);
    let nesting = known.and_then(|table| table.max_nesting());
    let nesting = nesting.unwrap_or(u64::from(job.max_table_nesting));
    let unnest = resource.unnest.clone();
    let mut family = Family::new(ShredOptions {
        convention: job.convention(),
        table: plan.table.clone(),
        max_nesting: i64::try_from(nesting).unwrap_or(i64::MAX),
        load_id: load_id.to_owned(),
        root_id: plan.action.root_id(),
        root_key: RootKey::of(&schema.root_keys(&plan.table)),
        sequence: plan.action.sequence(),
        unnest: unnest.map(|unnest| Box::new(move |path: &[String]| unnest.opens(path)) as _),
        preferred: preferred(schema),
        texts_only: !schema.detects_timestamps(),
        widen: resource.on_type_conflict == OnTypeConflict::Widen,
        max_columns: job.max_columns,
        max_tables: job.max_tables,
    });
    know(&mut family, schema, &plan.table)?;
    for nested in &plan.nested {
        family.know_root(&nested.table, rooted(schema, nested));
        know(&mut family, schema, &nested.table)?;
    }
    Ok(family)
}

/// Adds a table of the schema and those nested in it to the family.
fn know(family: &mut Family, schema: &Schema, root: &str) -> Result<()> {
    for table in schema.chain(root) {
        let name = table.name();
        if let Some(parent) = table.parent() {
            family.know_table(name, parent);
        }
        for column in table.columns().values() {
            family.know_column(
                name,
                KnownColumn {
                    name: column.name().to_owned(),
                    kind: column.kind(),
                    nullable: column.nullable(),
                    primary_key: column.has("primary_key"),
                    key: key_hint(column.hint(KEY_HINT))
                        .at(|| format!("column {}", column.name()))
                        .at(|| format!("table {name}"))?,
                },
            );
        }
        if let Some(key) = key_hint(table.hint(KEY_HINT)).at(|| format!("table {name}"))? {
            family.know_table_key(name, key);
        }
        let contract = Contract::of(schema, name)?;
        family.know_contract(
            name,
            TableContract { modes: contract, evolves_once: table.evolves_once() },
        );
    }
    Ok(())
}

/// The key of the schema's hints for a column or a table.
fn key_hint(hint: Option<&Value>) -> Result<Option<Vec<String>>> {
    let Some(hint) = hint.filter(|hint| !hint.is_null()) else { return Ok(None) };
    let text = |key: &Value| key.as_str().map(str::to_owned);
    let keys = hint.as_array().and_then(|keys| keys.iter().map(text).collect());
    keys.map(Some).ok_or_else(|| {
        Fault::destination(format_args!(
            "expected a list of keys as {KEY_HINT} in the stored schema, found {hint}"
        ))
    })
}

/// The ids and numbers of the rows of a nested root table.
fn rooted(schema: &Schema, plan: &Plan) -> NestedRoot {
    NestedRoot {
        root_id: plan.action.root_id(),
        root_key: RootKey::of(&schema.root_keys(&plan.table)),
        sequence: plan.action.sequence(),
    }
}

/// The types the schema prefers for columns of some names.
fn preferred(schema: &Schema) -> Option<Preferred> {
    let rules = schema.column_rules();
    rules.prefers().then(|| Box::new(move |name: &str| rules.preferred(name)) as Preferred)
}
