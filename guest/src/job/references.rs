//! References from a table to other tables. dlt stores them in the schema for people and for tools
//! that draw or check a model. They are not enforced.

use serde_json::Value;

use super::parse::{JobObject, Keys, element};
use crate::fault::Result;

/// The references of a table in the form of the stored schema, or null.
///
/// Source: dlt 1.31, `common/schema/typing.py` (`TTableReferenceInline`).
pub(super) fn references(object: &JobObject<'_>) -> Result<Value> {
    let Some(list) = object.list("references")? else { return Ok(Value::Null) };
    let place = object.place_of("references");
    let read = |(n, value): (usize, &Value)| {
        let reference = JobObject::new(value, element(&place, n), KEYS)?;
        reference.required_text("referenced_table")?;
        let mut counts = Vec::new();
        for key in ["columns", "referenced_columns"] {
            let columns = reference.texts(key)?.filter(|columns| !columns.is_empty());
            counts.push(columns.ok_or_else(|| reference.missing(key, "names of columns"))?.len());
        }
        if let [own, others] = counts.as_slice()
            && own != others
        {
            let message = format!("expected as many columns as in columns, {own}, found {others}");
            return Err(reference.fault_at("referenced_columns", message));
        }
        for key in ["label", "table"] {
            reference.text(key)?;
        }
        reference.choice("cardinality", CARDINALITIES)?;
        let said =
            reference.map_of_all().iter().filter(|(key, _)| KEYS.known.contains(&key.as_str()));
        Ok(Value::Object(said.map(|(key, value)| (key.clone(), value.clone())).collect()))
    };
    list.iter().enumerate().map(read).collect::<Result<Vec<_>>>().map(Value::Array)
}

const KEYS: Keys = Keys::of(&[
    "table",
    "columns",
    "referenced_table",
    "referenced_columns",
    "label",
    "cardinality",
]);
const CARDINALITIES: &[(&str, ())] = &[
    ("zero_to_one", ()),
    ("one_to_zero", ()),
    ("zero_to_many", ()),
    ("many_to_zero", ()),
    ("one_to_many", ()),
    ("many_to_one", ()),
    ("one_to_one", ()),
    ("many_to_many", ()),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Result<Value> {
        let job = json!({ "references": value });
        references(&JobObject::new(&job, "t", Keys::of(&["references"])).unwrap())
    }

    #[test]
    fn keeps_references() {
        let check = |value: Value| assert_eq!(read(value.clone()).unwrap(), value);
        check(Value::Null);
        check(json!([]));
        check(json!([
            {"columns": ["a"], "referenced_table": "u", "referenced_columns": ["b"]},
            {"columns": ["a", "c"], "referenced_table": "v", "referenced_columns": ["d", "e"],
             "label": "likes", "cardinality": "many_to_one"},
        ]));
    }

    #[test]
    fn names_mistakes() {
        let check = |value: Value, message: &str| {
            assert_eq!(read(value).unwrap_err().to_string(), message);
        };
        check(json!({}), "t.references: expected a list, found an object");
        check(
            json!([{"columns": ["a"], "referenced_columns": ["b"]}]),
            "t.references[0].referenced_table: expected a string, found nothing",
        );
        check(
            json!([{"columns": ["a"], "referenced_table": "u"}]),
            "t.references[0].referenced_columns: expected names of columns, found nothing",
        );
        check(
            json!([{"columns": ["a"], "referenced_table": "u", "referenced_columns": ["b", "c"]}]),
            "t.references[0].referenced_columns: expected as many columns as in columns, 1, found 2",
        );
        check(
            json!([{"columns": ["a"], "referenced_table": "u", "referenced_columns": ["b"],
                    "cardinality": "some"}]),
            "t.references[0].cardinality: expected one of \"zero_to_one\", \"one_to_zero\", \
             \"zero_to_many\", \"many_to_zero\", \"one_to_many\", \"many_to_one\", \"one_to_one\", \
             \"many_to_many\", found \"some\"",
        );
    }
}
