//! The addresses under `/_control`, with which tests in other processes control a fake.
//! They need no credential.

use serde_json::{Value, json};

use super::http::{Request, Response};
use super::{Entry, Faults, State, lock};

/// The beginning of every control address.
pub(super) const ROOT: &str = "/_control/";

/// Answers a request to a control address.
pub(super) fn answer(request: &Request, state: &State) -> Response {
    respond(request, state).map_or_else(
        |message| Response::value(400, &json!({ "error": message })),
        |body| Response::value(200, &body),
    )
}

fn respond(request: &Request, state: &State) -> Result<Value, String> {
    let name = request.path.strip_prefix(ROOT).unwrap_or_default();
    match (request.method.as_str(), name) {
        ("POST", "faults") => {
            let body = parse(request)?;
            let faults = match &body["faults"] {
                Value::String(text) => text.parse::<Faults>()?,
                Value::Array(texts) => {
                    let texts = texts.iter().map(|text| text.as_str().unwrap_or("(not a string)"));
                    texts.collect::<Vec<_>>().join(";").parse()?
                }
                other => {
                    return Err(format!(
                        "expected faults as a string or a list of strings, found {other}"
                    ));
                }
            };
            *lock(&state.faults) = faults;
            lock(&state.last).clear();
            Ok(json!({}))
        }
        ("GET", "log") => {
            let entries = lock(&state.log).iter().map(Entry::to_json).collect::<Vec<_>>();
            Ok(json!({ "requests": entries }))
        }
        ("DELETE", "log") => {
            lock(&state.log).clear();
            Ok(json!({}))
        }
        (method, _) => state.service.control(request, name).unwrap_or_else(|| {
            Err(format!(
                "expected POST faults, GET or DELETE log, or an address of this fake, \
                 found {method} {name}"
            ))
        }),
    }
}

/// The body of a control request.
pub(super) fn parse(request: &Request) -> Result<Value, String> {
    serde_json::from_slice(&request.body).map_err(|error| format!("expected JSON: {error}"))
}
