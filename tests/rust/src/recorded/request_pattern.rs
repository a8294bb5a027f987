//! The requests that a mapping matches.

use serde_json::{Map, Value};

use super::value_pattern::{ValuePattern, Whole};
use crate::fakes::http::Request;

/// The requests that a mapping matches.
#[derive(Clone, Debug)]
pub struct RequestPattern {
    /// The method. `None`: any.
    pub method: Option<String>,
    /// The address.
    pub address: AddressPattern,
    /// Headers by name.
    pub headers: Vec<(String, ValuePattern)>,
    /// Parameters of the query by name.
    pub query: Vec<(String, ValuePattern)>,
    /// Fields of a form by name.
    pub form: Vec<(String, ValuePattern)>,
    /// Cookies by name.
    pub cookies: Vec<(String, ValuePattern)>,
    /// The body; all of these patterns must match.
    pub body: Vec<ValuePattern>,
}

/// The addresses that a mapping matches.
#[derive(Clone, Debug)]
pub enum AddressPattern {
    /// Any address.
    Any,
    /// The path and the query.
    Url(String),
    /// An expression for the path and the query.
    UrlPattern(Whole),
    /// The path.
    Path(String),
    /// An expression for the path.
    PathPattern(Whole),
}

impl RequestPattern {
    /// Parses the `request` of a mapping.
    pub(crate) fn parse(json: &Value) -> Result<Self, String> {
        let empty = Map::new();
        let object = json.as_object().unwrap_or(&empty);
        let mut pattern = Self {
            method: None,
            address: AddressPattern::Any,
            headers: Vec::new(),
            query: Vec::new(),
            form: Vec::new(),
            cookies: Vec::new(),
            body: Vec::new(),
        };
        for (name, value) in object {
            let text = || {
                let text = value.as_str().map(str::to_owned);
                text.ok_or_else(|| format!("{name}: expected a string, found {value}"))
            };
            match name.as_str() {
                "method" => pattern.method = Some(text()?).filter(|method| method != "ANY"),
                "url" => pattern.address = AddressPattern::Url(text()?),
                "urlPath" => pattern.address = AddressPattern::Path(text()?),
                "urlPattern" => {
                    pattern.address = AddressPattern::UrlPattern(Whole::parse(&text()?)?)
                }
                "urlPathPattern" => {
                    pattern.address = AddressPattern::PathPattern(Whole::parse(&text()?)?);
                }
                "urlPathTemplate" => {
                    pattern.address = AddressPattern::PathPattern(template(&text()?)?);
                }
                "headers" => pattern.headers = named(name, value)?,
                "queryParameters" => pattern.query = named(name, value)?,
                "formParameters" => pattern.form = named(name, value)?,
                "cookies" => pattern.cookies = named(name, value)?,
                "basicAuthCredentials" => pattern.headers.push(basic(value)?),
                "bodyPatterns" => pattern.body = body(value)?,
                // All requests have the same scheme, port and host.
                "scheme" | "host" | "port" | "clientIp" => {}
                name => return Err(format!("request.{name} is not supported")),
            }
        }
        Ok(pattern)
    }

    /// Returns `true` if the request matches.
    pub(crate) fn accepts(&self, request: &Request) -> bool {
        self.method.as_ref().is_none_or(|method| *method == request.method)
            && self.address.accepts(request)
            && self.headers.iter().all(|(name, pattern)| {
                pattern.accepts_all(&request.headers_named(&name.to_ascii_lowercase()))
            })
            && all(&self.query, &request.query)
            && (self.form.is_empty() || all(&self.form, &request.form()))
            && (self.cookies.is_empty() || all(&self.cookies, &request.cookies()))
            && self.body.iter().all(|pattern| pattern.accepts(Some(&request.body)))
    }
}

impl AddressPattern {
    /// Returns `true` if the address matches.
    fn accepts(&self, request: &Request) -> bool {
        match self {
            Self::Any => true,
            Self::Url(url) => *url == request.target,
            Self::UrlPattern(pattern) => pattern.matches(&request.target),
            Self::Path(path) => *path == request.path,
            Self::PathPattern(pattern) => pattern.matches(&request.path),
        }
    }

    /// An address that matches, to which a client can be sent. Empty for any.
    pub fn example(&self) -> String {
        match self {
            Self::Any => String::new(),
            Self::Url(text) | Self::Path(text) => text.clone(),
            Self::UrlPattern(whole) | Self::PathPattern(whole) => example(&whole.text),
        }
    }
}

/// A text that matches a simple expression: literals, `.` and quantifiers.
pub fn example(pattern: &str) -> String {
    let mut text = String::new();
    let mut characters = pattern.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\\' => text.extend(characters.next()),
            '.' if matches!(characters.peek(), Some('*' | '+')) => text.push('x'),
            '.' => text.push('x'),
            '*' | '+' | '?' | '^' | '$' | '(' | ')' => {}
            c => text.push(c),
        }
    }
    text
}

/// Patterns by name; a list has one pattern for each value.
fn named(key: &str, json: &Value) -> Result<Vec<(String, ValuePattern)>, String> {
    let object = json.as_object().ok_or_else(|| format!("{key}: expected an object"))?;
    let parse = |(name, value): (&String, &Value)| {
        let pattern =
            ValuePattern::parse(value).map_err(|error| format!("{key}.{name}: {error}"))?;
        Ok((name.clone(), pattern))
    };
    object.iter().map(parse).collect()
}

