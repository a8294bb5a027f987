//! Loads files of a custom store, here in memory.
//!
//!     cargo run -p snowcat-host --example custom_store

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Cursor, Write};

use snowcat_host::input::files::{Bytes, Store};
use snowcat_host::{DryRun, Engine, File, Runner, Settings};

const JOB: &str = r#"{
    "pipeline": "shop", "database": "RAW", "dataset": "shop",
    "resources": [{
        "name": "orders", "source": "pull", "files": "memory://orders/", "format": "csv"
    }]
}"#;

fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout())
}

pub(crate) fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let store = InMemory(BTreeMap::from([
        ("memory://orders/1.csv".to_owned(), "id,price\n1,9.5\n2,3\n"),
        ("memory://orders/2.csv".to_owned(), "id,price\n3,7\n"),
        ("memory://returns/1.csv".to_owned(), "id\n1\n"),
    ]));
    let engine = Engine::new(&Settings::default())?;
    let mut host = DryRun::new().store(store).keep_rows(5);
    let report = Runner::new(&engine).run(JOB, "2026-01-01T00:00:00Z", &mut host)?;

    for table in report.tables.iter().filter(|table| table.rows > 0) {
        writeln!(out, "{}: {} rows", table.name, table.rows)?;
    }
    for row in host.files().iter().flat_map(|file| &file.rows) {
        writeln!(out, "{row}")?;
    }
    Ok(())
}

/// Files by name.
struct InMemory(BTreeMap<String, &'static str>);

impl Store for InMemory {
    fn knows(&self, place: &str) -> bool {
        place.starts_with("memory://")
    }

    fn find(&self, place: &str) -> io::Result<Vec<File>> {
        let names = self.0.keys().filter(|name| name.starts_with(place));
        Ok(names.map(|name| File { name: name.clone(), version: String::new() }).collect())
    }

    fn open(&self, file: &File) -> io::Result<Bytes> {
        let text = self.0.get(&file.name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Bytes::Stream(Box::new(Cursor::new(*text))))
    }
}
