//! A resource of the job, as a table of the schema and as a plan: what its rows become.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::merge::{self, WriteAction};
use super::nested;
use crate::dlt::naming::Convention;
use crate::dlt::schema::{Column, Contract, Hints, Schema, Table};
use crate::fault::{Context, Fault, Result};
use crate::job::{self, Job, OnTypeConflict, Resource, WriteDisposition};
use crate::shred::{
    Family, KEY_HINT, KnownColumn, NestedRoot, Preferred, RootKey, ShredOptions, TableContract,
};

/// What a resource's rows become.
pub(crate) struct Plan {
    /// The root table, normalised.
    pub(crate) table: String,
    pub(crate) action: WriteAction,
    /// What a person should know.
    pub(crate) warning: Option<String>,
    /// The tables filled from the resource's lists that begin families of their own.
    pub(crate) nested: Vec<Plan>,
}

/// Declares the resource's tables in the schema, as dlt does before it reads anything. None: the
/// contract has the whole resource left out.
pub(crate) fn declare(job: &Job, resource: &Resource, schema: &mut Schema) -> Result<Option<Plan>> {
    if let Some(root_key) = job.root_key {
        schema.set_root_key(root_key);
    }
    if !job.schema_contract_hint.is_null() {
        schema.set_contract(job.schema_contract_hint.clone());
    }
    let convention = job.convention();
    let table = convention.normalize_path(resource.table());
    let hints = Hints {
        columns: columns(&resource.columns),
        primary_key: given(&resource.primary_key.columns),
        merge_key: given(&resource.merge_key.columns),
        write_disposition: Some(resource.write_disposition.hint()),
        cursor: cursor_column(resource),
        max_nesting: resource.max_table_nesting.map(u64::from),
        table: table_hints(resource),
    };
    let declared = hints.root(&table, &resource.name, |name| convention.normalize_path(name))?;
    if !schema.declare(declared)? {
        return Ok(None);
    }
    for hints in &resource.nested_hints {
        nested::declare(resource, hints, &table, schema, convention)
            .at(|| format!("nested_hints.{}", hints.path.join(".")))?;
    }
    ask_for_root_ids(schema, &table)?;
    let nested = nested::roots(resource, schema, &table, convention);
    let nested = nested.into_iter().map(|(name, disposition)| {
        ask_for_root_ids(schema, &name)?;
        plan(schema, name, disposition, convention)
    });
    let nested = nested.collect::<Result<Vec<_>>>()?;
    let disposition = Some(&resource.write_disposition);
    Ok(Some(Plan { nested, ..plan(schema, table, disposition, convention)? }))
}

/// What becomes of the rows of a table that begins a family.
fn plan(
    schema: &Schema,
    table: String,
    disposition: Option<&WriteDisposition>,
    convention: Convention,
) -> Result<Plan> {
    merge::check_conditions(schema, &table, disposition).at(|| format!("table {table}"))?;
    let (mut action, warning) = merge::action(schema, &table).at(|| format!("table {table}"))?;
    if let Some(WriteDisposition::Merge(merge)) = disposition
        && let Some(newer_by) = &merge.options.newer_by
        && let WriteAction::Merge(plan) = &mut action
    {
        plan.guard(convention.normalize_path(newer_by))?;
    }
    Ok(Plan { table, action, warning, nested: Vec::new() })
}

/// The hints of columns as the schema takes them.
pub(crate) fn columns(
    columns: &IndexMap<String, job::Hints>,
) -> IndexMap<String, Map<String, Value>> {
    columns.iter().map(|(name, hints)| (name.clone(), hints.as_map().clone())).collect()
}

/// The family of tables of the resource, with everything the schema knows of it.
///
/// # Errors
/// A config fault when a contract in the schema cannot be read.
pub(crate) fn family(
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

/// Tells the family what the schema knows of a table and of those nested in it.
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

/// The key that the schema remembers for a column or a table.
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

/// What the rows that begin a family are, by what is to become of them.
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

/// Child tables that were there before root ids were wanted have to have them now. Those that are only
/// spoken of yet get them with their first row.
fn ask_for_root_ids(schema: &mut Schema, root: &str) -> Result<()> {
    if schema.root_keys(root).is_empty() {
        return Ok(());
    }
    let lacks =
        |table: &&Table| table.has_seen_data() && table.columns_with("root_key").next().is_none();
    let chain = schema.chain(root).into_iter().skip(1).filter(lacks);
    let names: Vec<String> = chain.map(|table| table.name().to_owned()).collect();
    let key = schema.table(root).and_then(|table| table.column(schema.root_key(root)));
    let kind = key.and_then(Column::kind);
    for name in names {
        schema.add_column(&name, Column::root_id(kind))?;
    }
    schema.propagate(root);
    Ok(())
}

pub(crate) fn given(columns: &[String]) -> Option<Vec<String>> {
    (!columns.is_empty()).then(|| columns.to_vec())
}

/// What is kept with a table just as the job gives it.
pub(crate) fn kept_hints<'v>(
    hints: [(&'v str, &'v Value); 2],
) -> impl Iterator<Item = (String, Value)> + use<'v> {
    let given = hints.into_iter().filter(|(_, value)| !value.is_null());
    given.map(|(hint, value)| (hint.to_owned(), value.clone()))
}

fn table_hints(resource: &Resource) -> Map<String, Value> {
    let mut hints = Map::new();
    if let Some(description) = &resource.description {
        hints.insert("description".to_owned(), description.as_str().into());
    }
    if resource.native {
        hints.insert("table_format".to_owned(), "native".into());
    }
    let kept =
        [("schema_contract", &resource.schema_contract_hint), ("references", &resource.references)];
    hints.extend(kept_hints(kept));
    hints
}

/// The cursor's column, where its path is the name of one.
fn cursor_column(resource: &Resource) -> Option<String> {
    let cursor = resource.cursor.as_ref().filter(|cursor| cursor.hinted)?;
    cursor.path.field().map(str::to_owned)
}
