//! A resource of the job, as a table of the schema and as a plan: what its rows become.

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::publish::{Action, MergePlan};
use super::unsupported;
use crate::fault::{Context, Fault, Result};
use crate::job::{
    self, Job, Merge, MergeOptions, MergeStrategy, NestedHints, OnTypeConflict, Resource, Sort,
    WriteDisposition,
};
use crate::name::Convention;
use crate::schema::{Contract, Hints, Mode, Schema, Table, is_dlt};
use crate::shred::{Family, KnownColumn, Options, Refusal, RootId, Rooted, Rules, Sequence};

/// What a resource's rows become.
pub(super) struct Plan {
    /// The root table, normalised.
    pub(super) table: String,
    pub(super) action: Action,
    /// What a person should know.
    pub(super) warning: Option<String>,
    /// The tables filled from the resource's lists that begin families of their own.
    pub(super) nested: Vec<Plan>,
}

/// Declares the resource's tables in the schema, as dlt does before it reads anything. None: the
/// contract has the whole resource left out.
pub(super) fn declare(job: &Job, resource: &Resource, schema: &mut Schema) -> Result<Option<Plan>> {
    check_supported(resource)?;
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
        write_disposition: Some(disposition(&resource.write_disposition)),
        cursor: cursor_column(resource),
        max_nesting: resource.max_table_nesting.map(u64::from),
        table: table_hints(resource),
    };
    let declared = hints.root(&table, &resource.name, |name| convention.normalize_path(name))?;
    if !schema.declare(declared)? {
        return Ok(None);
    }
    for nested in &resource.nested_hints {
        declare_nested(resource, nested, &table, schema, convention)
            .at(|| format!("nested_hints.{}", nested.path.join(".")))?;
    }
    let (action, warning) = action(resource, schema, &table, convention)?;
    let nested = nested_roots(resource, schema, &table, convention)?;
    Ok(Some(Plan { table, action, warning, nested }))
}

/// Declares what the job says of the table of a list.
/// Source: dlt 1.31, `extract/hints.py`, `get_nested_hints`.
fn declare_nested(
    resource: &Resource,
    nested: &NestedHints,
    root: &str,
    schema: &mut Schema,
    convention: Convention,
) -> Result<()> {
    let (name, parent) = nested_names(nested, root, convention);
    let mut table = match &nested.write_disposition {
        Some(disposition) => disposition.table_hints(),
        None => Map::new(),
    };
    table.shift_remove("x-merge-strategy");
    if !nested.schema_contract_hint.is_null() {
        table.insert("schema_contract".to_owned(), nested.schema_contract_hint.clone());
    }
    let hints = Hints {
        columns: columns(&nested.columns),
        primary_key: given(&nested.primary_key.columns),
        merge_key: given(&nested.merge_key.columns),
        write_disposition: nested.write_disposition.as_ref().map(disposition),
        table,
        ..Hints::default()
    };
    let normalize = |name: &str| convention.normalize_path(name);
    schema.declare(hints.nested(&name, &parent, &resource.name, normalize)?).map(drop)
}

