//! What the description of an API tells (OpenAPI 3, Swagger 2): every GET that answers with a list becomes a
//! resource, with its keys, cursor, paginator and parent as far as names and types show them.

use serde_json::{Map, Value, json};

use super::names::{
    LIMITS, LINKS, OFFSETS, PAGE_TOTALS, PAGES, RECORD_KEYS, SINCE, TOKEN_PARAMS, TOKENS, TOTALS,
    cursor_rank, first, key_rank, plain,
};
use super::sample::{path_of, tells_changes};
use super::schema::{lists_in, properties, resolve, scalars, text};

/// What was found in a description.
#[derive(Debug)]
pub(super) struct Api {
    /// Its title.
    pub(super) title: String,
    /// The URL its paths are under, and what is to be said about it.
    pub(super) base_url: (String, Option<&'static str>),
    /// The credential that its requests need: its name, itself without hosts, and where tokens are had.
    pub(super) credential: Option<(String, Map<String, Value>)>,
    /// Its resources.
    pub(super) resources: Vec<Map<String, Value>>,
    /// Paths that were left out, and why.
    pub(super) skipped: Vec<String>,
}

/// Whether a document is a description of an API.
pub(super) fn is_one(document: &Value) -> bool {
    document.get("paths").is_some_and(Value::is_object)
        && (document.get("openapi").is_some() || document.get("swagger").is_some())
}

/// Reads a description. With `wanted`, only these paths become resources.
pub(super) fn read(spec: &Value, wanted: &[String]) -> Api {
    let mut api = Api {
        title: text(spec.pointer("/info/title")).unwrap_or("the API").to_owned(),
        base_url: base_url(spec),
        credential: credential(spec),
        resources: Vec::new(),
        skipped: Vec::new(),
    };
    // What a path is called, and what its records are known by: children name it.
    let mut known: Vec<(String, String, Option<String>)> = Vec::new();
    let mut paths: Vec<(&String, &Value)> =
        spec.get("paths").and_then(Value::as_object).into_iter().flatten().collect();
    // Parents first; otherwise in the order given.
    paths.sort_by_key(|(path, _)| path.matches('{').count());
    for (path, item) in paths {
        let item = resolve(spec, item);
        let Some(operation) = item.get("get") else { continue };
        if !wanted.is_empty() && !wanted.iter().any(|it| it == path) {
            continue;
        }
        let Some(list) = List::of(spec, operation) else {
            if !wanted.is_empty() {
                api.skipped.push(format!("{path}: its answer has no list of objects"));
            }
            continue;
        };
        let named = list.path.last().is_none_or(|key| RECORD_KEYS.contains(&key.as_str()));
        if path.ends_with('}') && !named {
            // One entity, in an object of its own: the list is a part of it.
            continue;
        }
        let path_in_job = match parent_of(path, &known) {
            Ok(path) => path,
            Err(why) => {
                api.skipped.push(format!("{path}: {why}"));
                continue;
            }
        };
        let name = name_of(path, known.iter().map(|(_, name, _)| name.as_str()));
        let parameters = parameters(spec, &item, operation);
        let (resource, key) = resource(spec, &name, &path_in_job, operation, &list, &parameters);
        known.push((path.clone(), name, key));
        api.resources.push(resource);
    }
    api
}

/// A list in the answer of an operation.
struct List {
    path: Vec<String>,
    /// The properties of its elements.
    record: Vec<(String, Value)>,
    /// The properties beside it, and the keys to them.
    beside: Vec<(Vec<String>, Value)>,
    /// Whether the answer has a `Link` header.
    link_header: bool,
}

impl List {
    fn of(spec: &Value, operation: &Value) -> Option<Self> {
        let responses = operation.get("responses")?.as_object()?;
        let response = ["200", "2XX", "201", "default"].iter().find_map(|it| responses.get(*it))?;
        let response = resolve(spec, response);
        let schema = match response.get("content").and_then(Value::as_object) {
            Some(content) => content
                .iter()
                .find(|(kind, _)| kind.contains("json") || *kind == "*/*")?
                .1
                .get("schema")?,
            None => response.get("schema")?,
        };
        let mut lists = Vec::new();
        lists_in(spec, schema, &mut Vec::new(), &mut lists);
        let named = |(path, _): &&(Vec<String>, Value)| {
            path.last().is_none_or(|key| RECORD_KEYS.contains(&key.as_str()))
        };
        // Outer ones first.
        lists.sort_by_key(|(path, _)| path.len());
        let (path, record) = lists.iter().find(named).or(lists.first())?.clone();
        // An entity that has a list in it is no list of entities.
        let outer = properties(spec, schema);
        let entity = outer.iter().any(|(name, _)| matches!(plain(name).as_str(), "id" | "uuid"));
        if entity && !path.last().is_none_or(|key| RECORD_KEYS.contains(&key.as_str())) {
            return None;
        }
        let mut beside = Vec::new();
        scalars(spec, schema, &mut Vec::new(), &mut beside);
        let headers = response.get("headers").and_then(Value::as_object);
        Some(Self {
            path,
            record: properties(spec, &record),
            beside,
            link_header: headers
                .is_some_and(|it| it.keys().any(|k| k.eq_ignore_ascii_case("link"))),
        })
    }

