//! The places of parameters, and their precedence.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::snowflake::error::ErrorKind;

/// A home with files, and an environment.
struct Home {
    folder: TempDir,
    variables: BTreeMap<String, String>,
}

impl Home {
    fn new(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut variables: BTreeMap<String, String> = variables.iter().map(owned).collect();
        variables.insert("HOME".to_owned(), folder.path().display().to_string());
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            set_mode(&path, 0o600);
        }
        Self { folder, variables }
    }

    fn find(
        &self,
        name: Option<&str>,
        arguments: &[(&str, &str)],
    ) -> Result<Connection, SnowflakeError> {
        Connection::find(name, arguments, &|name| self.variables.get(name).cloned())
    }
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

const CONNECTIONS: (&str, &str) = (
    ".snowflake/connections.toml",
    "[default]\naccount = 'of_default'\nuser = 'u'\npassword = 'p'\nport = 8443\n\
     [prod]\naccount = 'of_prod'\nuser = 'u'\npassword = 'p'\nrole = 'FILE'\nunknown = [1]\n",
);
const ROLE: (&str, &str) = ("SNOWFLAKE_ROLE", "EVERY");
const OWN_ROLE: (&str, &str) = ("SNOWFLAKE_CONNECTIONS_PROD_ROLE", "OWN");

#[test]
fn the_first_place_counts() {
    let check = |variables: &[(&str, &str)], name, arguments: &[(&str, &str)], expected: &str| {
        let found = Home::new(&[CONNECTIONS], variables).find(name, arguments).unwrap();
        let role = found.role.as_deref().unwrap_or("none");
        assert_eq!(format!("{} {role}", found.account.name()), expected, "{variables:?} {name:?}");
    };
    check(&[], None, &[], "of_default none");
    check(&[], Some("prod"), &[], "of_prod FILE");
    check(&[("SNOWFLAKE_DEFAULT_CONNECTION_NAME", "prod")], None, &[], "of_prod FILE");
    check(&[ROLE], Some("prod"), &[], "of_prod EVERY");
    check(&[ROLE, OWN_ROLE], Some("prod"), &[], "of_prod OWN");
    check(&[ROLE, OWN_ROLE], Some("prod"), &[("role", "ARGUMENT")], "of_prod ARGUMENT");
    check(&[ROLE, OWN_ROLE], None, &[], "of_default EVERY");
}

#[test]
fn files_of_other_programs_are_read() {
    let check = |files: &[(&str, &str)], variables: &[(&str, &str)], name, expected: &str| {
        let found = Home::new(files, variables).find(name, &[]).unwrap();
        assert_eq!(format!("{} {:?}", found.address, found.identity.user()), expected);
    };
    let config = (
        ".snowflake/config.toml",
        "default_connection_name = 'dev'\n[connections.dev]\naccount = 'c'\nuser = 'd'\npassword = 'p'\n\
         [connections.prod]\naccount = 'e'\nusername = 'f'\npassword = 'p'\n",
    );
    check(&[config], &[], None, "https://c.snowflakecomputing.com Some(\"d\")");
    check(&[config], &[], Some("prod"), "https://e.snowflakecomputing.com Some(\"f\")");
    let other = (".config/snowflake/config.toml", config.1);
    check(&[other], &[], None, "https://c.snowflakecomputing.com Some(\"d\")");
    // The connections of one file hide those of the other.
    check(
        &[config, CONNECTIONS],
        &[],
        Some("prod"),
        "https://of-prod.snowflakecomputing.com Some(\"u\")",
    );
    let dlt = (
        ".dlt/secrets.toml",
        "[destination.snowflake.credentials]\nhost = 'g-h'\nusername = 'loader'\npassword = 'p'\n\
         database = 'RAW'\n",
    );
    check(&[dlt], &[], None, "https://g-h.snowflakecomputing.com Some(\"loader\")");
    check(
        &[dlt],
        &[("SNOWFLAKE_USER", "other")],
        None,
        "https://g-h.snowflakecomputing.com Some(\"other\")",
    );
    check(
        &[dlt, CONNECTIONS],
        &[],
        None,
        "https://of-default.snowflakecomputing.com:8443 Some(\"u\")",
    );
}

