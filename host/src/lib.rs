//! Runs Snowcat's component in a Rust program.
//!
//! The component does no I/O. It says what it needs as a [`Step`], a [`Warehouse`] of yours does it, and
//! [`Runner::run`] carries the answers back until the load is over:
//!
//! ```
//! use snowcat_host::{Engine, Rehearsal, Runner, Settings};
//!
//! # fn main() -> Result<(), snowcat_host::Error> {
//! let engine = Engine::new(&Settings::default())?; // compile once, share between threads
//! let mut warehouse = Rehearsal::new();            // or a session of yours
//! match Runner::new(&engine).run("{}", "2026-01-01T00:00:00Z", &mut warehouse) {
//!     Ok(report) => println!("{} tables", report.tables.len()),
//!     Err(error) => println!("nothing was loaded: {error}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! - `interface`: the types of `wit/loads.wit`, all re-exported here.
//! - [`Warehouse`], [`dry_run`]: what a host has to do, and two hosts that need no database: a [`Rehearsal`], and the
//!   [`Replay`] of a transcript.
//! - [`Runner`], [`drive`], [`Limits`]: one run, and what it may use.
//! - [`transcript`]: a run written down, one JSON object a line.
//! - [`http`], [`credentials`]: requests sent on a load's behalf, and the secrets that go with them.
//! - [`input`]: the files of a job, on disks and in buckets, cut into pages.
//! - [`dry_run::samples`]: saved answers, for a rehearsal without the source.
//!
//! Invariants: this crate knows the interface and a `.wasm`, and nothing of the guest's library; a
//! component that imports anything is refused; no secret is in a type that prints it.

pub mod credentials;
pub mod dry_run;
mod encoding;
mod engine;
mod error;
mod gzip;
mod host;
pub mod http;
pub mod input;
mod interface;
mod limits;
mod replay;
mod runner;
pub mod transcript;

pub use dry_run::Rehearsal;
pub use engine::{COMPONENT, Engine, Settings};
pub use error::{Error, Limit};
pub use host::{Pulled, SqlReply, Warehouse};
pub use interface::{
    Check, Column, Content, CursorReport, Examination, Failure, Fault, FaultKind, Fetches, File,
    FileReport, Order, Outcome, Pause, Pull, Reply, Report, Request, Response, Script, Step,
    TableReport, Upload, Verdict,
};
pub use limits::Limits;
pub use replay::Replay;
pub use runner::{Guest, Observer, Run, Runner, drive};
