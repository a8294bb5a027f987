//! Locations in buckets, as a job writes them, and the patterns in them.

use std::io;

/// A location in a bucket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Location<'a> {
    /// The text before the path and its slash, which identifies the bucket.
    pub(super) root: &'a str,
    /// A key, a folder or a pattern; empty for the whole bucket.
    pub(super) path: &'a str,
    pub(super) bucket: Name<'a>,
}

/// A bucket's name, without characters that would change the target of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Name<'a> {
    Amazon {
        bucket: &'a str,
    },
    Azure {
        container: &'a str,
        /// The account's host for blobs, if the location has it.
        host: Option<AzureHost<'a>>,
    },
    Google {
        bucket: &'a str,
    },
}

/// An account's host in Azure. It must be Microsoft's, because credentials are sent to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct AzureHost<'a> {
    pub(super) account: &'a str,
    /// The text after `<account>.blob.`.
    pub(super) domain: &'a str,
}

/// The domains of Azure: worldwide, in China, for the government of the United States.
const AZURE: [&str; 3] = ["core.windows.net", "core.chinacloudapi.cn", "core.usgovcloudapi.net"];

impl<'a> Location<'a> {
    /// Returns `true` if the text has the form of a location in a bucket.
    pub(super) fn is(place: &str) -> bool {
        place.split_once("://").is_some_and(|(scheme, _)| scheme_of(scheme).is_some())
    }

    /// Parses a location.
    pub(super) fn parse(place: &'a str) -> io::Result<Self> {
        let fault = || {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "expected s3://bucket/path, gs://bucket/path, az://container/path, \
                 az://account.blob.core.windows.net/container/path or \
                 abfss://container@account.dfs.core.windows.net/path, in letters, digits and -._",
            )
        };
        let (scheme, rest) = place.split_once("://").ok_or_else(fault)?;
        let scheme = scheme_of(scheme).ok_or_else(fault)?;
        let (first, below) = rest.split_once('/').unwrap_or((rest, ""));
        let name = |text: &'a str| is_name(text).then_some(text).ok_or_else(fault);
        let (bucket, path) = match scheme {
            CloudScheme::Amazon => (Name::Amazon { bucket: name(first)? }, below),
            CloudScheme::Google => (Name::Google { bucket: name(first)? }, below),
            CloudScheme::Azure => {
                let (container, host, path) = if let Some((container, host)) = first.split_once('@')
                {
                    (container, Some(host), below)
                } else if AzureHost::parse(first).is_some() {
                    let (container, path) = below.split_once('/').unwrap_or((below, ""));
                    (container, Some(first), path)
                } else {
                    (first, None, below)
                };
                let host = host.map(|host| AzureHost::parse(host).ok_or_else(fault)).transpose()?;
                (Name::Azure { container: name(container)?, host }, path)
            }
        };
        let root = place.get(..place.len() - path.len()).unwrap_or_default();
        Ok(Self { root: root.strip_suffix('/').unwrap_or(root), path, bucket })
    }

    /// The common prefix of all files that may match.
    pub(super) fn prefix(&self) -> &'a str {
        let wild = self.path.find(['*', '?']).unwrap_or(self.path.len());
        self.path.get(..wild).unwrap_or_default()
    }

    /// Returns `true` if it is a pattern.
    pub(super) fn is_wild(&self) -> bool {
        self.path.contains(['*', '?'])
    }
}

#[derive(Clone, Copy)]
enum CloudScheme {
    Amazon,
    Azure,
    Google,
}

fn scheme_of(scheme: &str) -> Option<CloudScheme> {
    Some(match scheme {
        "s3" | "s3a" => CloudScheme::Amazon,
        "az" | "azure" | "abfs" | "abfss" => CloudScheme::Azure,
        "gs" | "gcs" => CloudScheme::Google,
        _ => return None,
    })
}

fn is_name(text: &str) -> bool {
    let legal = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_' | b'$');
    // Two dots, or one dot alone, would be the parent folder in a URL.
    !text.is_empty() && !text.starts_with('.') && !text.contains("..") && text.bytes().all(legal)
}

impl<'a> AzureHost<'a> {
    /// Parses `account.blob.core.windows.net`; `dfs` is the same account with another protocol.
    fn parse(host: &'a str) -> Option<Self> {
        let (account, rest) = host.split_once('.')?;
        let domain = rest.strip_prefix("blob.").or_else(|| rest.strip_prefix("dfs."))?;
        (is_account(account) && AZURE.contains(&domain)).then_some(Self { account, domain })
    }
}

/// Returns `true` for the name of a storage account (a secondary one ends in `-secondary`).
pub(super) fn is_account(text: &str) -> bool {
    let legal = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    !text.is_empty() && text.bytes().all(legal)
}

