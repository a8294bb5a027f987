//! The benchmark: the same records through dlt, through the component and through the library it is
//! made from, one after the other and again, so that whatever else the machine does befalls all three.
//! Absolute figures move by a third between machines and hours; the ratios of one run are what counts.
//!
//! A speed is only worth something for the same work: the tables and their rows must be dlt's, or the
//! benchmark fails.

mod dlt;
mod measure;
mod pages;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::Duration;

pub use self::dlt::Dlt;
pub use self::measure::{Plan, run};
pub use self::pages::{FilePages, GeneratedPages};

/// The name of the resource, and of its root table.
pub const TABLE: &str = "records";

/// What drives a load to its end: the host with the component, or a loop around the library.
///
/// Statements are answered with `assumed`, uploads are counted and let go.
pub trait Driver {
    /// Runs this job, whose one resource is pulled from these pages.
    ///
    /// # Errors
    ///
    /// Says why the load, or the reading of a page, failed.
    fn run(
        &mut self,
        job: &str,
        pages: &mut dyn Iterator<Item = io::Result<String>>,
    ) -> Result<Stats, Failure>;
}

/// What one load did.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
    /// Bytes of the Parquet files that were handed over.
    pub parquet_bytes: u64,
    /// How many files there were.
    pub parquet_files: u64,
    /// The most linear memory the component had; none where there is no component.
    pub linear_memory_bytes: Option<u64>,
}

/// A driver with what it took to make it ready, compilation above all. A program pays that once, and a
/// load does not.
pub struct Contender {
    /// The driver.
    pub driver: Box<dyn Driver>,
    /// What making it ready took.
    pub prepared: Duration,
}

/// Why there is no result.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// For this reason.
    pub fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string())
    }

    /// The same, seen from one level further out.
    #[must_use]
    pub fn at(self, place: impl fmt::Display) -> Self {
        Self(format!("{place}: {}", self.0))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(error)
    }
}
