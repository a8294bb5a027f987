//! Paths into JSON as in mappings: names, indexes, wildcards, descent, and filters.
//!
//! A filter on an object tests the object itself, on an array each element.

use regex_lite::Regex;
use serde_json::Value;

/// A parsed path.
#[derive(Clone, Debug)]
pub(crate) struct JsonPath {
    steps: Vec<PathStep>,
}

#[derive(Clone, Debug)]
enum PathStep {
    Names(Vec<String>),
    Indexes(Vec<i64>),
    Slice(Option<i64>, Option<i64>),
    All,
    Descend,
    Filter(Condition),
    Length,
}

#[derive(Clone, Debug)]
enum Condition {
    Any(Vec<Condition>),
    All(Vec<Condition>),
    Not(Box<Condition>),
    Exists(Operand),
    Compare(Operand, Comparison, Operand),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Like,
    In,
    NotIn,
    Contains,
}

#[derive(Clone, Debug)]
enum Operand {
    /// From the element that is filtered.
    Here(JsonPath),
    /// From the root of the document.
    Root(JsonPath),
    Literal(Value),
    Pattern(Regex),
}

impl JsonPath {
    /// Parses a path that starts with `$`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { rest: text.trim(), whole: text };
        if !parser.take("$") {
            return Err(parser.expected("'$' at the start"));
        }
        let steps = parser.steps()?;
        if parser.rest.is_empty() { Ok(Self { steps }) } else { Err(parser.expected("'.' or '['")) }
    }

    /// Returns `true` if the path can select more than one value.
    pub(crate) fn is_indefinite(&self) -> bool {
        self.steps.iter().any(|step| match step {
            PathStep::Names(names) => names.len() > 1,
            PathStep::Indexes(indexes) => indexes.len() > 1,
            PathStep::Length => false,
            PathStep::All | PathStep::Descend | PathStep::Filter(_) | PathStep::Slice(..) => true,
        })
    }

    /// The selected values, in the document's order.
    pub(crate) fn select(&self, document: &Value) -> Vec<Value> {
        self.select_from(document, document)
    }

    fn select_from(&self, start: &Value, root: &Value) -> Vec<Value> {
        let mut found = vec![start.clone()];
        for step in &self.steps {
            found = found.iter().flat_map(|value| step.apply(value, root)).collect();
        }
        found
    }
}

impl PathStep {
    fn apply(&self, value: &Value, root: &Value) -> Vec<Value> {
        match self {
            Self::Names(names) => {
                names.iter().filter_map(|name| value.as_object()?.get(name)).cloned().collect()
            }
            Self::Indexes(indexes) => indexes
                .iter()
                .filter_map(|index| element(value.as_array()?, *index))
                .cloned()
                .collect(),
            Self::Slice(from, to) => {
                let Some(items) = value.as_array() else { return Vec::new() };
                let at = |index: i64| if index < 0 { index + items.len() as i64 } else { index };
                let from = at(from.unwrap_or(0)).max(0) as usize;
                let to = to.map_or(items.len(), |to| at(to).max(0) as usize);
                items.iter().take(to).skip(from).cloned().collect()
            }
            Self::All => children(value),
            Self::Descend => descendants(value),
            Self::Filter(condition) => match value {
                Value::Array(items) => {
                    items.iter().filter(|item| condition.holds(item, root)).cloned().collect()
                }
                value if condition.holds(value, root) => vec![value.clone()],
                _ => Vec::new(),
            },
            Self::Length => match value {
                Value::Array(items) => vec![items.len().into()],
                Value::Object(members) => vec![members.len().into()],
                Value::String(text) => vec![text.chars().count().into()],
                _ => Vec::new(),
            },
        }
    }
}

fn element(items: &[Value], index: i64) -> Option<&Value> {
    let index = if index < 0 { index + items.len() as i64 } else { index };
    items.get(usize::try_from(index).ok()?)
}

fn children(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        Value::Object(members) => members.values().cloned().collect(),
        _ => Vec::new(),
    }
}

