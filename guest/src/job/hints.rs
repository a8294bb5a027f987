//! Column hints: dlt's, validated, and stored in the order given.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::parse::{JobObject, Keys, element, member, text};
use crate::dlt::types::DataType;
use crate::fault::Result;

/// The hints of one column. The name is not among them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ColumnHints {
    map: Map<String, Value>,
}

/// dlt's boolean hints (`common/schema/typing.py`).
const FLAGS: &[&str] = &[
    "cluster",
    "hard_delete",
    "incremental",
    "merge_key",
    "nullable",
    "parent_key",
    "partition",
    "primary_key",
    "root_key",
    "row_key",
    "sort",
    "timezone",
    "unique",
    "variant",
];

const KEYS: Keys = Keys {
    known: &[
        "name",
        "data_type",
        "nullable",
        "precision",
        "scale",
        "timezone",
        "description",
        "partition",
        "cluster",
        "unique",
        "sort",
        "primary_key",
        "row_key",
        "parent_key",
        "root_key",
        "merge_key",
        "variant",
        "hard_delete",
        "dedup_sort",
        "incremental",
    ],
    refused: &[],
};

/// The direction of a `dedup_sort`, or the order of rows in a source.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sort {
    /// The smallest first.
    Ascending,
    /// The largest first.
    Descending,
}

pub(super) const SORTS: &[(&str, Sort)] = &[("asc", Sort::Ascending), ("desc", Sort::Descending)];

impl ColumnHints {
    /// The hints as dlt stores them in a schema, in the order given.
    pub(crate) fn as_map(&self) -> &Map<String, Value> {
        &self.map
    }

    /// A hint by its name in dlt, `x-` hints included. `None` if it is null or not set.
    pub(crate) fn get(&self, hint: &str) -> Option<&Value> {
        self.map.get(hint).filter(|value| !value.is_null())
    }

    fn parse(value: &Value, place: &str) -> Result<(Option<String>, Self)> {
        // dlt allows any value for hints that begin with `x-`.
        let mut map = match value {
            Value::Object(map) => map.clone(),
            other => return Err(super::parse::wrong_type("an object", other, place)),
        };
        let known: Map<String, Value> =
            map.iter().filter(|(key, _)| !key.starts_with("x-")).map(clone).collect();
        let known = Value::Object(known);
        let object = JobObject::new(&known, place, KEYS)?;
        if let Some(name) = object.text("data_type")? {
            let data_type = super::parse::choice(
                &Value::from(name),
                &object.place_of("data_type"),
                &DataType::ALL.map(|data_type| (data_type.name(), data_type)),
            );
            if DataType::parse(name).is_none() {
                data_type?;
            }
        }
        for flag in FLAGS {
            object.boolean(flag)?;
        }
        object.whole("precision", 0, i64::from(u32::MAX))?;
        object.whole("scale", 0, 37)?;
        object.text("description")?;
        if object.get("dedup_sort") != Some(&Value::Bool(false)) {
            object.choice("dedup_sort", SORTS)?;
        }
        let name = object.text("name")?.map(str::to_owned);
        map.shift_remove("name");
        Ok((name, Self { map }))
    }
}

/// Parses the hints of columns: an object by name or, as in dlt, a list of objects with names.
pub(super) fn columns(object: &JobObject<'_>) -> Result<IndexMap<String, ColumnHints>> {
    match object.get("columns") {
        None => Ok(IndexMap::new()),
        Some(value) => columns_at(value, &object.place_of("columns")),
    }
}

fn columns_at(value: &Value, place: &str) -> Result<IndexMap<String, ColumnHints>> {
    let mut columns = IndexMap::new();
    match value {
        Value::Array(list) => {
            for (n, item) in list.iter().enumerate() {
                let place = element(place, n);
                let (name, hints) = ColumnHints::parse(item, &place)?;
                let Some(name) = name else {
                    return Err(super::parse::at(
                        &member(&place, "name"),
                        "expected a string, found nothing",
                    ));
                };
                if columns.insert(name.clone(), hints).is_some() {
                    let message = format!("the column {name:?} is given twice");
                    return Err(super::parse::at(&place, message));
                }
            }
        }
        Value::Object(map) => {
            for (name, item) in map {
                let place = member(place, name);
                text(&Value::from(name.as_str()), &place)?;
                let (inner, hints) = ColumnHints::parse(item, &place)?;
                if inner.is_some_and(|inner| inner != *name) {
                    return Err(super::parse::at(
                        &member(&place, "name"),
                        format_args!("expected the column's name, {name:?}, or nothing"),
                    ));
                }
                columns.insert(name.clone(), hints);
            }
        }
        other => return Err(super::parse::wrong_type("an object or a list", other, place)),
    }
    Ok(columns)
}

