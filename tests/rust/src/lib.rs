//! What tests and benchmarks share: data generators, fake services, the replayer of recorded conversations,
//! the benchmark.

pub mod bench;
pub mod fakes;
pub mod generators;
pub mod recorded;
