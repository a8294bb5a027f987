//! Responses with status 200 that are failures: errors, and pages with records at another location.

use serde_json::Value;

use super::outline::ResponseOutline;
use crate::fault::{Fault, Result, excerpt};
use crate::json::Path;

/// The reason why a page without an error has nothing at the selector.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Empty {
    /// A list on the path to the records has no elements.
    List,
    /// Its keys do not lead to the records: many sources omit an empty list.
    Missing,
}

/// Checks that a response with nothing at the selector can be a page without records. A response
/// that reports an error, or has records at another location, cannot.
///
/// # Errors
/// A source fault that names what was found instead, or if the response is not JSON.
pub(crate) fn check_empty(selector: &Path, body: &str) -> Result<Empty> {
    let outline = ResponseOutline::read(body)?;
    if outline.is_emptied(selector) {
        return Ok(Empty::List);
    }
    let members = match &outline {
        ResponseOutline::Object(members) => members,
        ResponseOutline::List(_) => return Err(elsewhere(selector, "that is a list")),
        ResponseOutline::Scalar(_) => return Err(elsewhere(selector, "that is no object")),
    };
    let suspect = members.iter().any(|(key, value)| {
        let key = key.to_lowercase();
        let telling =
            key.contains("error") || matches!(key.as_str(), "message" | "detail" | "fault");
        matches!(value, ResponseOutline::List(list) if list.length > 0)
            || (telling && value.says_something())
            || is_refusal(&key, value)
    });
    if !suspect {
        return Ok(Empty::Missing);
    }
    let keys = members.iter().take(20).map(|(key, _)| key.as_str()).collect::<Vec<_>>().join(", ");
    Err(elsewhere(selector, &format!("with the keys {keys}: {}", excerpt(body))))
}

#[cold]
fn elsewhere(selector: &Path, found: &str) -> Fault {
    Fault::source(format_args!("expected records at {selector}, found a page {found}"))
}

/// Checks a response without a list of records, or with an empty one, for a reported error.
///
/// # Errors
/// A source fault that names the sign of the error.
pub(super) fn check_failure(outline: &ResponseOutline, body: &str) -> Result<()> {
    let Some(sign) = failure(outline.members()) else { return Ok(()) };
    Err(Fault::source(format_args!(
        "expected records, found an answer that says it failed, for {sign}: {} (where this is a record, \
         say \"data_selector\": \"$\")",
        excerpt(body)
    )))
}

/// Checks a response with an empty list of records for a reported error.
///
/// # Errors
/// A source fault that names the sign of the error, or if the response is not JSON.
pub(crate) fn check_silence(body: &str) -> Result<()> {
    // Most such pages are short.
    check_failure(&ResponseOutline::read(body)?, body)
}

/// Keys that only report an error.
const TELLING: &[&str] = &[
    "code",
    "detail",
    "details",
    "documentation_url",
    "errno",
    "id",
    "instance",
    "jsonrpc",
    "message",
    "messages",
    "msg",
    "ok",
    "path",
    "reason",
    "request_id",
    "requestid",
    "response_metadata",
    "result",
    "status",
    "success",
    "timestamp",
    "title",
    "trace_id",
    "traceid",
    "type",
    "warning",
    "warnings",
];

/// The sign by which a response reports an error, if it does:
/// * `ok` or `success` is false, or `status` is `error` or `fail`;
/// * a key with `error` in its name has a value, and `data` is missing or null;
/// * it has a `message` (`detail`, `fault`), and only such keys.
///
/// A response with an `id` may be a record: it reports an error only if it has only such keys.
fn failure(members: &[(String, ResponseOutline)]) -> Option<String> {
    let lower = |key: &str| key.to_ascii_lowercase();
    let has = |name: &str| members.iter().any(|(key, _)| lower(key) == name);
    let only_telling = members.iter().all(|(key, value)| {
        let key = lower(key);
        TELLING.contains(&key.as_str()) || is_error(&key) || !value.says_something()
    });
    if has("id") && !only_telling {
        return None;
    }
    if let Some((key, value)) = members.iter().find(|(key, value)| is_refusal(&lower(key), value)) {
        let value = match value {
            ResponseOutline::Scalar(value) => value.to_string(),
            ResponseOutline::List(_) | ResponseOutline::Object(_) => String::new(),
        };
        return Some(format!("{key:?} is {value}"));
    }
    let data = members.iter().any(|(key, value)| {
        lower(key) == "data" && !matches!(value, ResponseOutline::Scalar(Value::Null))
    });
    let says = |found: &dyn Fn(&str) -> bool| {
        let mut said =
            members.iter().filter(|(key, value)| found(&lower(key)) && value.says_something());
        said.next().map(|(key, _)| format!("it has {key:?}"))
    };
    if !data && let Some(sign) = says(&is_error) {
        return Some(sign);
    }
    if !only_telling || has("id") {
        return None;
    }
    says(&|key| matches!(key, "message" | "detail" | "fault"))
}

