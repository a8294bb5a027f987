//! Expressions in responses: parts of the request.

use serde_json::Value;

use super::json_path::JsonPath;
use crate::fakes::http::Request;

/// Replaces each `{{expression}}`; an unknown one is replaced by an empty text.
pub(crate) fn rendered(text: &str, request: &Request) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((expression, after)) = after.split_once("}}") else { break };
        out.push_str(before);
        out.push_str(&value(expression.trim_matches(['{', '}', ' ']), request));
        rest = after.strip_prefix('}').unwrap_or(after);
    }
    out.push_str(rest);
    out
}

fn value(expression: &str, request: &Request) -> String {
    let body = || String::from_utf8_lossy(&request.body).into_owned();
    if let Some(arguments) = expression.strip_prefix("jsonPath ") {
        let path = arguments.trim().strip_prefix("request.body").unwrap_or(arguments);
        return selected(path.trim().trim_matches(['\'', '"']), &request.body);
    }
    let Some(part) = expression.strip_prefix("request.") else { return String::new() };
    match part.split_once('.').unwrap_or((part, "")) {
        ("url", _) => request.target.clone(),
        ("path", "") => request.path.clone(),
        ("path" | "pathSegments", index) => {
            let index = index.trim_matches(['[', ']']).parse::<usize>().ok();
            let segment = index.and_then(|it| request.path.split('/').nth(it + 1));
            segment.unwrap_or_default().to_owned()
        }
        ("query", name) => request.parameter(name).unwrap_or_default().to_owned(),
        ("headers", name) => {
            request.header(&name.to_ascii_lowercase()).unwrap_or_default().to_owned()
        }
        ("method", _) => request.method.clone(),
        ("body", _) => body(),
        _ => String::new(),
    }
}

fn selected(path: &str, body: &[u8]) -> String {
    let document = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let found = JsonPath::parse(path).map(|path| path.select(&document)).unwrap_or_default();
    match found.first() {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_replaced() {
        let headers = vec![("x-a".to_owned(), "1".to_owned())];
        let request = Request::new("POST", "/a/b?c=d", headers, br#"{"e": {"f": "g"}}"#.to_vec());
        let check = |text: &str, expect: &str| assert_eq!(rendered(text, &request), expect);
        check("plain", "plain");
        check("{{request.method}} {{ request.url }}", "POST /a/b?c=d");
        check("{{request.path}} {{request.pathSegments.[1]}}", "/a/b b");
        check("{{request.query.c}}{{request.headers.X-A}}", "d1");
        check("[{{jsonPath request.body '$.e.f'}}]", "[g]");
        check("{{{request.body}}}", r#"{"e": {"f": "g"}}"#);
        check("{{other}}", "");
        check("{{open", "{{open");
    }
}
