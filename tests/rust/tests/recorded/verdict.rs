//! Whether our client did what a recording's last answers mean.

use serde_json::Value;
use snowcat_tests::recorded::{Arrival, Mapping, Prepared, ValuePattern};

use crate::client::{Step, Taken};
use crate::endpoint::Endpoint;
use crate::needs::Needs;
use crate::rows::{Row, row_set, rows};

/// Drivers' tests fail a request three times.
const ATTEMPTS: usize = 4;
/// Codes of a statement that still runs.
const RUNNING: &[&str] = &["333333", "333334"];
/// Codes of a session that has ended, or of a token that has.
const SESSION: &[&str] = &["390111", "390112", "390113", "390114", "390115"];

/// How a step has to end.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    /// With success, and with these rows if they are known.
    Success(Option<Vec<Row>>),
    /// With an error, and with this code if it is known.
    Error(Option<String>),
}

/// What is wrong; empty if nothing is. `endpoints` are those of the mappings, `own` how many mappings are the
/// recording's.
pub(crate) fn faults(
    taken: &[Taken],
    mappings: &[Mapping],
    endpoints: &[Endpoint],
    unused: &[usize],
) -> Vec<String> {
    let mut faults: Vec<String> =
        taken.iter().flat_map(|taken| of_step(taken, endpoints)).collect();
    // The statement after one that got no answer is sent once.
    let before = std::iter::once(None).chain(taken.iter().map(Some));
    let given_up =
        taken.iter().zip(before).filter(|(_, before)| !before.is_some_and(is_unanswered));
    faults.extend(given_up.filter_map(|(taken, _)| given_up_early(taken, endpoints)));
    let own = mappings.len();
    let runs = taken.iter().any(|it| is_running(&it.arrivals));
    let ends_early = taken.iter().any(|it| it.ended.is_err());
    for index in unused.iter().copied().filter(|index| *index < own) {
        let (Some(mapping), Some(endpoint)) = (mappings.get(index), endpoints.get(index)) else {
            continue;
        };
        // After a file of rows that is not whole no other is read.
        let spared = *endpoint == Endpoint::Chunk && ends_early;
        let shadowed = mappings.iter().any(|other| shadows(other, mapping));
        if is_required(mapping, *endpoint, runs) && !spared && !shadowed {
            let name = mapping.name.clone().unwrap_or_else(|| mapping.request.address.example());
            faults.push(format!("mapping {} was never requested ({name})", index + 1));
        }
    }
    faults
}

/// Returns `true` if another mapping answers all that a mapping accepts.
fn shadows(other: &Mapping, mapping: &Mapping) -> bool {
    let [first, second] = [other, mapping].map(|Mapping { request, .. }| {
        format!("{:?} {:?} {:?}", request.method, request.address, request.body)
    });
    let anywhere = other.request.headers.is_empty() && other.request.query.is_empty();
    other.priority < mapping.priority && other.scenario.is_none() && anywhere && first == second
}

/// Whether a recording without this request is not complete.
fn is_required(mapping: &Mapping, endpoint: Endpoint, runs: bool) -> bool {
    match endpoint {
        Endpoint::Login | Endpoint::Renewal | Endpoint::Chunk | Endpoint::Abort => true,
        Endpoint::Redirected => true,
        Endpoint::Query => {
            // A statement that names no file: our client names one in each.
            let unnamed = mapping.request.body.iter().any(|it| matches!(it, ValuePattern::Not(_)));
            // Else one that ends a transaction which is not open.
            !unnamed && Needs::of(&mapping.request).statement().is_some()
        }
        Endpoint::Statement => runs,
        Endpoint::Upload => mapping.request.method.as_deref() != Some("HEAD"),
        _ => false,
    }
}

