//! `snowcat check`: reports whether a job is valid, and the line of each error.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use snowcat_host::input::buckets;
use snowcat_host::{
    Engine, Error, Failure, Fault, FaultKind, Host, Pull, Pulled, Request, Response, Runner,
    Script, Settings, SqlReply, Upload,
};

use super::document::{Node, Step, position, steps};
use super::init::OPEN;
use super::placeholders::{Setting, all_are_known, filled_as_given, missing as without_setting};
use super::terminal::Escaped;
use super::{Failed, read_text};

/// Report whether jobs are valid, and the position of each error
///
/// Every error is reported with its line and column. The exit code is 0 for valid jobs, 1 for
/// others and 2 for files that cannot be read.
#[derive(Args)]
pub(super) struct Check {
    /// The jobs (JSON files)
    #[arg(required = true)]
    jobs: Vec<PathBuf>,
    /// The value of a placeholder {{NAME}} in the jobs
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<Setting>,
    /// The policy.json of an installation. A job that it does not allow is not valid
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Print one JSON object per error
    #[arg(long)]
    json: bool,
}

/// The part of a `policy.json` for jobs, in the form of the component.
fn policy(file: &Path) -> Result<String, Failed> {
    let usage = |why: &dyn std::fmt::Display| Failed::Usage(format!("{}: {why}", file.display()));
    let found: Value = serde_json::from_str(&read_text(file)?).map_err(|e| usage(&e))?;
    match found.get("jobs") {
        Some(jobs @ Value::Object(_)) => Ok(jobs.to_string()),
        _ => Err(usage(&"expected an object \"jobs\", found none")),
    }
}

/// The maximum number of errors that are reported.
const MOST: usize = 20;

impl Check {
    pub(super) fn run(&self) -> Result<(), Failed> {
        let work = |e: &dyn std::fmt::Display| Failed::Work(e.to_string());
        let mut texts = Vec::new();
        for file in &self.jobs {
            texts.push((file.display().to_string(), read_text(file)?));
        }
        let jobs: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
        all_are_known(&jobs, &self.set).map_err(Failed::Usage)?;
        let engine = Engine::new(&Settings::default()).map_err(|e| work(&e))?;
        let mut runner = Runner::new(&engine);
        if let Some(file) = &self.policy {
            runner = runner.policy(policy(file)?);
        }
        let mut invalid = Vec::new();
        for (file, text) in &texts {
            let mut trap = None;
            let judge = |job: &str| match runner.run(job, NOW, &mut Nothing::default()) {
                // A job without anything to load is valid.
                Err(Error::Fault(fault)) if fault.kind == FaultKind::Config => Some(fault),
                Ok(_) | Err(Error::Fault(_)) => None,
                Err(error) => {
                    trap = Some(error.to_string());
                    None
                }
            };
            let mut mistakes = unfilled(text, &self.set, mistakes(text, &self.set, judge));
            mistakes.extend(misplaced(text, &self.set));
            if let Some(trap) = trap {
                return Err(Failed::Work(format!("{file}: {trap}")));
            }
            for mistake in &mistakes {
                if self.json {
                    writeln!(io::stdout(), "{}", mistake.json(file))
                } else {
                    writeln!(Escaped(io::stderr()), "{}", mistake.text(file))
                }
                .map_err(|e| work(&e))?;
            }
            match mistakes.len() {
                0 if self.json => {}
                0 => writeln!(Escaped(io::stdout()), "{file}: valid{}", summary(text))
                    .map_err(|e| work(&e))?,
                1 => invalid.push(format!("{file}: 1 mistake")),
                count => invalid.push(format!("{file}: {count} mistakes")),
            }
        }
        if invalid.is_empty() { Ok(()) } else { Err(Failed::Work(invalid.join("; "))) }
    }
}

/// Validity does not depend on the instant.
const NOW: &str = "2026-01-01T00:00:00Z";

/// A host whose sources are empty: a load of nothing reports the errors of a job that can be
/// parsed.
#[derive(Default)]
struct Nothing {
    requests: usize,
}

impl Host for Nothing {
    fn sql(&mut self, _: &Script) -> Result<SqlReply, Failure> {
        Ok(SqlReply::DryRun)
    }

    fn upload(&mut self, _: &Upload, _: Vec<u8>) -> Result<(), Failure> {
        Ok(())
    }

    fn fetch(&mut self, requests: &[Request]) -> Vec<Result<Response, Failure>> {
        self.requests += requests.len();
        let answer = || {
            // A load that continues to request gets an error here.
            if self.requests > 100 {
                return Err(Failure {
                    code: String::new(),
                    message: "nothing is asked in a check".to_owned(),
                    transient: false,
                });
            }
            let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
            Ok(Response { status: 200, headers, body: "[]".to_owned() })
        };
        requests.iter().map(|_| answer()).collect()
    }

    fn pull(&mut self, _: &Pull) -> Result<Pulled, Failure> {
        Ok(Pulled::End)
    }

