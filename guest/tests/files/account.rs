//! A host with files, and as much of a database as appends need: committed rows stay, uncommitted
//! ones are lost, and the next load finds the state of the last one.

use std::collections::BTreeMap;
use std::io::Cursor;

use arrow2::io::parquet::read::read_metadata;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use miniz_oxide::inflate::decompress_to_vec_zlib;
use serde_json::Value;
use snowcat_guest::fault::Fault;
use snowcat_guest::load;
use snowcat_guest::protocol::{
    Content, Failure, InputFile, Outcome, Pull, Reply, Report, Request, Response, Step,
};

use crate::world::{self, Answer};

/// The state that survives a load.
#[derive(Default)]
pub(crate) struct Account {
    /// The stored state, its version, and the last load's id.
    state: Option<String>,
    load_id: Option<String>,
    /// Committed rows by table.
    pub(crate) rows: BTreeMap<String, Vec<Value>>,
    pub(crate) commits: usize,
    /// Every statement, in order.
    pub(crate) sql: Vec<String>,
}

/// The changes of an open transaction.
#[derive(Default)]
struct Pending {
    state: Option<String>,
    load_id: Option<String>,
    rows: Vec<(String, Vec<Value>)>,
}

/// A file with its name and text, or a page of values without a name.
pub(crate) type File = (&'static str, String);

/// The source of records.
pub(crate) struct Input<'i> {
    pub(crate) files: &'i [File],
    /// The size of a page in bytes.
    pub(crate) page: usize,
    pub(crate) server: &'i dyn Fn(&Request) -> Answer,
}

impl Account {
    /// Runs a job. After `die_after` steps the host stops.
    pub(crate) fn run(
        &mut self,
        job: &Value,
        input: &Input<'_>,
        die_after: usize,
    ) -> Option<Result<Report, Fault>> {
        let load = match load::start(&job.to_string(), "2024-05-06T07:08:09.123456+00:00") {
            Ok(load) => load,
            Err(fault) => return Some(Err(fault)),
        };
        let mut host = Host { input, file: 0, at: 0, named: false, uploads: BTreeMap::new() };
        let mut pending = Pending::default();
        let mut reply = Reply::Start;
        for _ in 0..die_after {
            let step = match load.resume(reply) {
                Ok(step) => step,
                Err(fault) => return Some(Err(fault)),
            };
            reply = match step {
                Step::Sql(script) => {
                    let run = |sql: &String| self.sql(sql, &host, &mut pending);
                    Reply::Outcomes(script.statements.iter().map(run).collect())
                }
                Step::Pull(pull) => host.pull(&pull),
                Step::Fetch(asked) => {
                    Reply::Responses(asked.iter().map(|request| (input.server)(request)).collect())
                }
                Step::Upload(upload) => {
                    host.uploads.insert(upload.path, load.payload().unwrap().to_vec());
                    Reply::Done
                }
                Step::Wait(_) => Reply::Done,
                Step::Finished(report) => return Some(Ok(report)),
                Step::Examined(_) | Step::Found(_) | Step::Listed(_) => {
                    panic!("a load ended as an examination")
                }
            };
        }
        None
    }