/// A pattern as on a stage: `*` and `?` match characters of one name, `**` matches any characters,
/// and `**/` any folders or none.
#[derive(Debug)]
pub(super) struct Pattern(Vec<PatternToken>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum PatternToken {
    Is(char),
    /// `?`
    One,
    /// `*`
    Some,
    /// `**`
    Any,
    /// `**/`
    Folders,
}

impl Pattern {
    pub(super) fn new(pattern: &str) -> Self {
        let mut tokens = Vec::new();
        let mut rest = pattern;
        while let Some(c) = rest.chars().next() {
            let (token, length) = match c {
                _ if rest.starts_with("**/") => (PatternToken::Folders, 3),
                _ if rest.starts_with("**") => (PatternToken::Any, 2),
                '*' => (PatternToken::Some, 1),
                '?' => (PatternToken::One, 1),
                c => (PatternToken::Is(c), c.len_utf8()),
            };
            tokens.push(token);
            rest = rest.get(length..).unwrap_or_default();
        }
        Self(tokens)
    }

    /// Returns `true` if the pattern matches the path. The time is at most the product of both
    /// lengths.
    pub(super) fn fits(&self, path: &str) -> bool {
        let mut at = vec![false; self.0.len() + 1];
        self.enter(&mut at, 0);
        for c in path.chars() {
            let mut next = vec![false; at.len()];
            for (n, token) in self.0.iter().enumerate() {
                if at.get(n) != Some(&true) {
                    continue;
                }
                match token {
                    PatternToken::Is(is) if *is == c => self.enter(&mut next, n + 1),
                    PatternToken::One if c != '/' => self.enter(&mut next, n + 1),
                    PatternToken::Some if c != '/' => self.enter(&mut next, n),
                    PatternToken::Any => self.enter(&mut next, n),
                    PatternToken::Folders if c == '/' => self.enter(&mut next, n),
                    // Within the name of a folder: the next token is not reached yet.
                    PatternToken::Folders => set(&mut next, n),
                    _ => {}
                }
            }
            at = next;
        }
        at.last() == Some(&true)
    }

    /// Marks a position in the pattern as reached, and the next ones that need no character.
    fn enter(&self, at: &mut [bool], n: usize) {
        set(at, n);
        if let Some(PatternToken::Some | PatternToken::Any | PatternToken::Folders) = self.0.get(n)
        {
            self.enter(at, n + 1);
        }
    }
}

fn set(at: &mut [bool], n: usize) {
    if let Some(place) = at.get_mut(n) {
        *place = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_distinguished() {
        let check = |place: &str, expect: Option<(&str, &str, Name<'_>)>| {
            let found = Location::parse(place).ok().map(|it| (it.root, it.path, it.bucket));
            assert_eq!(found, expect, "{place}");
        };
        let s3 = |bucket| Name::Amazon { bucket };
        let az = |host| Name::Azure { container: "c", host };
        let host = Some(AzureHost { account: "acc", domain: "core.windows.net" });
        check("s3://b/a/*.csv", Some(("s3://b", "a/*.csv", s3("b"))));
        check("s3a://my.b", Some(("s3a://my.b", "", s3("my.b"))));
        check("s3://b//a//x?y", Some(("s3://b", "/a//x?y", s3("b"))));
        check("gs://b/a", Some(("gs://b", "a", Name::Google { bucket: "b" })));
        check("az://c/a/", Some(("az://c", "a/", az(None))));
        let lake = "abfss://c@acc.dfs.core.windows.net";
        check(&format!("{lake}/x/y"), Some((lake, "x/y", az(host))));
        let blob = "azure://acc.blob.core.windows.net/c";
        check(&format!("{blob}/x/y"), Some((blob, "x/y", az(host))));
        check(blob, Some((blob, "", az(host))));
        for other in [
            "s3:///a",
            "s3://",
            "s3://evil.example#/a",
            "s3://evil.example?/a",
            "s3://u@b/a",
            "s3://../a",
            "abfss://c@evil.example/a",
            "abfss://c@acc.blob.core.windows.net.evil.example/a",
            "abfss://c@evil.example/x.blob.core.windows.net/a",
            "az://acc.blob.core.windows.net",
            "file://a",
            "a/b",
        ] {
            check(other, None);
        }
        for (place, is) in [("s3://b", true), ("@d.s.stage/a", false), ("https://x/y", false)] {
            assert_eq!(Location::is(place), is, "{place}");
        }
    }

    #[test]
    fn what_is_listed_is_little() {
        for (path, prefix) in [("a/b", "a/b"), ("a/2024-*/x", "a/2024-"), ("**/x", ""), ("", "")] {
            let place = format!("s3://b/{path}");
            assert_eq!(Location::parse(&place).unwrap().prefix(), prefix, "{path}");
        }
    }

    #[test]
    fn patterns_fit_paths() {
        for (pattern, path, expect) in [
            ("a/*.csv", "a/1.csv", true),
            ("a/*.csv", "a/.csv", true),
            ("a/*.csv", "a/b/1.csv", false),
            ("a/*.csv", "a/1.csv.gz", false),
            ("a/**/*.csv", "a/1.csv", true),
            ("a/**/*.csv", "a/b/c/1.csv", true),
            ("**/c/*", "a/b/c/1", true),
            ("**/c/*", "c/1", true),
            ("**/c/*", "a/bc/1", false),
            ("a/?/1", "a/b/1", true),
            ("a/?/1", "a/é/1", true),
            ("a?b", "a/b", false),
            ("a/**", "a/b/c", true),
            ("a/**", "a", false),
            ("a/**/c", "a/b/xc", false),
            ("**.csv", "a/b.csv", true),
            ("*a*a*a*a*a*a*b", &"a".repeat(1000), false),
        ] {
            assert_eq!(Pattern::new(pattern).fits(path), expect, "{pattern} {path}");
        }
    }
}
