//! Settings of a schema that apply to columns by name: dlt's `default_hints`, `preferred_types` and
//! `detections`.
//!
//! A setting is a name, or `re:` and a regular expression that is searched for in the name. Some of
//! Python's regular expressions are not supported, such as lookahead. [`Schema::ignored_settings`]
//! lists all settings that have no effect, so that a load can warn.
//!
//! Source: dlt 1.31, `common/schema/schema.py` (`_infer_hint`, `get_preferred_type`),
//! `common/schema/utils.py` (`compile_simple_regex`, `hint_to_column_prop`).

use regex_lite::Regex;
use serde_json::Value;

use super::{Column, Schema};
use crate::dlt::types::{DataType, Kind};

/// The only detection that dlt enables by default.
const TIMESTAMPS: &str = "iso_timestamp";

/// Whether names are normalized as paths, piece by piece between `__`; dlt's default. dlt stores `false` when it
/// migrates a schema of an engine before 11. Source: dlt 1.31, `common/normalizers/json/helpers.py`.
const BREAK_PATH: &str = "use_break_path_on_normalize";

/// The settings of a schema that apply to columns by name, compiled.
#[derive(Debug, Default)]
pub(crate) struct ColumnRules {
    /// The hints, each with the columns that have it.
    hints: Vec<(String, Vec<Pattern>)>,
    /// Columns with their preferred types.
    types: Vec<(Pattern, DataType)>,
}

/// A pattern of column names.
#[derive(Debug)]
enum Pattern {
    /// Exactly this name.
    Name(String),
    /// Names in which the expression is found.
    Expression(Regex),
}

impl Schema {
    /// Compiles the settings that apply to columns.
    pub(crate) fn column_rules(&self) -> ColumnRules {
        let object = |key| self.settings().get(key).and_then(Value::as_object);
        let hints = object("default_hints").into_iter().flatten().map(|(hint, names)| {
            let names = names.as_array().into_iter().flatten().filter_map(Value::as_str);
            (hint.clone(), names.filter_map(Pattern::new).collect())
        });
        let types = object("preferred_types").into_iter().flatten();
        let types = types.filter_map(|(name, data_type)| {
            Some((Pattern::new(name)?, data_type.as_str().and_then(DataType::parse)?))
        });
        ColumnRules { hints: hints.collect(), types: types.collect() }
    }

    /// Returns `true` if strings that look like timestamps become timestamps.
    pub(crate) fn detects_timestamps(&self) -> bool {
        let detections = self.settings().get("detections").and_then(Value::as_array);
        detections.is_none_or(|names| names.iter().any(|name| name == TIMESTAMPS))
    }

    /// The settings that dlt applies and Snowcat does not: some regular expressions, other
    /// detections, row filters, the nesting limit of the schema, and names that are not normalized
    /// as paths. `max_nesting` is the limit of the job, which applies in place of the schema's.
    pub(crate) fn ignored_settings(&self, max_nesting: u32) -> Vec<String> {
        let settings = self.settings();
        let names = |key| settings.get(key).and_then(Value::as_array).into_iter().flatten();
        let object = |key| settings.get(key).and_then(Value::as_object).into_iter().flatten();
        let is_unknown = |text: &&str| Pattern::new(text).is_none();
        let hints = object("default_hints").flat_map(|(hint, names)| {
            let names = names.as_array().into_iter().flatten().filter_map(Value::as_str);
            names.filter(is_unknown).map(move |name| format!("default_hints.{hint}: {name}"))
        });
        let types = object("preferred_types").map(|(name, _)| name.as_str()).filter(is_unknown);
        let detections = names("detections").filter_map(Value::as_str).filter(|n| *n != TIMESTAMPS);
        let filters = self.tables().values().filter(|table| table.hint("filters").is_some());
        let nesting = self.config("max_nesting").filter(|limit| !limit.is_null());
        let nesting = nesting.filter(|limit| limit.as_u64() != Some(u64::from(max_nesting)));
        let whole_names =
            self.normalizers.get(BREAK_PATH).filter(|set| set.as_bool() == Some(false));
        hints
            .chain(types.map(|name| format!("preferred_types: {name}")))
            .chain(detections.map(|name| format!("detections: {name}")))
            .chain(filters.map(|table| format!("filters of the table {}", table.name())))
            .chain(nesting.map(|limit| format!("normalizers.json.config.max_nesting: {limit}")))
            .chain(whole_names.map(|set| format!("normalizers.{BREAK_PATH}: {set}")))
            .collect()
    }
}

impl ColumnRules {
    /// A column created by data, with the hints for its name.
    pub(crate) fn inferred(&self, name: &str, kind: Kind) -> Column {
        self.hinted(Column::inferred(name, kind))
    }

