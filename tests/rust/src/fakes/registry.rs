//! The table of fakes: what the program and the tests of all ready-made jobs read.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{FAKES, FakeServer, Service, Setup};

/// A fake service: one entry in [`FAKES`].
pub struct Fake {
    /// Its name: the subcommand of the program.
    pub name: &'static str,
    /// The service, and what its size counts.
    pub about: &'static str,
    /// The default size.
    pub(super) size: u64,
    /// The default secret: a token, or `user:password`.
    pub(super) secret: &'static str,
    /// The values of the placeholders of its jobs.
    pub(super) settings: &'static [(&'static str, &'static str)],
    /// Makes the service.
    pub(super) make: fn(&Options) -> Arc<dyn Service>,
    /// Small loads, of which tests disturb every request.
    pub(super) trials: &'static [Trial],
}

/// The data of a fake, and the secret that it accepts.
#[derive(Clone, Debug)]
pub struct Options {
    /// The number of objects; see [`Fake::about`].
    pub size: u64,
    /// The seed of the generated data.
    pub seed: u64,
    /// The secret that a client must prove: a token, or `user:password`.
    pub secret: String,
}

/// A small load of a ready-made job.
pub(super) struct Trial {
    /// Its name in messages.
    pub(super) name: &'static str,
    /// The job: the name of its file.
    pub(super) job: &'static str,
    pub(super) size: u64,
    pub(super) seed: u64,
    /// The resources that are loaded.
    pub(super) selected: &'static [&'static str],
    /// Lowers the page sizes of the job so that there are several pages.
    pub(super) shrink: fn(&mut Value),
}

impl Fake {
    /// The fake of this name.
    ///
    /// # Errors
    ///
    /// If there is none. The message lists all names.
    pub fn find(name: &str) -> Result<&'static Self, String> {
        FAKES.iter().find(|fake| fake.name == name).ok_or_else(|| {
            let names: Vec<_> = FAKES.iter().map(|fake| fake.name).collect();
            format!("expected a fake of {}, found {name}", names.join(", "))
        })
    }

    /// Its default options.
    pub fn options(&self) -> Options {
        Options { size: self.size, seed: 42, secret: self.secret.to_owned() }
    }

    /// Starts it.
    ///
    /// # Errors
    ///
    /// If the port cannot be bound.
    pub fn start(&self, setup: Setup, options: &Options) -> io::Result<FakeServer> {
        FakeServer::start(setup, (self.make)(options))
    }

    /// Its settings and trials as JSON, for the tests in Python.
    ///
    /// # Errors
    ///
    /// If the job of a trial cannot be read.
    pub fn to_json(&self) -> Result<Value, String> {
        let settings: BTreeMap<_, _> = self.settings.iter().copied().collect();
        let trials = self.trials.iter().map(|trial| {
            Ok(json!({
                "name": trial.name,
                "size": trial.size,
                "seed": trial.seed,
                "job": trial.job(self.settings)?,
            }))
        });
        let trials = trials.collect::<Result<Vec<_>, String>>()?;
        Ok(json!({ "settings": settings, "trials": trials }))
    }
}

impl Trial {
    /// The job with the values of its placeholders and small pages.
    pub(super) fn job(&self, settings: &[(&str, &str)]) -> Result<Value, String> {
        let jobs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../procedures/jobs");
        let file = jobs.join(format!("{}.json", self.job));
        let named = |error: &dyn ToString| format!("{}: {}", file.display(), error.to_string());
        let text = std::fs::read_to_string(&file).map_err(|error| named(&error))?;
        let text = settings
            .iter()
            .fold(text, |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value));
        let mut job: Value = serde_json::from_str(&text).map_err(|error| named(&error))?;
        (self.shrink)(&mut job);
        job["selected"] = json!(self.selected);
        Ok(job)
    }
}

/// The rows that a load makes of items. Each column is the value at a path (keys separated by dots).
pub(super) fn table(items: &[Value], columns: &[(&str, &str)]) -> Value {
    let at = |item: &Value, path: &str| {
        path.split('.').try_fold(item, |item, key| item.get(key)).cloned().unwrap_or_default()
    };
    let row = |item| columns.iter().map(|(_, path)| at(item, path)).collect::<Vec<_>>();
    json!({
        "columns": columns.iter().map(|(column, _)| column).collect::<Vec<_>>(),
        "rows": items.iter().map(row).collect::<Vec<_>>(),
    })
}

/// The `Authorization` header of `user:password`.
pub(super) fn basic(secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(secret))
}
