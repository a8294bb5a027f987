//! Reads the description of an API (OpenAPI 3, Swagger 2): every GET whose response has a list
//! becomes a resource, with the keys, cursor, paginator and parent that names and types suggest.

mod client;
mod examples;
mod list;
mod pages;
mod paths;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use self::client::{base_url, credential};
pub(super) use self::examples::add_examples;
use self::list::List;
use self::pages::{Query, parameters};
use self::paths::{Above, Placed, name_of, place, placeholders};
use super::names::{RECORD_KEYS, is_credential};
use super::sample::path_of;
use super::schema::{Schemas, text};

/// The value of a parameter that only the user knows.
pub(in super::super) const OPEN: &str = "TO BE FILLED IN";

/// The result of reading a description.
#[derive(Debug)]
pub(super) struct DescribedApi {
    /// Its title.
    pub(super) title: String,
    /// The base URL of its paths, and a comment.
    pub(super) base_url: (String, Option<&'static str>),
    /// The credential of its requests: its name, and the credential without hosts.
    pub(super) credential: Option<(String, Map<String, Value>)>,
    /// Its resources.
    pub(super) resources: Vec<Map<String, Value>>,
    /// The resources that are loaded, if others are read for their paths only.
    pub(super) selected: Option<Vec<String>>,
    /// Paths that did not become resources, with the reason.
    pub(super) skipped: Vec<String>,
    /// Parameters that only the user knows, with the number of resources that need them.
    pub(super) open: BTreeMap<String, usize>,
}

/// Returns `true` if a document is a description of an API.
pub(super) fn is_one(document: &Value) -> bool {
    document.get("paths").is_some_and(Value::is_object)
        && (document.get("openapi").is_some() || document.get("swagger").is_some())
}

/// Reads a description. If `wanted` has paths, only these and their parents become resources.
pub(super) fn read(document: &Value, wanted: &[String]) -> DescribedApi {
    let schemas = Schemas::new(document);
    let mut reading = Reading::default();
    let mut paths: Vec<(&String, &Value)> =
        document.get("paths").and_then(Value::as_object).into_iter().flatten().collect();
    let unknown = wanted.iter().filter(|it| paths.iter().all(|(path, _)| path != it));
    let mut skipped: Vec<String> =
        unknown.map(|path| format!("{path}: the description has no such path")).collect();
    let credential = credential(document);
    // Parents are read first; otherwise the order is kept.
    paths.sort_by_key(|(path, _)| path.matches('{').count());
    for (path, item) in paths {
        match reading.path(&schemas, path, schemas.resolve(item), credential.as_ref()) {
            Ok(()) => {}
            Err(why) if wanted.contains(path) => skipped.push(format!("{path}: {why}")),
            Err(_) => {}
        }
        if schemas.exhausted() {
            skipped.push(format!(
                "{path} and the paths after it were not read: the schemas of the description have too many parts"
            ));
            break;
        }
    }
    let selected = reading.select(wanted);
    let mut open = BTreeMap::new();
    for name in reading.resources.iter().flat_map(|it| &it.open) {
        *open.entry(name.clone()).or_default() += 1;
    }
    let required = |secret: String| {
        let credential = json!({"type": "api_key", "name": secret, "location": "query"});
        Some(("api".to_owned(), credential.as_object()?.clone()))
    };
    DescribedApi {
        title: text(document.pointer("/info/title")).unwrap_or("the API").to_owned(),
        base_url: base_url(document),
        credential: credential.or_else(|| reading.secret.and_then(required)),
        resources: reading.resources.into_iter().map(|it| it.resource).collect(),
        selected,
        skipped,
        open,
    }
}

/// The resources found so far.
#[derive(Default)]
struct Reading {
    resources: Vec<Resource>,
    /// A required parameter that is a credential.
    secret: Option<String>,
}

struct Resource {
    resource: Map<String, Value>,
    above: Above,
    parent: Option<String>,
    open: Vec<String>,
}

impl Reading {
    /// Adds the list of a path.
    ///
    /// # Errors
    /// The reason why the path becomes no resource.
    fn path<'d>(
        &mut self,
        schemas: &Schemas<'d>,
        path: &str,
        item: &'d Value,
        credential: Option<&(String, Map<String, Value>)>,
    ) -> Result<(), String> {
        let operation = item.get("get").map(|it| schemas.resolve(it)).ok_or("it has no GET")?;
        if path.contains('#') {
            return Err("it has a fragment (#), which requests do not have".to_owned());
        }
        let list = List::of(schemas, operation).ok_or("its answer has no list of objects")?;
        let named = list.path.last().is_none_or(|key| RECORD_KEYS.contains(&key.as_str()));
        if names_one(path) && (!named || list.is_in_entity()) {
            return Err("it answers with one entity, and the list is a part of that".to_owned());
        }
        let above: Vec<&Above> = self.resources.iter().map(|it| &it.above).collect();
        let placed = place(path, &above);
        let odd =
            |name: &&String| !name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if let Some(name) = placed.open.iter().find(odd) {
            return Err(format!("the name {name:?} is no valid name of a placeholder in a job"));
        }
        let name = name_of(path, above.iter().map(|it| it.name.as_str()));
        let parameters = parameters(schemas, item, operation);
        let key = list.key(&name);
        let query = Query {
            list: &list,
            parameters: parameters.iter().filter(|it| it.place == "query").collect(),
            key: key.as_deref(),
        };
        let mut params = Map::new();
        let mut open = Vec::new();
        for parameter in parameters.iter().filter(|it| it.required || it.place == "path") {
            match parameter.place {
                "path" if placed.open.iter().all(|it| it != parameter.name) => continue,
                "query" if is_secret(parameter.name, credential) => {
                    self.secret = self.secret.take().or_else(|| Some(parameter.name.to_owned()));
                    continue;
                }
                "path" | "query" => {}
                _ => continue,
            }
            let value = parameter.value();
            if value.is_none() {
                open.push(parameter.name.to_owned());
            }
            params.insert(parameter.name.to_owned(), value.cloned().unwrap_or(OPEN.into()));
        }
        // A path may have placeholders without a parameter.
        for name in placed.open.iter().filter(|name| !parameters.iter().any(|it| it.name == **name))
        {
            params.insert(name.clone(), OPEN.into());
            open.push(name.clone());
        }
        let resource = described(&name, operation);
        let resource = completed(resource, schemas, &query, &placed, params);
        self.resources.push(Resource {
            resource,
            parent: placed.parent.map(|(parent, _)| parent),
            above: Above {
                path: path.to_owned(),
                in_job: placed.path,
                name,
                key,
                properties: list.record.iter().map(|(name, _)| (*name).to_owned()).collect(),
            },
            open,
        });
        Ok(())
    }

