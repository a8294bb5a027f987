//! How rows are written: dlt's write dispositions.

use serde_json::{Map, Value, json};

use super::parse::{JobObject, Keys, choice};
use crate::dlt::merge_strategy::MergeStrategy;
use crate::fault::Result;
use crate::sql::condition::RowCondition;

/// How the rows of a load change the table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WriteDisposition {
    /// They are added.
    Append,
    /// They are merged with the existing rows by key.
    Merge(Box<MergeDisposition>),
    /// They replace the existing rows.
    Replace(Option<ReplaceStrategy>),
    /// They are not written.
    Skip,
}

/// How rows are merged.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MergeDisposition {
    /// The strategy. `None`: delete-insert.
    pub(crate) strategy: Option<MergeStrategy>,
    /// The options, each of which belongs to the strategy.
    pub(crate) options: MergeOptions,
}

/// The options of the merge strategies; the defaults are dlt's.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MergeOptions {
    /// The staged rows have distinct keys. delete-insert.
    pub(crate) deduplicated: bool,
    /// SQL: which staged rows are kept.
    pub(crate) source_filter: Option<String>,
    /// SQL: which existing rows may be deleted or retired. delete-insert, scd2, cdc.
    pub(crate) destination_scope: Option<String>,
    /// Rows that do not change are not written. upsert, cdc.
    pub(crate) skip_unchanged_rows: bool,
    /// The column of a row's version. scd2, upsert, cdc.
    pub(crate) row_version_column_name: Option<String>,
    /// The columns of the time in which a version is valid, from and to. scd2.
    pub(crate) validity_column_names: Option<(String, String)>,
    /// The end of that time of an active version; NULL by default. scd2.
    pub(crate) active_record_timestamp: Option<String>,
    /// The instant between old and new versions; the load's by default. scd2.
    pub(crate) boundary_timestamp: Option<String>,
    /// The column of a row's age. A staged row that is older than the existing row of the same key is discarded.
    /// Not an option of dlt. delete-insert, upsert, cdc.
    pub(crate) newer_by: Option<String>,
}

/// dlt's ways to replace a table's rows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ReplaceStrategy {
    /// Insert from a staging table, all tables at once.
    InsertFromStaging,
    /// The fastest way of the destination: clone or swap.
    StagingOptimized,
    /// Truncate first.
    TruncateAndInsert,
}

/// Why a load of a table must be complete: its rows cannot be committed a part at a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NeedsAllRows {
    /// The table is replaced.
    Replace,
    /// The strategy retires or deletes the rows that are absent from the load.
    Absent,
    /// The rows in the `destination_scope` that are absent from the load are deleted.
    Scope,
    /// The rows of one `merge_key` are replaced together.
    MergeKey,
}

impl NeedsAllRows {
    /// The reason for an error.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Replace => "replace publishes a table as a whole, so the load must be complete",
            Self::Absent => {
                "scd2 and cdc retire or delete rows that are absent from the load, so it must be complete"
            }
            Self::Scope => {
                "rows in the destination_scope that are absent from the load are deleted, so it must be complete"
            }
            Self::MergeKey => {
                "all rows of one merge_key are replaced together, so the load must be complete"
            }
        }
    }
}

impl MergeDisposition {
    /// The strategy; dlt's default for Snowflake is delete-insert.
    pub(crate) fn strategy(&self) -> MergeStrategy {
        self.strategy.unwrap_or_default()
    }
}

