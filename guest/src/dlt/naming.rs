//! Names: how keys of the input become names of tables and columns, how long names are shortened,
//! and the resulting identifiers in Snowflake.
//!
//! Source: dlt 1.31, `common/normalizers/naming/`. The names are exactly dlt's, so that existing
//! tables of a dlt pipeline keep their names.

use crate::dlt::hash::b64_digest;
use crate::dlt::python::{digit, is_blank, trim};

/// The name of a blank key.
pub(crate) const EMPTY_KEY: &str = "_empty";
/// The number of hashed bytes in the tag of a shortened name.
///
/// Source: dlt's `_compute_tag` with its default collision probability of 0.001.
const TAG_BYTES: usize = 4;

/// A naming convention.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Naming {
    /// `snake_case`, the default: lower case, words separated by single underscores.
    SnakeCase,
    /// `sql_cs_v1`: letters unchanged; everything else except digits becomes an underscore.
    SqlCs,
    /// `sql_ci_v1`: like `sql_cs_v1`, in lower case.
    SqlCi,
    /// `duck_case`: unchanged except line breaks, double quotes and runs of underscores.
    DuckCase,
    /// `direct`: unchanged except line breaks, quotes and the path separator `▶`.
    Direct,
}

impl Naming {
    /// Its name in dlt.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SnakeCase => "snake_case",
            Self::SqlCs => "sql_cs_v1",
            Self::SqlCi => "sql_ci_v1",
            Self::DuckCase => "duck_case",
            Self::Direct => "direct",
        }
    }

    /// The separator of the parts of a path: between a nested key and its parents, and between a
    /// nested table and its parents.
    pub(crate) const fn separator(self) -> &'static str {
        match self {
            Self::Direct => "▶",
            _ => "__",
        }
    }

    /// Returns `true` if names that differ only in case are distinct.
    pub(crate) const fn is_case_sensitive(self) -> bool {
        match self {
            Self::SnakeCase | Self::SqlCi => false,
            Self::SqlCs | Self::DuckCase | Self::Direct => true,
        }
    }

    /// Normalizes an identifier without shortening it. It must be neither blank nor padded.
    fn apply(self, identifier: &str) -> String {
        match self {
            Self::SnakeCase => snake_case(identifier),
            Self::SqlCs | Self::SqlCi => sql(identifier),
            Self::DuckCase => {
                let clean = |c| if matches!(c, '\n' | '\r' | '"') { '_' } else { c };
                single_underscores(identifier.chars().map(clean))
            }
            Self::Direct => identifier
                .chars()
                .map(|c| if matches!(c, '\n' | '\r' | '\'' | '"' | '▶') { '_' } else { c })
                .collect(),
        }
    }
}

/// A naming convention with its limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Convention {
    /// The naming convention.
    pub(crate) naming: Naming,
    /// The maximum number of characters; 0 is unlimited, 255 is Snowflake's limit.
    pub(crate) max_length: usize,
}

impl Convention {
    /// Normalizes and shortens one identifier. The name of a blank identifier, which dlt rejects,
    /// is empty; so is that of some identifiers of underscores in `sql_cs_v1` and `sql_ci_v1`.
    pub(crate) fn normalize_identifier(&self, identifier: &str) -> String {
        let identifier = trim(identifier);
        if identifier.is_empty() {
            return String::new();
        }
        let name = self.shorten(self.naming.apply(identifier), identifier);
        match self.naming {
            Naming::SqlCi => name.to_lowercase(),
            _ => name,
        }
    }

    /// Normalizes a path: each part is normalized, blank parts are dropped, and the result is
    /// shortened.
    pub(crate) fn normalize_path(&self, path: &str) -> String {
        if !path.contains(self.naming.separator()) {
            // There is one part: a short name is not shortened again.
            return self.normalize_identifier(path);
        }
        let parts = path.split(self.naming.separator()).filter(|part| !is_blank(part));
        let names: Vec<String> = parts.map(|part| self.normalize_identifier(part)).collect();
        self.shorten(self.join(names.iter().map(String::as_str)), path)
    }

    /// Normalizes a key of the input: the name of a column, or one part of a nested column's name.
    ///
    /// The key of a list differs: its part of the table's name is [`Self::normalize_path`], which
    /// is empty for a blank key.
    ///
    /// Source: `common/normalizers/json/relational.py` (`_flatten`).
    pub(crate) fn norm(&self, key: &str) -> String {
        if is_blank(key) { EMPTY_KEY.to_owned() } else { self.normalize_path(key) }
    }

    /// Joins normalized parts, without the blank ones, and shortens the result.
    pub(crate) fn shorten_fragments(&self, fragments: &[&str]) -> String {
        let path = self.join(fragments.iter().copied());
        match self.shortened(&path, &path) {
            Some(short) => short,
            None => path,
        }
    }

