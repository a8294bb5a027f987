//! The component under the Rust host.

use std::io;

use snowcat_host::{
    Engine, Failure as HostFailure, Host, Pull, Pulled, Request, Response, Runner, Script,
    Settings, SqlReply, Upload, drive,
};
use snowcat_tests::bench::{Driver, Failure, Stats};

/// The instant of every measured load.
pub(crate) const NOW: &str = "2026-11-20T00:00:00Z";

/// Drives the component.
pub(crate) struct Component {
    pub(crate) runner: Runner,
}

impl Component {
    /// Compiles the component, or loads it from the cache. Unless watched, it runs as in a
    /// procedure, where the statement time-out ends a slow load.
    pub(crate) fn new(watch: bool) -> Result<Self, Failure> {
        let settings = Settings { watch, ..Settings::default() };
        let engine = Engine::new(&settings).map_err(Failure::new)?;
        Ok(Self { runner: Runner::new(&engine) })
    }
}

impl Driver for Component {
    fn run(
        &mut self,
        job: &str,
        pages: &mut dyn Iterator<Item = io::Result<String>>,
    ) -> Result<Stats, Failure> {
        let mut load = self.runner.start(job, NOW).map_err(Failure::new)?;
        let mut counting = Counting { pages, stats: Stats::default() };
        let report = drive(&mut load, &mut counting, &mut []).map_err(Failure::new)?;
        let mut stats = counting.stats;
        stats.rows = report.tables.into_iter().map(|table| (table.name, table.rows)).collect();
        stats.linear_memory_bytes = Some(load.peak_memory() as u64);
        Ok(stats)
    }
}

/// A host that counts files and keeps nothing.
struct Counting<'a> {
    pages: &'a mut dyn Iterator<Item = io::Result<String>>,
    stats: Stats,
}

impl Host for Counting<'_> {
    fn sql(&mut self, _: &Script) -> Result<SqlReply, HostFailure> {
        Ok(SqlReply::DryRun)
    }

    fn upload(&mut self, _: &Upload, payload: Vec<u8>) -> Result<(), HostFailure> {
        self.stats.parquet_bytes += payload.len() as u64;
        self.stats.parquet_files += 1;
        Ok(())
    }

    fn fetch(&mut self, requests: &[Request]) -> Vec<Result<Response, HostFailure>> {
        let refusal = || Err(failure("expected no request: the data is pulled"));
        requests.iter().map(|_| refusal()).collect()
    }

    fn pull(&mut self, _: &Pull) -> Result<Pulled, HostFailure> {
        let page = self.pages.next().transpose().map_err(|error| failure(&error.to_string()))?;
        Ok(page.map_or(Pulled::End, Pulled::Page))
    }

    fn wait(&mut self, _: f64, _: &str) {}
}

pub(crate) fn failure(message: &str) -> HostFailure {
    HostFailure { code: String::new(), message: message.to_owned(), transient: false }
}
