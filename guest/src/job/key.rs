//! A key: the columns that identify records.

use serde_json::Value;

use super::parse::{JobObject, at, element};
use crate::fault::Result;

/// Columns that together identify records.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Key {
    /// Their names, in the spelling of the source.
    pub(crate) columns: Vec<String>,
    /// `true` if the job has one name and not a list: dlt then hashes the value, and not a list of
    /// one value.
    pub(crate) single: bool,
}

impl Key {
    /// Returns `true` if there is no key.
    pub(crate) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Parses a name or a list of names.
    pub(super) fn parse(object: &JobObject<'_>, key: &str) -> Result<Option<Self>> {
        match object.get(key) {
            None => Ok(None),
            Some(Value::String(_)) => Ok(object
                .text(key)?
                .map(|name| Self { columns: vec![name.to_owned()], single: true })),
            Some(Value::Array(_)) => {
                let columns = object.texts(key)?.unwrap_or_default();
                for (n, column) in columns.iter().enumerate() {
                    if columns.iter().take(n).any(|other| other == column) {
                        let place = element(&object.place_of(key), n);
                        return Err(at(
                            &place,
                            format_args!("the column {column:?} is given twice"),
                        ));
                    }
                }
                Ok(Some(Self { columns, single: false }))
            }
            Some(other) => Err(object.wrong_type("a column's name or a list of names", other, key)),
        }
    }
}
