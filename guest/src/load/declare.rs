//! A resource of the job, as a table of the schema and as a plan: what its rows become.

use serde_json::{Map, Value};

use super::publish::{self, Action};
use super::unsupported;
use crate::fault::Result;
use crate::job::{ContractMode, Job, Resource, WriteDisposition};
use crate::name::Convention;
use crate::schema::{Column, Hints, Schema, Table};
use crate::shred::{Family, KnownColumn, Options};

/// What a resource's rows become.
pub(super) struct Plan {
    /// The root table, normalised.
    pub(super) table: String,
    pub(super) action: Action,
    /// What a person should know.
    pub(super) warning: Option<String>,
}

/// Declares the resource's tables in the schema, as dlt does before it reads anything.
pub(super) fn declare(job: &Job, resource: &Resource, schema: &mut Schema) -> Result<Plan> {
    check_supported(resource)?;
    if let Some(root_key) = job.root_key {
        schema.set_root_key(root_key);
    }
    let convention = job.convention();
    let table = convention.normalize_path(resource.table());
    let hints = Hints {
        columns: resource
            .columns
            .iter()
            .map(|(name, hints)| (name.clone(), hints.as_map().clone()))
            .collect(),
        primary_key: given(&resource.primary_key.columns),
        merge_key: given(&resource.merge_key.columns),
        write_disposition: Some(resource.write_disposition.hint()),
        cursor: cursor_column(resource),
        max_nesting: resource.max_table_nesting.map(u64::from),
        table: table_hints(resource),
    };
    let declared = hints.root(&table, &resource.name, |name| convention.normalize_path(name))?;
    schema.declare(declared)?;
    ask_for_root_ids(schema, &table)?;
    let (mut action, warning) = publish::action(schema, &table)?;
    if let (Action::Merge(plan), WriteDisposition::Merge(merge)) =
        (&mut action, &resource.write_disposition)
    {
        let newer_by = merge.options.newer_by.as_deref();
        plan.newer_by = newer_by.map(|name| convention.normalize_path(name));
    }
    Ok(Plan { table, action, warning })
}

/// The family of tables of the resource, with everything the schema knows of it.
pub(super) fn family(
    job: &Job,
    resource: &Resource,
    schema: &Schema,
    plan: &Plan,
    load_id: &str,
) -> Family {
    let known = schema.table(&plan.table);
    let nesting = known.and_then(|table| table.max_nesting());
    let nesting = nesting.unwrap_or(u64::from(job.max_table_nesting));
    let unnest = resource.unnest.clone();
    let mut family = Family::new(Options {
        convention: job.convention(),
        table: plan.table.clone(),
        max_nesting: i64::try_from(nesting).unwrap_or(i64::MAX),
        load_id: load_id.to_owned(),
        root_id: plan.action.root_id(),
        root_key: schema.propagated(&plan.table).is_some(),
        sequence: plan.action.sequence(),
        unnest: unnest.map(|unnest| Box::new(move |path: &[String]| unnest.opens(path)) as _),
    });
    for table in schema.chain(&plan.table) {
        if let Some(parent) = table.parent() {
            family.know_table(table.name(), parent);
        }
        for column in table.columns().values() {
            family.know_column(
                table.name(),
                KnownColumn {
                    name: column.name().to_owned(),
                    kind: column.kind(),
                    nullable: column.nullable(),
                },
            );
        }
    }
    family
}

/// What the second issue of this work brings is refused by name until then, never ignored.
fn check_supported(resource: &Resource) -> Result<()> {
    let contract = &resource.schema_contract;
    if [contract.tables, contract.columns, contract.data_type] != [ContractMode::Evolve; 3] {
        return Err(unsupported("a schema_contract other than evolve"));
    }
    if !resource.nested_hints.is_empty() {
        return Err(unsupported("nested_hints"));
    }
    Ok(())
}

/// Child tables that were there before root ids were wanted have to have them now.
fn ask_for_root_ids(schema: &mut Schema, root: &str) -> Result<()> {
    if schema.propagated(root).is_none() {
        return Ok(());
    }
    let lacks = |table: &&Table| !table.is_new() && table.columns_with("root_key").next().is_none();
    let chain = schema.chain(root).into_iter().skip(1).filter(lacks);
    let names: Vec<String> = chain.map(|table| table.name().to_owned()).collect();
    for name in names {
        schema.add_column(&name, Column::root_id())?;
    }
    Ok(())
}

fn given(columns: &[String]) -> Option<Vec<String>> {
    (!columns.is_empty()).then(|| columns.to_vec())
}

fn table_hints(resource: &Resource) -> Map<String, Value> {
    let mut hints = Map::new();
    if !resource.schema_contract_hint.is_null() {
        hints.insert("schema_contract".to_owned(), resource.schema_contract_hint.clone());
    }
    hints
}

/// The cursor's column, where its path is the name of one.
fn cursor_column(resource: &Resource) -> Option<String> {
    resource.cursor.as_ref()?.path.field().map(str::to_owned)
}

impl Job {
    /// How the job's names are made.
    pub(crate) fn convention(&self) -> Convention {
        Convention { naming: self.naming, max_length: self.max_identifier_length as usize }
    }
}
