//! The parameters of an endpoint, and the placeholders that its strings may have.

use std::cell::RefCell;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::fault::{Fault, Result};
use crate::job::cursor::Cursor;
use crate::job::parent::{Parent, ParentReferences, RESOURCES};
use crate::job::parse::{JobObject, at, member, nearest, wrong_type};
use crate::job::template::{CursorBound, JsonTemplate, Placeholder, Template, TemplatePart};

/// The parameters of an endpoint as the job gives them, the cursor, and what its strings name of the parent.
pub(super) struct Params<'v> {
    place: String,
    /// The values of the query, or of the path if it names them.
    plain: IndexMap<&'v str, &'v Value>,
    /// Fields of the parent's record.
    resolved: IndexMap<&'v str, Resolved>,
    cursor: Option<Cursor>,
    parent: RefCell<ParentReferences>,
}

/// A parameter that is a field of the parent's record.
struct Resolved {
    /// Its index in [`Parent::fields`].
    field: usize,
    /// `true` if the path names the parameter.
    in_path: bool,
}

impl<'v> Params<'v> {
    /// Parses the keys `params` and `incremental` of an endpoint. `none` is the value of absent parameters.
    pub(super) fn parse(object: &JobObject<'v>, none: &'v Map<String, Value>) -> Result<Self> {
        let given = object.map("params")?.unwrap_or(none);
        let cursor = match object.get("incremental") {
            None => None,
            Some(value) => Some(Cursor::parse(value, &object.place_of("incremental"), true)?),
        };
        let mut params = Self {
            place: object.place_of("params"),
            plain: IndexMap::new(),
            resolved: IndexMap::new(),
            cursor,
            parent: RefCell::default(),
        };
        for (param, value) in given {
            params.add(param, value)?;
        }
        Ok(params)
    }

