//! Secrets, and the hosts they may be sent to.
//!
//! A job names its credentials and their hosts; it contains no secret:
//!
//! ```json
//! {"credentials": {"jira": {"type": "http_basic", "hosts": ["acme.atlassian.net"], "secret": "jira_creds"}}}
//! ```
//! `type` is `http_basic`, `bearer`, `api_key` (with `name`, and `location`: `header`, `query` or
//! `cookie`), `oauth2_client_credentials` or `oauth2_refresh_token` (with `access_token_url`, whose
//! host must be among the hosts, too), or `snowflake_oauth`, which is a `bearer` outside of
//! Snowflake. The host supplies the values: inside Snowflake from secret objects, on a laptop from
//! environment variables, in a container from files. They are read only when a request needs them.

mod secrets;

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};

pub(crate) use self::secrets::SHORTEST;
pub use self::secrets::{Environment, Part, Secret, SecretFiles, Secrets};

/// The credentials of a job. A credential is added only to requests to its hosts.
///
/// ```
/// use snowcat_host::credentials::{Credentials, Environment, Origin};
///
/// # fn main() -> Result<(), String> {
/// let job = serde_json::json!({"credentials": {"api": {"type": "bearer", "hosts": ["api.example.com"]}}});
/// let credentials = Credentials::of_job(&job, Box::new(Environment))?;
/// assert!(credentials.is_for("api", &Origin::new("API.example.com", None, 443)));
/// assert!(!credentials.is_for("api", &Origin::new("api.example.com", Some(8443), 443)));
/// assert!(!credentials.is_for("api", &Origin::new("example.com", None, 443)));
/// # Ok(())
/// # }
/// ```
pub struct Credentials {
    named: BTreeMap<String, Credential>,
    secrets: Box<dyn Secrets>,
}

/// What is added to a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Addition {
    /// A header.
    Header {
        /// In lower case.
        name: String,
        /// The value.
        value: Secret,
        /// The secrets in the value, which must not reach the load in a response.
        secrets: Vec<Secret>,
    },
    /// A parameter of the query.
    Parameter {
        /// Not encoded.
        name: String,
        /// Not encoded.
        value: Secret,
    },
    /// A bearer token that must be fetched first.
    Token(TokenRequest),
}

