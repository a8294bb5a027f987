//! The pattern of one value: a header, a parameter, a body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use regex_lite::Regex;
use serde_json::{Map, Value};

use super::json_equal::Tolerance;
use super::json_path::JsonPath;

/// A pattern of one value, which may be absent.
#[derive(Clone, Debug)]
pub enum ValuePattern {
    /// Any value that is present.
    Anything,
    /// No value.
    Absent,
    /// This value.
    EqualTo {
        /// The value.
        text: String,
        /// `true` if the case is ignored.
        ignore_case: bool,
    },
    /// These bytes.
    BinaryEqualTo(Vec<u8>),
    /// A value that contains this text.
    Contains(String),
    /// A value that matches an expression as a whole.
    Matches(Whole),
    /// A JSON document.
    EqualToJson(JsonPattern),
    /// A JSON document in which a path selects a value.
    JsonPath(PathPattern),
    /// Both.
    And(Vec<ValuePattern>),
    /// One of these.
    Or(Vec<ValuePattern>),
    /// Any value that does not match.
    Not(Box<ValuePattern>),
    /// A list of values of one name, each of which matches one pattern.
    HasExactly(Vec<ValuePattern>),
    /// A list of values of one name that contains these.
    Includes(Vec<ValuePattern>),
}

/// A JSON document, and the differences that are allowed.
#[derive(Clone, Debug)]
pub struct JsonPattern {
    /// The document.
    pub expected: Value,
    tolerance: Tolerance,
}

/// A path into a JSON document, and the pattern of its values.
#[derive(Clone, Debug)]
pub struct PathPattern {
    /// The path as it is written.
    pub text: String,
    /// The pattern of a selected value. `None`: any value.
    pub value: Option<Box<ValuePattern>>,
    /// An operator next to the path. It is not part of the pattern, but of the author's intention.
    pub beside: Option<Box<ValuePattern>>,
    path: JsonPath,
}

/// A regular expression for a whole text.
#[derive(Clone, Debug)]
pub struct Whole {
    /// The expression as it is written.
    pub text: String,
    regex: Regex,
}

impl Whole {
    /// Compiles an expression.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let regex = Regex::new(&format!("^(?:{text})$"))
            .map_err(|error| format!("expected a regular expression, found {text:?}: {error}"))?;
        Ok(Self { text: text.to_owned(), regex })
    }

    /// Returns `true` if the expression matches the whole text.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

/// Names of operators that are known and not supported.
const UNSUPPORTED: &[&str] =
    &["equalToXml", "matchesXPath", "matchesJsonSchema", "before", "after", "equalToDateTime"];

impl ValuePattern {
    /// Parses an object with one operator and its flags.
    pub(crate) fn parse(json: &Value) -> Result<Self, String> {
        let object = json
            .as_object()
            .ok_or_else(|| format!("expected an object with an operator, found {json}"))?;
        for (name, value) in object {
            if let Some(pattern) = Self::parse_operator(name, value, object)? {
                return Ok(pattern);
            }
        }
        Err(format!("expected a known operator, found {json}"))
    }

    fn parse_operator(
        name: &str,
        value: &Value,
        object: &Map<String, Value>,
    ) -> Result<Option<Self>, String> {
        let flag = |name: &str| {
            object.get(name).is_some_and(|it| it == &Value::Bool(true) || it == "true")
        };
        let many = || -> Result<Vec<Self>, String> {
            let items = value.as_array().ok_or_else(|| format!("{name}: expected a list"))?;
            items.iter().map(Self::parse).collect()
        };
        let text = || plain(value);
        Ok(Some(match name {
            "anything" => Self::Anything,
            "absent" => Self::Absent,
            "equalTo" => Self::EqualTo { text: text(), ignore_case: flag("caseInsensitive") },
            "binaryEqualTo" => Self::BinaryEqualTo(
                BASE64.decode(text()).map_err(|error| format!("binaryEqualTo: {error}"))?,
            ),
            "contains" => Self::Contains(text()),
            "doesNotContain" => Self::Not(Box::new(Self::Contains(text()))),
            "matches" => Self::Matches(Whole::parse(&text())?),
            "doesNotMatch" => Self::Not(Box::new(Self::Matches(Whole::parse(&text())?))),
            "equalToJson" => Self::EqualToJson(JsonPattern {
                expected: match value {
                    Value::String(text) => serde_json::from_str(text)
                        .map_err(|error| format!("equalToJson: {error}: {text}"))?,
                    value => value.clone(),
                },
                tolerance: Tolerance {
                    extra_elements: flag("ignoreExtraElements"),
                    array_order: flag("ignoreArrayOrder"),
                },
            }),
            "matchesJsonPath" => Self::JsonPath(PathPattern::parse(value, object)?),
            "and" => Self::And(many()?),
            "or" => Self::Or(many()?),
            "not" => Self::Not(Box::new(Self::parse(value)?)),
            "hasExactly" => Self::HasExactly(many()?),
            "includes" => Self::Includes(many()?),
            unsupported if UNSUPPORTED.contains(&unsupported) => {
                return Err(format!("operator {unsupported} is not supported"));
            }
            _ => return Ok(None),
        }))
    }

