//! The measurements of the benchmark, and its report.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::thread;

use serde_json::{Map, Value, json};

use super::dlt::DltRun;
use super::numbers::{median, rounded};
use super::stages::{StageMeasurement, measure_stages};
use super::timing::{PAGE_BYTES, job, timed};
use super::{Contenders, Dlt, Driver, Failure, GeneratedPages, Stats};
use crate::generators::Kind;

/// The maximum of linear memory, for inputs of any length.
const MEMORY_LIMIT: u64 = 256 << 20;
/// Our runs are much shorter than dlt's, so their times vary more.
const REPEATS: usize = 3;

/// The measurements to make.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The directory for data and results.
    pub directory: PathBuf,
    /// How dlt is run. `None`: dlt is not measured.
    pub dlt: Option<Dlt>,
    /// The seed of the data.
    pub seed: u64,
    /// The number of times that everything is measured.
    pub rounds: usize,
    /// The number of records of each kind.
    pub records: fn(Kind) -> u64,
    /// The size of the input of the memory test in bytes.
    pub memory_bytes: u64,
    /// The kinds of records.
    pub kinds: Vec<Kind>,
}

impl Plan {
    /// The benchmark whose results are published. It takes a few minutes.
    pub fn full(directory: PathBuf, dlt: Option<Dlt>) -> Self {
        let records = |kind| match kind {
            Kind::Flat => 400_000,
            Kind::Github => 50_000,
            Kind::Jira => 5000,
        };
        Self {
            directory,
            dlt,
            seed: 42,
            rounds: 3,
            records,
            memory_bytes: 1 << 30,
            kinds: Vec::new(),
        }
    }

    /// A check of half a minute: everything runs, and the ratios have the right magnitude.
    pub fn quick(directory: PathBuf, dlt: Option<Dlt>) -> Self {
        let records = |kind| match kind {
            Kind::Flat => 40_000,
            Kind::Github => 4000,
            Kind::Jira => 400,
        };
        Self { records, rounds: 1, memory_bytes: 1 << 28, ..Self::full(directory, dlt) }
    }
}

/// Measures everything, writes `bench.json` into the directory, and returns it.
///
/// # Errors
///
/// If a load fails, its result differs from dlt's, or the component's memory exceeds its maximum.
pub fn run(
    plan: &Plan,
    contenders: &mut Contenders,
    progress: &mut dyn FnMut(&str),
) -> Result<Value, Failure> {
    fs::create_dir_all(&plan.directory)?;
    let mut sets = Map::new();
    let mut version = Value::Null;
    let kinds = if plan.kinds.is_empty() { &Kind::ALL[..] } else { &plan.kinds };
    for &kind in kinds {
        let file = DataSet::write(plan, kind).map_err(|failure| failure.at(kind))?;
        let mut rounds = Vec::new();
        for round in 1..=plan.rounds {
            progress(&format!("{kind}: round {round} of {}", plan.rounds));
            let round = Round::run(plan, &file, contenders);
            rounds.push(round.map_err(|failure| failure.at(kind))?);
        }
        if let Some(dlt) = rounds.iter().find_map(|round| round.dlt.as_ref()) {
            version = dlt.version.as_str().into();
        }
        let set = file.report(&rounds);
        progress(&format!("{kind}: {set}"));
        sets.insert(kind.name().to_owned(), set);
    }
    progress("memory");
    let memory = memory(plan, contenders.component.driver.as_mut())
        .map_err(|failure| failure.at("memory"))?;
    progress(&format!("memory: {memory}"));
    let report = json!({
        "machine": machine(),
        "dlt_version": version,
        "rounds": plan.rounds,
        "page_bytes": PAGE_BYTES,
        "component_prepare_seconds": rounded(contenders.component.prepared.as_secs_f64()),
        "data_sets": sets,
        "memory": memory,
    });
    let text = serde_json::to_string_pretty(&report).map_err(Failure::new)?;
    fs::write(plan.directory.join("bench.json"), text + "\n")?;
    Ok(report)
}

struct DataSet {
    kind: Kind,
    path: PathBuf,
    records: u64,
    bytes: u64,
}

impl DataSet {
    fn write(plan: &Plan, kind: Kind) -> Result<Self, Failure> {
        let records = (plan.records)(kind);
        let path = plan.directory.join(format!("{kind}.ndjson"));
        let mut out = BufWriter::new(File::create(&path)?);
        let bytes = kind.write(&mut out, plan.seed, records)?;
        out.flush()?;
        Ok(Self { kind, path, records, bytes })
    }

