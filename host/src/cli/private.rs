//! Files with responses of sources: readable by their owner only, and never written through a link.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// Creates a file, replacing an existing one. A pipe or device is written to as it is.
///
/// # Errors
/// If the path is a link to a file, or the file cannot be created.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let there = match fs::symlink_metadata(path) {
        Ok(there) => there,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return new(path),
        Err(e) => return Err(e),
    };
    if there.is_file() {
        fs::remove_file(path)?;
        return new(path);
    }
    // `/dev/stdout` is a link, possibly to a terminal or a pipe.
    if there.is_symlink() && fs::metadata(path).map_or(true, |behind| behind.is_file()) {
        return Err(io::Error::other("expected a file, found a link: name the file itself"));
    }
    OpenOptions::new().write(true).open(path)
}

/// Creates a file that must not exist.
fn new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn files_are_private_and_not_links() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mode = |name: &str| fs::metadata(path(name)).unwrap().permissions().mode() & 0o777;
        create(&path("new")).unwrap();
        assert_eq!(mode("new"), 0o600);
        // A file that others may read is replaced; a hard link to it keeps the old content.
        fs::write(path("old"), "before").unwrap();
        fs::set_permissions(path("old"), fs::Permissions::from_mode(0o644)).unwrap();
        fs::hard_link(path("old"), path("other")).unwrap();
        create(&path("old")).unwrap().write_all(b"after").unwrap();
        assert_eq!((mode("old"), mode("other")), (0o600, 0o644));
        assert_eq!(fs::read(path("other")).unwrap(), b"before");
        for target in ["other", "nothing"] {
            symlink(path(target), path("link")).unwrap();
            let error = create(&path("link")).unwrap_err();
            assert!(error.to_string().contains("found a link"), "{error}");
            fs::remove_file(path("link")).unwrap();
        }
        assert_eq!(fs::read(path("other")).unwrap(), b"before");
        assert!(create(folder.path()).is_err());
        // A device is written to, and a link to it is followed.
        symlink("/dev/null", path("null")).unwrap();
        create(&path("null")).unwrap().write_all(b"x").unwrap();
    }
}
