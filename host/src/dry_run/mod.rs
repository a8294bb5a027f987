//! A host that runs nothing: it shows what a load would do, without a database.

pub mod samples;

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::dry_run::samples::{Answers, Sample};
use crate::host::{Host, Pulled, SqlReply};
use crate::http::{Http, ShownRequest};
use crate::input::ParquetRows;
use crate::input::files::{Input, Store};
use crate::interface::{Failure, Pull, Request, Response, Script, Upload};

/// A host that runs no SQL and uploads no files.
///
/// ```
/// use snowcat_host::input::files::Input;
/// use snowcat_host::{DryRun, Engine, Runner, Settings};
///
/// # fn main() -> Result<(), snowcat_host::Error> {
/// let job = r#"{
///     "pipeline": "shop", "database": "RAW", "dataset": "shop",
///     "resources": [{"name": "orders", "source": "pull", "format": "csv"}]
/// }"#;
/// let orders = Input::of_reader(&b"id,price\n1,9.5\n"[..]);
/// let mut host = DryRun::new().input("orders", orders).keep_rows(5);
/// Runner::new(&Engine::new(&Settings::default())?).run(job, "2026-01-01T00:00:00Z", &mut host)?;
///
/// let statements = host.scripts().iter().flat_map(|script| &script.statements);
/// assert_eq!(statements.filter(|it| it.starts_with("CREATE TABLE")).count() > 0, true);
/// let rows: Vec<&String> = host.files().iter().flat_map(|file| &file.rows).collect();
/// assert!(rows.iter().any(|row| row.contains("9.5")));
/// # Ok(())
/// # }
/// ```
///
/// It records the SQL of a load and answers [`SqlReply::DryRun`]. It keeps the files in a
/// directory, or drops them. Its input is real: pages of files, or responses of sources, which may
/// be saved ones.
#[derive(Default)]
pub struct DryRun {
    directory: Option<PathBuf>,
    /// The number of rows that are kept of each table.
    rows: usize,
    http: Option<Http>,
    inputs: Vec<(String, Input)>,
    samples: Vec<Sample>,
    answers: Option<Answers>,
    stores: Vec<Arc<dyn Store>>,
    scripts: Vec<Script>,
    files: Vec<StagedFile>,
    failure: Option<Failure>,
}

/// A file that was not sent to a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct StagedFile {
    /// The qualified and quoted name of its stage.
    pub stage: String,
    /// Its path under the stage.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// The local file with its content, if it is kept.
    pub kept: Option<PathBuf>,
    /// Its first rows as JSON objects by column names; see [`DryRun::keep_rows`]. Numbers have all
    /// digits.
    pub rows: Vec<String>,
}

impl DryRun {
    /// Returns a host without input and network, which discards files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the files in this directory, under their paths on the stage.
    #[must_use]
    pub fn keep_files(mut self, directory: PathBuf) -> Self {
        self.directory = Some(directory);
        self
    }

    /// Keeps the first rows of each table, up to this number; see [`StagedFile::rows`].
    #[must_use]
    pub const fn keep_rows(mut self, count: usize) -> Self {
        self.rows = count;
        self
    }

    /// Sends requests with this client.
    #[must_use]
    pub fn http(mut self, http: Http) -> Self {
        self.http = Some(http);
        self
    }

    /// Answers pulls of this resource with this input, regardless of the files in the job.
    #[must_use]
    pub fn input(mut self, resource: &str, input: Input) -> Self {
        self.inputs.push((resource.to_owned(), input));
        self
    }

    /// Answers requests of this resource, whose endpoint was [prepared](Sample::prepare), with its
    /// saved pages.
    #[must_use]
    pub fn sample(mut self, sample: Sample) -> Self {
        self.samples.push(sample);
        self
    }

    /// Answers requests from this transcript, and sends none.
    #[must_use]
    pub fn answers(mut self, answers: Answers) -> Self {
        self.answers = Some(answers);
        self
    }

    /// Reads the files of jobs that are in this store.
    #[must_use]
    pub fn store(self, store: impl Store + 'static) -> Self {
        self.stores([Arc::new(store) as Arc<dyn Store>])
    }

    /// Adds several stores.
    #[must_use]
    pub fn stores(mut self, stores: impl IntoIterator<Item = Arc<dyn Store>>) -> Self {
        self.stores.extend(stores);
        self
    }

    /// Returns the scripts of the load, in order.
    #[must_use]
    pub fn scripts(&self) -> &[Script] {
        &self.scripts
    }