    fn wait(&mut self, _: f64, _: &str) {}
}

/// An error and its position in the file.
#[derive(Debug)]
struct Mistake {
    line: usize,
    column: usize,
    source: String,
    place: String,
    message: String,
}

impl Mistake {
    fn at(text: &str, byte: usize, place: String, message: String) -> Self {
        let (line, column, source) = position(text, byte);
        Self { line, column, source: source.to_owned(), place, message }
    }

    fn text(&self, file: &str) -> String {
        let Self { line, column, source, place, message } = self;
        let colon = if place.is_empty() { "" } else { ": " };
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        // Tabs are kept, so that the mark is under its character.
        let indent: String = source
            .chars()
            .take(column.saturating_sub(1))
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        format!(
            "{file}:{line}:{column}: {place}{colon}{message}\n  {number} | {source}\n  {margin} | {indent}^"
        )
    }

    fn json(&self, file: &str) -> Value {
        json!({
            "file": file, "line": self.line, "column": self.column, "place": self.place,
            "message": self.message,
        })
    }
}

/// Returns all independent errors. After each the job is corrected if the intention is clear, or
/// else the invalid part is removed, and it is checked again. It stops when an error
/// could result from a correction.
fn mistakes(
    text: &str,
    settings: &[Setting],
    mut judge: impl FnMut(&str) -> Option<Fault>,
) -> Vec<Mistake> {
    let parsed = serde_json::from_str::<Value>(text);
    let document = parsed.is_ok().then(|| Node::read(text)).flatten();
    let Some(mut document) = document else {
        return judge(text).map(|fault| syntax(text, &fault)).into_iter().collect();
    };
    let mut found: Vec<Mistake> = Vec::new();
    let mut removed: Vec<Vec<Step>> = Vec::new();
    while found.len() < MOST {
        let Some(fault) = judge(&filled_as_given(&document.to_string(), settings)) else { break };
        let place = fault.context.first().map(String::as_str).unwrap_or_default();
        let Some(path) = steps(place) else {
            // It is a fault of the run, which names the resource.
            found.push(of_run(text, &document, parsed.as_ref().ok(), &fault));
            break;
        };
        let path = overlaid(&document, path);
        let message = sentence(&fault);
        let (node, taken) = document.follow(&path);
        let whole = taken == path.len();
        if removed.iter().any(|gone| path.starts_with(gone)) {
            break;
        }
        let unknown = fault.message.strip_prefix("unknown key ").filter(|_| whole);
        let key =
            unknown.and_then(|words| node.quoted_key(words)).map(|(k, at)| (k.to_owned(), at));
        if key.is_none() && place.is_empty() && fault.message.contains(" at line ") {
            found.push(syntax(text, &judge(text).unwrap_or(fault)));
            break;
        }
        let at = key.as_ref().map_or(node.at, |(_, at)| *at);
        found.push(Mistake::at(text, at, place.to_owned(), message));
        let proposed = proposed(&fault.message);
        let mended = match key {
            Some((key, _)) => document.rename(&path, &key, proposed),
            // A missing key of the job is added, so that the next missing one is found, too.
            None if missing(&fault.message).is_some() && path.len() == 1 => missing(&fault.message)
                .is_some_and(|value| {
                    document.put(place, value);
                    true
                }),
            // The name is made unique, so that the rest of the resource is checked.
            None if whole && fault.message.ends_with("is given twice") => {
                document.replace(&path, &format!("mistake {}", found.len()))
            }
            None if !whole || fault.message.ends_with("found nothing") => false,
            None => match proposed {
                Some(word) => document.replace(&path, word),
                None => {
                    let gone = document.remove(&path);
                    removed.push(path);
                    gone
                }
            },
        };
        if !mended {
            break;
        }
    }
    found
}

/// The placeholders without a setting, before the other errors. A string with such a placeholder is
/// not checked further.
fn unfilled(text: &str, settings: &[Setting], others: Vec<Mistake>) -> Vec<Mistake> {
    let placeholders = without_setting(text, settings);
    let unfilled = placeholders.iter().map(|missing| {
        let message = format!("{missing}: --set {}=VALUE", missing.name);
        Mistake::at(text, missing.at, String::new(), message)
    });
    let mut found: Vec<Mistake> = unfilled.collect();
    let count = found.len();
    for other in others {
        let place = (other.line, other.column);
        if !found.iter().take(count).any(|it| (it.line, it.column) == place) {
            found.push(other);
        }
    }
    found
}

/// A value for a missing key of the job.
fn missing(message: &str) -> Option<&'static str> {
    match message {
        "expected a string, found nothing" => Some("\"x\""),
        "expected at least one resource, found nothing" => Some("[{\"name\": \"x\"}]"),
        _ => None,
    }
}

