//! The addresses under `/_control`, with which tests steer the stand-in from outside its process.
//! They ask for no credential.

use serde_json::{Value, json};

use super::http::{Request, Response};
use super::{Brief, Entry, Faults, State, lock};
use crate::generators::parse_time;

/// The beginning of every control address.
pub(super) const ROOT: &str = "/_control/";

/// Answers a request to a control address.
pub(super) fn answer(request: &Request, state: &State) -> Response {
    respond(request, state)
        .unwrap_or_else(|message| Response::value(400, &json!({ "error": message })))
}

fn respond(request: &Request, state: &State) -> Result<Response, String> {
    let name = request.path.strip_prefix(ROOT).unwrap_or_default();
    let body = match (request.method.as_str(), name) {
        ("POST", "edit") => {
            let order = Order::parse(request)?;
            json!({ "edited": list(&lock(&state.site).edit(&order.names(), order.at)?) })
        }
        ("POST", "create") => {
            let order = Order::parse(request)?;
            json!({ "created": list(&lock(&state.site).create(order.count, order.at)) })
        }
        ("POST", "delete") => {
            let order = Order::parse(request)?;
            json!({ "deleted": list(&lock(&state.site).delete(&order.names())?) })
        }
        ("POST", "faults") => {
            let body = parse(request)?;
            let faults = match &body["faults"] {
                Value::String(text) => text.parse::<Faults>()?,
                Value::Array(texts) => {
                    let texts = texts.iter().map(|text| text.as_str().unwrap_or("(not a text)"));
                    texts.collect::<Vec<_>>().join(";").parse()?
                }
                other => {
                    return Err(format!(
                        "expected faults as text or a list of texts, found {other}"
                    ));
                }
            };
            *lock(&state.faults) = faults;
            json!({})
        }
        ("GET", "log") => {
            json!({ "requests": lock(&state.log).iter().map(Entry::to_json).collect::<Vec<_>>() })
        }
        ("DELETE", "log") => {
            lock(&state.log).clear();
            json!({})
        }
        ("GET", "issues") => json!({ "issues": list(&lock(&state.site).briefs()) }),
        ("GET", _) if name.starts_with("issues/") => {
            let issue = name.strip_prefix("issues/").unwrap_or_default();
            lock(&state.site).document(issue).ok_or_else(|| format!("there is no issue {issue}"))?
        }
        (method, _) => {
            return Err(format!(
                "expected POST edit, create, delete or faults, GET or DELETE log, GET issues or \
                 issues/NAME, found {method} {name}"
            ));
        }
    };
    Ok(Response::value(200, &body))
}

struct Order {
    issues: Vec<String>,
    count: u64,
    at: Option<i64>,
}

impl Order {
    fn parse(request: &Request) -> Result<Self, String> {
        let body = parse(request)?;
        let at = match &body["at"] {
            Value::Null => None,
            Value::String(text) => Some(parse_time(text)?),
            other => return Err(format!("expected an instant in \"at\", found {other}")),
        };
        let issues = body["issues"].as_array().into_iter().flatten();
        let issues = issues.map(|issue| match issue {
            Value::String(name) => Ok(name.clone()),
            Value::Number(id) => Ok(id.to_string()),
            other => Err(format!("expected an issue's number or key, found {other}")),
        });
        Ok(Self {
            issues: issues.collect::<Result<_, _>>()?,
            count: body["count"].as_u64().unwrap_or(1),
            at,
        })
    }

    fn names(&self) -> Vec<&str> {
        self.issues.iter().map(String::as_str).collect()
    }
}

fn parse(request: &Request) -> Result<Value, String> {
    serde_json::from_slice(&request.body).map_err(|error| format!("expected JSON: {error}"))
}

fn list(briefs: &[Brief]) -> Vec<Value> {
    briefs.iter().map(Brief::to_json).collect()
}
