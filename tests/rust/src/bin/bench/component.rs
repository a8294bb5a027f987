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
        let mut host = PagesHost { pages, uploads: Counted::default() };
        let report = drive(&mut load, &mut host, &mut []).map_err(Failure::new)?;
        Ok(Stats {
            rows: report.tables.into_iter().map(|table| (table.name, table.rows)).collect(),
            parquet_bytes: host.uploads.bytes,
            parquet_files: host.uploads.files,
            linear_memory_bytes: Some(load.peak_memory() as u64),
        })
    }
}

/// Counts files and keeps nothing.
#[derive(Default)]
struct Counted {
    files: u64,
    bytes: u64,
}

impl Uploads for Counted {
    fn upload(&mut self, _: &Upload, payload: Vec<u8>) {
        self.bytes += payload.len() as u64;
        self.files += 1;
    }
}

/// The receiver of a load's files.
pub(crate) trait Uploads {
    fn upload(&mut self, upload: &Upload, payload: Vec<u8>);

    /// Called before statements: all files have to arrive.
    fn finish(&mut self) -> Result<(), HostFailure> {
        Ok(())
    }
}

/// A host that reads pages, passes files on and runs nothing.
pub(crate) struct PagesHost<'a, U> {
    pub(crate) pages: &'a mut dyn Iterator<Item = io::Result<String>>,
    pub(crate) uploads: U,
}

impl<U: Uploads> Host for PagesHost<'_, U> {
    fn sql(&mut self, _: &Script) -> Result<SqlReply, HostFailure> {
        self.uploads.finish()?;
        Ok(SqlReply::DryRun)
    }

    fn upload(&mut self, upload: &Upload, payload: Vec<u8>) -> Result<(), HostFailure> {
        self.uploads.upload(upload, payload);
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
