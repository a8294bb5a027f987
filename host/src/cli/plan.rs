//! `snowcat plan`: a load without a database. It shows what the load would create, run and upload;
//! its input is real.

use std::fs::{self, File};
use std::io::{self, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde_json::Value;
use snowcat_host::dry_run::samples::Answers;
use snowcat_host::input::files::Input;
use snowcat_host::{DryRun, Engine, Error, Observer, Report, Runner, Settings, Stop};

use super::load::{LoadArguments, sources, stores};
use super::progress::ProgressDisplay;
use super::{Failed, job, show};

/// Show the tables of a load and their first rows, without Snowflake
///
/// The load runs on the given input or the sources of the job. Only its SQL does not run: the plan
/// is that of an empty dataset. Secrets of credentials are read from SNOWCAT_<SECRET>_USERNAME,
/// SNOWCAT_<SECRET>_PASSWORD and SNOWCAT_<SECRET>_TOKEN; those of buckets (s3://, az://, gs://)
/// from the variables of each cloud's tools, such as AWS_ACCESS_KEY_ID, AZURE_STORAGE_KEY and
/// GOOGLE_APPLICATION_CREDENTIALS.
#[derive(Args)]
pub(super) struct Plan {
    #[command(flatten)]
    load: LoadArguments,
    /// Read a resource from a file or a pattern of files (JSON, NDJSON, an array, pages of an API,
    /// or the format that the name or the resource implies; - is the standard input). Resources
    /// without a file are skipped. For one file per record of a parent, with pages of the API, put
    /// a field of that record in the name, as in comments/{resources.posts.id}.json. Child records
    /// from other files have no fields of their parents
    #[arg(long, value_name = "[RESOURCE=]FILE")]
    input: Vec<String>,
    /// Answer requests from the transcript of another plan, and send none
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Write the Parquet files to this directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Show the files, the DDL and the SQL, too
    #[arg(long)]
    sql: bool,
}

impl Plan {
    pub(super) fn run(&self) -> Result<(), Failed> {
        let began = Instant::now();
        let mut job = self.load.job()?;
        let inputs = job::feed(&mut job, &self.input).map_err(Failed::Usage)?;
        let notes = select(&mut job, &inputs);
        let mut host = self.host(&job, &inputs)?;
        let mut transcript = self.load.transcript()?;

        let engine = Engine::new(&Settings::default()).map_err(|e| failed(&e))?;
        let compiled = began.elapsed();
        let mut progress = ProgressDisplay::new();
        let mut observers: Vec<&mut dyn Observer> = vec![&mut progress];
        if let Some(transcript) = &mut transcript {
            observers.push(transcript);
        }
        let run = Runner::new(&engine).limits(self.load.limits()).run_observed(
            &job.to_string(),
            &self.load.now(),
            &mut host,
            &mut observers,
        );
        progress.finish();
        let mut report = run.map_err(|e| failed_load(e, &host))?;
        drop_paginators(&mut report, &host);
        report.warnings.splice(..0, notes);
        report_missing_files(&host);
        let shown = show::Shown {
            report: &report,
            scripts: host.scripts(),
            files: host.files(),
            timings: progress.timings,
            compiled,
            total: began.elapsed(),
        };
        let printed = self.load.print(&shown, |out| shown.text(out, self.sql));
        printed.map_err(|e| Failed::Work(e.to_string()))
    }

    /// Returns the host of the run with its inputs: stores, files, recorded answers and the
    /// sources.
    fn host(&self, job: &Value, inputs: &[job::ResourceFile]) -> Result<DryRun, Failed> {
        let stop = Stop::new();
        let stores = stores(&stop);
        let mut host = sources(job, &stores, &stop);
        if !self.load.json {
            host = host.keep_rows(show::SHOWN);
        }
        if let Some(directory) = &self.out {
            host = host.keep_files(directory.clone());
        }
        if let Some(file) = &self.answers {
            let wrong = |why: String| Failed::Usage(format!("{}: {why}", file.display()));
            let text = fs::read_to_string(file).map_err(|e| wrong(e.to_string()))?;
            host = host.answers(Answers::new(&text).map_err(wrong)?);
        }
        for input in inputs {
            if let Some(sample) = input.sample() {
                host = host.sample(sample);
                continue;
            }
            let file = input.file.display().to_string();
            let given = match file.as_str() {
                "-" => Ok(Input::of_reader(io::stdin())),
                _ => Input::of_places(&stores, &[file]),
            };
            let given = given.map_err(|e| Failed::Usage(e.to_string()))?;
            host = host.input(&input.resource, given);
        }
        Ok(host)
    }
}

/// Prints the number of parent records without a file of saved pages.
fn report_missing_files(host: &DryRun) {
    for sample in host.samples() {
        let (requested, missing) = sample.found();
        if missing > 0 {
            let resource = sample.resource();
            // If stderr is closed, the exit code is enough.
            _ = writeln!(
                io::stderr(),
                "snowcat: {resource}: no file for {missing} of {requested} records of its parent"
            );
        }
    }
}

/// The maximum size in bytes of a page that is read twice.
const LARGEST_PAGE: u64 = 64 << 20;

/// Sets the path to the records in the job for inputs that are one page of an API. Returns a
/// warning for each path.
fn select(job: &mut Value, inputs: &[job::ResourceFile]) -> Vec<String> {
    let mut notes = Vec::new();
    for input in inputs {
        let path = job::path(job, &input.resource);
        let names = [Some(input.resource.as_str()), path.as_deref()];
        let names: Vec<&str> = names.into_iter().flatten().collect();
        if let Some(selector) = selector(&input.file, &names)
            && job::select(job, &input.resource, &selector)
        {
            notes.push(format!(
                "resource {}: no \"data_selector\" is named: the records are taken from the list at {selector:?}",
                input.resource
            ));
        }
    }
    notes
}

/// Removes the warnings about paginators of resources whose pages are files: their names set the
/// order.
fn drop_paginators(report: &mut Report, host: &DryRun) {
    const SAID: &str = "the paginator that is named found no page";
    let samples = host.samples().iter();
    let warnings: Vec<String> =
        samples.map(|it| format!("resource {}: {SAID}", it.resource())).collect();
    report.warnings.retain(|it| !warnings.iter().any(|begin| it.starts_with(begin)));
}

/// The path to the records in a file that is one page of an API: one object with a list in it.
/// `names` are possible names of the resource.
fn selector(file: &Path, names: &[&str]) -> Option<String> {
    // The load reads the file again, and reports its errors.
    let file = File::open(file).ok()?;
    if file.metadata().ok()?.len() > LARGEST_PAGE {
        return None;
    }
    let reader = BufReader::new(file);
    let mut values = serde_json::Deserializer::from_reader(reader).into_iter::<Value>();
    let page = values.next()?.ok().filter(Value::is_object)?;
    if values.next().is_some() {
        return None;
    }
    super::init::selector(&page, names)
}

/// The error of a load. If the host could not read or fetch something, the message has the
/// location, and the same location is removed from the fault's path.
fn failed_load(error: Error, host: &DryRun) -> Failed {
    let own = host.failure().map(|it| it.message.as_str());
    match (error, own) {
        (Error::Fault(mut fault), Some(own)) if fault.message.ends_with(own) => {
            fault.message = own.to_owned();
            fault.context.retain(|place| {
                let repeated = own.starts_with(place.strip_prefix("file ").unwrap_or(place));
                !repeated && place != "page 0"
            });
            failed(&Error::Fault(fault))
        }
        (error, _) => failed(&error),
    }
}

fn failed(error: &Error) -> Failed {
    Failed::Work(error.to_string())
}
