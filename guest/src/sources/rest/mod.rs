//! REST sources: the first request and the following ones, the handling of failures, and detection.
//! Nothing here does I/O.
//!
//! A load gets a request from [`Requests`], and [`Retry`] judges the response. The load reads the
//! records in the body (at [`Requests::selector`]) and the scalars at [`Requests::wanted_paths`],
//! passes each record's cursor to [`super::incremental::Incremental`], and returns [`PageFacts`] to
//! get the next request.

mod detect;
mod outline;
mod paginate;
mod parents;
mod placeholders;
mod request;
mod retry;
mod trouble;

pub(crate) use self::parents::{ParentRow, ParentRows};
pub(crate) use self::request::Requests;
pub(crate) use self::retry::{Decision, ResponsePolicy, Retry, remaining, shown};
pub(crate) use self::trouble::{Empty, check_empty, check_silence};
pub(crate) use crate::job::paginator::PageFacts;