    /// A property beside the list that has one of these names.
    fn find(&self, names: &[&str]) -> Option<&(Vec<String>, Value)> {
        names.iter().find_map(|name| {
            self.beside
                .iter()
                .find(|(path, _)| path.last().is_some_and(|key| plain(key) == plain(name)))
        })
    }
}

/// A parameter of the query.
struct Parameter {
    name: String,
    required: bool,
    schema: Value,
}

fn resource(
    spec: &Value,
    name: &str,
    path: &str,
    operation: &Value,
    list: &List,
    parameters: &[Parameter],
) -> (Map<String, Value>, Option<String>) {
    let mut resource = Map::new();
    let mut put = |key: &str, value: Value| drop(resource.insert(key.to_owned(), value));
    put("name", name.into());
    if let Some(summary) = text(operation.get("summary")).filter(|it| !it.trim().is_empty()) {
        put("description", summary.trim().into());
    }
    let mut keys: Vec<(usize, &String)> = list
        .record
        .iter()
        .filter_map(|(property, _)| Some((key_rank(property, name)?, property)))
        .collect();
    keys.sort();
    let key = keys.first().map(|(_, key)| (*key).clone());
    match &key {
        Some(key) => {
            put("primary_key", key.as_str().into());
            put("write_disposition", "merge".into());
        }
        None => {
            put("//primary_key", "None was found: every load replaces the table.".into());
            put("write_disposition", "replace".into());
        }
    }
    let mut endpoint = Map::new();
    endpoint.insert("path".to_owned(), path.into());
    let mut params = Map::new();
    for parameter in parameters.iter().filter(|parameter| parameter.required) {
        let schema = &parameter.schema;
        let value = ["default", "example"]
            .iter()
            .find_map(|it| schema.get(*it))
            .or_else(|| schema.get("enum")?.get(0));
        let value = value.filter(|it| !it.is_object() && !it.is_array());
        params.insert(parameter.name.clone(), value.cloned().unwrap_or("TO BE FILLED IN".into()));
    }
    let (paginator, size) = paginator(list, parameters);
    params.extend(size);
    if !params.is_empty() {
        endpoint.insert("params".to_owned(), params.into());
    }
    endpoint.insert("data_selector".to_owned(), path_of(&list.path).into());
    if let Some(paginator) = paginator {
        endpoint.insert("paginator".to_owned(), paginator);
    } else {
        let note = "No sign of pages: it is found out from the first answer.";
        endpoint.insert("//paginator".to_owned(), note.into());
    }
    cursor(spec, list, parameters, &mut endpoint);
    put("endpoint", endpoint.into());
    (resource, key)
}

/// The cursor, if the source can be asked for what changed; else what could be one, as a comment.
fn cursor(spec: &Value, list: &List, parameters: &[Parameter], endpoint: &mut Map<String, Value>) {
    let mut found: Vec<(usize, &String)> = list
        .record
        .iter()
        .filter(|(_, schema)| {
            let schema = resolve(spec, schema);
            let format = text(schema.get("format")).unwrap_or_default();
            matches!(format, "date-time" | "date" | "timestamp")
        })
        .filter_map(|(name, _)| Some((cursor_rank(name)?, name)))
        .collect();
    found.sort();
    let since = first(parameters.iter().map(|it| it.name.as_str()), SINCE);
    match (found.first(), since) {
        (Some((_, path)), Some(since)) => {
            endpoint.insert(
                "//incremental".to_owned(),
                "That the parameter means this field is a guess.".into(),
            );
            endpoint.insert(
                "incremental".to_owned(),
                json!({
                    "cursor_path": path, "initial_value": "1970-01-01T00:00:00Z", "start_param": since,
                }),
            );
        }
        (Some((_, path)), None) if tells_changes(path) => {
            let note = format!(
                "{path} tells of changes, but no parameter asks for what changed: \
                 {{\"cursor_path\": {path:?}}} would load what is newer, out of all that comes."
            );
            endpoint.insert("//incremental".to_owned(), note.into());
        }
        _ => {}
    }
}

/// The paginator, and a parameter that asks for large pages.
fn paginator(list: &List, parameters: &[Parameter]) -> (Option<Value>, Option<(String, Value)>) {
    let names = || parameters.iter().map(|parameter| parameter.name.as_str());
    let schema = |name: &str| {
        parameters.iter().find(|it| it.name == name).map_or(&Value::Null, |it| &it.schema)
    };
    let limit = first(names(), LIMITS);
    let size = |name: &str| {
        let number = |key: &str| schema(name).get(key).and_then(Value::as_u64).filter(|n| *n > 0);
        number("maximum").filter(|n| *n <= 1000).or_else(|| number("default")).unwrap_or(100)
    };
    let sized = limit.map(|name| (name.to_owned(), size(name).into()));
    if list.link_header {
        return (Some("header_link".into()), sized);
    }
    let link = list.find(LINKS).filter(|(path, schema)| {
        text(schema.get("format")).is_some_and(|it| it.starts_with("ur"))
            || path.last().is_some_and(|key| {
                let key = plain(key);
                key.contains("url") || key.contains("link") || key == "href"
            })
    });
    if let Some((path, _)) = link {
        return (Some(json!({"type": "json_link", "next_url_path": path_of(path)})), sized);
    }
    if let (Some((token, _)), Some(param)) = (list.find(TOKENS), first(names(), TOKEN_PARAMS)) {
        let paginator = json!({
            "type": "cursor", "cursor_path": path_of(token), "cursor_param": param,
        });
        return (Some(paginator), sized);
    }
    let total =
        |names: &[&str]| list.find(names).map_or(Value::Null, |(path, _)| path_of(path).into());
    if let (Some(offset), Some(limit)) = (first(names(), OFFSETS), limit) {
        let paginator = json!({
            "type": "offset", "limit": size(limit), "offset_param": offset, "limit_param": limit,
            "total_path": total(TOTALS),
        });
        return (Some(paginator), None);
    }
    if let Some(page) = first(names(), PAGES) {
        let base = |key: &str| schema(page).get(key).and_then(Value::as_u64);
        let base = base("minimum").or(base("default")).unwrap_or(1).min(1);
        let paginator = json!({
            "type": "page_number", "base_page": base, "page_param": page,
            "total_path": total(PAGE_TOTALS),
        });
        return (Some(paginator), sized);
    }
    (None, sized)
}

/// The path as a job writes it: what names an entity is a field of the list above.
fn parent_of(path: &str, known: &[(String, String, Option<String>)]) -> Result<String, String> {
    let Some((before, rest)) = path.split_once('{') else {
        let inner = path.trim_start_matches('/');
        // The base itself is a path too.
        return Ok(if inner.is_empty() { "/" } else { inner }.to_owned());
    };
    let Some((parameter, after)) = rest.split_once('}') else {
        return Err("its braces".to_owned());
    };
    if after.contains('{') {
        return Err("it depends on more than one list".to_owned());
    }
    let list = before.trim_end_matches('/');
    let parent = known.iter().find(|(path, ..)| path.trim_end_matches('/') == list);
    match parent {
        Some((_, name, Some(key))) => {
            Ok(format!("{}{{resources.{name}.{key}}}{after}", before.trim_start_matches('/')))
        }
        Some((_, name, None)) => Err(format!("no field of {name} is known to be its {parameter}")),
        None => Err(format!("no list is known that tells its {parameter}")),
    }
}

/// The last part of the path that names something, with those before it where it is taken, and with a
/// number where even that is.
fn name_of<'n>(path: &str, taken: impl Iterator<Item = &'n str>) -> String {
    let word = |part: &str| {
        let part = part.split('.').next().unwrap_or(part);
        part.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect::<String>()
    };
    let taken: Vec<String> = taken.map(plain).collect();
    let free = |name: &String| !taken.contains(&plain(name));
    let parts: Vec<String> =
        path.split('/').filter(|it| !it.is_empty() && !it.contains('{')).map(word).collect();
    let last = parts.last().cloned().unwrap_or_else(|| "items".to_owned());
    let joined = if parts.is_empty() { last.clone() } else { parts.join("_") };
    let numbered = (2..).map(|number| format!("{joined}_{number}"));
    [last, joined.clone()].into_iter().chain(numbered).find(free).unwrap_or(joined)
}

