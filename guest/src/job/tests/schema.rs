//! The description of a job for editors (`procedures/jobs/job.schema.json`) has the keys and words that
//! the parser has, and the parser reads every key that the schema has.
//! Whoever adds a key to a `Keys` table adds it to the definition of that object in the schema; a new
//! kind of object is a new definition with an example, and a line in `PLACES`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::Job;

const SCHEMA: &str = include_str!("../../../../procedures/jobs/job.schema.json");

/// The names of the definitions of paginators begin with this, and all of them go here.
const PAGINATORS: (&str, &str) = ("paginator_", "/client/paginator");

/// Where in the specimen an object of each other definition goes.
const PLACES: &[(&str, &str)] = &[
    ("contract_by_kind", "/schema_contract"),
    ("disposition_with_options", "/resources/0/write_disposition"),
    ("hints", "/resources/0/columns/a"),
    ("incremental", "/resources/0/endpoint/incremental"),
    ("incremental_param", "/resources/0/endpoint/params/since"),
    ("resolve_param", "/resources/0/endpoint/params/id"),
    ("convert", "/resources/0/endpoint/incremental/convert"),
    ("response_action", "/resources/0/endpoint/response_actions/0"),
    ("endpoint_options", "/resources/0/endpoint"),
    ("client", "/client"),
    ("credential", "/credentials/c"),
    ("format_csv", "/resources/0/format"),
    ("checkpoint", "/resources/0/checkpoint"),
    ("slices", "/resources/0/slices"),
    ("nested_hints", "/resources/0/nested_hints/a.b"),
    ("reference", "/resources/0/references/0"),
    ("resource", "/resources/0"),
    ("processing_step", "/resources/0/processing_steps/0"),
    ("filter", "/resources/0/processing_steps/0/filter"),
    ("resource_defaults", "/resource_defaults"),
    ("interval", "/interval"),
    ("delivery", "/delivery"),
    ("", ""),
];

/// A job with an object of a definition in its place, and nothing else that could be wrong.
fn specimen(pointer: &str, object: &Value) -> Value {
    let mut job = json!({
        "pipeline": "p", "database": "D", "dataset": "s",
        "client": {"base_url": "https://x.net/"},
        "resources": [
            {"name": "items", "endpoint": {"path": "items"}},
            {"name": "parents", "endpoint": "parents"},
        ],
    });
    if pointer.ends_with("/params/id") {
        job["resources"][0]["endpoint"]["path"] = json!("parents/{id}/items");
    }
    if pointer.starts_with("/resources/0/endpoint/incremental/") {
        job["resources"][0]["endpoint"]["incremental"] = json!({"cursor_path": "at"});
    }
    if pointer.ends_with("/slices") {
        job["resources"][0] = json!({"name": "items", "incremental": {"cursor_path": "at"}});
    }
    if pointer.ends_with("/format") {
        job["resources"][0] = json!({"name": "items"});
    }
    let mut at = &mut job;
    for key in pointer.split('/').skip(1) {
        at = match key.parse::<usize>() {
            Ok(index) => {
                if at.is_null() {
                    *at = json!([null]);
                }
                &mut at[index]
            }
            Err(_) => &mut at[key],
        };
    }
    *at = object.clone();
    job
}

struct Definition {
    name: String,
    pointer: &'static str,
    properties: Map<String, Value>,
    examples: Vec<Value>,
}

