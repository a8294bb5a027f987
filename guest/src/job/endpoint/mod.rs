//! What a job says about asking a source over HTTP: the client all resources share, and the
//! endpoint of each.

use std::cell::RefCell;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::cursor::Cursor;
use super::paginator::Paginator;
use super::parent::{Parent, Parents, RESOURCES};
use super::parse::{Keys, Object, at, element, member, nearest, wrong_type};
use super::template::{Bound, Hole, Piece, Shape, Template};
use super::url;
use crate::fault::{Fault, Result};
use crate::json::Path;

/// What the requests of all resources have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Client {
    /// The URL paths are joined to.
    pub base_url: String,
    /// Headers; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The name of a credential.
    pub auth: Option<String>,
    /// The paginator of endpoints that have none.
    pub paginator: Option<Paginator>,
}

/// Where a resource's records are asked for, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// Joined to the base URL, unless it is a URL.
    pub path: Template,
    /// The method.
    pub method: Method,
    /// The query: a text, something plain or a list of those a parameter.
    pub params: IndexMap<String, Shape>,
    /// The body.
    pub json: Option<Shape>,
    /// The body of a form, in place of JSON: names and values as in a query, or the text as it is.
    pub data: Option<Shape>,
    /// Headers beside the client's; names in lower case.
    pub headers: Vec<(String, Template)>,
    /// Where the records are in an answer; none means that it is found out from the first.
    pub data_selector: Option<Path>,
    /// The paginator; none means the client's.
    pub paginator: Option<Paginator>,
    /// The name of a credential; none means the client's.
    pub auth: Option<String>,
    /// What to do about answers of some kinds; of several that match the first counts.
    pub response_actions: Vec<ResponseAction>,
    /// The resource whose records it is asked for one by one, if there is one.
    pub parent: Option<Parent>,
}

/// An HTTP method that reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// `GET`.
    Get,
    /// `POST`, for sources that are asked with a body.
    Post,
}

/// What to do about answers of a kind (dlt's `response_actions`). What is given of a kind has to hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ResponseAction {
    /// The status.
    pub status: Option<u16>,
    /// A text the body has to hold.
    pub content: Option<String>,
    /// What is done.
    pub action: Action,
}

/// What is done about an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// It ends the pages, and is no failure.
    Ignore,
    /// It fails the load.
    Raise,
    /// The request is sent again after a while, as after a failure that passes.
    Retry,
}

