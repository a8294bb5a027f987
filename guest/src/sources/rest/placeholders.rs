//! The values of a request's placeholders: the bounds of the cursor's range, and fields of the parent's record.

use indexmap::IndexMap;
use serde_json::Value;

use super::parents::ParentRow;
use crate::fault::{Context as _, Fault, Result, excerpt};
use crate::job::{
    Cursor, CursorBound, CursorValue, Endpoint, JsonTemplate, Placeholder, Template, url,
};
use crate::sources::incremental::convert::{convert, plain};

/// The values of placeholders.
pub(super) struct PlaceholderValues<'a> {
    pub(super) cursor: Option<&'a Cursor>,
    pub(super) start: Option<&'a CursorValue<'a>>,
    pub(super) parent: Option<ParentRow<'a>>,
}

impl PlaceholderValues<'_> {
    /// A bound of the cursor's range, in the source's format.
    pub(super) fn bound(&self, bound: CursorBound) -> Result<Option<Value>> {
        let cursor = self.cursor;
        let value = match bound {
            CursorBound::Start => self.start,
            CursorBound::Initial => cursor.and_then(|cursor| cursor.initial_value.as_ref()),
            CursorBound::End => cursor.and_then(|cursor| cursor.end_value.as_ref()),
        };
        let Some((cursor, value)) = cursor.zip(value) else {
            return Ok(value.map(CursorValue::to_value));
        };
        convert(value, &cursor.format, cursor.convert.as_ref()).map(Some)
    }

    /// Fills the path. A value inside the path cannot begin a query or end the path; one at its
    /// start may be a complete URL. A value may have several segments (`owner/name`), but must not
    /// lead to another location than the job's: authors of values at the source must not choose
    /// what is requested.
    pub(super) fn path(&self, template: &Template) -> Result<String> {
        let mut first = template.begins_with_placeholder();
        let path = template.fill(|placeholder| {
            let whole = std::mem::take(&mut first);
            let text = self.text(placeholder)?;
            let Placeholder::Parent(_) = placeholder else { return Ok(text) };
            if text.is_empty() || leads_away(&text) {
                return Err(astray(&text));
            }
            Ok(if whole { text } else { text.replace('?', "%3F").replace('#', "%23") })
        })?;
        // Several values together may do what no single one does.
        if leads_away(&path) && !leads_away(&template.fill(|_| Ok("x".to_owned()))?) {
            return Err(astray(&path));
        }
        Ok(path)
    }

    /// The parent's record.
    fn parent_row(&self) -> Result<&ParentRow<'_>> {
        let none = || Fault::internal("a placeholder of a parent where there is none");
        self.parent.as_ref().ok_or_else(none)
    }

    pub(super) fn text(&self, placeholder: Placeholder) -> Result<String> {
        let (bound, name) = match placeholder {
            Placeholder::Parent(field) => {
                let row = self.parent_row()?;
                let raw = row.field(field)?;
                return match raw.as_bytes().first() {
                    Some(b'n' | b'[' | b'{') | None => Err(Fault::data(format_args!(
                        "expected a string or a number in the parent's record to ask with, found {}",
                        excerpt(raw)
                    ))),
                    Some(_) => row.text(field),
                };
            }
            Placeholder::Cursor(bound @ CursorBound::Start) => (bound, "initial_value"),
            Placeholder::Cursor(bound @ CursorBound::Initial) => (bound, "initial_value"),
            Placeholder::Cursor(bound @ CursorBound::End) => (bound, "end_value"),
            Placeholder::Value => {
                return Err(Fault::internal("a conversion's placeholder in a request"));
            }
        };
        match self.bound(bound)? {
            Some(value) => Ok(plain(&value)),
            None => Err(Fault::config(format_args!(
                "a placeholder of the cursor has no value: set the cursor's {name}"
            ))),
        }
    }

    /// A value with its placeholders replaced; `None` if it is a placeholder without a value.
    pub(super) fn value(&self, template: &JsonTemplate) -> Result<Option<Value>> {
        Ok(Some(match template {
            JsonTemplate::Plain(value) => value.clone(),
            JsonTemplate::Text(template) => match template.single() {
                Some(Placeholder::Cursor(bound)) => return self.bound(bound),
                Some(Placeholder::Parent(field)) => {
                    let raw = self.parent_row()?.field(field)?;
                    serde_json::from_str(raw).map_err(|error| {
                        Fault::data(format_args!("expected JSON, found {}: {error}", excerpt(raw)))
                    })?
                }
                _ => Value::String(template.fill(|placeholder| self.text(placeholder))?),
            },
            JsonTemplate::List(items) => Value::Array(
                items
                    .iter()
                    .map(|item| Ok(self.value(item)?.unwrap_or_default()))
                    .collect::<Result<_>>()?,
            ),
            JsonTemplate::Object(members) => Value::Object(
                members
                    .iter()
                    .map(|(key, member)| Ok((key.clone(), self.value(member)?.unwrap_or_default())))
                    .collect::<Result<_>>()?,
            ),
        }))
    }
}

/// Returns `true` if a path has `.` or `..` as a segment, encoded or not, and so leads to another
/// location.
fn leads_away(path: &str) -> bool {
    let plain = url::decoded(path.split(['?', '#']).next().unwrap_or_default());
    plain.split(|byte| matches!(byte, b'/' | b'\\')).any(|part| matches!(part, b"." | b".."))
}

#[cold]
fn astray(found: &str) -> Fault {
    Fault::data(format_args!(
        "expected a string without \".\" and \"..\" as parts of a path, found {:?}",
        excerpt(found)
    ))
}

/// The values of a parameter: none for null, several for a list.
pub(super) fn values(
    given: &PlaceholderValues<'_>,
    template: &JsonTemplate,
) -> Result<Vec<String>> {
    let value = match template {
        // Kept as text so that no digit of a number is lost.
        JsonTemplate::Text(text) if matches!(text.single(), Some(Placeholder::Parent(_))) => {
            return Ok(vec![text.fill(|placeholder| given.text(placeholder))?]);
        }
        _ => given.value(template)?,
    };
    Ok(match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => {
            items.iter().filter(|item| !item.is_null()).map(plain).collect()
        }
        Some(value) => vec![plain(&value)],
    })
}

/// The query: the job's parameters, and the bounds of the cursor's range.
pub(super) fn params(
    endpoint: &Endpoint,
    given: &PlaceholderValues<'_>,
) -> Result<IndexMap<String, Vec<String>>> {
    let mut params = IndexMap::new();
    for (name, template) in &endpoint.params {
        // Without a value it keeps its position in the query, because the cursor may still provide
        // one.
        let values = values(given, template).at(|| format!("endpoint.params.{name}"))?;
        params.insert(name.clone(), values);
    }
    let Some(cursor) = given.cursor else { return Ok(params) };
    for (param, bound) in
        [(&cursor.start_param, CursorBound::Start), (&cursor.end_param, CursorBound::End)]
    {
        let Some(param) = param else { continue };
        let value = given.bound(bound).at(|| format!("endpoint.params.{param}"))?;
        // A first run without an initial value requests everything.
        params.insert(param.clone(), value.iter().map(plain).collect());
    }
    Ok(params)
}
