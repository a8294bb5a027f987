//! The place of a parameter.

use std::fmt;
use std::path::PathBuf;

/// The place of a parameter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum ParameterPlace {
    /// The program, or its command line.
    Argument,
    /// A variable of the environment.
    Variable(String),
    /// A section of a file.
    File { path: PathBuf, section: String },
}

impl fmt::Display for ParameterPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument => f.write_str("arguments"),
            Self::Variable(name) => f.write_str(name),
            Self::File { path, section } => write!(f, "{}, section [{section}]", path.display()),
        }
    }
}
