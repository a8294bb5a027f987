//! The placeholders of a job: `{{name}}` within a string of its JSON, which a setting replaces.
//!
//! The procedure's host applies the same rule (`filled` in `snowcat_job.py`);
//! `tests/data/placeholders.json` tests both.

use std::str::FromStr;

use serde_json::Value;

/// A value for a placeholder: `NAME=VALUE`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Setting {
    name: String,
    value: String,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                Ok(Self { name: name.to_owned(), value: value.to_owned() })
            }
            _ => Err(format!("expected NAME=VALUE, found {text:?}")),
        }
    }
}

/// A placeholder of a job without a setting.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Missing<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// The position of its string in bytes.
    pub(super) at: usize,
}

impl std::fmt::Display for Missing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the setting '{}' is missing", self.name)
    }
}

/// A job's text with all of its placeholders replaced.
///
/// # Errors
/// If a setting has no placeholder, or a placeholder no setting.
pub(super) fn filled(text: &str, settings: &[Setting]) -> Result<String, String> {
    all_are_known(&[text], settings)?;
    match missing(text, settings).first() {
        Some(missing) => Err(missing.to_string()),
        None => Ok(filled_as_given(text, settings)),
    }
}

/// A job's text with the placeholders replaced that have a setting.
pub(super) fn filled_as_given(text: &str, settings: &[Setting]) -> String {
    let mut filled = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            JobSegment::Text(text) => filled.push_str(text),
            JobSegment::Placeholder { text, name, .. } => {
                let value = settings.iter().find(|it| it.name == name);
                filled.push_str(&value.map_or_else(|| text.to_owned(), Setting::escaped));
            }
        }
    }
    filled
}

/// Checks that each setting has a placeholder in one of these jobs.
///
/// # Errors
/// Names the first setting without a placeholder.
pub(super) fn all_are_known(texts: &[&str], settings: &[Setting]) -> Result<(), String> {
    let is_in = |text: &str, setting: &Setting| {
        pieces(text)
            .any(|it| matches!(it, JobSegment::Placeholder { name, .. } if name == setting.name))
    };
    match settings.iter().find(|setting| !texts.iter().any(|text| is_in(text, setting))) {
        Some(unknown) => Err(format!("the job has no setting '{}'", unknown.name)),
        None => Ok(()),
    }
}

/// The placeholders of a job without a setting, each name once.
pub(super) fn missing<'a>(text: &'a str, settings: &[Setting]) -> Vec<Missing<'a>> {
    let mut found: Vec<Missing<'a>> = Vec::new();
    for piece in pieces(text) {
        let JobSegment::Placeholder { name, at, .. } = piece else { continue };
        let is_known = settings.iter().any(|it| it.name == name);
        if !is_known && found.iter().all(|it| it.name != name) {
            found.push(Missing { name, at });
        }
    }
    found
}

impl Setting {
    /// The value as a part of a string of JSON.
    fn escaped(&self) -> String {
        let quoted = Value::from(self.value.as_str()).to_string();
        quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
    }
}

/// A part of a job's text.
enum JobSegment<'a> {
    Text(&'a str),
    /// A placeholder, and the position of its string in bytes.
    Placeholder {
        text: &'a str,
        name: &'a str,
        at: usize,
    },
}

/// The parts of a job's text in order. Braces outside of strings are structure, not placeholders.
fn pieces(text: &str) -> impl Iterator<Item = JobSegment<'_>> {
    strings(text).flat_map(|(part, is_string, at)| {
        let mut rest = part;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let found = if is_string { placeholder(rest) } else { None };
            let (piece, end) = match found {
                Some((0, text, name)) => (JobSegment::Placeholder { text, name, at }, text.len()),
                Some((start, ..)) => (JobSegment::Text(rest.get(..start)?), start),
                None => (JobSegment::Text(rest), rest.len()),
            };
            rest = rest.get(end..)?;
            Some(piece)
        })
    })
}

/// The first placeholder of a string: its position, its text and its name.
fn placeholder(text: &str) -> Option<(usize, &str, &str)> {
    let mut from = 0;
    loop {
        let start = from + text.get(from..)?.find("{{")?;
        let inner = text.get(start + 2..)?;
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let length = inner.find(|c| !is_of_name(c))?;
        let (name, rest) = inner.split_at(length);
        if (1..=64).contains(&length) && rest.starts_with("}}") {
            return Some((start, text.get(start..start + length + 4)?, name));
        }
        from = start + 1;
    }
}

/// Splits the text into quoted strings and the text between them, each with its position.
fn strings(text: &str) -> impl Iterator<Item = (&str, bool, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        let (length, is_string) = match (rest.find('"'), string_end(rest)) {
            (Some(0), Some(end)) => (end, true),
            // An unterminated string is not a string.
            (Some(0) | None, _) => (rest.len(), false),
            (Some(quote), _) => (quote, false),
        };
        let begin = at;
        at += length;
        Some((rest.get(..length)?, is_string, begin))
    })
}

/// The end of the string at the start of a text.
fn string_end(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/placeholders.json"));

    #[test]
    fn shared_cases_pass() {
        let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
        assert!(cases.len() > 15);
        for case in cases {
            let settings: Vec<Setting> = case["settings"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| format!("{name}={}", value.as_str().unwrap()).parse().unwrap())
                .collect();
            let found = filled(case["job"].as_str().unwrap(), &settings);
            match case["error"].as_str() {
                Some(error) => assert_eq!(found.unwrap_err(), error, "{case}"),
                None => {
                    let found: Value = serde_json::from_str(&found.unwrap()).unwrap();
                    assert_eq!(found, case["filled"], "{case}");
                }
            }
        }
    }

    #[test]
    fn a_setting_is_known_in_one_of_several_jobs() {
        let set = ["a=1".parse().unwrap(), "b=2".parse().unwrap()];
        let (a, b) = (r#"{"u": "{{a}}"}"#, r#"{"u": "{{b}}"}"#);
        all_are_known(&[a, b], &set).unwrap();
        all_are_known(&[a], &set).unwrap_err();
        assert_eq!(missing(r#"{"u": ["", "<{{b}}{{c}}"]}"#, &set), [Missing { name: "c", at: 11 }]);
        assert_eq!(filled_as_given(r#"["{{a}}{{c}}", "{{"#, &set), r#"["1{{c}}", "{{"#);
    }

    #[test]
    fn a_setting_is_a_name_and_a_value() {
        let setting = "site=a\"b=c".parse::<Setting>().unwrap();
        assert_eq!((&*setting.name, &*setting.value), ("site", "a\"b=c"));
        "=a".parse::<Setting>().unwrap_err();
        "a".parse::<Setting>().unwrap_err();
    }
}
