//! REST sources from the job to the rows: whole loads against functions as servers.

#![expect(clippy::unwrap_used, reason = "these are tests")]
#![expect(clippy::panic, reason = "these are tests")]

mod faults;
mod guesses;
mod paginators;
mod parallel;
mod parents;
mod steps;
mod world;
