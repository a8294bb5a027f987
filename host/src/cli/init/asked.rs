//! The URL from which a sample was requested.

use serde_json::{Map, Value, json};

use super::names;

/// The comment beside a credential.
pub(super) const SECRETS: &str = "The host adds it, for these hosts only. Inside Snowflake it is the secret of this name, \
                       with snowcat plan the variables SNOWCAT_<SECRET>_TOKEN, _USERNAME and _PASSWORD.";

/// The parts of a URL that belong to the client and the endpoint.
pub(super) struct Asked {
    /// The URL that the paths of resources are relative to.
    pub(super) base_url: String,
    /// The path of the resource.
    pub(super) path: String,
    /// The query, without secrets.
    pub(super) params: Map<String, Value>,
    /// The name of a parameter with a secret.
    secret: Option<String>,
}

impl Asked {
    /// Splits a URL.
    pub(super) fn of(url: &str) -> Result<Self, String> {
        let whole = url.split('#').next().unwrap_or_default();
        let (address, query) = whole.split_once('?').unwrap_or((whole, ""));
        let Some(host) = host(address).filter(|host| !host.contains('@')) else {
            // The URL is not quoted in the message, because it may have a password before an @.
            return Err(
                "--url: expected a URL such as https://api.example.com/v1/items, without a user"
                    .to_owned(),
            );
        };
        let start = address.find("://").map_or(0, |at| at + 3) + host.len();
        let (base, path) = match address.get(start..).map(resource_at) {
            Some(at) if at > 0 => address.split_at(start + at),
            _ => (address, ""),
        };
        let mut params = Map::new();
        let mut secret = None;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded_query(name), decoded_query(value));
            if names::is_secret(&name) {
                secret = Some(name);
            } else {
                params.insert(name, value.into());
            }
        }
        Ok(Self { base_url: base.to_owned(), path: path.to_owned(), params, secret })
    }

    /// The path of the URL.
    pub(super) fn whole_path(&self) -> String {
        let base = self.base_url.splitn(4, '/').nth(3).unwrap_or_default();
        format!("{base}{}", self.path)
    }

    /// Adds the client to the job, and a credential if the URL has a secret.
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
            if let Some(client) = client.as_object_mut() {
                client.insert("auth".to_owned(), "api".into());
            }
        } else {
            job.insert(
                "//credentials".to_owned(),
                "If the API needs a credential: add one here (bearer, http_basic, api_key, \
                 oauth2_client_credentials, ..), and name it in client.auth."
                    .into(),
            );
        }
        job.insert("client".to_owned(), client);
    }
}

/// The index of the path segment that names the resource: the last one, or the one before it if the
/// last is an id.
fn resource_at(path: &str) -> usize {
    let begin = |end: usize| path.get(..end)?.rfind('/').map(|at| at + 1);
    let Some(last) = begin(path.len()) else { return 0 };
    let id = path.get(last..).is_some_and(is_id);
    begin(last - 1).filter(|_| id).unwrap_or(last)
}

/// Returns `true` if a path segment is an id: a number, or letters, digits, `-` and `_` with more
/// than a quarter of digits.
pub(super) fn is_id(part: &str) -> bool {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    let plain = part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    plain && digits > 0 && (digits == part.len() || (digits > 1 && digits * 4 > part.len()))
}

/// The host of a URL, with its port.
pub(super) fn host(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next().filter(|host| !host.is_empty())?;
    matches!(scheme, "http" | "https").then_some(host)
}

/// Decodes a part of a query.
fn decoded_query(text: &str) -> String {
    decoded(&text.replace('+', " "))
}

/// Decodes a part of a URL.
pub(super) fn decoded(text: &str) -> String {
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
        let check = |url: &str, base: &str, path: &str| {
            let asked = Asked::of(url).unwrap();
            assert_eq!((asked.base_url.as_str(), asked.path.as_str()), (base, path), "{url}");
        };
        check("https://x.net/v1/users/5", "https://x.net/v1/", "users/5");
        check("https://x.net/users/5/", "https://x.net/users/5/", "");
        check("https://x.net/5", "https://x.net/", "5");
        check("https://x.net/", "https://x.net/", "");
        assert_eq!(Asked::of("https://x.net/v1/users/?a=b").unwrap().whole_path(), "v1/users/");
        let asked = Asked::of("http://localhost").unwrap();
        assert_eq!((asked.base_url.as_str(), asked.path.as_str()), ("http://localhost", ""));
        for url in ["users", "ftp://x/y", "https://u:4711@x.net/"] {
            assert!(!Asked::of(url).err().unwrap().contains("4711"), "{url}");
        }
    }
}
