//! Parameters by name, each with the place where it was found.

use std::collections::BTreeMap;

use super::super::error::{ErrorKind, SnowflakeError};
use super::place::ParameterPlace;
use crate::credentials::Secret;

/// The names of parameters that are used here. A file shared with other programs may have more.
pub(super) const NAMES: [&str; 21] = [
    "account",
    "authenticator",
    "database",
    "host",
    "passcode",
    "password",
    "port",
    "private_key",
    "private_key_file",
    "private_key_file_pwd",
    "private_key_passphrase",
    "private_key_path",
    "private_key_raw",
    "protocol",
    "role",
    "schema",
    "token",
    "token_file_path",
    "user",
    "username",
    "warehouse",
];

/// A parameter.
#[derive(Clone, Debug)]
struct Found {
    value: Secret,
    place: ParameterPlace,
}

/// Parameters. Values are not printed, because some are secrets.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters(BTreeMap<String, Found>);

impl Parameters {
    /// Adds a parameter, or replaces the one with this name.
    pub(super) fn put(&mut self, name: &str, value: String, place: &ParameterPlace) {
        // A key and its other name exclude each other.
        for names in SYNONYMS.iter().filter(|names| names.contains(&name)) {
            names.iter().for_each(|other| drop(self.0.remove(*other)));
        }
        let found = Found { value: Secret::new(value), place: place.clone() };
        self.0.insert(name.to_owned(), found);
    }

    /// Removes a parameter and returns its value.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).map(|found| found.value.reveal().to_owned())
    }

    /// Adds parameters, or replaces those with the same names.
    pub(super) fn extend(&mut self, others: Self) {
        for (name, found) in others.0 {
            self.put(&name, found.value.reveal().to_owned(), &found.place);
        }
    }

    /// Returns a parameter with a value.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|found| found.value.reveal()).filter(|text| !text.trim().is_empty())
    }

    /// Returns the name and the value of the first of these parameters that has a value.
    pub(super) fn first<'a>(&self, names: &[&'a str]) -> Option<(&'a str, &str)> {
        names.iter().find_map(|name| Some((*name, self.text(name)?)))
    }

    pub(super) fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    pub(super) fn secret(&self, name: &str) -> Option<Secret> {
        self.owned(name).map(Secret::new)
    }

    pub(super) fn need(&self, name: &str, what: &str) -> Result<&str, SnowflakeError> {
        self.text(name).ok_or_else(|| wrong(format!("{name}: expected {what}, found nothing")))
    }

    /// Returns the error of a parameter, with its origin.
    pub(super) fn wrong(&self, name: &str, why: &str) -> SnowflakeError {
        match self.0.get(name).map(|found| &found.place) {
            None | Some(ParameterPlace::Argument) => wrong(format!("{name}: {why}")),
            Some(place) => wrong(format!("{name} ({place}): {why}")),
        }
    }

    /// Returns the names of the parameters with a value, each with its place.
    pub(super) fn places(&self) -> impl Iterator<Item = (&str, &ParameterPlace)> {
        self.0.iter().map(|(name, found)| (name.as_str(), &found.place))
    }
}

/// Several names of one setting, of which the last one added is used.
const SYNONYMS: [&[&str]; 4] = [
    &["user", "username"],
    &["private_key", "private_key_file", "private_key_path", "private_key_raw"],
    &["private_key_file_pwd", "private_key_passphrase"],
    &["token", "token_file_path"],
];

/// The error of a connection.
pub(super) fn wrong(message: impl Into<String>) -> SnowflakeError {
    SnowflakeError::new(ErrorKind::Connection, message)
}
