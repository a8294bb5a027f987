//! JSON as text: a reader without a tree, paths into it, and the selection of records on a page.

mod dedup;
mod path;
mod reader;
pub mod select;

pub use self::dedup::{has_repeats, without_repeats};
pub(crate) use self::path::{Bracket, Token, tokens};
pub use self::path::{Path, Segment};
pub use self::reader::{MAX_DEPTH, Peek, Reader, place, unescape};

#[cfg(test)]
mod tests;
