//! The one error type of the guest: what was expected, what was found, and where. The path is added
//! while unwinding, one part per level, so a successful run builds none.

use std::fmt;

/// The party that caused a fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FaultKind {
    /// The job is not valid.
    Config,
    /// A schema contract forbids a change that the data requires.
    Contract,
    /// The input is not as declared.
    Data,
    /// The destination failed, or another load committed first.
    Destination,
    /// A defect of this crate.
    Internal,
    /// The host broke the interface.
    Protocol,
    /// The source failed, and retries did not help.
    Source,
}

impl FaultKind {
    /// Returns its name in the interface.
    ///
    /// ```
    /// assert_eq!(snowcat_guest::fault::FaultKind::Source.name(), "source");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Contract => "contract",
            Self::Data => "data",
            Self::Destination => "destination",
            Self::Internal => "internal",
            Self::Protocol => "protocol",
            Self::Source => "source",
        }
    }
}

/// The reason why a load failed: what was expected, what was found, and where.
///
/// ```
/// use snowcat_guest::fault::{Fault, FaultKind};
///
/// let fault = Fault::data("expected JSON, found <").at("page 1").at("resource orders");
/// assert_eq!(fault.kind, FaultKind::Data);
/// assert_eq!(fault.context, ["resource orders", "page 1"]);
/// assert_eq!(fault.to_string(), "resource orders: page 1: expected JSON, found <");
/// ```
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct Fault {
    /// The party that caused it.
    pub kind: FaultKind,
    /// What was expected and what was found, in one line.
    pub message: String,
    /// The path, from the outside in.
    pub context: Vec<String>,
}

/// The result of a fallible function.
pub type Result<T, E = Fault> = std::result::Result<T, E>;

impl Fault {
    /// Creates a fault without a path.
    #[cold]
    pub fn new(kind: FaultKind, message: impl fmt::Display) -> Self {
        Self { kind, message: message.to_string(), context: Vec::new() }
    }

    /// The job is not valid.
    #[cold]
    pub fn config(message: impl fmt::Display) -> Self {
        Self::new(FaultKind::Config, message)
    }

    /// The input is not as declared.
    #[cold]
    pub fn data(message: impl fmt::Display) -> Self {
        Self::new(FaultKind::Data, message)
    }

    /// The destination failed.
    #[cold]
    pub fn destination(message: impl fmt::Display) -> Self {
        Self::new(FaultKind::Destination, message)
    }

    /// A defect of this crate.
    ///
    /// ```
    /// let fault = snowcat_guest::fault::Fault::internal("an empty table has rows");
    /// assert!(fault.to_string().ends_with("(a defect in Snowcat: please report it)"));
    /// ```
    #[cold]
    pub fn internal(message: impl fmt::Display) -> Self {
        Self::new(
            FaultKind::Internal,
            format_args!("{message} (a defect in Snowcat: please report it)"),
        )
    }

    /// The host broke the interface.
    #[cold]
    pub fn protocol(message: impl fmt::Display) -> Self {
        Self::new(FaultKind::Protocol, message)
    }

    /// The source failed.
    #[cold]
    pub fn source(message: impl fmt::Display) -> Self {
        Self::new(FaultKind::Source, message)
    }

    /// Adds a level to the front of the path.
    #[cold]
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.context.insert(0, place.to_string());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in &self.context {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// Adds a path to the faults of results.
///
/// ```
/// use snowcat_guest::fault::{Context as _, Fault, Result};
///
/// fn number(text: &str) -> Result<i32> {
///     text.parse().map_err(|_| Fault::data(format_args!("expected a number, found {text:?}")))
/// }
///
/// let place = |column: &'static str| move || format!("column {column}");
/// assert_eq!(number("7").at(place("a")), Ok(7));
/// let fault = number("x").at(place("a"));
/// assert_eq!(fault.unwrap_err().to_string(), "column a: expected a number, found \"x\"");
/// ```
pub trait Context<T> {
    /// Adds a level to the path of a fault. `place` is called only for a fault.
    fn at<D: fmt::Display>(self, place: impl FnOnce() -> D) -> Result<T>;
}

impl<T> Context<T> for Result<T> {
    fn at<D: fmt::Display>(self, place: impl FnOnce() -> D) -> Self {
        self.map_err(|fault| fault.at(place()))
    }
}

/// The first 200 characters of a text from outside, on one line, for messages.
pub(crate) fn excerpt(text: &str) -> String {
    const CHARACTERS: usize = 200;
    let mut line = String::new();
    let mut count = 0;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if word.is_empty() {
            continue;
        }
        for c in line.chars().next().map(|_| ' ').into_iter().chain(word.chars()) {
            if count == CHARACTERS {
                return line + "...";
            }
            line.push(c);
            count += 1;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_excerpts() {
        assert_eq!(excerpt(" a \r\n\t b\u{0}c "), "a b c");
        assert_eq!(excerpt(&"ä".repeat(200)), "ä".repeat(200));
        assert_eq!(excerpt(&"ä".repeat(201)), "ä".repeat(200) + "...");
    }
}
