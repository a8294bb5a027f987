//! JSON as text: one reader without a tree, one writer, paths, and the selection of records on a page.

mod boundary;
mod path;
mod reader;
pub(crate) mod select;
mod strings;
mod visit;
mod writer;

pub(crate) use self::boundary::{Boundaries, Boundary};
pub(crate) use self::path::{Bracket, Token, tokens};
pub(crate) use self::path::{Path, Segment};
pub(crate) use self::reader::{Peek, Reader};
pub(crate) use self::reader::{line_column, string_content};
pub(crate) use self::strings::unescape;
pub(crate) use self::visit::MAX_DEPTH;
pub(crate) use self::writer::{HalfPairs, Style, compact, print, push_string};

#[cfg(test)]
mod tests;
