//! The plan of a load, made from the job and the stored schema, without steps.

pub(crate) mod family;
mod hints;
pub(crate) mod merge;
mod nested;
pub(crate) mod refresh;
pub(crate) mod tables;