    /// A variant column, with the hints for its name.
    pub(crate) fn variant(&self, name: &str, kind: Kind) -> Column {
        self.hinted(Column::variant(name, kind))
    }

    /// The type that a column of this name has, regardless of its first value. The first matching
    /// setting applies.
    pub(crate) fn preferred(&self, name: &str) -> Option<DataType> {
        self.types.iter().find(|(pattern, _)| pattern.fits(name)).map(|(_, data_type)| *data_type)
    }

    /// Returns `true` if a setting sets the type of any column.
    pub(crate) fn prefers(&self) -> bool {
        !self.types.is_empty()
    }

    fn hinted(&self, column: Column) -> Column {
        let name = column.name().to_owned();
        let hints = self.hints.iter().filter(|(_, names)| names.iter().any(|n| n.fits(&name)));
        hints.fold(column, |column, (hint, _)| match hint.as_str() {
            "not_null" => column.with("nullable", false),
            hint => column.with(hint, true),
        })
    }
}

impl Pattern {
    /// Returns `None` for an expression that only Python supports.
    fn new(setting: &str) -> Option<Self> {
        let Some(expression) = setting.strip_prefix("re:") else {
            return Some(Self::Name(setting.to_owned()));
        };
        let exact = expression.strip_prefix('^').and_then(|text| text.strip_suffix('$'));
        let is_name = |text: &&str| text.chars().all(|c| c.is_alphanumeric() || c == '_');
        match exact.filter(is_name) {
            Some(name) => Some(Self::Name(name.to_owned())),
            None => Regex::new(expression).ok().map(Self::Expression),
        }
    }

    fn fits(&self, name: &str) -> bool {
        match self {
            Self::Name(known) => known == name,
            Self::Expression(expression) => expression.is_match(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn applies_names_and_expressions() {
        let mut schema = Schema::new("s", "snake_case");
        assert_eq!(schema.ignored_settings(1000), Vec::<String>::new());
        assert!(schema.detects_timestamps() && !schema.column_rules().prefers());
        schema.settings = serde_json::from_str(
            r#"{"default_hints": {"not_null": ["id", "re:^no$"], "cluster": ["re:^sort_", "id", "re:(?=x)"]},
                "preferred_types": {"re:_at$": "timestamp", "num": "double", "re:^n|price": "decimal",
                    "re:^(?!x)": "text", "a.c": "bool"},
                "detections": ["iso_date"]}"#,
        )
        .unwrap();
        let rules = schema.column_rules();
        let check = |name: &str, nullable: bool, cluster: bool, preferred: Option<DataType>| {
            let column = rules.inferred(name, Kind::of(DataType::Text));
            assert_eq!((column.nullable(), column.has("cluster")), (nullable, cluster), "{name}");
            assert_eq!(rules.preferred(name), preferred, "{name}");
        };
        check("id", false, true, None);
        check("no", false, false, Some(DataType::Decimal));
        check("num", true, false, Some(DataType::Double));
        check("sort_at", true, true, Some(DataType::Timestamp));
        check("at_sort_", true, false, None);
        check("list_price_eur", true, false, Some(DataType::Decimal));
        check("abc", true, false, None);
        check("_dlt_id", false, false, None);
        for (name, cluster) in [("id__v_text", false), ("sort_a__v_text", true)] {
            let variant = rules.variant(name, Kind::of(DataType::Text));
            assert_eq!((variant.has("variant"), variant.has("cluster")), (true, cluster), "{name}");
        }
        assert!(!schema.detects_timestamps());
        assert_eq!(
            schema.ignored_settings(1000),
            [
                "default_hints.cluster: re:(?=x)",
                "preferred_types: re:^(?!x)",
                "detections: iso_date",
            ]
        );
    }

    #[test]
    fn names_ignored_settings_of_normalizers() {
        let check = |normalizers: Value, expect: &[&str]| {
            let mut schema = Schema::new("s", "snake_case");
            schema.normalizers.extend(normalizers.as_object().unwrap().clone());
            assert_eq!(schema.ignored_settings(3), expect, "{normalizers}");
        };
        let nesting = |limit: Value| json!({"json": {"config": {"max_nesting": limit}}});
        check(nesting(json!(0)), &["normalizers.json.config.max_nesting: 0"]);
        check(nesting(json!(1000)), &["normalizers.json.config.max_nesting: 1000"]);
        check(nesting(json!("3")), &["normalizers.json.config.max_nesting: \"3\""]);
        // The limit of the job.
        check(nesting(json!(3)), &[]);
        check(nesting(Value::Null), &[]);
        let whole = "normalizers.use_break_path_on_normalize: false";
        check(json!({ BREAK_PATH: false }), &[whole]);
        check(json!({ BREAK_PATH: true }), &[]);
        check(json!({ BREAK_PATH: null }), &[]);
    }
}
