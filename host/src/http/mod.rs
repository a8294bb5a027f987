//! Requests that are sent for a load, as [`Host::fetch`](crate::Host::fetch) promises it.

mod body;
mod client;
mod echo;
mod secrets;
mod target;
pub(crate) mod token;

pub use self::client::{Http, HttpLimits};
pub(crate) use self::secrets::hide;
pub(crate) use self::target::{ShownRequest, check, encoded};
pub(crate) use self::token::is_transient;
