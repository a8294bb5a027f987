//! How the rows of a family of tables are written, by the hints of the schema.
//!
//! The schema is the source of truth, because dlt may have written it, or an earlier job: the hints of a job are
//! merged into the schema first, and the plan is read from the result.

use crate::dlt::datetime::parse_timestamp;
use crate::dlt::merge_strategy::{MergeStrategy, RowIdSource};
use crate::dlt::schema::{Column, Schema, Table};
use crate::fault::{Context, Fault, Result};
use crate::job::{NeedsAllRows, WriteDisposition};
use crate::shred::{RootId, Sequence};
use crate::sql::condition::RowCondition;

/// How staged rows are combined with the existing ones.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WriteAction {
    Append,
    Replace,
    Merge(Box<MergePlan>),
}

/// How rows are merged.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MergePlan {
    pub(crate) strategy: MergeStrategy,
    /// The primary key.
    pub(crate) primary: Vec<String>,
    /// The merge key: rows with one value are replaced as a group.
    pub(crate) merge_key: Vec<String>,
    /// Whether the job declares that staged rows have distinct primary keys.
    pub(crate) deduplicated: bool,
    /// The staged rows that are merged; the others are deleted.
    pub(crate) source_filter: Option<RowCondition>,
    /// The existing rows that may be deleted because they are not staged.
    pub(crate) destination_scope: Option<RowCondition>,
    /// Whether unchanged rows are not written again.
    pub(crate) skip_unchanged: bool,
    /// The column by which a staged row must not be older than the existing one. Unlike the other fields it is not
    /// in the schema: dlt has no such option.
    pub(crate) newer_by: Option<String>,
    /// Whether the row's id is the version of the row.
    pub(crate) id_is_version: bool,
}

/// The hints of a table that are conditions.
const SOURCE_FILTER: &str = "x-merge-source-filter";
const DESTINATION_SCOPE: &str = "x-merge-destination-scope";

/// Checks that the conditions which the schema has for a table are those of the job of this run. Otherwise
/// whoever can write the stored schema could make the load delete rows that the job does not select.
///
/// # Errors
/// A config fault that names the condition.
pub(crate) fn check_conditions(
    schema: &Schema,
    name: &str,
    disposition: Option<&WriteDisposition>,
) -> Result<()> {
    let options = match disposition {
        Some(WriteDisposition::Merge(merge)) => Some(&merge.options),
        _ => None,
    };
    let said = [
        (SOURCE_FILTER, "source_filter", options.and_then(|o| o.source_filter.as_deref())),
        (
            DESTINATION_SCOPE,
            "destination_scope",
            options.and_then(|o| o.destination_scope.as_deref()),
        ),
    ];
    for (hint, option, said) in said {
        let stored = schema.table(name).and_then(|table| table.hint(hint)?.as_str());
        if stored.is_some() && stored != said {
            return Err(Fault::config(format_args!(
                "expected the job to say the {option} that the stored schema has, {}, found {}: a condition \
                 that only the stored schema has is not run",
                stored.map_or("none".to_owned(), |text| format!("{text:?}")),
                said.map_or("none".to_owned(), |text| format!("{text:?}")),
            )));
        }
    }
    Ok(())
}

/// The write action of a root table, by the schema, and a warning for the report.
///
/// # Errors
/// A config fault if the hints contradict each other.
pub(crate) fn action(schema: &Schema, name: &str) -> Result<(WriteAction, Option<String>)> {
    let Some(table) = schema.table(name) else {
        return Err(Fault::internal(format_args!("there is no table {name} in the schema")));
    };
    match table.write_disposition() {
        Some("merge") => {}
        // Every replace strategy is one transaction here: readers never find the table empty.
        Some("replace") => return Ok((WriteAction::Replace, None)),
        _ => return Ok((WriteAction::Append, None)),
    }
    let plan = MergePlan::of(schema, table)?;
    let acts = !plan.primary.is_empty()
        || !plan.merge_key.is_empty()
        || plan.destination_scope.is_some()
        || plan.strategy.keeps_versions();
    let selects = plan.source_filter.is_some() || hint_of(table, "hard_delete").is_some();
    let warning = (!acts).then(|| {
        format!(
            "table {name}: it is to be merged and has neither primary_key nor merge_key, so its rows are appended"
        )
    });
    let action =
        if acts || selects { WriteAction::Merge(Box::new(plan)) } else { WriteAction::Append };
    Ok((action, warning))
}

