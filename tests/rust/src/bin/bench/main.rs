//! Measures dlt, the component and the library on the same data: `bench [--quick] [--no-dlt]`.
//! Writes `target/bench/bench.json`.

mod component;
mod native;
mod staged;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{Value, json};
use snowcat_tests::bench::{Contender, Contenders, Dlt, Failure, Plan, StageContender, run};
use snowcat_tests::generators::Kind;

#[derive(Parser)]
#[command(about = "Measures dlt, the component and the library it is made from on the same data")]
struct Options {
    /// Less data, one round
    #[arg(long)]
    quick: bool,
    /// Do not measure dlt
    #[arg(long)]
    no_dlt: bool,
    /// A Python that has dlt
    #[arg(long, env = "PYTHON", default_value = "python3")]
    python: PathBuf,
    /// The directory for data and results
    #[arg(long, default_value = "target/bench")]
    directory: PathBuf,
    /// Only these kinds of data
    #[arg(long)]
    kind: Vec<Kind>,
    /// Compile in the checks by which the Rust host ends a slow step
    #[arg(long)]
    watch: bool,
    /// The number of times that everything is measured
    #[arg(long)]
    rounds: Option<usize>,
}

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // If stderr is closed, the exit code is enough.
            drop(writeln!(io::stderr(), "{failure}"));
            ExitCode::FAILURE
        }
    }
}

/// The stages that are measured: the latency of each in milliseconds, and the `delivery` of the job.
fn stage_options() -> [(u64, Value); 6] {
    [
        (0, json!({})),
        (50, json!({})),
        (50, json!({"max_bytes": "1MB"})),
        (0, json!({"compression": "gzip"})),
        (0, json!({"format": "jsonl"})),
        (0, json!({"format": "csv"})),
    ]
}

fn measure() -> Result<(), Failure> {
    let options = Options::parse();
    let dlt = (!options.no_dlt).then(|| Dlt::new(options.python));
    let mut plan = if options.quick {
        Plan::quick(options.directory, dlt)
    } else {
        Plan::full(options.directory, dlt)
    };
    plan.kinds = options.kind;
    plan.rounds = options.rounds.unwrap_or(plan.rounds).max(1);

    let clock = Instant::now();
    let component = component::Component::new(options.watch)?;
    let prepared = clock.elapsed();
    let mut stages = Vec::new();
    for (latency_ms, delivery) in stage_options() {
        let latency = Duration::from_millis(latency_ms);
        let driver = Box::new(staged::Staged::new(component.runner.clone(), latency)?);
        stages.push(StageContender { latency_ms, delivery, driver });
    }
    let component = Contender { driver: Box::new(component), prepared };
    let native = Contender { driver: Box::new(native::Native), prepared: Duration::ZERO };
    let mut contenders = Contenders { component, native, stages };
    let mut out = io::stderr();
    let report = run(&plan, &mut contenders, &mut |line| {
        // A closed terminal must not end a measurement.
        drop(writeln!(out, "{line}"));
    })?;
    writeln!(io::stdout(), "{report:#}")?;
    Ok(())
}
