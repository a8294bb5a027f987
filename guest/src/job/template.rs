//! Strings with placeholders in the notation of Python's `str.format`, which dlt's configurations
//! have: `{incremental.start_value}`, and `{{` and `}}` for braces.

use indexmap::IndexMap;
use serde_json::Value;

use crate::fault::{Fault, Result};

/// A value of the cursor that a placeholder can name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum CursorBound {
    /// The end of the range.
    End,
    /// The initial value that the job gives.
    Initial,
    /// The start of this run's range, minus the lag.
    Start,
}

/// The meaning of a name between braces.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Placeholder {
    /// `{incremental.start_value}`, `{incremental.initial_value}`, `{incremental.end_value}`.
    Cursor(CursorBound),
    /// `{resources.parent.field}`: a value of the parent's record, by its index in
    /// [`super::Parent::fields`].
    Parent(usize),
    /// `{value}`: the value that a conversion converts.
    Value,
}

/// A part of a template.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum TemplatePart {
    /// A placeholder, to be replaced by a value.
    Placeholder(Placeholder),
    /// Literal text.
    Text(String),
}

/// A string with placeholders.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Template {
    parts: Vec<TemplatePart>,
}

/// A JSON value whose strings are templates.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum JsonTemplate {
    /// A list.
    List(Vec<JsonTemplate>),
    /// An object.
    Object(IndexMap<String, JsonTemplate>),
    /// Any other value.
    Plain(Value),
    /// A string. One that is a placeholder alone becomes the value itself, for example a number.
    Text(Template),
}

impl Template {
    /// Parses a template; `resolve` returns what a name between braces stands for.
    ///
    /// # Errors
    /// A config fault for an unpaired brace; the faults of `resolve`.
    pub(crate) fn parse(
        text: &str,
        mut resolve: impl FnMut(&str) -> Result<TemplatePart>,
    ) -> Result<Self> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, after) = rest.split_at(at);
            literal.push_str(before);
            if let Some(next) = after.strip_prefix("{{") {
                literal.push('{');
                rest = next;
            } else if let Some(next) = after.strip_prefix("}}") {
                literal.push('}');
                rest = next;
            } else if let Some((name, next)) =
                after.strip_prefix('{').and_then(|n| n.split_once('}'))
            {
                match resolve(name)? {
                    TemplatePart::Text(value) => literal.push_str(&value),
                    placeholder @ TemplatePart::Placeholder(_) => {
                        if !literal.is_empty() {
                            parts.push(TemplatePart::Text(std::mem::take(&mut literal)));
                        }
                        parts.push(placeholder);
                    }
                }
                rest = next;
            } else {
                return Err(Fault::config(format_args!(
                    "expected braces in pairs, found {text:?}: write {{{{ and }}}} for braces that \
                     are meant"
                )));
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(TemplatePart::Text(literal));
        }
        Ok(Self { parts })
    }

    /// The text, if it has no placeholders.
    #[cfg(test)]
    pub(crate) fn plain(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [TemplatePart::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Returns `true` if it begins with a placeholder.
    pub(crate) fn begins_with_placeholder(&self) -> bool {
        matches!(self.parts.first(), Some(TemplatePart::Placeholder(_)))
    }

    /// The placeholder, if the template is one and nothing else.
    pub(crate) fn single(&self) -> Option<Placeholder> {
        match self.parts.as_slice() {
            [TemplatePart::Placeholder(placeholder)] => Some(*placeholder),
            _ => None,
        }
    }

    /// The text with `value` in place of each placeholder.
    ///
    /// # Errors
    /// The faults of `value`.
    pub(crate) fn fill(
        &self,
        mut value: impl FnMut(Placeholder) -> Result<String>,
    ) -> Result<String> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                TemplatePart::Placeholder(placeholder) => text.push_str(&value(*placeholder)?),
                TemplatePart::Text(literal) => text.push_str(literal),
            }
        }
        Ok(text)
    }
}

impl JsonTemplate {
    /// Parses a JSON value; `text` parses its strings, each with its path.
    pub(super) fn parse(
        value: &Value,
        place: &str,
        text: &mut impl FnMut(&str, &str) -> Result<Template>,
    ) -> Result<Self> {
        Ok(match value {
            Value::String(content) => Self::Text(text(content, place)?),
            Value::Array(items) => Self::List(
                items
                    .iter()
                    .enumerate()
                    .map(|(n, item)| Self::parse(item, &super::parse::element(place, n), text))
                    .collect::<Result<_>>()?,
            ),
            Value::Object(map) => Self::Object(
                map.iter()
                    .map(|(key, value)| {
                        let template = Self::parse(value, &super::parse::member(place, key), text)?;
                        Ok((key.clone(), template))
                    })
                    .collect::<Result<_>>()?,
            ),
            other => Self::Plain(other.clone()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Template> {
        Template::parse(text, |name| match name {
            "value" => Ok(TemplatePart::Placeholder(Placeholder::Value)),
            "owner" => Ok(TemplatePart::Text("rust-lang".to_owned())),
            other => Err(Fault::config(format_args!("no {other}"))),
        })
    }

    #[test]
    fn fills_holes() {
        let check = |text: &str, filled: &str| {
            let template = parse(text).unwrap();
            assert_eq!(template.fill(|_| Ok("42".to_owned())).unwrap(), filled, "{text}");
        };
        check("", "");
        check("abc", "abc");
        check("{value}", "42");
        check("a {value} b {value}", "a 42 b 42");
        check("repos/{owner}/x", "repos/rust-lang/x");
        check("{{value}}", "{value}");
        check("{{{value}}}", "{42}");
        check("updated >= \"{value}\"", "updated >= \"42\"");
        assert_eq!(parse("{value}").unwrap().single(), Some(Placeholder::Value));
        assert_eq!(parse("{value} ").unwrap().single(), None);
        assert_eq!(parse("a{{{owner}").unwrap().plain(), Some("a{rust-lang"));
    }

    #[test]
    fn rejects_stray_braces() {
        for text in ["{", "}", "a { b", "a } b", "{value"] {
            let message = parse(text).unwrap_err().to_string();
            let expected = format!(
                "expected braces in pairs, found {text:?}: write {{{{ and }}}} for braces that are \
                 meant"
            );
            assert_eq!(message, expected);
        }
        assert_eq!(parse("{x}").unwrap_err().to_string(), "no x");
    }
}
