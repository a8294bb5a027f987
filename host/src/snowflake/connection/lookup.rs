//! The places where a connection is configured: arguments, variables of the environment, and files.
//!
//! If several places have a parameter, the first of these is used:
//!
//! | place | |
//! |---|---|
//! | arguments | |
//! | `SNOWFLAKE_CONNECTIONS_<NAME>_<PARAMETER>` | the connection of this name |
//! | `SNOWFLAKE_<PARAMETER>` | every connection |
//! | `connections.toml`, section `[<name>]` | in `$SNOWFLAKE_HOME`, `~/.snowflake` or `~/.config/snowflake` |
//! | `config.toml`, section `[connections.<name>]` | the same folders, if there is no `connections.toml` |
//! | dlt's `secrets.toml`, section `[destination.snowflake.credentials]` | in `.dlt` or `~/.dlt`, if nothing else names an account |

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::super::error::SnowflakeError;
use super::Connection;
use super::file::{Rights, read_if_there};
use super::identity::Identity;
use super::parameters::{NAMES, Parameters, wrong};
use super::place::ParameterPlace;
use super::places::ConnectionPlaces;

/// The default folder of a container's token.
const CONTAINER_TOKEN: &str = "/snowflake/session/token";
/// The parameters with credentials.
const PROOFS: [&str; 7] = [
    "password",
    "private_key",
    "private_key_file",
    "private_key_path",
    "private_key_raw",
    "token",
    "user",
];

impl Connection {
    /// Returns the connection from arguments, the environment and files. `name` selects one of
    /// several. Without it the name is in `SNOWFLAKE_DEFAULT_CONNECTION_NAME` or in
    /// `default_connection_name` of `config.toml`; otherwise it is `default`.
    ///
    /// In a container of Snowpark Container Services, without a name and a user, it is the
    /// container's own connection.
    ///
    /// ```no_run
    /// use snowcat_host::snowflake::Connection;
    ///
    /// let variable = |name: &str| std::env::var(name).ok();
    /// let connection = Connection::find(Some("prod"), &[("role", "LOADER")], &variable)?;
    /// println!("{}", connection.address());
    /// # Ok::<(), snowcat_host::snowflake::SnowflakeError>(())
    /// ```
    ///
    /// # Errors
    /// If a parameter is missing or not valid, or a file with secrets can be read by others.
    pub fn find(
        name: Option<&str>,
        arguments: &[(&str, &str)],
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, SnowflakeError> {
        let lookup = Lookup::new(variable);
        let (given, container) = lookup.found(name, arguments)?;
        lookup.connection(&given, container.as_deref())
    }

    /// Returns the places of the parameters that [`find`](Self::find) uses.
    ///
    /// # Errors
    /// If a file cannot be read, or there is no connection of this name.
    pub fn places(
        name: Option<&str>,
        arguments: &[(&str, &str)],
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<ConnectionPlaces, SnowflakeError> {
        let (given, container) = Lookup::new(variable).found(name, arguments)?;
        Ok(ConnectionPlaces::new(&given, container))
    }
}

/// The lookup of parameters.
struct Lookup<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    /// The rights that others may have to files with secrets.
    rights: Rights,
}

impl<'a> Lookup<'a> {
    fn new(variable: &'a dyn Fn(&str) -> Option<String>) -> Self {
        let mut lookup = Self { variable, rights: Rights::Owner };
        if lookup.is_set("SF_SKIP_TOKEN_FILE_PERMISSIONS_VERIFICATION") {
            lookup.rights = Rights::Any;
        }
        lookup
    }

    /// Returns the parameters, and the file of the container's token if logins use its identity.
    fn found(
        &self,
        name: Option<&str>,
        arguments: &[(&str, &str)],
    ) -> Result<(Parameters, Option<PathBuf>), SnowflakeError> {
        match self.container(name, arguments) {
            Some(token) => Ok((self.of_container(arguments), Some(token))),
            None => Ok((self.parameters(name, arguments)?, None)),
        }
    }

    fn connection(
        &self,
        given: &Parameters,
        container: Option<&Path>,
    ) -> Result<Connection, SnowflakeError> {
        let identity = match container {
            Some(token) => Identity::container(token),
            None if given.text("account").is_none() => {
                return Err(wrong(
                    "account: expected an account in the arguments, in SNOWFLAKE_ACCOUNT or in a connection of \
                     ~/.snowflake/connections.toml, found none",
                ));
            }
            None => Identity::of(given, self.rights)?,
        };
        let service_token = self.service_token();
        Ok(Connection { service_token, ..Connection::with(given, identity)? })
    }

    fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.trim().is_empty())
    }

    fn is_set(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|it| matches!(it.to_ascii_lowercase().as_str(), "1" | "true" | "yes"))
    }

    fn is_in_container(&self) -> bool {
        self.is_set("SNOWFLAKE_RUNNING_INSIDE_SPCS")
            || (self.get("SNOWFLAKE_HOST").is_some() && Path::new(CONTAINER_TOKEN).exists())
    }

    fn token_file(&self) -> PathBuf {
        let path = self.get("SNOWFLAKE_TOKEN_FILE_PATH");
        path.map_or_else(|| CONTAINER_TOKEN.into(), PathBuf::from)
    }

    /// Returns the file that every login from inside a container sends, whoever logs in.
    fn service_token(&self) -> Option<PathBuf> {
        self.is_in_container().then(|| self.token_file().with_file_name("spcs_token"))
    }

    /// Returns the file of the container's token, if logins use its identity.
    fn container(&self, name: Option<&str>, arguments: &[(&str, &str)]) -> Option<PathBuf> {
        let named = name.is_some() || self.get("SNOWFLAKE_DEFAULT_CONNECTION_NAME").is_some();
        let proved = |name: &&str| {
            arguments.iter().any(|(other, _)| other == name)
                || self.get(&format!("SNOWFLAKE_{}", name.to_ascii_uppercase())).is_some()
        };
        let own = named || PROOFS.iter().any(proved);
        (self.is_in_container() && !own).then(|| self.token_file())
    }

    /// Returns the parameters of a container: its account, the host inside the service, its
    /// database and schema.
    fn of_container(&self, arguments: &[(&str, &str)]) -> Parameters {
        let mut given = Parameters::default();
        for name in ["account", "host", "port", "protocol", "database", "schema"] {
            self.put_variable(
                &mut given,
                name,
                &format!("SNOWFLAKE_{}", name.to_ascii_uppercase()),
            );
        }
        for variable in ["QUERY_WAREHOUSE", "SNOWFLAKE_WAREHOUSE"] {
            self.put_variable(&mut given, "warehouse", variable);
        }
        put_arguments(&mut given, arguments);
        given
    }

    fn parameters(
        &self,
        name: Option<&str>,
        arguments: &[(&str, &str)],
    ) -> Result<Parameters, SnowflakeError> {
        let files = self.files()?;
        let asked =
            name.map(str::to_owned).or_else(|| self.get("SNOWFLAKE_DEFAULT_CONNECTION_NAME"));
        let connection = asked.clone().or_else(|| files.default.clone());
        let connection = connection.unwrap_or_else(|| "default".to_owned());
        let mut given = Parameters::default();
        let section = files.section(&connection);
        if let Some((table, place)) = &section {
            put_table(&mut given, table, place);
        }
        for name in NAMES {
            let upper = name.to_ascii_uppercase();
            self.put_variable(&mut given, name, &format!("SNOWFLAKE_{upper}"));
        }
        let prefix = format!("SNOWFLAKE_CONNECTIONS_{}", connection.to_ascii_uppercase());
        let mut of_variables = false;
        for name in NAMES {
            let variable = format!("{prefix}_{}", name.to_ascii_uppercase());
            of_variables |= self.put_variable(&mut given, name, &variable);
        }
        if asked.is_some() && section.is_none() && !of_variables {
            return Err(wrong(format!(
                "expected a connection {connection:?} in {}, found {}",
                files.shown(),
                files.names()
            )));
        }
        put_arguments(&mut given, arguments);
        if given.text("account").is_none() {
            let mut dlt = self.dlt()?;
            dlt.extend(given);
            return Ok(dlt);
        }
        Ok(given)
    }

    fn put_variable(&self, given: &mut Parameters, name: &str, variable: &str) -> bool {
        let value = self.get(variable);
        let found = value.is_some();
        if let Some(value) = value {
            given.put(name, value, &ParameterPlace::Variable(variable.to_owned()));
        }
        found
    }

    /// Returns the files of the first folder that has one of them.
    fn files(&self) -> Result<Files, SnowflakeError> {
        let home = self.get("HOME").or_else(|| self.get("USERPROFILE")).map(PathBuf::from);
        let of_home = |path: &str| home.as_ref().map(|home| home.join(path));
        let folders = match self.get("SNOWFLAKE_HOME") {
            Some(folder) => vec![PathBuf::from(folder)],
            None => [of_home(".snowflake"), of_home(".config/snowflake")]
                .into_iter()
                .flatten()
                .collect(),
        };
        let mut found = Files::default();
        for folder in folders {
            let connections = folder.join("connections.toml");
            let config = folder.join("config.toml");
            if let Some(table) = self.table(&config, self.rights)? {
                found.default = text(table.get("default_connection_name"));
                found.put(
                    config,
                    "connections.",
                    table.get("connections").and_then(Value::as_table),
                );
            }
            if let Some(table) = self.table(&connections, self.rights)? {
                found.put(connections, "", Some(&table));
            }
            if found.file.is_some() {
                break;
            }
        }
        Ok(found)
    }

    /// Returns dlt's credentials under the names of parameters here.
    fn dlt(&self) -> Result<Parameters, SnowflakeError> {
        let mut given = Parameters::default();
        // dlt creates the file readable for others.
        let rights = if self.rights == Rights::Any { Rights::Any } else { Rights::ReadByOthers };
        let home = self.get("HOME").map(|home| Path::new(&home).join(".dlt/secrets.toml"));
        for path in [Some(PathBuf::from(".dlt/secrets.toml")), home].into_iter().flatten() {
            let Some(table) = self.table(&path, rights)? else { continue };
            let found = ["destination", "snowflake", "credentials"]
                .iter()
                .try_fold(&table, |table, name| table.get(*name).and_then(Value::as_table));
            let Some(found) = found else { continue };
            let section = "destination.snowflake.credentials".to_owned();
            let place = ParameterPlace::File { path, section };
            put_table(&mut given, found, &place);
            // The host in dlt's terms is the account's identifier.
            if let Some(account) = given.take("host") {
                given.put("account", account, &place);
            }
            break;
        }
        Ok(given)
    }

    fn table(&self, path: &Path, rights: Rights) -> Result<Option<Table>, SnowflakeError> {
        let Some(text) = read_if_there(path, rights).map_err(wrong)? else { return Ok(None) };
        let parsed = text.parse::<Table>().map_err(|error| {
            // The error's own text is not used: it would quote the line, which may have a password.
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            wrong(format!(
                "{}, line {line}: expected TOML, found an error: {}",
                path.display(),
                error.message()
            ))
        });
        parsed.map(Some)
    }
}