    /// Returns `true` if names that differ only in case are distinct.
    pub(crate) const fn is_case_sensitive(&self) -> bool {
        self.naming.is_case_sensitive()
    }

    /// The identifier in Snowflake, to be quoted: upper case unless case matters.
    pub(crate) fn fold(&self, name: &str) -> String {
        if self.is_case_sensitive() { name.to_owned() } else { name.to_uppercase() }
    }

    fn join<'a>(&self, parts: impl Iterator<Item = &'a str>) -> String {
        let mut path = String::new();
        for part in parts.filter(|part| !is_blank(part)) {
            if !path.is_empty() {
                path.push_str(self.naming.separator());
            }
            path.push_str(part);
        }
        path
    }

    fn shorten(&self, name: String, original: &str) -> String {
        self.shortened(&name, original).unwrap_or(name)
    }

    /// Inserts a tag made of `original` into a name that is too long. `None` if it is not.
    fn shortened(&self, name: &str, original: &str) -> Option<String> {
        // A string never has more characters than bytes.
        if self.max_length == 0 || name.len() <= self.max_length {
            return None;
        }
        let length = name.chars().count();
        if length <= self.max_length {
            return None;
        }
        let tag = b64_digest(original.as_bytes(), TAG_BYTES).replace('/', "a").replace('+', "b");
        let tag = tag.to_ascii_lowercase();
        let room = self.max_length.saturating_sub(tag.len());
        let head = name.chars().take(room.div_ceil(2));
        let tail = name.chars().skip(length - room / 2);
        Some(head.chain(tag.chars()).chain(tail).take(self.max_length).collect())
    }
}

/// Returns `true` if a name says little of its key: the key has characters that distinguish it from
/// other keys and are not in the name, such as `#` and non-ASCII letters. Case and word separators
/// do not count.
pub(crate) fn says_little(naming: Naming, key: &str) -> bool {
    let key = trim(key);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " _-./:@$".contains(c);
    !key.chars().all(is_plain) && naming.apply(key) != key
}

/// Lower case words with single underscores between them.
fn snake_case(identifier: &str) -> String {
    let alphabet = alphanumeric(identifier.chars().map(|c| match c {
        '+' | '*' => 'x',
        '-' => '_',
        '@' => 'a',
        '|' => 'l',
        _ => c,
    }));
    // A word begins at a capital after a lower case letter or a digit, and at a capital before a
    // lower case letter: `HTTPServer2Go` becomes `http_server2_go`.
    let mut words = String::with_capacity(alphabet.len() + 8);
    let mut previous = None;
    let mut rest = alphabet.chars().peekable();
    while let Some(c) = rest.next() {
        let starts_word = match previous {
            // A name does not begin with a digit.
            None => digit(c).is_some(),
            Some('_') => false,
            Some(before) => {
                let ends_word = before.is_ascii_lowercase() || before.is_ascii_digit();
                let precedes_word = rest.peek().is_some_and(char::is_ascii_lowercase);
                c.is_ascii_uppercase() && (ends_word || precedes_word)
            }
        };
        if starts_word {
            words.push('_');
        }
        words.push(c.to_ascii_lowercase());
        previous = Some(c);
    }
    // Trailing underscores become as many `x`, so that they differ from path separators.
    let body = words.trim_end_matches('_');
    let trailing = words.len() - body.len();
    single_underscores(body.chars().chain(std::iter::repeat_n('x', trailing)))
}

/// Letters and digits unchanged, separated by single underscores, without underscores at the end.
fn sql(identifier: &str) -> String {
    let mut name = alphanumeric(identifier.chars());
    if name.chars().next().is_some_and(|first| digit(first).is_some()) {
        name.insert(0, '_');
    }
    let name = if name == "_" { &name } else { name.trim_end_matches('_') };
    single_underscores(name.chars())
}

/// Replaces each run of characters that are not ASCII letters, digits of any script, or underscores
/// by one underscore.
fn alphanumeric(chars: impl Iterator<Item = char>) -> String {
    let mut name = String::new();
    let mut in_run = false;
    for c in chars {
        let keep = c.is_ascii_alphabetic() || c == '_' || digit(c).is_some();
        if keep {
            name.push(c);
        } else if !in_run {
            name.push('_');
        }
        in_run = !keep;
    }
    name
}

