//! `snowcat init`: writes a first job from a sample answer, a file of records, or the description of an API.
//! Comments in the job (keys that begin with `//`) mark the guesses.

mod asked;
mod described;
mod names;
mod openapi;
mod references;
mod sample;
mod sampled;
mod schema;
mod tabular;

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value};
use snowcat_host::input::files::Input;
use snowcat_host::{Content, Engine, Pull, Pulled, Runner, Settings};

use self::asked::host;
pub(super) use self::openapi::OPEN;
use super::Failed;

/// Write a first job from a sample response, a file of records, or an OpenAPI description
///
/// A sample is a page of an API, an array, or a sequence of records (NDJSON). A file of records is
/// CSV, TSV, Parquet or Arrow, by its name. A description is OpenAPI 3 or Swagger 2, in JSON or
/// YAML; references to other files in its folder are followed. Comments in the job (keys that begin
/// with //) state what was detected and what is a guess. Read the job, then run `snowcat check` and
/// `snowcat plan`.
#[derive(Args)]
pub(super) struct Init {
    /// The sample, file of records or description; - is the standard input
    file: PathBuf,
    /// The URL of the sample, for requests of the job
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The name of the resource of a sample
    #[arg(long, value_name = "RESOURCE")]
    name: Option<String>,
    /// Take only this path of the description and its parents (may be repeated)
    #[arg(long, value_name = "PATH")]
    path: Vec<String>,
    /// The database to load into
    #[arg(long, default_value = "RAW")]
    database: String,
    /// The dataset to load into; named after the host or the file by default
    #[arg(long)]
    dataset: Option<String>,
    /// Write the job to this file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Overwrite the file if it exists
    #[arg(long, requires = "out")]
    force: bool,
}

/// The result does not depend on the instant.
const NOW: &str = "2026-01-01T00:00:00Z";

impl Init {
    pub(super) fn run(&self) -> Result<(), Failed> {
        let file = self.file.display().to_string();
        let usage = |why: String| Failed::Usage(format!("{file}: {why}"));
        let engine = Engine::new(&Settings::default()).map_err(|e| Failed::Work(e.to_string()))?;
        let job = if tabular::is_one(&self.file) {
            self.of_records(&file, &engine)?
        } else {
            let text = read(&self.file).map_err(|e| usage(e.to_string()))?;
            match parse(&text).map_err(usage)?.as_slice() {
                [document] if openapi::is_one(document) => {
                    self.of_description(document.clone(), &file)?
                }
                values => self.of_sample(values, &text, &file, &engine)?,
            }
        };
        let text = serde_json::to_string_pretty(&job).map_err(|e| Failed::Work(e.to_string()))?;
        if let Err(error) = Runner::new(&engine).start(&text, NOW) {
            let message = format!("no valid job could be made of {file}: {error}");
            return Err(Failed::Work(message));
        }
        match &self.out {
            None => writeln!(io::stdout(), "{text}").map_err(|e| Failed::Work(e.to_string())),
            Some(out) => self.write(out, &text),
        }
    }

    fn write(&self, out: &Path, text: &str) -> Result<(), Failed> {
        let created = if self.force { File::create(out) } else { File::create_new(out) };
        created.and_then(|mut file| writeln!(file, "{text}")).map_err(|e| {
            let why = match e.kind() {
                io::ErrorKind::AlreadyExists => {
                    "the file exists already: --force overwrites it".to_owned()
                }
                _ => e.to_string(),
            };
            Failed::Usage(format!("{}: {why}", out.display()))
        })
    }

    /// The first keys of every job.
    fn head(&self, from: &str, base_url: Option<&str>) -> Map<String, Value> {
        let named = self.dataset.clone().unwrap_or_else(|| {
            let host = base_url.and_then(host).map(|host| {
                let host = host.split(':').next().unwrap_or(host);
                let labels: Vec<&str> = host.split('.').collect();
                let label = labels.len().checked_sub(2).and_then(|at| labels.get(at));
                label.copied().unwrap_or(host).to_owned()
            });
            word(&host.unwrap_or_else(|| stem(&self.file)))
        });
        let mut job = Map::new();
        let about = format!(
            "Written by snowcat init from {from}. Keys that begin with // are comments. Next: snowcat check, \
             snowcat plan."
        );
        job.insert("//".to_owned(), about.into());
        job.insert("pipeline".to_owned(), named.clone().into());
        job.insert("database".to_owned(), self.database.clone().into());
        job.insert("dataset".to_owned(), named.into());
        job
    }
}