/// The value and all values inside it.
fn descendants(value: &Value) -> Vec<Value> {
    let mut found = vec![value.clone()];
    found.extend(children(value).iter().flat_map(descendants));
    found
}

impl Condition {
    fn holds(&self, here: &Value, root: &Value) -> bool {
        match self {
            Self::Any(parts) => parts.iter().any(|part| part.holds(here, root)),
            Self::All(parts) => parts.iter().all(|part| part.holds(here, root)),
            Self::Not(part) => !part.holds(here, root),
            Self::Exists(operand) => match operand {
                Operand::Literal(value) => value == &Value::Bool(true),
                operand => operand.value(here, root).is_some(),
            },
            Self::Compare(left, comparison, right) => {
                if let (Some(left), Operand::Pattern(pattern)) = (left.value(here, root), right) {
                    let text = left.as_str().map_or_else(|| left.to_string(), str::to_owned);
                    return *comparison == Comparison::Like && pattern.is_match(&text);
                }
                comparison.holds(left.value(here, root).as_ref(), right.value(here, root).as_ref())
            }
        }
    }
}

impl Operand {
    fn value(&self, here: &Value, root: &Value) -> Option<Value> {
        let (path, start) = match self {
            Self::Here(path) => (path, here),
            Self::Root(path) => (path, root),
            Self::Literal(value) => return Some(value.clone()),
            Self::Pattern(_) => return None,
        };
        let mut found = path.select_from(start, root);
        if path.is_indefinite() {
            return (!found.is_empty()).then_some(Value::Array(found));
        }
        found.pop()
    }
}

impl Comparison {
    fn holds(self, left: Option<&Value>, right: Option<&Value>) -> bool {
        let (Some(left), Some(right)) = (left, right) else {
            return self == Self::NotEqual && left.is_some() != right.is_some();
        };
        let order = || match (left, right) {
            (Value::String(left), Value::String(right)) => left.partial_cmp(right),
            (left, right) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        };
        match self {
            Self::Equal => equal(left, right),
            Self::NotEqual => !equal(left, right),
            Self::Less => order().is_some_and(std::cmp::Ordering::is_lt),
            Self::AtMost => order().is_some_and(std::cmp::Ordering::is_le),
            Self::Greater => order().is_some_and(std::cmp::Ordering::is_gt),
            Self::AtLeast => order().is_some_and(std::cmp::Ordering::is_ge),
            Self::Like => false,
            Self::In => children(right).iter().any(|item| equal(left, item)),
            Self::NotIn => !children(right).iter().any(|item| equal(left, item)),
            Self::Contains => match left {
                Value::String(left) => right.as_str().is_some_and(|right| left.contains(right)),
                left => children(left).iter().any(|item| equal(item, right)),
            },
        }
    }
}

/// Equality with equal numbers 1 and 1.0.
fn equal(left: &Value, right: &Value) -> bool {
    left == right || (left.is_number() && right.is_number() && left.as_f64() == right.as_f64())
}

struct Parser<'a> {
    rest: &'a str,
    whole: &'a str,
}

impl<'a> Parser<'a> {
    fn expected(&self, what: &str) -> String {
        let at = self.whole.len().saturating_sub(self.rest.len());
        format!("JSON path {:?}: expected {what} at byte {at}, found {:?}", self.whole, self.rest)
    }

    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn need(&mut self, token: &str) -> Result<(), String> {
        self.skip_spaces();
        if self.take(token) { Ok(()) } else { Err(self.expected(&format!("'{token}'"))) }
    }

