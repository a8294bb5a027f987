//! The places of a connection's parameters, and parameters that contradict each other.

use std::path::{Path, PathBuf};

use super::super::account::{Account, named_differently};
use super::parameters::Parameters;
use super::place::ParameterPlace;

/// Where the parameters of a connection were found. It has no value of a parameter that is a secret.
///
/// ```
/// use snowcat_host::snowflake::Connection;
///
/// let variable = |name: &str| (name == "SNOWFLAKE_PASSWORD").then(|| "hunter2".to_owned());
/// let places = Connection::places(None, &[("account", "acme"), ("host", "acme_1.example")], &variable)?;
/// assert_eq!(places.found, ["arguments: account, host", "SNOWFLAKE_PASSWORD"]);
/// assert!(places.conflicts[0].contains("no certificate is valid for a host with an underscore"));
/// # Ok::<(), snowcat_host::snowflake::SnowflakeError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConnectionPlaces {
    /// Each place, with the names of its parameters; files have their mode.
    pub found: Vec<String>,
    /// Each contradiction: what was expected and found.
    pub conflicts: Vec<String>,
}

/// The parameters that are paths of files.
const PATHS: [&str; 3] = ["private_key_file", "private_key_path", "token_file_path"];

impl ConnectionPlaces {
    pub(super) fn new(given: &Parameters, container: Option<PathBuf>) -> Self {
        let mut places: Vec<(&ParameterPlace, Vec<&str>)> = Vec::new();
        for (name, place) in given.places() {
            match places.iter_mut().find(|(known, _)| *known == place) {
                Some((_, names)) => names.push(name),
                None => places.push((place, vec![name])),
            }
        }
        let shown = places.into_iter().map(|(place, names)| match place {
            ParameterPlace::Argument => format!("arguments: {}", names.join(", ")),
            ParameterPlace::Variable(name) => name.clone(),
            ParameterPlace::File { path, .. } => {
                format!("{place}{}: {}", mode(path), names.join(", "))
            }
        });
        let mut found: Vec<String> = shown.collect();
        for name in PATHS {
            if let Some(path) = given.text(name) {
                found.push(format!("{name} {path}{}", mode(Path::new(path))));
            }
        }
        if let Some(token) = container {
            found.push(format!("the token of the container {}{}", token.display(), mode(&token)));
        }
        Self { found, conflicts: conflicts(given) }
    }
}

/// Returns the mode of a file, in parentheses; empty if it has none.
#[cfg(unix)]
fn mode(path: &Path) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let found = path.metadata();
    found.map_or_else(|_| String::new(), |it| format!(" ({:04o})", it.permissions().mode() & 0o777))
}

#[cfg(not(unix))]
fn mode(_: &Path) -> String {
    String::new()
}

/// Returns the parameters that contradict each other. Those that are not valid are errors of the connection.
fn conflicts(given: &Parameters) -> Vec<String> {
    let mut found = Vec::new();
    let account = given.text("account").and_then(|text| Account::parse(text).ok());
    if let Some(host) = given.text("host") {
        if host.contains('_') {
            found.push(format!(
                "host: no certificate is valid for a host with an underscore: expected {:?}, found {host:?}",
                host.replace('_', "-")
            ));
        } else if let Some(expected) = account.as_ref().and_then(|it| named_differently(it, host)) {
            found.push(format!(
                "account and host: expected the host {expected:?} of the account, or no host, found {host:?}"
            ));
        }
    }
    if let Some(why) = account.as_ref().and_then(Account::region_of_a_name) {
        found.push(format!("account: {why}"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_are_found() {
        let check = |account: &str, host: Option<&str>, expected: Option<&str>| {
            let mut given = Parameters::default();
            given.put("account", account.to_owned(), &ParameterPlace::Argument);
            if let Some(host) = host {
                given.put("host", host.to_owned(), &ParameterPlace::Argument);
            }
            let found = conflicts(&given);
            match expected {
                None => assert_eq!(found, Vec::<String>::new(), "{account} {host:?}"),
                Some(part) => assert!(found.len() == 1 && found[0].contains(part), "{found:?}"),
            }
        };
        check("acme-prod", None, None);
        check("acme-prod", Some("127.0.0.1"), None);
        check("acme-my_prod", Some("acme-my-prod.snowflakecomputing.com"), None);
        check("acme-prod", Some("acme-prod.privatelink.snowflakecomputing.com"), None);
        check(
            "xy1.eu-central-1",
            Some("xy1.eu-central-1.privatelink.snowflakecomputing.com"),
            None,
        );
        check("xy1", Some("xy1.eu-central-1.snowflakecomputing.com"), None);
        check("acme-a1.global", None, None);
        check(
            "acme-prod",
            Some("other.snowflakecomputing.com"),
            Some("\"acme-prod.snowflakecomputing.com\""),
        );
        check(
            "xy1.eu-central-1",
            Some("xy1.us-east-1.snowflakecomputing.com"),
            Some("eu-central-1"),
        );
        check(
            "acme-my_prod",
            Some("acme-my_prod.snowflakecomputing.com"),
            Some("\"acme-my-prod.s"),
        );
        check("acme-prod.eu-central-1", None, Some("has no region"));
    }
}
