//! URLs: joining, percent-encoding exactly once, and the host of a URL.
//!
//! Encoding follows Python's `requests`, which dlt uses: names and values of a query are
//! form-encoded (a blank is `+`); everything else that is legal or already encoded is unchanged.

use crate::fault::{Fault, Result};

/// The host of an absolute URL in lower case, with its port if the URL has one.
pub(crate) fn authority(url: &str) -> Option<String> {
    let (_, rest) = scheme(url)?;
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let authority = rest.get(..end)?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

/// The host without a port that is the default of its scheme.
pub(crate) fn place(url: &str) -> Option<String> {
    let authority = authority(url)?;
    let port = if scheme(url).is_some_and(|(s, _)| s == "https://") { ":443" } else { ":80" };
    Some(authority.strip_suffix(port).map(str::to_owned).unwrap_or(authority))
}

/// Splits `http://` or `https://` off. Returns `None` for any other URL.
pub(crate) fn scheme(url: &str) -> Option<(&'static str, &str)> {
    ["https://", "http://"].into_iter().find_map(|scheme| {
        let head = url.get(..scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then_some((scheme, url.get(scheme.len()..)?))
    })
}

/// Checks the base URL of a client.
///
/// # Errors
/// A config fault that states what is wrong with it.
pub(crate) fn check_base(url: &str) -> Result<()> {
    let invalid = |why: &str| {
        Err(Fault::config(format_args!(
            "expected a URL such as https://api.example.com/v1/, found {url:?}: {why}"
        )))
    };
    if let Some((_, rest)) = url.split_once("{{")
        && let Some((name, _)) = rest.split_once("}}")
    {
        return invalid(&format!(
            "the placeholder {name} was not filled in (--set {name}=VALUE does)"
        ));
    }
    let Some((_, rest)) = scheme(url) else {
        return invalid("it begins with neither https:// nor http://");
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains('@') {
        return invalid("a secret does not belong in a URL: name a credential in auth");
    }
    if host.is_empty() || host.contains(['{', '}', ' ', '\\', '"', '<', '>', '^', '`', '|']) {
        return invalid("it names no host");
    }
    if rest.contains(['?', '#']) {
        return invalid("it has a query or a fragment: put them in endpoint.params");
    }
    Ok(())
}

/// Joins a path to a base as dlt does: with exactly one slash between them. An absolute URL is
/// returned unchanged.
pub(crate) fn join(base: &str, path: &str) -> String {
    if scheme(path).is_some() || base.is_empty() {
        return path.to_owned();
    }
    if path.is_empty() {
        return base.to_owned();
    }
    format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/'))
}

/// Resolves a reference found in a response against the URL of the response (RFC 3986 section 5.2).
pub(crate) fn resolve(base: &str, reference: &str) -> String {
    let Some((base_scheme, rest)) = scheme(base) else { return reference.to_owned() };
    // A colon before the first slash ends a scheme, including those that are not supported.
    let head = reference.split(['/', '?', '#']).next().unwrap_or_default();
    if head.contains(':') {
        return reference.to_owned();
    }
    if let Some(after) = reference.strip_prefix("//") {
        return format!("{base_scheme}{after}");
    }
    let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(host_end);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let (target, query) = match reference.find(['?', '#']) {
        Some(at) => reference.split_at(at),
        None => (reference, ""),
    };
    let merged = if target.starts_with('/') {
        target.to_owned()
    } else if target.is_empty() {
        return format!("{base_scheme}{host}{path}{query}");
    } else {
        let folder = path.rfind('/').and_then(|at| path.get(..=at)).unwrap_or("/");
        format!("{folder}{target}")
    };
    let mut segments: Vec<&str> = Vec::new();
    let mut parts = merged.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match part {
            ".." => {
                segments.pop();
            }
            "." => {}
            _ => {
                segments.push(part);
                continue;
            }
        }
        if last {
            segments.push("");
        }
    }
    format!("{base_scheme}{host}/{}{query}", segments.join("/"))
}

/// Appends encoded parameters to the query of a URL.
pub(crate) fn with_query(url: &str, params: &[(String, String)]) -> String {
    // The fragment is never sent.
    let mut out = quote(url.split('#').next().unwrap_or_default());
    let separator = if !out.contains('?') {
        "?"
    } else if out.ends_with(['?', '&']) {
        ""
    } else {
        "&"
    };
    if !params.is_empty() {
        out.push_str(separator);
        out.push_str(&form_of(params));
    }
    out
}

/// Form-encodes names and values.
pub(crate) fn form_of(params: &[(String, String)]) -> String {
    let mut out = String::new();
    for (n, (name, value)) in params.iter().enumerate() {
        if n > 0 {
            out.push('&');
        }
        form(&mut out, name);
        out.push('=');
        form(&mut out, value);
    }
    out
}

/// A URL for messages: without the values of its query, which may be secrets, and truncated if very
/// long.
pub(crate) fn shown(url: &str) -> String {
    let (address, query) =
        url.split_once('?').map_or((url, None), |(url, query)| (url, Some(query)));
    let mut shown = cut(address);
    let Some(query) = query else { return shown };
    let pairs: Vec<&str> = query.split('&').collect();
    for (n, pair) in pairs.iter().take(SHOWN_NAMES).enumerate() {
        shown.push(if n == 0 { '?' } else { '&' });
        if let Some((name, _)) = pair.split_once('=') {
            shown.push_str(&cut(name));
            shown.push('=');
        }
        shown.push_str("...");
    }
    if pairs.len() > SHOWN_NAMES {
        shown.push_str("&...");
    }
    shown
}

/// The maximum number of query names that are shown.
const SHOWN_NAMES: usize = 30;

/// The first 300 characters of a text.
fn cut(text: &str) -> String {
    const CHARACTERS: usize = 300;
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Decodes percent-encoded text.
pub(crate) fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let pair = after.get(..2).filter(|_| *byte == b'%');
        let pair = pair.and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    bytes
}

/// Encodes characters that a URL may not have. Encoded sequences are unchanged (`requote_uri` in
/// `requests`).
fn quote(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    for (at, byte) in url.bytes().enumerate() {
        let hex = |n: usize| url.as_bytes().get(at + n).is_some_and(u8::is_ascii_hexdigit);
        let legal = byte.is_ascii_alphanumeric()
            || b"!#$&'()*+,/:;=?@[]~-._".contains(&byte)
            || (byte == b'%' && hex(1) && hex(2));
        put(&mut out, byte, legal);
    }
    out
}

/// Form-encodes a name or value of a query (`urllib.parse.quote_plus`).
fn form(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte == b' ' {
            out.push('+');
        } else {
            put(out, byte, byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte));
        }
    }
}

