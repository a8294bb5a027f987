//! What a schema says of columns by their names, wherever they turn up: dlt's `default_hints`,
//! `preferred_types` and `detections`.
//!
//! dlt lets them be regular expressions. Plain names are honoured here; expressions are not, and
//! [`Schema::ignored_settings`] names them, so that a load can warn.
//!
//! Source: dlt 1.31, `common/schema/schema.py` (`_infer_hint`, `get_preferred_type`),
//! `common/schema/utils.py` (`compile_simple_regex`, `hint_to_column_prop`).

use indexmap::IndexMap;
use serde_json::Value;

use super::{Column, Schema};
use crate::kind::{DataType, Kind};

/// The only detection dlt switches on by itself.
const TIMESTAMPS: &str = "iso_timestamp";

impl Schema {
    /// A column the data brings, with what the schema says of columns of that name.
    pub fn inferred(&self, name: &str, kind: Kind) -> Column {
        let hints = self.settings().get("default_hints").and_then(Value::as_object);
        let told = hints.into_iter().flatten().filter(|(_, names)| {
            names.as_array().is_some_and(|names| {
                names.iter().filter_map(Value::as_str).any(|n| plain(n) == name)
            })
        });
        told.fold(Column::inferred(name, kind), |column, (hint, _)| match hint.as_str() {
            "not_null" => column.with("nullable", false),
            hint => column.with(hint, true),
        })
    }

    /// The types columns of some names are to have, whatever the first value is.
    pub fn preferred_types(&self) -> IndexMap<String, DataType> {
        let types = self.settings().get("preferred_types").and_then(Value::as_object);
        let mut preferred = IndexMap::new();
        for (key, found) in types.into_iter().flatten() {
            if let Some(data_type) = found.as_str().and_then(DataType::parse) {
                // The first that is said of a name counts.
                preferred.entry(plain(key).to_owned()).or_insert(data_type);
            }
        }
        preferred
    }

    /// Whether texts that look like timestamps are taken for some.
    pub fn detects_timestamps(&self) -> bool {
        let detections = self.settings().get("detections").and_then(Value::as_array);
        detections.is_none_or(|names| names.iter().any(|name| name == TIMESTAMPS))
    }

    /// What dlt would heed and Snowcat does not: regular expressions, other detections, row filters.
    pub fn ignored_settings(&self) -> Vec<String> {
        let settings = self.settings();
        let names = |key| settings.get(key).and_then(Value::as_array).into_iter().flatten();
        let object = |key| settings.get(key).and_then(Value::as_object).into_iter().flatten();
        let is_expression = |text: &&str| plain(text).starts_with("re:");
        let hints = object("default_hints").flat_map(|(hint, names)| {
            let names = names.as_array().into_iter().flatten().filter_map(Value::as_str);
            names.filter(is_expression).map(move |name| format!("default_hints.{hint}: {name}"))
        });
        let types = object("preferred_types").map(|(name, _)| name.as_str()).filter(is_expression);
        let detections = names("detections").filter_map(Value::as_str).filter(|n| *n != TIMESTAMPS);
        let filters = self.tables().values().filter(|table| table.hint("filters").is_some());
        hints
            .chain(types.map(|name| format!("preferred_types: {name}")))
            .chain(detections.map(|name| format!("detections: {name}")))
            .chain(filters.map(|table| format!("filters of the table {}", table.name())))
            .collect()
    }
}

/// The name a setting is for, where its expression is no more than a name; else the expression.
fn plain(setting: &str) -> &str {
    let exact = setting.strip_prefix("re:^").and_then(|text| text.strip_suffix('$'));
    let is_name = |text: &&str| text.chars().all(|c| c.is_alphanumeric() || c == '_');
    exact.filter(is_name).unwrap_or(setting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heeds_plain_names() {
        let mut schema = Schema::new("s", "snake_case");
        assert_eq!(schema.ignored_settings(), Vec::<String>::new());
        assert!(schema.detects_timestamps());
        schema.settings = serde_json::from_str(
            r#"{"default_hints": {"not_null": ["id", "re:^no$"], "cluster": ["re:^sort_", "id"]},
                "preferred_types": {"re:_at$": "timestamp", "num": "double"}, "detections": ["iso_date"]}"#,
        )
        .unwrap();
        let check = |name: &str, nullable: bool, cluster: bool, preferred: Option<DataType>| {
            let column = schema.inferred(name, Kind::of(DataType::Text));
            assert_eq!((column.nullable(), column.has("cluster")), (nullable, cluster), "{name}");
            assert_eq!(schema.preferred_types().get(name).copied(), preferred, "{name}");
        };
        check("id", false, true, None);
        check("no", false, false, None);
        check("num", true, false, Some(DataType::Double));
        check("sort_at", true, false, None);
        check("_dlt_id", false, false, None);
        assert!(!schema.detects_timestamps());
        assert_eq!(
            schema.ignored_settings(),
            [
                "default_hints.cluster: re:^sort_",
                "preferred_types: re:_at$",
                "detections: iso_date",
            ]
        );
    }
}
