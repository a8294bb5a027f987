//! The schemas of a description: references, parts and properties.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use serde_json::Value;

use super::asked::decoded;

/// Names and schemas of properties.
pub(super) type Properties<'d> = Rc<[(&'d str, &'d Value)]>;
/// The keys to a value, and its schema.
pub(super) type Place<'d> = (Vec<String>, &'d Value);

/// The maximum number of schema parts read in one description: ten times what large ones need.
const WORK: usize = 5_000_000;
/// The maximum nesting of schema parts.
const DEPTH: usize = 32;

/// The schemas of one document. The properties of each are collected once, however often it is
/// referenced.
pub(super) struct Schemas<'d> {
    document: &'d Value,
    /// By the address of the schema, which does not move while the document is borrowed.
    known: RefCell<HashMap<usize, Properties<'d>>>,
    work: Cell<usize>,
}

impl<'d> Schemas<'d> {
    pub(super) fn new(document: &'d Value) -> Self {
        Self::within(document, WORK)
    }

    /// Sets another limit of work.
    fn within(document: &'d Value, work: usize) -> Self {
        Self { document, known: RefCell::default(), work: Cell::new(work) }
    }

    /// Returns `true` if the limit of work is reached: later results are incomplete.
    pub(super) const fn exhausted(&self) -> bool {
        self.work.get() == 0
    }

    /// Counts one part. Returns `false` if the limit is reached.
    fn spend(&self) -> bool {
        let left = self.work.get();
        self.work.set(left.saturating_sub(1));
        left > 0
    }