fn put(out: &mut String, byte: u8, legal: bool) {
    if legal {
        out.push(char::from(byte));
    } else {
        out.push('%');
        for nibble in [byte >> 4, byte & 15] {
            let digit = char::from_digit(u32::from(nibble), 16).unwrap_or('0');
            out.push(digit.to_ascii_uppercase());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins() {
        let check = |base: &str, path: &str, joined: &str| assert_eq!(join(base, path), joined);
        check("https://x.net/", "rest/api", "https://x.net/rest/api");
        check("https://x.net", "/rest/api", "https://x.net/rest/api");
        check("https://x.net/v1//", "//a/", "https://x.net/v1/a/");
        check("https://x.net/v1/", "", "https://x.net/v1/");
        check("https://x.net/v1/", "https://y.net/a?b=c", "https://y.net/a?b=c");
        check("https://x.net/v1/", "a?b=c", "https://x.net/v1/a?b=c");
    }

    /// The results of Python's `urllib.parse.urljoin`.
    #[test]
    fn resolves() {
        let base = "https://x.net/v1/items?page=1";
        let check = |reference: &str, url: &str| assert_eq!(resolve(base, reference), url);
        check("https://y.net/a", "https://y.net/a");
        check("//y.net/a", "https://y.net/a");
        check("/v2/items?page=2", "https://x.net/v2/items?page=2");
        check("?page=2", "https://x.net/v1/items?page=2");
        check("items?page=2", "https://x.net/v1/items?page=2");
        check("../b/./c", "https://x.net/b/c");
        check("../../../c", "https://x.net/c");
        check("..", "https://x.net/");
        check("./", "https://x.net/v1/");
        check("a/b?q=../x", "https://x.net/v1/a/b?q=../x");
        check("ftp://y.net/a", "ftp://y.net/a");
        check("a/b:c", "https://x.net/v1/a/b:c");
        assert_eq!(resolve("http://x.net", "a"), "http://x.net/a");
    }

    #[test]
    fn encodes_once() {
        let check = |url: &str, params: &[(&str, &str)], out: &str| {
            let params: Vec<_> =
                params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            assert_eq!(with_query(url, &params), out);
        };
        check("https://x.net/a", &[], "https://x.net/a");
        check(
            "https://x.net/a",
            &[("jql", "updated >= \"2024-01-01 10:00\""), ("fields", "*all")],
            "https://x.net/a?jql=updated+%3E%3D+%222024-01-01+10%3A00%22&fields=%2Aall",
        );
        check("https://x.net/a?b=c%20d", &[("e", "f&g=h")], "https://x.net/a?b=c%20d&e=f%26g%3Dh");
        check("https://x.net/a?", &[("e", "1")], "https://x.net/a?e=1");
        check("https://x.net/a#top", &[("e", "1")], "https://x.net/a?e=1");
        check(
            "https://x.net/ä b/100%/%41",
            &[("ü", "日~-_.")],
            "https://x.net/%C3%A4%20b/100%25/%41?%C3%BC=%E6%97%A5~-_.",
        );
    }

    #[test]
    fn hides_values() {
        let check = |url: &str, out: &str| assert_eq!(shown(url), out);
        check("https://x.net/a", "https://x.net/a");
        check("https://x.net/a?token=s3cret&b=1&flag", "https://x.net/a?token=...&b=...&...");
        let long = format!("https://x.net/{}", "ä".repeat(60_000));
        check(&long, &format!("https://x.net/{}...", "ä".repeat(286)));
        let many = format!("https://x.net/a?{}", "b=1&".repeat(100));
        check(&many, &format!("https://x.net/a?{}...", "b=...&".repeat(30)));
        check(&format!("/?{}=1", "n".repeat(60_000)), &format!("/?{}...=...", "n".repeat(300)));
    }

    #[test]
    fn decodes() {
        let check = |text: &str, plain: &str| assert_eq!(decoded(text), plain.as_bytes(), "{text}");
        check("a%2e%2E%2fb", "a../b");
        check("100%", "100%");
        check("%zz%4", "%zz%4");
        check("%c3%a4", "ä");
    }

    #[test]
    fn finds_the_host() {
        let check = |url: &str, host: Option<&str>| assert_eq!(authority(url).as_deref(), host);
        check("https://API.x.net:8443/a", Some("api.x.net:8443"));
        check("HTTP://x.net?a", Some("x.net"));
        check("https://good.net@evil.net/", Some("evil.net"));
        check("https://evil.net\\@good.net/", Some("evil.net"));
        check("ftp://x.net", None);
        check("https:///a", None);
        check("/a", None);
    }

    #[test]
    fn checks_the_base() {
        for good in ["https://x.net", "http://localhost:8080/v1/", "https://x.net/a%20b/"] {
            check_base(good).unwrap();
        }
        let check = |url: &str, why: &str| {
            let expected =
                format!("expected a URL such as https://api.example.com/v1/, found {url:?}: {why}");
            assert_eq!(check_base(url).unwrap_err().to_string(), expected);
        };
        check("x.net", "it begins with neither https:// nor http://");
        check("https://", "it names no host");
        check("https://{x}/", "it names no host");
        check(
            "https://{{sub}}.x.net/",
            "the placeholder sub was not filled in (--set sub=VALUE does)",
        );
        check(
            "https://me:pw@x.net/",
            "a secret does not belong in a URL: name a credential in auth",
        );
        check("https://x.net/?a=b", "it has a query or a fragment: put them in endpoint.params");
    }
}