impl WriteDisposition {
    /// Its name in dlt.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Merge(_) => "merge",
            Self::Replace(_) => "replace",
            Self::Skip => "skip",
        }
    }

    /// Why a load with it must be complete, as far as the job alone decides it.
    pub(super) fn needs_all_rows(&self) -> Option<NeedsAllRows> {
        match self {
            Self::Append | Self::Skip => None,
            Self::Replace(_) => Some(NeedsAllRows::Replace),
            Self::Merge(merge) if merge.strategy().ends_absent() => Some(NeedsAllRows::Absent),
            Self::Merge(merge) => {
                merge.options.destination_scope.as_ref().map(|_| NeedsAllRows::Scope)
            }
        }
    }

    /// The disposition in the form of dlt's users, from which the hints of the schema are made.
    /// Options that dlt does not have are omitted.
    pub(crate) fn hint(&self) -> Value {
        let Self::Merge(merge) = self else { return self.name().into() };
        let MergeDisposition { strategy, options } = merge.as_ref();
        let mut hint = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            hint.extend(value.map(|value| (key.to_owned(), value)));
        };
        let text = |text: &Option<String>| text.clone().map(Value::from);
        put("disposition", Some("merge".into()));
        put("strategy", strategy.map(|s| s.name().into()));
        put("deduplicated", options.deduplicated.then_some(true.into()));
        put("source_filter", text(&options.source_filter));
        put("destination_scope", text(&options.destination_scope));
        put("skip_unchanged_rows", options.skip_unchanged_rows.then_some(true.into()));
        put("row_version_column_name", text(&options.row_version_column_name));
        let validity = options.validity_column_names.as_ref();
        put("validity_column_names", validity.map(|(from, to)| json!([from, to])));
        put("active_record_timestamp", text(&options.active_record_timestamp));
        put("boundary_timestamp", text(&options.boundary_timestamp));
        Value::Object(hint)
    }

    /// Parses a disposition: a name, or an object with options.
    pub(super) fn parse(value: &Value, place: &str) -> Result<Self> {
        if value.is_string() {
            return Ok(match choice(value, place, WORDS)? {
                Word::Append => Self::Append,
                Word::Merge => Self::Merge(Box::default()),
                Word::Replace => Self::Replace(None),
                Word::Skip => Self::Skip,
            });
        }
        let object = JobObject::new(value, place, KEYS)?;
        let Some(word) = object.choice("disposition", WORDS)? else {
            return Err(object.missing("disposition", "append, merge, replace or skip"));
        };
        let options: &[&str] = match word {
            Word::Append | Word::Skip => &[],
            Word::Merge => KEYS.known,
            Word::Replace => &["strategy"],
        };
        for key in KEYS.known.iter().filter(|key| **key != "disposition" && !options.contains(key))
        {
            if object.has(key) {
                return Err(object.fault_at(key, "expected nothing: it is an option of merge"));
            }
        }
        Ok(match word {
            Word::Append => Self::Append,
            Word::Merge => Self::Merge(Box::new(merge(&object)?)),
            Word::Replace => Self::Replace(object.choice("strategy", REPLACE_STRATEGIES)?),
            Word::Skip => Self::Skip,
        })
    }
}

/// The disposition of an object, if it has one.
pub(super) fn disposition(object: &JobObject<'_>) -> Result<Option<WriteDisposition>> {
    let Some(value) = object.get("write_disposition") else { return Ok(None) };
    WriteDisposition::parse(value, &object.place_of("write_disposition")).map(Some)
}

#[derive(Clone, Copy)]
enum Word {
    Append,
    Merge,
    Replace,
    Skip,
}

const WORDS: &[(&str, Word)] = &[
    ("append", Word::Append),
    ("replace", Word::Replace),
    ("merge", Word::Merge),
    ("skip", Word::Skip),
];

const KEYS: Keys = Keys::of(&[
    "disposition",
    "strategy",
    "deduplicated",
    "source_filter",
    "destination_scope",
    "skip_unchanged_rows",
    "row_version_column_name",
    "validity_column_names",
    "active_record_timestamp",
    "boundary_timestamp",
    "newer_by",
]);

