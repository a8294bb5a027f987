//! The sources of secrets.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The variable with the directory of secrets in files.
const DIRECTORY: &str = "SNOWCAT_SECRETS";

/// The minimum length in characters of a text that is treated as a secret.
pub(crate) const SHORTEST: usize = 4;

/// A text that is never printed.
///
/// ```
/// use snowcat_host::credentials::Secret;
///
/// let secret = Secret::new("hunter2".to_owned());
/// assert_eq!(format!("{secret:?}"), "***");
/// assert_eq!(secret.reveal(), "hunter2");
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text. Review every call of this method.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A part of a secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// Of `http_basic`: the password. The secret of an OAuth 2.0 client.
    Password,
    /// The token of a type that has one, or the refresh token.
    Token,
    /// Of `http_basic`: the user name. The id of an OAuth 2.0 client.
    Username,
}

/// A source of secrets.
///
/// ```
/// use snowcat_host::credentials::{Credentials, Part, Secret, Secrets};
///
/// /// One token for every credential.
/// struct OneToken(Secret);
///
/// impl Secrets for OneToken {
///     fn part(&self, secret: &str, part: Part) -> Result<Secret, String> {
///         match part {
///             Part::Token => Ok(self.0.clone()),
///             Part::Username | Part::Password => Err(format!("expected a token for {secret}")),
///         }
///     }
/// }
///
/// # fn main() -> Result<(), String> {
/// let job = serde_json::json!({"credentials": {"api": {"type": "bearer", "hosts": ["api.example.com"]}}});
/// Credentials::of_job(&job, Box::new(OneToken(Secret::new("hunter2".to_owned()))))?;
/// # Ok(())
/// # }
/// ```
pub trait Secrets: Send + Sync {
    /// Returns a part of the secret with this name.
    ///
    /// # Errors
    /// If it is missing: where to put it.
    fn part(&self, secret: &str, part: Part) -> Result<Secret, String>;
}

/// Secrets in environment variables: `SNOWCAT_<SECRET>_USERNAME`, `_PASSWORD`, `_TOKEN`, with the
/// secret's name in upper case and `_` for each character that is not a letter or a digit.
///
/// ```
/// use snowcat_host::credentials::{Environment, Part, Secrets};
///
/// let missing = Environment.part("my-api", Part::Token);
/// assert_eq!(missing, Err("expected the variable SNOWCAT_MY_API_TOKEN in the environment".to_owned()));
/// ```
///
/// If the variable `SNOWCAT_SECRETS` names a directory, they are the [`SecretFiles`] in it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Environment;

impl Secrets for Environment {
    fn part(&self, secret: &str, part: Part) -> Result<Secret, String> {
        if let Some(directory) = env::var_os(DIRECTORY) {
            return SecretFiles::new(directory.into()).part(secret, part);
        }
        let part = match part {
            Part::Password => "PASSWORD",
            Part::Token => "TOKEN",
            Part::Username => "USERNAME",
        };
        let name: String = secret
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
            .collect();
        let variable = format!("SNOWCAT_{name}_{part}");
        match env::var(&variable) {
            Ok(value) => Ok(Secret::new(value)),
            // The error for a variable that is not Unicode would quote its value.
            Err(_) => Err(format!("expected the variable {variable} in the environment")),
        }
    }
}

/// Secrets in files: `<directory>/<secret>/username`, `password`, and `secret_string` or `access_token` for a
/// token, as Snowflake mounts secret objects into a container. A file is read at each use, because Snowflake
/// refreshes it.
#[derive(Clone, Debug)]
pub struct SecretFiles(PathBuf);

impl SecretFiles {
    /// The secrets in a directory.
    #[must_use]
    pub const fn new(directory: PathBuf) -> Self {
        Self(directory)
    }
}

impl Secrets for SecretFiles {
    fn part(&self, secret: &str, part: Part) -> Result<Secret, String> {
        let mut components = Path::new(secret).components();
        if (components.next(), components.next())
            != (Some(Component::Normal(OsStr::new(secret))), None)
        {
            return Err(format!(
                "expected a secret whose name is that of a directory, found {secret:?}"
            ));
        }
        let names: &[&str] = match part {
            Part::Password => &["password"],
            Part::Token => &["secret_string", "access_token"],
            Part::Username => &["username"],
        };
        let directory = self.0.join(secret);
        for name in names {
            let file = directory.join(name);
            match fs::read_to_string(&file) {
                // An editor ends the last line of a file.
                Ok(text) => return Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => (),
                Err(error) => return Err(format!("{}: {error}", file.display())),
            }
        }
        let names = names.join(" or ");
        Err(format!("expected the file {names} in {}", directory.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_at_each_use() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = SecretFiles::new(folder.path().to_owned());
        let put = |path: &str, text: &[u8]| {
            let file = folder.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        let check = |secret: &str, part: Part, expected: Result<&str, &str>| match (
            secrets.part(secret, part),
            expected,
        ) {
            (Ok(found), Ok(expected)) => assert_eq!(found.reveal(), expected),
            (Err(found), Err(words)) => assert!(found.contains(words), "{found}"),
            (found, expected) => panic!("{secret} {part:?}: {found:?}, expected {expected:?}"),
        };
        put("jira_creds/username", b"me@example.com\n");
        put("jira_creds/password", b" inner space \r\n");
        put("github/secret_string", b"token-1");
        put("graph/access_token", b"token-2");
        put("binary/password", b"\xff");
        check("jira_creds", Part::Username, Ok("me@example.com"));
        check("jira_creds", Part::Password, Ok(" inner space "));
        check("github", Part::Token, Ok("token-1"));
        check("graph", Part::Token, Ok("token-2"));
        put("graph/access_token", b"token-3");
        check("graph", Part::Token, Ok("token-3"));
        check(
            "jira_creds",
            Part::Token,
            Err("expected the file secret_string or access_token in "),
        );
        check("none", Part::Username, Err("expected the file username in "));
        check("binary", Part::Password, Err("/binary/password: "));
        for outside in ["", ".", "..", "../x", "a/b", "/etc", "github/"] {
            check(outside, Part::Token, Err("expected a secret whose name"));
        }
    }
}