    /// A value, or the value that it refers to in the same document.
    pub(super) fn resolve(&self, value: &'d Value) -> &'d Value {
        let mut value = value;
        for _ in 0..16 {
            let reference = text(value.get("$ref")).and_then(|it| it.strip_prefix('#'));
            match reference.and_then(|pointer| self.document.pointer(&decoded(pointer))) {
                Some(target) => value = target,
                None => break,
            }
        }
        value
    }

    /// The properties of an object, including those of all its parts.
    pub(super) fn properties(&self, schema: &'d Value) -> Properties<'d> {
        let schema = self.resolve(schema);
        if let Some(known) = self.known.borrow().get(&address(schema)) {
            return Rc::clone(known);
        }
        let mut found = Vec::new();
        self.parts(schema, &mut |part| {
            let properties = part.get("properties").and_then(Value::as_object);
            for (name, value) in properties.into_iter().flatten() {
                if self.spend() {
                    found.push((name.as_str(), value));
                }
            }
        });
        let found: Properties<'d> = found.into();
        self.known.borrow_mut().insert(address(schema), Rc::clone(&found));
        found
    }

    /// The schema of the elements, if the schema is one of a list.
    pub(super) fn items(&self, schema: &'d Value) -> Option<&'d Value> {
        let mut items = None;
        self.parts(schema, &mut |part| {
            items = items
                .or_else(|| part.get("items").filter(|_| !is_union(part) && may_be_list(part)));
        });
        // The elements may have schemas by position: the first one is used for all.
        items.map(|items| items.get(0).unwrap_or(items))
    }

    /// Visits the schema and its parts, each once; of alternatives only the first.
    fn parts(&self, schema: &'d Value, each: &mut dyn FnMut(&'d Value)) {
        let first = self.resolve(schema);
        let mut known = HashSet::from([address(first)]);
        let mut open = vec![(first, 0)];
        while let Some((schema, depth)) = open.pop() {
            each(schema);
            let choices = ["anyOf", "oneOf"].iter().filter_map(|key| schema.get(*key)?.get(0));
            let union = schema.get("items").filter(|_| is_union(schema)).and_then(|it| it.get(0));
            let all = schema.get("allOf").and_then(Value::as_array);
            // The stack returns the last part first.
            for part in choices.chain(union).chain(all.into_iter().flatten().rev()) {
                let part = self.resolve(part);
                if !self.spend() {
                    return;
                }
                if depth < DEPTH && known.insert(address(part)) {
                    open.push((part, depth + 1));
                }
            }
        }
    }

    /// Lists of objects, at most three keys deep, outer ones first: their paths and elements.
    pub(super) fn lists(&self, schema: &'d Value) -> Vec<Place<'d>> {
        let mut found = Vec::new();
        self.levels(schema, 3, |path, schema| match self.items(schema) {
            Some(items) => {
                if !self.properties(items).is_empty() {
                    found.push((path.to_vec(), items));
                }
                false
            }
            None => true,
        });
        found
    }

    /// Scalar properties, at most three keys deep, outer ones first.
    pub(super) fn scalars(&self, schema: &'d Value) -> Vec<Place<'d>> {
        let mut found = Vec::new();
        self.levels(schema, 3, |path, schema| {
            if self.items(schema).is_some() {
                return false;
            }
            let inner = !self.properties(schema).is_empty();
            if !inner && !path.is_empty() {
                found.push((path.to_vec(), schema));
            }
            inner
        });
        found
    }

    /// Visits a schema and its nested properties, level by level. `enter` returns whether to
    /// continue inside; each schema is entered once.
    fn levels(
        &self,
        schema: &'d Value,
        deepest: usize,
        mut enter: impl FnMut(&[String], &'d Value) -> bool,
    ) {
        let mut visited = HashSet::new();
        let mut level: Vec<Place<'d>> = vec![(Vec::new(), self.resolve(schema))];
        for depth in 0..=deepest {
            let mut next = Vec::new();
            for (path, schema) in level {
                let inside = self.spend() && enter(&path, schema);
                if !inside || depth == deepest || !visited.insert(address(schema)) {
                    continue;
                }
                for (name, value) in self.properties(schema).iter() {
                    let path = path.iter().cloned().chain([(*name).to_owned()]).collect();
                    next.push((path, self.resolve(value)));
                }
            }
            level = next;
        }
    }
}

/// Returns `true` if the type of a schema, if it has one, allows a list.
fn may_be_list(schema: &Value) -> bool {
    match schema.get("type") {
        Some(Value::Array(types)) => types.iter().any(|it| it == "array"),
        Some(one) => one == "array",
        None => true,
    }
}

/// Returns `true` if `items` has several schemas and the schema has no type: Slack's description
/// uses this form for `anyOf`.
fn is_union(schema: &Value) -> bool {
    schema.get("type").is_none() && schema.get("items").is_some_and(Value::is_array)
}

/// The identity of a schema in its document.
fn address(schema: &Value) -> usize {
    std::ptr::from_ref(schema).addr()
}

/// A string, if the value is one.
pub(super) fn text(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    #[test]
    fn parts_are_gathered_once() {
        let document = json!({"definitions": {
            "Base": {"properties": {"id": {}}},
            "Loop": {"allOf": [{"$ref": "#/definitions/Loop"}, {"$ref": "#/definitions/Base"}], "properties": {"x": {}}},
            "List": {"allOf": [{"type": "array", "items": {"$ref": "#/definitions/Loop"}}]},
            "Page": {"properties": {"next": {}, "data": {"$ref": "#/definitions/List"}, "again": {"$ref": "#/definitions/Page"}}},
        }});
        let schemas = Schemas::new(&document);
        let at = |name: &str| &document["definitions"][name];
        let names = |schema| {
            schemas
                .properties(schema)
                .iter()
                .map(|(name, _)| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(at("Loop")), ["x", "id"]);
        let lists: Vec<_> = schemas.lists(at("Page")).into_iter().map(|(path, _)| path).collect();
        assert_eq!(lists, [["data"]]);
        let plain: Vec<_> = schemas.scalars(at("Page")).into_iter().map(|(path, _)| path).collect();
        assert_eq!(plain, [["next"]]);
    }

    #[test]
    fn lists_have_items_and_no_other_type() {
        let object = json!({"properties": {"id": {}}});
        let check = |schema: Value, list: bool, properties: usize| {
            let schemas = Schemas::new(&schema);
            assert_eq!(schemas.items(&schema).is_some(), list, "{schema}");
            assert_eq!(schemas.properties(&schema).len(), properties, "{schema}");
        };
        check(json!({"items": object}), true, 0);
        check(json!({"type": "array", "items": object}), true, 0);
        check(json!({"type": ["null", "array"], "items": object}), true, 0);
        check(json!({"type": "array", "items": [object, {}]}), true, 0);
        check(json!({"type": "object", "items": object}), false, 0);
        // Alternatives.
        check(json!({"items": [object, {"properties": {"a": {}, "b": {}}}]}), false, 1);
    }

    /// Ten parts in each of thirty levels: walking every path would take years.
    #[test]
    fn nested_parts_take_no_time() {
        let mut definitions = Map::new();
        for level in 0..30 {
            let part = json!({"$ref": format!("#/definitions/L{}", level + 1)});
            let properties = json!({format!("p{level}"): {}});
            definitions.insert(
                format!("L{level}"),
                json!({"allOf": vec![part; 10], "properties": properties}),
            );
        }
        let document = json!({"definitions": definitions});
        let schemas = Schemas::new(&document);
        assert_eq!(schemas.properties(&document["definitions"]["L0"]).len(), 30);
        assert!(!schemas.exhausted());
    }

    #[test]
    fn work_is_limited() {
        // Each schema has all others as its parts.
        let part = |n| json!({"$ref": format!("#/definitions/{n}")});
        let parts: Vec<Value> = (0..100).map(part).collect();
        let definitions: Map<String, Value> =
            (0..100).map(|n| (n.to_string(), json!({"allOf": parts}))).collect();
        let document = json!({"definitions": definitions});
        let schemas = Schemas::within(&document, 20_000);
        let all = document["definitions"].as_object().unwrap();
        assert!(schemas.properties(&all["0"]).is_empty() && !schemas.exhausted());
        all.values().for_each(|schema| drop(schemas.properties(schema)));
        assert!(schemas.exhausted());
    }
}