/// The name of the table of a list, and that of its parent.
fn nested_names(nested: &NestedHints, root: &str, convention: Convention) -> (String, String) {
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

/// The tables of the resource's lists that have keys of their own, and so are no part of its family:
/// those the job names, and those an earlier one did.
fn nested_roots(
    resource: &Resource,
    schema: &Schema,
    root: &str,
    convention: Convention,
) -> Result<Vec<Plan>> {
    let is_nested_root = |table: &&Table| {
        let of_resource = table.resource() == Some(&resource.name) && table.parent().is_none();
        of_resource
            && table.name() != root
            && table.name().starts_with(root)
            && !is_dlt(table.name())
    };
    let mut plans = Vec::new();
    for table in schema.tables().values().filter(is_nested_root) {
        let name = table.name().to_owned();
        let hints = resource
            .nested_hints
            .iter()
            .find(|nested| nested_names(nested, root, convention).0 == name);
        let own = Resource {
            write_disposition: match hints {
                Some(hints) => hints.write_disposition.clone().unwrap_or(WriteDisposition::Append),
                None => stored_disposition(schema, table),
            },
            columns: hints.map(|hints| hints.columns.clone()).unwrap_or_default(),
            ..resource.clone()
        };
        let (action, warning) =
            action(&own, schema, &name, convention).at(|| format!("table {name}"))?;
        plans.push(Plan { table: name, action, warning, nested: Vec::new() });
    }
    Ok(plans)
}

/// How a table was written when it was declared last.
fn stored_disposition(schema: &Schema, table: &Table) -> WriteDisposition {
    match table.write_disposition() {
        Some("merge") => {
            let strategy = match schema.merge_strategy(table.name()) {
                Some("upsert") => MergeStrategy::Upsert,
                Some("insert-only") => MergeStrategy::InsertOnly,
                Some("scd2") => MergeStrategy::Scd2,
                Some("cdc") => MergeStrategy::Cdc,
                _ => MergeStrategy::DeleteInsert,
            };
            let options = MergeOptions::default();
            WriteDisposition::Merge(Merge { strategy: Some(strategy), options })
        }
        Some("replace") => WriteDisposition::Replace(None),
        Some("skip") => WriteDisposition::Skip,
        _ => WriteDisposition::Append,
    }
}

fn columns(columns: &IndexMap<String, job::Hints>) -> IndexMap<String, Map<String, Value>> {
    columns.iter().map(|(name, hints)| (name.clone(), hints.as_map().clone())).collect()
}

/// The family of tables of the resource, with everything the schema knows of it.
///
/// # Errors
/// A config fault when a contract in the schema cannot be read.
pub(super) fn family(
    job: &Job,
    resource: &Resource,
    schema: &Schema,
    plan: &Plan,
    load_id: &str,
) -> Result<Family> {
    let known = schema.table(&plan.table);
    let nesting = known.and_then(|table| table.max_nesting());
    let nesting = nesting.unwrap_or(u64::from(job.max_table_nesting));
    let Rooted { root_id, root_key, sequence } = rooted(schema, plan);
    let unnest = resource.unnest.clone();
    let mut family = Family::new(Options {
        convention: job.convention(),
        table: plan.table.clone(),
        max_nesting: i64::try_from(nesting).unwrap_or(i64::MAX),
        load_id: load_id.to_owned(),
        root_id,
        root_key,
        sequence,
        unnest: unnest.map(|unnest| Box::new(move |path: &[String]| unnest.opens(path)) as _),
        preferred: preferred(schema),
        texts_only: !schema.detects_timestamps(),
        widen: resource.on_type_conflict == OnTypeConflict::Widen,
        max_columns: job.max_columns,
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
                },
            );
        }
        let contract = Contract::of(schema, name)?;
        family.know_rules(
            name,
            Rules {
                tables: refusal(contract.tables),
                columns: refusal(contract.columns),
                data_type: refusal(contract.data_type),
                once: table.evolves_once(),
            },
        );
    }
    Ok(())
}

fn refusal(mode: Mode) -> Option<Refusal> {
    match mode {
        Mode::Evolve => None,
        Mode::Freeze => Some(Refusal::Freeze),
        Mode::DiscardRow => Some(Refusal::Row),
        Mode::DiscardValue => Some(Refusal::Value),
    }
}

/// What the rows that begin a family are, by what is to become of them.
fn rooted(schema: &Schema, plan: &Plan) -> Rooted {
    let merge = match &plan.action {
        Action::Merge(merge) => Some(merge),
        Action::Append | Action::Replace => None,
    };
    let keyed = merge.filter(|merge| merge.upsert).and_then(|merge| merge.keys.first());
    Rooted {
        root_id: keyed.map_or(RootId::Numbered, |key| RootId::Key(key.clone())),
        root_key: schema.propagated(&plan.table).is_some(),
        sequence: match merge {
            Some(merge) if merge.upsert => Sequence::All,
            Some(_) => Sequence::Root,
            None => Sequence::None,
        },
    }
}

/// The types the schema prefers for columns of some names.
fn preferred(schema: &Schema) -> Option<crate::shred::Preferred> {
    let types = schema.preferred_types();
    (!types.is_empty())
        .then(|| Box::new(move |name: &str| types.get(name).copied()) as crate::shred::Preferred)
}

/// What the second issue of this work brings is refused by name until then, never ignored.
fn check_supported(resource: &Resource) -> Result<()> {
    for (name, hints) in &resource.columns {
        if hints.get("hard_delete").is_some() {
            return Err(unsupported("hard_delete").at(format_args!("columns.{name}")));
        }
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
    let cursor = resource.cursor.as_ref().filter(|cursor| cursor.hinted)?;
    cursor.path.field().map(str::to_owned)
}

impl Job {
    /// How the job's names are made.
    pub(crate) fn convention(&self) -> Convention {
        Convention { naming: self.naming, max_length: self.max_identifier_length as usize }
    }
}