fn definitions() -> Vec<Definition> {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let all = schema["definitions"].as_object().unwrap();
    let mut places: Vec<(String, &'static str)> =
        PLACES.iter().map(|(name, pointer)| ((*name).to_owned(), *pointer)).collect();
    for (name, definition) in all {
        let is_object = definition.get("properties").is_some();
        if is_object && name.starts_with(PAGINATORS.0) {
            places.push((name.clone(), PAGINATORS.1));
        }
        let known = places.iter().any(|(place, _)| place == name);
        assert_eq!(
            is_object, known,
            "say in PLACES where {name:?} is in a job, if it is an object"
        );
    }
    places
        .into_iter()
        .map(|(name, pointer)| {
            let definition = if name.is_empty() { &schema } else { &all[&name] };
            let examples = definition["examples"].as_array().unwrap();
            assert!(!examples.is_empty(), "{name} has no example");
            assert_eq!(definition["additionalProperties"], false, "{name}");
            let properties = definition["properties"].as_object().unwrap();
            Definition {
                name,
                pointer,
                properties: properties.clone().into_iter().filter(|(_, it)| it != false).collect(),
                examples: examples.clone(),
            }
        })
        .collect()
}

impl Definition {
    /// What is said to each example with this key.
    fn with(&self, key: &str, value: &Value) -> Vec<Result<(), String>> {
        let try_one = |example: &Value| {
            let mut example = example.clone();
            example[key] = value.clone();
            let job = specimen(self.pointer, &example);
            Job::parse(&job.to_string()).map(drop).map_err(|fault| fault.to_string())
        };
        self.examples.iter().map(try_one).collect()
    }
}

#[test]
fn examples_are_jobs() {
    for definition in definitions() {
        for example in &definition.examples {
            let job = specimen(definition.pointer, example);
            Job::parse(&job.to_string()).unwrap_or_else(|fault| {
                panic!("an example of {:?}: {fault}: {job}", definition.name)
            });
        }
    }
}

#[test]
fn every_key_is_described_and_every_described_key_is_known() {
    for definition in definitions() {
        let name = &definition.name;
        for said in definition.with("~~", &json!(1)) {
            let said = said.unwrap_err();
            let (_, known) = said
                .split_once("unknown key \"~~\", expected one of ")
                .unwrap_or_else(|| panic!("{name}: {said}"));
            let known: BTreeSet<&str> = known.split(", ").collect();
            let mut described: BTreeSet<&str> =
                definition.properties.keys().map(String::as_str).collect();
            // The defaults are parsed with the keys of a resource, and the name is rejected separately.
            if name == "resource_defaults" {
                described.insert("name");
            }
            let missing: Vec<_> = known.difference(&described).collect();
            let invented: Vec<_> = described.difference(&known).collect();
            assert!(
                missing.is_empty() && invented.is_empty(),
                "job.schema.json, definition {name:?}: not described are {missing:?}, not parsed \
                 are {invented:?}"
            );
        }
    }
}

#[test]
fn every_word_is_described_and_every_described_word_is_known() {
    let mut enumerations = 0;
    for definition in definitions() {
        for (key, property) in &definition.properties {
            let Some(words) = property.get("enum").and_then(Value::as_array) else { continue };
            enumerations += 1;
            let place = format!("{}.{key}", definition.name);
            // Far from any word, so that all are reported and none is proposed.
            let mut known: BTreeSet<String> = BTreeSet::new();
            for said in definition.with(key, &json!("~~~~~~~~~~~~")) {
                let said = said.unwrap_err();
                // `expected one of "a", "b", found "~"`; also `expected a "type" of "a", found "~"`.
                let Some((_, list)) = said.split_once("expected ") else { continue };
                let list = list.split(", found ").next().unwrap_or_default();
                let quoted = list.split('"').skip(1).step_by(2).filter(|word| word != key);
                known.extend(quoted.map(str::to_owned));
            }
            assert!(!known.is_empty(), "{place}: no example tells its words");
            let described: BTreeSet<&str> = words.iter().filter_map(Value::as_str).collect();
            for word in &known {
                // One object for each type of a paginator or parameter: the others are elsewhere.
                let types = ["paginator_", "incremental_param", "resolve_param"];
                let elsewhere =
                    key == "type" && types.iter().any(|types| definition.name.starts_with(types));
                assert!(elsewhere || described.contains(word.as_str()), "{place}: {word:?}");
            }
            for word in words {
                let refused = |said: &Result<(), String>| {
                    said.as_ref().is_err_and(|said| {
                        said.contains(&format!(", found {word}"))
                            || said.contains(&format!("unknown {word}"))
                    })
                };
                let said = definition.with(key, word);
                assert!(!said.iter().all(refused), "{place}: {word} is not known: {said:?}");
            }
        }
    }
    assert!(enumerations > 30, "{enumerations}");
}

#[test]
fn every_described_key_is_read() {
    for definition in definitions() {
        for key in definition.properties.keys() {
            for said in definition.with(key, &json!([[1]])) {
                assert!(said.is_err(), "{:?} takes anything as {key:?}", definition.name);
            }
        }
    }
}