    /// Returns the saved pages, with the counts of records that have them.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// Returns the last failure of a request or of an input.
    #[must_use]
    pub const fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Returns the files of the load, in the order of the uploads.
    #[must_use]
    pub fn files(&self) -> &[StagedFile] {
        &self.files
    }
}

impl fmt::Debug for DryRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DryRun")
            .field("inputs", &self.inputs)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl Host for DryRun {
    fn sql(&mut self, script: &Script) -> Result<SqlReply, Failure> {
        self.scripts.push(script.clone());
        Ok(SqlReply::DryRun)
    }

    fn upload(&mut self, upload: &Upload, payload: Vec<u8>) -> Result<(), Failure> {
        let mut kept = None;
        if let Some(directory) = &self.directory {
            let file = directory.join(&upload.path);
            let write = || {
                file.parent().map_or(Ok(()), fs::create_dir_all)?;
                fs::write(&file, &payload)
            };
            write().map_err(|e| failure(format!("{} cannot be written: {e}", file.display())))?;
            kept = Some(file);
        }
        // The files of a table are in one folder.
        let folder = |path: &str| path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        let same = self.files.iter().filter(|it| folder(&it.path) == folder(&upload.path));
        let wanted = self.rows.saturating_sub(same.map(|it| it.rows.len()).sum());
        let rows = first_rows(&payload, wanted)
            .map_err(|e| failure(format!("{} cannot be read: {e}", upload.path)))?;
        self.files.push(StagedFile {
            stage: upload.stage.clone(),
            path: upload.path.clone(),
            bytes: upload.size,
            kept,
            rows,
        });
        Ok(())
    }

    fn fetch(&mut self, requests: &[Request]) -> Vec<Result<Response, Failure>> {
        let mut answers: Vec<_> = requests.iter().map(|request| self.saved(request)).collect();
        let open: Vec<Request> = requests
            .iter()
            .zip(&answers)
            .filter(|(_, answer)| answer.is_none())
            .map(|(request, _)| request.clone())
            .collect();
        let mut sent = match &self.http {
            Some(http) => http.fetch(&open),
            None => open
                .iter()
                .map(|request| Err(failure(format!("{}: no network here", ShownRequest(request)))))
                .collect(),
        }
        .into_iter();
        let taken = answers.iter_mut().filter_map(|answer| answer.take().or_else(|| sent.next()));
        let answers: Vec<_> = taken.collect();
        self.failure =
            answers.iter().find_map(|it| it.as_ref().err().cloned()).or(self.failure.take());
        answers
    }

    fn pull(&mut self, pull: &Pull) -> Result<Pulled, Failure> {
        let pulled = self.pulled(pull);
        self.failure = pulled.as_ref().err().cloned().or(self.failure.take());
        pulled
    }

    fn wait(&mut self, seconds: f64, _reason: &str) {
        // The runner has checked that this is a duration. One of more than 500 million years is
        // not, and is skipped.
        thread::sleep(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    }
}

impl DryRun {
    fn pulled(&mut self, pull: &Pull) -> Result<Pulled, Failure> {
        let known = self.inputs.iter().any(|(name, _)| *name == pull.resource);
        if !known && !pull.files.is_empty() {
            let input = Input::of_places(&self.stores, &pull.files);
            let input = input.map_err(|e| failure(e.to_string()))?;
            self.inputs.push((pull.resource.clone(), input));
        }
        match self.inputs.iter_mut().find(|(name, _)| *name == pull.resource) {
            Some((_, input)) => input.pull(pull).map_err(|e| failure(e.to_string())),
            None => Err(failure(format!(
                "expected an input for the resource {}, found none",
                pull.resource
            ))),
        }
    }

    /// Returns the saved answer to a request, if there is one.
    fn saved(&mut self, request: &Request) -> Option<Result<Response, Failure>> {
        let stores = &self.stores;
        let of_sample = self.samples.iter_mut().find_map(|sample| sample.answer(stores, request));
        of_sample.or_else(|| Some(self.answers.as_ref()?.answer(request)))
    }
}

/// The first rows of a Parquet file.
fn first_rows(payload: &[u8], count: usize) -> io::Result<Vec<String>> {
    let mut rows = Vec::new();
    if count == 0 {
        return Ok(rows);
    }
    let mut file = tempfile::tempfile()?;
    file.write_all(payload)?;
    let mut found = ParquetRows::new(file, 1)?;
    while rows.len() < count
        && let Some(row) = found.next_object()?
    {
        rows.push(String::from_utf8(row).map_err(io::Error::other)?);
    }
    Ok(rows)
}

fn failure(message: String) -> Failure {
    Failure { code: String::new(), message, transient: false }
}
