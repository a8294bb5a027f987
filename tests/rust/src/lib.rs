//! What tests and benchmarks share: data generators, a stand-in for Jira Cloud, the benchmark.

pub mod bench;
pub mod generators;
pub mod recorded;
pub mod standin;
