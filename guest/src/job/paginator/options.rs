//! Options that several paginators have.

use serde_json::{Value, json};

pub(super) use super::location::ParamLocation;
use super::page::{PageFacts, captured};
use crate::fault::{Fault, Result, excerpt};
use crate::job::parse::JobObject;
use crate::json::{Path, Segment};

/// A value by which the source declares whether there are more pages.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MorePages {
    /// The path of a value that is true or false.
    pub(crate) path: Path,
    /// The value on the last page.
    pub(crate) at_end: bool,
    /// Whether the value must be on every page.
    pub(crate) required: bool,
}

impl MorePages {
    /// Reads `has_more_path`, at which the last page has false, or `end_path`, at which it has true.
    pub(super) fn parse(object: &JobObject<'_>) -> Result<Option<Self>> {
        match (path(object, "has_more_path")?, path(object, "end_path")?) {
            (Some(_), Some(_)) => {
                Err(object.fault("expected \"has_more_path\" or \"end_path\", found both"))
            }
            (Some(path), None) => Ok(Some(Self { path, at_end: false, required: true })),
            (None, Some(path)) => Ok(Some(Self { path, at_end: true, required: true })),
            (None, None) => Ok(None),
        }
    }

    /// Returns `true` if there are more pages after this one: the value captured at `index` is true or false,
    /// or a string of it (`str2bool` in `common/utils.py`).
    fn after(&self, page: &PageFacts<'_>, index: usize) -> Result<bool> {
        let found = captured(page, index)?;
        let flag = match &found {
            Some(Value::Bool(flag)) => Some(*flag),
            Some(Value::String(text)) => match text.to_ascii_lowercase().as_str() {
                "yes" | "true" | "t" | "y" | "1" => Some(true),
                "no" | "false" | "f" | "n" | "0" => Some(false),
                _ => None,
            },
            None if !self.required => return Ok(true),
            _ => None,
        };
        flag.map(|flag| flag != self.at_end).ok_or_else(|| {
            let what = if self.at_end { "this is the last page" } else { "there is more" };
            let found = found.map_or_else(|| "nothing".to_owned(), |it| excerpt(&it.to_string()));
            Fault::source(format_args!(
                "expected true or false at {:?}, whether {what}, found {found}",
                self.path.as_str()
            ))
        })
    }
}

/// Returns `true` unless the source declares that there are no more pages.
pub(super) fn is_more(
    more: Option<&MorePages>,
    page: &PageFacts<'_>,
    index: usize,
) -> Result<bool> {
    more.map_or(Ok(true), |more| more.after(page, index))
}

/// The paths that a paginator reads: one of its own, then that of `more`.
pub(super) fn reads(own: Option<&Path>, more: Option<&MorePages>) -> Vec<Path> {
    own.into_iter().chain(more.map(|more| &more.path)).cloned().collect()
}

/// The description of a paginator, with its `has_more_path` or `end_path`.
pub(super) fn with_more(description: Value, more: Option<&MorePages>) -> Value {
    let more = match more {
        None => json!({}),
        Some(more) if more.at_end => json!({"end_path": written_path(&more.path)}),
        Some(more) => json!({"has_more_path": written_path(&more.path)}),
    };
    match (description, more) {
        (Value::Object(mut one), Value::Object(other)) => {
            one.extend(other);
            Value::Object(one)
        }
        (description, _) => description,
    }
}

/// Reads a path.
pub(super) fn path(object: &JobObject<'_>, key: &str) -> Result<Option<Path>> {
    let Some(text) = object.text(key)? else { return Ok(None) };
    Path::parse(text).map(Some).map_err(|fault| fault.at(object.place_of(key)))
}

/// A path of keys as a job writes it.
pub(super) fn written_path(path: &Path) -> String {
    let keys: Vec<&str> = path
        .segments()
        .iter()
        .filter_map(|segment| match segment {
            Segment::Key(key) => Some(key.as_str()),
            _ => None,
        })
        .collect();
    written(&keys)
}

/// A path of these keys as a job writes it.
pub(crate) fn written(keys: &[&str]) -> String {
    let mut path = String::new();
    for key in keys {
        let bare = !key.is_empty()
            && *key != "$"
            && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '@' | '$'));
        if bare {
            path.push_str(if path.is_empty() { "" } else { "." });
            path.push_str(key);
        } else {
            path.push_str("['");
            path.push_str(&key.replace('\\', "\\\\").replace('\'', "\\'"));
            path.push_str("']");
        }
    }
    path
}
