//! One timed load.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use super::{Driver, Failure, FilePages, Stats, TABLE};

/// The size of a page in bytes, as a host pulls it.
pub(super) const PAGE_BYTES: usize = 1 << 20;

/// Loads a file, as often as `times` in one load. Returns the seconds.
pub(super) fn timed(
    driver: &mut dyn Driver,
    path: &Path,
    times: usize,
    delivery: &Value,
) -> Result<(f64, Stats), Failure> {
    let open = |_| FilePages::open(path, PAGE_BYTES);
    let files = (0..times).map(open).collect::<Result<Vec<_>, _>>()?;
    let clock = Instant::now();
    let stats = driver.run(&job(delivery), &mut files.into_iter().flatten())?;
    Ok((clock.elapsed().as_secs_f64(), stats))
}

/// The job of every load.
pub(super) fn job(delivery: &Value) -> String {
    json!({
        "pipeline": "bench",
        "database": "BENCH",
        "dataset": "bench",
        "delivery": delivery,
        "resources": [{ "name": TABLE, "write_disposition": "append" }],
    })
    .to_string()
}