impl Method {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

impl ResponseAction {
    /// Whether it is such an answer.
    pub fn matches(&self, status: u16, body: &str) -> bool {
        self.status.is_none_or(|expected| expected == status)
            && self.content.as_ref().is_none_or(|expected| body.contains(expected))
    }
}

impl Client {
    pub(super) fn parse(value: &Value) -> Result<Self> {
        let object = Object::new(value, "client", CLIENT_KEYS)?;
        let base_url = object.required_text("base_url")?;
        url::check_base(base_url).map_err(|fault| fault.at(object.place_of("base_url")))?;
        let headers = headers(&object, |text, _| Ok(text.to_owned()))?;
        Ok(Self {
            base_url: base_url.to_owned(),
            headers,
            auth: auth(&object)?,
            paginator: paginator(&object)?,
        })
    }
}

impl Endpoint {
    /// Reads an endpoint, and its cursor where it has one. `name` is the path where none is given,
    /// `include` what is taken over from the parent.
    pub(super) fn parse(
        value: &Value,
        place: &str,
        name: &str,
        include: &[String],
    ) -> Result<(Self, Option<Cursor>)> {
        let object = Object::new(value, place, KEYS)?;
        let no_params = Map::new();
        let params = object.map("params")?.unwrap_or(&no_params);
        let params_place = object.place_of("params");
        let mut cursor = match object.get("incremental") {
            None => None,
            Some(value) => Some(Cursor::parse(value, &object.place_of("incremental"), true)?),
        };
        let parents = RefCell::new(Parents::default());
        let mut resolved = IndexMap::new();
        let mut plain = IndexMap::new();
        for (param, value) in params {
            let place = member(&params_place, param);
            match typed(value) {
                None => {
                    plain.insert(param.as_str(), value);
                }
                Some("incremental") if cursor.is_none() => {
                    cursor = Some(Cursor::parse_param(param, value, &place)?);
                }
                Some("incremental") => {
                    return Err(at(
                        &place,
                        "expected one cursor, found another in endpoint.incremental or params",
                    ));
                }
                Some("resolve") => {
                    let field = parents.borrow_mut().resolve(value, &place)?;
                    resolved.insert(param.as_str(), (field, false));
                }
                Some("") => {
                    return Err(at(
                        &place,
                        "expected a text, a number, true, false, a list of those, or an object with a \
                         \"type\", found an object: where the source takes JSON, write it as a text, with \
                         doubled braces: \"{{\\\"a\\\": 1}}\"",
                    ));
                }
                Some(other) => {
                    return Err(at(
                        &place,
                        format_args!(
                            "expected a \"type\" of \"incremental\" or \"resolve\", found {other:?}"
                        ),
                    ));
                }
            }
        }
        let cursor_known = cursor.is_some();
        let hole = |name: &str| match name.trim().strip_prefix(RESOURCES) {
            Some(reference) => parents.borrow_mut().placeholder(name, reference),
            None => hole(name, cursor_known),
        };
        let path_text = object.text("path")?.unwrap_or(name);
        let mut bound = Vec::new();
        let path =
            Template::parse(path_text, |name| match (plain.get(name), resolved.get_mut(name)) {
                (_, Some((field, used))) => {
                    *used = true;
                    Ok(Piece::Hole(Hole::Parent(*field)))
                }
                (Some(value), _) => {
                    bound.push(name.to_owned());
                    Ok(Piece::Text(in_path(value, &member(&params_place, name))?))
                }
                _ => hole(name),
            })
            .map_err(|fault| fault.at(object.place_of("path")))?;
        if let Some((param, _)) = resolved.iter().find(|(_, (_, used))| !used) {
            return Err(at(
                &member(&params_place, param),
                format_args!(
                    "expected {{{param}}} in the path; write {{resources.<parent>.<field>}} where a \
                     parameter of the query is meant"
                ),
            ));
        }
        plain.retain(|param, _| !bound.iter().any(|used| used == param));
        let mut text =
            |text: &str, place: &str| Template::parse(text, hole).map_err(|fault| fault.at(place));
        let params = plain
            .into_iter()
            .map(|(param, value)| {
                let place = member(&params_place, param);
                flat(value, &place)?;
                Ok((param.to_owned(), Shape::parse(value, &place, &mut text)?))
            })
            .collect::<Result<_>>()?;
        let json = match object.map("json")? {
            None => None,
            Some(map) => {
                let value = Value::Object(map.clone());
                Some(Shape::parse(&value, &object.place_of("json"), &mut text)?)
            }
        };
        let data = match object.get("data") {
            None => None,
            Some(_) if json.is_some() => {
                return Err(object.fault("expected \"json\" or \"data\", found both"));
            }
            Some(value @ Value::String(_)) => {
                Some(Shape::parse(value, &object.place_of("data"), &mut text)?)
            }
            Some(value) => {
                let place = object.place_of("data");
                let mut members = object.map("data")?.into_iter().flatten();
                members.try_for_each(|(key, value)| flat(value, &member(&place, key)))?;
                Some(Shape::parse(value, &place, &mut text)?)
            }
        };
        let single = is_single_entity(path_text);
        let data_selector = match object.text("data_selector")? {
            Some(text) => Some(
                Path::parse(text).map_err(|fault| fault.at(object.place_of("data_selector")))?,
            ),
            None if single => Some(Path::root()),
            None => None,
        };
        let headers = headers(&object, text)?;
        let endpoint = Self {
            path,
            method: method(&object)?,
            params,
            json,
            data,
            headers,
            data_selector,
            paginator: paginator(&object)?.or(single.then_some(Paginator::single_page())),
            auth: auth(&object)?,
            response_actions: response_actions(&object)?,
            parent: parents.into_inner().finish(include, &object)?,
        };
        Ok((endpoint, cursor))
    }
}

/// Checks the keys of an endpoint in `resource_defaults`, and what can be checked without a
/// resource.
pub(super) fn check_defaults(value: &Value, place: &str) -> Result<()> {
    let object = Object::new(value, place, KEYS)?;
    object.text("path")?;
    object.map("params")?;
    object.map("json")?;
    method(&object)?;
    auth(&object)?;
    response_actions(&object)?;
    paginator(&object).map(drop)
}

/// An endpoint of `resource_defaults` with a resource's own laid over it: only `params` and `json`
/// are merged, and only their first level (`_merge_resource_endpoints` in
/// `sources/rest_api/config_setup.py`).
pub(super) fn merge(defaults: &Map<String, Value>, own: &Map<String, Value>) -> Map<String, Value> {
    let mut merged = defaults.clone();
    for (key, value) in own {
        let both = match (merged.get_mut(key), value) {
            (Some(Value::Object(below)), Value::Object(above))
                if key == "params" || key == "json" =>
            {
                below.extend(above.iter().map(|(k, v)| (k.clone(), v.clone())));
                true
            }
            _ => false,
        };
        if !both {
            merged.insert(key.clone(), value.clone());
        }
    }
    merged
}

const CLIENT_KEYS: Keys = Keys {
    known: &["base_url", "headers", "auth", "paginator"],
    refused: &[("session", "it is code: how requests are sent is the host's business")],
};

const KEYS: Keys = Keys {
    known: &[
        "path",
        "method",
        "params",
        "json",
        "data",
        "headers",
        "data_selector",
        "paginator",
        "incremental",
        "auth",
        "response_actions",
    ],
    refused: &[],
};

/// The methods that read, as they may be written.
pub(super) const METHODS: &[(&str, Method)] =
    &[("GET", Method::Get), ("POST", Method::Post), ("get", Method::Get), ("post", Method::Post)];

fn typed(value: &Value) -> Option<&str> {
    value.as_object().map(|map| map.get("type").and_then(Value::as_str).unwrap_or_default())
}

fn method(object: &Object<'_>) -> Result<Method> {
    Ok(object.choice("method", METHODS)?.unwrap_or(Method::Get))
}

fn auth(object: &Object<'_>) -> Result<Option<String>> {
    match object.get("auth") {
        Some(found @ (Value::Object(_) | Value::Array(_))) => Err(object.wrong_type(
            "the name of one of the job's credentials (secrets stay with the host)",
            found,
            "auth",
        )),
        _ => Ok(object.text("auth")?.map(str::to_owned)),
    }
}

fn paginator(object: &Object<'_>) -> Result<Option<Paginator>> {
    let Some(value) = object.get("paginator") else { return Ok(None) };
    let paginator = Paginator::parse(value, &object.place_of("paginator"))?;
    // In dlt too "auto" means that nothing was said.
    Ok(Some(paginator).filter(|paginator| !paginator.is_auto()))
}

fn headers<T>(
    object: &Object<'_>,
    mut read: impl FnMut(&str, &str) -> Result<T>,
) -> Result<Vec<(String, T)>> {
    let Some(map) = object.map("headers")? else { return Ok(Vec::new()) };
    let mut headers: Vec<(String, T)> = Vec::new();
    for (name, value) in map {
        let place = member(&object.place_of("headers"), name);
        let lower = name.to_ascii_lowercase();
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if lower.is_empty() || !lower.bytes().all(token) {
            return Err(at(&place, format_args!("expected the name of a header, found {name:?}")));
        }
        if matches!(lower.as_str(), "authorization" | "proxy-authorization" | "cookie") {
            return Err(at(
                &place,
                "a secret does not belong in the job: name a credential in \"auth\"",
            ));
        }
        if headers.iter().any(|(known, _)| *known == lower) {
            return Err(at(&place, "the header is given twice"));
        }
        let value = match value {
            Value::String(text) if !text.chars().any(char::is_control) => text.clone(),
            Value::Number(number) => number.to_string(),
            other => return Err(wrong_type("a text without control characters", other, &place)),
        };
        headers.push((lower, read(&value, &place)?));
    }
    Ok(headers)
}

fn response_actions(object: &Object<'_>) -> Result<Vec<ResponseAction>> {
    let Some(actions) = object.list("response_actions")? else { return Ok(Vec::new()) };
    let read = |(n, action): (usize, &Value)| {
        let place = element(&object.place_of("response_actions"), n);
        let given = Object::new(action, place, Keys::of(&["status_code", "content", "action"]))?;
        let Some(action) = given.choice("action", ACTIONS)? else {
            return Err(given.missing("action", "\"ignore\", \"retry\" or \"raise\""));
        };
        let status = given.whole("status_code", 100, 599)?;
        let content = given.text("content")?.map(str::to_owned);
        if status.is_none() && content.is_none() {
            return Err(given.fault("expected a status_code, a content or both"));
        }
        let status = status.and_then(|status| u16::try_from(status).ok());
        Ok(ResponseAction { status, content, action })
    };
    actions.iter().enumerate().map(read).collect()
}

const ACTIONS: &[(&str, Action)] =
    &[("ignore", Action::Ignore), ("retry", Action::Retry), ("raise", Action::Raise)];

/// What a name between braces stands for.
fn hole(name: &str, cursor_known: bool) -> Result<Piece> {
    let bounds = [
        ("incremental.start_value", Bound::StartValue),
        ("incremental.last_value", Bound::StartValue),
        ("incremental.initial_value", Bound::InitialValue),
        ("incremental.end_value", Bound::EndValue),
    ];
    match bounds.iter().find(|(known, _)| *known == name) {
        Some((_, bound)) if cursor_known => Ok(Piece::Hole(Hole::Bound(*bound))),
        Some(_) => Err(Fault::config(format_args!(
            "{{{name}}} stands for nothing: the endpoint has no \"incremental\""
        ))),
        None => {
            let hint = nearest(name, bounds.iter().map(|(known, _)| *known)).map_or_else(
                || {
                    "expected the name of a parameter (in a path), incremental.start_value or \
                     resources.<parent>.<field>; write {{ and }} for braces that are meant"
                        .to_owned()
                },
                |known| format!("did you mean {{{known}}}?"),
            );
            Err(Fault::config(format_args!("unknown placeholder {{{name}}}: {hint}")))
        }
    }
}

/// A parameter that is part of the path.
fn in_path(value: &Value, place: &str) -> Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        other => Err(wrong_type("a text or a number, for it is part of the path", other, place)),
    }
}

/// A query holds no objects, and no lists in lists.
fn flat(value: &Value, place: &str) -> Result<()> {
    let items = match value {
        Value::Array(items) => items.as_slice(),
        other => std::slice::from_ref(other),
    };
    match items.iter().find(|item| item.is_array() || item.is_object()) {
        Some(found) => {
            Err(wrong_type("a text, a number, true, false or a list of those", found, place))
        }
        None => Ok(()),
    }
}

/// Whether the last part of a path names one entity: `users/{id}` (`single_entity_path` in
/// `sources/helpers/rest_client/detector.py`).
fn is_single_entity(path: &str) -> bool {
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let named = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
    };
    last.split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'))
        .is_some_and(|(name, _)| named(name))
}

#[cfg(test)]
mod tests;
