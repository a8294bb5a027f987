//! The benchmark: the same records are loaded by dlt, by the component and by the library, in turns
//! and several times, so that other work on the machine affects all three. Absolute times differ by
//! a third between machines and hours; only the ratios of one run are meaningful.
//!
//! Times are comparable only for the same work: the tables and their rows must be dlt's, or the
//! benchmark fails.

mod dlt;
mod measure;
mod numbers;
mod pages;
mod stages;
mod storage;
mod timing;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::Duration;

use serde_json::Value;

pub use self::dlt::Dlt;
pub use self::measure::{Plan, run};
pub use self::pages::{FilePages, GeneratedPages};
pub use self::storage::LoopbackStorage;

/// The name of the resource, and of its root table.
pub const TABLE: &str = "records";

/// Drives a load to its end: the host with the component, or a loop around the library.
///
/// Statements are answered as in a dry run; uploads are counted.
pub trait Driver {
    /// Runs this job, whose only resource is pulled from these pages.
    ///
    /// # Errors
    ///
    /// If the load, or the reading of a page, fails.
    fn run(
        &mut self,
        job: &str,
        pages: &mut dyn Iterator<Item = io::Result<String>>,
    ) -> Result<Stats, Failure>;
}

/// The result of one load.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// The number of rows by table.
    pub rows: BTreeMap<String, u64>,
    /// The total size of the Parquet files in bytes.
    pub parquet_bytes: u64,
    /// The number of Parquet files.
    pub parquet_files: u64,
    /// The peak of the component's linear memory. `None` without a component.
    pub linear_memory_bytes: Option<u64>,
}

/// A driver, and the time to prepare it, mainly compilation. A program needs it once, not for each
/// load.
pub struct Contender {
    /// The driver.
    pub driver: Box<dyn Driver>,
    /// The time to prepare it.
    pub prepared: Duration,
}

/// All that are measured besides dlt.
pub struct Contenders {
    /// The component, whose files are dropped.
    pub component: Contender,
    /// The library.
    pub native: Contender,
    /// The component with stages on this machine; the first one answers at once.
    pub stages: Vec<StageContender>,
}

/// The component, whose files are uploaded to a stage.
pub struct StageContender {
    /// The stage waits so long before each answer.
    pub latency_ms: u64,
    /// The `delivery` of the job.
    pub delivery: Value,
    /// The driver.
    pub driver: Box<dyn Driver>,
}

/// The reason why there is no result.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// Creates a failure with this reason.
    pub fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string())
    }

    /// Adds a level to the front of the path.
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