    /// Returns `true` if the values of one name match.
    pub(crate) fn accepts_all(&self, values: &[&str]) -> bool {
        let some = |pattern: &Self| values.iter().any(|it| pattern.accepts(Some(it.as_bytes())));
        match self {
            Self::HasExactly(patterns) => {
                patterns.len() == values.len() && patterns.iter().all(some)
            }
            Self::Includes(patterns) => patterns.iter().all(some),
            pattern if values.is_empty() => pattern.accepts(None),
            pattern => some(pattern),
        }
    }

    /// Returns `true` if the value matches.
    pub(crate) fn accepts(&self, value: Option<&[u8]>) -> bool {
        let Some(bytes) = value else {
            return match self {
                Self::Absent => true,
                Self::Not(pattern) => !pattern.accepts(None),
                Self::And(patterns) => patterns.iter().all(|it| it.accepts(None)),
                Self::Or(patterns) => patterns.iter().any(|it| it.accepts(None)),
                _ => false,
            };
        };
        let text = String::from_utf8_lossy(bytes);
        match self {
            Self::Anything => true,
            Self::Absent => false,
            Self::EqualTo { text: expected, ignore_case: true } => {
                expected.to_lowercase() == text.to_lowercase()
            }
            Self::EqualTo { text: expected, ignore_case: false } => *expected == text,
            Self::BinaryEqualTo(expected) => expected == bytes,
            Self::Contains(part) => text.contains(part.as_str()),
            Self::Matches(whole) => whole.matches(&text),
            Self::EqualToJson(json) => serde_json::from_slice(bytes)
                .is_ok_and(|found| json.tolerance.equal(&json.expected, &found)),
            Self::JsonPath(path) => path.accepts(bytes),
            Self::And(patterns) => patterns.iter().all(|it| it.accepts(value)),
            Self::Or(patterns) => patterns.iter().any(|it| it.accepts(value)),
            Self::Not(pattern) => !pattern.accepts(value),
            Self::HasExactly(_) | Self::Includes(_) => self.accepts_all(&[&text]),
        }
    }
}

impl PathPattern {
    /// A path alone, or an object with `expression` and an operator.
    fn parse(json: &Value, object: &Map<String, Value>) -> Result<Self, String> {
        let (text, value) = match json {
            Value::String(text) => (text, None),
            json => {
                let text = json.get("expression").and_then(Value::as_str).ok_or_else(|| {
                    format!("matchesJsonPath: expected a path or an expression, found {json}")
                })?;
                (&text.to_owned(), Some(Box::new(ValuePattern::parse(json)?)))
            }
        };
        let others = object.iter().filter(|(name, _)| *name != "matchesJsonPath");
        let others = Value::Object(others.map(|(name, it)| (name.clone(), it.clone())).collect());
        let beside = ValuePattern::parse(&others).ok().map(Box::new);
        Ok(Self { text: text.clone(), value, beside, path: JsonPath::parse(text)? })
    }

    fn accepts(&self, bytes: &[u8]) -> bool {
        let Ok(document) = serde_json::from_slice::<Value>(bytes) else { return false };
        let mut found = self.path.select(&document);
        // A definite path to null selects nothing.
        found.retain(|value| self.path.is_indefinite() || !value.is_null());
        let Some(pattern) = &self.value else {
            return match found.as_slice() {
                [Value::Array(items)] => !items.is_empty(),
                [Value::Object(members)] => !members.is_empty(),
                found => !found.is_empty(),
            };
        };
        if found.is_empty() {
            return pattern.accepts(None);
        }
        found.iter().any(|value| pattern.accepts(Some(plain(value).as_bytes())))
    }
}

