//! The options of an examination.

use serde::Deserialize;

use super::Subject;
use crate::fault::{Fault, Result};

/// The options, with the names of their JSON form.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    pub(super) database: String,
    pub(super) dataset: String,
    #[serde(default)]
    pub(super) role: Role,
    /// `None`: all.
    subjects: Option<Vec<String>>,
    #[serde(default = "wait_seconds")]
    pub(super) wait_seconds: u32,
    #[serde(default = "hold_seconds")]
    pub(super) hold_seconds: u32,
}

/// The role of this session in checks with two sessions.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    #[default]
    First,
    Second,
}

/// The longest wait that an option may set, in seconds.
const LONGEST: u32 = 3600;

impl Options {
    /// # Errors
    /// A config fault that names the invalid option.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let options: Self = serde_json::from_str(text)
            .map_err(|error| Fault::config(format_args!("the options are not valid: {error}")))?;
        for (name, seconds) in
            [("wait_seconds", options.wait_seconds), ("hold_seconds", options.hold_seconds)]
        {
            if seconds > LONGEST {
                return Err(Fault::config(format_args!(
                    "{name}: expected at most {LONGEST}, found {seconds}"
                )));
            }
        }
        for (name, value) in [("database", &options.database), ("dataset", &options.dataset)] {
            if value.trim().is_empty() {
                return Err(Fault::config(format_args!("{name}: expected a name, found none")));
            }
        }
        Ok(options)
    }

    /// The selected subjects in order.
    pub(super) fn subjects(&self) -> Result<Vec<Subject>> {
        let Some(names) = &self.subjects else { return Ok(Subject::ALL.to_vec()) };
        for name in names {
            if !Subject::ALL.iter().any(|subject| subject.name() == name) {
                let known: Vec<&str> = Subject::ALL.iter().map(|subject| subject.name()).collect();
                return Err(Fault::config(format_args!(
                    "subjects: expected any of {}, found {name:?}",
                    known.join(", ")
                )));
            }
        }
        let wanted = |subject: &Subject| names.iter().any(|name| name == subject.name());
        Ok(Subject::ALL.into_iter().filter(wanted).collect())
    }
}

const fn wait_seconds() -> u32 {
    60
}

const fn hold_seconds() -> u32 {
    10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_options_are_reported_by_name() {
        let check = |text: &str, expect: Result<usize, &str>| {
            let found = Options::parse(text).and_then(|options| options.subjects());
            match (found, expect) {
                (Ok(subjects), Ok(count)) => assert_eq!(subjects.len(), count, "{text}"),
                (Err(fault), Err(words)) => assert!(fault.message.contains(words), "{fault}"),
                (found, expect) => panic!("{text}: {found:?}, expected {expect:?}"),
            }
        };
        check(r#"{"database": "RAW", "dataset": "JIRA"}"#, Ok(Subject::ALL.len()));
        check(
            r#"{"database": "RAW", "dataset": "J", "role": "second", "subjects": ["copy"]}"#,
            Ok(1),
        );
        check(r#"{"database": "RAW"}"#, Err("missing field `dataset`"));
        check(r#"{"database": " ", "dataset": "J"}"#, Err("database: expected a name"));
        check(r#"{"database": "R", "dataset": "J", "rol": "first"}"#, Err("unknown field `rol`"));
        check(r#"{"database": "R", "dataset": "J", "role": "third"}"#, Err("unknown variant"));
        check(r#"{"database": "R", "dataset": "J", "wait_seconds": 3601}"#, Err("at most 3600"));
        check(
            r#"{"database": "R", "dataset": "J", "subjects": ["copi"]}"#,
            Err("subjects: expected any of session,"),
        );
    }
}
