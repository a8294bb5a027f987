//! Paths into JSON, the part of JSONPath a loader needs: `a.b`, `$`, `['a b']`, `[0]`, `[-1]`, `[*]`, `*`.
//!
//! dlt reads paths with `jsonpath_ng`. The common ones have the same meaning here. Filters, slices
//! (except `[-1:]`), unions and `..` are rejected by name.

use crate::fault::{Fault, Result};

/// One step of a [`Path`].
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Segment {
    /// `.*`: the value of every key.
    Fields,
    /// `[-1]`: that element, counted from the end, the last one as 1.
    FromEnd(usize),
    /// `[3]`: that element, counted from 0.
    Index(usize),
    /// `[*]`: every element of a list.
    Items,
    /// `.a` or `['a b']`: the value of that key.
    Key(String),
}

/// A path into a JSON value, from its root.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Path {
    text: String,
    segments: Vec<Segment>,
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// A config fault with the reason if the path is not valid.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let segments = tokens(text)?
            .into_iter()
            .map(|token| match token {
                Token::Bracket(Bracket::All) => Ok(Segment::Items),
                Token::Bracket(Bracket::FromEnd(index)) => Ok(Segment::FromEnd(index)),
                Token::Bracket(Bracket::Index(index)) => Ok(Segment::Index(index)),
                Token::Name { text: name, quoted: false } if name == "*" => Ok(Segment::Fields),
                Token::Name { text: name, quoted: false } if name.contains('*') => {
                    Err(refused(text, "a * stands for a whole key or list here"))
                }
                Token::Name { text: name, .. } => Ok(Segment::Key(name)),
            })
            .collect::<Result<_>>()?;
        Ok(Self { text: text.to_owned(), segments })
    }

    /// The root: the whole value.
    pub(crate) fn root() -> Self {
        Self { text: "$".to_owned(), segments: Vec::new() }
    }

    /// The path of nested keys.
    pub(crate) fn of_keys<K: AsRef<str>>(keys: &[K]) -> Self {
        if keys.is_empty() {
            return Self::root();
        }
        let text = keys.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(".");
        let segments = keys.iter().map(|key| Segment::Key(key.as_ref().to_owned())).collect();
        Self { text, segments }
    }

    /// The steps from the root; none for `$`.
    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The path as it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The key, if the path is only one key: `id`, but not `$.id` (as in dlt, which marks the
    /// column of such a cursor).
    pub(crate) fn field(&self) -> Option<&str> {
        match self.segments.as_slice() {
            [Segment::Key(key)] if !self.text.starts_with("$.") && !self.text.starts_with("$[") => {
                Some(key)
            }
            _ => None,
        }
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// A token of a path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Token {
    /// `[*]` or `[3]`.
    Bracket(Bracket),
    /// A key, bare or quoted.
    Name {
        /// Its text without quotes.
        text: String,
        /// Quoted: a `*` in it means nothing.
        quoted: bool,
    },
}

/// A bracket that has no key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Bracket {
    /// `[*]`.
    All,
    /// `[-1]`.
    FromEnd(usize),
    /// `[3]`.
    Index(usize),
}

/// The tokens of a path.
pub(crate) fn tokens(path: &str) -> Result<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = path;
    if let Some(after) = path.strip_prefix('$')
        && (after.is_empty() || after.starts_with(['.', '[']))
    {
        if after.is_empty() {
            return Ok(tokens);
        }
        rest = after.strip_prefix('.').unwrap_or(after);
    }
    loop {
        let (token, after) = if let Some(inner) = rest.strip_prefix('[') {
            bracket(path, inner)?
        } else if rest.starts_with(['\'', '"']) {
            let (text, after) = quoted(path, rest)?;
            (Token::Name { text, quoted: true }, after)
        } else {
            let end = rest.find(['.', '[', ']', '\'', '"', '(', ')', '?', '|', '&', '`', ' ']);
            let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
            if name.is_empty() {
                return Err(refused(path, &what_is_wrong(after)));
            }
            (Token::Name { text: name.to_owned(), quoted: false }, after)
        };
        tokens.push(token);
        if after.is_empty() {
            return Ok(tokens);
        }
        rest = match after.strip_prefix('.') {
            Some(next) => next,
            None if after.starts_with('[') => after,
            None => return Err(refused(path, &what_is_wrong(after))),
        };
    }
}

/// Reads the rest of a bracket after `[`.
fn bracket<'p>(path: &str, inner: &'p str) -> Result<(Token, &'p str)> {
    let (token, after) = if inner.starts_with(['\'', '"']) {
        let (text, after) = quoted(path, inner)?;
        (Token::Name { text, quoted: true }, after)
    } else if let Some(after) = inner.strip_prefix('*') {
        (Token::Bracket(Bracket::All), after)
    } else {
        let negative = inner.strip_prefix('-');
        let digits = negative.unwrap_or(inner);
        let (number, after) =
            digits.split_at(digits.bytes().take_while(u8::is_ascii_digit).count());
        match (negative, number.parse::<usize>()) {
            (None, Ok(index)) => (Token::Bracket(Bracket::Index(index)), after),
            (Some(_), Ok(index)) if index > 0 => {
                // `[-1:]`, the slice from the last element on, is the last element.
                let slice = after.strip_prefix(':').filter(|_| index == 1);
                (Token::Bracket(Bracket::FromEnd(index)), slice.unwrap_or(after))
            }
            _ => return Err(refused(path, "brackets hold a quoted key, a number or *")),
        }
    };
    match after.strip_prefix(']') {
        Some(after) => Ok((token, after)),
        None => Err(refused(path, "brackets hold a quoted key, a number or *, and are closed")),
    }
}