/// A request for a bearer token: OAuth 2.0 (RFC 6749), with the client's credentials (section 4.4)
/// or a refresh token (section 6).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenRequest {
    /// The endpoint of tokens.
    pub url: String,
    /// The client's id.
    pub id: Secret,
    /// The client's secret.
    pub secret: Secret,
    /// The refresh token, if the request uses one.
    pub refresh: Option<Secret>,
    /// Whether the id and the secret are sent in the `Authorization` header rather than the body
    /// (section 2.3.1).
    pub basic: bool,
    /// Further parameters.
    pub data: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Credential {
    r#type: Type,
    hosts: Vec<String>,
    secret: Option<String>,
    name: Option<String>,
    #[serde(default, deserialize_with = "default_of_null")]
    location: KeyLocation,
    access_token_url: Option<String>,
    #[serde(default, deserialize_with = "default_of_null")]
    access_token_request_data: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "default_of_null")]
    client_authentication: ClientAuthentication,
    refresh_secret: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Type {
    ApiKey,
    Bearer,
    HttpBasic,
    #[serde(rename = "oauth2_client_credentials")]
    ClientCredentials,
    #[serde(rename = "oauth2_refresh_token")]
    RefreshToken,
    SnowflakeOauth,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
enum KeyLocation {
    Cookie,
    #[default]
    Header,
    #[serde(alias = "param")]
    Query,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
enum ClientAuthentication {
    Basic,
    #[default]
    Body,
}

impl Credentials {
    /// Returns the credentials of this job. The rest of the job is not read.
    ///
    /// # Errors
    /// The first error in them, as a sentence.
    pub fn of_job(job: &serde_json::Value, secrets: Box<dyn Secrets>) -> Result<Self, String> {
        let named: BTreeMap<String, Credential> = match job.get("credentials") {
            None | Some(serde_json::Value::Null) => BTreeMap::new(),
            Some(credentials) => Deserialize::deserialize(without_comments(credentials))
                .map_err(|e| format!("credentials: {e}"))?,
        };
        for (name, credential) in &named {
            if credential.hosts.is_empty() {
                return Err(format!("credentials.{name}: expected at least one host"));
            }
            let oauth2 = matches!(credential.r#type, Type::ClientCredentials | Type::RefreshToken);
            if oauth2 && credential.access_token_url.is_none() {
                return Err(format!("credentials.{name}: expected an access_token_url"));
            }
        }
        Ok(Self { named, secrets })
    }

    /// Returns what is added to a request to this host.
    ///
    /// # Errors
    /// If there is no such credential, or it is not for the host: the request must not be sent.
    pub fn addition(&self, name: &str, origin: &Origin) -> Result<Addition, String> {
        let credential = self.named(name)?;
        if !self.is_for(name, origin) {
            return Err(format!("the credential {name} is not for the host {origin}"));
        }
        let alias = credential.secret.as_deref().unwrap_or(name);
        let read = |secret: &str, part| {
            let value = self.secrets.part(secret, part);
            value.map_err(|why| format!("the credential {name}: {why}"))
        };
        let part = |part| read(alias, part);
        let authorization = |value, secrets| Addition::Header {
            name: "authorization".to_owned(),
            value: Secret::new(value),
            secrets,
        };
        Ok(match credential.r#type {
            Type::ApiKey => {
                let key = credential.name.as_deref().unwrap_or("Authorization");
                let value = part(Part::Token)?;
                match credential.location {
                    KeyLocation::Header => Addition::Header {
                        name: key.to_ascii_lowercase(),
                        secrets: vec![value.clone()],
                        value,
                    },
                    KeyLocation::Query => Addition::Parameter { name: key.to_owned(), value },
                    KeyLocation::Cookie => cookie(name, key, &value)?,
                }
            }
            Type::Bearer | Type::SnowflakeOauth => {
                let token = part(Part::Token)?;
                authorization(format!("Bearer {}", token.reveal()), vec![token])
            }
            Type::HttpBasic => {
                let (user, password) = (part(Part::Username)?, part(Part::Password)?);
                let pair = Secret::new(format!("{}:{}", user.reveal(), password.reveal()));
                let value = basic(&user, &password);
                // With a short password the name is the key.
                let short = password.reveal().chars().count() < SHORTEST;
                authorization(value, vec![pair, if short { user } else { password }])
            }
            Type::ClientCredentials | Type::RefreshToken => Addition::Token(TokenRequest {
                url: credential.access_token_url.clone().unwrap_or_default(),
                id: part(Part::Username)?,
                secret: part(Part::Password)?,
                refresh: match (credential.r#type, &credential.refresh_secret) {
                    (Type::RefreshToken, Some(secret)) => Some(read(secret, Part::Token)?),
                    (Type::RefreshToken, None) => {
                        Some(read(&format!("{alias}_refresh"), Part::Token)?)
                    }
                    _ => None,
                },
                basic: credential.client_authentication == ClientAuthentication::Basic,
                data: credential.access_token_request_data.clone(),
            }),
        })
    }

    /// Returns `true` if a credential may be sent to this host.
    #[must_use]
    pub fn is_for(&self, name: &str, origin: &Origin) -> bool {
        self.named.get(name).is_some_and(|it| it.hosts.iter().any(|host| origin.is(host)))
    }

    fn named(&self, name: &str) -> Result<&Credential, String> {
        self.named
            .get(name)
            .ok_or_else(|| format!("expected a credential {name} in the job, found none"))
    }
}

/// Null counts as missing.
fn default_of_null<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// `Basic` and both in base64.
pub(crate) fn basic(user: &Secret, password: &Secret) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", user.reveal(), password.reveal())))
}

/// A cookie. Characters that would end it or begin another one are rejected (RFC 6265, section
/// 4.1.1).
fn cookie(credential: &str, name: &str, value: &Secret) -> Result<Addition, String> {
    let legal = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | ',' | ';' | '\\');
    if !value.reveal().chars().all(legal) {
        return Err(format!("the credential {credential} cannot be sent in a cookie"));
    }
    let secrets = vec![value.clone()];
    let value = Secret::new(format!("{name}={}", value.reveal()));
    Ok(Addition::Header { name: "cookie".to_owned(), value, secrets })
}

/// Comments in a job are keys that begin with `//`.
fn without_comments(value: &serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(map) => map
            .iter()
            .filter(|(key, _)| !key.starts_with("//"))
            .map(|(key, value)| (key.clone(), without_comments(value)))
            .collect(),
        other => other.clone(),
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("named", &self.named).finish_non_exhaustive()
    }
}

/// The host and port of a URL.
///
/// ```
/// use snowcat_host::credentials::Origin;
///
/// assert_eq!(Origin::new("Example.com", Some(443), 443).to_string(), "example.com");
/// assert_eq!(Origin::new("localhost", Some(8080), 443).to_string(), "localhost:8080");
/// assert!(Origin::new("127.0.0.1", None, 80).is_local());
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin {
    host: String,
    port: u16,
    default_port: bool,
}

