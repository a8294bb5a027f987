//! Files of this machine, found by patterns.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::{Bytes, Store};
use crate::interface::File;

/// The files of this machine. A job can name any file that this program may read.
///
/// ```
/// use snowcat_host::input::files::{LocalFiles, Store as _};
///
/// # fn main() -> std::io::Result<()> {
/// assert!(LocalFiles.knows("data/*.csv"));
/// assert!(!LocalFiles.knows("s3://bucket/*.csv"));
/// assert!(LocalFiles.find("no/such/folder/*.csv")?.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalFiles;

impl Store for LocalFiles {
    fn knows(&self, place: &str) -> bool {
        !place.starts_with('@') && !place.contains("://")
    }

    fn find(&self, place: &str) -> io::Result<Vec<File>> {
        let mut found = Vec::new();
        let mut parts: Vec<Component<'_>> = Path::new(place).components().collect();
        parts.reverse();
        expand(PathBuf::new(), &parts, &mut found)?;
        once(&mut found)?;
        let file = |path: PathBuf| {
            let about = fs::metadata(&path)?;
            let since = about.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
            let at = since.map_or(0, |since| since.as_nanos());
            let name = path.into_os_string().into_string().map_err(|name| {
                io::Error::other(format!("expected a name in UTF-8, found {}", name.display()))
            })?;
            Ok(File { name, version: format!("{}-{at}", about.len()) })
        };
        found.into_iter().map(file).collect()
    }

    fn open(&self, file: &File) -> io::Result<Bytes> {
        Ok(Bytes::File(fs::File::open(&file.name)?))
    }
}

/// Keeps each file once, under the first of its names, if links give it several.
fn once(found: &mut Vec<PathBuf>) -> io::Result<()> {
    found.sort();
    let mut seen = BTreeSet::new();
    let mut kept = Vec::with_capacity(found.len());
    for path in found.drain(..) {
        if seen.insert(fs::canonicalize(&path)?) {
            kept.push(path);
        }
    }
    *found = kept;
    Ok(())
}

/// The files below a folder that match the rest of a pattern; its segments are in reverse order.
fn expand(folder: PathBuf, parts: &[Component<'_>], found: &mut Vec<PathBuf>) -> io::Result<()> {
    let Some((part, rest)) = parts.split_last() else {
        if folder.is_file() {
            found.push(folder);
        }
        return Ok(());
    };
    let pattern = match part {
        Component::Normal(name) => name.to_string_lossy(),
        other => return expand(folder.join(other), rest, found),
    };
    if !pattern.contains(['*', '?']) {
        return expand(folder.join(part), rest, found);
    }
    let deep = pattern == "**";
    if deep {
        expand(folder.clone(), rest, found)?;
    }
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
    if !here.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(here)? {
        let entry = entry?;
        let name = entry.file_name();
        let shown = name.to_string_lossy();
        let path = folder.join(&name);
        // As in a shell, wildcards do not match a leading dot.
        if shown.starts_with('.') && !pattern.starts_with('.') {
            continue;
        }
        if deep {
            // Links are not followed, because they may form a cycle.
            if entry.file_type()?.is_dir() {
                expand(path, parts, found)?;
            }
        } else if matches(pattern.as_bytes(), shown.as_bytes()) {
            expand(path, rest, found)?;
        }
    }
    Ok(())
}

/// Returns `true` if a pattern of `*` and `?` matches a name. The last `*` matches as little as
/// possible, and more if the rest does not match: earlier ones need no other attempt.
pub(crate) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut here) = (0, 0);
    // The position after the last `*`, and that in the name after its match.
    let mut star = None;
    while let Some(byte) = name.get(here) {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                star = Some((at, here));
            }
            Some(one) if *one == b'?' || one == byte => {
                at += 1;
                here += 1;
            }
            _ => {
                let Some((behind, taken)) = star else { return false };
                star = Some((behind, taken + 1));
                (at, here) = (behind, taken + 1);
            }
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|one| *one == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let check = |pattern: &str, name: &str, expected: bool| {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        };
        check("", "", true);
        check("*", "", true);
        check("?", "", false);
        check("a*c", "abc", true);
        check("a*c", "ac", true);
        check("a*c", "acb", false);
        check("*a?", "aab", true);
        check("*ab*", "aab", true);
        check("*a*b", "aabab", true);
        check("**", "a", true);
        check("a?", "a", false);
        // The time is limited, however many combinations there are.
        let long = "a".repeat(5000);
        check(&("*a".repeat(100) + "b"), &long, false);
        check(&"*a".repeat(100), &long, true);
    }

    #[cfg(unix)]
    #[test]
    fn files_are_read_once_despite_links() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("a/b")).unwrap();
        fs::write(path("a/b/1.csv"), "x").unwrap();
        fs::write(path("2.csv"), "y").unwrap();
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, path(name)).unwrap();
        link("..", "a/up");
        link(".", "a/b/self");
        link("2.csv", "3.csv");
        link("a", "c");
        let check = |pattern: &str, expected: &[&str]| {
            let found = LocalFiles.find(&path(pattern).display().to_string()).unwrap();
            let from = folder.path().display().to_string().len() + 1;
            let found: Vec<&str> = found.iter().map(|file| &file.name[from..]).collect();
            assert_eq!(found, expected, "{pattern}");
        };
        check("**/*.csv", &["2.csv", "a/b/1.csv"]);
        check("*.csv", &["2.csv"]);
        check("3.csv", &["3.csv"]);
        // A file that is named in full may be a link.
        check("c/**/*.csv", &["c/b/1.csv"]);
        check("*/b/*.csv", &["a/b/1.csv"]);
    }
}
