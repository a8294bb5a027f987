//! The scripts of a run.

use std::time::Duration;

use snowcat_host::{Error, Observer, Script, Step};

/// Keeps the scripts of a run, in order.
#[derive(Default)]
pub(super) struct Scripts(Vec<Script>);

impl Scripts {
    pub(super) fn all(&self) -> &[Script] {
        &self.0
    }
}

impl Observer for Scripts {
    fn step(&mut self, step: &Step, _payload: &[u8], _spent: Duration) -> Result<(), Error> {
        if let Step::Sql(script) = step {
            self.0.push(script.clone());
        }
        Ok(())
    }
}
