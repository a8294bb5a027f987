//! Replays a recorded run: its job runs again with the recorded answers, and the first step that
//! differs is an error. The folder of a run has the files `job.json`, `now.txt` and
//! `transcript.jsonl`.
//!
//!     cargo run -p snowcat-host --example replay -- tests/data/transcripts/first_load

use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use snowcat_host::{Engine, Replay, Runner, Settings};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).ok_or("expected the folder of a recorded run")?;
    run(Path::new(&folder), &mut io::stdout())
}

pub(crate) fn run(folder: &Path, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let read = |name: &str| fs::read_to_string(folder.join(name));
    let mut replay = Replay::new(&read("transcript.jsonl")?)?;
    let engine = Engine::new(&Settings::default())?;
    let ended = Runner::new(&engine).run(&read("job.json")?, read("now.txt")?.trim(), &mut replay);
    // A step that differs is the reason why the run ended.
    replay.finish()?;
    let report = ended?;
    writeln!(out, "{}: steps as recorded, {} statements", report.dataset, report.statements)?;
    Ok(())
}
