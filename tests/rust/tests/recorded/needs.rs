//! What a mapping needs of a request, in a form from which a request can be made.

use serde_json::Value;
use snowcat_tests::recorded::{RequestPattern, ValuePattern, example};

/// What one member of a body must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Is(String),
    Contains(String),
    Matches(String),
    Present,
    Absent,
}

/// What a body must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Members by their path, such as `data.TOKEN`.
    members: Vec<(String, Need)>,
    /// Parts of the whole body.
    parts: Vec<String>,
}

impl Needs {
    pub(crate) fn of(request: &RequestPattern) -> Self {
        let mut needs = Self::default();
        for pattern in &request.body {
            needs.add(pattern);
        }
        needs
    }

    fn add(&mut self, pattern: &ValuePattern) {
        match pattern {
            ValuePattern::EqualToJson(json) => self.add_document("", &json.expected),
            ValuePattern::Contains(part) => self.parts.push(part.clone()),
            ValuePattern::And(patterns) => patterns.iter().for_each(|it| self.add(it)),
            ValuePattern::JsonPath(path) => {
                let member = path.text.trim_start_matches("$.").to_owned();
                let value = path.value.as_deref().or(path.beside.as_deref());
                let need = value.map_or(Some(Need::Present), need);
                match (path.text.split_once("[?("), need) {
                    (Some((start, filter)), _) => {
                        let start = start.trim_start_matches('$').trim_start_matches('.');
                        self.add_filter(start, filter);
                    }
                    (None, Some(need)) => self.members.push((member, need)),
                    (None, None) => {}
                }
            }
            _ => {}
        }
    }

    fn add_document(&mut self, path: &str, value: &Value) {
        let Some(object) = value.as_object() else {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let need = if text.contains("{json-unit.") { Need::Present } else { Need::Is(text) };
            self.members.push((path.to_owned(), need));
            return;
        };
        for (name, value) in object {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            self.add_document(&path, value);
        }
    }

    /// Adds the terms of a filter: `@.NAME == 'x' && !@.TOKEN`.
    fn add_filter(&mut self, start: &str, filter: &str) {
        for term in filter.trim_end_matches(")]").split("&&") {
            let (term, absent) = match term.trim().strip_prefix('!') {
                Some(term) => (term, true),
                None => (term.trim(), false),
            };
            let Some(rest) = term.strip_prefix("@.") else { continue };
            let (name, like) = rest.split_once("=~").unwrap_or((rest, ""));
            let (name, value) = name.split_once("==").unwrap_or((name, ""));
            let value = value.trim().trim_matches(['\'', '"', ')']);
            let member = if start.is_empty() {
                name.trim().to_owned()
            } else {
                format!("{start}.{}", name.trim())
            };
            let expression = like.trim().strip_prefix('/').and_then(|it| it.rsplit_once('/'));
            let need = match value {
                "" if expression.is_some() => {
                    Need::Matches(expression.unwrap_or_default().0.to_owned())
                }
                "" if absent => Need::Absent,
                "" => Need::Present,
                value => Need::Is(value.to_owned()),
            };
            self.members.push((member, need));
        }
    }

    /// Returns `true` if something must be below a path.
    pub(crate) fn has_below(&self, path: &str) -> bool {
        let below = |member: &str| member.strip_prefix(path).is_some_and(|it| it.starts_with('.'));
        self.members.iter().any(|(member, need)| below(member) && *need != Need::Absent)
    }

    /// What a member must be.
    pub(crate) fn member(&self, path: &str) -> Option<&Need> {
        self.all(path).next()
    }

