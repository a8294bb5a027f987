//! Parsing the JSON of a job, so that every error has a path: unknown keys, repeated keys, values of the wrong
//! type. A key that begins with `//` is a comment, in any object.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::fault::{Fault, Result};

/// Parses JSON, with or without a byte order mark. Unlike `serde_json` it rejects a repeated key.
pub(super) fn json(text: &str) -> Result<Value> {
    match serde_json::from_str::<Strict>(text.strip_prefix('\u{feff}').unwrap_or(text)) {
        Ok(Strict(value)) => Ok(value),
        // serde_json's errors end in "at line 3 column 7".
        Err(error) => Err(Fault::config(format_args!("the job is not valid JSON: {error}"))),
    }
}

/// The prefix of the key of a comment.
const COMMENT: &str = "//";

/// The keys of an object.
#[derive(Clone, Copy)]
pub(super) struct Keys {
    /// The keys that the object may have.
    pub(super) known: &'static [&'static str],
    /// The keys of dlt that a job does not have, and the reason.
    pub(super) refused: &'static [(&'static str, &'static str)],
}

impl Keys {
    /// These keys and no others.
    pub(super) const fn of(known: &'static [&'static str]) -> Self {
        Self { known, refused: &[] }
    }
}

/// An object of the job and its path. All its keys are known.
pub(super) struct JobObject<'a> {
    place: String,
    map: &'a Map<String, Value>,
}

impl<'a> JobObject<'a> {
    /// The object at this path.
    pub(super) fn new(value: &'a Value, place: impl Into<String>, keys: Keys) -> Result<Self> {
        let place = place.into();
        let Value::Object(map) = value else {
            return Err(wrong_type("an object", value, &place));
        };
        for key in map.keys() {
            if keys.known.contains(&key.as_str()) {
                continue;
            }
            if let Some((_, reason)) = keys.refused.iter().find(|(name, _)| name == key) {
                return Err(at(&place, format_args!("unknown key {key:?}: {reason}")));
            }
            let hint = nearest(key, keys.known.iter().copied()).map_or_else(
                || format!("expected one of {}", keys.known.join(", ")),
                |known| format!("did you mean {known:?}?"),
            );
            return Err(at(&place, format_args!("unknown key {key:?}, {hint}")));
        }
        Ok(Self { place, map })
    }

    /// A fault at this object.
    #[cold]
    pub(super) fn fault(&self, message: impl fmt::Display) -> Fault {
        at(&self.place, message)
    }

    /// A fault at a member of this object.
    #[cold]
    pub(super) fn fault_at(&self, key: &str, message: impl fmt::Display) -> Fault {
        at(&self.place_of(key), message)
    }

    /// The path of a member.
    pub(super) fn place_of(&self, key: &str) -> String {
        member(&self.place, key)
    }

