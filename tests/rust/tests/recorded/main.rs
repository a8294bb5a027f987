//! Our client against the server answers that the makers of Snowflake's drivers test their drivers with.
//!
//! `make recorded RECORDED=<folder>` reads every file below the folder: WireMock mappings, in one folder for each
//! driver. What our client has to do is inferred from the mappings; what it did is compared with what the last
//! answers mean. Without a folder nothing is run.

#![expect(clippy::unwrap_used, reason = "this is a test")]
#![expect(clippy::print_stdout, reason = "the report is for a person")]

mod client;
mod completion;
mod endpoint;
mod files;
mod needs;
mod plan;
mod rows;
mod upload;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use snowcat_tests::recorded::{Arrival, Filling, Mapping, NO_MAPPING, Pace, Replayer};

use client::Taken;
use endpoint::{endpoints, readdressed};
use files::Recording;
use plan::Plan;

/// An answer that is slower than this is meant to time out.
const PACE: Pace = Pace { speed: 20, patience: Duration::from_millis(2500) };
/// No recording takes longer.
const LIMIT: Duration = Duration::from_secs(20);
/// How much of what concerns us has to pass, in percent.
const FLOOR: usize = 85;
/// The failures that a recording for each of several is run with.
const FAILURES: &[&str] =
    &[r#"{"status": 503}"#, r#"{"status": 429}"#, r#"{"fault": "CONNECTION_RESET_BY_PEER"}"#];

/// How many reasons are printed for a recording.
const REASONS: usize = 6;

/// What became of a recording.
#[derive(Debug)]
enum Verdict {
    Passed,
    Failed(Vec<String>),
    NotOurs(String),
    /// The replayer does not support it.
    Unread(String),
}

#[test]
fn recorded_conversations() {
    let folder = std::env::var_os("RECORDED").filter(|it| !it.is_empty()).map(PathBuf::from);
    let Some(folder) = folder else {
        println!("0 of 0 recordings: RECORDED names no folder");
        return;
    };
    let recordings = files::recordings(&folder);
    let mut table: BTreeMap<String, [usize; 4]> = BTreeMap::new();
    let only = only().unwrap_or_default();
    for recording in recordings.iter().filter(|it| it.names().concat().contains(&only)) {
        let verdict = judged(recording);
        let (column, word, reasons) = match verdict {
            Verdict::Passed => (0, "passed", Vec::new()),
            Verdict::Failed(reasons) => (1, "failed", reasons),
            Verdict::NotOurs(reason) => (2, "not ours", vec![reason]),
            Verdict::Unread(reason) => (3, "unread", vec![reason]),
        };
        table.entry(recording.driver().to_owned()).or_default()[column] += recording.count();
        println!("{word:8} {}", recording.names().join(" + "));
        for reason in reasons.iter().take(REASONS) {
            println!("         {}", shortened(reason));
        }
    }
    println!("\n{:10} {:>7} {:>7} {:>9} {:>7}", "", "passed", "failed", "not ours", "unread");
    let mut sums = [0; 4];
    for (driver, counts) in &table {
        print_row(driver, counts);
        sums = std::array::from_fn(|column| sums[column] + counts[column]);
    }
    print_row("all", &sums);
    let ours = sums[0] + sums[1];
    println!("{} of {ours} recordings that concern us passed", sums[0]);
    assert!(ours > 0, "expected recordings that concern us in {}, found none", folder.display());
    assert!(sums[0] * 100 >= ours * FLOOR, "expected {FLOOR} % of {ours}, found {}", sums[0]);
}

/// A part of the names of the only recordings to run; their requests are printed.
fn only() -> Option<String> {
    std::env::var("ONLY").ok().filter(|it| !it.is_empty())
}

fn print_step(taken: &Taken) {
    println!("{:?}: {:?}", taken.step, taken.ended);
    for arrival in &taken.arrivals {
        let status = arrival.response.as_ref().map(|it| it.status);
        let Arrival { method, target, mapping, body, .. } = arrival;
        println!("    {method} {target} {status:?} {mapping:?} {}", shortened(body));
    }
}

fn print_row(name: &str, [passed, failed, not_ours, unread]: &[usize; 4]) {
    println!("{name:10} {passed:>7} {failed:>7} {not_ours:>9} {unread:>7}");
}

fn shortened(text: &str) -> String {
    let line = text.replace('\n', " ");
    let short: String = line.chars().take(400).collect();
    if short.len() < line.len() { format!("{short}..") } else { short }
}

/// Runs a recording, once for each failure if it has a place for one.
fn judged(recording: &Recording) -> Verdict {
    let varies = recording.files.iter().any(|file| file.has_failure());
    let failures = if varies { FAILURES } else { FAILURES.get(..1).unwrap_or_default() };
    let mut faults = Vec::new();
    for failure in failures {
        match run(recording, failure) {
            Verdict::Passed => {}
            Verdict::Failed(reasons) if varies => {
                faults.extend(reasons.into_iter().map(|reason| format!("{failure}: {reason}")));
            }
            Verdict::Failed(reasons) => faults.extend(reasons),
            other => return other,
        }
    }
    if faults.is_empty() { Verdict::Passed } else { Verdict::Failed(faults) }
}

fn run(recording: &Recording, failure: &str) -> Verdict {
    let replayer = Arc::new(Replayer::start(PACE).unwrap());
    let url = replayer.url();
    let filling = Filling { url: &url, file: upload::FILE, failure };
    let mut mappings = Vec::new();
    for file in &recording.files {
        let document = file.document(filling);
        match document.and_then(|document| Mapping::parse_all(&document)) {
            Ok(parsed) => mappings.extend(parsed),
            Err(error) if error.contains(NO_MAPPING) => {
                return Verdict::NotOurs("is no file of mappings".to_owned());
            }
            Err(error) => return Verdict::Unread(error),
        }
    }
    let mappings = readdressed(mappings);
    let plan = match Plan::of(&mappings) {
        Ok(plan) => plan,
        Err(reason) => return Verdict::NotOurs(reason),
    };
    let own = endpoints(&mappings);
    let mut all = mappings.clone();
    all.extend(completion::completion(&mappings, &own, &url));
    let endpoints = endpoints(&all);
    replayer.set_mappings(all);
    for (scenario, state) in entries(&mappings) {
        replayer.set_state(&scenario, &state);
    }
    match client::drive_within(LIMIT, plan, &replayer, own) {
        Err(reason) => Verdict::Failed(vec![reason]),
        Ok(taken) => {
            if only().is_some() {
                taken.iter().for_each(print_step);
            }
            let faults = verdict::faults(&taken, &mappings, &endpoints, &replayer.unused());
            if faults.is_empty() { Verdict::Passed } else { Verdict::Failed(faults) }
        }
    }
}

/// The states in which scenarios have to begin of which a file has only a later part.
fn entries(mappings: &[Mapping]) -> Vec<(String, String)> {
    let parts: Vec<_> = mappings.iter().filter_map(|it| it.scenario.as_ref()).collect();
    let names: BTreeSet<&str> = parts.iter().map(|part| part.name.as_str()).collect();
    let mut entries = Vec::new();
    for name in names {
        let own: Vec<_> = parts.iter().filter(|part| part.name == name).collect();
        let starts = |state: &str| own.iter().all(|part| part.next.as_deref() != Some(state));
        let required: Vec<Option<&str>> = own.iter().map(|part| part.required.as_deref()).collect();
        if required.iter().any(|it| it.is_none_or(|state| state == "Started")) {
            continue;
        }
        let entry = required.into_iter().flatten().find(|state| starts(state));
        entries.extend(entry.map(|state| (name.to_owned(), state.to_owned())));
    }
    entries
}