    /// The text that a member must be.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.all(path).find_map(|need| match need {
            Need::Is(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// A text that a member can be. None when it needs to be nothing.
    pub(crate) fn example(&self, path: &str) -> Option<String> {
        self.all(path).find_map(|need| match need {
            Need::Is(text) | Need::Contains(text) => Some(text.clone()),
            Need::Matches(text) => Some(example(text)),
            Need::Present | Need::Absent => None,
        })
    }

    fn all(&self, path: &str) -> impl Iterator<Item = &Need> {
        self.members.iter().filter(move |(member, _)| member == path).map(|(_, need)| need)
    }

    /// A statement that meets the needs. None when there is no simple one.
    pub(crate) fn statement(&self) -> Option<String> {
        let mut words: Vec<&str> = Vec::new();
        for need in self.all("sqlText") {
            match need {
                Need::Is(text) => return Some(text.clone()),
                Need::Contains(text) => words.push(text),
                Need::Matches(text)
                    if text.chars().all(|c| c.is_alphanumeric() || " .*".contains(c)) =>
                {
                    words.push(text.trim_matches(['.', '*']));
                }
                Need::Matches(_) => return None,
                Need::Present | Need::Absent => {}
            }
        }
        // Parts of a body that are JSON are no SQL.
        words.extend(self.parts.iter().map(String::as_str).filter(|it| !it.contains(['"', '{'])));
        if words.is_empty() { Some("SELECT 1".to_owned()) } else { Some(words.join(" ")) }
    }
}

fn need(pattern: &ValuePattern) -> Option<Need> {
    match pattern {
        ValuePattern::EqualTo { text, .. } => Some(Need::Is(text.clone())),
        ValuePattern::Contains(text) => Some(Need::Contains(text.clone())),
        ValuePattern::Matches(whole) => Some(Need::Matches(whole.text.clone())),
        ValuePattern::EqualToJson(json) => json.expected.as_str().map(|it| Need::Is(it.to_owned())),
        ValuePattern::Absent => Some(Need::Absent),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use snowcat_tests::recorded::Mapping;

    fn needs(patterns: Value) -> Needs {
        let mapping = json!({"request": {"bodyPatterns": patterns}, "response": {}});
        Needs::of(&Mapping::parse_all(&mapping).unwrap()[0].request)
    }

    #[test]
    fn members_are_found() {
        let check = |pattern: Value, path: &str, expect: Option<Need>| {
            assert_eq!(needs(json!([pattern])).member(path), expect.as_ref(), "{pattern}");
        };
        let is = |text: &str| Some(Need::Is(text.to_owned()));
        let json = json!({"equalToJson": {"data": {"TOKEN": "t", "n": 1}}});
        check(json.clone(), "data.TOKEN", is("t"));
        check(json.clone(), "data.n", is("1"));
        check(json, "data.PASSWORD", None);
        let filter = |filter: &str| json!({"matchesJsonPath": filter});
        check(filter("$.data[?(@.TOKEN == 't' && !@.PASSWORD)]"), "data.TOKEN", is("t"));
        check(filter("$.data[?(@.TOKEN == 't' && !@.A)]"), "data.A", Some(Need::Absent));
        check(filter("$.data[?(@.TOKEN == 't' && @.A)]"), "data.A", Some(Need::Present));
        check(filter("$[?(@.data.TOKEN==\"t\")]"), "data.TOKEN", is("t"));
        check(filter("$[?(@.a =~ /B .*/i)]"), "a", Some(Need::Matches("B .*".to_owned())));
        check(filter("$.data.TOKEN"), "data.TOKEN", Some(Need::Present));
        let beside = json!({"matchesJsonPath": "$.data.A", "equalToJson": "\"t\""});
        check(beside, "data.A", is("t"));
        let inner = json!({"matchesJsonPath": {"expression": "$.data.A", "absent": "(absent)"}});
        check(inner, "data.A", Some(Need::Absent));
    }

    #[test]
    fn a_statement_meets_the_needs() {
        let check = |patterns: Value, expect: Option<&str>| {
            assert_eq!(needs(patterns.clone()).statement().as_deref(), expect, "{patterns}");
        };
        let sql = |operator: &str, text: &str| json!({"matchesJsonPath": {"expression": "$.sqlText", operator: text}});
        check(json!([]), Some("SELECT 1"));
        check(json!([sql("contains", "PUT"), sql("contains", "@S")]), Some("PUT @S"));
        check(json!([sql("equalTo", "SELECT 2")]), Some("SELECT 2"));
        check(json!([sql("matches", "SELECT.*")]), Some("SELECT"));
        check(json!([sql("matches", "\\s*(COMMIT|ROLLBACK)")]), None);
        check(json!([{"contains": "SELECT 3"}]), Some("SELECT 3"));
        check(json!([{"contains": "\"sqlText\""}]), Some("SELECT 1"));
        check(json!([{"equalToJson": {"sqlText": "SELECT 4"}}]), Some("SELECT 4"));
    }
}
