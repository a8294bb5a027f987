//! The certificates of the authorities that servers are checked against.

use std::fs;
use std::sync::Arc;

use ureq::tls::{PemItem, RootCerts, parse_pem};

/// The variable with a file of certificates (PEM), which replace the built-in ones: a proxy that opens TLS has an
/// authority of its own. OpenSSL and curl read the same variable.
pub(super) const CERTIFICATES: &str = "SSL_CERT_FILE";

/// Returns the certificates of the file that the environment names, or the built-in ones.
pub(super) fn of_environment() -> Result<RootCerts, String> {
    match std::env::var_os(CERTIFICATES).filter(|path| !path.is_empty()) {
        None => Ok(RootCerts::WebPki),
        Some(path) => {
            let shown = path.display();
            let text =
                fs::read(&path).map_err(|error| format!("{CERTIFICATES}: {shown}: {error}"))?;
            of_pem(&text).map_err(|why| format!("{CERTIFICATES}: {shown}: {why}"))
        }
    }
}

fn of_pem(text: &[u8]) -> Result<RootCerts, String> {
    let mut found = Vec::new();
    for item in parse_pem(text) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(format!("expected certificates in PEM: {error}")),
        }
    }
    if found.is_empty() {
        return Err("expected certificates in PEM, found none".to_owned());
    }
    Ok(RootCerts::Specific(Arc::new(found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_those_of_the_file() {
        let one = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";
        let key = "-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----\n";
        let check =
            |text: &str, expected: Result<usize, &str>| match (of_pem(text.as_bytes()), expected) {
                (Ok(RootCerts::Specific(found)), Ok(count)) => assert_eq!(found.len(), count),
                (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
                (found, _) => panic!("{text}: {found:?}"),
            };
        check(one, Ok(1));
        check(&format!("a comment\n{one}{key}{one}"), Ok(2));
        check("", Err("found none"));
        check(key, Err("found none"));
        check("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", Err("in PEM"));
    }
}
