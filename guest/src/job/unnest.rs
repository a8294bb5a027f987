//! Which parts of a document become columns and tables, as an allow-list.
//!
//! Without a list everything is unnested (as dlt does) down to the nesting limit. With one, an
//! object is flattened, and a list becomes a child table, only where a listed path says so; every
//! other object or list is kept as one JSON column. Scalars are always columns.
//!
//! - A path is made of the keys of the source document, from the record: `fields.comment.comments`.
//! - `*` stands for any characters within one key: `fields.customfield_1001*`, `fields.*`.
//! - Lists have no step of their own; `[*]` may be written after a key and says nothing:
//!   `changelog.histories[*].items` is `changelog.histories.items`. What is in a list of lists is at
//!   the path of the outer list.
//! - A listed path implies its ancestors: `a.b` flattens `a` too (its scalars become columns, its
//!   other objects and lists stay JSON).
//! - `**` ends a path and stands for any depth: `fields.project.**` is all of `fields.project`.
//!
//! The nesting limit and `data_type: json` hints go on to hold: the stricter one wins.

use crate::fault::{Fault, Result};
use crate::json::{Bracket, Token, tokens};

/// An allow-list of paths.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Unnest {
    patterns: Vec<Vec<KeyPattern>>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum KeyPattern {
    /// Everything from here on.
    Deep,
    /// A key with wildcards: the texts between the stars, at least two.
    Glob(Vec<String>),
    /// That key.
    Key(String),
}

impl Unnest {
    /// Reads one path and adds it.
    ///
    /// # Errors
    /// A config fault that says what is wrong with the path.
    pub fn allow(&mut self, path: &str) -> Result<()> {
        let mut pieces = Vec::new();
        for token in tokens(path)? {
            if pieces.last() == Some(&KeyPattern::Deep) {
                return Err(refused(
                    path,
                    "\"**\" may only end a path: what is below cannot be known before it is read",
                ));
            }
            pieces.push(match token {
                Token::Bracket(Bracket::All) if pieces.is_empty() => {
                    return Err(refused(path, "it begins with a key of the record"));
                }
                Token::Bracket(Bracket::All) => continue,
                Token::Bracket(Bracket::FromEnd(_) | Bracket::Index(_)) => {
                    return Err(refused(path, "a list is unnested whole, not by position"));
                }
                Token::Name { text, quoted: false } if text == "**" => KeyPattern::Deep,
                Token::Name { text, quoted: false } if text.contains("**") => {
                    return Err(refused(path, "\"**\" stands alone between dots"));
                }
                Token::Name { text, quoted: false } if text.contains('*') => {
                    KeyPattern::Glob(text.split('*').map(str::to_owned).collect())
                }
                Token::Name { text, .. } => KeyPattern::Key(text),
            });
        }
        if pieces.is_empty() {
            return Err(refused(path, "it begins with a key of the record"));
        }
        self.patterns.push(pieces);
        Ok(())
    }

    /// Whether the object or list at this path of keys is opened: flattened or made a table. The
    /// record itself (no keys) always is. The answer depends on nothing but the path: remember it.
    pub fn opens<K: AsRef<str>>(&self, keys: &[K]) -> bool {
        keys.is_empty() || self.patterns.iter().any(|pattern| reaches(pattern, keys))
    }
}

/// Whether the pattern matches the path, or something below it.
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

/// Whether a key is these texts with anything between them.
fn glob(texts: &[String], key: &str) -> bool {
    let [first, middle @ .., last] = texts else { return false };
    let Some(mut rest) = key.strip_prefix(first.as_str()) else { return false };
    for text in middle {
        // The leftmost match leaves most for the others.
        let Some(at) = rest.find(text.as_str()) else { return false };
        rest = rest.get(at + text.len()..).unwrap_or_default();
    }
    rest.ends_with(last.as_str())
}

#[cold]
fn refused(path: &str, why: &str) -> Fault {
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
    fn refuses_what_it_cannot_keep() {
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