    fn report(&self, rounds: &[Round]) -> Value {
        let rate = |seconds: f64| (self.records as f64 / seconds).round();
        let component = median(rounds.iter().map(|round| round.component_seconds));
        let native = median(rounds.iter().map(|round| round.native_seconds));
        let mut report = json!({ "records": self.records, "bytes": self.bytes });
        let dlt = rounds.iter().filter_map(|round| round.dlt.as_ref()).collect::<Vec<_>>();
        if let Some(first) = dlt.first() {
            let seconds = median(dlt.iter().map(|run| run.seconds));
            let pairs = rounds.iter().filter_map(Round::component_vs_dlt);
            report["dlt_seconds"] = rounded(seconds);
            report["dlt_records_per_s"] = rate(seconds).into();
            report["dlt_parquet_bytes"] = first.parquet_bytes.into();
            report["dlt_peak_memory_bytes"] =
                dlt.iter().map(|run| run.peak_memory_bytes).max().into();
            report["dlt_columns"] = first.columns.into();
            report["component_vs_dlt"] = rounded(median(pairs));
        }
        report["component_seconds"] = rounded(component);
        report["component_records_per_s"] = rate(component).into();
        report["component_megabytes_per_s"] = (self.bytes as f64 / component / 1e6).round().into();
        report["native_seconds"] = rounded(native);
        report["native_records_per_s"] = rate(native).into();
        let pairs = rounds.iter().map(|round| round.component_seconds / round.native_seconds);
        report["native_vs_component"] = rounded(median(pairs));
        let stages = rounds.iter().map(|round| round.stages.as_slice()).collect::<Vec<_>>();
        StageMeasurement::report(&stages, &mut report);
        if let Some(round) = rounds.first() {
            let stats = &round.stats;
            report["linear_memory_bytes"] = stats.linear_memory_bytes.into();
            report["parquet_bytes"] = stats.parquet_bytes.into();
            report["parquet_files"] = stats.parquet_files.into();
            report["tables"] = stats.rows.len().into();
            report["rows"] = stats.rows.values().sum::<u64>().into();
        }
        report
    }
}

/// One measurement of each contender.
struct Round {
    dlt: Option<DltRun>,
    component_seconds: f64,
    native_seconds: f64,
    stages: Vec<StageMeasurement>,
    stats: Stats,
}

impl Round {
    fn run(plan: &Plan, data: &DataSet, contenders: &mut Contenders) -> Result<Self, Failure> {
        let dlt = plan.dlt.as_ref().map(|dlt| dlt.run(&data.path)).transpose()?;
        let mut stats = Stats::default();
        let (mut component_seconds, mut native_seconds) = (Vec::new(), Vec::new());
        for _ in 0..REPEATS {
            let seconds;
            (seconds, stats) =
                timed(contenders.component.driver.as_mut(), &data.path, 1, &Value::Null)
                    .map_err(|failure| failure.at("component"))?;
            component_seconds.push(seconds);
            let (seconds, same) =
                timed(contenders.native.driver.as_mut(), &data.path, 1, &Value::Null)
                    .map_err(|failure| failure.at("native"))?;
            native_seconds.push(seconds);
            compare("the library", &same.rows, "the component", &stats.rows)?;
        }
        if let Some(dlt) = &dlt {
            compare("dlt", &dlt.rows, "the component", &stats.rows)?;
        }
        // What an upload costs is shown best by records that are loaded fast.
        let stages = match data.kind {
            Kind::Flat => measure_stages(&mut contenders.stages, &data.path, data.records)?,
            _ => Vec::new(),
        };
        Ok(Self {
            dlt,
            component_seconds: median(component_seconds),
            native_seconds: median(native_seconds),
            stages,
            stats,
        })
    }

    fn component_vs_dlt(&self) -> Option<f64> {
        self.dlt.as_ref().map(|dlt| dlt.seconds / self.component_seconds)
    }
}

/// The component's memory must not grow with its input. Issues have the most nested rows.
fn memory(plan: &Plan, driver: &mut dyn Driver) -> Result<Value, Failure> {
    let mut pages = GeneratedPages::new(Kind::Jira, plan.seed, PAGE_BYTES, plan.memory_bytes);
    let stats = driver.run(&job(&Value::Null), &mut pages)?;
    let found = stats
        .linear_memory_bytes
        .ok_or_else(|| Failure::new("expected the component's linear memory, found none"))?;
    if found >= MEMORY_LIMIT {
        return Err(Failure::new(format_args!(
            "expected less than {MEMORY_LIMIT} bytes of linear memory for {} bytes of input, found {found}",
            pages.bytes()
        )));
    }
    Ok(json!({
        "data_set": Kind::Jira.name(),
        "records": pages.records(),
        "bytes": pages.bytes(),
        "rows": stats.rows.values().sum::<u64>(),
        "linear_memory_bytes": found,
        "limit_bytes": MEMORY_LIMIT,
        "parquet_bytes": stats.parquet_bytes,
        "parquet_files": stats.parquet_files,
    }))
}