    /// A member that is not null.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// All members.
    pub(super) const fn map_of_all(&self) -> &'a Map<String, Value> {
        self.map
    }

    /// Returns `true` if it has this member, null included.
    pub(super) fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// A string that is not empty.
    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(Value::String(_)) => {
                Err(self.fault_at(key, "expected a string, found an empty one"))
            }
            Some(other) => Err(self.wrong_type("a string", other, key)),
        }
    }

    /// A required string.
    pub(super) fn required_text(&self, key: &str) -> Result<&'a str> {
        self.text(key)?.ok_or_else(|| self.missing(key, "a string"))
    }

    /// A boolean.
    pub(super) fn boolean(&self, key: &str) -> Result<Option<bool>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.wrong_type("true or false", other, key)),
        }
    }

    /// An integer in a range.
    pub(super) fn whole(&self, key: &str, from: i64, to: i64) -> Result<Option<i64>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.as_i64() {
            Some(number) if (from..=to).contains(&number) => Ok(Some(number)),
            _ => Err(self.wrong_type(&format!("an integer from {from} to {to}"), value, key)),
        }
    }

    /// A finite number.
    pub(super) fn number(&self, key: &str) -> Result<Option<f64>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.as_f64() {
            Some(number) if number.is_finite() => Ok(Some(number)),
            _ => Err(self.wrong_type("a number", value, key)),
        }
    }

    /// One of several words.
    pub(super) fn choice<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Result<Option<T>> {
        self.get(key).map(|value| choice(value, &self.place_of(key), words)).transpose()
    }

    /// A list.
    pub(super) fn list(&self, key: &str) -> Result<Option<&'a Vec<Value>>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(other) => Err(self.wrong_type("a list", other, key)),
        }
    }

    /// A list of strings that are not empty.
    pub(super) fn texts(&self, key: &str) -> Result<Option<Vec<String>>> {
        let Some(items) = self.list(key)? else { return Ok(None) };
        let place = self.place_of(key);
        items
            .iter()
            .enumerate()
            .map(|(n, item)| text(item, &element(&place, n)))
            .collect::<Result<_>>()
            .map(Some)
    }

    /// An object with any keys.
    pub(super) fn map(&self, key: &str) -> Result<Option<&'a Map<String, Value>>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(map)),
            Some(other) => Err(self.wrong_type("an object", other, key)),
        }
    }

    /// The fault of a missing member.
    #[cold]
    pub(super) fn missing(&self, key: &str, expected: &str) -> Fault {
        self.fault_at(key, format_args!("expected {expected}, found nothing"))
    }

    /// The fault of a member of the wrong type.
    #[cold]
    pub(super) fn wrong_type(&self, expected: &str, found: &Value, key: &str) -> Fault {
        wrong_type(expected, found, &self.place_of(key))
    }
}

/// A string that is not empty.
pub(super) fn text(value: &Value, place: &str) -> Result<String> {
    match value {
        Value::String(text) if !text.is_empty() => Ok(text.clone()),
        other => Err(wrong_type("a string", other, place)),
    }
}

/// One of several words.
pub(super) fn choice<T: Copy>(value: &Value, place: &str, words: &[(&str, T)]) -> Result<T> {
    if let Value::String(text) = value {
        if let Some((_, choice)) = words.iter().find(|(word, _)| word == text) {
            return Ok(*choice);
        }
        if let Some(known) = nearest(text, words.iter().map(|(word, _)| *word)) {
            return Err(at(place, format_args!("unknown {text:?}, did you mean {known:?}?")));
        }
    }
    let words = words.iter().map(|(word, _)| format!("{word:?}")).collect::<Vec<_>>().join(", ");
    Err(wrong_type(&format!("one of {words}"), value, place))
}

/// The fault of a value of the wrong type.
#[cold]
pub(super) fn wrong_type(expected: &str, found: &Value, place: &str) -> Fault {
    at(place, format_args!("expected {expected}, found {}", describe(found)))
}

/// A config fault at a path.
#[cold]
pub(super) fn at(place: &str, message: impl fmt::Display) -> Fault {
    let fault = Fault::config(message);
    if place.is_empty() { fault } else { fault.at(place) }
}

/// The path of a member of the object at a path.
pub(super) fn member(place: &str, key: &str) -> String {
    let plain =
        !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    match (place.is_empty(), plain) {
        (true, true) => key.to_owned(),
        (false, true) => format!("{place}.{key}"),
        (_, false) => format!("{place}[{key:?}]"),
    }
}

/// The path of an element of the list at a path.
pub(super) fn element(place: &str, index: usize) -> String {
    format!("{place}[{index}]")
}

/// The length of words that are compared at most: longer ones would take long.
const LONGEST_WORD: usize = 100;

/// The most similar word, if one is similar enough.
pub(super) fn nearest<'w>(word: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let limit = (word.chars().count() / 3).clamp(1, 4);
    let length = word.chars().count();
    if length > LONGEST_WORD {
        return None;
    }
    let word = word.to_lowercase();
    words
        .filter(|known| known.chars().count().abs_diff(length) <= limit)
        .map(|known| (distance(&word, &known.to_lowercase()), known))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// A value for a message; long strings are truncated.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) if text.chars().count() > 60 => {
            format!("{:?}...", text.chars().take(60).collect::<String>())
        }
        other => other.to_string(),
    }
}

