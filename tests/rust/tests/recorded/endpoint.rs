//! Which part of the protocol a mapping is about, by its address.

use snowcat_tests::recorded::{AddressPattern, Mapping, Prepared};

/// A part of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Login,
    Query,
    /// The result of a statement by its id.
    Statement,
    Abort,
    /// An abort by the statement's id, which our client does not use.
    AbortById,
    Renewal,
    Heartbeat,
    Close,
    Monitoring,
    Telemetry,
    /// A service that gives out OAuth tokens.
    OauthToken,
    /// A page that a person signs in at.
    SignIn,
    /// An object of a stage.
    Upload,
    /// A file of a result.
    Chunk,
    /// Where an answer redirects to.
    Redirected,
    /// An address that the protocol does not have.
    Other,
}

/// The endpoints of mappings, by their index.
pub(crate) fn endpoints(mappings: &[Mapping]) -> Vec<Endpoint> {
    let uploads = mappings.iter().any(|mapping| is_upload(&mapping.response));
    let locations: Vec<&str> = mappings.iter().filter_map(|it| location(&it.response)).collect();
    mappings.iter().map(|mapping| endpoint(mapping, uploads, &locations)).collect()
}

fn endpoint(mapping: &Mapping, uploads: bool, locations: &[&str]) -> Endpoint {
    /// Parts of addresses, the longer ones first.
    const PARTS: &[(&str, Endpoint)] = &[
        ("/session/v1/login-request", Endpoint::Login),
        ("/session/authenticator-request", Endpoint::SignIn),
        ("/session/token-request", Endpoint::Renewal),
        ("/session/heartbeat", Endpoint::Heartbeat),
        ("/queries/v1/query-request", Endpoint::Query),
        // A star in an expression repeats the letter before it.
        ("/queries/v1/abort-request", Endpoint::Abort),
        ("/abort-request", Endpoint::AbortById),
        ("/monitoring", Endpoint::Monitoring),
        ("/telemetry", Endpoint::Telemetry),
        ("oauth", Endpoint::OauthToken),
        ("/authn", Endpoint::SignIn),
        ("/saml", Endpoint::SignIn),
        ("/sso", Endpoint::SignIn),
        ("/console/login", Endpoint::SignIn),
    ];
    let address = mapping.request.address.example();
    let method = mapping.request.method.as_deref().unwrap_or("");
    let redirects = |location: &&str| {
        let path = location.split('?').next().unwrap_or_default();
        address.len() > 1 && (location.ends_with(&address) || path.ends_with(&address))
    };
    if locations.iter().any(redirects) {
        return Endpoint::Redirected;
    }
    if let Some((_, endpoint)) = PARTS.iter().find(|(part, _)| address.contains(part)) {
        return *endpoint;
    }
    let path = address.split('?').next().unwrap_or_default();
    match (path, method) {
        ("/session" | "/sessionx", "POST" | "") => Endpoint::Close,
        (path, "GET" | "") if path.starts_with("/queries") => Endpoint::Statement,
        (_, "PUT" | "HEAD") => Endpoint::Upload,
        (_, "POST") if uploads => Endpoint::Upload,
        (path, "GET") if path.contains("chunk") || path.contains("/results/") => Endpoint::Chunk,
        _ => Endpoint::Other,
    }
}

/// Plays a recording of one address that the protocol does not have at the address of statements: drivers' tests
/// of retries and redirects use any.
pub(crate) fn readdressed(mut mappings: Vec<Mapping>) -> Vec<Mapping> {
    let found = endpoints(&mappings);
    let is_other = |endpoint: &Endpoint| *endpoint == Endpoint::Other;
    let known = |it: &Endpoint| is_other(it) || *it == Endpoint::Redirected;
    let others = mappings.iter().zip(&found).filter(|(_, it)| is_other(it));
    let mut addresses: Vec<String> =
        others.clone().map(|(mapping, _)| mapping.request.address.example()).collect();
    addresses.dedup();
    let speaks = others.clone().any(|(mapping, _)| {
        let response = &mapping.response;
        let is_retried = matches!(response.status, 307 | 308 | 408 | 429 | 500..=599);
        is_retried
            || response.fault.is_some()
            || response.json().is_some_and(|it| it.get("success").is_some())
    });
    if !found.iter().all(known) || addresses.len() != 1 || !speaks {
        return mappings;
    }
    for (mapping, _) in mappings.iter_mut().zip(&found).filter(|(_, it)| is_other(it)) {
        mapping.request.method = Some("POST".to_owned());
        mapping.request.address = AddressPattern::Path("/queries/v1/query-request".to_owned());
    }
    mappings
}

/// Whether an answer says where files are to be uploaded to.
fn is_upload(response: &Prepared) -> bool {
    response.json().is_some_and(|json| json.pointer("/data/command") == Some(&"UPLOAD".into()))
}

fn location(response: &Prepared) -> Option<&str> {
    let header = response.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("location"));
    header.map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn addresses_are_recognized() {
        let check = |method: &str, key: &str, address: &str, expect: Endpoint| {
            let other = json!({"request": {"urlPath": "/x"},
                "response": {"status": 307, "headers": {"Location": "http://h/moved?a=b"}}});
            let mapping = json!({"request": {"method": method, key: address}, "response": {}});
            let mappings = Mapping::parse_all(&Value::from(vec![other, mapping])).unwrap();
            assert_eq!(endpoints(&mappings)[1], expect, "{method} {address}");
        };
        check("POST", "urlPathPattern", "/session/v1/login-request*", Endpoint::Login);
        check("POST", "urlPathPattern", "/queries/v1/query-request.*", Endpoint::Query);
        check("GET", "urlPathPattern", "/queries/.*/result.*", Endpoint::Statement);
        check("POST", "urlPathPattern", "/queries/v1/abort-request*", Endpoint::Abort);
        check("POST", "urlPathPattern", "/queries/12/abort-request*", Endpoint::AbortById);
        check("POST", "urlPath", "/session", Endpoint::Close);
        check("POST", "urlPathPattern", "/session.*", Endpoint::Close);
        check("POST", "urlPathPattern", "/oauth/token-request.*", Endpoint::OauthToken);
        check("POST", "urlPathPattern", "/session/token-request.*", Endpoint::Renewal);
        check("POST", "urlPath", "/moved", Endpoint::Redirected);
        check("GET", "urlPathPattern", "/chunks/.*", Endpoint::Chunk);
        check("PUT", "urlPathPattern", "/bucket/.*", Endpoint::Upload);
        check("GET", "url", "/hang", Endpoint::Other);
    }
}
