//! Uploads files to a stage, as a load does. The tests run it against servers of each cloud.
//!
//! It reads one JSON object from standard input: `locate` is a URL that returns the `data` of a PUT statement,
//! `stage` the name of the stage, `files` has the path of a local file for each path on the stage, and the
//! rest are the limits of the queue. It prints what was uploaded and, if there is one, the failure.

use std::error::Error;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use snowcat_host::Failure;
use snowcat_host::stage::{Locate, Queue, QueueLimits, StageInfo, StagePath};

/// A server that runs no statement, and answers as one.
struct Server(String);

impl Locate for Server {
    fn locate(&self, place: &StagePath) -> Result<StageInfo, Failure> {
        let failure = |message: String| Failure { code: String::new(), message, transient: false };
        let url = format!("{}/{}/{}", self.0, place.folder, place.name);
        let mut answer = ureq::get(url).call().map_err(|e| failure(e.to_string()))?;
        let text = answer.body_mut().read_to_string().map_err(|e| failure(e.to_string()))?;
        let data: Value = serde_json::from_str(&text).map_err(|e| failure(e.to_string()))?;
        StageInfo::parse(&data).map_err(failure)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let given: Value = serde_json::from_reader(io::stdin())?;
    let text = |key: &str| given.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |key: &str| given.get(key).and_then(Value::as_u64);
    let size = |key: &str, usual| number(key).and_then(|it| it.try_into().ok()).unwrap_or(usual);
    let usual = QueueLimits::default();
    let limits = QueueLimits {
        threads: size("threads", usual.threads),
        bytes: number("bytes").unwrap_or(usual.bytes),
        parts_above: size("parts_above", usual.parts_above),
        part: size("part", usual.part),
        first_wait: number("first_wait_ms").map_or(usual.first_wait, Duration::from_millis),
    };
    let queue = Queue::new(Arc::new(Server(text("locate"))), limits);
    for (path, file) in given.get("files").and_then(Value::as_object).into_iter().flatten() {
        let bytes = std::fs::read(file.as_str().unwrap_or_default())?;
        queue.submit(StagePath::new(&text("stage"), path), bytes);
    }
    let failure = queue.finish().err();
    let failure = failure
        .map(|it| json!({"code": it.code, "message": it.message, "transient": it.transient}));
    let counts = queue.counts();
    let printed = json!({
        "files": counts.files,
        "bytes": counts.bytes,
        "statements": counts.statements,
        "renewals": counts.renewals,
        "retries": counts.retries,
        "failure": failure,
    });
    writeln!(io::stdout(), "{printed}")?;
    Ok(())
}