/// The number of insertions, deletions, replacements and swaps of neighbours between two words (optimal string
/// alignment).
fn distance(one: &str, other: &str) -> usize {
    let [one, other]: [Vec<char>; 2] = [one, other].map(|word| word.chars().collect());
    let mut above = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX - 1);
            let mut cost = cell(&row, j) + usize::from(a != b);
            cost = cost.min(cell(&row, j + 1) + 1).min(cell(&next, j) + 1);
            let swapped =
                i > 0 && j > 0 && one.get(i - 1) == Some(b) && other.get(j - 1) == Some(a);
            if swapped && a != b {
                cost = cost.min(cell(&above, j - 1) + 1);
            }
            next.push(cost);
        }
        above = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(0)
}

/// A JSON value without duplicate keys.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Strict;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Strict, E> {
        Ok(Strict(Value::Bool(value)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Strict, E> {
        Ok(Strict(Value::Number(value.into())))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Strict, E> {
        Ok(Strict(Value::Number(value.into())))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Strict, E> {
        Ok(Strict(Number::from_f64(value).map_or(Value::Null, Value::Number)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Strict, E> {
        Ok(Strict(Value::String(value.to_owned())))
    }

    fn visit_unit<E: Error>(self) -> Result<Strict, E> {
        Ok(Strict(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Strict, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Strict(Value::Array(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Strict, A::Error> {
        let mut map = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key {key:?} is given twice")));
            }
            let Strict(value) = members.next_value()?;
            map.insert(key, value);
        }
        // Last, because a repeated comment is an error too: Snowflake's PARSE_JSON rejects it.
        map.retain(|key, _| !key.starts_with(COMMENT));
        Ok(Strict(Value::Object(map)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_nearest_word() {
        let words = ["cursor_param", "cursor_path", "limit", "offset", "total_path"];
        let check = |word: &str, near: Option<&str>| {
            assert_eq!(nearest(word, words.into_iter()), near, "{word}");
        };
        check("cursor_parm", Some("cursor_param"));
        check("cursorParam", Some("cursor_param"));
        check("CURSOR_PATH", Some("cursor_path"));
        check("limits", Some("limit"));
        check("ofset", Some("offset"));
        check("colour", None);
        check("x", None);
    }

    #[test]
    fn counts_edits() {
        let check = |one: &str, other: &str, edits: usize| {
            assert_eq!(distance(one, other), edits, "{one} {other}");
            assert_eq!(distance(other, one), edits, "{other} {one}");
        };
        check("", "", 0);
        check("", "abc", 3);
        check("kitten", "sitting", 3);
        check("abc", "acb", 1);
        check("paht", "path", 1);
        check("ab", "ba", 1);
        check("abcd", "dcba", 3);
    }

    #[test]
    fn leaves_comments_out() {
        let job = r#"{"//": "why", "a": [{"//b": {"c": 1}, "d": "//e"}]}"#;
        assert_eq!(json(job).unwrap(), serde_json::json!({"a": [{"d": "//e"}]}));
        json(r#"{"//": 1, "//": 2}"#).unwrap_err();
    }

    #[test]
    fn ignores_a_byte_order_mark() {
        assert_eq!(json("\u{feff}{\"a\": 1}").unwrap(), serde_json::json!({"a": 1}));
        json("\u{feff}\u{feff}{}").unwrap_err();
    }

    #[test]
    fn names_the_place_of_a_syntax_error() {
        let check = |text: &str, message: &str| {
            assert_eq!(json(text).unwrap_err().to_string(), message, "{text}");
        };
        check("", "the job is not valid JSON: EOF while parsing a value at line 1 column 0");
        check(
            "{\n  \"a\": 1,\n  \"b\" 2}",
            "the job is not valid JSON: expected `:` at line 3 column 7",
        );
        check("{\"a\":1,\n}", "the job is not valid JSON: trailing comma at line 2 column 1");
        check("{\"a\":1} x", "the job is not valid JSON: trailing characters at line 1 column 9");
        check(
            "{\"a\": {\"b\": 1, \"c\": 2, \"b\": 3}}",
            "the job is not valid JSON: the key \"b\" is given twice at line 1 column 26",
        );
    }
}