fn compare(
    this: &str,
    expected: &BTreeMap<String, u64>,
    that: &str,
    found: &BTreeMap<String, u64>,
) -> Result<(), Failure> {
    let tables = expected.keys().chain(found.keys());
    let differences = tables
        .filter(|&table| expected.get(table) != found.get(table))
        .map(|table| {
            let rows = |map: &BTreeMap<String, u64>| map.get(table).copied().unwrap_or(0);
            format!("{table}: {} and {}", rows(expected), rows(found))
        })
        .collect::<std::collections::BTreeSet<_>>();
    if differences.is_empty() {
        return Ok(());
    }
    let list = differences.into_iter().collect::<Vec<_>>().join(", ");
    Err(Failure::new(format_args!("{this} and {that} disagree about the rows of {list}")))
}

fn machine() -> Value {
    let model = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    json!({
        "cpu": model,
        "cores": thread::available_parallelism().map(usize::from).ok(),
        "architecture": std::env::consts::ARCH,
        "system": std::env::consts::OS,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Contender, StageContender, TABLE};

    #[test]
    fn different_results_fail_the_benchmark() {
        let rows = |count| BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), count)]);
        assert!(compare("x", &rows(2), "y", &rows(2)).is_ok());
        let failure = compare("x", &rows(2), "y", &rows(3)).unwrap_err().to_string();
        assert_eq!(failure, "x and y disagree about the rows of b: 2 and 3");
        let failure = compare("x", &rows(2), "y", &BTreeMap::new()).unwrap_err().to_string();
        assert_eq!(failure, "x and y disagree about the rows of a: 1 and 0, b: 2 and 0");
    }

    struct Fixed(u64);

    impl Driver for Fixed {
        fn run(
            &mut self,
            _: &str,
            pages: &mut dyn Iterator<Item = std::io::Result<String>>,
        ) -> Result<Stats, Failure> {
            let mut rows = 0;
            for page in pages {
                rows += page?.lines().count() as u64;
            }
            Ok(Stats {
                rows: BTreeMap::from([(TABLE.to_owned(), rows)]),
                linear_memory_bytes: Some(self.0),
                ..Stats::default()
            })
        }
    }

    #[test]
    fn memory_that_grows_fails_the_benchmark() {
        let plan = Plan { memory_bytes: 1 << 20, ..Plan::quick(PathBuf::new(), None) };
        let report = memory(&plan, &mut Fixed(MEMORY_LIMIT - 1)).unwrap();
        assert_eq!(report["records"], report["rows"]);
        assert!(report["bytes"].as_u64().unwrap() >= 1 << 20);
        assert!(memory(&plan, &mut Fixed(MEMORY_LIMIT)).is_err());
    }

    #[test]
    fn report_has_the_measurements() {
        let directory = std::env::temp_dir().join(format!("snowcat-bench-{}", std::process::id()));
        let plan = Plan {
            records: |_| 50,
            memory_bytes: 1 << 18,
            kinds: vec![Kind::Flat, Kind::Github],
            ..Plan::quick(directory.clone(), None)
        };
        let contender = || Contender {
            driver: Box::new(Fixed(1 << 20)),
            prepared: std::time::Duration::from_millis(5),
        };
        let stage = |latency_ms| StageContender {
            latency_ms,
            delivery: Value::Null,
            driver: Box::new(Fixed(1 << 20)),
        };
        let mut contenders = Contenders {
            component: contender(),
            native: contender(),
            stages: vec![stage(0), stage(50)],
        };
        let report = run(&plan, &mut contenders, &mut |_| {}).unwrap();
        let written = fs::read_to_string(directory.join("bench.json")).unwrap();
        fs::remove_dir_all(directory).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), report);
        for kind in ["flat", "github"] {
            let set = &report["data_sets"][kind];
            assert_eq!(
                (&set["records"], &set["rows"], &set["tables"]),
                (&50.into(), &50.into(), &1.into())
            );
            assert!(set["component_seconds"].as_f64().unwrap() >= 0.0);
            assert!(set["dlt_seconds"].is_null(), "dlt was not measured");
        }
        let stages = &report["data_sets"]["flat"]["stages"];
        assert_eq!((&stages[0]["latency_ms"], &stages[1]["latency_ms"]), (&0.into(), &50.into()));
        assert!(stages[1]["rate_kept"].as_f64().unwrap() > 0.0);
        assert!(report["data_sets"]["github"]["stages"].is_null());
        assert_eq!(report["memory"]["linear_memory_bytes"], 1 << 20);
    }
}