fn merge(object: &JobObject<'_>) -> Result<MergeDisposition> {
    let words = MergeStrategy::ALL.map(|strategy| (strategy.name(), strategy));
    let strategy = object.choice("strategy", &words)?;
    let meant = strategy.unwrap_or_default();
    for option in KEYS.known {
        let of = MergeStrategy::ALL.into_iter().filter(|strategy| strategy.allows(option));
        let names = of.map(MergeStrategy::name).collect::<Vec<_>>().join(", ");
        if object.get(option).is_some() && !names.is_empty() && !meant.allows(option) {
            let message =
                format!("expected nothing: it is an option of {names}, not of {}", meant.name());
            return Err(object.fault_at(option, message));
        }
    }
    let text = |key| -> Result<_> { Ok(object.text(key)?.map(str::to_owned)) };
    let validity = match object.texts("validity_column_names")?.as_deref() {
        None => None,
        Some([from, to]) => Some((from.clone(), to.clone())),
        Some(other) => {
            let message = format!("expected two column names, found {}", other.len());
            return Err(object.fault_at("validity_column_names", message));
        }
    };
    let condition = |key, parse: fn(&str) -> Result<RowCondition>| -> Result<_> {
        let text = text(key)?;
        if let Some(text) = &text {
            parse(text).map_err(|fault| fault.at(object.place_of(key)))?;
        }
        Ok(text)
    };
    let options = MergeOptions {
        deduplicated: object.boolean("deduplicated")?.unwrap_or(false),
        source_filter: condition("source_filter", RowCondition::parse_of_load)?,
        destination_scope: condition("destination_scope", RowCondition::parse)?,
        skip_unchanged_rows: object.boolean("skip_unchanged_rows")?.unwrap_or(false),
        row_version_column_name: text("row_version_column_name")?,
        validity_column_names: validity,
        active_record_timestamp: text("active_record_timestamp")?,
        boundary_timestamp: text("boundary_timestamp")?,
        newer_by: text("newer_by")?,
    };
    Ok(MergeDisposition { strategy, options })
}

const REPLACE_STRATEGIES: &[(&str, ReplaceStrategy)] = &[
    ("truncate-and-insert", ReplaceStrategy::TruncateAndInsert),
    ("insert-from-staging", ReplaceStrategy::InsertFromStaging),
    ("staging-optimized", ReplaceStrategy::StagingOptimized),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_dispositions() {
        let check = |value: Value, name: &str, hints: Value| {
            let found = WriteDisposition::parse(&value, "write_disposition").unwrap();
            assert_eq!(found.name(), name, "{value}");
            assert_eq!(found.hint().to_string(), hints.to_string(), "{value}");
        };
        check(json!("append"), "append", json!("append"));
        check(json!("skip"), "skip", json!("skip"));
        check(
            json!({"disposition": "replace", "strategy": "staging-optimized"}),
            "replace",
            json!("replace"),
        );
        check(json!("merge"), "merge", json!({"disposition": "merge"}));
        for strategy in MergeStrategy::ALL.map(MergeStrategy::name) {
            let given = json!({"disposition": "merge", "strategy": strategy});
            check(given.clone(), "merge", given);
        }
        let given = json!({"disposition": "merge", "deduplicated": true, "source_filter": "a > 1"});
        check(given.clone(), "merge", given);
        let given = json!({
            "disposition": "merge", "strategy": "scd2", "row_version_column_name": "v",
            "validity_column_names": ["f", "t"], "active_record_timestamp": "9999-12-31",
            "boundary_timestamp": "2024-01-01",
        });
        check(given.clone(), "merge", given);
        check(
            json!({"disposition": "merge", "newer_by": "updated"}),
            "merge",
            json!({"disposition": "merge"}),
        );
    }

    #[test]
    fn names_mistakes_in_dispositions() {
        let check = |value: Value, message: &str| {
            let fault = WriteDisposition::parse(&value, "wd").unwrap_err();
            assert_eq!(fault.to_string(), message, "{value}");
        };
        check(json!("merged"), "wd: unknown \"merged\", did you mean \"merge\"?");
        check(
            json!("upsert"),
            "wd: expected one of \"append\", \"replace\", \"merge\", \"skip\", found \"upsert\"",
        );
        check(json!(1), "wd: expected an object, found 1");
        check(json!({}), "wd.disposition: expected append, merge, replace or skip, found nothing");
        check(
            json!({"disposition": "append", "strategy": "upsert"}),
            "wd.strategy: expected nothing: it is an option of merge",
        );
        check(
            json!({"disposition": "merge", "strategy": "upserts"}),
            "wd.strategy: unknown \"upserts\", did you mean \"upsert\"?",
        );
        check(
            json!({"disposition": "merge", "strategy": "upsert", "deduplicated": true}),
            "wd.deduplicated: expected nothing: it is an option of delete-insert, not of upsert",
        );
        check(
            json!({"disposition": "merge", "skip_unchanged_rows": true}),
            "wd.skip_unchanged_rows: expected nothing: it is an option of upsert, cdc, not of delete-insert",
        );
        check(
            json!({"disposition": "merge", "strategy": "scd2", "validity_column_names": ["f"]}),
            "wd.validity_column_names: expected two column names, found 1",
        );
    }
}
