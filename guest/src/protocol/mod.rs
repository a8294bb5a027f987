//! The interface between a load and its host: steps, replies, and the driver that polls a run.

mod driver;
mod types;

pub use driver::{Io, Load, unexpected};
pub use types::{
    Check, Content, CursorReport, Examination, Failure, FileReport, InputColumn, InputFile,
    Listing, Listings, Outcome, Pause, Pull, Reply, Report, Request, Response, Script, Step,
    TableReport, Upload, Verdict,
};
