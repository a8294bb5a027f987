//! One mapping: the requests it matches, the state it requires, and its response.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};
use std::time::Duration;

use super::request_pattern::RequestPattern;

/// The priority of a mapping without one; the lowest number is tried first.
const PRIORITY: i64 = 5;
/// The error of a document that is not made of mappings.
pub const NO_MAPPING: &str = "expected a request and a response";
/// The state in which each scenario starts.
pub(crate) const STARTED: &str = "Started";

/// A mapping of requests to a response.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The requests.
    pub request: RequestPattern,
    /// The response.
    pub response: Prepared,
    /// Among the mappings that match a request, the one with the lowest number is used.
    pub priority: i64,
    /// The scenario of the mapping.
    pub scenario: Option<ScenarioPart>,
}

/// The scenario of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioPart {
    /// The scenario's name.
    pub name: String,
    /// The state that the mapping requires. `None`: any.
    pub required: Option<String>,
    /// The state after the response. `None`: the same.
    pub next: Option<String>,
}

/// The response of a mapping.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The status code.
    pub status: u16,
    /// The text after the status code.
    pub reason: Option<String>,
    /// Headers in their order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The delay of the response.
    pub delay: Duration,
    /// A fault in place of the response.
    pub fault: Option<FaultKind>,
    /// `true` if expressions in headers and body are replaced.
    pub templated: bool,
}

/// A fault of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The connection is closed without a response.
    Empty,
    /// The connection is reset without a response.
    Reset,
    /// A status line and bytes that are not HTTP.
    MalformedChunk,
    /// Bytes that are not HTTP.
    Random,
}

impl Mapping {
    /// Parses the mappings of a document: one, a list, or an object with a list.
    ///
    /// # Errors
    ///
    /// If a mapping has an unknown or unsupported part.
    pub fn parse_all(document: &Value) -> Result<Vec<Self>, String> {
        let one = std::slice::from_ref(document);
        let items = match document {
            Value::Array(items) => items,
            document => match document.get("mappings") {
                Some(Value::Array(items)) => items.as_slice(),
                Some(other) => return Err(format!("mappings: expected a list, found {other}")),
                None => one,
            },
        };
        let parse = |(index, item)| {
            Self::parse(item).map_err(|error| format!("mapping {}: {error}", index + 1))
        };
        items.iter().enumerate().map(parse).collect()
    }

    fn parse(json: &Value) -> Result<Self, String> {
        let object = json.as_object().ok_or_else(|| format!("expected an object, found {json}"))?;
        if !object.contains_key("request") && !object.contains_key("response") {
            return Err(NO_MAPPING.to_owned());
        }
        let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            name: text("name"),
            request: RequestPattern::parse(object.get("request").unwrap_or(&Value::Null))?,
            response: Prepared::parse(object.get("response").unwrap_or(&Value::Null))?,
            priority: object.get("priority").and_then(Value::as_i64).unwrap_or(PRIORITY),
            scenario: text("scenarioName").map(|name| ScenarioPart {
                name,
                required: text("requiredScenarioState"),
                next: text("newScenarioState"),
            }),
        })
    }
}

impl Prepared {
    fn parse(json: &Value) -> Result<Self, String> {
        let mut prepared = Self {
            status: 200,
            reason: None,
            headers: Vec::new(),
            body: Vec::new(),
            delay: Duration::ZERO,
            fault: None,
            templated: false,
        };
        let empty = Map::new();
        for (name, value) in json.as_object().unwrap_or(&empty) {
            let number = || {
                // Some write numbers as strings.
                let number =
                    value.as_u64().or_else(|| value.as_str().and_then(|it| it.parse().ok()));
                number.ok_or_else(|| format!("response.{name}: expected a number, found {value}"))
            };
            let text = || {
                let text = value.as_str().map(str::to_owned);
                text.ok_or_else(|| format!("response.{name}: expected a string, found {value}"))
            };
            match name.as_str() {
                "status" => {
                    prepared.status = u16::try_from(number()?)
                        .map_err(|_| format!("response.status: expected a code, found {value}"))?;
                }
                "statusMessage" => prepared.reason = Some(text()?),
                "headers" => prepared.headers = headers(value)?,
                "body" => prepared.body = text()?.into_bytes(),
                "jsonBody" => prepared.body = value.to_string().into_bytes(),
                "base64Body" => {
                    let bytes = BASE64.decode(text()?);
                    prepared.body = bytes.map_err(|error| format!("response.{name}: {error}"))?;
                }
                "fixedDelayMilliseconds" => prepared.delay = Duration::from_millis(number()?),
                "delayDistribution" => prepared.delay = distributed(value),
                "chunkedDribbleDelay" => {
                    let total = value.get("totalDuration").and_then(Value::as_u64);
                    prepared.delay = Duration::from_millis(total.unwrap_or_default());
                }
                "fault" => prepared.fault = Some(FaultKind::parse(&text()?)?),
                "transformers" => {
                    prepared.templated =
                        value.as_array().is_some_and(|it| it.contains(&"response-template".into()));
                }
                "transformerParameters" | "fromConfiguredStub" => {}
                name => return Err(format!("response.{name} is not supported")),
            }
        }
        Ok(prepared)
    }

