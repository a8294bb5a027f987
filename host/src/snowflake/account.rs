//! An account: its identifier and its URL.

use std::fmt;

/// The domains of the service. A redirect to a host of them is followed.
const DOMAINS: [&str; 2] = [".snowflakecomputing.com", ".snowflakecomputing.cn"];

/// An account's identifier: `organization-account`, or a locator with its region, `xy12345.eu-central-1`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Account(String);

impl Account {
    /// Returns the account of an identifier, or of a host's name.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some((scheme, rest)) = text.split_once("://") {
            let host = rest.split('/').next().unwrap_or_default();
            let bare = DOMAINS.iter().find_map(|end| host.strip_suffix(end)).unwrap_or(host);
            return Err(format!(
                "expected the account's identifier, such as \"{bare}\", found a URL with {scheme}://"
            ));
        }
        let bare = DOMAINS.iter().find_map(|end| text.strip_suffix(end)).unwrap_or(text);
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if bare.is_empty() || !bare.chars().all(fits) {
            return Err(format!(
                "expected an account's identifier of letters, digits, '-', '_' and '.', found {text:?}"
            ));
        }
        Ok(Self(bare.to_owned()))
    }

    /// Returns the name for logins: without the region.
    pub(super) fn name(&self) -> &str {
        let name = self.0.split('.').next().unwrap_or_default();
        // A connection for several regions has an id at its end.
        let global = self.0.to_ascii_lowercase().contains(".global");
        name.rsplit_once('-').filter(|_| global).map_or(name, |(name, _)| name)
    }

    /// Returns the error of an organization's account with a region, which only a locator has.
    pub(super) fn region_of_a_name(&self) -> Option<String> {
        let (name, rest) = self.0.split_once('.')?;
        let region = !matches!(rest.to_ascii_lowercase().as_str(), "global" | "privatelink");
        (region && name.contains('-')).then(|| {
            format!(
                "an account of the form organization-account has no region: expected {name:?}, found {:?}",
                self.0
            )
        })
    }

    /// Returns the host of the service.
    fn host(&self) -> String {
        // No certificate is valid for a host with an underscore.
        let host = self.0.replace('_', "-").to_ascii_lowercase();
        let china = host.split('.').nth(1).is_some_and(|region| region.starts_with("cn-"));
        let domain = if china { ".snowflakecomputing.cn" } else { ".snowflakecomputing.com" };
        format!("{host}{domain}")
    }
}

/// The URL of the service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Address {
    scheme: Scheme,
    host: String,
    port: u16,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl Address {
    /// Returns the URL of an account, or of the host that replaces it.
    ///
    /// # Errors
    /// The name of the invalid parameter, and the reason.
    pub(super) fn new(
        account: &Account,
        host: Option<&str>,
        port: Option<&str>,
        protocol: Option<&str>,
    ) -> Result<Self, (&'static str, String)> {
        let scheme = match protocol.map(str::to_ascii_lowercase).as_deref() {
            None | Some("https") => Scheme::Https,
            Some("http") => Scheme::Http,
            Some(other) => {
                return Err(("protocol", format!("expected https or http, found {other:?}")));
            }
        };
        let port = match port {
            None => scheme.port(),
            Some(text) => text
                .trim()
                .parse()
                .map_err(|_| ("port", format!("expected a number up to 65535, found {text:?}")))?,
        };
        let host = match host {
            None => account.host(),
            Some(host) => named_host(host.trim()).map_err(|why| ("host", why))?,
        };
        Ok(Self { scheme, host, port })
    }

    /// Returns `true` if a request may be redirected to this host.
    pub(super) fn may_redirect(&self, scheme: &str, host: &str, port: Option<u16>) -> bool {
        let host = host.to_ascii_lowercase();
        let default = if scheme == "http" { 80 } else { 443 };
        let port = port.unwrap_or(default);
        let same = scheme == self.scheme.name() && host == self.host && port == self.port;
        let service = scheme == "https" && DOMAINS.iter().any(|domain| host.ends_with(domain));
        same || service
    }
}