/// Merges the columns of the defaults with those of a resource, hint by hint. If the resource sets
/// a data type that the defaults lack, the column moves to the end, as in dlt
/// (`common/schema/utils.py`, `merge_columns`).
pub(super) fn merge(
    defaults: &IndexMap<String, ColumnHints>,
    own: IndexMap<String, ColumnHints>,
) -> IndexMap<String, ColumnHints> {
    let mut merged = defaults.clone();
    for (name, hints) in own {
        let mut base = merged.get(&name).cloned().unwrap_or_default();
        if hints.get("data_type").is_some() && base.get("data_type").is_none() {
            merged.shift_remove(&name);
        }
        base.map.extend(hints.map);
        merged.insert(name, base);
    }
    merged
}

fn clone((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), value.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_hints() {
        let hints = columns_at(
            &json!({
                "a": {"data_type": "decimal", "precision": 20, "scale": 4, "nullable": false},
                "b": {"cluster": true, "x-mine": {"deep": [1]}, "dedup_sort": "desc"},
                "c": {"data_type": "complex", "timezone": false, "sort": null},
            }),
            "columns",
        )
        .unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| &hints[name]);
        let stored = |hints: &ColumnHints| Value::from(hints.as_map().clone());
        assert_eq!(
            stored(a),
            json!({"data_type": "decimal", "precision": 20, "scale": 4, "nullable": false})
        );
        assert_eq!(
            stored(b),
            json!({"cluster": true, "x-mine": {"deep": [1]}, "dedup_sort": "desc"})
        );
        assert_eq!(stored(c), json!({"data_type": "complex", "timezone": false, "sort": null}));
        assert_eq!((c.get("timezone"), c.get("sort")), (Some(&json!(false)), None));
        let list = json!([{"name": "a", "cluster": true}]);
        let list = columns_at(&list, "columns").unwrap();
        assert_eq!(stored(&list["a"]), json!({"cluster": true}));
    }

    #[test]
    fn names_mistakes() {
        let check = |value: Value, message: &str| {
            assert_eq!(columns_at(&value, "columns").unwrap_err().to_string(), message);
        };
        let types = DataType::ALL.map(|data_type| format!("{:?}", data_type.name())).join(", ");
        check(json!(1), "columns: expected an object or a list, found 1");
        check(json!({"a": 1}), "columns.a: expected an object, found 1");
        check(json!({"": {}}), "columns[\"\"]: expected a string, found \"\"");
        check(
            json!({"a": {"datatype": "text"}}),
            "columns.a: unknown key \"datatype\", did you mean \"data_type\"?",
        );
        check(
            json!({"a": {"data_type": "txt"}}),
            "columns.a.data_type: unknown \"txt\", did you mean \"text\"?",
        );
        check(
            json!({"a": {"data_type": "varchar"}}),
            &format!("columns.a.data_type: expected one of {types}, found \"varchar\""),
        );
        check(
            json!({"a": {"cluster": "yes"}}),
            "columns.a.cluster: expected true or false, found \"yes\"",
        );
        check(
            json!({"a": {"scale": 99}}),
            "columns.a.scale: expected an integer from 0 to 37, found 99",
        );
        check(
            json!({"a": {"dedup_sort": "down"}}),
            "columns.a.dedup_sort: expected one of \"asc\", \"desc\", found \"down\"",
        );
        check(json!([{"cluster": true}]), "columns[0].name: expected a string, found nothing");
        check(json!([{"name": "a"}, {"name": "a"}]), "columns[1]: the column \"a\" is given twice");
        check(
            json!({"a": {"name": "b"}}),
            "columns.a.name: expected the column's name, \"a\", or nothing",
        );
    }

    #[test]
    fn hints_of_a_resource_override_defaults() {
        let check = |defaults: Value, own: Value, merged: Value| {
            let [defaults, own] = [defaults, own].map(|v| columns_at(&v, "").unwrap());
            let found: Map<String, Value> =
                merge(&defaults, own).into_iter().map(|(k, v)| (k, Value::Object(v.map))).collect();
            assert_eq!(Value::Object(found).to_string(), merged.to_string());
        };
        check(
            json!({"a": {"cluster": true}, "b": {"sort": true}}),
            json!({"a": {"cluster": false, "unique": true}, "c": {}}),
            json!({"a": {"cluster": false, "unique": true}, "b": {"sort": true}, "c": {}}),
        );
        check(
            json!({"a": {"cluster": true}, "b": {}}),
            json!({"a": {"data_type": "text"}}),
            json!({"b": {}, "a": {"cluster": true, "data_type": "text"}}),
        );
    }
}