    /// The body as JSON, decompressed if necessary. `None` if it is not JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

impl FaultKind {
    fn parse(name: &str) -> Result<Self, String> {
        match name {
            "EMPTY_RESPONSE" => Ok(Self::Empty),
            "CONNECTION_RESET_BY_PEER" => Ok(Self::Reset),
            "MALFORMED_RESPONSE_CHUNK" => Ok(Self::MalformedChunk),
            "RANDOM_DATA_THEN_CLOSE" => Ok(Self::Random),
            name => Err(format!("response.fault: expected a known fault, found {name:?}")),
        }
    }
}

/// A header with several values is written as a list.
fn headers(json: &Value) -> Result<Vec<(String, String)>, String> {
    let object = json.as_object().ok_or("response.headers: expected an object")?;
    let mut headers = Vec::new();
    for (name, value) in object {
        let values = match value {
            Value::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        for value in values {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            headers.push((name.clone(), text));
        }
    }
    Ok(headers)
}

/// The median of a distribution, so that every replay is the same.
fn distributed(json: &Value) -> Duration {
    let number = |name: &str| json.get(name).and_then(Value::as_f64);
    let uniform = || Some((number("lower")? + number("upper")?) / 2.0);
    let middle =
        number("median").or_else(|| number("milliseconds")).or_else(uniform).unwrap_or_default();
    Duration::from_millis(middle as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_hold_one_or_many() {
        let one = json!({"request": {}, "response": {"status": 201}});
        let check = |document: Value, expect: usize| {
            assert_eq!(Mapping::parse_all(&document).unwrap().len(), expect, "{document}");
        };
        check(one.clone(), 1);
        check(json!([one, one]), 2);
        check(json!({"mappings": [one, one]}), 2);
        check(json!({"mappings": []}), 0);
    }

    #[test]
    fn answers_are_parsed() {
        let check = |response: Value, expect: &str| {
            let json = json!({"request": {}, "response": response});
            let parsed = match Mapping::parse_all(&json) {
                Ok(mappings) => {
                    let Prepared { status, headers, body, delay, fault, .. } =
                        &mappings[0].response;
                    format!("{status} {headers:?} {:?} {delay:?} {fault:?}", str(body))
                }
                Err(error) => error,
            };
            assert_eq!(parsed, expect, "{response}");
        };
        check(json!({}), r#"200 [] "" 0ns None"#);
        check(json!({"status": 404, "body": "no"}), r#"404 [] "no" 0ns None"#);
        check(json!({"jsonBody": {"a": [1]}}), r#"200 [] "{\"a\":[1]}" 0ns None"#);
        check(json!({"base64Body": "YWI="}), r#"200 [] "ab" 0ns None"#);
        check(json!({"headers": {"A": ["1", "2"]}}), r#"200 [("A", "1"), ("A", "2")] "" 0ns None"#);
        check(json!({"fixedDelayMilliseconds": "20"}), r#"200 [] "" 20ms None"#);
        let uniform = json!({"type": "uniform", "lower": 10, "upper": 20});
        check(json!({"delayDistribution": uniform}), r#"200 [] "" 15ms None"#);
        check(json!({"fault": "EMPTY_RESPONSE"}), r#"200 [] "" 0ns Some(Empty)"#);
        let unknown = r#"mapping 1: response.fault: expected a known fault, found "X""#;
        check(json!({"fault": "X"}), unknown);
        check(json!({"status": -1}), "mapping 1: response.status: expected a number, found -1");
        check(
            json!({"proxyBaseUrl": "http://a"}),
            "mapping 1: response.proxyBaseUrl is not supported",
        );
    }

    fn str(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }
}
