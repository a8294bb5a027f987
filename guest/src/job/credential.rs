//! Who asks, as far as the load may know: which credential goes to which hosts, never what it is.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::read::{Keys, Object, element, member};
use super::url;
use crate::fault::Result;

/// A credential the host keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct Credential {
    /// Its name in the job, which requests name.
    pub name: String,
    /// How the host adds it to a request.
    pub scheme: Scheme,
    /// The only hosts it is for, each with its port where that is not the scheme's own.
    pub hosts: Vec<String>,
    /// Where the host finds it: the name of a secret.
    pub secret: String,
}

/// How a credential is added to a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Scheme {
    /// As a header or a parameter of the query.
    ApiKey {
        /// The name of the header or parameter.
        name: String,
        /// Whether it is a parameter.
        in_query: bool,
    },
    /// `Authorization: Bearer`.
    Bearer,
    /// `Authorization: Basic`.
    HttpBasic,
    /// A bearer token fetched with an id and a secret.
    Oauth2ClientCredentials {
        /// Where it is fetched.
        access_token_url: String,
        /// What else is sent there.
        access_token_request_data: Map<String, Value>,
    },
}

impl Credential {
    /// Whether it may be sent with a request for this URL.
    pub fn is_for(&self, url: &str) -> bool {
        let Some(authority) = url::authority(url) else { return false };
        // The port a scheme has anyway may be written.
        let port =
            if url::scheme(url).is_some_and(|(s, _)| s == "https://") { ":443" } else { ":80" };
        let authority = authority.strip_suffix(port).unwrap_or(&authority);
        self.hosts.iter().any(|host| host == authority)
    }

    /// Whether the host can get another token when a source refuses the one it has.
    pub const fn renews(&self) -> bool {
        match self.scheme {
            Scheme::Oauth2ClientCredentials { .. } => true,
            Scheme::ApiKey { .. } | Scheme::Bearer | Scheme::HttpBasic => false,
        }
    }

    fn parse(name: &str, value: &Value, place: &str) -> Result<Self> {
        let object = Object::new(value, place, KEYS)?;
        let Some(kind) = object.choice("type", TYPES)? else {
            return Err(
                object.missing("type", "bearer, api_key, http_basic or oauth2_client_credentials")
            );
        };
        for (key, of) in OPTIONS {
            if object.get(key).is_some() && *of != kind {
                return Err(object.fault_at(
                    key,
                    format_args!("expected nothing: it is an option of {}", of.name()),
                ));
            }
        }
        let scheme = match kind {
            Type::ApiKey => Scheme::ApiKey {
                name: object.text("name")?.unwrap_or("Authorization").to_owned(),
                in_query: object
                    .choice("location", &[("header", false), ("query", true), ("param", true)])?
                    .unwrap_or(false),
            },
            Type::Bearer => Scheme::Bearer,
            Type::HttpBasic => Scheme::HttpBasic,
            Type::Oauth2 => Scheme::Oauth2ClientCredentials {
                access_token_url: object.required_text("access_token_url")?.to_owned(),
                access_token_request_data: object
                    .map("access_token_request_data")?
                    .cloned()
                    .unwrap_or_default(),
            },
        };
        let hosts = object.texts("hosts")?.unwrap_or_default();
        if hosts.is_empty() {
            return Err(object.missing("hosts", "the hosts the credential is for"));
        }
        for (n, host) in hosts.iter().enumerate() {
            let place = element(&object.place_of("hosts"), n);
            if let Some((_, rest)) = host.split_once("{{")
                && let Some((placeholder, _)) = rest.split_once("}}")
            {
                let message =
                    format!("the placeholder {placeholder} in {host:?} was not filled in");
                return Err(super::read::at(&place, message));
            }
            let legal = |c: char| {
                c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']' | '_')
            };
            if !host.chars().all(legal) {
                let message = format!(
                    "expected a host such as api.example.com or localhost:8080, found {host:?}"
                );
                return Err(super::read::at(&place, message));
            }
        }
        Ok(Self {
            name: name.to_owned(),
            scheme,
            hosts: hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            secret: object.text("secret")?.unwrap_or(name).to_owned(),
        })
    }
}

/// Reads the job's credentials.
pub(super) fn credentials(
    map: Option<&Map<String, Value>>,
) -> Result<IndexMap<String, Credential>> {
    map.into_iter()
        .flatten()
        .map(|(name, value)| {
            let place = member("credentials", name);
            super::read::text(&Value::from(name.as_str()), &place)?;
            Ok((name.clone(), Credential::parse(name, value, &place)?))
        })
        .collect()
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Type {
    ApiKey,
    Bearer,
    HttpBasic,
    Oauth2,
}

impl Type {
    const fn name(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::Bearer => "bearer",
            Self::HttpBasic => "http_basic",
            Self::Oauth2 => "oauth2_client_credentials",
        }
    }
}

const TYPES: &[(&str, Type)] = &[
    ("bearer", Type::Bearer),
    ("api_key", Type::ApiKey),
    ("http_basic", Type::HttpBasic),
    ("oauth2_client_credentials", Type::Oauth2),
];

const OPTIONS: &[(&str, Type)] = &[
    ("name", Type::ApiKey),
    ("location", Type::ApiKey),
    ("access_token_url", Type::Oauth2),
    ("access_token_request_data", Type::Oauth2),
];

const NO_SECRETS: &str =
    "a secret does not belong in the job: keep it with the host and name it in \"secret\"";

const KEYS: Keys = Keys {
    known: &[
        "type",
        "hosts",
        "secret",
        "name",
        "location",
        "access_token_url",
        "access_token_request_data",
    ],
    refused: &[
        ("username", NO_SECRETS),
        ("password", NO_SECRETS),
        ("token", NO_SECRETS),
        ("api_key", NO_SECRETS),
        ("access_token", NO_SECRETS),
        ("client_id", NO_SECRETS),
        ("client_secret", NO_SECRETS),
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
            ".type: expected bearer, api_key, http_basic or oauth2_client_credentials, found nothing",
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
            ".hosts[0]: the placeholder sub in \"{{sub}}.x\" was not filled in",
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
            ".access_token_url: expected a text, found nothing",
        );
    }
}
