//! The allow-list of paths that become columns and nested tables.
//!
//! Without a list everything down to the nesting limit is unnested, as in dlt. With a list, an
//! object is flattened, or a list becomes a nested table, only if a listed path says so. Every
//! other object or list is stored as one JSON column. Scalars are always columns.
//!
//! - A path consists of keys of the source document, starting at the record:
//!   `fields.comment.comments`.
//! - `*` stands for any characters within one key: `fields.customfield_1001*`, `fields.*`.
//! - Lists are not segments of a path. `[*]` after a key is allowed and has no effect:
//!   `changelog.histories[*].items` is `changelog.histories.items`. The items of a list of lists
//!   have the path of the outer list.
//! - A listed path implies its ancestors: `a.b` flattens `a` too (its scalars become columns, its
//!   other objects and lists stay JSON).
//! - `**` at the end of a path matches any depth: `fields.project.**` is all of `fields.project`.
//!
//! The nesting limit and `data_type: json` hints still apply; the stricter one wins.

use crate::fault::{Fault, Result};
use crate::json::{Bracket, Token, tokens};

/// An allow-list of paths.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Unnest {
    patterns: Vec<Vec<KeyPattern>>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum KeyPattern {
    /// Everything below.
    Deep,
    /// A key with wildcards: the strings between the stars, at least two.
    Glob(Vec<String>),
    /// This key.
    Key(String),
}

impl Unnest {
    /// Parses a path and adds it.
    ///
    /// # Errors
    /// A config fault that states what is wrong with the path.
    pub(crate) fn allow(&mut self, path: &str) -> Result<()> {
        let mut pieces = Vec::new();
        for token in tokens(path)? {
            if pieces.last() == Some(&KeyPattern::Deep) {
                return Err(invalid(
                    path,
                    "\"**\" may only end a path: what is below cannot be known before it is read",
                ));
            }
            pieces.push(match token {
                Token::Bracket(Bracket::All) if pieces.is_empty() => {
                    return Err(invalid(path, "it begins with a key of the record"));
                }
                Token::Bracket(Bracket::All) => continue,
                Token::Bracket(Bracket::FromEnd(_) | Bracket::Index(_)) => {
                    return Err(invalid(path, "a list is unnested whole, not by position"));
                }
                Token::Name { text, quoted: false } if text == "**" => KeyPattern::Deep,
                Token::Name { text, quoted: false } if text.contains("**") => {
                    return Err(invalid(path, "\"**\" stands alone between dots"));
                }
                Token::Name { text, quoted: false } if text.contains('*') => {
                    KeyPattern::Glob(text.split('*').map(str::to_owned).collect())
                }
                Token::Name { text, .. } => KeyPattern::Key(text),
            });
        }
        if pieces.is_empty() {
            return Err(invalid(path, "it begins with a key of the record"));
        }
        self.patterns.push(pieces);
        Ok(())
    }

    /// Returns `true` if the object or list at this path is flattened or made a table. Always
    /// `true` for the record itself (no keys). The result depends on the path only and can be
    /// cached.
    pub(crate) fn opens<K: AsRef<str>>(&self, keys: &[K]) -> bool {
        keys.is_empty() || self.patterns.iter().any(|pattern| reaches(pattern, keys))
    }
}

/// Returns `true` if the pattern matches the path or something below it.
fn reaches<K: AsRef<str>>(pattern: &[KeyPattern], keys: &[K]) -> bool {
    let mut pieces = pattern.iter();
    for key in keys {
        let matches = match pieces.next() {
            None => false,
            Some(KeyPattern::Deep) => return true,
            Some(KeyPattern::Glob(texts)) => glob(texts, key.as_ref()),
            Some(KeyPattern::Key(text)) => text == key.as_ref(),
        };
        if !matches {
            return false;
        }
    }
    true
}

/// Returns `true` if a key consists of these strings with anything between them.
fn glob(texts: &[String], key: &str) -> bool {
    let [first, middle @ .., last] = texts else { return false };
    let Some(mut rest) = key.strip_prefix(first.as_str()) else { return false };
    for text in middle {
        // The leftmost match leaves the longest rest for the others.
        let Some(at) = rest.find(text.as_str()) else { return false };
        rest = rest.get(at + text.len()..).unwrap_or_default();
    }
    rest.ends_with(last.as_str())
}

#[cold]
fn invalid(path: &str, why: &str) -> Fault {
    Fault::config(format_args!(
        "expected a path such as fields.comment.comments, changelog.histories[*].items or \
         fields.project.**, found {path:?}: {why}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_what_is_listed() {
        let check = |paths: &[&str], open: &[&str], closed: &[&str]| {
            let mut unnest = Unnest::default();
            for path in paths {
                unnest.allow(path).unwrap();
            }
            let opens = |path: &str| {
                let keys: Vec<&str> = path.split('.').filter(|key| !key.is_empty()).collect();
                unnest.opens(&keys)
            };
            for path in open {
                assert!(opens(path), "{path} is closed by {paths:?}");
            }
            for path in closed {
                assert!(!opens(path), "{path} is opened by {paths:?}");
            }
        };
        check(&[], &[""], &["a", "a.b"]);
        check(
            &[
                "fields.comment.comments",
                "changelog.histories[*].items",
                "fields.customfield_1001*",
            ],
            &[
                "",
                "fields",
                "fields.comment",
                "fields.comment.comments",
                "changelog",
                "changelog.histories",
                "changelog.histories.items",
                "fields.customfield_1001",
                "fields.customfield_10013",
            ],
            &[
                "fields.comment.comments.author",
                "fields.project",
                "fields.customfield_10020",
                "fields.customfield_10013.x",
                "changelog.histories.author",
                "comment",
                "Fields",
            ],
        );
        check(&["a.**"], &["a", "a.b", "a.b.c.d"], &["b", "b.a"]);
        check(&["**"], &["a", "a.b.c"], &[]);
        check(&["a.*"], &["a", "a.b", "a.c"], &["a.b.c", "b"]);
        check(&["a.*.c"], &["a", "a.b", "a.b.c"], &["a.b.d", "a.b.c.d"]);
        check(&["x*y*z"], &["xyz", "x1y2z", "xyyzz"], &["xz", "xy", "yz", "xyz1", "1xyz"]);
        check(&["aa*aa"], &["aaaa", "aabaa"], &["aaa", "aa"]);
        check(&["*"], &["a", "b"], &["a.b"]);
        check(&["['a.b'].c", "$.d"], &["d"], &["a", "a.b"]);
        check(&["'a*'"], &["a*"], &["a", "ab"]);
        let mut unnest = Unnest::default();
        unnest.allow("['a.b'].c").unwrap();
        assert!(unnest.opens(&["a.b", "c"]));
    }

    #[test]
    fn rejects_what_it_cannot_keep() {
        let check = |path: &str, why: &str| {
            let message = Unnest::default().allow(path).unwrap_err().to_string();
            assert!(message.ends_with(&format!("found {path:?}: {why}")), "{message}");
        };
        check("$", "it begins with a key of the record");
        check("[*].a", "it begins with a key of the record");
        check("a[0]", "a list is unnested whole, not by position");
        check("a.b**", "\"**\" stands alone between dots");
        check(
            "a.**.b",
            "\"**\" may only end a path: what is below cannot be known before it is read",
        );
        check("a..b", "\"..\" is not supported: name the keys between");
    }
}
