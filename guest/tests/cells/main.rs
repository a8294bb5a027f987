//! Whole loads of cells: rows whose types the host declares. The tables have the same values as
//! from JSON; only the types differ.

#![expect(clippy::panic, clippy::unwrap_used, reason = "this is a test")]

mod bench;
mod rows;
mod same;
mod types;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use snowcat_guest::fault::Fault;
use snowcat_guest::load;
use snowcat_guest::protocol::{InputColumn, InputFile, Reply, Report, Step};

/// The result of a load.
pub(crate) struct Run {
    pub(crate) sql: Vec<String>,
    /// Files by path.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) report: Report,
}

impl Run {
    /// The columns that statements declare for a table, with their types.
    pub(crate) fn columns(&self, table: &str) -> Vec<String> {
        let head = format!("CREATE TABLE IF NOT EXISTS \"RAW\".\"D\".\"{table}\" (\n");
        let body = self.sql.iter().find_map(|sql| sql.strip_prefix(&head)).unwrap_or_default();
        let plain = |line: &str| {
            let line = line.trim_end_matches(',').replace('"', "");
            line.split(" COMMENT 'Variant").next().unwrap_or_default().to_owned()
        };
        let lines = body.lines().map(plain);
        lines.filter(|line| line != ")" && !line.starts_with("_DLT")).collect()
    }
}

/// Runs a job of one resource on an empty dataset. `replies` are the answers to its pulls, in
/// order.
pub(crate) fn run(resource: &Value, replies: &[Reply]) -> Result<Run, Fault> {
    let mut of = json!({"name": "r", "source": "pull", "format": "parquet"});
    of.as_object_mut().unwrap().extend(resource.as_object().unwrap().clone());
    let job = json!({"pipeline": "p", "database": "RAW", "dataset": "d", "resources": [of]});
    let load = load::start(&job.to_string(), "2024-05-06T07:08:09.123456+00:00")?;
    let mut pulls = replies.iter().cloned();
    let (mut sql, mut files) = (Vec::new(), BTreeMap::new());
    let mut reply = Reply::Start;
    loop {
        reply = match load.resume(reply)? {
            Step::Sql(script) => {
                sql.extend(script.statements);
                Reply::DryRun
            }
            Step::Pull(_) => pulls.next().unwrap_or(Reply::End),
            Step::Upload(upload) => {
                files.insert(upload.path, load.payload()?.to_vec());
                Reply::Done
            }
            Step::Wait(_) => Reply::Done,
            Step::Finished(report) => return Ok(Run { sql, files, report }),
            Step::Fetch(_) | Step::Examined(_) | Step::Found(_) | Step::Listed(_) => {
                panic!("a load of files asks for something else")
            }
        };
    }
}

/// Parses a column: `name kind`, with an optional `(precision,scale)`.
pub(crate) fn column(text: &str) -> InputColumn {
    let (name, kind) = text.split_once(' ').unwrap();
    let (kind, digits) = kind.split_once('(').unwrap_or((kind, ""));
    let mut digits = digits.trim_end_matches(')').split(',').map(|digits| digits.parse().ok());
    InputColumn {
        name: name.to_owned(),
        native: "of a test".to_owned(),
        kind: kind.to_owned(),
        precision: digits.next().flatten(),
        scale: digits.next().flatten(),
        nullable: true,
    }
}

/// A file: its columns, and one page.
pub(crate) fn file(name: &str, columns: &[&str], page: &str) -> [Reply; 3] {
    let columns = columns.iter().map(|text| column(text)).collect();
    [
        Reply::File(InputFile { name: name.to_owned(), version: String::new() }),
        Reply::Columns(columns),
        Reply::Page(page.to_owned()),
    ]
}
