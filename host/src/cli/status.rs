//! `snowcat status`: what is stored of pipelines.

use clap::Args;
use serde_json::json;

use super::load::instant;
use super::placeholders::{Setting, filled};
use super::run::ConnectionArguments;
use super::{Failed, account, read_text};

/// Show the state of pipelines, their cursors, and the last loads of a dataset
///
/// Shows, if there are any: the version of each state with the load that stored it; the cursors; checkpoints of loads
/// that have not ended; the versions of schemas; the last 10 loads (status 0 is success); and rejected records.
/// Exit codes are those of `snowcat run`.
#[derive(Args)]
pub(super) struct Status {
    /// A job (a file whose name ends in .json), or a pipeline. By default every pipeline of the dataset
    #[arg(value_name = "JOB|PIPELINE")]
    of: Option<String>,
    /// The value of a placeholder {{NAME}} in the job
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<Setting>,
    /// The database, without a job
    #[arg(long)]
    database: Option<String>,
    /// The dataset, without a job
    #[arg(long)]
    dataset: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArguments,
}

impl Status {
    pub(super) fn run(&self) -> Result<(), Failed> {
        let job = self.job()?;
        let now = instant();
        let listings = account::read(&self.connection, |runner, host| {
            let read = runner.status(&job, self.of.is_none(), &now, host)?;
            Ok(read.listings)
        })?;
        if self.json {
            return account::print_json(&listings);
        }
        account::print_text(&listings, "nothing is stored: no load of this dataset has ended")
    }

    /// Returns the job, or one that has the names only.
    fn job(&self) -> Result<String, Failed> {
        if let Some(file) = self.of.as_deref().filter(|of| of.ends_with(".json")) {
            let wrong = |why: String| Failed::Usage(format!("{file}: {why}"));
            return filled(&read_text(file.as_ref())?, &self.set).map_err(wrong);
        }
        let (Some(database), Some(dataset)) = (&self.database, &self.dataset) else {
            let message = "expected a job, or --database and --dataset, found neither";
            return Err(Failed::Usage(message.to_owned()));
        };
        // The name does not matter where every pipeline is shown.
        let pipeline = self.of.as_deref().unwrap_or("every");
        let resource = json!({"name": "none", "source": "pull"});
        let job = json!({
            "pipeline": pipeline, "database": database, "dataset": dataset, "resources": [resource],
        });
        Ok(job.to_string())
    }
}
