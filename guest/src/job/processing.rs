//! The processing steps of a resource: dlt's `processing_steps`, as data and not as lambdas. They discard records,
//! rename keys and remove members.

use serde_json::{Map, Value};

use super::parse::{JobObject, Keys, element, member, wrong_type};
use super::value::CursorValue;
use crate::fault::Result;
use crate::json::{Path, Segment};

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ProcessingStep {
    /// Removes the values at these paths.
    Exclude(Vec<Path>),
    /// Discards the records that do not match.
    Filter(Filter),
    /// Removes the values that are neither at these paths nor parents of such values.
    Include(Vec<Path>),
    /// Renames the keys at these paths.
    Rename(Vec<(Path, String)>),
}

/// A condition that may be negated.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Filter {
    /// The condition.
    pub(crate) condition: Condition,
    /// `true` if the records that do not meet the condition match.
    pub(crate) not: bool,
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    /// At least one of these matches.
    Any(Vec<Filter>),
    /// All tests pass for the value at a path, the first one where the path matches several.
    Value(Path, Vec<Test>),
}

/// A test of a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    /// It is greater.
    Above(CursorValue<'static>),
    /// It is this or greater.
    AtLeast(CursorValue<'static>),
    /// It is this or less.
    AtMost(CursorValue<'static>),
    /// It is less.
    Below(CursorValue<'static>),
    /// It is a string that contains this.
    Contains(String),
    /// It exists and is not null, or not.
    Exists(bool),
    /// It is one of these; `None` is null or absent.
    In(Vec<Option<CursorValue<'static>>>),
    /// It is a string that begins with this.
    StartsWith(String),
}

/// Parses the steps of a resource.
pub(super) fn steps(object: &JobObject<'_>) -> Result<Vec<ProcessingStep>> {
    const KEY: &str = "processing_steps";
    let Some(steps) = object.list(KEY)? else { return Ok(Vec::new()) };
    let place = object.place_of(KEY);
    steps.iter().enumerate().map(|(n, step)| read(step, &element(&place, n))).collect()
}

fn read(value: &Value, place: &str) -> Result<ProcessingStep> {
    let object = JobObject::new(value, place, KEYS)?;
    let given: Vec<&str> =
        KEYS.known.iter().copied().filter(|key| object.get(key).is_some()).collect();
    let [key] = given.as_slice() else {
        return Err(object.fault(format_args!(
            "expected one of {}, found {}",
            KEYS.known.join(", "),
            if given.is_empty() { "none".to_owned() } else { given.join(" and ") }
        )));
    };
    Ok(match *key {
        "exclude" => ProcessingStep::Exclude(paths(&object, key)?),
        "include" => ProcessingStep::Include(paths(&object, key)?),
        "rename" => {
            let empty = Map::new();
            let names = object.map(key)?.unwrap_or(&empty);
            let read = |(path, name): (&String, &Value)| {
                let place = member(&object.place_of(key), path);
                let to = super::parse::text(name, &place)?;
                let path = inner(path, &place)?;
                if !matches!(path.segments().last(), Some(Segment::Key(_))) {
                    return Err(super::parse::at(&place, "expected a path that ends in a key"));
                }
                Ok((path, to))
            };
            ProcessingStep::Rename(names.iter().map(read).collect::<Result<_>>()?)
        }
        _ => {
            let empty = Value::Null;
            ProcessingStep::Filter(filter(
                object.get(key).unwrap_or(&empty),
                &object.place_of(key),
                0,
            )?)
        }
    })
}

fn paths(object: &JobObject<'_>, key: &str) -> Result<Vec<Path>> {
    let texts = object.texts(key)?.unwrap_or_default();
    let place = object.place_of(key);
    texts.iter().enumerate().map(|(n, text)| inner(text, &element(&place, n))).collect()
}

/// A path to a part of a record. It may match every element of a list, but not a single one.
fn inner(text: &str, place: &str) -> Result<Path> {
    let path = Path::parse(text).map_err(|fault| fault.at(place))?;
    let certain =
        path.segments().iter().any(|step| matches!(step, Segment::Index(_) | Segment::FromEnd(_)));
    if certain || path.segments().is_empty() {
        let message = format!("expected a path such as a.b or items[*].c, found {text:?}");
        return Err(super::parse::at(place, message));
    }
    Ok(path)
}

/// How deep filters may be nested in one another by "any".
const MAX_FILTER_DEPTH: u32 = 8;

fn filter(value: &Value, place: &str, depth: u32) -> Result<Filter> {
    let object = JobObject::new(value, place, FILTER_KEYS)?;
    let not = object.boolean("not")?.unwrap_or(false);
    if let Some(filters) = object.list("any")? {
        if let Some(key) = object.map_of_all().keys().find(|key| *key != "any" && *key != "not") {
            let message = format!("\"any\" may only stand with \"not\", found {key:?}");
            return Err(object.fault(message));
        }
        if depth > MAX_FILTER_DEPTH {
            let message = format!("filters are nested more than {MAX_FILTER_DEPTH} deep");
            return Err(object.fault(message));
        }
        let place = object.place_of("any");
        let any = filters
            .iter()
            .enumerate()
            .map(|(n, value)| filter(value, &element(&place, n), depth + 1))
            .collect::<Result<_>>()?;
        return Ok(Filter { condition: Condition::Any(any), not });
    }
    let path = object.required_text("path")?;
    let path = Path::parse(path).map_err(|fault| fault.at(object.place_of("path")))?;
    let mut tests = Vec::new();
    if object.has("equals") {
        let value = object.map_of_all().get("equals").unwrap_or(&Value::Null);
        tests.push(Test::In(vec![scalar(value, &object.place_of("equals"))?]));
    }
    if let Some(values) = object.list("in")? {
        let place = object.place_of("in");
        let read = |(n, value): (usize, &Value)| scalar(value, &element(&place, n));
        tests.push(Test::In(values.iter().enumerate().map(read).collect::<Result<_>>()?));
    }
    for key in ["above", "at_least", "below", "at_most"] {
        let Some(value) = object.get(key) else { continue };
        let place = object.place_of(key);
        let Some(bound) = scalar(value, &place)? else { continue };
        tests.push(match key {
            "above" => Test::Above(bound),
            "at_least" => Test::AtLeast(bound),
            "below" => Test::Below(bound),
            _ => Test::AtMost(bound),
        });
    }
    tests.extend(object.text("contains")?.map(|text| Test::Contains(text.to_owned())));
    tests.extend(object.text("starts_with")?.map(|text| Test::StartsWith(text.to_owned())));
    tests.extend(object.boolean("exists")?.map(Test::Exists));
    if tests.is_empty() {
        return Err(object.fault(
            "expected what has to hold for the value: equals, in, exists, above, at_least, below, \
             at_most, contains or starts_with",
        ));
    }
    Ok(Filter { condition: Condition::Value(path, tests), not })
}

fn scalar(value: &Value, place: &str) -> Result<Option<CursorValue<'static>>> {
    if value.is_null() {
        return Ok(None);
    }
    match CursorValue::of(value) {
        Some(scalar) => Ok(Some(scalar)),
        None => Err(wrong_type("a string, a number, true, false or null", value, place)),
    }
}

const CODE: &str = "it is code, and a job is data: say filter, rename, exclude or include";
const KEYS: Keys = Keys {
    known: &["filter", "rename", "exclude", "include"],
    refused: &[("map", CODE), ("yield_map", CODE)],
};
const FILTER_KEYS: Keys = Keys::of(&[
    "path",
    "equals",
    "in",
    "exists",
    "above",
    "at_least",
    "below",
    "at_most",
    "contains",
    "starts_with",
    "any",
    "not",
]);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_mistakes() {
        let check = |step: Value, message: &str| {
            assert_eq!(read(&step, "s").unwrap_err().to_string(), format!("s{message}"));
        };
        check(json!({}), ": expected one of filter, rename, exclude, include, found none");
        check(
            json!({"include": ["a"], "exclude": ["b"]}),
            ": expected one of filter, rename, exclude, include, found exclude and include",
        );
        check(json!({"map": "x"}), &format!(": unknown key \"map\": {CODE}"));
        check(json!({"filtre": {}}), ": unknown key \"filtre\", did you mean \"filter\"?");
        check(
            json!({"filter": {"path": "a"}}),
            ".filter: expected what has to hold for the value: equals, in, exists, above, at_least, below, at_most, contains or starts_with",
        );
        check(json!({"filter": {"equals": 1}}), ".filter.path: expected a string, found nothing");
        check(
            json!({"filter": {"path": "a", "in": [[1]]}}),
            ".filter.in[0]: expected a string, a number, true, false or null, found a list",
        );
        check(
            json!({"filter": {"any": [{"path": "a", "above": {}}]}}),
            ".filter.any[0].above: expected a string, a number, true, false or null, found an object",
        );
        check(
            json!({"filter": {"any": [], "path": "a"}}),
            ".filter: \"any\" may only stand with \"not\", found \"path\"",
        );
        let deep = (0..9).fold(json!({"any": []}), |inner, _| json!({"any": [inner]}));
        let path = ".any[0]".repeat(9);
        check(
            json!({"filter": deep}),
            &format!(".filter{path}: filters are nested more than 8 deep"),
        );
        check(
            json!({"exclude": ["a[0]"]}),
            ".exclude[0]: expected a path such as a.b or items[*].c, found \"a[0]\"",
        );
        check(
            json!({"include": ["$"]}),
            ".include[0]: expected a path such as a.b or items[*].c, found \"$\"",
        );
        check(
            json!({"rename": {"a[*]": "b"}}),
            ".rename[\"a[*]\"]: expected a path that ends in a key",
        );
        check(json!({"rename": {"a": ""}}), ".rename.a: expected a string, found \"\"");
    }
}
