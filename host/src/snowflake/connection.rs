//! What a session is opened with: where the account is, who logs in, and what the session begins with.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::account::{Account, Address, wrong};
use super::error::SnowflakeError;
use crate::credentials::Secret;

/// The parameters of a connection that have a meaning here. Programs that share a file with this one may have
/// others in it.
pub(super) const PARAMETERS: [&str; 21] = [
    "account",
    "authenticator",
    "database",
    "host",
    "passcode",
    "password",
    "port",
    "private_key",
    "private_key_file",
    "private_key_file_pwd",
    "private_key_passphrase",
    "private_key_path",
    "private_key_raw",
    "protocol",
    "role",
    "schema",
    "token",
    "token_file_path",
    "user",
    "username",
    "warehouse",
];

/// What a session is opened with. No secret of it is printed.
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
    pub(super) role: Option<String>,
    pub(super) warehouse: Option<String>,
    pub(super) database: Option<String>,
    pub(super) schema: Option<String>,
    pub(super) session_parameters: BTreeMap<String, Value>,
    pub(super) pace: Pace,
}

/// Who logs in, and with what proof.
#[derive(Clone, Debug)]
pub(super) enum Identity {
    /// A name and a password, with a code of a second factor perhaps.
    Password { user: String, password: Secret, passcode: Option<Secret> },
}

/// How long to wait for answers, and how often to try.
#[derive(Clone)]
pub(super) struct Pace {
    /// Attempts for one request.
    pub(super) attempts: u32,
    /// Time for one attempt, its answer included.
    pub(super) timeout: Duration,
    /// Does nothing for a while.
    pub(super) sleep: Arc<dyn Fn(Duration) + Send + Sync>,
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
        Self { attempts: 8, timeout: Duration::from_secs(120), sleep: Arc::new(thread::sleep) }
    }
}

/// A parameter, and where it was found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) value: Secret,
    /// For a person: a flag, a variable, or a file and its section. Empty if the program gave it.
    pub(super) place: String,
}

/// Parameters by name.
pub(super) type Parameters = BTreeMap<String, Found>;

impl Connection {
    /// Returns the connection that these parameters describe. Their names are those of `connections.toml`.
    ///
    /// # Errors
    /// If a parameter is not known, is missing, or is not valid.
    pub fn of<K: Into<String>, V: Into<String>>(
        parameters: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, SnowflakeError> {
        let mut given = Parameters::new();
        for (name, value) in parameters {
            let name: String = name.into();
            if !PARAMETERS.contains(&name.as_str()) {
                let known = PARAMETERS.join(", ");
                return Err(wrong(format!("expected a parameter of {known}, found {name:?}")));
            }
            given.insert(name, Found { value: Secret::new(value.into()), place: String::new() });
        }
        Self::of_parameters(&given)
    }

    /// Returns the connection of parameters that were found in different places.
    pub(super) fn of_parameters(given: &Parameters) -> Result<Self, SnowflakeError> {
        let given = Given(given);
        let account = given.need("account", "the account's identifier, such as acme-prod")?;
        let account = Account::parse(account).map_err(|why| given.wrong("account", &why))?;
        let (host, port) = (given.text("host"), given.text("port"));
        let address = Address::new(&account, host, port, given.text("protocol")).map_err(wrong)?;
        Ok(Self {
            identity: given.identity()?,
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

    /// Tries each request so many times; 8 by default.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.pace.attempts = attempts.max(1);
        self
    }

    /// Waits so long for the answer to one attempt; 120 s by default. A statement that takes longer is asked
    /// for with further requests, so this does not limit it.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.pace.timeout = timeout;
        self
    }

    /// Calls this in place of a sleep: between attempts, and while a statement runs.
    #[must_use]
    pub fn sleeping(mut self, sleep: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        self.pace.sleep = Arc::new(sleep);
        self
    }

    /// Sets a parameter of the session, such as `QUERY_TAG`.
    #[must_use]
    pub fn session_parameter(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.session_parameters.insert(name.to_owned(), value.into());
        self
    }

    /// Returns the URL of the service.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }
}

/// Parameters that are taken by name.
struct Given<'a>(&'a Parameters);

impl<'a> Given<'a> {
    /// A parameter that has a value.
    fn text(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).map(|found| found.value.reveal()).filter(|text| !text.is_empty())
    }

    fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    fn secret(&self, name: &str) -> Option<Secret> {
        self.owned(name).map(Secret::new)
    }

    fn need(&self, name: &str, what: &str) -> Result<&'a str, SnowflakeError> {
        self.text(name).ok_or_else(|| wrong(format!("{name}: expected {what}, found nothing")))
    }

    /// The error of a parameter, with the place where it was found.
    fn wrong(&self, name: &str, why: &str) -> SnowflakeError {
        let place = self.0.get(name).map(|found| found.place.as_str()).unwrap_or_default();
        match place {
            "" => wrong(format!("{name}: {why}")),
            place => wrong(format!("{name} of {place}: {why}")),
        }
    }

    fn user(&self) -> Result<String, SnowflakeError> {
        let user = self.text("user").or_else(|| self.text("username"));
        let user = user.ok_or_else(|| wrong("user: expected the name of a user, found nothing"))?;
        Ok(user.to_owned())
    }

    fn identity(&self) -> Result<Identity, SnowflakeError> {
        let authenticator = self.text("authenticator").unwrap_or_default().to_ascii_uppercase();
        match authenticator.as_str() {
            "" | "SNOWFLAKE" | "USERNAME_PASSWORD_MFA" => {}
            other => {
                let why = format!("expected snowflake, found {other:?}");
                return Err(self.wrong("authenticator", &why));
            }
        }
        let Some(password) = self.secret("password") else {
            return Err(wrong("expected password, private_key_file or token, found none of them"));
        };
        Ok(Identity::Password { user: self.user()?, password, passcode: self.secret("passcode") })
    }
}
