//! Asking a source: which request comes first and which next, which records are new, and what to
//! do when the source has trouble. Nothing here does any I/O.
//!
//! A load asks [`Requests`] for a request and [`Retry`] what to think of the answer; walks the
//! answer's body for records (at [`Requests::selector`]) and for the scalars at
//! [`Requests::wanted_paths`]; shows each record's cursor to [`super::incremental::Incremental`]; and hands what it saw
//! back as [`PageFacts`] to get the next request.

mod detect;
mod outline;
mod paginate;
mod parents;
mod placeholders;
mod request;
mod retry;
mod trouble;

pub use self::parents::{ParentRow, ParentRows};
pub use self::request::Requests;
pub use self::retry::{Decision, ResponsePolicy, Retry, shown};
pub use self::trouble::{Empty, check_empty, check_silence};
pub use crate::job::paginator::PageFacts;