fn of_step(taken: &Taken, endpoints: &[Endpoint]) -> Vec<String> {
    let mut faults = Vec::new();
    let endpoint = |arrival: &Arrival| arrival.mapping.and_then(|it| endpoints.get(it)).copied();
    for arrival in taken.arrivals.iter().filter(|arrival| arrival.mapping.is_none()) {
        faults.push(format!("no mapping accepts {} {}", arrival.method, arrival.target));
    }
    faults.extend(of_identifiers(&taken.arrivals, &endpoint));
    let last = |wanted: &[Endpoint]| {
        let mut arrivals = taken.arrivals.iter().rev();
        arrivals.find(|it| endpoint(it).is_some_and(|it| wanted.contains(&it)))
    };
    let expected = match taken.step {
        Step::Open => last(&[Endpoint::Login]).map(of_answer),
        Step::Abort => last(&[Endpoint::Abort]).map(of_answer),
        Step::Close => last(&[Endpoint::Close]).map(of_answer),
        Step::Aborted => Some(Expected::Error(Some("604".to_owned()))),
        Step::Run => last(&[Endpoint::Query, Endpoint::Statement, Endpoint::Redirected])
            .map(|it| of_statement(it, &taken.arrivals, &endpoint)),
        Step::Upload => last(&[Endpoint::Upload, Endpoint::Query]).map(of_upload),
    };
    let Some(expected) = expected else {
        let error = taken.ended.as_ref().err().map(|it| it.message.as_str()).unwrap_or_default();
        faults.push(format!("{:?} sent no request {error}", taken.step));
        return faults;
    };
    faults.extend(difference(taken, &expected));
    faults
}

/// A request whose last answer asks for another attempt, and that was not sent often enough.
fn given_up_early(taken: &Taken, endpoints: &[Endpoint]) -> Option<String> {
    let last = taken.arrivals.last().filter(|_| is_unanswered(taken))?;
    let endpoint = |arrival: &Arrival| arrival.mapping.and_then(|it| endpoints.get(it)).copied();
    let attempts = taken.arrivals.iter().filter(|it| endpoint(it) == endpoint(last)).count();
    (attempts < ATTEMPTS).then(|| {
        format!("{:?}: expected {ATTEMPTS} attempts at least, found {attempts}", taken.step)
    })
}

/// Returns `true` if a step failed and its last answer asks for another attempt.
fn is_unanswered(taken: &Taken) -> bool {
    let Some(last) = taken.arrivals.last().filter(|_| taken.ended.is_err()) else { return false };
    let status = last.response.as_ref().map(|it| it.status);
    status.is_none_or(|status| matches!(status, 408 | 429 | 500..=599))
}

fn difference(taken: &Taken, expected: &Expected) -> Option<String> {
    let step = taken.step;
    match (expected, &taken.ended) {
        (Expected::Success(Some(expected)), Ok(Some(found))) if expected != found => {
            Some(format!("{step:?}: expected the rows {expected:?}, found {found:?}"))
        }
        (Expected::Success(_), Ok(_)) | (Expected::Error(None), Err(_)) => None,
        (Expected::Success(_), Err(error)) => {
            Some(format!("{step:?}: expected success, found the error {}", error.message))
        }
        (Expected::Error(Some(code)), Err(error)) if *code == error.code => None,
        (Expected::Error(Some(code)), Err(error)) => Some(format!(
            "{step:?}: expected an error with the code {code}, found {:?}: {}",
            error.code, error.message
        )),
        (Expected::Error(code), Ok(_)) => {
            Some(format!("{step:?}: expected an error {code:?}, found success"))
        }
    }
}

/// What an answer with a success flag means.
fn of_answer(arrival: &Arrival) -> Expected {
    match body(arrival) {
        Err(code) => Expected::Error(code),
        Ok(json) => match failure(&json) {
            Some(code) => Expected::Error(code),
            None => Expected::Success(None),
        },
    }
}

/// The body of an answer that has one; else the code of the error, if it is known.
fn body(arrival: &Arrival) -> Result<Value, Option<String>> {
    let Some(response) = &arrival.response else { return Err(None) };
    let json = response.json().filter(|json| json.get("success").is_some());
    match response.status {
        200..=299 => json.ok_or(None),
        // Those are sent again; an error has the status or the code.
        408 | 429 | 500..=599 | 300..=399 => Err(None),
        _ => json.ok_or(None),
    }
}

