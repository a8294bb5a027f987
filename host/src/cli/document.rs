//! A job as JSON with the position of each value in its file, so that a fault that names a path in
//! the job can be shown at its line.

use std::fmt::{self, Write as _};

/// A value and its position.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// The position of the value in bytes.
    pub(super) at: usize,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    List(Vec<Node>),
    Object(Vec<Member>),
    /// A string, a number or a word, as written.
    Plain(String),
}

#[derive(Clone, Debug)]
struct Member {
    key: String,
    /// The position of the key in bytes.
    at: usize,
    value: Node,
}

/// One step from a value into it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// An element of a list.
    Element(usize),
    /// A member of an object.
    Member(String),
    /// A member whose name is not a plain word, as quoted in a fault.
    Quoted(String),
}

impl Step {
    fn is(&self, key: &str) -> bool {
        match self {
            Self::Element(_) => false,
            Self::Member(name) => name == key,
            Self::Quoted(quoted) => *quoted == format!("{key:?}"),
        }
    }
}

/// Parses a path such as `resources[0].columns["a b"]`. Returns `None` for any other text.
pub(super) fn steps(place: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = place;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix("[\"") {
            let mut escaped = false;
            let end = inner.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            })?;
            steps.push(Step::Quoted(format!("\"{}\"", inner.get(..end)?)));
            rest = inner.get(end + 1..)?.strip_prefix(']')?;
        } else if let Some(inner) = rest.strip_prefix('[') {
            let (index, after) = inner.split_once(']')?;
            steps.push(Step::Element(index.parse().ok()?));
            rest = after;
        } else {
            let name = rest.strip_prefix('.').unwrap_or(rest);
            let end = name.find(['.', '[']).unwrap_or(name.len());
            let (name, after) = name.split_at(end);
            if name.is_empty() || name.contains(char::is_whitespace) {
                return None;
            }
            steps.push(Step::Member(name.to_owned()));
            rest = after;
        }
    }
    Some(steps)
}

impl Node {
    /// Parses a document that is known to be valid JSON.
    pub(super) fn read(text: &str) -> Option<Self> {
        Reader { text, at: 0 }.value()
    }

    /// Follows the steps as far as possible. Returns the value reached, and the number of steps
    /// followed.
    pub(super) fn follow(&self, steps: &[Step]) -> (&Self, usize) {
        let mut node = self;
        for (taken, step) in steps.iter().enumerate() {
            let next = match (&node.content, step) {
                (Content::List(items), Step::Element(index)) => items.get(*index),
                (Content::Object(members), step) => {
                    members.iter().find(|member| step.is(&member.key)).map(|member| &member.value)
                }
                _ => None,
            };
            match next {
                Some(next) => node = next,
                None => return (node, taken),
            }
        }
        (node, steps.len())
    }

    /// The value at these steps, mutable.
    fn reach(&mut self, steps: &[Step]) -> Option<&mut Self> {
        let Some((step, rest)) = steps.split_first() else { return Some(self) };
        let next = match (&mut self.content, step) {
            (Content::List(items), Step::Element(index)) => items.get_mut(*index)?,
            (Content::Object(members), step) => {
                &mut members.iter_mut().find(|member| step.is(&member.key))?.value
            }
            _ => return None,
        };
        next.reach(rest)
    }

    /// The key of an object that a message starts with, in quotes, and its position.
    pub(super) fn quoted_key(&self, words: &str) -> Option<(&str, usize)> {
        let Content::Object(members) = &self.content else { return None };
        members
            .iter()
            .filter(|member| words.starts_with(&format!("{:?}", member.key)))
            // If one key is a prefix of another, the longer one is meant.
            .max_by_key(|member| member.key.len())
            .map(|member| (member.key.as_str(), member.at))
    }

    /// Renames a member of the object at these steps, or removes it if the name exists or is
    /// `None`. Returns `true` if there was such a member.
    pub(super) fn rename(&mut self, steps: &[Step], key: &str, name: Option<&str>) -> bool {
        let Some(Self { content: Content::Object(members), .. }) = self.reach(steps) else {
            return false;
        };
        let Some(at) = members.iter().position(|member| member.key == key) else { return false };
        match name.filter(|name| members.iter().all(|member| member.key != *name)) {
            Some(name) => {
                if let Some(member) = members.get_mut(at) {
                    member.key = name.to_owned();
                }
            }
            None => drop(members.remove(at)),
        }
        true
    }

    /// Removes the member at these steps from its object. Returns `true` if there was one. Elements
    /// of lists are kept, because indices would change.
    pub(super) fn remove(&mut self, steps: &[Step]) -> bool {
        let Some((last, above)) = steps.split_last() else { return false };
        let Some(Self { content: Content::Object(members), .. }) = self.reach(above) else {
            return false;
        };
        let before = members.len();
        members.retain(|member| !last.is(&member.key));
        members.len() < before
    }

