//! The cost of cells compared with JSON, in the library itself: `cargo test --release -p
//! snowcat-guest --test cells -- --ignored --nocapture`. `tests/rust/tests/cells.rs` measures the
//! same in the component.

use std::time::{Duration, Instant};

use snowcat_guest::load;
use snowcat_guest::protocol::{Reply, Step};

use super::rows::{Form, columns, pages};

const ROWS: u64 = 2_000_000;

/// The time of the load itself, and the number of bytes that it read.
fn measured(form: Form) -> (Duration, usize) {
    let job = r#"{"pipeline": "p", "database": "RAW", "dataset": "d", "resources": [
        {"name": "r", "source": "pull", "format": "parquet"}]}"#;
    let load = load::start(job, "2024-05-06T07:08:09.123456+00:00").unwrap();
    let mut said = form == Form::Json;
    let mut pages = pages(form, ROWS);
    let (mut spent, mut bytes) = (Duration::ZERO, 0);
    let mut reply = Reply::Start;
    loop {
        let clock = Instant::now();
        let step = load.resume(reply).unwrap();
        spent += clock.elapsed();
        reply = match step {
            Step::Sql(_) => Reply::DryRun,
            Step::Pull(_) if !std::mem::replace(&mut said, true) => Reply::Columns(columns()),
            Step::Pull(_) => match pages.next() {
                Some(page) => {
                    bytes += page.len();
                    Reply::Page(page)
                }
                None => Reply::End,
            },
            Step::Upload(_) | Step::Wait(_) => Reply::Done,
            Step::Finished(report) => {
                assert_eq!(report.tables.iter().map(|table| table.rows).max(), Some(ROWS));
                return (spent, bytes);
            }
            Step::Fetch(_) | Step::Examined(_) | Step::Found(_) | Step::Listed(_) => {
                panic!("a load of files asks for something else")
            }
        };
    }
}

#[test]
#[ignore = "measures: in release"]
fn cells_are_no_slower_than_json() {
    let show = |form| {
        let (spent, bytes) = measured(form);
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
