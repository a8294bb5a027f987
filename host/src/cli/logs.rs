//! `snowcat logs`: the log of a job service in a container.

use std::io::{self, Write as _};

use clap::Args;
use serde_json::json;

use super::Failed;
use super::account;
use super::run::ConnectionArguments;
use super::terminal::Escaped;

/// Show the log of a job service in a container, or which job services there are
///
/// Exit codes are those of `snowcat run`.
#[derive(Args)]
pub(super) struct Logs {
    /// The job service, DATABASE.SCHEMA.NAME. Without it the job services of a schema are listed
    service: Option<String>,
    /// The database of the job services
    #[arg(long, default_value = "SNOWCAT")]
    database: String,
    /// The schema of the job services
    #[arg(long, default_value = "CODE")]
    schema: String,
    /// The container
    #[arg(long, default_value = "load")]
    container: String,
    /// How many of the last lines
    #[arg(long, default_value_t = 1000)]
    lines: u32,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArguments,
}

impl Logs {
    pub(super) fn run(&self) -> Result<(), Failed> {
        let options = json!({
            "service": self.service, "database": self.database, "schema": self.schema,
            "container": self.container, "lines": self.lines,
        });
        let listings = account::read(&self.connection, |runner, host| {
            Ok(runner.logs(&options.to_string(), host)?.listings)
        })?;
        if self.json {
            return account::print_json(&listings);
        }
        if self.service.is_none() {
            return account::print_text(&listings, "there is no job service");
        }
        let mut out = Escaped(io::stdout());
        for line in listings.iter().flat_map(|it| &it.rows).filter_map(|row| row.first()?.as_ref())
        {
            writeln!(out, "{line}").map_err(|error| Failed::Work(error.to_string()))?;
        }
        Ok(())
    }
}