/// The connections of files.
#[derive(Default)]
struct Files {
    /// The default connection.
    default: Option<String>,
    /// The file with connections, and the prefix of its sections.
    file: Option<(PathBuf, &'static str)>,
    connections: Table,
}

impl Files {
    fn put(&mut self, file: PathBuf, prefix: &'static str, connections: Option<&Table>) {
        if let Some(connections) = connections {
            self.connections = connections.clone();
            self.file = Some((file, prefix));
        }
    }

    /// Returns the section of a connection, and its place.
    fn section(&self, name: &str) -> Option<(&Table, ParameterPlace)> {
        let (file, prefix) = self.file.as_ref()?;
        let table = self.connections.get(name)?.as_table()?;
        let section = format!("{prefix}{name}");
        Some((table, ParameterPlace::File { path: file.clone(), section }))
    }

    fn shown(&self) -> String {
        let none = || "a connections.toml".to_owned();
        self.file.as_ref().map_or_else(none, |(file, _)| file.display().to_string())
    }

    fn names(&self) -> String {
        let tables = self.connections.iter().filter(|(_, value)| value.is_table());
        let names: Vec<&str> = tables.map(|(name, _)| name.as_str()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }
}

fn put_table(given: &mut Parameters, table: &Table, place: &ParameterPlace) {
    for name in NAMES {
        if let Some(value) = text(table.get(name)) {
            given.put(name, value, place);
        }
    }
}

fn put_arguments(given: &mut Parameters, arguments: &[(&str, &str)]) {
    for (name, value) in arguments {
        given.put(name, (*value).to_owned(), &ParameterPlace::Argument);
    }
}

fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        _ => None,
    }
}
