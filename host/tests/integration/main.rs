//! Tests of the host's API. They are one program, because linking the engine is expensive.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails a test")]

mod buckets;
mod command;
mod component;
mod contract;
mod driver;
mod examples;
mod first_job;
mod limits;
mod network;
mod snowflake;
mod stage;
mod stub;
mod table;