/// Parses one value, or several separated by whitespace.
fn parse(text: &str) -> Result<Vec<Value>, String> {
    let text = text.trim_start_matches('\u{feff}');
    let values: Result<Vec<Value>, _> =
        serde_json::Deserializer::from_str(text).into_iter().collect();
    match values {
        Ok(values) if values.is_empty() => Err("expected JSON, found nothing".to_owned()),
        Ok(values) => Ok(values),
        Err(error) => {
            // A description has one of these keys. For other text, the error of the JSON parser is
            // more helpful.
            let signs =
                ["openapi", "swagger", "\"openapi\"", "\"swagger\"", "'openapi'", "'swagger'"];
            let begins =
                |line: &str, key| line.strip_prefix(key).is_some_and(|it| it.starts_with(':'));
            if !text.lines().any(|line| signs.iter().any(|key| begins(line, key))) {
                return Err(format!(
                    "expected JSON: {error} (CSV, Parquet and Arrow are known by the file's name)"
                ));
            }
            let document =
                yaml(text).map_err(|error| format!("expected a description in YAML: {error}"))?;
            match openapi::is_one(&document) {
                true => Ok(vec![document]),
                false => Err("expected a description with paths, found none".to_owned()),
            }
        }
    }
}

/// A document in YAML.
fn yaml(text: &str) -> Result<Value, String> {
    // `no` is a string, as in YAML 1.2. Large descriptions have more nodes than the budget allows;
    // the parser limits the expansion of aliases independently.
    let options = serde_saphyr::options! { strict_booleans: true, budget: None };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())
}

/// The text of a file, decompressed if necessary.
fn read(file: &Path) -> io::Result<String> {
    let mut input = if file.as_os_str() == "-" {
        Input::of_reader(io::stdin())
    } else {
        Input::of_reader(File::open(file)?)
    };
    let pull = Pull {
        resource: String::new(),
        files: Vec::new(),
        content: Content::Text,
        encoding: None,
        skip: false,
    };
    let mut text = String::new();
    loop {
        match input.pull(&pull)? {
            // Text has no columns.
            Pulled::File(_) | Pulled::Columns(_) => {}
            Pulled::Page(page) => text.push_str(&page),
            Pulled::End => return Ok(text),
        }
    }
}

/// A name that needs no quotes.
fn word(text: &str) -> String {
    let word: String = text.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    match word.trim_matches('_') {
        "" => "items".to_owned(),
        word => word.to_owned(),
    }
}

/// The name of a file without its folder and extensions.
fn stem(file: &Path) -> String {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.split('.').next().unwrap_or_default().to_owned()
}

/// The path to the list of records on a page. `names` are possible names of the resource.
pub(super) fn selector(page: &Value, names: &[&str]) -> Option<String> {
    let found = sample::look(std::slice::from_ref(page), names, &Map::new(), |_| String::new());
    found.selector.filter(|it| it != "$")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_read() {
        assert_eq!(parse("{\"a\":1}\n{\"a\":2}").unwrap().len(), 2);
        let yaml = "# Notes\nopenapi: 3.0.0\npaths:\n  /a: &a\n    get: {responses: {200: {x: no}}}\n  /b: *a\n";
        let get = json!({"get": {"responses": {"200": {"x": "no"}}}});
        let expect = json!({"openapi": "3.0.0", "paths": {"/a": get, "/b": get}});
        assert_eq!(parse(yaml).unwrap(), [expect]);
        assert!(parse("openapi: 3.0.0\npath: {}").unwrap_err().contains("expected a description"));
        assert!(parse("openapi: 3.0.0\npaths: {").unwrap_err().contains("in YAML: "));
        assert!(parse("a: 1").unwrap_err().contains("expected JSON"));
        assert!(parse(" ").unwrap_err().contains("found nothing"));
        assert!(parse("{").unwrap_err().contains("expected JSON: EOF"));
    }
}
