//! `snowcat precompile`: compiles a component ahead of time, for other machines and for hosts of other
//! languages.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use wasmtime::{Config, Engine};

use super::{Failed, quantity};

/// Compile a component ahead of time: NAME.KEY.cwasm for each key of the engines
///
/// A host that loads such a file must run the same major release of wasmtime, with the same settings.
#[derive(Args)]
pub(super) struct Precompile {
    /// The component
    component: PathBuf,
    /// The engines: a JSON object of settings by key; `-` is the standard input
    #[arg(long, value_name = "FILE")]
    engines: PathBuf,
    /// The directory to write to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// The settings of each engine, by key.
#[derive(Deserialize)]
struct Engines(BTreeMap<String, EngineSettings>);

/// The settings of an engine, with the names of wasmtime's Python package. A missing setting has
/// wasmtime's default.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct EngineSettings {
    /// The target triple of the machine; by default this machine.
    target: Option<String>,
    concurrency_support: Option<bool>,
    memory_guard_size: Option<u64>,
    memory_init_cow: Option<bool>,
    memory_reservation: Option<u64>,
    memory_reservation_for_growth: Option<u64>,
    signals_based_traps: Option<bool>,
}

impl Precompile {
    pub(super) fn run(self) -> Result<(), Failed> {
        let engines = self.engines()?;
        let component =
            fs::read(&self.component).map_err(|e| Failed::Usage(at(&self.component, &e)))?;
        let stem = self.component.file_stem().ok_or_else(|| {
            Failed::Usage(format!("{}: expected a file", self.component.display()))
        })?;
        fs::create_dir_all(&self.out).map_err(|e| Failed::Work(at(&self.out, &e)))?;
        for (key, settings) in engines.0 {
            let file = self.out.join(format!("{}.{key}.cwasm", stem.to_string_lossy()));
            let code = settings
                .compile(&component)
                .map_err(|e| Failed::Work(format!("{}: {key}: {e:#}", self.component.display())))?;
            fs::write(&file, &code).map_err(|e| Failed::Work(at(&file, &e)))?;
            let size = quantity::bytes(code.len() as u64);
            writeln!(io::stdout(), "{}: {size}", file.display())
                .map_err(|e| Failed::Work(e.to_string()))?;
        }
        Ok(())
    }

    fn engines(&self) -> Result<Engines, Failed> {
        let text = if self.engines == Path::new("-") {
            io::read_to_string(io::stdin())
        } else {
            fs::read_to_string(&self.engines)
        };
        let usage = |what: &dyn Display| Failed::Usage(at(&self.engines, what));
        let text = text.map_err(|e| usage(&e))?;
        let engines: Engines = serde_json::from_str(&text).map_err(|e| usage(&e))?;
        // A key becomes part of a file name.
        let named = |key: &String| {
            !key.is_empty()
                && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        };
        match engines.0.keys().find(|key| !named(key)) {
            Some(key) => Err(usage(&format_args!(
                "expected a key of letters, digits and . _ -, found {key:?}"
            ))),
            None => Ok(engines),
        }
    }
}

impl EngineSettings {
    fn compile(&self, component: &[u8]) -> wasmtime::Result<Vec<u8>> {
        let mut config = Config::new();
        if let Some(target) = &self.target {
            config.target(target)?;
        }
        if let Some(enable) = self.concurrency_support {
            config.concurrency_support(enable);
        }
        if let Some(size) = self.memory_guard_size {
            config.memory_guard_size(size);
        }
        if let Some(enable) = self.memory_init_cow {
            config.memory_init_cow(enable);
        }
        if let Some(size) = self.memory_reservation {
            config.memory_reservation(size);
        }
        if let Some(size) = self.memory_reservation_for_growth {
            config.memory_reservation_for_growth(size);
        }
        if let Some(enable) = self.signals_based_traps {
            config.signals_based_traps(enable);
        }
        Engine::new(&config)?.precompile_component(component)
    }
}

fn at(file: &Path, what: &dyn Display) -> String {
    format!("{}: {what}", file.display())
}
