//! The settings of a session: the account, the credentials, and the initial parameters.

mod file;
mod identity;
mod lookup;
mod parameters;
mod place;
mod places;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use self::file::Rights;
pub(super) use self::identity::Identity;
use self::parameters::{NAMES, Parameters, wrong};
use self::place::ParameterPlace;
pub use self::places::ConnectionPlaces;
use super::account::{Account, Address};
use super::error::SnowflakeError;
use super::observer::{SessionEvent, SessionObserver};
use crate::stop::Stop;

/// The settings of a session. Its secrets are not printed.
///
/// ```
/// use snowcat_host::snowflake::Connection;
///
/// let connection = Connection::of([
///     ("account", "acme-prod"),
///     ("user", "loader"),
///     ("password", "hunter2"),
///     ("role", "LOADER"),
///     ("warehouse", "LOADING"),
/// ])?;
/// assert_eq!(connection.address(), "https://acme-prod.snowflakecomputing.com");
/// assert!(!format!("{connection:?}").contains("hunter2"));
///
/// let error = Connection::of([("account", "acme-prod"), ("user", "loader")]).unwrap_err();
/// assert!(error.to_string().contains("expected password, private_key_file or token"), "{error}");
/// # Ok::<(), snowcat_host::snowflake::SnowflakeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Connection {
    pub(super) account: Account,
    pub(super) address: Address,
    pub(super) identity: Identity,
    /// The file of the service's token, in a container of Snowpark Container Services.
    pub(super) service_token: Option<PathBuf>,
    pub(super) role: Option<String>,
    pub(super) warehouse: Option<String>,
    pub(super) database: Option<String>,
    pub(super) schema: Option<String>,
    pub(super) session_parameters: BTreeMap<String, Value>,
    pub(super) pace: Pace,
}

/// The limits of waits and attempts.
#[derive(Clone)]
pub(super) struct Pace {
    /// Attempts for one request.
    pub(super) attempts: u32,
    /// Time for one attempt, its answer included.
    pub(super) timeout: Duration,
    /// Replaces the sleep of waits.
    pub(super) sleep: Option<Arc<dyn Fn(Duration) + Send + Sync>>,
    /// Ends waits, if there is one.
    pub(super) stop: Option<Stop>,
    pub(super) observer: Option<Arc<dyn SessionObserver>>,
}

impl Pace {
    pub(super) fn observe(&self, event: &SessionEvent<'_>) {
        if let Some(observer) = &self.observer {
            observer.event(event);
        }
    }

    /// Returns the time since a stop was requested.
    pub(super) fn stopped(&self) -> Option<Duration> {
        self.stop.as_ref()?.since()
    }

    /// Waits, until a stop is requested. What is sent after that waits without it.
    pub(super) fn wait(&self, time: Duration) {
        match (&self.sleep, &self.stop) {
            (Some(sleep), _) => sleep(time),
            // The caller finds the stop.
            (None, Some(stop)) if !stop.is_stopped() => _ = stop.wait(time),
            (None, _) => thread::sleep(time),
        }
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace")
            .field("attempts", &self.attempts)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            attempts: 8,
            timeout: Duration::from_secs(120),
            sleep: None,
            stop: None,
            observer: None,
        }
    }
}

impl Connection {
    /// Returns the connection of these parameters. Their names are those of `connections.toml`.
    ///
    /// # Errors
    /// If a parameter is unknown, missing or invalid.
    pub fn of<K: AsRef<str>, V: Into<String>>(
        parameters: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, SnowflakeError> {
        let mut given = Parameters::default();
        for (name, value) in parameters {
            let name = name.as_ref();
            if !NAMES.contains(&name) {
                let known = NAMES.join(", ");
                return Err(wrong(format!("expected a parameter of {known}, found {name:?}")));
            }
            given.put(name, value.into(), &ParameterPlace::Argument);
        }
        let identity = Identity::of(&given, Rights::Owner)?;
        Self::with(&given, identity)
    }

    /// Returns the connection of an identity, with parameters that were found in different places.
    fn with(given: &Parameters, identity: Identity) -> Result<Self, SnowflakeError> {
        let account = given.need("account", "the account's identifier, such as acme-prod")?;
        let account = Account::parse(account).map_err(|why| given.wrong("account", &why))?;
        let (host, port) = (given.text("host"), given.text("port"));
        let address = Address::new(&account, host, port, given.text("protocol"))
            .map_err(|(name, why)| given.wrong(name, &why))?;
        Ok(Self {
            identity,
            service_token: None,
            account,
            address,
            role: given.owned("role"),
            warehouse: given.owned("warehouse"),
            database: given.owned("database"),
            schema: given.owned("schema"),
            session_parameters: BTreeMap::new(),
            pace: Pace::default(),
        })
    }

    /// Sets the number of attempts for each request; 8 by default.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.pace.attempts = attempts.max(1);
        self
    }

    /// Sets the time to wait for the answer of one attempt; 120 s by default. It does not limit a
    /// statement: the result of a longer one is requested again.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.pace.timeout = timeout;
        self
    }

    /// Calls this function instead of sleeping, between attempts and while a statement runs.
    #[must_use]
    pub fn sleeping(mut self, sleep: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        self.pace.sleep = Some(Arc::new(sleep));
        self
    }

    /// Ends the session, and the load that uses it, when this stop is requested; see [`Stop`].
    #[must_use]
    pub fn stopped_by(mut self, stop: &Stop) -> Self {
        self.pace.stop = Some(stop.clone());
        self
    }

    /// Calls this observer after each statement and upload.
    #[must_use]
    pub fn observed_by(mut self, observer: Arc<dyn SessionObserver>) -> Self {
        self.pace.observer = Some(observer);
        self
    }

    /// Sets a parameter of the session, such as `QUERY_TAG`.
    #[must_use]
    pub fn session_parameter(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.session_parameters.insert(name.to_owned(), value.into());
        self
    }

    /// Returns the database of the session, if one is set.
    #[must_use]
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// Returns the schema of the session, if one is set.
    #[must_use]
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// Returns the role of the session, if one is set.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    /// Returns the URL of the service.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