impl WriteAction {
    /// Why a load with it must be complete: a part of the rows would delete or retire the others.
    pub(crate) fn needs_all_rows(&self) -> Option<NeedsAllRows> {
        match self {
            Self::Append => None,
            Self::Replace => Some(NeedsAllRows::Replace),
            Self::Merge(plan) if plan.strategy.ends_absent() => Some(NeedsAllRows::Absent),
            Self::Merge(plan) if plan.destination_scope.is_some() => Some(NeedsAllRows::Scope),
            Self::Merge(plan) => (!plan.merge_key.is_empty()).then_some(NeedsAllRows::MergeKey),
        }
    }

    /// The rows that need numbers for it.
    pub(crate) fn sequence(&self) -> Sequence {
        match self {
            Self::Merge(plan) if plan.stages_children() => Sequence::All,
            Self::Merge(_) => Sequence::Root,
            Self::Append | Self::Replace => Sequence::None,
        }
    }

    /// The kind of ids of root rows. Source: dlt 1.31, `common/normalizers/json/helpers.py`,
    /// `get_root_row_id_type`.
    pub(crate) fn root_id(&self) -> RootId {
        match self {
            Self::Merge(plan) => match plan.strategy.row_id() {
                RowIdSource::PrimaryKey => RootId::Key(plan.primary.clone()),
                RowIdSource::Content if plan.id_is_version => RootId::Record,
                RowIdSource::Content | RowIdSource::Number => RootId::Numbered,
            },
            Self::Append | Self::Replace => RootId::Numbered,
        }
    }
}

impl MergePlan {
    fn of(schema: &Schema, table: &Table) -> Result<Self> {
        let name = schema.merge_strategy(table.name()).unwrap_or_default();
        let strategy = MergeStrategy::parse(name).ok_or_else(|| {
            Fault::config(format_args!("expected a merge strategy of dlt, found {name:?}"))
        })?;
        let key = |hint: &str| table.columns_with(hint).map(str::to_owned).collect::<Vec<_>>();
        let text =
            |hint: &str| table.hint(hint).and_then(|value| value.as_str()).map(str::to_owned);
        let flag = |hint: &str| table.hint(hint).is_some_and(|value| value.as_bool() == Some(true));
        for hint in ["hard_delete", "dedup_sort"] {
            if let [one, other, ..] = key(hint).as_slice() {
                return Err(Fault::config(format_args!(
                    "expected one column with {hint}, found {one} and {other}"
                )));
            }
        }
        let plan = Self {
            strategy,
            primary: key("primary_key"),
            merge_key: key("merge_key"),
            deduplicated: flag("x-stage-data-deduplicated"),
            source_filter: text(SOURCE_FILTER)
                .map(|sql| RowCondition::parse_of_load(&sql).at(|| "source_filter"))
                .transpose()?,
            destination_scope: text(DESTINATION_SCOPE)
                .map(|sql| RowCondition::parse(&sql).at(|| "destination_scope"))
                .transpose()?,
            skip_unchanged: flag("x-merge-skip-unchanged-rows"),
            newer_by: None,
            id_is_version: first_with(table, "x-row-version") == Some("_dlt_id"),
        };
        if strategy.matches_by_primary_key() && plan.primary.is_empty() {
            return Err(Fault::config(format_args!(
                "expected a primary_key, for {name} matches rows by it, found none"
            )));
        }
        Ok(plan)
    }