    /// Keeps the resources of these paths and their parents. Returns the names of the wanted ones
    /// if parents were added.
    fn select(&mut self, wanted: &[String]) -> Option<Vec<String>> {
        if wanted.is_empty() {
            return None;
        }
        let selected: Vec<String> = self
            .resources
            .iter()
            .filter(|it| wanted.contains(&it.above.path))
            .map(|it| it.above.name.clone())
            .collect();
        let mut needed = selected.clone();
        // Children come after their parents.
        for resource in self.resources.iter().rev() {
            if let Some(parent) =
                resource.parent.as_ref().filter(|_| needed.contains(&resource.above.name))
            {
                needed.push(parent.clone());
            }
        }
        self.resources.retain(|it| needed.contains(&it.above.name));
        Some(selected).filter(|it| it.len() < self.resources.len())
    }
}

/// Returns `true` if the last segment of a path is an entity of a list.
fn names_one(path: &str) -> bool {
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    last.starts_with('{') && placeholders(last).count() == 1
}

/// Returns `true` if the credential adds this parameter.
fn is_secret(name: &str, credential: Option<&(String, Map<String, Value>)>) -> bool {
    let of_credential = credential.and_then(|(_, it)| text(it.get("name"))) == Some(name);
    of_credential || is_credential(name)
}

/// Returns a resource of this name, with the summary of its operation.
fn described(name: &str, operation: &Value) -> Map<String, Value> {
    let mut resource = Map::from_iter([("name".to_owned(), Value::from(name))]);
    if let Some(summary) = text(operation.get("summary")).filter(|it| !it.trim().is_empty()) {
        resource.insert("description".to_owned(), summary.trim().into());
    }
    resource
}

/// Returns the resource with its keys and its endpoint.
fn completed<'d>(
    mut resource: Map<String, Value>,
    schemas: &Schemas<'d>,
    query: &Query<'_, 'd>,
    placed: &Placed,
    mut params: Map<String, Value>,
) -> Map<String, Value> {
    let mut put = |key: &str, value: Value| drop(resource.insert(key.to_owned(), value));
    match query.key {
        Some(key) => {
            put("primary_key", key.into());
            put("write_disposition", "merge".into());
        }
        None => {
            put("//primary_key", "None was found: every load replaces the table.".into());
            put("write_disposition", "replace".into());
        }
    }
    if let Some((parent, fields)) = &placed.parent {
        put("include_from_parent", fields.clone().into());
        if let Some(key) = query.key {
            // An entity may be in the lists of several parents.
            let of_parent = fields.iter().map(|field| format!("_{parent}_{field}"));
            put("primary_key", of_parent.chain([key.to_owned()]).collect::<Vec<_>>().into());
        }
    }
    let mut endpoint = Map::new();
    endpoint.insert("path".to_owned(), placed.path.as_str().into());
    let pages = query.pages();
    params.extend(pages.params);
    if !params.is_empty() {
        endpoint.insert("params".to_owned(), params.into());
    }
    endpoint.insert("data_selector".to_owned(), path_of(&query.list.path).into());
    if let Some(note) = pages.note {
        endpoint.insert("//paginator".to_owned(), note.into());
    }
    if let Some(paginator) = pages.paginator {
        endpoint.insert("paginator".to_owned(), paginator);
    }
    query.cursor(schemas, &mut endpoint);
    put("endpoint", endpoint.into());
    resource
}

#[cfg(test)]
mod tests;
