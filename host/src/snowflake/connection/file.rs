//! Files with secrets: they are read only if other users cannot read them.

use std::fs;
use std::io;
use std::path::Path;

/// The rights to a file that other users may have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::snowflake) enum Rights {
    /// Any rights.
    Any,
    /// Others may read the file.
    ReadByOthers,
    /// Others may neither read nor write the file.
    Owner,
}

/// Reads a text file.
///
/// # Errors
/// If the file cannot be read, or others have more rights than allowed.
pub(super) fn read(path: &Path, rights: Rights) -> Result<String, String> {
    if let Some(why) = excess(path, rights).map_err(|error| shown(path, &error))? {
        return Err(why);
    }
    fs::read_to_string(path).map_err(|error| shown(path, &error))
}

/// Reads a text file; `None` if it does not exist.
pub(super) fn read_if_there(path: &Path, rights: Rights) -> Result<Option<String>, String> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(shown(path, &error)),
        Ok(_) => read(path, rights).map(Some),
    }
}

fn shown(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

#[cfg(unix)]
fn excess(path: &Path, rights: Rights) -> io::Result<Option<String>> {
    use std::os::unix::fs::PermissionsExt as _;
    let forbidden = match rights {
        Rights::Any => return Ok(None),
        Rights::ReadByOthers => 0o022,
        Rights::Owner => 0o066,
    };
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    let shown = path.display();
    Ok((mode & forbidden != 0).then(|| {
        format!(
            "{shown}: expected a file that its owner alone may read and write, found mode {mode:04o}: run chmod \
             600 {shown}, or set SF_SKIP_TOKEN_FILE_PERMISSIONS_VERIFICATION=true"
        )
    }))
}

#[cfg(not(unix))]
fn excess(_: &Path, _: Rights) -> io::Result<Option<String>> {
    Ok(None)
}
