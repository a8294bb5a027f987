//! `snowcat init`: a first job, made of a sample answer or of the description of an API. What is a guess is
//! said so, in comments: keys that begin with `//`.

mod asked;
mod names;
mod openapi;
mod sample;
mod schema;

use std::fs::{self, File};
use std::io::{self, Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value, json};
use snowcat_host::files::Input;
use snowcat_host::{Engine, Rehearsal, Runner, Settings};

use self::asked::{Asked, SECRETS, host};
use super::Failed;

/// Write a first job, from a sample answer or from an OpenAPI description
///
/// A sample is a page of an API, an array, or records one after the other (NDJSON). A description is one of
/// OpenAPI 3 or Swagger 2, in JSON or YAML. Comments in the job (keys that begin with //) say what was found, and
/// what is a guess; look it through, then run `snowcat check` and `snowcat plan`.
#[derive(Args)]
pub(super) struct Init {
    /// A sample or a description; - is the standard input
    file: PathBuf,
    /// Where the sample came from, so that the job can ask there
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// What the resource of the sample is called
    #[arg(long, value_name = "RESOURCE")]
    name: Option<String>,
    /// Take this path of the description only (may be given again)
    #[arg(long, value_name = "PATH")]
    path: Vec<String>,
    /// The database to load into
    #[arg(long, default_value = "RAW")]
    database: String,
    /// The dataset to load into; named after the host or the file, if left out
    #[arg(long)]
    dataset: Option<String>,
    /// Write the job to this file, which must not be there yet
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Any instant will do.
const NOW: &str = "2026-01-01T00:00:00Z";

impl Init {
    pub(super) fn run(&self) -> Result<(), Failed> {
        let file = self.file.display().to_string();
        let text = read(&self.file).map_err(|e| Failed::Usage(format!("{file}: {e}")))?;
        let values = parse(&text).map_err(|why| Failed::Usage(format!("{file}: {why}")))?;
        let engine = Engine::new(&Settings::default()).map_err(|e| Failed::Work(e.to_string()))?;
        let job = match values.as_slice() {
            [document] if openapi::is_one(document) => self.of_description(document, &file)?,
            values => self.of_sample(values, &text, &file, &engine)?,
        };
        let text = serde_json::to_string_pretty(&job).map_err(|e| Failed::Work(e.to_string()))?;
        if let Err(error) = Runner::new(&engine).start(&text, NOW) {
            let message = format!("no valid job could be made of {file}: {error}");
            return Err(Failed::Work(message));
        }
        match &self.out {
            None => writeln!(io::stdout(), "{text}").map_err(|e| Failed::Work(e.to_string())),
            Some(out) => File::create_new(out)
                .and_then(|mut file| writeln!(file, "{text}"))
                .map_err(|e| Failed::Usage(format!("{}: {e}", out.display()))),
        }
    }

    /// What every job begins with.
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

    fn of_description(&self, document: &Value, file: &str) -> Result<Value, Failed> {
        let api = openapi::read(document, &self.path);
        if api.resources.is_empty() {
            let why = match api.skipped.as_slice() {
                [] => "expected a GET that answers with a list of objects, found none".to_owned(),
                skipped => skipped.join("; "),
            };
            return Err(Failed::Usage(format!("{file}: {why}")));
        }
        let (base_url, note) = api.base_url;
        let mut job = self.head(&format!("{file} ({})", api.title), Some(&base_url));
        let mut client = Map::new();
        if let Some(note) = note {
            client.insert("//base_url".to_owned(), note.into());
        }
        client.insert("base_url".to_owned(), base_url.clone().into());
        if let Some((name, mut credential)) = api.credential {
            let mut hosts: Vec<&str> = host(&base_url).into_iter().collect();
            let token =
                credential.get("access_token_url").and_then(Value::as_str).map(str::to_owned);
            hosts.extend(token.as_deref().and_then(host).filter(|it| Some(*it) != host(&base_url)));
            credential.insert("hosts".to_owned(), hosts.into());
            credential.insert("secret".to_owned(), name.clone().into());
            let mut credentials = Map::new();
            credentials.insert(name.clone(), credential.into());
            job.insert("//credentials".to_owned(), SECRETS.into());
            job.insert("credentials".to_owned(), credentials.into());
            client.insert("auth".to_owned(), name.into());
        }
        job.insert("client".to_owned(), client.into());
        if !api.skipped.is_empty() {
            job.insert("//left_out".to_owned(), api.skipped.into());
        }
        job.insert("resources".to_owned(), api.resources.into());
        Ok(job.into())
    }

