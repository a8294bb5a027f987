//! The login: its body for each kind of identity, and what it returns.

use std::env::consts;
use std::time::Duration;

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

/// How long a master token is valid, in seconds, if the service does not say.
const USUAL_LIFE: u64 = 14_400;

/// A new session.
pub(super) struct LoggedIn {
    pub(super) session: Secret,
    /// Without one the session cannot be renewed.
    pub(super) master: Option<Secret>,
    /// How long the master token is valid.
    pub(super) life: Duration,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LoginData {
    token: Option<String>,
    master_token: Option<String>,
    master_validity_in_seconds: Option<u64>,
}

/// Opens a session.
pub(super) fn login(wire: &Wire, connection: &Connection) -> Result<LoggedIn, SnowflakeError> {
    let place = [
        ("databaseName", &connection.database),
        ("schemaName", &connection.schema),
        ("warehouse", &connection.warehouse),
        ("roleName", &connection.role),
    ];
    let mut query = vec![("requestId", super::id::new()?)];
    query.extend(place.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    let body = || body(connection).map(|body| body.to_string());
    let call = Call {
        query: &query,
        accept: "application/json",
        body: &body,
        ..Call::new(Method::POST, "/session/v1/login-request")
    };
    let answer: Envelope<LoginData> = wire.call(&call, &mut Attempts::default())?;
    let data = answer.into_data(ErrorKind::Login).map_err(|error| hidden(error, connection))?;
    let token = |token: Option<String>| token.filter(|it| !it.is_empty()).map(Secret::new);
    let session = token(data.token)
        .ok_or_else(|| SnowflakeError::answer("expected a session token, found none"))?;
    Ok(LoggedIn {
        session,
        master: token(data.master_token),
        life: Duration::from_secs(data.master_validity_in_seconds.unwrap_or(USUAL_LIFE)),
    })
}

fn body(connection: &Connection) -> Result<Value, SnowflakeError> {
    let mut data = Map::new();
    let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
    put("ACCOUNT_NAME", connection.account.name().into());
    put("CLIENT_APP_VERSION", env!("CARGO_PKG_VERSION").into());
    put("CLIENT_CAPABILITIES", json!({"SMK_ID_AS_STRING": true}));
    put(
        "CLIENT_ENVIRONMENT",
        json!({"APPLICATION": "Snowcat", "OS": consts::OS, "OS_VERSION": consts::ARCH}),
    );
    // A result is never cut, whatever the user or the account sets.
    let mut parameters = Map::from_iter([("ROWS_PER_RESULTSET".to_owned(), json!(0))]);
    parameters.extend(connection.session_parameters.clone());
    put("SESSION_PARAMETERS", parameters.into());
    match &connection.identity {
        Identity::Password { user, password, passcode } => {
            put("LOGIN_NAME", user.as_str().into());
            put("PASSWORD", password.reveal().into());
            if let Some(passcode) = passcode {
                put("AUTHENTICATOR", "USERNAME_PASSWORD_MFA".into());
                put("EXT_AUTHN_DUO_METHOD", "passcode".into());
                put("PASSCODE", passcode.reveal().into());
            }
        }
    }
    Ok(json!({"data": data}))
}

/// The same error, without a secret that the message may quote.
fn hidden(error: SnowflakeError, connection: &Connection) -> SnowflakeError {
    let secrets = match &connection.identity {
        Identity::Password { password, passcode, .. } => {
            [Some(password.clone()), passcode.clone()].into_iter().flatten().collect::<Vec<_>>()
        }
    };
    let message = hide(error.message().to_owned(), &secrets);
    error.with_message(message)
}
