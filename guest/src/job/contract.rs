//! The schema contract. The schema stores it as the job writes it, and a load reads it from the schema, because dlt
//! may have written it: here it is only checked.

use serde_json::Value;

use super::parse::{JobObject, Keys, choice};
use crate::fault::Result;

/// The contract of an object as the job writes it; null if there is none.
///
/// # Errors
/// A config fault if it is neither a mode nor an object of modes.
pub(super) fn contract(object: &JobObject<'_>) -> Result<Value> {
    const KEY: &str = "schema_contract";
    let Some(value) = object.get(KEY) else { return Ok(Value::Null) };
    if value.is_string() {
        choice(value, &object.place_of(KEY), MODES)?;
    } else {
        let modes = JobObject::new(value, object.place_of(KEY), Keys::of(ENTITIES))?;
        for entity in ENTITIES {
            modes.choice(entity, MODES)?;
        }
    }
    Ok(value.clone())
}

const ENTITIES: &[&str] = &["tables", "columns", "data_type"];
const MODES: &[(&str, ())] =
    &[("evolve", ()), ("freeze", ()), ("discard_row", ()), ("discard_value", ())];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(given: &Value) -> Result<Value> {
        contract(&JobObject::new(
            &json!({"schema_contract": given}),
            "",
            Keys::of(&["schema_contract"]),
        )?)
    }

    #[test]
    fn contracts_are_kept_as_they_are_written() {
        for given in [
            json!("freeze"),
            json!({}),
            json!({"columns": "discard_row", "data_type": "discard_value"}),
        ] {
            assert_eq!(parse(&given).unwrap(), given);
        }
    }

    #[test]
    fn names_mistakes() {
        let check = |given: Value, message: &str| {
            let fault = parse(&given).unwrap_err();
            assert_eq!(fault.to_string(), format!("schema_contract{message}"));
        };
        check(json!("discard_rows"), ": unknown \"discard_rows\", did you mean \"discard_row\"?");
        check(json!({"table": "freeze"}), ": unknown key \"table\", did you mean \"tables\"?");
        check(
            json!({"tables": true}),
            ".tables: expected one of \"evolve\", \"freeze\", \"discard_row\", \"discard_value\", found true",
        );
    }
}