/// A string unchanged, any other value as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_accepted() {
        let check = |pattern: Value, value: Option<&str>, expect: bool| {
            let parsed = ValuePattern::parse(&pattern).unwrap();
            assert_eq!(parsed.accepts(value.map(str::as_bytes)), expect, "{pattern} {value:?}");
        };
        check(json!({"equalTo": "a"}), Some("a"), true);
        check(json!({"equalTo": "a"}), Some("A"), false);
        check(json!({"equalTo": "a", "caseInsensitive": true}), Some("A"), true);
        check(json!({"equalTo": 3}), Some("3"), true);
        check(json!({"equalTo": "a"}), None, false);
        check(json!({"absent": true}), None, true);
        check(json!({"absent": "(absent)"}), Some(""), false);
        check(json!({"contains": "b"}), Some("abc"), true);
        check(json!({"doesNotContain": "b"}), Some("abc"), false);
        check(json!({"doesNotContain": "b"}), None, true);
        check(json!({"matches": "a.c"}), Some("abc"), true);
        check(json!({"matches": "b"}), Some("abc"), false);
        check(json!({"matches": "a|b"}), Some("ab"), false);
        check(json!({"doesNotMatch": ".*b.*"}), Some("abc"), false);
        check(json!({"binaryEqualTo": "YWI="}), Some("ab"), true);
        check(json!({"equalToJson": "{\"a\": 1}"}), Some("{\"a\":1}"), true);
        check(json!({"equalToJson": {"a": 1}}), Some("{\"a\":1,\"b\":2}"), false);
        check(json!({"equalToJson": {"a": 1}, "ignoreExtraElements": true}), Some("{"), false);
        check(
            json!({"equalToJson": {"a": 1}, "ignoreExtraElements": true}),
            Some("{\"a\":1,\"b\":2}"),
            true,
        );
        check(json!({"matchesJsonPath": "$.a.b"}), Some("{\"a\":{\"b\":1}}"), true);
        check(json!({"matchesJsonPath": "$.a.b"}), Some("{\"a\":{\"b\":null}}"), false);
        check(json!({"matchesJsonPath": "$.a"}), Some("{\"a\":[]}"), false);
        check(json!({"matchesJsonPath": "$.a"}), Some("no JSON"), false);
        let inner = |operator: &str, value: &str| json!({"matchesJsonPath": {"expression": "$.a", operator: value}});
        check(inner("equalTo", "x"), Some("{\"a\":\"x\"}"), true);
        check(inner("contains", "y"), Some("{\"a\":\"x\"}"), false);
        check(inner("absent", "(absent)"), Some("{\"b\":1}"), true);
        check(inner("absent", "(absent)"), Some("{\"a\":1}"), false);
        // The path is used; the operator next to it is not part of it.
        let beside = json!({"matchesJsonPath": "$.a", "equalToJson": "\"y\""});
        check(beside, Some("{\"a\":\"x\"}"), true);
        let both = |second: &str| json!({"and": [{"contains": "a"}, {"contains": second}]});
        check(both("b"), Some("ab"), true);
        check(both("c"), Some("ab"), false);
        check(json!({"or": [{"absent": true}, {"equalTo": "a"}]}), None, true);
        check(json!({"not": {"equalTo": "a"}}), Some("b"), true);
    }

    #[test]
    fn lists_of_values_are_accepted() {
        let check = |pattern: Value, values: &[&str], expect: bool| {
            let parsed = ValuePattern::parse(&pattern).unwrap();
            assert_eq!(parsed.accepts_all(values), expect, "{pattern} {values:?}");
        };
        check(json!({"equalTo": "b"}), &["a", "b"], true);
        check(json!({"absent": true}), &[], true);
        check(json!({"absent": true}), &["a"], false);
        check(json!({"hasExactly": [{"equalTo": "a"}]}), &["a", "b"], false);
        check(json!({"includes": [{"equalTo": "a"}]}), &["a", "b"], true);
    }

    #[test]
    fn unsupported_patterns_are_errors() {
        let check = |pattern: Value, expect: &str| {
            let error = ValuePattern::parse(&pattern).unwrap_err();
            assert!(error.contains(expect), "{pattern}: {error}");
        };
        check(json!({"equalToXml": "<a/>"}), "operator equalToXml is not supported");
        check(json!({"caseInsensitive": true}), "expected a known operator");
        check(json!("a"), "expected an object");
        check(json!({"matches": "a(?!b)"}), "expected a regular expression");
        check(json!({"matchesJsonPath": {"equalTo": "a"}}), "expected a path or an expression");
    }
}
