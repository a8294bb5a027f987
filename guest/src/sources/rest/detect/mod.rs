//! Detection of what a job omits in the first response: the location of the records, and the
//! paginator. Warnings of the load state what was detected. If a response shows that there are more
//! pages but not how to request them, the load fails.

mod names;
mod pages;
mod records;
mod signs;

pub(super) use self::pages::{FirstPage, paginator};
pub(super) use self::records::{Records, records};
