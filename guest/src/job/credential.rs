//! The credentials of a job: which hosts each is for and how the host sends it. The secret itself
//! never reaches the component.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::parse::{JobObject, Keys, element, member};
use super::url;
use crate::fault::Result;

/// A credential that the host holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Credential {
    /// Its name in the job, by which requests refer to it.
    pub(crate) name: String,
    /// How the host adds it to a request.
    pub(crate) scheme: Scheme,
    /// The only hosts it may be sent to, each with its port unless that is the scheme's default.
    pub(crate) hosts: Vec<String>,
    /// The name of the secret in the host.
    pub(crate) secret: String,
    /// All options except the hosts, as written in the job.
    pub(crate) options: Map<String, Value>,
}

/// How a credential is added to a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scheme {
    /// As a plain value.
    ApiKey {
        /// The name of the header, parameter or cookie.
        name: String,
        /// Where it is sent.
        location: Location,
    },
    /// `Authorization: Bearer`.
    Bearer,
    /// `Authorization: Basic`.
    HttpBasic,
    /// A bearer token that is fetched with a client id and secret, or with a refresh token.
    Oauth2 {
        /// The endpoint of tokens. Its host is one of `hosts`.
        access_token_url: String,
        /// `true` for a refresh token (RFC 6749, section 6), `false` for the client's own
        /// credentials (section 4.4).
        refresh: bool,
    },
    /// A bearer token that a Snowflake integration renews.
    SnowflakeOauth,
}

/// Where an API key goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Location {
    /// `Cookie`.
    Cookie,
    /// A header.
    Header,
    /// A parameter of the query.
    Query,
}

impl Credential {
    /// Returns `true` if the credential may be sent with a request for this URL.
    pub(crate) fn is_for(&self, url: &str) -> bool {
        url::place(url).is_some_and(|place| self.hosts.contains(&place))
    }

    /// Returns `true` if the host can fetch another token after a source rejects the current one.
    pub(crate) const fn renews(&self) -> bool {
        matches!(self.scheme, Scheme::Oauth2 { .. } | Scheme::SnowflakeOauth)
    }

    pub(super) fn parse(name: &str, value: &Value, place: &str) -> Result<Self> {
        let object = JobObject::new(value, place, KEYS)?;
        let Some(kind) = object.choice("type", TYPES)? else {
            let names: Vec<&str> = TYPES.iter().map(|(name, _)| *name).collect();
            return Err(object.missing("type", &format!("one of {}", names.join(", "))));
        };
        for (key, of) in OPTIONS {
            if object.get(key).is_some() && !of.contains(&kind) {
                let names: Vec<&str> = of.iter().map(|kind| kind.name()).collect();
                let names = names.join(", ");
                return Err(object
                    .fault_at(key, format_args!("expected nothing: it is an option of {names}")));
            }
        }
        let hosts = object.texts("hosts")?.unwrap_or_default();
        if hosts.is_empty() {
            return Err(object.missing("hosts", "the hosts the credential is for"));
        }
        for (n, host) in hosts.iter().enumerate() {
            let place = element(&object.place_of("hosts"), n);
            if let Some((_, rest)) = host.split_once("{{")
                && let Some((placeholder, _)) = rest.split_once("}}")
            {
                let message = format!(
                    "the placeholder {placeholder} in {host:?} was not filled in (--set {placeholder}=VALUE does)"
                );
                return Err(super::parse::at(&place, message));
            }
            let legal = |c: char| {
                c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']' | '_')
            };
            if !host.chars().all(legal) {
                let message = format!(
                    "expected a host such as api.example.com or localhost:8080, found {host:?}"
                );
                return Err(super::parse::at(&place, message));
            }
        }
        let mut read = Self {
            name: name.to_owned(),
            scheme: Scheme::Bearer,
            hosts: hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            secret: object.text("secret")?.unwrap_or(name).to_owned(),
            options: options(object.map_of_all()),
        };
        read.scheme = match kind {
            Type::ApiKey => Scheme::ApiKey {
                name: object.text("name")?.unwrap_or("Authorization").to_owned(),
                location: object.choice("location", LOCATIONS)?.unwrap_or(Location::Header),
            },
            Type::Bearer => Scheme::Bearer,
            Type::HttpBasic => Scheme::HttpBasic,
            Type::ClientCredentials | Type::RefreshToken => {
                read.oauth2(&object, kind == Type::RefreshToken)?
            }
            Type::SnowflakeOauth => Scheme::SnowflakeOauth,
        };
        Ok(read)
    }

    /// Checks the endpoint of tokens. It receives the secret, so its host must be one of the
    /// credential's, and it must use TLS unless it is on this machine.
    fn oauth2(&self, object: &JobObject<'_>, refresh: bool) -> Result<Scheme> {
        let url = object.required_text("access_token_url")?;
        url::check_base(url).map_err(|fault| fault.at(object.place_of("access_token_url")))?;
        let authority = url::authority(url).unwrap_or_default();
        if url::scheme(url).is_some_and(|(s, _)| s == "http://") && !is_local(&authority) {
            return Err(object.fault_at(
                "access_token_url",
                format_args!("expected https, for {authority} is not this machine"),
            ));
        }
        if !self.is_for(url) {
            let message = format!(
                "expected one of the hosts the credential is for ({}), found {authority}",
                self.hosts.join(", ")
            );
            return Err(object.fault_at("access_token_url", message));
        }
        object.text("refresh_secret")?;
        object.choice("client_authentication", &[("body", ()), ("basic", ())])?;
        let data = object.map("access_token_request_data")?;
        for (key, value) in data.into_iter().flatten() {
            let place = member(&object.place_of("access_token_request_data"), key);
            if NEVER_SENT.contains(&key.as_str()) {
                return Err(super::parse::at(&place, NO_SECRETS));
            }
            super::parse::text(value, &place)?;
        }
        Ok(Scheme::Oauth2 { access_token_url: url.to_owned(), refresh })
    }
}