fn body(json: &Value) -> Result<Vec<ValuePattern>, String> {
    let items = json.as_array().ok_or("bodyPatterns: expected a list")?;
    let parse = |item| ValuePattern::parse(item).map_err(|error| format!("bodyPatterns: {error}"));
    items.iter().map(parse).collect()
}

fn basic(json: &Value) -> Result<(String, ValuePattern), String> {
    use base64::Engine as _;
    let part = |name: &str| {
        let text = json.get(name).and_then(Value::as_str);
        text.ok_or_else(|| format!("basicAuthCredentials.{name}: expected a string"))
    };
    let pair = format!("{}:{}", part("username")?, part("password")?);
    let pair = base64::engine::general_purpose::STANDARD.encode(pair);
    let pattern = ValuePattern::EqualTo { text: format!("Basic {pair}"), ignore_case: false };
    Ok(("authorization".to_owned(), pattern))
}

/// `/a/{name}/b` as an expression.
fn template(text: &str) -> Result<Whole, String> {
    let segments = text.split('/').map(|segment| {
        if segment.starts_with('{') && segment.ends_with('}') {
            "[^/]+".to_owned()
        } else {
            regex_lite::escape(segment)
        }
    });
    Whole::parse(&segments.collect::<Vec<_>>().join("/"))
}

/// Returns `true` if each named pattern matches the values of its name.
fn all(patterns: &[(String, ValuePattern)], values: &[(String, String)]) -> bool {
    patterns.iter().all(|(name, pattern)| {
        let found: Vec<&str> = values
            .iter()
            .filter(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
            .collect();
        pattern.accepts_all(&found)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Request {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Request::new(method, target, headers.iter().map(own).collect(), body.into())
    }

    #[test]
    fn requests_are_matched() {
        let request = request(
            "POST",
            "/a/b?x=1&y=two%20words&x=3",
            &[("authorization", "Basic dTpw"), ("cookie", "c=1; d=2"), ("x-a", "1")],
            "grant_type=refresh_token&scope=a+b",
        );
        let check = |pattern: Value, expect: bool| {
            let parsed = RequestPattern::parse(&pattern).unwrap();
            assert_eq!(parsed.accepts(&request), expect, "{pattern}");
        };
        check(json!({}), true);
        check(json!({"method": "POST"}), true);
        check(json!({"method": "ANY"}), true);
        check(json!({"method": "GET"}), false);
        check(json!({"url": "/a/b?x=1&y=two%20words&x=3"}), true);
        check(json!({"url": "/a/b"}), false);
        check(json!({"urlPattern": "/a/b\\?x.*"}), true);
        check(json!({"urlPattern": "/a/b"}), false);
        check(json!({"urlPath": "/a/b"}), true);
        check(json!({"urlPathPattern": "/a/.*"}), true);
        check(json!({"urlPathPattern": "/a"}), false);
        check(json!({"urlPathPattern": "/a/bc*"}), true);
        check(json!({"urlPathTemplate": "/a/{id}"}), true);
        check(json!({"urlPathTemplate": "/{id}"}), false);
        check(json!({"queryParameters": {"y": {"equalTo": "two words"}}}), true);
        check(json!({"queryParameters": {"x": {"equalTo": "3"}}}), true);
        check(json!({"queryParameters": {"z": {"absent": true}}}), true);
        check(json!({"queryParameters": {"z": {"matches": ".*"}}}), false);
        check(json!({"headers": {"X-A": {"equalTo": "1"}}}), true);
        check(json!({"headers": {"X-B": {"equalTo": "1"}}}), false);
        check(json!({"cookies": {"d": {"equalTo": "2"}}}), true);
        check(json!({"basicAuthCredentials": {"username": "u", "password": "p"}}), true);
        check(json!({"basicAuthCredentials": {"username": "u", "password": "q"}}), false);
        check(json!({"formParameters": {"scope": {"equalTo": "a b"}}}), true);
        check(json!({"formParameters": {"scope": {"equalTo": "a"}}}), false);
        check(json!({"bodyPatterns": [{"contains": "refresh"}, {"contains": "scope"}]}), true);
        check(json!({"bodyPatterns": [{"contains": "refresh"}, {"contains": "other"}]}), false);
    }

    #[test]
    fn unsupported_patterns_are_errors() {
        let check = |pattern: Value, expect: &str| {
            let error = RequestPattern::parse(&pattern).unwrap_err();
            assert!(error.contains(expect), "{pattern}: {error}");
        };
        check(json!({"customMatcher": {}}), "request.customMatcher is not supported");
        check(json!({"url": 1}), "url: expected a string");
        check(json!({"urlPattern": "("}), "expected a regular expression");
        check(json!({"headers": {"A": {"equalToXml": ""}}}), "headers.A: operator equalToXml");
    }

    #[test]
    fn an_example_is_accepted() {
        let check = |key: &str, pattern: &str, expect: &str| {
            let parsed = RequestPattern::parse(&json!({key: pattern})).unwrap();
            assert_eq!(parsed.address.example(), expect);
            assert!(parsed.accepts(&request("GET", expect, &[], "")), "{pattern}");
        };
        check("url", "/a?b=c", "/a?b=c");
        check("urlPathPattern", "/queries/.*/result.*", "/queries/x/resultx");
        check("urlPathPattern", "/queries/12-3/result*", "/queries/12-3/result");
    }
}
