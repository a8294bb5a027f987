//! Runs dlt, in a new Python process for each run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{Failure, TABLE};

/// Runs dlt in a Python that has it.
#[derive(Clone, Debug)]
pub struct Dlt {
    python: PathBuf,
}

/// The result of one run of dlt.
#[derive(Clone, Debug)]
pub(super) struct DltRun {
    pub(super) version: String,
    /// The time to extract and normalize, without the start of Python and the import of dlt.
    pub(super) seconds: f64,
    pub(super) rows: BTreeMap<String, u64>,
    pub(super) columns: u64,
    pub(super) parquet_bytes: u64,
    pub(super) peak_memory_bytes: u64,
}

impl Dlt {
    /// Uses this interpreter.
    pub const fn new(python: PathBuf) -> Self {
        Self { python }
    }

    pub(super) fn run(&self, file: &Path) -> Result<DltRun, Failure> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../python/support/bench_dlt.py");
        let output = Command::new(&self.python)
            .arg(&script)
            .arg(file)
            .args(["--table", TABLE])
            .output()
            .map_err(|error| Failure::new(error).at(self.python.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Failure::new(said.trim()).at(format_args!("{} failed", script.display())));
        }
        let measured = serde_json::from_slice::<Value>(&output.stdout)
            .map_err(|error| Failure::new(error).at("what bench_dlt.py printed"))?;
        DltRun::read(&measured)
            .ok_or_else(|| Failure::new(format_args!("bench_dlt.py omitted a number: {measured}")))
    }
}

impl DltRun {
    fn read(measured: &Value) -> Option<Self> {
        let rows = measured["rows"].as_object()?.iter();
        Some(Self {
            version: measured["dlt_version"].as_str()?.to_owned(),
            seconds: measured["seconds"].as_f64()?,
            rows: rows
                .map(|(table, rows)| Some((table.clone(), rows.as_u64()?)))
                .collect::<Option<_>>()?,
            columns: measured["columns"].as_u64()?,
            parquet_bytes: measured["parquet_bytes"].as_u64()?,
            peak_memory_bytes: measured["peak_memory_bytes"].as_u64()?,
        })
    }
}