/// Replaces each run of underscores by one.
fn single_underscores(chars: impl Iterator<Item = char>) -> String {
    let mut name = String::new();
    for c in chars {
        if c != '_' || !name.ends_with('_') {
            name.push(c);
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMINGS: [Naming; 5] =
        [Naming::SnakeCase, Naming::SqlCs, Naming::SqlCi, Naming::DuckCase, Naming::Direct];

    fn corpus(file: &str) -> Vec<serde_json::Value> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/conformance/corpus/");
        serde_json::from_str(&std::fs::read_to_string(format!("{folder}{file}")).unwrap()).unwrap()
    }

    #[test]
    fn normalizes_identifiers_as_dlt() {
        let mut checked = 0;
        let mut wrong = 0;
        for case in corpus("naming.json") {
            let input = case["in"].as_str().unwrap();
            let mut check = |key: &str, found: String| {
                // dlt rejects a blank identifier; its name is empty here.
                let expect = match &case[key] {
                    serde_json::Value::Object(error) if error.contains_key("$err") => "",
                    text => text.as_str().unwrap(),
                };
                checked += 1;
                if found != expect {
                    wrong += 1;
                    println!("{input:?} {key}: expected {expect:?}, found {found:?}");
                }
            };
            for naming in NAMINGS {
                let name = naming.name();
                let free = Convention { naming, max_length: 0 };
                let tight = Convention { naming, max_length: 40 };
                check(name, free.normalize_identifier(input));
                check(&format!("{name}_40"), tight.normalize_identifier(input));
            }
            let snake = |max_length| Convention { naming: Naming::SnakeCase, max_length };
            check("snake_path", snake(0).normalize_path(input));
            check("snake_path_40", snake(40).normalize_path(input));
            check("snake_tables_path_255", snake(255).normalize_path(input));
        }
        assert!(wrong == 0 && checked > 5000, "{wrong} of {checked} differ");
    }

    #[test]
    fn shortens_paths_as_dlt() {
        let corpus = corpus("shorten.json");
        let mut wrong = 0;
        for case in &corpus {
            let max_length = case["max"].as_u64().unwrap() as usize;
            let fragments = case["fragments"].as_array().unwrap();
            let fragments: Vec<&str> = fragments.iter().map(|f| f.as_str().unwrap()).collect();
            let convention = Convention { naming: Naming::SnakeCase, max_length };
            let found = convention.shorten_fragments(&fragments);
            if case["out"] != found.as_str() {
                wrong += 1;
                println!("{case}: found {found:?}");
            }
        }
        assert!(wrong == 0 && corpus.len() > 500, "{wrong} of {} differ", corpus.len());
    }

    #[test]
    fn keys() {
        let check = |naming, key, expect| {
            assert_eq!(Convention { naming, max_length: 255 }.norm(key), expect, "{key:?}");
        };
        check(Naming::SnakeCase, "", "_empty");
        check(Naming::SnakeCase, "\u{1c} \u{a0}", "_empty");
        check(Naming::SnakeCase, "__", "");
        check(Naming::SnakeCase, "__a__ __bC__", "a__b_c");
        check(Naming::SnakeCase, "a___b", "a___b");
        check(Naming::SnakeCase, "HTTPServer2Go", "http_server2_go");
        check(Naming::SqlCs, "_", "_");
        check(Naming::Direct, "a__b", "a__b");
        check(Naming::Direct, "a▶▶b", "a▶b");
        check(Naming::DuckCase, "Straße \n\"x\"__y", "Straße _x___y");
    }

    #[test]
    fn blank_fragments_are_dropped() {
        let snake = Convention { naming: Naming::SnakeCase, max_length: 0 };
        assert_eq!(snake.shorten_fragments(&["a", "", " ", "b"]), "a__b");
        assert_eq!(snake.shorten_fragments(&[]), "");
        let direct = Convention { naming: Naming::Direct, max_length: 0 };
        assert_eq!(direct.shorten_fragments(&["a", "b"]), "a▶b");
    }

    /// The limit counts characters, and holds even if the tag alone is longer.
    #[test]
    fn limits() {
        for max_length in 1..40 {
            let convention = Convention { naming: Naming::Direct, max_length };
            for text in ["a", "日本語日本語日本語日本語", &"é".repeat(100)] {
                let name = convention.normalize_identifier(text);
                let expect = text.chars().count().min(max_length);
                assert_eq!(name.chars().count(), expect, "{max_length} {text}");
                assert_eq!(name == text, text.chars().count() <= max_length);
            }
        }
    }

    #[test]
    fn identifiers_in_snowflake() {
        let check = |naming, expect| {
            assert_eq!(Convention { naming, max_length: 255 }.fold("aBc_ß"), expect);
        };
        check(Naming::SnakeCase, "ABC_SS");
        check(Naming::SqlCi, "ABC_SS");
        check(Naming::SqlCs, "aBc_ß");
        check(Naming::DuckCase, "aBc_ß");
        check(Naming::Direct, "aBc_ß");
    }
}
