//! Runs conformance cases natively: `cargo test --test conformance NAME` runs the case NAME. If no case has this
//! name, it runs the cases whose names contain NAME.
//!
//! The runner is in Python (`tests/python/conformance`), which has the emulator and the comparison.
//! This program starts it, and is also the library that it drives, so that nothing else must be
//! built.

#[path = "../src/bin/library.rs"]
mod library;

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Set for the process that acts as the library.
const AS_LIBRARY: &str = "SNOWCAT_CONFORMANCE_LIBRARY";

fn main() -> io::Result<ExitCode> {
    if std::env::var_os(AS_LIBRARY).is_some() {
        library::main()?;
        return Ok(ExitCode::SUCCESS);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let names = std::env::args_os().skip(1).filter(|word| !starts_with_dashes(word));
    let folders = ["tests", "tests/python", "procedures/handler", "procedures/install"];
    let path = std::env::join_paths(folders.map(|folder| root.join(folder)));
    let ended = Command::new(root.join("target/venv/bin/python"))
        .args(["-m", "conformance", "--native", "--library"])
        .arg(std::env::current_exe()?)
        .args(names)
        .env("PYTHONPATH", path.map_err(io::Error::other)?)
        .env(AS_LIBRARY, "1")
        .status()
        .map_err(|error| {
            io::Error::new(error.kind(), format!("target/venv: {error}; run `make setup` first"))
        })?;
    Ok(if ended.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn starts_with_dashes(word: &OsStr) -> bool {
    word.to_string_lossy().starts_with("--")
}