fn is_error(key: &str) -> bool {
    key.contains("error")
}

/// Returns `true` if a member reports that a request was not fulfilled.
fn is_refusal(key: &str, value: &ResponseOutline) -> bool {
    match (key, value) {
        ("ok" | "success", ResponseOutline::Scalar(Value::Bool(false))) => true,
        ("status", ResponseOutline::Scalar(Value::String(word))) => {
            matches!(word.to_ascii_lowercase().as_str(), "error" | "fail" | "failure")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_pages_are_distinguished_from_wrong_ones() {
        let check = |path: &str, body: &str, expect: Result<Empty, &str>| {
            let found = check_empty(&Path::parse(path).unwrap(), body);
            let found = found.map_err(|fault| fault.to_string());
            assert_eq!(
                found.as_ref().map_err(String::as_str),
                expect.as_ref().map_err(|it| *it),
                "{body}"
            );
        };
        for body in [
            "{}",
            "{\"kind\":\"x#list\",\"etag\":1,\"errors\":[],\"error\":null,\"message\":\"\",\"ok\":true}",
            "{\"total\":0,\"meta\":{\"next\":null,\"tags\":[1]}}",
        ] {
            check("items", body, Ok(Empty::Missing));
        }
        check("[*].customer", "[]", Ok(Empty::List));
        check("data[*].rows", "{\"data\":[],\"total\":0}", Ok(Empty::List));
        let expected = "expected records at items, found a page ";
        check("items", "[]", Err(&format!("{expected}that is a list")));
        check("items", "7", Err(&format!("{expected}that is no object")));
        for (body, keys) in [
            (r#"{"values":[1],"total":1}"#, "values, total"),
            (r#"{"errorMessages":["no"],"errors":{}}"#, "errorMessages, errors"),
            (r#"{"error":{"code":7}}"#, "error"),
            (r#"{"message":"Not Found"}"#, "message"),
            (r#"{"ok":false}"#, "ok"),
            (r#"{"status":"error"}"#, "status"),
        ] {
            check("items", body, Err(&format!("{expected}with the keys {keys}: {body}")));
        }
    }

    #[test]
    fn reported_errors_are_recognized() {
        let check = |body: &str, sign: Option<&str>| {
            let outline = ResponseOutline::read(body).unwrap();
            assert_eq!(failure(outline.members()).as_deref(), sign, "{body}");
        };
        check(r#"{"ok":false,"error":"invalid_auth"}"#, Some("\"ok\" is false"));
        check(r#"{"success":false,"users":[]}"#, Some("\"success\" is false"));
        check(r#"{"status":"error","users":null}"#, Some("\"status\" is \"error\""));
        check(r#"{"errors":[{"message":"no"}]}"#, Some("it has \"errors\""));
        check(r#"{"errors":[{"message":"no"}],"data":null}"#, Some("it has \"errors\""));
        check(r#"{"error":{"code":7,"message":"no"}}"#, Some("it has \"error\""));
        check(r#"{"errorMessage":"no"}"#, Some("it has \"errorMessage\""));
        check(r#"{"message":"limit","documentation_url":"/x"}"#, Some("it has \"message\""));
        check(r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1}}"#, Some("it has \"error\""));
        // Records, and answers that are well.
        check(r#"{"id":7,"name":"launch","success":false}"#, None);
        check(r#"{"id":7,"state":"failed","error":"boom"}"#, None);
        check(r#"{"id":7,"message":"hello"}"#, None);
        check(r#"{"message":"hello","author":"x"}"#, None);
        check(r#"{"data":{"users":[]},"errors":[1]}"#, None);
        check(r#"{"ok":true,"error":null,"errors":[],"users":[]}"#, None);
        check(r#"{"status":"ok"}"#, None);
        check("[]", None);
        check("{}", None);
    }
}
