//! The findings of an examination, and their form in the output.

use std::io::{self, Write as _};

use serde_json::{Value, json};
use snowcat_host::http::Finding;

use super::super::Failed;
use super::super::terminal::{Escaped, printable};

/// The findings, in the order of the checks. As text they are printed at once.
pub(super) struct Findings {
    json: bool,
    checks: Vec<Value>,
    wrong: usize,
    broken: Option<io::Error>,
}

impl Findings {
    pub(super) const fn new(json: bool) -> Self {
        Self { json, checks: Vec::new(), wrong: 0, broken: None }
    }

    /// Adds the finding of a check.
    pub(super) fn add(&mut self, name: &str, finding: Finding) {
        self.keep(name, &finding);
        self.print(name, &finding);
    }

    /// Adds a check that is part of the line of several, which [`summary`](Self::summary) prints.
    pub(super) fn keep(&mut self, name: &str, finding: &Finding) {
        let (result, seen, remedy) = parts(finding);
        self.wrong += usize::from(finding.is_wrong());
        self.checks.push(json!({"name": name, "result": result, "seen": seen, "remedy": remedy}));
    }

    /// Prints a line of several checks.
    pub(super) fn summary(&mut self, name: &str, finding: &Finding) {
        self.print(name, finding);
    }

    /// Adds checks that were not tried.
    pub(super) fn untried(&mut self, names: &[&str], reason: &str) {
        for name in names {
            self.add(name, Finding::Untried(reason.to_owned()));
        }
    }

    /// Prints the rest of the output.
    ///
    /// # Errors
    /// If a check is wrong.
    pub(super) fn finish(self) -> Result<(), Failed> {
        let work = |error: io::Error| Failed::Work(error.to_string());
        if let Some(error) = self.broken {
            return Err(work(error));
        }
        if self.json {
            let report = json!({"checks": self.checks, "wrong": self.wrong});
            writeln!(io::stdout(), "{report}").map_err(work)?;
        }
        match self.wrong {
            0 => Ok(()),
            1 => Err(Failed::Work("1 check found something wrong".to_owned())),
            count => Err(Failed::Work(format!("{count} checks found something wrong"))),
        }
    }

    fn print(&mut self, name: &str, finding: &Finding) {
        if self.json || self.broken.is_some() {
            return;
        }
        let (result, seen, remedy) = parts(finding);
        let arrow = if remedy.is_empty() { "" } else { " -> " };
        let line = format!("{name}: {}{arrow}{}", printable(seen), printable(remedy));
        let mut out = Escaped(io::stdout());
        self.broken = writeln!(out, "{result:<9}  {line}").and_then(|()| out.flush()).err();
    }
}

/// Returns the result in a word, what was found, and what to do.
fn parts(finding: &Finding) -> (&'static str, &str, &str) {
    match finding {
        Finding::Good(seen) => ("ok", seen, ""),
        Finding::Wrong { seen, remedy } => ("wrong", seen, remedy),
        Finding::Untried(reason) => ("not tried", reason, ""),
    }
}