/// Locations in buckets that are invalid: the load leaves them to its host.
fn misplaced(text: &str, settings: &[Setting]) -> Vec<Mistake> {
    let job: Value = serde_json::from_str(text).unwrap_or_default();
    let resources = job.get("resources").and_then(Value::as_array);
    let mut found = Vec::new();
    for (n, resource) in resources.into_iter().flatten().enumerate() {
        let files = resource.get("files");
        let several = files.and_then(Value::as_array);
        let one = several.is_none().then_some((String::new(), files)).into_iter();
        let each = several.into_iter().flatten().enumerate();
        let each = each.map(|(at, file)| (format!("[{at}]"), Some(file)));
        for (at, file) in one.chain(each) {
            let Some(place) = file.and_then(Value::as_str) else { continue };
            let Err(error) = buckets::check(&filled_as_given(place, settings)) else { continue };
            let place = format!("resources[{n}].files{at}");
            let node = Node::read(text).zip(steps(&place));
            let at = node.map_or(0, |(node, path)| node.follow(&path).0.at);
            found.push(Mistake::at(text, at, place, error.to_string()));
        }
    }
    found
}

/// The error of a run about a resource.
fn of_run(text: &str, document: &Node, job: Option<&Value>, fault: &Fault) -> Mistake {
    let named = fault.context.iter().find_map(|place| place.strip_prefix("resource "));
    let resources = job.and_then(|job| job.get("resources")).and_then(Value::as_array);
    let index = named.and_then(|named| {
        resources.into_iter().flatten().position(|it| super::job::name(it) == Some(named))
    });
    let path = index.map_or_else(Vec::new, |index| {
        vec![Step::Member("resources".to_owned()), Step::Element(index)]
    });
    let place = index.map_or_else(String::new, |index| format!("resources[{index}]"));
    Mistake::at(text, document.follow(&path).0.at, place, sentence(fault))
}

/// An error of a resource may come from `resource_defaults`: it is reported there if the key is not
/// in the resource.
fn overlaid(document: &Node, path: Vec<Step>) -> Vec<Step> {
    let [Step::Member(resources), Step::Element(_), rest @ ..] = path.as_slice() else {
        return path;
    };
    let (_, taken) = document.follow(&path);
    if resources != "resources" || taken == path.len() {
        return path;
    }
    let mut defaults = vec![Step::Member("resource_defaults".to_owned())];
    defaults.extend_from_slice(rest);
    let (_, found) = document.follow(&defaults);
    // The path in the defaults starts one step higher.
    if found + 1 > taken && found == defaults.len() { defaults } else { path }
}

/// The word in `did you mean "word"?`.
fn proposed(message: &str) -> Option<&str> {
    message.split_once("did you mean \"")?.1.strip_suffix("\"?")
}

/// The error for text that is not JSON: the parser reports the line and the column.
fn syntax(text: &str, fault: &Fault) -> Mistake {
    let located = fault.message.rsplit_once(" at line ").and_then(|(message, place)| {
        let (line, column) = place.split_once(" column ")?;
        Some((message, line.parse::<usize>().ok()?, column.parse::<usize>().ok()?))
    });
    let Some((message, line, column)) = located else {
        return Mistake::at(text, 0, String::new(), sentence(fault));
    };
    let source = text.lines().nth(line.saturating_sub(1)).unwrap_or_default().to_owned();
    // The column is in bytes, and 0 before the first.
    let left =
        source.get(..column.saturating_sub(1)).map_or(column, |left| left.chars().count() + 1);
    Mistake { line, column: left.max(1), source, place: String::new(), message: message.to_owned() }
}

/// Returns the message without the path before it.
fn sentence(fault: &Fault) -> String {
    let inner = fault.context.iter().skip(1).map(String::as_str);
    inner.chain([fault.message.as_str()]).collect::<Vec<_>>().join(": ")
}

/// Collects the paths of values that the user must fill in.
fn open(job: &Value, place: &str, found: &mut Vec<String>) {
    match job {
        Value::Object(members) => {
            for (key, value) in members.iter().filter(|(key, _)| !key.starts_with("//")) {
                let dot = if place.is_empty() { "" } else { "." };
                open(value, &format!("{place}{dot}{key}"), found);
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                open(item, &format!("{place}[{n}]"), found);
            }
        }
        other if other == OPEN => found.push(place.to_owned()),
        _ => {}
    }
}

/// The resources of a valid job, and the values to fill in.
fn summary(text: &str) -> String {
    let job: Value = serde_json::from_str(text).unwrap_or_default();
    let mut places = Vec::new();
    open(&job, "", &mut places);
    let still = match places.as_slice() {
        [] => String::new(),
        [place] => format!(", but {place} is to be filled in"),
        [place, others @ ..] => {
            let others = super::quantity::counted(others.len() as u64, "other value");
            format!(", but {place} and {others} are to be filled in")
        }
    };
    let word = |key: &str| job.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let names: Vec<&str> = job
        .get("resources")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(super::job::name)
        .collect();
    format!(
        "{still} ({} into {}.{}: {})",
        word("pipeline"),
        word("database"),
        word("dataset"),
        names.join(", ")
    )
}

#[cfg(test)]
mod tests;
