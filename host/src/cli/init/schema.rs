//! The schemas of a description: what they refer to, and what is in them.

use serde_json::Value;

/// A value, or what it refers to in the same document.
pub(super) fn resolve(spec: &Value, value: &Value) -> Value {
    let mut value = value;
    for _ in 0..16 {
        match text(value.get("$ref")).and_then(|it| it.strip_prefix('#')) {
            Some(pointer) => match spec.pointer(&pointer.replace("%7B", "{").replace("%7D", "}")) {
                Some(target) => value = target,
                None => break,
            },
            None => break,
        }
    }
    value.clone()
}

/// The properties of an object, those of all its parts.
pub(super) fn properties(spec: &Value, schema: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    gather(spec, schema, 0, &mut found);
    found
}

fn gather(spec: &Value, schema: &Value, depth: usize, found: &mut Vec<(String, Value)>) {
    if depth > 8 {
        return;
    }
    let schema = resolve(spec, schema);
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        found.extend(properties.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        gather(spec, part, depth + 1, found);
    }
    // Of several forms the first will do.
    for choice in ["oneOf", "anyOf"] {
        if let Some(part) = schema.get(choice).and_then(|it| it.get(0)) {
            gather(spec, part, depth + 1, found);
        }
    }
}

/// Lists of objects, not deeper than three keys: the keys to them, and what is in them.
pub(super) fn lists_in(
    spec: &Value,
    schema: &Value,
    path: &mut Vec<String>,
    found: &mut Vec<(Vec<String>, Value)>,
) {
    let schema = resolve(spec, schema);
    if let Some(items) = schema.get("items") {
        // Swagger 2 has a list of one, too.
        let items = items.get(0).unwrap_or(items);
        if !properties(spec, items).is_empty() {
            found.push((path.clone(), items.clone()));
        }
        return;
    }
    if path.len() > 2 {
        return;
    }
    for (name, value) in properties(spec, &schema) {
        path.push(name);
        lists_in(spec, &value, path, found);
        path.pop();
    }
}

/// Properties that are no objects and no lists, outer ones first.
pub(super) fn scalars(
    spec: &Value,
    schema: &Value,
    path: &mut Vec<String>,
    found: &mut Vec<(Vec<String>, Value)>,
) {
    let all: Vec<(String, Value)> = properties(spec, schema)
        .into_iter()
        .map(|(name, value)| (name, resolve(spec, &value)))
        .collect();
    let inner = |value: &Value| value.get("items").is_some() || !properties(spec, value).is_empty();
    for (name, value) in all.iter().filter(|(_, value)| !inner(value)) {
        found.push((path.iter().chain([name]).cloned().collect(), value.clone()));
    }
    if path.len() < 2 {
        for (name, value) in all.iter().filter(|(_, it)| inner(it) && it.get("items").is_none()) {
            path.push(name.clone());
            scalars(spec, value, path, found);
            path.pop();
        }
    }
}

/// A text, if it is there.
pub(super) fn text(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str)
}
