//! Sessions with Snowflake: against the emulator, and against a service that answers as a test says.

mod emulator;
mod logins;
mod pool;
pub(crate) mod service;
mod sessions;
mod statements;
mod stops;
mod uploads;
