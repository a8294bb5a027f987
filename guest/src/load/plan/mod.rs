//! What a load is to do, by the job and the stored schema. Nothing here talks to the host.

pub(crate) mod family;
mod hints;
pub(crate) mod merge;
mod nested;
pub(crate) mod refresh;
pub(crate) mod tables;