impl Origin {
    /// Creates an origin from a host in any case, and the port if the URL has one.
    #[must_use]
    pub fn new(host: &str, port: Option<u16>, default: u16) -> Self {
        let port = port.unwrap_or(default);
        Self { host: host.to_ascii_lowercase(), port, default_port: port == default }
    }

    /// Returns `true` for the machine that the program runs on, where TLS is not needed.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "[::1]" | "::1")
    }

    /// Returns `true` if a credential's `host` or `host:port` is this origin. Without a port it is
    /// the default port of the scheme.
    fn is(&self, allowed: &str) -> bool {
        let allowed = allowed.to_ascii_lowercase();
        (self.default_port && allowed == self.host)
            || allowed.strip_prefix(&self.host).and_then(|rest| rest.strip_prefix(':'))
                == Some(self.port.to_string().as_str())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        if self.default_port { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Fixed;

    impl Secrets for Fixed {
        fn part(&self, secret: &str, part: Part) -> Result<Secret, String> {
            Ok(Secret::new(format!("{secret}-{part:?}")))
        }
    }

    #[test]
    fn credentials_are_sent_to_their_hosts_only() {
        let job = json!({"credentials": {
            "basic": {"type": "http_basic", "hosts": ["Acme.example", "127.0.0.1:80"], "secret": "s"},
            "bearer": {"type": "bearer", "hosts": ["acme.example:8443"]},
            "key": {"type": "api_key", "hosts": ["acme.example"], "secret": "s", "name": "X-Key"},
            "query": {"type": "api_key", "hosts": ["acme.example"], "name": "k", "location": "query"},
            "//": "a comment",
        }});
        let credentials = Credentials::of_job(&job, Box::new(Fixed)).unwrap();
        let check = |name: &str, host: &str, port: Option<u16>, expected: Result<&str, &str>| {
            let found = credentials.addition(name, &Origin::new(host, port, 443));
            let found = found.map(|addition| match addition {
                Addition::Header { name, value, .. } => format!("{name}: {}", value.reveal()),
                Addition::Parameter { name, value } => format!("?{name}={}", value.reveal()),
                Addition::Token(request) => request.url,
            });
            assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{name} {host}");
        };
        let basic = Ok("authorization: Basic cy1Vc2VybmFtZTpzLVBhc3N3b3Jk");
        check("basic", "acme.example", None, basic);
        check("basic", "ACME.example", Some(443), basic);
        check("basic", "127.0.0.1", Some(80), basic);
        check("bearer", "acme.example", Some(8443), Ok("authorization: Bearer bearer-Token"));
        check("key", "acme.example", None, Ok("x-key: s-Token"));
        check("query", "acme.example", None, Ok("?k=query-Token"));

        let refused =
            |name: &str, host: &str| format!("the credential {name} is not for the host {host}");
        check("basic", "acme.example", Some(444), Err(&refused("basic", "acme.example:444")));
        check("basic", "evil-acme.example", None, Err(&refused("basic", "evil-acme.example")));
        check("basic", "acme.example.evil", None, Err(&refused("basic", "acme.example.evil")));
        check("basic", "127.0.0.1", None, Err(&refused("basic", "127.0.0.1")));
        check("bearer", "acme.example", None, Err(&refused("bearer", "acme.example")));
        check(
            "none",
            "acme.example",
            None,
            Err("expected a credential none in the job, found none"),
        );
    }

    #[test]
    fn invalid_credentials_are_rejected() {
        let check = |credential: serde_json::Value, expected: &str| {
            let job = json!({"credentials": {"c": credential}});
            let error = Credentials::of_job(&job, Box::new(Fixed)).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        check(json!({"type": "bearer", "hosts": [], "secret": "s"}), "at least one host");
        check(json!({"type": "oauth", "hosts": ["h"], "secret": "s"}), "unknown variant `oauth`");
        check(json!({"type": "oauth2_client_credentials", "hosts": ["h"]}), "an access_token_url");
        check(json!({"type": "bearer", "hosts": ["h"], "token": "t"}), "unknown field `token`");
    }

    #[test]
    fn secrets_are_not_printed() {
        let job = json!({"credentials": {
            "c": {"type": "bearer", "hosts": ["h"], "secret": "s"},
            "o": {"type": "oauth2_client_credentials", "hosts": ["h"], "secret": "s", "access_token_url": "u"},
        }});
        let credentials = Credentials::of_job(&job, Box::new(Fixed)).unwrap();
        let origin = Origin::new("h", None, 443);
        for name in ["c", "o"] {
            let printed = format!("{credentials:?} {:?}", credentials.addition(name, &origin));
            assert!(printed.contains("***") && !printed.contains("s-"), "{printed}");
        }
    }
}
