//! Examples of responses in a description: they complete schemas that do not describe the response.

use serde_json::{Map, Value, json};

/// Adds the properties of examples to the schemas of responses.
pub(in super::super) fn add_examples(document: &mut Value) {
    if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
        for item in paths.values_mut() {
            responses(item.pointer_mut("/get/responses"));
        }
    }
    responses(document.get_mut("responses"));
    responses(document.pointer_mut("/components/responses"));
}

fn responses(responses: Option<&mut Value>) {
    for response in responses.and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        if let Some(content) = response.get_mut("content").and_then(Value::as_object_mut) {
            for (_, media) in content.iter_mut().filter(|(kind, _)| kind.contains("json")) {
                let named = || media.get("examples")?.as_object()?.values().next()?.get("value");
                let example = media.get("example").or_else(named).cloned();
                add(media, example.as_ref());
            }
        } else {
            let example = response.pointer("/examples/application~1json").cloned();
            add(response, example.as_ref());
        }
    }
}

/// Adds an example to the schema beside it.
fn add(holder: &mut Value, example: Option<&Value>) {
    let Some(example) = example.filter(|it| it.is_object() || it.is_array()) else { return };
    let shown = shape(example, 0);
    if let Some(holder) = holder.as_object_mut() {
        let schema = match holder.remove("schema") {
            Some(schema) => json!({"allOf": [schema, shown]}),
            None => shown,
        };
        holder.insert("schema".to_owned(), schema);
    }
}

/// The schema of a value.
fn shape(value: &Value, depth: usize) -> Value {
    match value {
        Value::Object(members) if depth < 8 && !members.contains_key("$ref") => {
            let properties: Map<String, Value> =
                members.iter().map(|(key, value)| (key.clone(), shape(value, depth + 1))).collect();
            json!({"properties": properties})
        }
        Value::Array(items) => {
            let item = items.first().map_or_else(|| json!({}), |item| shape(item, depth + 1));
            json!({"type": "array", "items": item})
        }
        Value::String(text) if text.starts_with("http://") || text.starts_with("https://") => {
            json!({"type": "string", "format": "uri"})
        }
        Value::String(_) => json!({"type": "string"}),
        Value::Number(_) => json!({"type": "number"}),
        Value::Bool(_) => json!({"type": "boolean"}),
        _ => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_become_schemas() {
        let example =
            json!({"ok": true, "members": [{"id": "W1", "n": 1}], "next": "https://x.net/2"});
        let shown = json!({"properties": {
            "ok": {"type": "boolean"},
            "members": {"type": "array", "items": {"properties": {"id": {"type": "string"}, "n": {"type": "number"}}}},
            "next": {"type": "string", "format": "uri"},
        }});
        let check = |response: Value, pointer: &str, expected: &Value| {
            let mut document = json!({"paths": {"/a": {"get": {"responses": {"200": response}}}}});
            add_examples(&mut document);
            let found = document["paths"]["/a"]["get"]["responses"]["200"].pointer(pointer);
            assert_eq!(found, Some(expected));
        };
        check(json!({"examples": {"application/json": example}}), "/schema", &shown);
        let with = json!({"allOf": [{"type": "object"}, shown]});
        let media = json!({"schema": {"type": "object"}, "examples": {"one": {"value": example}}});
        check(
            json!({"content": {"application/json": media}}),
            "/content/application~1json/schema",
            &with,
        );
        let media = json!({"schema": {"type": "object"}, "example": "text"});
        check(
            json!({"content": {"application/json": media}}),
            "/content/application~1json/schema",
            &json!({"type": "object"}),
        );
    }
}
