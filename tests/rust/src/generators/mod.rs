//! Deterministic data: the same kind, seed and index give the same record, for ever and on every
//! machine. A record depends on nothing else, so any of them can be made alone, in any order.
//!
//! The three kinds are the ones the benchmark compares: flat rows, nested documents with few child
//! rows (the shapes of GitHub's public Events API) and documents that are mostly nested rows (issues
//! of Jira Cloud with changelog, comments and work logs).

pub mod crm;
pub mod flat;
pub mod github;
pub mod graph;
pub mod jira;
pub mod pagerduty;
pub mod random;
pub(crate) mod text;
pub(crate) mod time;

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use serde_json::Value;

pub use self::time::{jira_time, parse_jql_time, parse_time, zone_name};

/// What the records look like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Ten scalar columns, about 280 bytes.
    Flat,
    /// Events as GitHub's public API gives them, about 4 KB.
    Github,
    /// Issues as Jira Cloud gives them, about 37 KB.
    Jira,
}

impl Kind {
    /// Every kind, from flat to deep.
    pub const ALL: [Self; 3] = [Self::Flat, Self::Github, Self::Jira];

    /// Its name on command lines and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Github => "github",
            Self::Jira => "jira",
        }
    }

    /// The record at this index.
    pub fn record(self, seed: u64, index: u64) -> Value {
        match self {
            Self::Flat => flat::record(seed, index),
            Self::Github => github::event(seed, index),
            Self::Jira => jira::issue(seed, index),
        }
    }

    /// Writes records 0 to `rows` as NDJSON; returns the bytes written.
    ///
    /// # Errors
    ///
    /// Whatever the writer says.
    pub fn write(self, out: &mut impl Write, seed: u64, rows: u64) -> io::Result<u64> {
        let mut line = Vec::new();
        let mut total = 0;
        for index in 0..rows {
            line.clear();
            serde_json::to_writer(&mut line, &self.record(seed, index))?;
            line.push(b'\n');
            out.write_all(&line)?;
            total += line.len() as u64;
        }
        Ok(total)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| format!("expected flat, github or jira, found {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(kind: Kind, seed: u64, rows: u64) -> String {
        let mut out = Vec::new();
        let bytes = kind.write(&mut out, seed, rows).unwrap();
        assert_eq!(bytes, out.len() as u64);
        String::from_utf8(out).unwrap()
    }

    /// The benchmark's ratios only compare with those published while the records keep their size.
    #[test]
    fn records_have_the_size_they_are_documented_with() {
        for (kind, rows, size) in
            [(Kind::Flat, 2000, 283), (Kind::Github, 2000, 4030), (Kind::Jira, 300, 37_100)]
        {
            let mean = lines(kind, 42, rows).len() as u64 / rows;
            let allowed = size * 9 / 10..size * 11 / 10;
            assert!(allowed.contains(&mean), "{kind}: expected {allowed:?} bytes, found {mean}");
        }
    }

    #[test]
    fn a_record_depends_on_seed_and_index_alone() {
        for kind in Kind::ALL {
            assert_eq!(lines(kind, 1, 5), lines(kind, 1, 5), "{kind}");
            assert_ne!(lines(kind, 1, 5), lines(kind, 2, 5), "{kind}");
            let last = serde_json::to_string(&kind.record(1, 4)).unwrap();
            assert_eq!(lines(kind, 1, 5).lines().last(), Some(last.as_str()), "{kind}");
        }
    }

    /// One line a record is what NDJSON promises, whatever the texts hold.
    #[test]
    fn every_line_is_one_record() {
        for kind in Kind::ALL {
            let text = lines(kind, 3, 40);
            assert_eq!(text.lines().count(), 40, "{kind}");
            for line in text.lines() {
                assert!(serde_json::from_str::<Value>(line).unwrap().is_object(), "{kind}");
            }
        }
    }
}
