//! The allowed targets of requests, and their URLs.

use std::fmt;

use ureq::http::Uri;

use crate::credentials::{Origin, Secret};
use crate::interface::Request;

/// A request in errors: without the query, which may have keys.
pub(crate) struct ShownRequest<'a>(pub(crate) &'a Request);

impl fmt::Display for ShownRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Request { method, url, .. } = self.0;
        write!(f, "{method} {}", shown_url(url))
    }
}

/// Returns a URL without what may be a secret: its query, and a user with a password, which the client rejects.
pub(crate) fn shown_url(url: &str) -> String {
    let shown = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = shown.split_once("://").unwrap_or(("", shown));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

/// Returns the origin of a URL.
///
/// # Errors
/// If no request may be sent there: the URL is neither HTTPS nor HTTP to this machine, or it has a
/// user.
pub(crate) fn check(uri: &Uri) -> Result<Origin, String> {
    let host = uri.host().ok_or("expected a URL with a host")?;
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("expected a URL without a user; name a credential instead".to_owned());
    }
    match uri.scheme_str() {
        Some("https") => Ok(Origin::new(host, uri.port_u16(), 443)),
        Some("http") => {
            let origin = Origin::new(host, uri.port_u16(), 80);
            if origin.is_local() {
                Ok(origin)
            } else {
                Err("expected https, for the host is not this machine".to_owned())
            }
        }
        _ => Err("expected a URL with https".to_owned()),
    }
}

/// Returns the URL with this parameter in its query, replacing one with the same encoded name.
pub(super) fn with_parameter(uri: &Uri, name: &str, value: &Secret) -> Result<Uri, String> {
    let text = uri.to_string();
    let pair = Secret::new(format!("{name}={}", encoded(value.reveal())));
    let path = text.split('?').next().unwrap_or_default();
    let others = uri.query().unwrap_or_default().split('&');
    let others = others.filter(|it| !it.is_empty() && it.split('=').next() != Some(name));
    let query: Vec<&str> = others.chain([pair.reveal()]).collect();
    // The error would quote the secret.
    format!("{path}?{}", query.join("&"))
        .parse()
        .map_err(|_| "the credential does not fit into the URL".to_owned())
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}