    fn of_sample(
        &self,
        values: &[Value],
        text: &str,
        file: &str,
        engine: &Engine,
    ) -> Result<Value, Failed> {
        let asked = self.url.as_deref().map(Asked::of).transpose().map_err(Failed::Usage)?;
        let named = |key: Option<&str>| {
            let key = key.filter(|key| !names::RECORD_KEYS.contains(key)).map(str::to_owned);
            let path =
                asked.as_ref().and_then(|it| it.path.split('/').next_back().map(str::to_owned));
            let name = self.name.clone().or(key).or(path.filter(|it| !it.is_empty()));
            word(&name.unwrap_or_else(|| stem(&self.file)))
        };
        let found = sample::look(values, named);
        if found.records == 0 {
            return Err(Failed::Usage(format!("{file}: expected records, found none")));
        }
        let selector = found.selector.as_deref();
        let name = named(selector.filter(|it| *it != "$").and_then(|it| it.rsplit('.').next()));

        let mut resource = Map::new();
        resource.insert("name".to_owned(), name.clone().into());
        keys(&found, &mut resource);
        let mut endpoint = Map::new();
        if let Some(asked) = &asked {
            let path = if asked.path.is_empty() { "/" } else { asked.path.as_str() };
            endpoint.insert("path".to_owned(), path.into());
            if !asked.params.is_empty() {
                endpoint.insert("params".to_owned(), asked.params.clone().into());
            }
        } else {
            resource.insert(
                "//source".to_owned(),
                "Records come from the host (snowcat plan --input). To ask an API, give a client with a \
                 base_url, an endpoint with a path, and leave this out."
                    .into(),
            );
            resource.insert("source".to_owned(), "pull".into());
        }
        if let Some(selector) = selector.filter(|it| asked.is_some() || *it != "$") {
            endpoint.insert("data_selector".to_owned(), selector.into());
        }
        match &found.paginator {
            Some((paginator, note)) if asked.is_some() => {
                endpoint.insert("//paginator".to_owned(), (*note).into());
                endpoint.insert("paginator".to_owned(), paginator.clone());
            }
            None if asked.is_some() => {
                let note = "No sign of pages: it is found out from the first answer, where the Link header \
                            tells too.";
                endpoint.insert("//paginator".to_owned(), note.into());
            }
            _ => {}
        }
        let holder = if endpoint.is_empty() { &mut resource } else { &mut endpoint };
        cursor(&found, holder);
        if !endpoint.is_empty() {
            resource.insert("endpoint".to_owned(), endpoint.into());
        }

        let base_url = asked.as_ref().map(|it| it.base_url.as_str());
        let mut job = self.head(file, base_url);
        if let Some(asked) = &asked {
            asked.client(&mut job);
        }
        job.insert("resources".to_owned(), json!([resource]));
        let mut job = Value::Object(job);
        let tables = preview(&job, &name, text, engine);
        if let Some(resource) = job.pointer_mut("/resources/0").and_then(Value::as_object_mut) {
            resource.insert("//tables".to_owned(), tables);
        }
        Ok(job)
    }
}

/// Where the records are on a page, where there is a list of them.
pub(super) fn selector(page: &Value) -> Option<String> {
    let found = sample::look(std::slice::from_ref(page), |_| String::new());
    found.selector.filter(|it| it != "$")
}

/// The key, and how rows are written with it.
fn keys(found: &sample::Found, resource: &mut Map<String, Value>) {
    match found.keys.as_slice() {
        [] => {
            let note =
                "No field looks like one: rows are added. With one, merge replaces what is there.";
            resource.insert("//primary_key".to_owned(), note.into());
            resource.insert("write_disposition".to_owned(), "append".into());
        }
        [key, others @ ..] => {
            let mut note = format!("It is another one in each of {} records.", found.records);
            if !others.is_empty() {
                note.push_str(&format!(" So are: {}.", others.join(", ")));
            }
            resource.insert("//primary_key".to_owned(), note.into());
            resource.insert("primary_key".to_owned(), key.clone().into());
            resource.insert("write_disposition".to_owned(), "merge".into());
        }
    }
}

/// The cursor, where a field tells of changes; else what could be one, as a comment.
fn cursor(found: &sample::Found, holder: &mut Map<String, Value>) {
    let paths: Vec<&str> = found.cursors.iter().map(|(path, _)| path.as_str()).collect();
    match found.cursors.first() {
        Some((path, value)) if sample::tells_changes(path) => {
            let mut note =
                "Only what is newer than the last load is kept; with start_param, the name of a \
                            parameter, only that is asked for."
                    .to_owned();
            if let [_, others @ ..] = paths.as_slice()
                && !others.is_empty()
            {
                note.push_str(&format!(" Others: {}.", others.join(", ")));
            }
            holder.insert("//incremental".to_owned(), note.into());
            holder.insert("incremental".to_owned(), {
                let initial = match value {
                    Value::Number(_) => json!(0),
                    // A date is compared with a date.
                    Value::String(text) if text.len() == 10 => json!("1970-01-01"),
                    _ => json!("1970-01-01T00:00:00Z"),
                };
                json!({"cursor_path": path, "initial_value": initial})
            });
        }
        Some(_) => {
            let note = format!(
                "No field tells of changes; of new records tell: {}. {{\"cursor_path\": \"..\"}} keeps only \
                 what is newer than the last load.",
                paths.join(", ")
            );
            holder.insert("//incremental".to_owned(), note.into());
        }
        None => {}
    }
}

/// The tables that the sample makes, and their rows.
fn preview(job: &Value, resource: &str, text: &str, engine: &Engine) -> Value {
    let mut job = job.clone();
    if let Some(pulled) = job.pointer_mut("/resources/0").and_then(Value::as_object_mut) {
        pulled.insert("source".to_owned(), "pull".into());
        pulled.insert("format".to_owned(), "json".into());
    }
    let run = || {
        let input = Input::of_reader(Cursor::new(text.to_owned()));
        let mut warehouse = Rehearsal::new().input(resource, input);
        let run = Runner::new(engine).run(&job.to_string(), NOW, &mut warehouse);
        run.map_err(|e| e.to_string())
    };
    match run() {
        Ok(report) => {
            let tables = report.tables.iter().filter(|table| table.resource == resource);
            tables.map(|table| (table.name.clone(), Value::from(table.rows))).collect()
        }
        Err(why) => format!("the sample could not be loaded: {why}").into(),
    }
}

/// One value, or several with white space between them.
fn parse(text: &str) -> Result<Vec<Value>, String> {
    let text = text.trim_start_matches('\u{feff}');
    let values: Result<Vec<Value>, _> =
        serde_json::Deserializer::from_str(text).into_iter().collect();
    match values {
        Ok(values) if values.is_empty() => Err("expected JSON, found nothing".to_owned()),
        Ok(values) => Ok(values),
        Err(error) => {
            // A description has one of these keys; of anything else, that it is not JSON says more.
            let yaml =
                ["openapi", "swagger", "\"openapi\"", "\"swagger\"", "'openapi'", "'swagger'"];
            let begins =
                |line: &str, key| line.strip_prefix(key).is_some_and(|it| it.starts_with(':'));
            if !text.lines().any(|line| yaml.iter().any(|key| begins(line, key))) {
                return Err(format!("expected JSON: {error}"));
            }
            // `no` is a word, as in YAML 1.2. Large APIs have more nodes than any budget; that aliases do
            // not multiply without end is seen to apart from it.
            let options = serde_saphyr::options! { strict_booleans: true, budget: None };
            let document: Value = serde_saphyr::from_str_with_options(text, options)
                .map_err(|error| format!("expected a description in YAML: {error}"))?;
            match openapi::is_one(&document) {
                true => Ok(vec![document]),
                false => Err("expected a description with paths, found none".to_owned()),
            }
        }
    }
}

fn read(file: &Path) -> io::Result<String> {
    if file.as_os_str() != "-" {
        return fs::read_to_string(file);
    }
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

/// A name that needs no quotes.
fn word(text: &str) -> String {
    let word: String = text.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    match word.trim_matches('_') {
        "" => "items".to_owned(),
        word => word.to_owned(),
    }
}

/// What a file is called, without its folder and its endings.
fn stem(file: &Path) -> String {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.split('.').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
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
