//! Runs Snowcat's component in a Rust program.
//!
//! The component is a load as a state machine: it does no I/O, and imports nothing. It returns what it needs as
//! a [`Step`], a [`Host`] does it, and [`Runner::run`] passes the answers back until the load is over:
//!
//! ```text
//!             Step::Sql, Fetch, Pull, Upload, Wait
//!   +-----------+ ------------------------> +--------+ ---> database and stages
//!   | component |          Runner           |  Host  | ---> sources (http)
//!   +-----------+ <------------------------ +--------+ ---> files (input)
//!             Reply::Outcomes, Responses, Page, Done, Failed
//! ```
//!
//! A [`DryRun`] is a host without a database: it reads real input, and shows what a load would do.
//!
//! ```
//! use snowcat_host::input::files::Input;
//! use snowcat_host::{DryRun, Engine, Runner, Settings};
//!
//! # fn main() -> Result<(), snowcat_host::Error> {
//! let engine = Engine::new(&Settings::default())?; // compile once, share between threads
//! let orders = Input::of_reader(&br#"{"id": 1, "items": [{"sku": "A-1"}, {"sku": "B-2"}]}"#[..]);
//! let mut host = DryRun::new().input("orders", orders);
//! let job = r#"{
//!     "pipeline": "shop", "database": "RAW", "dataset": "shop",
//!     "resources": [{"name": "orders", "source": "pull", "format": "json"}]
//! }"#;
//! let report = Runner::new(&engine).run(job, "2026-01-01T00:00:00Z", &mut host)?;
//! let rows = |name| report.tables.iter().find(|it| it.name == name).map(|it| it.rows);
//! assert_eq!((rows("orders"), rows("orders__items")), (Some(1), Some(2)));
//! # Ok(())
//! # }
//! ```
//!
//! # Modules
//! | module | contents |
//! |---|---|
//! | `interface` | the types of `wit/loads.wit`, all re-exported here |
//! | `engine`, `runner`, `limits` | [`Engine`], [`Runner`], [`drive`], [`Limits`]: one run, and what it may use |
//! | `host` | [`Host`]: what a load asks for |
//! | [`dry_run`], `replay` | two hosts without a database: [`DryRun`], and the [`Replay`] of a transcript |
//! | [`transcript`] | a run in writing, one JSON object a line |
//! | `stop` | [`Stop`]: the end of a load, from another thread |
//! | [`http`], [`credentials`] | requests, and the secrets that are added to them |
//! | [`input`] | the files of a job, on disks and in buckets, as pages |
//! | [`snowflake`] | a session with Snowflake |
//! | [`watch`] | events and numbers of a load, for machines |
//! | [`stage`] | files that are uploaded to a stage |
//! | `cloud` | requests to the storage of clouds, for both |
//!
//! Examples of whole programs are in `host/examples`: `embed.rs`, `custom_store.rs`, `replay.rs`, `upload.rs`.
//!
//! # Invariants
//! - This crate depends on the interface and on a `.wasm`, and not on the guest's library.
//! - A component that imports anything is rejected.
//! - No type that holds a secret prints it.

#![warn(clippy::indexing_slicing)]

mod cloud;
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
pub mod snowflake;
pub mod stage;
mod stop;
pub mod transcript;
pub mod watch;

pub use dry_run::DryRun;
pub use engine::{COMPONENT, Engine, Settings};
pub use error::{Error, Limit};
pub use host::{Host, Pulled, SqlReply};
pub use interface::{
    Check, Column, Content, CursorReport, Examination, Failure, Fault, FaultKind, Fetches, File,
    FileReport, Listing, Listings, Order, Outcome, Pause, Pull, Reply, Report, Request, Response,
    Script, Step, TableReport, Upload, Verdict,
};
pub use limits::Limits;
pub use replay::Replay;
pub use runner::{Guest, Observer, Run, Runner, drive};
pub use stop::Stop;