    /// Sets a member of the outermost object.
    pub(super) fn put(&mut self, key: &str, value: &str) {
        let Some(mut value) = Self::read(value) else { return };
        value.at = self.at;
        if let Content::Object(members) = &mut self.content {
            members.retain(|member| member.key != key);
            members.push(Member { key: key.to_owned(), at: self.at, value });
        }
    }

    /// Replaces the value at these steps by a string. Returns `true` if there is such a value.
    pub(super) fn replace(&mut self, steps: &[Step], text: &str) -> bool {
        let Some(node) = self.reach(steps) else { return false };
        node.content = Content::Plain(serde_json::Value::from(text).to_string());
        true
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.content {
            Content::Plain(text) => f.write_str(text),
            Content::List(items) => {
                f.write_char('[')?;
                for (n, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if n == 0 { "" } else { "," })?;
                }
                f.write_char(']')
            }
            Content::Object(members) => {
                f.write_char('{')?;
                for (n, member) in members.iter().enumerate() {
                    let key = serde_json::Value::from(member.key.as_str());
                    write!(f, "{}{key}:{}", if n == 0 { "" } else { "," }, member.value)?;
                }
                f.write_char('}')
            }
        }
    }
}

/// The line and column of a byte, both from 1, the column in characters; and the text of the line.
pub(super) fn position(text: &str, at: usize) -> (usize, usize, &str) {
    let before = text.get(..at).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let column = text.get(start..at).map_or(0, |left| left.chars().count());
    (before.matches('\n').count() + 1, column + 1, line)
}

/// Parses text that `serde_json` has accepted; returns `None` for anything unexpected.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next byte that is not whitespace.
    fn next(&mut self) -> Option<u8> {
        let rest = self.rest();
        let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
        self.at += blank;
        self.rest().bytes().next()
    }

    /// Consumes this byte if it is next. Returns `true` if it was.
    fn take(&mut self, byte: u8) -> bool {
        let found = self.next() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self) -> Option<Node> {
        let first = self.next()?;
        let at = self.at;
        let content = match first {
            b'{' => {
                self.at += 1;
                let mut members = Vec::new();
                while !self.take(b'}') {
                    if !members.is_empty() && !self.take(b',') {
                        return None;
                    }
                    self.next()?;
                    let key_at = self.at;
                    let key = serde_json::from_str(self.plain()?).ok()?;
                    if !self.take(b':') {
                        return None;
                    }
                    members.push(Member { key, at: key_at, value: self.value()? });
                }
                Content::Object(members)
            }
            b'[' => {
                self.at += 1;
                let mut items = Vec::new();
                while !self.take(b']') {
                    if !items.is_empty() && !self.take(b',') {
                        return None;
                    }
                    items.push(self.value()?);
                }
                Content::List(items)
            }
            _ => Content::Plain(self.plain()?.to_owned()),
        };
        Some(Node { at, content })
    }

    /// A quoted string, a number or a word.
    fn plain(&mut self) -> Option<&str> {
        let rest = self.rest();
        let length = if rest.starts_with('"') {
            let mut escaped = false;
            let end = rest.get(1..)?.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            })?;
            end + 2
        } else {
            rest.find([',', ']', '}', ' ', '\t', '\r', '\n']).unwrap_or(rest.len())
        };
        let start = self.at;
        self.at += length;
        self.text.get(start..self.at).filter(|text| !text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found() {
        let text = "{\n  \"a\": [1, {\"b c\": \"é\\\"]\", \"d\": {}}],\n  \"e\": null }";
        let node = Node::read(text).unwrap();
        let check = |place: &str, line: usize, column: usize, whole: bool| {
            let steps = steps(place).unwrap();
            let (found, taken) = node.follow(&steps);
            let (l, c, _) = position(text, found.at);
            assert_eq!((l, c, taken == steps.len()), (line, column, whole), "{place}");
        };
        check("", 1, 1, true);
        check("a", 2, 8, true);
        check("a[0]", 2, 9, true);
        check("a[1][\"b c\"]", 2, 20, true);
        check("a[1].d", 2, 33, true);
        check("a[1].d.x[3]", 2, 33, false);
        check("e", 3, 8, true);
        check("nothing", 1, 1, false);
        assert_eq!(node.to_string(), r#"{"a":[1,{"b c":"é\"]","d":{}}],"e":null}"#);
        for text in ["a b", "a[x]", "a[\"b", ".", "a..b"] {
            assert_eq!(steps(text), None, "{text}");
        }
    }

    #[test]
    fn documents_are_changed() {
        let mut node = Node::read(r#"{"a": {"b": 1, "c": 2}, "d": [{"e": 3}]}"#).unwrap();
        let at = |place: &str| steps(place).unwrap();
        assert!(node.rename(&at("a"), "b", Some("x")) && node.rename(&at("a"), "x", Some("c")));
        assert!(node.replace(&at("d[0].e"), "f\"") && node.remove(&at("a.c")));
        assert!(!node.remove(&at("d[0]")) && !node.remove(&at("a.c")) && !node.remove(&[]));
        assert_eq!(node.to_string(), r#"{"a":{},"d":[{"e":"f\""}]}"#);
    }
}
