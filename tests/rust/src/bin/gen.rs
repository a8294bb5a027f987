//! Writes deterministic NDJSON: `gen flat|github|jira --rows N --seed S [--out FILE]`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::Parser;
use snowcat_tests::generators::Kind;

#[derive(Parser)]
#[command(about = "Writes deterministic records, one JSON object per line")]
struct Options {
    /// flat, github or jira
    kind: Kind,
    /// How many records
    #[arg(long, default_value_t = 1000)]
    rows: u64,
    /// The seed of the records
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// The file to write; standard output by default
    #[arg(long)]
    out: Option<PathBuf>,
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    let out: Box<dyn Write> = match &options.out {
        Some(path) => Box::new(File::create(path)?),
        None => Box::new(io::stdout()),
    };
    let mut out = BufWriter::with_capacity(1 << 20, out);
    options.kind.write(&mut out, options.seed, options.rows)?;
    out.flush()
}