/// The code of an answer that is no success.
fn failure(json: &Value) -> Option<Option<String>> {
    if json.get("success") == Some(&Value::Bool(true)) {
        return None;
    }
    let code = code(json).filter(|code| !code.is_empty() && !SESSION.contains(&code.as_str()));
    Some(code.map(|code| code.trim_start_matches('0').to_owned()))
}

fn code(json: &Value) -> Option<String> {
    match json.get("code")? {
        Value::String(code) => Some(code.clone()),
        Value::Number(code) => Some(code.to_string()),
        _ => None,
    }
}

fn of_statement(
    last: &Arrival,
    arrivals: &[Arrival],
    endpoint: &impl Fn(&Arrival) -> Option<Endpoint>,
) -> Expected {
    let json = match body(last) {
        Err(code) => return Expected::Error(code),
        Ok(json) => json,
    };
    if let Some(code) = failure(&json) {
        return Expected::Error(code);
    }
    let data = json.get("data").cloned().unwrap_or_default();
    let mut found = data.get("rowset").and_then(row_set).unwrap_or_default();
    for chunk in data.get("chunks").and_then(Value::as_array).into_iter().flatten() {
        let url = chunk.get("url").and_then(Value::as_str).unwrap_or_default();
        let mut files = arrivals.iter().rev().filter(|it| endpoint(it) == Some(Endpoint::Chunk));
        let file = files.find(|it| url.ends_with(&it.target)).and_then(|it| it.response.as_ref());
        let read = |file: &Prepared| if file.status == 200 { rows(&file.body) } else { None };
        let Some(read) = file.and_then(read) else { return Expected::Error(None) };
        let count = chunk.get("rowCount").and_then(Value::as_u64);
        if count.is_some_and(|count| count != read.len() as u64) {
            return Expected::Error(None);
        }
        found.extend(read);
    }
    let total = data.get("total").and_then(Value::as_u64);
    if data.is_null() || total.is_some_and(|total| total != found.len() as u64) {
        return Expected::Error(None);
    }
    Expected::Success(Some(found))
}

/// What the last answer of a stage, or of the service, means for an upload.
fn of_upload(last: &Arrival) -> Expected {
    match &last.response {
        Some(response) if last.path.starts_with("/queries/") => match response.status {
            200 => of_answer(last),
            _ => Expected::Error(None),
        },
        Some(response) if (200..300).contains(&response.status) => Expected::Success(None),
        _ => Expected::Error(None),
    }
}

fn is_running(arrivals: &[Arrival]) -> bool {
    let codes = arrivals.iter().filter_map(|it| code(&it.response.as_ref()?.json()?));
    codes.into_iter().any(|code| RUNNING.contains(&code.as_str()))
}

/// A statement that is sent again keeps its id, and each attempt has one of its own.
fn of_identifiers(
    arrivals: &[Arrival],
    endpoint: &impl Fn(&Arrival) -> Option<Endpoint>,
) -> Vec<String> {
    let mut faults = Vec::new();
    let value = |arrival: &Arrival, name: &str| {
        let found = arrival.query.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let mut attempts: Vec<String> = Vec::new();
    let mut identifier: Option<String> = None;
    for arrival in arrivals {
        // A new login runs the statement anew. A stage that rejects a file is located anew.
        if matches!(endpoint(arrival), Some(Endpoint::Login | Endpoint::Upload)) {
            identifier = None;
        }
        if endpoint(arrival) != Some(Endpoint::Query) {
            continue;
        }
        let (own, attempt) = (value(arrival, "requestId"), value(arrival, "request_guid"));
        if own.is_empty() || attempt.is_empty() {
            faults.push(format!("{}: expected requestId and request_guid", arrival.target));
        }
        if identifier.as_ref().is_some_and(|it| *it != own) {
            faults.push("a statement was sent again with another requestId".to_owned());
        }
        if attempts.contains(&attempt) {
            faults.push("two attempts had one request_guid".to_owned());
        }
        attempts.push(attempt);
        identifier = Some(own);
    }
    faults
}
