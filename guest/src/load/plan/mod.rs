//! What a load is to do, as the job and the stored schema have it: nothing is asked or done here.

pub(crate) mod merge;
mod nested;
pub(crate) mod refresh;
pub(crate) mod tables;
