//! A resource of the job as tables of the schema, and the plan for its rows.

use super::hints::{columns, cursor_column, given, table_hints};
use super::merge::{self, WriteAction};
use super::nested;
use crate::dlt::naming::Convention;
use crate::dlt::schema::{Column, Hints, Schema, Table};
use crate::fault::{Context, Fault, Result};
use crate::job::{Job, Resource, WriteDisposition};

/// How the rows of a root table are written.
pub(crate) struct Plan {
    /// The root table, normalised.
    pub(crate) table: String,
    pub(crate) action: WriteAction,
    /// A warning for the report.
    pub(crate) warning: Option<String>,
    /// The root tables that are filled from lists in the records of the resource.
    pub(crate) nested: Vec<Plan>,
}

/// Declares the resource's tables in the schema, as dlt does before it reads anything. Returns `None` if the
/// schema contract discards the whole resource.
pub(crate) fn declare(job: &Job, resource: &Resource, schema: &mut Schema) -> Result<Option<Plan>> {
    if let Some(root_key) = job.root_key {
        schema.set_root_key(root_key);
    }
    if !job.schema_contract.is_null() {
        schema.set_contract(job.schema_contract.clone());
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
    add_root_ids(schema, &table)?;
    let nested = nested::roots(resource, schema, &table, convention);
    let nested = nested.into_iter().map(|(name, disposition)| {
        add_root_ids(schema, &name)?;
        plan(schema, name, disposition, convention)
    });
    let nested = nested.collect::<Result<Vec<_>>>()?;
    let disposition = Some(&resource.write_disposition);
    let plan = Plan { nested, ..plan(schema, table, disposition, convention)? };
    if job.slice.is_some() {
        check_parts(&plan, "no slices are possible")?;
    } else if resource.checkpoint.is_some() {
        check_parts(&plan, "no checkpoint is possible")?;
    }
    Ok(Some(plan))
}

/// Checks that the rows of the tables can be committed a part at a time. Every part is a load of its own, so a
/// plan that deletes the rows which are absent from a load would delete those of the parts before.
///
/// # Errors
/// A config fault that names the table.
fn check_parts(plan: &Plan, refused: &str) -> Result<()> {
    for plan in std::iter::once(plan).chain(&plan.nested) {
        if let Some(why) = plan.action.needs_all_rows() {
            return Err(Fault::config(format_args!(
                "{refused}: {}; the hints of the stored schema apply where the job gives none",
                why.reason()
            ))
            .at(format_args!("table {}", plan.table)));
        }
    }
    Ok(())
}

/// The plan for the rows of a root table.
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

/// Adds the column of root ids to existing nested tables that lack it, if the strategy needs it. A nested table
/// without rows gets it with its first row.
fn add_root_ids(schema: &mut Schema, root: &str) -> Result<()> {
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
