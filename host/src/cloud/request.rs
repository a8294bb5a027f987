//! Requests to clouds, before they are signed, and where they go.

use crate::http::{check, encoded};

/// The method of a request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Verb {
    #[default]
    Get,
    Head,
    Put,
    Post,
    Delete,
}

impl Verb {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// A request before it is signed. Only `path` is encoded.
#[derive(Clone, Default)]
pub(crate) struct Ask {
    pub(crate) verb: Verb,
    /// Scheme, host, and the port if it is not the default one.
    pub(crate) origin: String,
    /// Encoded; begins with a slash.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    /// Names in lower case.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Ask {
    /// A request to a URL that somebody else encoded and signed; `None` if it is none.
    pub(crate) fn of_url(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (host, path) = rest.split_at(rest.find('/')?);
        let origin = format!("{scheme}://{host}");
        Some(Self { origin, path: path.to_owned(), ..Self::default() })
    }

    /// Host and port in the form that is sent.
    pub(crate) fn host(&self) -> &str {
        self.origin.split_once("://").map_or("", |(_, host)| host)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(other, _)| *other == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    pub(crate) fn url(&self) -> String {
        let pair =
            |(name, value): &(String, String)| format!("{}={}", encoded(name), encoded(value));
        let query = self.query.iter().map(pair).collect::<Vec<_>>().join("&");
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{}{mark}{query}", self.origin, self.path)
    }
}

/// The URL of a cloud's API.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Endpoint {
    /// Scheme, host and port.
    origin: String,
    /// The prefix of all paths; empty, or begins with a slash.
    path: String,
}

impl Endpoint {
    pub(crate) fn of_host(host: &str) -> Self {
        Self { origin: format!("https://{host}"), path: String::new() }
    }

    /// Parses a URL of a setting. Without a scheme the URL of this machine is plain HTTP, as of
    /// emulators; any other has TLS.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let url = url.trim();
        let plain = format!("http://{url}");
        let local = plain.parse().is_ok_and(|uri| check(&uri).is_ok());
        let scheme = if local { "http" } else { "https" };
        let (scheme, rest) = url.split_once("://").unwrap_or((scheme, url));
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let origin = format!("{scheme}://{host}");
        let fits = !host.is_empty() && !url.contains(['?', '#', '@']);
        fits.then(|| Self { origin, path: path.trim_end_matches('/').to_owned() })
    }

    /// The same with a part more in its path.
    #[must_use]
    pub(crate) fn below(mut self, part: &str) -> Self {
        self.path.push_str(&path(&[part]));
        self
    }

    /// A request with a path of these parts.
    pub(crate) fn ask(&self, parts: &[&str]) -> Ask {
        let path = format!("{}{}", self.path, path(parts));
        Ask { origin: self.origin.clone(), path, ..Ask::default() }
    }
}

/// The percent-encoded path of these parts, which may contain slashes.
fn path(parts: &[&str]) -> String {
    let slashed = |part: &&str| part.split('/').map(encoded).collect::<Vec<_>>().join("/");
    format!("/{}", parts.iter().map(slashed).collect::<Vec<_>>().join("/"))
}

/// The text of percent-encoded bytes; `None` if they are not UTF-8.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex =
            after.get(..2).filter(|hex| first == b'%' && hex.iter().all(u8::is_ascii_hexdigit));
        let code = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_have_a_scheme() {
        let check = |url: &str, expect: Option<&str>| {
            let found =
                Endpoint::parse(url).map(|it| it.ask(&["b"])).map(|it| it.origin + &it.path);
            assert_eq!(found.as_deref(), expect, "{url}");
        };
        check("http://127.0.0.1:10000/acc/", Some("http://127.0.0.1:10000/acc/b"));
        check("localhost:4443", Some("http://localhost:4443/b"));
        check("s3.example.com", Some("https://s3.example.com/b"));
        // It is rejected when it is used.
        check("http://s3.example.com", Some("http://s3.example.com/b"));
        for bad in ["", "https://", "https://u:p@h", "https://h?x"] {
            check(bad, None);
        }
    }

    #[test]
    fn keys_are_encoded() {
        assert_eq!(path(&["b", "a b/é+%?#&=~"]), "/b/a%20b/%C3%A9%2B%25%3F%23%26%3D~");
        assert_eq!(path(&["a//b/"]), "/a//b/");
    }

    #[test]
    fn percents_are_read() {
        for (text, expect) in
            [("a%20b%C3%A9", Some("a bé")), ("100%+1", Some("100%+1")), ("%ff", None)]
        {
            assert_eq!(decoded(text).as_deref(), expect, "{text}");
        }
    }
}