    /// The longest prefix of characters that a test accepts.
    fn take_while(&mut self, accepts: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c: char| !accepts(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn steps(&mut self) -> Result<Vec<PathStep>, String> {
        let mut steps = Vec::new();
        loop {
            if self.take("..") {
                steps.push(PathStep::Descend);
                if !self.rest.starts_with('[') {
                    steps.push(self.name()?);
                }
            } else if self.take(".") {
                steps.push(self.name()?);
            } else if self.take("[") {
                steps.push(self.bracket()?);
            } else {
                return Ok(steps);
            }
        }
    }

    fn name(&mut self) -> Result<PathStep, String> {
        if self.take("*") {
            return Ok(PathStep::All);
        }
        if self.take("length()") || self.take("size()") {
            return Ok(PathStep::Length);
        }
        let name = self.take_while(|c| c.is_alphanumeric() || "_-$:".contains(c));
        if name.is_empty() {
            return Err(self.expected("a name"));
        }
        if self.rest.starts_with('(') {
            return Err(self.expected("a path without functions other than length() and size()"));
        }
        Ok(PathStep::Names(vec![name.to_owned()]))
    }

    fn bracket(&mut self) -> Result<PathStep, String> {
        self.skip_spaces();
        let step = if self.take("*") {
            PathStep::All
        } else if self.take("?(") {
            let condition = self.condition()?;
            self.need(")")?;
            PathStep::Filter(condition)
        } else if self.rest.starts_with(['\'', '"']) {
            let mut names = vec![self.quoted()?];
            self.skip_spaces();
            while self.take(",") {
                self.skip_spaces();
                names.push(self.quoted()?);
                self.skip_spaces();
            }
            PathStep::Names(names)
        } else {
            let text = self.take_while(|c| c != ']');
            indexes(text).ok_or_else(|| self.expected("an index, a name or a filter"))?
        };
        self.need("]")?;
        Ok(step)
    }

    fn quoted(&mut self) -> Result<String, String> {
        let Some(quote) = self.rest.chars().next().filter(|c| "'\"".contains(*c)) else {
            return Err(self.expected("a quoted string"));
        };
        let mut text = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, c)) = characters.next() {
            if c == quote {
                self.rest = self.rest.get(at + 1..).unwrap_or_default();
                return Ok(text);
            }
            let c = if c == '\\' { characters.next().map_or(c, |(_, c)| c) } else { c };
            text.push(c);
        }
        Err(self.expected("the end of a quoted string"))
    }

    fn condition(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.conjunction()?];
        while self.take("||") {
            parts.push(self.conjunction()?);
        }
        Ok(Condition::Any(parts))
    }

    fn conjunction(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.term()?];
        while self.take("&&") {
            parts.push(self.term()?);
        }
        Ok(Condition::All(parts))
    }

    fn term(&mut self) -> Result<Condition, String> {
        self.skip_spaces();
        let condition = if self.take("!") {
            Condition::Not(Box::new(self.term()?))
        } else if self.take("(") {
            let inner = self.condition()?;
            self.need(")")?;
            inner
        } else {
            let left = self.operand()?;
            match self.comparison() {
                Some(comparison) => Condition::Compare(left, comparison, self.operand()?),
                None => Condition::Exists(left),
            }
        };
        self.skip_spaces();
        Ok(condition)
    }

    fn comparison(&mut self) -> Option<Comparison> {
        const COMPARISONS: &[(&str, Comparison)] = &[
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
            ("=~", Comparison::Like),
            ("in ", Comparison::In),
            ("nin ", Comparison::NotIn),
            ("contains ", Comparison::Contains),
        ];
        self.skip_spaces();
        COMPARISONS.iter().find(|(token, _)| self.take(token)).map(|(_, comparison)| *comparison)
    }

    fn operand(&mut self) -> Result<Operand, String> {
        self.skip_spaces();
        if self.take("@") {
            return Ok(Operand::Here(JsonPath { steps: self.steps()? }));
        }
        if self.take("$") {
            return Ok(Operand::Root(JsonPath { steps: self.steps()? }));
        }
        if self.rest.starts_with(['\'', '"']) {
            return Ok(Operand::Literal(self.quoted()?.into()));
        }
        if self.take("/") {
            let pattern = self.take_while(|c| c != '/');
            self.need("/")?;
            let flags = if self.take("i") { "(?i)" } else { "" };
            let pattern = format!("{flags}^(?:{pattern})$");
            return Regex::new(&pattern).map(Operand::Pattern).map_err(|error| error.to_string());
        }
        if self.take("[") {
            let mut items = Vec::new();
            self.skip_spaces();
            while !self.take("]") {
                let Operand::Literal(item) = self.operand()? else {
                    return Err(self.expected("a list of literals"));
                };
                items.push(item);
                self.skip_spaces();
                self.take(",");
                self.skip_spaces();
            }
            return Ok(Operand::Literal(Value::Array(items)));
        }
        let word = self.take_while(|c| c.is_alphanumeric() || "+-.".contains(c));
        serde_json::from_str(word).map(Operand::Literal).map_err(|_| self.expected("an operand"))
    }
}