    fn sql(&mut self, sql: &str, host: &Host<'_>, pending: &mut Pending) -> Outcome {
        self.sql.push(sql.to_owned());
        let mut rows = Vec::new();
        let some = |text: &str| Some(text.to_owned());
        let literals: Vec<&str> = sql.split('\'').skip(1).step_by(2).collect();
        if sql.starts_with("BEGIN") {
            *pending = Pending::default();
        } else if sql == "COMMIT" {
            let Pending { state, load_id, rows } = std::mem::take(pending);
            self.state = state.or(self.state.take());
            self.load_id = load_id.or(self.load_id.take());
            for (table, more) in rows {
                self.rows.entry(table).or_default().extend(more);
            }
            self.commits += 1;
        } else if sql.starts_with("SELECT") && sql.contains("\"COLUMNS\"") {
            if self.load_id.is_some() {
                for table in ["_DLT_LOADS", "_DLT_PIPELINE_STATE"] {
                    let column = ["column", "S", table, "X", "TEXT", "16777216", "0", "2"];
                    rows.push(column.map(some).to_vec());
                }
            }
        } else if sql.starts_with("SELECT") && sql.contains("\"_DLT_PIPELINE_STATE\"") {
            if let Some(state) = &self.state {
                let load = self.load_id.clone();
                let version = self.version().unwrap();
                rows.push(vec![
                    None,
                    some(state),
                    None,
                    load.clone(),
                    some("1"),
                    some(&version.to_string()),
                    load,
                ]);
            }
        } else if sql.starts_with("MERGE INTO \"D\".\"S\".\"_DLT_PIPELINE_STATE\"") {
            pending.state = literals.iter().max_by_key(|text| text.len()).map(|s| (*s).to_owned());
        } else if sql.starts_with("INSERT INTO \"D\".\"S\".\"_DLT_LOADS\"") {
            pending.load_id = literals.first().map(|id| (*id).to_owned());
        } else if let Some(rest) = sql.strip_prefix("COPY INTO \"D\".\"S\".\"") {
            let table = rest.split('"').next().unwrap().to_lowercase();
            let (_, path) = sql.split_once("\"/").unwrap();
            let path = path.split("/')").next().unwrap();
            for (name, bytes) in host.uploads.iter().filter(|(name, _)| name.starts_with(path)) {
                let count = read_metadata(&mut Cursor::new(bytes)).unwrap().num_rows.to_string();
                rows.push(vec![some(name), some("LOADED"), some(&count), some(&count)]);
                pending.rows.push((table.clone(), world::read_rows(bytes)));
            }
        }
        // The check for a load that committed first finds none.
        let checks = sql.starts_with("UPDATE \"D\".\"S\".\"_DLT_PIPELINE_STATE\"")
            && self.version().is_some_and(|version| sql.ends_with(&format!(">= {}", version + 1)));
        Outcome { rows, affected: Some(u64::from(!checks)) }
    }

    fn version(&self) -> Option<u64> {
        let state: Value = serde_json::from_str(&document(self.state.as_ref()?)?).unwrap();
        state["_state_version"].as_u64()
    }

    /// The rows of a table, in order.
    pub(crate) fn table(&self, name: &str) -> Vec<String> {
        let mut rows: Vec<String> =
            self.rows.get(name).into_iter().flatten().map(Value::to_string).collect();
        rows.sort();
        rows
    }
}

struct Host<'i> {
    input: &'i Input<'i>,
    file: usize,
    at: usize,
    named: bool,
    uploads: BTreeMap<String, Vec<u8>>,
}

impl Host<'_> {
    fn pull(&mut self, pull: &Pull) -> Reply {
        if pull.skip {
            self.next();
        }
        loop {
            let Some((name, text)) = self.input.files.get(self.file) else { return Reply::End };
            if !name.is_empty() && !std::mem::replace(&mut self.named, true) {
                let (name, version) = ((*name).to_owned(), text.len().to_string());
                return Reply::File(InputFile { name, version });
            }
            if self.at >= text.len() {
                self.next();
                continue;
            }
            let mut end = (self.at + self.input.page).min(text.len());
            if pull.content == Content::Values {
                // In bytes, because the cut may be inside a character.
                let more = text.as_bytes()[end - 1..].iter().position(|byte| *byte == b'\n');
                end = more.map_or(text.len(), |more| end + more);
            }
            while !text.is_char_boundary(end) {
                end += 1;
            }
            let page = text[self.at..end].to_owned();
            self.at = end;
            return Reply::Page(page);
        }
    }

    fn next(&mut self) {
        self.file += 1;
        self.at = 0;
        self.named = false;
    }
}

/// A JSON object in a text that may be packed.
pub(crate) fn document(text: &str) -> Option<String> {
    let text = if text.starts_with('{') {
        text.to_owned()
    } else {
        String::from_utf8(decompress_to_vec_zlib(&STANDARD.decode(text).ok()?).ok()?).unwrap()
    };
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value.to_string(), text, "the stored form is compact");
    Some(text)
}

/// A server that must not be requested.
pub(crate) fn nobody(_: &Request) -> Answer {
    Err::<Response, Failure>(Failure {
        code: String::new(),
        message: "nobody".into(),
        transient: false,
    })
}
