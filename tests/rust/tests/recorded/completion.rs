//! Answers for what a recording does not have: most are about one endpoint, and a client needs the others too.

use serde_json::{Value, json};
use snowcat_tests::recorded::{Mapping, ValuePattern};

use crate::endpoint::Endpoint;
use crate::needs::Needs;
use crate::rows::rows;

/// After any mapping of a recording.
const PRIORITY: u32 = 1000;
/// The scenario of the answers here.
pub(crate) const SCENARIO: &str = "completion";
/// Its state after an abort.
pub(crate) const ABORTED: &str = "aborted";

/// The mappings that complete a recording. `url` is where the server listens.
pub(crate) fn completion(mappings: &[Mapping], endpoints: &[Endpoint], url: &str) -> Vec<Mapping> {
    let of = |endpoint| {
        let pairs = mappings.iter().zip(endpoints);
        pairs.filter(move |(_, it)| **it == endpoint).map(|(mapping, _)| mapping)
    };
    let tokens = Tokens::of(mappings, endpoints);
    let mut all = vec![
        answer("POST", "/session/v1/login-request", &tokens.login()),
        answer("POST", "/session/token-request", &tokens.renewed()),
        answer("POST", "/session", &success(&Value::Null)),
        answer("POST", "/session/heartbeat", &success(&Value::Null)),
    ];
    let result = of(Endpoint::Statement).next().map(|it| it.request.address.example());
    let chunks: Vec<&Mapping> = of(Endpoint::Chunk).collect();
    let query = "/queries/v1/query-request";
    if of(Endpoint::Query).next().is_none() {
        match (result, chunks.is_empty()) {
            (Some(result), _) => {
                let data = json!({"queryId": "completion", "getResultUrl": result});
                all.push(answer("POST", query, &running(&data)));
            }
            (None, false) => all.push(answer("POST", query, &success(&in_chunks(&chunks, url)))),
            (None, true) if of(Endpoint::Abort).next().is_some() => {
                all.push(answer("POST", query, &running(&json!({"queryId": "completion"}))));
            }
            (None, true) if of(Endpoint::Renewal).next().is_some() => {
                let expired = json!({"success": false, "code": "390112", "message": "expired"});
                all.push(part(answer("POST", query, &expired), "Started", "renewed"));
                all.push(part(answer("POST", query, &success(&one_row())), "renewed", "renewed"));
            }
            (None, true) => all.push(answer("POST", query, &success(&one_row()))),
        }
    }
    let result = "/queries/.*/result";
    if of(Endpoint::Abort).next().is_some() {
        let aborted = json!({"success": false, "code": "000604", "message": "aborted"});
        let goes_on = running(&json!({"queryId": "completion"}));
        all.push(part(answer("GET", result, &goes_on), "Started", "Started"));
        all.push(part(answer("GET", result, &aborted), ABORTED, ABORTED));
    } else {
        all.push(answer("GET", result, &success(&one_row())));
    }
    let parse = |json: &Value| Mapping::parse_all(json).unwrap_or_default();
    all.iter().flat_map(parse).collect()
}

/// The tokens that the mappings expect.
struct Tokens {
    session: String,
    master: String,
}

impl Tokens {
    fn of(mappings: &[Mapping], endpoints: &[Endpoint]) -> Self {
        let renewed: Vec<String> = mappings.iter().filter_map(renewed).collect();
        let token = |wanted: &[Endpoint]| {
            let pairs = mappings.iter().zip(endpoints).filter(|(_, it)| wanted.contains(it));
            let mut tokens = pairs.into_iter().filter_map(|(mapping, _)| authorization(mapping));
            tokens.find(|token| !renewed.contains(token))
        };
        let old = mappings.iter().find_map(|mapping| {
            Some(Needs::of(&mapping.request).text("oldSessionToken")?.to_owned())
        });
        let session =
            old.or_else(|| token(&[Endpoint::Query, Endpoint::Statement, Endpoint::Close]));
        Self {
            session: session.unwrap_or_else(|| "session token".to_owned()),
            master: token(&[Endpoint::Renewal]).unwrap_or_else(|| "master token".to_owned()),
        }
    }

    fn login(&self) -> Value {
        success(&json!({"token": self.session, "masterToken": self.master, "sessionId": 1,
            "validityInSeconds": 3600, "masterValidityInSeconds": 14400}))
    }

    fn renewed(&self) -> Value {
        success(&json!({"sessionToken": "renewed session token", "masterToken": self.master,
            "sessionId": 1, "validityInSecondsST": 3600, "validityInSecondsMT": 14400}))
    }
}

/// The session token that an answer renews with.
fn renewed(mapping: &Mapping) -> Option<String> {
    Some(mapping.response.json()?.pointer("/data/sessionToken")?.as_str()?.to_owned())
}

/// The token that the header of a mapping expects.
fn authorization(mapping: &Mapping) -> Option<String> {
    let (_, pattern) = mapping
        .request
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("authorization"))?;
    match pattern {
        ValuePattern::EqualTo { text, .. } => {
            Some(text.strip_prefix("Snowflake Token=\"")?.trim_end_matches('"').to_owned())
        }
        ValuePattern::Contains(text) => Some(text.trim_matches('"').to_owned()),
        _ => None,
    }
}

fn in_chunks(chunks: &[&Mapping], url: &str) -> Value {
    let counts: Vec<usize> =
        chunks.iter().map(|it| rows(&it.response.body).map_or(0, |rows| rows.len())).collect();
    // A file whose first answer fails has its rows in a later one.
    let most = counts.iter().copied().max().unwrap_or_default();
    let mut addresses: Vec<String> = Vec::new();
    for chunk in chunks {
        let address = format!("{url}{}", chunk.request.address.example());
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let total = most * addresses.len();
    let list: Vec<Value> =
        addresses.iter().map(|url| json!({"url": url, "rowCount": most})).collect();
    json!({"queryId": "completion", "rowset": [], "total": total, "returned": total,
        "queryResultFormat": "json", "chunks": list, "chunkHeaders": {}})
}

fn one_row() -> Value {
    json!({"queryId": "completion", "rowtype": [{"name": "1", "type": "fixed"}],
        "rowset": [["1"]], "total": 1, "returned": 1, "queryResultFormat": "json",
        "statementTypeId": 4096})
}

fn success(data: &Value) -> Value {
    json!({"success": true, "code": null, "message": null, "data": data})
}

fn running(data: &Value) -> Value {
    json!({"success": true, "code": "333334", "message": null, "data": data})
}

fn answer(method: &str, path: &str, body: &Value) -> Value {
    json!({"priority": PRIORITY, "request": {"method": method, "urlPathPattern": path},
        "response": {"status": 200, "headers": {"Content-Type": "application/json"},
            "jsonBody": body}})
}

fn part(mut mapping: Value, required: &str, next: &str) -> Value {
    mapping["scenarioName"] = SCENARIO.into();
    mapping["requiredScenarioState"] = required.into();
    mapping["newScenarioState"] = next.into();
    mapping
}
