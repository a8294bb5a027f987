//! Files on stages: the location that a job gives, its name in Snowflake, and the files that it matches.

use crate::fault::{Fault, Result};
use crate::sql::{identifier, literal, quote};

/// A location on a named stage: `@database.schema.stage/path`, where the path may be a file, a folder or a
/// pattern with `*` and `?` (within a folder) and `**` (any folders).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct StagePlace {
    /// The qualified and quoted name, without the `@`.
    stage: String,
    path: String,
}

/// A row of [`StagePlace::list`].
pub(crate) struct ListedFile<'r> {
    /// The name that Snowflake reports: see [`StagePlace::path_of`].
    pub(crate) name: &'r str,
    /// Its size and MD5, which change with the content.
    pub(crate) version: String,
}

impl<'r> ListedFile<'r> {
    /// Parses a row: name, size, MD5, last modified.
    pub(crate) fn read(row: &'r [Option<String>]) -> Self {
        let cell = |at: usize| row.get(at).and_then(|cell| cell.as_deref()).unwrap_or("");
        Self { name: cell(0), version: format!("{} {}", cell(1), cell(2)) }
    }
}

impl StagePlace {
    /// Returns `true` if a location is on a stage.
    pub(crate) fn is(place: &str) -> bool {
        place.starts_with('@')
    }

    /// Parses a location.
    ///
    /// # Errors
    /// A config fault if the stage has no name, or the name is not qualified: a procedure has no current database.
    pub(crate) fn parse(place: &str) -> Result<Self> {
        let fault = || {
            Fault::config(format_args!(
                "expected a stage by its whole name, @database.schema.stage/path, found {place:?}"
            ))
        };
        let rest = place.strip_prefix('@').ok_or_else(fault)?;
        let (parts, path) = identifier::qualified(rest).ok_or_else(fault)?;
        if parts.len() != 3 {
            return Err(fault());
        }
        let stage = parts.iter().map(|part| quote(part)).collect::<Vec<_>>().join(".");
        Ok(Self { stage, path: path.to_owned() })
    }

    /// Returns `true` if every file that `other` may match is in this location, which is a stage or
    /// a folder.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        let folder = self.path.strip_suffix('/').unwrap_or(&self.path);
        let below = |rest: &str| folder.is_empty() || rest.is_empty() || rest.starts_with('/');
        // Such folders do not exist on a stage; how a server resolves them is not relied on.
        let is_plain = other.path.split('/').all(|part| !matches!(part, "." | ".."));
        self.stage == other.stage && is_plain && other.path.strip_prefix(folder).is_some_and(below)
    }

    /// The statement that lists the files that may match.
    pub(crate) fn list(&self) -> String {
        let wild = self.path.find(['*', '?']).unwrap_or(self.path.len());
        let prefix = self.path.get(..wild).unwrap_or_default();
        let slash = if prefix.is_empty() { "" } else { "/" };
        format!("LIST {}", literal(&format!("@{}{slash}{prefix}", self.stage)))
    }

    /// The path of a listed file in the stage, if it matches. Snowflake prefixes it with the name of the stage in lower
    /// case, or with the URL of an external stage.
    pub(crate) fn path_of<'n>(&self, name: &'n str) -> Result<Option<&'n str>> {
        if name.contains("://") {
            return Err(Fault::config(format_args!(
                "expected a stage inside Snowflake, found an external one, with the file {name}"
            )));
        }
        let path = name.split_once('/').map_or(name, |(_, path)| path);
        let folder = self.path.strip_suffix('/').unwrap_or(&self.path);
        let below = path.strip_prefix(folder).is_some_and(|rest| {
            folder.is_empty() || rest.starts_with('/') || (rest.is_empty() && folder == self.path)
        });
        let meant = match self.path.contains(['*', '?']) {
            true => matches(self.path.as_bytes(), path.as_bytes()),
            false => below,
        };
        Ok(meant.then_some(path))
    }

    /// The file's reference for a host.
    pub(crate) fn file(&self, path: &str) -> String {
        format!("@{}/{path}", self.stage)
    }
}

impl std::fmt::Display for StagePlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let slash = if self.path.is_empty() { "" } else { "/" };
        write!(f, "@{}{slash}{}", self.stage, self.path)
    }
}

