//! Where a sample came from.

use serde_json::{Map, Value, json};

use super::names;

/// What is said of a credential.
pub(super) const SECRETS: &str = "The host adds it, for these hosts only. Inside Snowflake it is the secret of this name, \
                       with snowcat plan the variables SNOWCAT_<SECRET>_TOKEN, _USERNAME and _PASSWORD.";

/// What a URL says about the client and the endpoint.
pub(super) struct Asked {
    /// What paths are under.
    pub(super) base_url: String,
    /// The rest of it.
    pub(super) path: String,
    /// The query, without secrets.
    pub(super) params: Map<String, Value>,
    /// A parameter that is a secret: its name.
    secret: Option<String>,
}

impl Asked {
    /// Takes a URL apart.
    pub(super) fn of(url: &str) -> Result<Self, String> {
        let whole = url.split('#').next().unwrap_or_default();
        let (address, query) = whole.split_once('?').unwrap_or((whole, ""));
        let Some(host) = host(address).filter(|host| !host.contains('@')) else {
            // It is not quoted: what is before an @ is a password.
            return Err(
                "--url: expected a URL such as https://api.example.com/v1/items, without a user"
                    .to_owned(),
            );
        };
        let start = address.find("://").map_or(0, |at| at + 3) + host.len();
        let (base, path) = match address.rfind('/').filter(|at| *at >= start) {
            Some(slash) => address.split_at(slash + 1),
            None => (address, ""),
        };
        let mut params = Map::new();
        let mut secret = None;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name), decoded(value));
            let plain = names::plain(&name);
            let signs = ["key", "token", "secret", "password", "auth", "signature"];
            if signs.iter().any(|sign| plain.ends_with(sign)) && plain != "pagetoken" {
                secret = Some(name);
            } else {
                params.insert(name, value.into());
            }
        }
        Ok(Self { base_url: base.to_owned(), path: path.to_owned(), params, secret })
    }

    /// Puts the client into the job, and the credential that the URL gave away.
    pub(super) fn client(&self, job: &mut Map<String, Value>) {
        let mut client = json!({"base_url": self.base_url});
        if let Some(name) = &self.secret {
            let hosts: Vec<&str> = host(&self.base_url).into_iter().collect();
            job.insert("//credentials".to_owned(), SECRETS.into());
            job.insert(
                "credentials".to_owned(),
                json!({"api": {"type": "api_key", "name": name, "location": "query", "hosts": hosts,
                    "secret": "api"}}),
            );
            client["auth"] = "api".into();
        } else {
            job.insert(
                "//credentials".to_owned(),
                "Where the API wants to know who asks: name a credential here (bearer, http_basic, api_key, \
                 oauth2_client_credentials, ..), and in client.auth."
                    .into(),
            );
        }
        job.insert("client".to_owned(), client);
    }
}

/// The host of a URL, with its port.
pub(super) fn host(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next().filter(|host| !host.is_empty())?;
    matches!(scheme, "http" | "https").then_some(host)
}

/// A part of a query, as it was before it was encoded.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (byte, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(coded)) => {
                bytes.push(coded);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _) => bytes.push(b' '),
            (other, _) => bytes.push(*other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let asked =
            Asked::of("https://api.x.net:8443/v1/users?a=b%20c+d&api_key=4711&x#y").unwrap();
        assert_eq!(
            (asked.base_url.as_str(), asked.path.as_str()),
            ("https://api.x.net:8443/v1/", "users")
        );
        assert_eq!(Value::from(asked.params), json!({"a": "b c d", "x": ""}));
        assert_eq!(asked.secret.as_deref(), Some("api_key"));
        let asked = Asked::of("http://localhost").unwrap();
        assert_eq!((asked.base_url.as_str(), asked.path.as_str()), ("http://localhost", ""));
        for url in ["users", "ftp://x/y", "https://u:4711@x.net/"] {
            assert!(!Asked::of(url).err().unwrap().contains("4711"), "{url}");
        }
    }
}
