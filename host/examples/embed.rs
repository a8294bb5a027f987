//! Runs a job on the embedded component with a custom host.
//!
//! The host answers every script as a dry run, has an input in memory, and no network. A program
//! with a database sends the statements, as [`Script`] specifies.
//!
//!     cargo run -p snowcat-host --example embed

use std::error::Error;
use std::io::{self, Write};

use snowcat_host::{
    Engine, Failure, Host, Pull, Pulled, Request, Response, Runner, Script, Settings, SqlReply,
    Upload,
};

const JOB: &str = r#"{
    "pipeline": "shop", "database": "RAW", "dataset": "shop",
    "resources": [{
        "name": "orders", "source": "pull", "format": "json",
        "primary_key": "id", "write_disposition": "merge"
    }]
}"#;

fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout())
}

pub(crate) fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let engine = Engine::new(&Settings::default())?;
    let mut host = InMemory {
        pages: vec![
            r#"{"id": 1, "items": [{"sku": "A-1"}, {"sku": "B-2"}]}"#.to_owned(),
            r#"{"id": 2, "items": []}"#.to_owned(),
        ],
        statements: 0,
        bytes: 0,
    };
    let report = Runner::new(&engine).run(JOB, "2026-01-01T00:00:00Z", &mut host)?;

    for table in &report.tables {
        writeln!(out, "{}: {} rows", table.name, table.rows)?;
    }
    writeln!(out, "{} statements, {} bytes of Parquet", host.statements, host.bytes)?;
    Ok(())
}

struct InMemory {
    pages: Vec<String>,
    statements: usize,
    bytes: usize,
}

impl Host for InMemory {
    fn sql(&mut self, script: &Script) -> Result<SqlReply, Failure> {
        self.statements += script.statements.len();
        Ok(SqlReply::DryRun)
    }

    fn fetch(&mut self, requests: &[Request]) -> Vec<Result<Response, Failure>> {
        requests
            .iter()
            .map(|request| Err(failure(&format!("no network: {}", request.url))))
            .collect()
    }

    fn pull(&mut self, pull: &Pull) -> Result<Pulled, Failure> {
        if pull.resource != "orders" {
            return Err(failure(&format!("expected orders, found {}", pull.resource)));
        }
        if self.pages.is_empty() {
            return Ok(Pulled::End);
        }
        Ok(Pulled::Page(self.pages.remove(0)))
    }

    fn upload(&mut self, _: &Upload, payload: Vec<u8>) -> Result<(), Failure> {
        self.bytes += payload.len();
        Ok(())
    }

    fn wait(&mut self, _: f64, _: &str) {}
}

fn failure(message: &str) -> Failure {
    Failure { code: String::new(), message: message.to_owned(), transient: false }
}