#[test]
fn a_later_proof_replaces_an_earlier_one() {
    let key = include_str!("../../../tests/integration/snowflake/keys/pkcs8.pem");
    let home = Home::new(&[CONNECTIONS], &[("SNOWFLAKE_PRIVATE_KEY_RAW", key)]);
    assert!(matches!(home.find(None, &[]).unwrap().identity, Identity::Key { .. }));
    let found = home.find(None, &[("authenticator", "oauth"), ("token", "t")]).unwrap();
    assert!(matches!(found.identity, Identity::OAuth { .. }), "{found:?}");
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let check = |files: &[(&str, &str)], name, arguments: &[(&str, &str)], expected: &str| {
        let error = Home::new(files, &[]).find(name, arguments).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection);
        assert!(error.to_string().contains(expected), "{error}");
    };
    let file = |text| (".snowflake/connections.toml", text);
    let account = ("account", "a");
    let user = ("user", "u");
    check(&[], None, &[], "account: expected an account in the arguments, in SNOWFLAKE_ACCOUNT");
    check(&[CONNECTIONS], Some("dev"), &[], "connections.toml, found default, prod");
    check(
        &[],
        Some("dev"),
        &[account],
        "expected a connection \"dev\" in a connections.toml, found none",
    );
    check(&[], None, &[account], "expected password, private_key_file or token");
    check(&[], None, &[account, ("password", "p")], "user: expected the name of a user");
    check(
        &[],
        None,
        &[account, user, ("token", "t")],
        "expected oauth or programmatic_access_token",
    );
    check(&[], None, &[account, user, ("authenticator", "x")], "found \"x\"");
    check(
        &[],
        None,
        &[account, user, ("authenticator", "oauth")],
        "expected token or token_file_path",
    );
    check(&[], None, &[account, user, ("private_key_file", "/no")], "private_key_file: /no: ");
    check(
        &[file("[default]\nport = 'x'\naccount = 'a'\nuser = 'u'\npassword = 'p'")],
        None,
        &[],
        "connections.toml, section [default]): expected a number up to 65535, found \"x\"",
    );
    check(
        &[file("[default]\npassword = 'hunter2")],
        None,
        &[],
        "connections.toml, line 2: expected TOML",
    );
    let broken = Home::new(&[file("[default]\npassword = 'hunter2")], &[]).find(None, &[]);
    assert!(!broken.unwrap_err().to_string().contains("hunter2"));
}

#[test]
fn files_that_others_can_read_are_rejected() {
    let home = Home::new(&[CONNECTIONS], &[]);
    let path = home.folder.path().join(CONNECTIONS.0);
    for (mode, fits) in
        [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o622, false)]
    {
        set_mode(&path, mode);
        let found = home.find(None, &[]);
        assert_eq!(found.is_ok(), fits, "{mode:o}: {found:?}");
        if let Err(error) = found {
            assert!(error.to_string().contains("run chmod 600"), "{error}");
        }
    }
    let skip = ("SF_SKIP_TOKEN_FILE_PERMISSIONS_VERIFICATION", "true");
    let mut home = home;
    home.variables.insert(skip.0.to_owned(), skip.1.to_owned());
    assert!(home.find(None, &[]).is_ok());
}

#[test]
fn a_container_has_its_own_token() {
    let token = Home::new(&[("token", "t")], &[]);
    let path = token.folder.path().join("token").display().to_string();
    let inside = [
        ("SNOWFLAKE_RUNNING_INSIDE_SPCS", "true"),
        ("SNOWFLAKE_HOST", "inner.example"),
        ("SNOWFLAKE_ACCOUNT", "xy1"),
        ("SNOWFLAKE_DATABASE", "RAW"),
        ("SNOWFLAKE_TOKEN_FILE_PATH", &path),
        ("QUERY_WAREHOUSE", "W"),
    ];
    let home = Home::new(&[CONNECTIONS], &inside);
    let found = home.find(None, &[]).unwrap();
    assert!(matches!(found.identity, Identity::Container { .. }), "{found:?}");
    assert_eq!(found.address(), "https://inner.example");
    assert_eq!((found.database.as_deref(), found.warehouse.as_deref()), (Some("RAW"), Some("W")));
    // A connection selected by name is used even in a container.
    assert_eq!(home.find(Some("prod"), &[]).unwrap().identity.user(), Some("u"));
    let found = home.find(None, &[("user", "v"), ("password", "p")]).unwrap();
    assert_eq!(found.identity.user(), Some("v"));
}

#[test]
fn nothing_prints_a_secret() {
    let home = Home::new(&[CONNECTIONS], &[("SNOWFLAKE_PASSWORD", "hunter2")]);
    let shown = format!("{:?}", home.find(None, &[]).unwrap());
    assert!(shown.contains("***") && !shown.contains("hunter2"), "{shown}");
}