/// Returns `true` if a pattern matches a path, in time proportional to the product of their lengths.
fn matches(pattern: &[u8], path: &[u8]) -> bool {
    // The positions in the path where the rest of the pattern may start, in order.
    let mut at = vec![0];
    let mut rest = pattern;
    while let (Some(&first), Some((&one, more))) = (at.first(), rest.split_first()) {
        let slashes = || (first..path.len()).filter(|n| path.get(*n) == Some(&b'/'));
        (at, rest) = match rest {
            [b'*', b'*', b'/', more @ ..] => {
                at.extend(slashes().map(|n| n + 1));
                at.sort_unstable();
                at.dedup();
                (at, more)
            }
            [b'*', b'*', more @ ..] => ((first..=path.len()).collect(), more),
            [b'*', more @ ..] => {
                let mut next: Vec<usize> = Vec::new();
                for begin in at {
                    // Positions that an earlier one has reached extend to the end of the name.
                    if next.last().is_some_and(|last| begin <= *last) {
                        continue;
                    }
                    let name = path.get(begin..).unwrap_or_default();
                    let length = name.iter().position(|b| *b == b'/').unwrap_or(name.len());
                    next.extend(begin..=begin + length);
                }
                (next, more)
            }
            _ => {
                let is = |b: &u8| *b == one || (one == b'?' && *b != b'/');
                at.retain(|n| path.get(*n).is_some_and(is));
                at.iter_mut().for_each(|n| *n += 1);
                (at, more)
            }
        };
    }
    rest.is_empty() && at.last() == Some(&path.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stage_locations_are_parsed() {
        let check = |place: &str, list: &str| match StagePlace::parse(place) {
            Ok(place) => assert_eq!(place.list(), list),
            Err(fault) => assert_eq!(fault.to_string(), list, "{place}"),
        };
        check("@raw.public.landing", r#"LIST '@"RAW"."PUBLIC"."LANDING"'"#);
        check("@raw.public.landing/", r#"LIST '@"RAW"."PUBLIC"."LANDING"'"#);
        check("@raw.\"a.b\"\"c\".s/x/y*.csv", r#"LIST '@"RAW"."a.b""c"."S"/x/y'"#);
        check("@d.s.t/it's.csv", r#"LIST '@"D"."S"."T"/it''s.csv'"#);
        for bad in ["@s/x", "@~/x", "@d.s.%t", "@d..s", "@d.s.\"t", "@a.b.c.d", "@", "@d.s.a'b"] {
            check(
                bad,
                &format!(
                    "expected a stage by its whole name, @database.schema.stage/path, found {bad:?}"
                ),
            );
        }
    }

    #[test]
    fn patterns_match_files() {
        let check = |path: &str, name: &str, meant: bool| {
            let place = StagePlace::parse(&format!("@d.s.t/{path}")).unwrap();
            let listed = format!("t/{name}");
            let found = place.path_of(&listed).unwrap();
            assert_eq!(found, meant.then_some(name), "{path} {name}");
        };
        check("", "a/b.csv", true);
        check("a", "a/b.csv", true);
        check("a/", "a/b.csv", true);
        check("a/", "a", false);
        check("a/b.csv", "a/b.csv", true);
        check("a/b", "a/b.csv", false);
        check("a/*.csv", "a/b.csv", true);
        check("a/*.csv", "a/b/c.csv", false);
        check("a/**/c.csv", "a/c.csv", true);
        check("a/**/c.csv", "a/x/y/c.csv", true);
        check("a/**/c.csv", "a/x/yc.csv", false);
        check("**", "a/x/yc.csv", true);
        check("?.c*", "b.csv", true);
        check("a?b", "a/b", false);
        check("a*", "a", true);
        check("*", "", true);
        check("*/*", "a/b", true);
        check("*/*", "a/b/c", false);
        check("**b", "a/b", true);
        check("**/", "a/", true);
        check("**/a", "ba", false);
        check("**/**/c", "a/b/c", true);
        check("a**/c", "ab/x/c", true);
        check("*a*/b", "xax/yay/b", false);
        check("a", "", false);
        // The time is limited, however many combinations there are.
        let long = "a".repeat(5000);
        check(&"*a".repeat(100), &long, true);
        check(&("*a".repeat(100) + "b"), &long, false);
        check(&("**a".repeat(100) + "b"), &long, false);
        check(&("**/".repeat(100) + "b"), &"a/".repeat(2500), false);
        let external = StagePlace::parse("@d.s.t/a").unwrap().path_of("s3://bucket/a");
        assert!(external.unwrap_err().to_string().contains("external"));
    }
}
