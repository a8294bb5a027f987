//! The time of a load is at most linear in its input, whatever the input is: four times the input
//! takes less than eight times as long. `SNOWCAT_GROWTH=4 cargo test --release --package
//! snowcat-guest --test growth -- --nocapture --test-threads 1` prints the table of which
//! ARCHITECTURE.md shows a part.

#![expect(clippy::unwrap_used, reason = "these are tests")]
#![allow(clippy::panic, reason = "these are tests")]
#![allow(clippy::print_stdout, reason = "it is a table for people")]

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use snowcat_guest::load;
use snowcat_guest::protocol::{Reply, Step};

/// The minimum time that is compared.
const SHORT: Duration = Duration::from_millis(20);
const TRIES: usize = 3;

/// The scale of all sizes: `SNOWCAT_GROWTH=4` prints the table of ARCHITECTURE.md.
fn scale() -> usize {
    std::env::var("SNOWCAT_GROWTH").map_or(1, |scale| scale.parse().unwrap())
}

/// The processor time of this thread: other work on the machine does not count.
fn spent() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// Loads one page. Limits are raised, as they are not measured here.
fn time(resource: &Value, page: &str) -> Duration {
    let mut job = json!({"pipeline": "p", "database": "RAW", "dataset": "d", "max_columns": 100_000,
        "max_tables": 100_000, "resources": [{"name": "r", "source": "pull"}]});
    let mut resource = resource.as_object().unwrap().clone();
    if let Some(most) = resource.remove("max_columns") {
        job["max_columns"] = most;
    }
    job["resources"][0].as_object_mut().unwrap().extend(resource);
    let mut page = Some(page.to_owned());
    let began = spent();
    let load = load::start(&job.to_string(), "2026-11-20T00:00:00Z").unwrap();
    let mut reply = Reply::Start;
    loop {
        reply = match load.resume(reply).unwrap() {
            Step::Sql(_) => Reply::DryRun,
            Step::Pull(_) => page.take().map_or(Reply::End, Reply::Page),
            Step::Upload(_) => Reply::Done,
            Step::Finished(_) => return spent() - began,
            step => panic!("{step:?}"),
        };
    }
}

#[track_caller]
fn check(name: &str, resource: Value, sizes: [usize; 3], page: &dyn Fn(usize) -> String) {
    let sizes = sizes.map(|size| size * scale());
    let pages = sizes.map(page);
    let mut tries = 0;
    loop {
        let times = [0, 1, 2].map(|at| time(&resource, &pages[at]));
        let mut line = format!("{name:44}");
        for ((size, page), time) in sizes.iter().zip(&pages).zip(times) {
            let ms = time.as_secs_f64() * 1e3;
            write!(line, " {size:>7} ({:>5} KB): {ms:>7.1} ms", page.len() >> 10).unwrap();
        }
        if times.windows(2).all(|pair| pair[1] < pair[0].max(SHORT) * 8) {
            println!("{line}");
            return;
        }
        // Other work on the machine can only add to a time.
        tries += 1;
        assert!(
            tries < TRIES,
            "expected less than 8 times as long for 4 times as much, found {line}"
        );
    }
}

/// A record with `n` members.
fn object(n: usize, member: impl Fn(usize) -> String) -> String {
    let mut text = String::from("{\"id\":1");
    for i in 0..n {
        write!(text, ",{}", member(i)).unwrap();
    }
    text + "}"
}

fn rows(n: usize, member: impl Fn(usize) -> String) -> String {
    (0..n).map(|i| format!("{{\"id\":{i},{}}}\n", member(i))).collect()
}

/// A key whose normalized name is empty.
fn sign(n: usize) -> char {
    char::from_u32(if n < 0x8000 { 0x4e00 } else { 0x1_0000 } + n as u32).unwrap()
}

