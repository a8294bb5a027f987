//! Texts with holes, written as Python's `str.format` writes them, for that is how dlt's
//! configurations are written: `{incremental.start_value}`, and `{{` and `}}` for braces.

use indexmap::IndexMap;
use serde_json::Value;

use crate::fault::{Fault, Result};

/// A value of the cursor that a template can name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bound {
    /// The end of the range.
    EndValue,
    /// The value before anything was loaded.
    InitialValue,
    /// Where this run begins, with the lag taken off.
    StartValue,
}

/// What can be named between braces.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hole {
    /// `{incremental.start_value}` and its kin.
    Bound(Bound),
    /// `{resources.parent.field}`: a value of the parent's record, by its number among
    /// [`super::Parent::fields`].
    Parent(usize),
    /// `{value}`: what a conversion converts.
    Value,
}

/// A part of a template.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Piece {
    /// To be filled in.
    Hole(Hole),
    /// As it is.
    Text(String),
}

/// A text with holes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Template {
    pieces: Vec<Piece>,
}

/// A JSON value with templates for texts.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A list.
    List(Vec<Shape>),
    /// An object.
    Object(IndexMap<String, Shape>),
    /// Anything that is no text.
    Plain(Value),
    /// A text. One that is a hole and nothing else takes the value as it is, a number say.
    Text(Template),
}

impl Template {
    /// Reads a template; `resolve` says what a name between braces stands for.
    ///
    /// # Errors
    /// A config fault for a brace out of place or a name that stands for nothing.
    pub fn parse(text: &str, mut resolve: impl FnMut(&str) -> Result<Piece>) -> Result<Self> {
        let mut pieces = Vec::new();
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
                    Piece::Text(value) => literal.push_str(&value),
                    hole @ Piece::Hole(_) => {
                        if !literal.is_empty() {
                            pieces.push(Piece::Text(std::mem::take(&mut literal)));
                        }
                        pieces.push(hole);
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
            pieces.push(Piece::Text(literal));
        }
        Ok(Self { pieces })
    }

    /// The text, where it has no holes.
    pub fn plain(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The holes.
    pub fn holes(&self) -> impl Iterator<Item = Hole> + '_ {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Hole(hole) => Some(*hole),
            Piece::Text(_) => None,
        })
    }

    /// Whether it begins with a hole: what follows is told by the value then.
    pub fn begins_with_hole(&self) -> bool {
        matches!(self.pieces.first(), Some(Piece::Hole(_)))
    }

    /// The hole, where it is a hole and nothing else.
    pub fn single(&self) -> Option<Hole> {
        match self.pieces.as_slice() {
            [Piece::Hole(hole)] => Some(*hole),
            _ => None,
        }
    }

    /// The text with its holes filled in.
    ///
    /// # Errors
    /// Those of `value`.
    pub fn fill(&self, mut value: impl FnMut(Hole) -> Result<String>) -> Result<String> {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Hole(hole) => text.push_str(&value(*hole)?),
                Piece::Text(literal) => text.push_str(literal),
            }
        }
        Ok(text)
    }
}

impl Shape {
    /// Reads a JSON value; `text` reads its texts, each with the path of keys to it.
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
                        let shape = Self::parse(value, &super::parse::member(place, key), text)?;
                        Ok((key.clone(), shape))
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
            "value" => Ok(Piece::Hole(Hole::Value)),
            "owner" => Ok(Piece::Text("rust-lang".to_owned())),
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
        assert_eq!(parse("{value}").unwrap().single(), Some(Hole::Value));
        assert_eq!(parse("{value} ").unwrap().single(), None);
        assert_eq!(parse("a{{{owner}").unwrap().plain(), Some("a{rust-lang"));
    }

    #[test]
    fn refuses_stray_braces() {
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