fn indexes(text: &str) -> Option<PathStep> {
    let number = |text: &str| text.trim().parse::<i64>().ok();
    if let Some((from, to)) = text.split_once(':') {
        let bound = |text: &str| match text.trim() {
            "" => Some(None),
            text => number(text).map(Some),
        };
        return Some(PathStep::Slice(bound(from)?, bound(to)?));
    }
    text.split(',').map(number).collect::<Option<Vec<_>>>().map(PathStep::Indexes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_selected() {
        let document = json!({
            "data": {"NAME": "ann", "AGE": 7, "none": null, "odd key": 1},
            "items": [{"id": 1, "tag": "a"}, {"id": 2}, {"id": 3, "tag": "b"}],
        });
        let check = |path: &str, expect: Value| {
            let found = JsonPath::parse(path).unwrap().select(&document);
            assert_eq!(Value::Array(found), expect, "{path}");
        };
        check("$.data.NAME", json!(["ann"]));
        check("$.data['odd key']", json!([1]));
        check("$['data'][\"NAME\",'AGE']", json!(["ann", 7]));
        check("$.data.missing", json!([]));
        check("$.data.none", json!([null]));
        check("$.items[0].id", json!([1]));
        check("$.items[-1].id", json!([3]));
        check("$.items[0,2].id", json!([1, 3]));
        check("$.items[1:].id", json!([2, 3]));
        check("$.items[:-2].id", json!([1]));
        check("$.items[*].id", json!([1, 2, 3]));
        check("$..tag", json!(["a", "b"]));
        check("$.items.length()", json!([3]));
        check("$.items[?(@.tag)].id", json!([1, 3]));
        check("$.items[?(!@.tag)].id", json!([2]));
        check("$.items[?(@.id >= 2 && @.tag == 'b')].id", json!([3]));
        check("$.items[?(@.id < 2 || @.tag == \"b\")].id", json!([1, 3]));
        check("$.items[?(@.tag in ['b', 'c'])].id", json!([3]));
        check("$.items[?(@.tag =~ /A/i)].id", json!([1]));
        check("$.items[?(@.id == $.items[1].id)].id", json!([2]));
        check("$.data[?(@.NAME == 'ann')].AGE", json!([7]));
        check("$.data[?(@.NAME == 'bob')].AGE", json!([]));
        check("$.data[?(@.NAME == 'ann' && !@.TOKEN)].AGE", json!([7]));
        check("$.data[?(@.AGE == 7.0)].NAME", json!(["ann"]));
        check("$.data[?(@.missing != 'x')].AGE", json!([7]));
    }

    #[test]
    fn invalid_paths_are_errors() {
        let check = |path: &str, expect: &str| {
            let error = JsonPath::parse(path).unwrap_err();
            assert!(error.contains(expect), "{path}: {error}");
        };
        check("data", "expected '$' at the start at byte 0");
        check("$.", "expected a name at byte 2");
        check("$.a[", "expected an index, a name or a filter");
        check("$.a[?(@.b == )]", "expected an operand");
        check("$.a[?(@.b == 'x)]", "expected the end of a quoted string");
        check("$.a.sum()", "without functions");
        check("$.a b", "expected '.' or '['");
    }
}
