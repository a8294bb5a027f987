//! The library without WebAssembly: the difference is the cost of the sandbox.

use std::io;

use snowcat_guest::load;
use snowcat_guest::protocol::{Reply, Step};
use snowcat_tests::bench::{Driver, Failure, Stats};

use crate::component::NOW;

/// Drives the library.
pub(crate) struct Native;

impl Driver for Native {
    fn run(
        &mut self,
        job: &str,
        pages: &mut dyn Iterator<Item = io::Result<String>>,
    ) -> Result<Stats, Failure> {
        let load = load::start(job, NOW).map_err(Failure::new)?;
        let mut stats = Stats::default();
        let mut reply = Reply::Start;
        loop {
            reply = match load.resume(reply).map_err(Failure::new)? {
                Step::Sql(_) => Reply::DryRun,
                Step::Pull(_) => match pages.next().transpose()? {
                    Some(page) => Reply::Page(page),
                    None => Reply::End,
                },
                Step::Upload(_) => {
                    stats.parquet_bytes += load.payload().map_err(Failure::new)?.len() as u64;
                    stats.parquet_files += 1;
                    Reply::Done
                }
                Step::Wait(_) => Reply::Done,
                Step::Fetch(_) => {
                    return Err(Failure::new("expected no request: the data is pulled"));
                }
                Step::Examined(_) | Step::Found(_) | Step::Listed(_) => {
                    return Err(Failure::new("expected a report, found an examination"));
                }
                Step::Finished(report) => {
                    stats.rows =
                        report.tables.into_iter().map(|table| (table.name, table.rows)).collect();
                    return Ok(stats);
                }
            };
        }
    }
}
