//! The endpoint of a resource: how its records are requested over HTTP.

mod client;
mod options;
mod params;
mod response_rule;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use self::options::{auth, headers, paginator};
use self::params::{Params, check_flat};
use super::cursor::Cursor;
use super::paginator::Paginator;
use super::parent::Parent;
use super::parse::{JobObject, Keys, member};
use super::template::{JsonTemplate, Template};
use crate::fault::Result;
use crate::json::Path;

pub(crate) use self::client::Client;
pub(crate) use self::response_rule::{ResponseAction, ResponseRule};

/// How a resource's records are requested.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Endpoint {
    /// The path, joined to the base URL, or a URL.
    pub(crate) path: Template,
    /// The method.
    pub(crate) method: Method,
    /// The query: each parameter is a scalar or a list of scalars.
    pub(crate) params: IndexMap<String, JsonTemplate>,
    /// The JSON body.
    pub(crate) json: Option<JsonTemplate>,
    /// The body in place of JSON: an object is a form, a string is sent as it is.
    pub(crate) data: Option<JsonTemplate>,
    /// The headers in addition to the client's; names in lower case.
    pub(crate) headers: Vec<(String, Template)>,
    /// The path of the records in a response. `None`: detected in the first response.
    pub(crate) data_selector: Option<Path>,
    /// The paginator. `None`: the client's.
    pub(crate) paginator: Option<Paginator>,
    /// The name of a credential. `None`: the client's.
    pub(crate) auth: Option<String>,
    /// The rules for some responses; the first rule that matches applies.
    pub(crate) response_rules: Vec<ResponseRule>,
    /// The resource for each of whose records it is requested once.
    pub(crate) parent: Option<Parent>,
}

/// An HTTP method.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Method {
    /// `GET`.
    Get,
    /// `POST`, for requests with a body.
    Post,
}

impl Method {
    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

impl Endpoint {
    /// Parses an endpoint, and its cursor if it has one. `name` is the default of the path,
    /// `include` the fields that are copied from the parent's record.
    pub(super) fn parse(
        value: &Value,
        place: &str,
        name: &str,
        include: &[String],
    ) -> Result<(Self, Option<Cursor>)> {
        let object = JobObject::new(value, place, KEYS)?;
        let no_params = Map::new();
        let mut given = Params::parse(&object, &no_params)?;
        let path_text = object.text("path")?.unwrap_or(name);
        let path = given.path(path_text).map_err(|fault| fault.at(object.place_of("path")))?;
        given.check_resolved()?;
        let params = given.query()?;
        let json = match object.map("json")? {
            None => None,
            Some(map) => Some(given.json(&Value::Object(map.clone()), &object.place_of("json"))?),
        };
        let data = form(&object, &given, json.is_some())?;
        let single = is_single_entity(path_text);
        let data_selector = match object.text("data_selector")? {
            Some(text) => Some(
                Path::parse(text).map_err(|fault| fault.at(object.place_of("data_selector")))?,
            ),
            None if single => Some(Path::root()),
            None => None,
        };
        let headers = headers(&object, |text, place| given.template(text, place))?;
        let method = method(&object)?;
        let paginator = paginator(&object)?.or(single.then_some(Paginator::single_page()));
        let auth = auth(&object)?;
        let response_rules = response_rule::rules(&object)?;
        let (parent, cursor) = given.finish(include, &object)?;
        let endpoint = Self {
            path,
            method,
            params,
            json,
            data,
            headers,
            data_selector,
            paginator,
            auth,
            response_rules,
            parent,
        };
        Ok((endpoint, cursor))
    }
}

/// The body in place of JSON: the members of a form, or a text.
fn form(
    object: &JobObject<'_>,
    given: &Params<'_>,
    has_json: bool,
) -> Result<Option<JsonTemplate>> {
    let Some(value) = object.get("data") else { return Ok(None) };
    if has_json {
        return Err(object.fault("expected \"json\" or \"data\", found both"));
    }
    let place = object.place_of("data");
    if !value.is_string() {
        let mut members = object.map("data")?.into_iter().flatten();
        members.try_for_each(|(key, value)| check_flat(value, &member(&place, key)))?;
    }
    given.json(value, &place).map(Some)
}

/// Checks the keys of an endpoint in `resource_defaults`, as far as possible without a resource.
pub(super) fn check_defaults(value: &Value, place: &str) -> Result<()> {
    let object = JobObject::new(value, place, KEYS)?;
    object.text("path")?;
    object.map("params")?;
    object.map("json")?;
    method(&object)?;
    auth(&object)?;
    response_rule::rules(&object)?;
    paginator(&object).map(drop)
}

/// Merges an endpoint of `resource_defaults` with that of a resource: only `params` and `json` are
/// merged, and only their first level (`_merge_resource_endpoints` in
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

/// The names of the methods in a job.
pub(super) const METHODS: &[(&str, Method)] =
    &[("GET", Method::Get), ("POST", Method::Post), ("get", Method::Get), ("post", Method::Post)];

fn method(object: &JobObject<'_>) -> Result<Method> {
    Ok(object.choice("method", METHODS)?.unwrap_or(Method::Get))
}

/// Returns `true` if the last part of a path selects one entity: `users/{id}` (`single_entity_path`
/// in
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
