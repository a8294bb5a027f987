//! The cost of cells compared with JSON, through the component in the Rust host: `cargo test
//! --workspace --test cells -- --ignored --nocapture cells_are_no_slower`. The component is
//! compiled as usual, whatever the profile of the test is.

#![expect(clippy::unwrap_used, reason = "this is a test")]

#[path = "../../../guest/tests/cells/rows.rs"]
mod rows;

use std::time::{Duration, Instant};

use rows::{Form, columns, pages};
use snowcat_host::{Column, Engine, Guest as _, Reply, Runner, Settings, Step};

const ROWS: u64 = 2_000_000;

/// The time of the component, and the number of bytes that it read.
fn measured(engine: &Engine, form: Form) -> (Duration, usize) {
    let job = r#"{"pipeline": "p", "database": "RAW", "dataset": "d", "resources": [
        {"name": "r", "source": "pull", "format": "parquet"}]}"#;
    let mut load = Runner::new(engine).start(job, "2024-05-06T07:08:09.123456+00:00").unwrap();
    let mut said = form == Form::Json;
    let mut pages = pages(form, ROWS);
    let (mut spent, mut bytes) = (Duration::ZERO, 0);
    let mut reply = Reply::Start;
    loop {
        let clock = Instant::now();
        let step = load.resume(&reply).unwrap();
        spent += clock.elapsed();
        reply = match step {
            Step::Sql(_) => Reply::DryRun,
            Step::Pull(_) if !std::mem::replace(&mut said, true) => {
                let column = |column: snowcat_guest::protocol::InputColumn| Column {
                    name: column.name,
                    native: column.native,
                    kind: column.kind,
                    precision: column.precision,
                    scale: column.scale,
                    nullable: column.nullable,
                };
                Reply::Columns(columns().into_iter().map(column).collect())
            }
            Step::Pull(_) => match pages.next() {
                Some(page) => {
                    bytes += page.len();
                    Reply::Page(page)
                }
                None => Reply::End,
            },
            Step::Finished(report) => {
                assert_eq!(report.tables.iter().map(|table| table.rows).max(), Some(ROWS));
                return (spent, bytes);
            }
            _ => Reply::Done,
        };
    }
}

#[test]
#[ignore = "measures for a minute"]
fn cells_are_no_slower_than_json() {
    let engine = Engine::new(&Settings::default()).unwrap();
    let show = |form| {
        let (spent, bytes) = measured(&engine, form);
        let rate = ROWS as f64 / spent.as_secs_f64();
        println!("{form:?}: {} MiB, {:.2} s, {rate:.0} rows/s", bytes >> 20, spent.as_secs_f64());
        spent
    };
    // In turns, because other processes may use the machine.
    let times: Vec<_> = (0..3).map(|_| (show(Form::Json), show(Form::Cells))).collect();
    let json = times.iter().map(|(json, _)| *json).min();
    let cells = times.iter().map(|(_, cells)| *cells).min();
    assert!(cells <= json, "{cells:?} {json:?}");
}
