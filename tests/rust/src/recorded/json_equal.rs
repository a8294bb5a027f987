//! Equality of JSON documents in the sense of mappings: with extra members, in any order, with
//! placeholders.

use regex_lite::Regex;
use serde_json::Value;

/// The differences that are allowed between two documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tolerance {
    pub(crate) extra_elements: bool,
    pub(crate) array_order: bool,
}

impl Tolerance {
    /// Returns `true` if the found document matches the expected one.
    pub(crate) fn equal(self, expected: &Value, found: &Value) -> bool {
        if let Some(placeholder) = expected.as_str().and_then(Placeholder::parse) {
            return placeholder.accepts(found);
        }
        match (expected, found) {
            (Value::Object(expected), Value::Object(found)) => {
                let known = expected.iter().all(|(name, expected)| match found.get(name) {
                    Some(found) => self.equal(expected, found),
                    None => {
                        expected.as_str().and_then(Placeholder::parse)
                            == Some(Placeholder::IgnoreElement)
                    }
                });
                known && (self.extra_elements || found.keys().all(|it| expected.contains_key(it)))
            }
            (Value::Array(expected), Value::Array(found)) => self.equal_arrays(expected, found),
            (Value::Number(expected), Value::Number(found)) => {
                expected == found || expected.as_f64() == found.as_f64()
            }
            (expected, found) => expected == found,
        }
    }

    fn equal_arrays(self, expected: &[Value], found: &[Value]) -> bool {
        if expected.len() > found.len() || (expected.len() < found.len() && !self.extra_elements) {
            return false;
        }
        if !self.array_order {
            let mut pairs = expected.iter().zip(found);
            return pairs.all(|(expected, found)| self.equal(expected, found));
        }
        let mut open: Vec<&Value> = found.iter().collect();
        expected.iter().all(|expected| {
            let at = open.iter().position(|found| self.equal(expected, found));
            at.is_some_and(|at| {
                open.swap_remove(at);
                true
            })
        })
    }
}

/// A placeholder `${json-unit.name}`, which matches many values.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Placeholder {
    Ignore,
    IgnoreElement,
    AnyString,
    AnyNumber,
    AnyBoolean,
    Pattern(String),
}

impl Placeholder {
    fn parse(text: &str) -> Option<Self> {
        let inner = text.strip_prefix("${").or_else(|| text.strip_prefix("#{"))?;
        let (name, rest) = inner.strip_prefix("json-unit.")?.split_once('}')?;
        match (name, rest) {
            ("ignore", "") => Some(Self::Ignore),
            ("ignore-element", "") => Some(Self::IgnoreElement),
            ("any-string", "") => Some(Self::AnyString),
            ("any-number", "") => Some(Self::AnyNumber),
            ("any-boolean", "") => Some(Self::AnyBoolean),
            ("regex", pattern) => Some(Self::Pattern(pattern.to_owned())),
            _ => None,
        }
    }

    fn accepts(&self, found: &Value) -> bool {
        match self {
            Self::Ignore | Self::IgnoreElement => true,
            Self::AnyString => found.is_string(),
            Self::AnyNumber => found.is_number(),
            Self::AnyBoolean => found.is_boolean(),
            Self::Pattern(pattern) => found.as_str().is_some_and(|text| {
                Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|regex| regex.is_match(text))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_are_compared() {
        let check = |flags: &str, expected: Value, found: Value, equal: bool| {
            let tolerance = Tolerance {
                extra_elements: flags.contains("extra"),
                array_order: flags.contains("order"),
            };
            assert_eq!(tolerance.equal(&expected, &found), equal, "{flags}: {expected} {found}");
        };
        check("", json!({"a": 1}), json!({"a": 1}), true);
        check("", json!({"a": 1}), json!({"a": 1.0}), true);
        check("", json!({"a": 1}), json!({"a": "1"}), false);
        check("", json!({"a": 1}), json!({"a": 1, "b": 2}), false);
        check("extra", json!({"a": 1}), json!({"a": 1, "b": 2}), true);
        check("extra", json!({"a": {"b": 1}}), json!({"a": {"b": 1, "c": 2}}), true);
        check("extra", json!({"a": 1, "b": 2}), json!({"a": 1}), false);
        check("", json!([1, 2]), json!([2, 1]), false);
        check("order", json!([1, 2]), json!([2, 1]), true);
        check("order", json!([1, 1]), json!([1, 2]), false);
        check("order", json!([1]), json!([2, 1]), false);
        check("extra order", json!([1]), json!([2, 1]), true);
        check("", json!({"a": "${json-unit.ignore}"}), json!({"a": [1]}), true);
        check("", json!({"a": "${json-unit.ignore}"}), json!({}), false);
        check("", json!({"a": "${json-unit.ignore-element}"}), json!({}), true);
        check("", json!({"a": "${json-unit.any-string}"}), json!({"a": "x"}), true);
        check("", json!({"a": "#{json-unit.any-string}"}), json!({"a": 1}), false);
        check("", json!({"a": "${json-unit.any-number}"}), json!({"a": 1}), true);
        check("", json!({"a": "${json-unit.any-boolean}"}), json!({"a": 1}), false);
        check("", json!({"a": "${json-unit.regex}[a-z]+"}), json!({"a": "abc"}), true);
        check("", json!({"a": "${json-unit.regex}[a-z]+"}), json!({"a": "abc1"}), false);
        check("", json!({"a": "${other}"}), json!({"a": "${other}"}), true);
    }
}