#[test]
fn tables() {
    let sizes = [100, 400, 1600];
    let list = |i| format!("\"t{i}\":[{{\"a\":1}}]");
    let upsert = json!({"disposition": "merge", "strategy": "upsert"});
    for disposition in [json!("append"), json!("replace"), json!("merge"), upsert] {
        let resource = json!({"write_disposition": disposition, "primary_key": "id"});
        check(&format!("lists, {disposition}"), resource, sizes, &|n| object(n, list));
    }
    check("lists in new rows", json!({}), sizes, &|n| rows(n, list));
    check("lists of many columns", json!({}), [10, 40, 160], &|n| {
        object(n, |i| format!("\"t{i}\":[{}]", object(50, |j| format!("\"c{j}\":1"))))
    });
    check("empty lists", json!({}), [1000, 4000, 16_000], &|n| {
        object(n, |i| format!("\"t{i}\":[]"))
    });
    check("rows after many lists", json!({}), [1000, 4000, 16_000], &|n| {
        object(2000, |i| format!("\"t{i}\":[]")) + &"{\"id\":2}\n".repeat(n)
    });
    check("lists with one name", json!({}), sizes, &|n| {
        object(n, |i| format!("\"{}\":[1]", sign(i)))
    });
    check("lists with shortened names", json!({}), sizes, &|n| {
        object(n, |i| format!("\"{}{i}\":[1]", "k".repeat(300)))
    });
}

#[test]
fn columns() {
    let sizes = [250, 1000, 4000];
    check("keys", json!({}), sizes, &|n| object(n, |i| format!("\"k{i}\":1")));
    let merge = json!({"write_disposition": "merge", "primary_key": "id"});
    check("keys, merge", merge, sizes, &|n| object(n, |i| format!("\"k{i}\":1")));
    check("keys of texts", json!({}), sizes, &|n| object(n, |i| format!("\"k{i}\":\"v{i}\"")));
    check("keys of nulls", json!({}), sizes, &|n| object(n, |i| format!("\"k{i}\":null")));
    check("keys in new rows", json!({}), sizes, &|n| rows(n, |i| format!("\"k{i}\":1")));
    for mode in ["discard_value", "discard_row"] {
        let contract = json!({"schema_contract": {"columns": mode}});
        check(&format!("keys in new rows, {mode}"), contract, sizes, &|n| {
            rows(n, |i| format!("\"k{i}\":1"))
        });
    }
    check("keys of objects", json!({}), sizes, &|n| object(n, |i| format!("\"k{i}\":{{\"a\":1}}")));
    check("objects in new rows", json!({}), sizes, &|n| {
        rows(n, |i| format!("\"k{i}\":{{\"a\":1}}"))
    });
    check("shortened names", json!({}), [100, 400, 1600], &|n| {
        object(n, |i| format!("\"{}{i}\":1", "k".repeat(300)))
    });
    check("values that do not fit", json!({}), [100, 400, 1600], &|n| {
        object(n, |i| format!("\"k{i}\":1")) + &object(n, |i| format!("\"k{i}\":\"x\""))
    });
    check("keys with one name", json!({}), sizes, &|n| object(n, |i| format!("\"{}\":1", sign(i))));
    check("keys with one name in new rows", json!({}), sizes, &|n| {
        rows(n, |i| format!("\"{}\":1", sign(i)))
    });
    check("pairs of keys with one name", json!({}), sizes, &|n| {
        object(n, |i| format!("\"kA{i}\":1,\"k_a{i}\":2"))
    });
    check("a key that is repeated", json!({}), sizes, &|n| object(n, |_| "\"k\":1".to_owned()));
}

#[test]
fn objects_stored_as_json() {
    // The first 125 (at scale 1) fill the table; all others are stored as JSON.
    let resource = json!({"max_columns": 2500 * scale()});
    check("objects beyond max_columns", resource, [140, 560, 2240], &|n| {
        object(n, |i| format!("\"o{i}\":{}", object(20, |j| format!("\"c{j}\":1"))))
    });
}
