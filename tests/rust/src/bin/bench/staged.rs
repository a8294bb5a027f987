//! The component under the Rust host, with uploads to a stage on this machine. Statements are answered as in a
//! dry run, so that no COPY is counted.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use snowcat_host::stage::{Locate, Queue, QueueLimits, StageInfo, StagePath};
use snowcat_host::{Failure as HostFailure, Runner, Upload, drive};
use snowcat_tests::bench::{Driver, Failure, LoopbackStorage, Stats};

use crate::component::{NOW, PagesHost, Uploads, failure};

/// Drives the component, with a stage.
pub(crate) struct Staged {
    runner: Runner,
    storage: Arc<LoopbackStorage>,
    limits: QueueLimits,
}

impl Staged {
    /// Starts the storage of the stage. It waits for `latency` before each answer.
    pub(crate) fn new(runner: Runner, latency: Duration) -> io::Result<Self> {
        let storage = Arc::new(LoopbackStorage::start(latency)?);
        let limits = QueueLimits { threads: 16, ..QueueLimits::default() };
        Ok(Self { runner, storage, limits })
    }
}

impl Driver for Staged {
    fn run(
        &mut self,
        job: &str,
        pages: &mut dyn Iterator<Item = io::Result<String>>,
    ) -> Result<Stats, Failure> {
        let before = self.storage.received();
        let mut load = self.runner.start(job, NOW).map_err(Failure::new)?;
        let uploads = Queue::new(Arc::new(Place(Arc::clone(&self.storage))), self.limits);
        let mut host = PagesHost { pages, uploads };
        let report = drive(&mut load, &mut host, &mut []).map_err(Failure::new)?;
        let (objects, bytes) = self.storage.received();
        let stats = Stats {
            rows: report.tables.into_iter().map(|table| (table.name, table.rows)).collect(),
            parquet_bytes: bytes - before.1,
            parquet_files: objects - before.0,
            linear_memory_bytes: Some(load.peak_memory() as u64),
        };
        let sent: u64 = report.files.iter().map(|file| file.bytes).sum();
        if (sent, report.files.len() as u64) != (stats.parquet_bytes, stats.parquet_files) {
            return Err(Failure::new(format_args!(
                "expected {} files of {sent} bytes on the stage, found {} of {}",
                report.files.len(),
                stats.parquet_files,
                stats.parquet_bytes,
            )));
        }
        Ok(stats)
    }
}

/// The stage: a bucket of the storage.
struct Place(Arc<LoopbackStorage>);

impl Locate for Place {
    fn locate(&self, place: &StagePath) -> Result<StageInfo, HostFailure> {
        let info = json!({
            "locationType": "S3",
            "location": format!("bucket/{}", place.folder),
            "region": "us-east-1",
            "endPoint": self.0.url(),
            "creds": {"AWS_KEY_ID": "key", "AWS_SECRET_KEY": "secret", "AWS_TOKEN": "token"},
        });
        StageInfo::parse(&json!({"stageInfo": info})).map_err(|message| failure(&message))
    }
}

impl Uploads for Queue {
    fn upload(&mut self, upload: &Upload, payload: Vec<u8>) {
        self.submit(StagePath::new(&upload.stage, &upload.path), payload);
    }

    fn finish(&mut self) -> Result<(), HostFailure> {
        Queue::finish(self)
    }
}