fn is_local(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => authority.split(':').next(),
    };
    matches!(host, Some("localhost" | "127.0.0.1" | "::1"))
}

/// Reads the job's credentials.
pub(super) fn credentials(
    map: Option<&Map<String, Value>>,
) -> Result<IndexMap<String, Credential>> {
    map.into_iter()
        .flatten()
        .map(|(name, value)| {
            let place = member("credentials", name);
            super::parse::text(&Value::from(name.as_str()), &place)?;
            Ok((name.clone(), Credential::parse(name, value, &place)?))
        })
        .collect()
}

/// The options without the hosts and without nulls.
fn options(given: &Map<String, Value>) -> Map<String, Value> {
    given
        .iter()
        .filter(|(key, value)| *key != "hosts" && !value.is_null())
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Type {
    ApiKey,
    Bearer,
    ClientCredentials,
    HttpBasic,
    RefreshToken,
    SnowflakeOauth,
}

impl Type {
    fn name(self) -> &'static str {
        TYPES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

const TYPES: &[(&str, Type)] = &[
    ("bearer", Type::Bearer),
    ("api_key", Type::ApiKey),
    ("http_basic", Type::HttpBasic),
    ("oauth2_client_credentials", Type::ClientCredentials),
    ("oauth2_refresh_token", Type::RefreshToken),
    ("snowflake_oauth", Type::SnowflakeOauth),
];

const LOCATIONS: &[(&str, Location)] = &[
    ("header", Location::Header),
    ("query", Location::Query),
    ("param", Location::Query),
    ("cookie", Location::Cookie),
];

const OAUTH2: &[Type] = &[Type::ClientCredentials, Type::RefreshToken];

/// The options, each with the types that have it.
const OPTIONS: &[(&str, &[Type])] = &[
    ("name", &[Type::ApiKey]),
    ("location", &[Type::ApiKey]),
    ("access_token_url", OAUTH2),
    ("access_token_request_data", OAUTH2),
    ("client_authentication", OAUTH2),
    ("refresh_secret", &[Type::RefreshToken]),
];

const NO_SECRETS: &str =
    "a secret does not belong in the job: keep it with the host and name it in \"secret\"";

/// Parameters of a token request that only the host adds.
const NEVER_SENT: &[&str] = &["client_secret", "refresh_token", "password", "client_assertion"];

const KEYS: Keys = Keys {
    known: &[
        "type",
        "hosts",
        "secret",
        "name",
        "location",
        "access_token_url",
        "access_token_request_data",
        "client_authentication",
        "refresh_secret",
    ],
    refused: &[
        ("username", NO_SECRETS),
        ("password", NO_SECRETS),
        ("token", NO_SECRETS),
        ("api_key", NO_SECRETS),
        ("access_token", NO_SECRETS),
        ("client_id", NO_SECRETS),
        ("client_secret", NO_SECRETS),
        ("refresh_token", NO_SECRETS),
    ],
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(value: Value) -> Result<Credential> {
        let map = Map::from_iter([("jira".to_owned(), value)]);
        Ok(credentials(Some(&map))?["jira"].clone())
    }

    #[test]
    fn knows_its_hosts() {
        let it = one(json!({"type": "bearer", "hosts": ["API.x.net", "localhost:8080"]})).unwrap();
        assert_eq!(it.secret, "jira");
        let check = |url: &str, is_for: bool| assert_eq!(it.is_for(url), is_for, "{url}");
        check("https://api.x.net/a", true);
        check("https://api.x.net:443/a", true);
        check("http://api.x.net:80/a", true);
        check("https://api.x.net:8443/a", false);
        check("http://localhost:8080/", true);
        check("http://localhost/", false);
        check("https://x.net/", false);
        check("https://api.x.net.evil.net/", false);
        check("https://api.x.net@evil.net/", false);
        check("/a", false);
    }

    #[test]
    fn names_mistakes() {
        let check = |value: Value, message: &str| {
            assert_eq!(one(value).unwrap_err().to_string(), format!("credentials.jira{message}"));
        };
        check(json!("basic"), ": expected an object, found \"basic\"");
        check(
            json!({"hosts": ["x"]}),
            ".type: expected one of bearer, api_key, http_basic, oauth2_client_credentials, \
             oauth2_refresh_token, snowflake_oauth, found nothing",
        );
        check(
            json!({"type": "http_basik", "hosts": ["x"]}),
            ".type: unknown \"http_basik\", did you mean \"http_basic\"?",
        );
        check(
            json!({"type": "bearer"}),
            ".hosts: expected the hosts the credential is for, found nothing",
        );
        check(
            json!({"type": "bearer", "hosts": ["https://x"]}),
            ".hosts[0]: expected a host such as api.example.com or localhost:8080, found \"https://x\"",
        );
        check(
            json!({"type": "bearer", "hosts": ["{{sub}}.x"]}),
            ".hosts[0]: the placeholder sub in \"{{sub}}.x\" was not filled in (--set sub=VALUE does)",
        );
        check(
            json!({"type": "bearer", "hosts": ["x"], "token": "abc"}),
            ": unknown key \"token\": a secret does not belong in the job: keep it with the host and name it in \"secret\"",
        );
        check(
            json!({"type": "bearer", "hosts": ["x"], "location": "query"}),
            ".location: expected nothing: it is an option of api_key",
        );
        check(
            json!({"type": "oauth2_client_credentials", "hosts": ["x"]}),
            ".access_token_url: expected a string, found nothing",
        );
        let oauth2 = |url: &str, more: Value| {
            let mut job = json!({
                "type": "oauth2_refresh_token", "hosts": ["x", "localhost:8080"],
                "access_token_url": url,
            });
            let (Some(job_map), Some(more)) = (job.as_object_mut(), more.as_object()) else {
                panic!()
            };
            job_map.extend(more.clone());
            job
        };
        check(
            oauth2("https://login.x/token", json!({})),
            ".access_token_url: expected one of the hosts the credential is for (x, \
             localhost:8080), found login.x",
        );
        check(
            oauth2("http://x/token", json!({})),
            ".access_token_url: expected https, for x is not this machine",
        );
        check(
            oauth2("/token", json!({})),
            ".access_token_url: expected a URL such as https://api.example.com/v1/, found \
             \"/token\": it begins with neither https:// nor http://",
        );
        check(
            oauth2("https://x/t", json!({"access_token_request_data": {"client_secret": "s"}})),
            ".access_token_request_data.client_secret: a secret does not belong in the job: keep \
             it with the host and name it in \"secret\"",
        );
        check(
            oauth2(
                "https://x/t",
                json!({"type": "oauth2_client_credentials", "refresh_secret": "r"}),
            ),
            ".refresh_secret: expected nothing: it is an option of oauth2_refresh_token",
        );
        let sound = one(oauth2("http://localhost:8080/t", json!({}))).unwrap();
        assert!(matches!(sound.scheme, Scheme::Oauth2 { refresh: true, .. }));
    }
}