    fn add(&mut self, param: &'v str, value: &'v Value) -> Result<()> {
        let place = member(&self.place, param);
        match typed(value) {
            None => {
                self.plain.insert(param, value);
            }
            Some("incremental") if self.cursor.is_none() => {
                self.cursor = Some(Cursor::parse_param(param, value, &place)?);
            }
            Some("incremental") => {
                return Err(at(
                    &place,
                    "expected one cursor, found another in endpoint.incremental or params",
                ));
            }
            Some("resolve") => {
                let field = self.parent.borrow_mut().resolve(value, &place)?;
                self.resolved.insert(param, Resolved { field, in_path: false });
            }
            Some("") => {
                return Err(at(
                    &place,
                    "expected a string, a number, true, false, a list of those, or an object with a \
                     \"type\", found an object: where the source takes JSON, write it as a string, with \
                     doubled braces: \"{{\\\"a\\\": 1}}\"",
                ));
            }
            Some(other) => {
                return Err(at(
                    &place,
                    format_args!(
                        "expected a \"type\" of \"incremental\" or \"resolve\", found {other:?}"
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Parses the path. The parameters that it names are part of it, and no longer of the query.
    pub(super) fn path(&mut self, text: &str) -> Result<Template> {
        let mut named = Vec::new();
        let mut resolved = std::mem::take(&mut self.resolved);
        let path =
            Template::parse(text, |name| match (self.plain.get(name), resolved.get_mut(name)) {
                (_, Some(param)) => {
                    param.in_path = true;
                    Ok(TemplatePart::Placeholder(Placeholder::Parent(param.field)))
                }
                (Some(value), _) => {
                    named.push(name.to_owned());
                    Ok(TemplatePart::Text(in_path(value, &member(&self.place, name))?))
                }
                _ => self.placeholder(name),
            });
        self.plain.retain(|param, _| !named.iter().any(|name| name == param));
        self.resolved = resolved;
        path
    }

    /// Checks that the path names each field of the parent's record that is a parameter.
    pub(super) fn check_resolved(&self) -> Result<()> {
        match self.resolved.iter().find(|(_, resolved)| !resolved.in_path) {
            None => Ok(()),
            Some((param, _)) => Err(at(
                &member(&self.place, param),
                format_args!(
                    "expected {{{param}}} in the path; write {{resources.<parent>.<field>}} where a \
                     parameter of the query is meant"
                ),
            )),
        }
    }

    /// The query: the parameters that the path does not name.
    pub(super) fn query(&self) -> Result<IndexMap<String, JsonTemplate>> {
        let parse = |(param, value): (&&str, &&Value)| {
            let place = member(&self.place, param);
            check_flat(value, &place)?;
            Ok(((*param).to_owned(), self.json(value, &place)?))
        };
        self.plain.iter().map(parse).collect()
    }

    /// Parses a JSON value whose strings may have placeholders.
    pub(super) fn json(&self, value: &Value, place: &str) -> Result<JsonTemplate> {
        JsonTemplate::parse(value, place, &mut |text, place| self.template(text, place))
    }

    /// Parses a string that may have placeholders.
    pub(super) fn template(&self, text: &str, place: &str) -> Result<Template> {
        Template::parse(text, |name| self.placeholder(name)).map_err(|fault| fault.at(place))
    }

    /// The parent, if a string or a parameter names one, and the cursor.
    pub(super) fn finish(
        self,
        include: &[String],
        object: &JobObject<'_>,
    ) -> Result<(Option<Parent>, Option<Cursor>)> {
        Ok((self.parent.into_inner().finish(include, object)?, self.cursor))
    }

    fn placeholder(&self, name: &str) -> Result<TemplatePart> {
        match name.trim().strip_prefix(RESOURCES) {
            Some(reference) => self.parent.borrow_mut().placeholder(name, reference),
            None => of_cursor(name, self.cursor.is_some()),
        }
    }
}

/// The type of a parameter that is an object; `""` if it has none.
fn typed(value: &Value) -> Option<&str> {
    value.as_object().map(|map| map.get("type").and_then(Value::as_str).unwrap_or_default())
}

/// What the name of a cursor's value between braces stands for.
fn of_cursor(name: &str, has_cursor: bool) -> Result<TemplatePart> {
    let bounds = [
        ("incremental.start_value", CursorBound::Start),
        ("incremental.last_value", CursorBound::Start),
        ("incremental.initial_value", CursorBound::Initial),
        ("incremental.end_value", CursorBound::End),
    ];
    match bounds.iter().find(|(known, _)| *known == name) {
        Some((_, bound)) if has_cursor => {
            Ok(TemplatePart::Placeholder(Placeholder::Cursor(*bound)))
        }
        Some(_) => Err(Fault::config(format_args!(
            "{{{name}}} has no value: the endpoint has no \"incremental\""
        ))),
        None => {
            let hint = nearest(name, bounds.iter().map(|(known, _)| *known)).map_or_else(
                || {
                    "expected the name of a parameter (in a path), incremental.start_value or \
                     resources.<parent>.<field>; write {{ and }} for braces that are meant"
                        .to_owned()
                },
                |known| format!("did you mean {{{known}}}?"),
            );
            Err(Fault::config(format_args!("unknown placeholder {{{name}}}: {hint}")))
        }
    }
}

/// The text of a parameter that is part of the path.
fn in_path(value: &Value, place: &str) -> Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        other => Err(wrong_type("a string or a number, for it is part of the path", other, place)),
    }
}

/// Checks that a value fits into a query: no object, and no list in a list.
pub(super) fn check_flat(value: &Value, place: &str) -> Result<()> {
    let items = match value {
        Value::Array(items) => items.as_slice(),
        other => std::slice::from_ref(other),
    };
    match items.iter().find(|item| item.is_array() || item.is_object()) {
        Some(found) => {
            Err(wrong_type("a string, a number, true, false or a list of those", found, place))
        }
        None => Ok(()),
    }
}
