//! The login: its body for each kind of identity, and its result.

use std::cell::RefCell;
use std::env::consts;
use std::path::Path;
use std::time::Duration;
use std::{fs, io};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use ureq::http::Method;

use super::attempts::Attempts;
use super::connection::{Connection, Identity};
use super::envelope::Envelope;
use super::error::{ErrorKind, SnowflakeError};
use super::wire::{Call, Wire};
use crate::credentials::Secret;
use crate::http::hide;

/// The default lifetime of a master token, in seconds.
const USUAL_LIFE: u64 = 14_400;

/// A new session.
pub(super) struct LoggedIn {
    pub(super) session: Secret,
    /// `None`: the session cannot be renewed.
    pub(super) master: Option<Secret>,
    /// The lifetime of the master token.
    pub(super) life: Duration,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LoginData {
    token: Option<String>,
    master_token: Option<String>,
    master_validity_in_seconds: Option<u64>,
}

/// The codes of an OAuth token that is invalid or has expired.
const TOKEN_CODES: [&str; 2] = ["390303", "390318"];

/// Opens a session.
pub(super) fn login(wire: &Wire, connection: &Connection) -> Result<LoggedIn, SnowflakeError> {
    match once(wire, connection) {
        // The file may have a new token.
        Err(error) if TOKEN_CODES.contains(&error.code()) && connection.identity.changes() => {
            once(wire, connection)
        }
        result => result,
    }
}

fn once(wire: &Wire, connection: &Connection) -> Result<LoggedIn, SnowflakeError> {
    let place = [
        ("databaseName", &connection.database),
        ("schemaName", &connection.schema),
        ("warehouse", &connection.warehouse),
        ("roleName", &connection.role),
    ];
    let mut query = vec![("requestId", super::id::new()?)];
    query.extend(place.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    let sent = RefCell::new(Vec::new());
    let body = || body(connection, &mut sent.borrow_mut()).map(|body| body.to_string());
    let call = Call {
        query: &query,
        accept: "application/json",
        body: &body,
        ..Call::new(Method::POST, "/session/v1/login-request")
    };
    let answer: Envelope<LoginData> =
        wire.call(&call, &mut Attempts::default()).map_err(not_executed)?;
    let data = answer.into_data(ErrorKind::Login).map_err(|error| hidden(error, &sent.borrow()))?;
    let token = |token: Option<String>| token.filter(|it| !it.is_empty()).map(Secret::new);
    let session = token(data.token)
        .ok_or_else(|| SnowflakeError::answer("expected a session token, found none"))?;
    Ok(LoggedIn {
        session,
        master: token(data.master_token),
        life: Duration::from_secs(data.master_validity_in_seconds.unwrap_or(USUAL_LIFE)),
    })
}

/// Returns the body of a login, and adds the secrets in it to `sent`.
fn body(connection: &Connection, sent: &mut Vec<Secret>) -> Result<Value, SnowflakeError> {
    let mut data = Map::new();
    let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
    put("ACCOUNT_NAME", connection.account.name().into());
    put("CLIENT_APP_VERSION", env!("CARGO_PKG_VERSION").into());
    put("CLIENT_CAPABILITIES", json!({"SMK_ID_AS_STRING": true}));
    put(
        "CLIENT_ENVIRONMENT",
        json!({"APPLICATION": "Snowcat", "OS": consts::OS, "OS_VERSION": consts::ARCH}),
    );
    // A result is never truncated, whatever the settings of the user or the account.
    let mut parameters = Map::from_iter([("ROWS_PER_RESULTSET".to_owned(), json!(0))]);
    parameters.extend(connection.session_parameters.clone());
    put("SESSION_PARAMETERS", parameters.into());
    if let Some(user) = connection.identity.user() {
        put("LOGIN_NAME", user.into());
    }
    for (name, value) in proof(connection)? {
        put(name, value.reveal().into());
        if matches!(name, "PASSCODE" | "PASSWORD" | "TOKEN") {
            sent.push(value);
        }
    }
    if let Some(file) = &connection.service_token
        && let Some(token) = service_token(file)?
    {
        put("SPCS_TOKEN", token.reveal().into());
        sent.push(token);
    }
    Ok(json!({"data": data}))
}

/// Returns the fields of the credentials.
fn proof(connection: &Connection) -> Result<Vec<(&'static str, Secret)>, SnowflakeError> {
    let word = |text: &str| Secret::new(text.to_owned());
    let by_token =
        |kind: &str, token: Secret| vec![("AUTHENTICATOR", word(kind)), ("TOKEN", token)];
    Ok(match &connection.identity {
        Identity::Password { password, passcode: None, .. } => vec![("PASSWORD", password.clone())],
        Identity::Password { password, passcode: Some(passcode), .. } => vec![
            ("PASSWORD", password.clone()),
            ("AUTHENTICATOR", word("USERNAME_PASSWORD_MFA")),
            ("EXT_AUTHN_DUO_METHOD", word("passcode")),
            ("PASSCODE", passcode.clone()),
        ],
        Identity::Key { user, key } => {
            let token = key.token(connection.account.name(), user);
            let token = token.map_err(|why| SnowflakeError::new(ErrorKind::Connection, why))?;
            by_token("SNOWFLAKE_JWT", token)
        }
        Identity::OAuth { token, .. } => by_token("OAUTH", token.read()?),
        Identity::AccessToken { token, .. } => by_token("PROGRAMMATIC_ACCESS_TOKEN", token.read()?),
        Identity::Container { token } => by_token("OAUTH", token.read()?),
    })
}

/// Returns the token of the service that a container runs in. Older versions of Snowflake have no such file, and need
/// none.
fn service_token(file: &Path) -> Result<Option<Secret>, SnowflakeError> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(Secret::new(text.trim().to_owned()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let message = format!("{}: {error}", file.display());
            Err(SnowflakeError::new(ErrorKind::Connection, message))
        }
    }
}

/// The same error: a login executes no statement.
fn not_executed(error: SnowflakeError) -> SnowflakeError {
    let unknown = error.kind() == ErrorKind::OutcomeUnknown;
    if unknown { error.with_kind(ErrorKind::Unavailable) } else { error }
}

/// The same error, without the secrets that were sent, which the message may contain.
fn hidden(error: SnowflakeError, sent: &[Secret]) -> SnowflakeError {
    let message = hide(error.message().to_owned(), sent);
    error.with_message(message)
}