/// A quoted key and what follows it. A backslash keeps the next character as it is.
fn quoted<'p>(path: &str, text: &'p str) -> Result<(String, &'p str)> {
    let mut content = String::new();
    let mut chars = text.char_indices();
    let quote = chars.next().map(|(_, quote)| quote);
    while let Some((at, c)) = chars.next() {
        if Some(c) == quote {
            return Ok((content, text.get(at + 1..).unwrap_or_default()));
        }
        if c == '\\' {
            content.extend(chars.next().map(|(_, escaped)| escaped));
        } else {
            content.push(c);
        }
    }
    Err(refused(path, "a quote is not closed"))
}

fn what_is_wrong(rest: &str) -> String {
    match rest.chars().next() {
        None => "it ends where a key is expected".to_owned(),
        Some('.') => "\"..\" is not supported: name the keys between".to_owned(),
        Some('?' | '(' | ')' | '|' | '&' | '`') => {
            "filters, functions and unions are not supported".to_owned()
        }
        Some(found) => format!("a key with {found:?} in it is written ['like this']"),
    }
}

#[cold]
fn refused(path: &str, why: &str) -> Fault {
    Fault::config(format_args!(
        "expected a path such as a.b, $['a b'] or items[*].id, found {path:?}: {why}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(path: &Path) -> String {
        let show = |segment: &Segment| match segment {
            Segment::Fields => ".*".to_owned(),
            Segment::FromEnd(index) => format!("[-{index}]"),
            Segment::Index(index) => format!("[{index}]"),
            Segment::Items => "[*]".to_owned(),
            Segment::Key(key) => format!("<{key}>"),
        };
        path.segments().iter().map(show).collect()
    }

    #[test]
    fn reads_paths() {
        let check = |text: &str, segments: &str| {
            let path = Path::parse(text).unwrap();
            assert_eq!(show(&path), segments, "{text}");
            assert_eq!(path.as_str(), text);
        };
        check("$", "");
        check("a", "<a>");
        check("fields.updated", "<fields><updated>");
        check("$.a.b", "<a><b>");
        check("$['a b'].c", "<a b><c>");
        check("['a.b'][\"c\\\"d\"]", "<a.b><c\"d>");
        check("'@odata.nextLink'", "<@odata.nextLink>");
        check("items[0].id", "<items>[0]<id>");
        check("items[*].id", "<items>[*]<id>");
        check("items[-1].id", "<items>[-1]<id>");
        check("items[-12].id", "<items>[-12]<id>");
        check("items[-1:].id", "<items>[-1]<id>");
        check("a.[0].b", "<a>[0]<b>");
        check("$[*]", "[*]");
        check("a.*.b", "<a>.*<b>");
        check("a.'*'", "<a><*>");
        check("next-page_token", "<next-page_token>");
        check("größe.日本", "<größe><日本>");
        check("$ref", "<$ref>");
    }

    #[test]
    fn knows_plain_fields() {
        let check = |text: &str, field: Option<&str>| {
            assert_eq!(Path::parse(text).unwrap().field(), field, "{text}");
        };
        check("id", Some("id"));
        check("'a.b'", Some("a.b"));
        check("$ref", Some("$ref"));
        check("$.id", None);
        check("$['id']", None);
        check("a.b", None);
        check("*", None);
        check("$", None);
    }

    #[test]
    fn rejects_the_rest() {
        let check = |text: &str, why: &str| {
            let expected = format!(
                "expected a path such as a.b, $['a b'] or items[*].id, found {text:?}: {why}"
            );
            assert_eq!(Path::parse(text).unwrap_err().to_string(), expected);
        };
        check("", "it ends where a key is expected");
        check("a.", "it ends where a key is expected");
        check("$.", "it ends where a key is expected");
        check("a..b", "\"..\" is not supported: name the keys between");
        check("$..b", "\"..\" is not supported: name the keys between");
        check("a b", "a key with ' ' in it is written ['like this']");
        check("a[?(@.x)]", "brackets hold a quoted key, a number or *");
        check("a[1:2]", "brackets hold a quoted key, a number or *, and are closed");
        check("a[-0]", "brackets hold a quoted key, a number or *");
        check("a[--1]", "brackets hold a quoted key, a number or *");
        check("a[-2:]", "brackets hold a quoted key, a number or *, and are closed");
        check("a[99999999999999999999999]", "brackets hold a quoted key, a number or *");
        check("a['b", "a quote is not closed");
        check("a['b'", "brackets hold a quoted key, a number or *, and are closed");
        check("a|b", "filters, functions and unions are not supported");
        check("a[0]b", "a key with 'b' in it is written ['like this']");
        check("a*b", "a * stands for a whole key or list here");
    }
}
