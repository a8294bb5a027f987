//! Snowflake as a destination: a session over the protocol of the drivers, and the host of a load.
//!
//! ```text
//!   Connection --> Session --> query ------> wire -------> HTTPS
//!                  |           one id        attempts,     |
//!                  |           a statement   redirects     v
//!                  +--> tokens: login, renewal        the service
//!                  +--> heartbeat (a thread)
//! ```
//!
//! A statement has one request id: however often it is sent after a lost answer, the service
//! executes it once.

mod account;
mod answer;
mod attempts;
mod connection;
mod der;
mod effect;
mod envelope;
mod error;
mod heartbeat;
mod host;
mod id;
mod key;
mod login;
mod observer;
mod pool;
mod put;
mod query;
mod session;
mod stopping;
mod tokens;
mod uploads;
mod wire;

pub use self::answer::Answer;
pub use self::connection::{Connection, ConnectionPlaces};
pub use self::error::{ErrorKind, SnowflakeError};
pub use self::host::Snowflake;
pub use self::observer::{SessionEvent, SessionObserver, StatementEvent};
pub use self::session::{Aborter, Session};
