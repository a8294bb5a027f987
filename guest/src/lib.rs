//! The core of Snowcat: nested JSON in, relational tables and Snowflake SQL out.
//!
//! It does no I/O. A load is an `async` function that returns what it needs as a [`Step`](protocol::Step); its
//! host does it and answers with a [`Reply`](protocol::Reply). The interface is `wit/loads.wit`; a thin layer,
//! `component`, speaks it in WebAssembly. Everything else is an ordinary library, and is tested as one.
//!
//! ```text
//! page -> records -> rows of tables -> columns -> Parquet -> stage -> COPY -> MERGE
//! sources  json       shred, dlt       columnar              load, sql
//! ```
//!
//! A host in ten lines: a dry run of one page.
//!
//! ```
//! use snowcat_guest::load;
//! use snowcat_guest::protocol::{Reply, Step};
//!
//! # fn main() -> snowcat_guest::fault::Result<()> {
//! let job = r#"{
//!     "pipeline": "shop", "database": "RAW", "dataset": "shop",
//!     "resources": [{"name": "orders", "source": "pull"}]
//! }"#;
//! let load = load::start(job, "2026-01-01T00:00:00Z")?;
//! let mut pages = vec![r#"{"id": 1, "items": [{"sku": "A-1"}, {"sku": "B-2"}]}"#.to_owned()];
//! let mut reply = Reply::Start;
//! let report = loop {
//!     reply = match load.resume(reply)? {
//!         Step::Sql(_) => Reply::DryRun,
//!         Step::Pull(_) => pages.pop().map_or(Reply::End, Reply::Page),
//!         Step::Upload(_) | Step::Wait(_) => Reply::Done,
//!         Step::Finished(report) => break report,
//!         other => panic!("a job without an endpoint does not need {other:?}"),
//!     };
//! };
//! let rows = |name| report.tables.iter().find(|table| table.name == name).map(|table| table.rows);
//! assert_eq!((rows("orders"), rows("orders__items")), (Some(1), Some(2)));
//! # Ok(())
//! # }
//! ```
//!
//! # Modules
//! Each module uses only modules below it; `tests/rust/tests/architecture/` tests it, and prints the map in ARCHITECTURE.md.
//!
//! | module | contents |
//! |---|---|
//! | `component` | conversions to the types of the interface, for WebAssembly only |
//! | [`doctor`] | the examination of an account |
//! | [`load`] | one run: plan, extract, publish |
//! | `sources` | REST requests and file formats |
//! | `shred` | records to rows of tables |
//! | `columnar` | columns in memory, and Parquet |
//! | `job` | the job, parsed and checked |
//! | `sql` | every statement |
//! | `dlt` | what dlt does: names, types, coercion, hashes, schema, state |
//! | `json` | reading JSON, and paths in it |
//! | [`protocol`] | the types of the interface, and the driver of a load |
//! | [`fault`] | the one error |

#![warn(clippy::indexing_slicing)]

mod columnar;
mod dlt;
pub mod doctor;
pub mod fault;
mod job;
mod json;
pub mod load;
pub mod protocol;
mod shred;
mod sources;
mod sql;

#[cfg(target_family = "wasm")]
mod component;

/// The host of `tests/rest`, which unit tests use too, names this crate.
#[cfg(test)]
extern crate self as snowcat_guest;
