//! Requests to the storage of clouds: where they go, how they are signed, and what a refusal says.
//!
//! `input::buckets` reads with it, `stage` writes.

pub(crate) mod exchange;
pub(crate) mod request;
pub(crate) mod signature;
pub(crate) mod xml;
