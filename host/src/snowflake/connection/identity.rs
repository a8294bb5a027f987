//! The user of a login, and the credentials.

use std::path::{Path, PathBuf};

use super::super::error::SnowflakeError;
use super::super::key::PrivateKey;
use super::file::{Rights, read};
use super::parameters::{Parameters, wrong};
use crate::credentials::Secret;

/// The user of a login, and the credentials.
#[derive(Clone, Debug)]
pub(in crate::snowflake) enum Identity {
    /// A name and a password, perhaps with a code of a second factor.
    Password { user: String, password: Secret, passcode: Option<Secret> },
    /// A name and a private key, whose public key is registered in the account.
    Key { user: String, key: PrivateKey },
    /// A token of OAuth, which contains the user.
    OAuth { user: Option<String>, token: TokenSource },
    /// A programmatic access token.
    AccessToken { user: Option<String>, token: TokenSource },
    /// The token of a container of Snowpark Container Services.
    Container { token: TokenSource },
}

/// The source of a token.
#[derive(Clone, Debug)]
pub(in crate::snowflake) enum TokenSource {
    /// The token itself.
    Given(Secret),
    /// A file, which is read for each login, because another program replaces the token.
    File(PathBuf, Rights),
}

impl TokenSource {
    /// Returns the current token.
    pub(in crate::snowflake) fn read(&self) -> Result<Secret, SnowflakeError> {
        match self {
            Self::Given(token) => Ok(token.clone()),
            Self::File(path, rights) => {
                let text = read(path, *rights).map_err(|why| wrong(format!("token: {why}")))?;
                let token = text.trim();
                if token.is_empty() {
                    let path = path.display();
                    return Err(wrong(format!("token: expected a token in {path}, found nothing")));
                }
                Ok(Secret::new(token.to_owned()))
            }
        }
    }
}

/// The values of `authenticator`.
const AUTHENTICATORS: &str =
    "snowflake, snowflake_jwt, oauth, programmatic_access_token or username_password_mfa";
const KEYS: [&str; 4] = ["private_key", "private_key_file", "private_key_path", "private_key_raw"];
const PASSPHRASES: [&str; 2] = ["private_key_file_pwd", "private_key_passphrase"];

impl Identity {
    /// Returns the identity of the parameters. `rights` are those allowed for files with secrets.
    pub(super) fn of(given: &Parameters, rights: Rights) -> Result<Self, SnowflakeError> {
        let authenticator = given.text("authenticator").unwrap_or_default().trim();
        let key = given.first(&KEYS);
        match authenticator.to_ascii_uppercase().as_str() {
            "" if key.is_some() => Self::key(given, rights),
            "" if given.text("password").is_some() => Self::password(given),
            "" if given.first(&["token", "token_file_path"]).is_some() => Err(wrong(
                "authenticator: expected oauth or programmatic_access_token beside a token, found nothing",
            )),
            "" => Err(wrong("expected password, private_key_file or token, found none of them")),
            "SNOWFLAKE" | "USERNAME_PASSWORD_MFA" => Self::password(given),
            "SNOWFLAKE_JWT" => Self::key(given, rights),
            "OAUTH" => Ok(Self::OAuth { user: user(given).ok(), token: token(given, rights)? }),
            "PROGRAMMATIC_ACCESS_TOKEN" => {
                Ok(Self::AccessToken { user: user(given).ok(), token: token(given, rights)? })
            }
            _ => {
                let why = format!("expected {AUTHENTICATORS}, found {authenticator:?}");
                Err(given.wrong("authenticator", &why))
            }
        }
    }

    /// Returns the identity of a container, whose token is in this file.
    pub(super) fn container(token: &Path) -> Self {
        Self::Container { token: TokenSource::File(token.to_owned(), Rights::Any) }
    }

    /// Returns the name of the user, if the credentials do not contain it.
    pub(in crate::snowflake) fn user(&self) -> Option<&str> {
        match self {
            Self::Password { user, .. } | Self::Key { user, .. } => Some(user),
            Self::OAuth { user, .. } | Self::AccessToken { user, .. } => user.as_deref(),
            Self::Container { .. } => None,
        }
    }

    /// Returns `true` if another login may read another token.
    pub(in crate::snowflake) const fn changes(&self) -> bool {
        match self {
            Self::Password { .. } | Self::Key { .. } => false,
            Self::OAuth { token, .. }
            | Self::AccessToken { token, .. }
            | Self::Container { token } => matches!(token, TokenSource::File(..)),
        }
    }

    fn password(given: &Parameters) -> Result<Self, SnowflakeError> {
        let password = given.need("password", "the password of the user")?;
        Ok(Self::Password {
            user: user(given)?,
            password: Secret::new(password.to_owned()),
            passcode: given.secret("passcode"),
        })
    }

    fn key(given: &Parameters, rights: Rights) -> Result<Self, SnowflakeError> {
        let (name, value) = given.first(&KEYS).ok_or_else(|| {
            wrong("private_key_file: expected the path of a private key, found nothing")
        })?;
        let of_file = matches!(name, "private_key_file" | "private_key_path");
        let text = if of_file {
            read(Path::new(value), rights).map_err(|why| given.wrong(name, &why))?
        } else {
            value.to_owned()
        };
        let passphrase = given.first(&PASSPHRASES).map(|(_, text)| Secret::new(text.to_owned()));
        let key =
            PrivateKey::parse(&text, passphrase.as_ref()).map_err(|why| given.wrong(name, &why))?;
        Ok(Self::Key { user: user(given)?, key })
    }
}

fn user(given: &Parameters) -> Result<String, SnowflakeError> {
    match given.first(&["user", "username"]) {
        Some((_, user)) => Ok(user.to_owned()),
        None => Err(wrong("user: expected the name of a user, found nothing")),
    }
}

fn token(given: &Parameters, rights: Rights) -> Result<TokenSource, SnowflakeError> {
    match given.first(&["token", "token_file_path"]) {
        Some(("token", token)) => Ok(TokenSource::Given(Secret::new(token.trim().to_owned()))),
        Some((_, path)) => Ok(TokenSource::File(path.into(), rights)),
        None => Err(wrong("token: expected token or token_file_path, found neither")),
    }
}
