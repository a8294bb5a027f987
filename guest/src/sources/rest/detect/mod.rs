//! What a job omits, detected in the first response: where the records are, and how pages follow. What
//! was found is said in the warnings of the load; where an answer shows that there is more and not how to
//! ask for it, the load fails.

mod names;
mod pages;
mod records;
mod signs;

pub(super) use self::pages::{FirstPage, paginator};
pub(super) use self::records::{Records, records};