fn parameters(spec: &Value, item: &Value, operation: &Value) -> Vec<Parameter> {
    let mut found: Vec<Parameter> = Vec::new();
    for list in [operation.get("parameters"), item.get("parameters")] {
        for parameter in list.and_then(Value::as_array).into_iter().flatten() {
            let parameter = resolve(spec, parameter);
            let Some(name) = text(parameter.get("name")) else { continue };
            if text(parameter.get("in")) != Some("query") || found.iter().any(|it| it.name == name)
            {
                continue;
            }
            // Swagger 2 has the type beside the name.
            let schema =
                parameter.get("schema").map_or_else(|| parameter.clone(), |it| resolve(spec, it));
            found.push(Parameter {
                name: name.to_owned(),
                required: parameter.get("required") == Some(&Value::Bool(true)),
                schema,
            });
        }
    }
    found
}

fn base_url(spec: &Value) -> (String, Option<&'static str>) {
    const UNKNOWN: &str = "The description names no host: put it here and in the credential.";
    if let Some(host) = text(spec.get("host")) {
        let secure = spec.get("schemes").and_then(Value::as_array).is_none_or(|schemes| {
            schemes.is_empty() || schemes.iter().any(|scheme| scheme == "https")
        });
        let scheme = if secure { "https" } else { "http" };
        let path = text(spec.get("basePath")).unwrap_or("/");
        return (format!("{scheme}://{host}{path}"), None);
    }
    let mut url = text(spec.pointer("/servers/0/url")).unwrap_or("/").to_owned();
    let variables = spec.pointer("/servers/0/variables").and_then(Value::as_object);
    for (name, variable) in variables.into_iter().flatten() {
        let value = text(variable.get("default")).unwrap_or_default();
        url = url.replace(&format!("{{{name}}}"), value);
    }
    if url.starts_with("http") && !url.contains('{') {
        return (url, None);
    }
    let path = url
        .split("://")
        .nth(1)
        .map_or(url.as_str(), |rest| rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"));
    (format!("https://api.example.com/{}", path.trim_start_matches('/')), Some(UNKNOWN))
}

/// The first way to say who asks.
fn credential(spec: &Value) -> Option<(String, Map<String, Value>)> {
    let schemes = spec
        .pointer("/components/securitySchemes")
        .or_else(|| spec.get("securityDefinitions"))?
        .as_object()?;
    let asked = spec.pointer("/security/0").and_then(Value::as_object);
    let name = asked.and_then(|it| it.keys().next()).or_else(|| schemes.keys().next())?;
    let scheme = resolve(spec, schemes.get(name)?);
    let mut credential = Map::new();
    let mut put = |key: &str, value: Value| drop(credential.insert(key.to_owned(), value));
    let kind = text(scheme.get("type")).unwrap_or_default();
    match (kind, text(scheme.get("scheme")).unwrap_or_default().to_ascii_lowercase().as_str()) {
        ("http", "basic") | ("basic", _) => put("type", "http_basic".into()),
        ("http", _) => put("type", "bearer".into()),
        ("apiKey", _) => {
            put("type", "api_key".into());
            put("name", text(scheme.get("name")).unwrap_or("Authorization").into());
            put("location", text(scheme.get("in")).unwrap_or("header").into());
        }
        ("oauth2", _) => {
            let token = text(scheme.pointer("/flows/clientCredentials/tokenUrl")).or_else(|| {
                (text(scheme.get("flow")) == Some("application"))
                    .then(|| text(scheme.get("tokenUrl")))
                    .flatten()
            });
            match token.filter(|url| url.starts_with("https://")) {
                Some(url) => {
                    put("type", "oauth2_client_credentials".into());
                    put("access_token_url", url.into());
                }
                None => {
                    put("type", "bearer".into());
                    put("//type", "The API has OAuth 2.0 with a person in it: oauth2_refresh_token, or snowflake_oauth with a security integration, may do.".into());
                }
            }
        }
        _ => return None,
    }
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
        .collect();
    Some((plain, credential))
}

#[cfg(test)]
mod tests;
