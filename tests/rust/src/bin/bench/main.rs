//! Measures dlt, the component and the library on the same data: `bench [--quick] [--no-dlt]`.
//! Writes `target/bench/bench.json`.

mod component;
mod native;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use snowcat_tests::bench::{Contender, Dlt, Failure, Plan, run};
use snowcat_tests::generators::Kind;

#[derive(Parser)]
#[command(about = "Measures dlt, the component and the library it is made from on the same data")]
struct Options {
    /// Less data, one round
    #[arg(long)]
    quick: bool,
    /// Leave dlt out
    #[arg(long)]
    no_dlt: bool,
    /// A Python that has dlt
    #[arg(long, env = "PYTHON", default_value = "python3")]
    python: PathBuf,
    /// Where data and results go
    #[arg(long, default_value = "target/bench")]
    directory: PathBuf,
    /// Only these kinds of data
    #[arg(long)]
    kind: Vec<Kind>,
    /// With the checks that let the Rust host end a step that takes too long
    #[arg(long)]
    watch: bool,
    /// How often everything is measured
    #[arg(long)]
    rounds: Option<usize>,
}

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // With standard error closed, the exit code says it alone.
            drop(writeln!(io::stderr(), "{failure}"));
            ExitCode::FAILURE
        }
    }
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
    let component = Box::new(component::Component::new(options.watch)?);
    let mut component = Contender { driver: component, prepared: clock.elapsed() };
    let clock = Instant::now();
    let mut native = Contender { driver: Box::new(native::Native), prepared: clock.elapsed() };
    let mut out = io::stderr();
    let report = run(&plan, &mut component, &mut native, &mut |line| {
        // Progress is a courtesy: a closed terminal does not end a measurement.
        drop(writeln!(out, "{line}"));
    })?;
    writeln!(io::stdout(), "{report:#}")?;
    Ok(())
}
