//! The memory of uploads: a stage that is slower than the load does not fill the memory of the process.

#![expect(clippy::unwrap_used, reason = "this is a test")]

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use snowcat_host::Failure;
use snowcat_host::stage::{Locate, Queue, QueueLimits, StageInfo, StagePath};
use snowcat_tests::bench::LoopbackStorage;

/// The bytes that the queue may hold.
const BUDGET: usize = 32 << 20;
/// What a process may use besides: allocators and threads vary.
const BESIDE: usize = 64 << 20;
const FILE: usize = 4 << 20;
const FILES: usize = 128;

/// A bucket of the storage.
struct Bucket(LoopbackStorage);

impl Locate for Bucket {
    fn locate(&self, _: &StagePath) -> Result<StageInfo, Failure> {
        let info = json!({
            "locationType": "S3", "location": "bucket/1.5", "region": "us-east-1",
            "endPoint": self.0.url(), "creds": {"AWS_KEY_ID": "k", "AWS_SECRET_KEY": "s"},
        });
        let failure = |message| Failure { code: String::new(), message, transient: false };
        StageInfo::parse(&json!({"stageInfo": info})).map_err(failure)
    }
}

#[test]
fn uploads_use_no_more_memory_than_their_budget() {
    let bucket = Arc::new(Bucket(LoopbackStorage::start(Duration::from_millis(20)).unwrap()));
    let limits = QueueLimits { threads: 16, bytes: BUDGET as u64, ..QueueLimits::default() };
    let queue = Queue::new(Arc::<Bucket>::clone(&bucket), limits);
    let before = resident();
    let mut most = 0;
    for number in 0..FILES {
        let path = format!("1.5/{number}.parquet");
        queue.submit(StagePath::new(r#""D"."S"."T""#, &path), vec![7; FILE]);
        most = most.max(resident());
    }
    queue.finish().unwrap();
    assert_eq!(bucket.0.received(), (FILES as u64, (FILES * FILE) as u64));
    let more = most.saturating_sub(before);
    assert!(more <= BUDGET + BESIDE, "expected {} bytes more, found {more}", BUDGET + BESIDE);
}

/// The memory of the process, in bytes.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}
