//! A host for loads under test: SQL succeeds, files are stored, time does not pass, and a function
//! answers requests.

use std::collections::BTreeMap;
use std::io::Cursor;

use arrow2::array::{Array, BooleanArray, PrimitiveArray, Utf8Array};
use arrow2::io::parquet::read;
use serde_json::{Value, json};
use snowcat_guest::fault::Fault;
use snowcat_guest::load;
use snowcat_guest::protocol::{Failure, Reply, Report, Request, Response, Step};

pub(crate) type Answer = Result<Response, Failure>;

/// The result of a load.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// The requests of each step.
    pub(crate) fetches: Vec<Vec<Request>>,
    pub(crate) waits: Vec<f64>,
    pub(crate) sql: Vec<String>,
    /// The path and content of each file.
    pub(crate) uploads: Vec<(String, Vec<u8>)>,
    pub(crate) report: Report,
}

/// A job with a client and these resources.
pub(crate) fn job(resources: Value) -> Value {
    json!({
        "pipeline": "p", "database": "D", "dataset": "s",
        "client": {"base_url": "https://x.net/v1/"},
        "resources": resources,
    })
}

/// Runs a job. `server` answers each request; its argument is the request's number, from 0.
pub(crate) fn run(
    job: &Value,
    mut server: impl FnMut(usize, &Request) -> Answer,
) -> (Run, Result<(), Fault>) {
    let mut run = Run::default();
    let load = match load::start(&job.to_string(), "2024-05-06T07:08:09.123456+00:00") {
        Ok(load) => load,
        Err(fault) => return (run, Err(fault)),
    };
    let mut reply = Reply::Start;
    let mut requests = 0;
    loop {
        let step = match load.resume(reply) {
            Ok(step) => step,
            Err(fault) => return (run, Err(fault)),
        };
        reply = match step {
            Step::Sql(script) => {
                run.sql.extend(script.statements);
                Reply::DryRun
            }
            Step::Fetch(asked) => {
                let answer = |request| {
                    requests += 1;
                    server(requests - 1, request)
                };
                let answers = asked.iter().map(answer).collect();
                run.fetches.push(asked);
                Reply::Responses(answers)
            }
            Step::Upload(upload) => {
                run.uploads.push((upload.path, load.payload().unwrap().to_vec()));
                Reply::Done
            }
            Step::Wait(pause) => {
                run.waits.push(pause.seconds);
                Reply::Done
            }
            Step::Finished(report) => {
                run.report = report;
                return (run, Ok(()));
            }
            Step::Pull(pull) => panic!("{} is pulled", pull.resource),
            Step::Examined(_) | Step::Found(_) | Step::Listed(_) => {
                panic!("a load ended as an examination")
            }
        };
    }
}

/// Runs a job that must succeed.
pub(crate) fn good(job: &Value, server: impl FnMut(usize, &Request) -> Answer) -> Run {
    let (run, ended) = run(job, server);
    ended.unwrap();
    run
}

/// A page with this body.
pub(crate) fn ok(body: &Value) -> Answer {
    answer(200, &[("content-type", "application/json")], &body.to_string())
}

pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
    let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    Ok(Response { status, headers, body: body.to_owned() })
}

impl Run {
    /// Returns `true` if the load published something.
    pub(crate) fn published(&self) -> bool {
        self.sql.iter().any(|statement| {
            let verb = statement.split_whitespace().next().unwrap_or_default();
            matches!(verb, "BEGIN" | "COMMIT" | "COPY" | "INSERT" | "MERGE" | "ALTER")
        })
    }

    /// The requested URLs in order, without their common prefix.
    pub(crate) fn asked(&self) -> Vec<&str> {
        let path = |request: &'_ Request| request.url.find("/v1/").map_or(0, |at| at + 4);
        self.fetches.iter().flatten().map(|request| &request.url[path(request)..]).collect()
    }

    /// The rows of a table as JSON, without dlt's own columns.
    pub(crate) fn rows(&self, table: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        for file in self.report.files.iter().filter(|file| file.table == table) {
            let (_, bytes) = self.uploads.iter().find(|(path, _)| *path == file.path).unwrap();
            rows.extend(read_rows(bytes));
        }
        rows
    }

    /// One column of a table.
    pub(crate) fn column(&self, table: &str, column: &str) -> Vec<Value> {
        self.rows(table).into_iter().map(|row| row[column].clone()).collect()
    }
}

pub(crate) fn read_rows(file: &[u8]) -> Vec<Value> {
    let mut reader = Cursor::new(file);
    let metadata = read::read_metadata(&mut reader).unwrap();
    let schema = read::infer_schema(&metadata).unwrap();
    let names: Vec<String> = schema.fields.iter().map(|field| field.name.clone()).collect();
    let chunks = read::FileReader::new(reader, metadata.row_groups, schema, None, None, None);
    let mut rows = Vec::new();
    for chunk in chunks {
        let chunk = chunk.unwrap();
        for row in 0..chunk.len() {
            let cells = names.iter().zip(chunk.arrays());
            let cells: BTreeMap<String, Value> = cells
                .filter(|(name, _)| !name.to_lowercase().starts_with("_dlt"))
                .filter_map(|(name, array)| Some((name.to_lowercase(), cell(array.as_ref(), row)?)))
                .collect();
            rows.push(json!(cells));
        }
    }
    rows
}

fn cell(array: &dyn Array, row: usize) -> Option<Value> {
    if array.is_null(row) {
        return None;
    }
    let any = array.as_any();
    if let Some(array) = any.downcast_ref::<Utf8Array<i32>>() {
        Some(array.value(row).into())
    } else if let Some(array) = any.downcast_ref::<PrimitiveArray<i64>>() {
        Some(array.value(row).into())
    } else if let Some(array) = any.downcast_ref::<BooleanArray>() {
        Some(array.value(row).into())
    } else if let Some(array) = any.downcast_ref::<PrimitiveArray<f64>>() {
        Some(array.value(row).into())
    } else {
        // The debug format, for types that no test checks.
        Some(format!("{:?}", array.sliced(row, 1)).into())
    }
}

/// A parameter of a URL's query.
pub(crate) fn param(request: &Request, name: &str) -> Option<String> {
    let (_, query) = request.url.split_once('?')?;
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key == name).then(|| value.replace("%2F", "/").replace("%3D", "="))
    })
}

/// The path of a URL after the base, without its query.
pub(crate) fn path(request: &Request) -> &str {
    let url = request.url.strip_prefix("https://x.net/v1/").unwrap();
    url.split('?').next().unwrap()
}
