//! A resource of the job, as a table of the schema and as a plan: what its rows become.

use serde_json::{Map, Value, json};

use super::publish::{Action, MergePlan};
use super::unsupported;
use crate::fault::{Fault, Result};
use crate::job::{ContractMode, Job, MergeStrategy, Resource, Sort, WriteDisposition};
use crate::name::Convention;
use crate::schema::{Hints, Schema};
use crate::shred::{Family, KnownColumn, Options, RootId, Sequence};

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
        write_disposition: Some(disposition(&resource.write_disposition)),
        cursor: cursor_column(resource),
        max_nesting: resource.max_table_nesting.map(u64::from),
        table: table_hints(resource),
    };
    let declared = hints.root(&table, &resource.name, |name| convention.normalize_path(name))?;
    schema.declare(declared)?;
    let (action, warning) = action(resource, schema, &table, convention)?;
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
    let merge = match &plan.action {
        Action::Merge(merge) => Some(merge),
        Action::Append | Action::Replace => None,
    };
    let keyed = merge.filter(|merge| merge.upsert).and_then(|merge| merge.keys.first());
    let unnest = resource.unnest.clone();
    let mut family = Family::new(Options {
        convention: job.convention(),
        table: plan.table.clone(),
        max_nesting: i64::try_from(nesting).unwrap_or(i64::MAX),
        load_id: load_id.to_owned(),
        root_id: keyed.map_or(RootId::Numbered, |key| RootId::Key(key.clone())),
        root_key: schema.propagated(&plan.table).is_some(),
        sequence: match merge {
            Some(merge) if merge.upsert => Sequence::All,
            Some(_) => Sequence::Root,
            None => Sequence::None,
        },
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
    for (name, hints) in &resource.columns {
        if hints.get("hard_delete").is_some() {
            return Err(unsupported("hard_delete").at(format_args!("columns.{name}")));
        }
    }
    let contract = &resource.schema_contract;
    if [contract.tables, contract.columns, contract.data_type] != [ContractMode::Evolve; 3] {
        return Err(unsupported("a schema_contract other than evolve"));
    }
    if !resource.nested_hints.is_empty() {
        return Err(unsupported("nested_hints"));
    }
    Ok(())
}

fn action(
    resource: &Resource,
    schema: &Schema,
    table: &str,
    convention: Convention,
) -> Result<(Action, Option<String>)> {
    let merge = match &resource.write_disposition {
        WriteDisposition::Append => return Ok((Action::Append, None)),
        // However it is to be replaced, it is one transaction here: there is no moment at which a
        // reader finds the table empty.
        WriteDisposition::Replace(_) => return Ok((Action::Replace, None)),
        WriteDisposition::Skip => return Err(unsupported("the write disposition skip")),
        WriteDisposition::Merge(merge) => merge,
    };
    let upsert = match merge.strategy() {
        MergeStrategy::DeleteInsert => false,
        MergeStrategy::Upsert => true,
        other => return Err(unsupported(format_args!("the merge strategy {}", other.name()))),
    };
    let options = &merge.options;
    for (given, option) in [
        (options.source_filter.is_some(), "source_filter"),
        (options.destination_scope.is_some(), "destination_scope"),
        (options.skip_unchanged_rows, "skip_unchanged_rows"),
    ] {
        if given {
            return Err(unsupported(format_args!("the merge option {option}")));
        }
    }
    let key = |hint: &str| -> Vec<String> {
        let columns = schema.table(table).map(|table| table.columns_with(hint));
        columns.map_or_else(Vec::new, |columns| columns.map(str::to_owned).collect())
    };
    let (primary, merge_key) = (key("primary_key"), key("merge_key"));
    if primary.is_empty() && (upsert || merge_key.is_empty()) {
        if upsert {
            return Err(Fault::config(
                "expected a primary_key, for upsert matches rows by it, found none",
            ));
        }
        let warning = format!(
            "resource {}: it is to be merged and has neither primary_key nor merge_key, so its rows are appended",
            resource.name
        );
        return Ok((Action::Append, Some(warning)));
    }
    let dedup_sort = resource.columns.iter().find_map(|(name, hints)| {
        let sort = hints.dedup_sort()?;
        Some((convention.normalize_path(name), sort == Sort::Descending))
    });
    let plan = MergePlan {
        upsert,
        deduplicate: !primary.is_empty() && !options.deduplicated,
        keys: [primary, if upsert { Vec::new() } else { merge_key }]
            .into_iter()
            .filter(|key| !key.is_empty())
            .collect(),
        dedup_sort,
    };
    Ok((Action::Merge(plan), None))
}

fn given(columns: &[String]) -> Option<Vec<String>> {
    (!columns.is_empty()).then(|| columns.to_vec())
}

/// The disposition as dlt's users write it, which is what the schema's hints are made of.
fn disposition(disposition: &WriteDisposition) -> Value {
    match disposition {
        WriteDisposition::Merge(merge) if merge.strategy.is_some() => {
            json!({ "disposition": "merge", "strategy": merge.strategy().name() })
        }
        other => other.name().into(),
    }
}

fn table_hints(resource: &Resource) -> Map<String, Value> {
    let mut hints = resource.write_disposition.table_hints();
    // The strategy goes with the disposition.
    hints.shift_remove("x-merge-strategy");
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