/// Returns the host of an account, if this host of the service is one of another account.
pub(super) fn named_differently(account: &Account, host: &str) -> Option<String> {
    let host = host.to_ascii_lowercase();
    let named = |host: &str| {
        let bare = DOMAINS.iter().find_map(|end| host.strip_suffix(end))?;
        Some(bare.strip_suffix(".privatelink").unwrap_or(bare).to_owned())
    };
    let expected = account.host();
    let (found, own) = (named(&host)?, named(&expected)?);
    // A host may have the region that the locator lacks.
    let same = found == own || (!own.contains('.') && found.split('.').next() == Some(&own));
    (!same).then_some(expected)
}

fn named_host(host: &str) -> Result<String, String> {
    if let Some((scheme, rest)) = host.split_once("://") {
        let bare = rest.trim_end_matches('/');
        return Err(format!(
            "expected a host without {scheme}://, such as \"{bare}\", found {host:?}"
        ));
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if host.is_empty() || !host.chars().all(fits) {
        return Err(format!("expected the name of a host without port and path, found {host:?}"));
    }
    Ok(host.to_ascii_lowercase())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.name(), self.host)?;
        if self.port == self.scheme.port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_a_name_and_a_host() {
        let check = |text: &str, name: &str, address: &str| {
            let account = Account::parse(text).unwrap();
            assert_eq!(account.name(), name);
            assert_eq!(Address::new(&account, None, None, None).unwrap().to_string(), address);
        };
        check("acme-prod", "acme-prod", "https://acme-prod.snowflakecomputing.com");
        check("ACME-my_prod", "ACME-my_prod", "https://acme-my-prod.snowflakecomputing.com");
        check(
            "xy12345.eu-central-1",
            "xy12345",
            "https://xy12345.eu-central-1.snowflakecomputing.com",
        );
        check("xy1.cn-north-1.aws", "xy1", "https://xy1.cn-north-1.aws.snowflakecomputing.cn");
        check("acme-a1b2.global", "acme", "https://acme-a1b2.global.snowflakecomputing.com");
        check("a-b.snowflakecomputing.com", "a-b", "https://a-b.snowflakecomputing.com");
    }

    #[test]
    fn invalid_accounts_are_errors() {
        let check = |text: &str, expected: &str| {
            let error = Account::parse(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        check("https://a-b.snowflakecomputing.com/console", "such as \"a-b\"");
        check("", "found \"\"");
        check("a/b", "found \"a/b\"");
        check("a b", "found \"a b\"");
    }

    #[test]
    fn an_address_is_given_or_derived() {
        let account = Account::parse("acme").unwrap();
        let check = |host, port, protocol, expected: Result<&str, &str>| match (
            Address::new(&account, host, port, protocol),
            expected,
        ) {
            (Ok(address), Ok(shown)) => assert_eq!(address.to_string(), shown),
            (Err((_, error)), Err(part)) => assert!(error.contains(part), "{error}"),
            (found, _) => panic!("{found:?}"),
        };
        check(Some("Localhost"), Some("8085"), Some("HTTP"), Ok("http://localhost:8085"));
        check(Some("h.example"), None, None, Ok("https://h.example"));
        check(None, Some("443"), None, Ok("https://acme.snowflakecomputing.com"));
        check(
            Some("https://h.example/"),
            None,
            None,
            Err("without https://, such as \"h.example\""),
        );
        check(Some("h.example:80"), None, None, Err("without port and path"));
        check(None, Some("70000"), None, Err("found \"70000\""));
        check(None, None, Some("ftp"), Err("found \"ftp\""));
    }

    #[test]
    fn redirects_go_to_the_same_host_or_to_the_service() {
        let account = Account::parse("acme").unwrap();
        let local = Address::new(&account, Some("127.0.0.1"), Some("80"), Some("http")).unwrap();
        let check = |scheme: &str, host: &str, port, expected| {
            assert_eq!(
                local.may_redirect(scheme, host, port),
                expected,
                "{scheme} {host} {port:?}"
            );
        };
        check("http", "127.0.0.1", None, true);
        check("http", "127.0.0.1", Some(81), false);
        check("https", "b.snowflakecomputing.com", None, true);
        check("http", "b.snowflakecomputing.com", None, false);
        check("https", "evil.example", None, false);
        check("https", "snowflakecomputing.com.evil.example", None, false);
        check("https", "evilsnowflakecomputing.com", None, false);
    }
}