    /// Sets the column by which a staged row must not be older than the existing one.
    ///
    /// # Errors
    /// A config fault if rows are replaced in groups: an existing row would be deleted with its group although
    /// the older staged row is discarded.
    pub(crate) fn guard(&mut self, newer_by: String) -> Result<()> {
        let in_groups = !self.merge_key.is_empty() || self.destination_scope.is_some();
        let deletes_groups = self.strategy == MergeStrategy::DeleteInsert && in_groups;
        if self.primary.is_empty() || deletes_groups {
            return Err(Fault::config(
                "expected rows that are replaced by their primary_key, and by neither merge_key nor destination_scope",
            )
            .at("newer_by"));
        }
        self.newer_by = Some(newer_by);
        Ok(())
    }

    /// Returns `true` if existing rows may be retired or deleted because they are not staged.
    pub(crate) fn ends_unstaged_rows(&self) -> bool {
        self.strategy.ends_absent() || self.destination_scope.is_some()
    }

    /// Returns `true` if nested rows may need staging tables: their root row decides which are inserted, and its
    /// id does not show the decision.
    pub(crate) fn stages_children(&self) -> bool {
        self.strategy.stages_children() || self.source_filter.is_some() || self.newer_by.is_some()
    }
}

/// The columns and instants of scd2.
pub(crate) struct ValidityColumns<'a> {
    /// The column of the version.
    pub(crate) version: &'a str,
    /// The columns of the validity.
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    /// The end of active versions, in microseconds since 1970; `None` for NULL.
    pub(crate) active: Option<i64>,
    /// The instant between versions, if the job sets it.
    pub(crate) boundary: Option<i64>,
}

impl<'a> ValidityColumns<'a> {
    pub(crate) fn of(table: &'a Table) -> Result<Self> {
        let column = |hint: &str| {
            first_with(table, hint).ok_or_else(|| {
                Fault::config(format_args!("expected a column with the hint {hint}, found none"))
            })
        };
        let to = column("x-valid-to")?;
        let instant = |value: Option<&serde_json::Value>, what: &str| match value {
            None | Some(serde_json::Value::Null) => Ok(None),
            Some(value) => match value.as_str().and_then(parse_timestamp) {
                Some(micros) => Ok(Some(micros)),
                None => Err(Fault::config(format_args!(
                    "expected a date or an instant as {what}, found {value}"
                ))),
            },
        };
        let hint = |hint: &str| table.column(to).and_then(|column| column.hint(hint));
        Ok(Self {
            version: column("x-row-version")?,
            from: column("x-valid-from")?,
            to,
            active: instant(hint("x-active-record-timestamp"), "active_record_timestamp")?,
            boundary: instant(table.hint("x-boundary-timestamp"), "boundary_timestamp")?,
        })
    }
}

/// The columns whose values decide whether a row changed.
/// Source: dlt 1.31, `common/destination/utils.py`, `get_merge_compare_columns`.
pub(crate) fn compared(table: &Table) -> Vec<&Column> {
    const KEYS: [&str; 5] = ["primary_key", "row_key", "parent_key", "root_key", "hard_delete"];
    if let Some(version) = first_with(table, "x-row-version").and_then(|name| table.column(name)) {
        return vec![version];
    }
    let columns = table.complete_columns();
    columns
        .filter(|column| column.name() != "_dlt_load_id")
        .filter(|column| KEYS.iter().all(|key| !column.has(key)))
        .collect()
}

/// The first column with a hint, whose type is known.
pub(crate) fn hint_of<'a>(table: &'a Table, hint: &str) -> Option<&'a Column> {
    table.columns().values().find(|column| column.has(hint))
}

fn first_with<'a>(table: &'a Table, hint: &str) -> Option<&'a str> {
    hint_of(table, hint).map(Column::name)
}
