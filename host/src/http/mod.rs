//! The client that sends requests of a load, as [`Host::fetch`](crate::Host::fetch) specifies.

mod agents;
mod body;
mod client;
mod echo;
mod reach;
mod roots;
mod secrets;
mod target;
pub(crate) mod token;

pub(crate) use self::agents::Agents;
pub use self::client::{Http, HttpLimits};
pub use self::reach::{Finding, ReachStep, reach};
pub(crate) use self::secrets::hide;
pub(crate) use self::target::{ShownRequest, check, encoded, shown_url};
pub(crate) use self::token::is_transient;
