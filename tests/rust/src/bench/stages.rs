//! The component with uploads to stages: what uploads cost, and what the latency of a storage costs.

use std::path::Path;

use serde_json::{Value, json};

use super::numbers::{median, rounded};
use super::timing::timed;
use super::{Failure, StageContender};

/// A file is loaded so often in one load: a load of half a second has too few uploads to measure.
const TIMES: usize = 5;

/// One measurement with one stage.
#[derive(Clone, Debug)]
pub(super) struct StageMeasurement {
    latency_ms: u64,
    delivery: Value,
    records: u64,
    seconds: f64,
    files: u64,
    bytes: u64,
}

/// Measures all stages in turn.
pub(super) fn measure_stages(
    stages: &mut [StageContender],
    path: &Path,
    records: u64,
) -> Result<Vec<StageMeasurement>, Failure> {
    let measure = |stage: &mut StageContender| {
        let latency_ms = stage.latency_ms;
        let (seconds, stats) = timed(stage.driver.as_mut(), path, TIMES, &stage.delivery)
            .map_err(|failure| failure.at(format_args!("a stage of {latency_ms} ms")))?;
        let (files, bytes) = (stats.parquet_files, stats.parquet_bytes);
        let (records, delivery) = (records * TIMES as u64, stage.delivery.clone());
        Ok(StageMeasurement { latency_ms, delivery, records, seconds, files, bytes })
    };
    stages.iter_mut().map(measure).collect()
}

impl StageMeasurement {
    /// Adds the medians of all rounds to the report of a data set. `rate_kept` is the rate as a part of that
    /// of the first stage, in the same round.
    pub(super) fn report(rounds: &[&[Self]], report: &mut Value) {
        let mut stages = Vec::new();
        for (n, one) in rounds.first().into_iter().flat_map(|round| round.iter()).enumerate() {
            let all = || rounds.iter().filter_map(|round| Some((round.first()?, round.get(n)?)));
            let seconds = median(all().map(|(_, stage)| stage.seconds));
            stages.push(json!({
                "latency_ms": one.latency_ms,
                "delivery": one.delivery,
                "records": one.records,
                "seconds": rounded(seconds),
                "records_per_s": (one.records as f64 / seconds).round(),
                "rate_kept": rounded(median(all().map(|(first, stage)| first.seconds / stage.seconds))),
                "files": one.files,
                "file_bytes": one.bytes,
            }));
        }
        if !stages.is_empty() {
            report["stages"] = stages.into();
        }
    }
}
