//! The part of Jira's query language that loads use: comparisons joined by AND, and an order.
//!
//! As in the real language, times are in the account's time zone with a precision of minutes, and a
//! query without restrictions is rejected.

use std::cmp::Ordering;

use crate::generators::jira::{Outline, PROJECTS};
use crate::generators::parse_jql_time;

/// A query.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Query {
    conditions: Vec<JqlCondition>,
    order: Vec<(Field, Direction)>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum JqlCondition {
    Compare(Field, Operator, i64),
    Projects(Vec<usize>),
    AnyProject,
}

/// A field by which issues are compared and sorted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Field {
    Created,
    Id,
    Updated,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Direction {
    Down,
    Up,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Operator {
    At,
    AtLeast,
    AtMost,
    Above,
    Below,
}

impl Query {
    /// Parses a query. The error is that of Jira.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let tokens = tokens(text)?;
        let mut tokens = Tokens { tokens: &tokens };
        let mut conditions = Vec::new();
        while !tokens.is_done() && !tokens.keyword("order") {
            if !conditions.is_empty() {
                tokens.expect("and")?;
            }
            conditions.push(tokens.condition()?);
        }
        let order = tokens.order()?;
        if conditions.is_empty() {
            return Err(
                "Unbounded JQL queries are not allowed here. Please add a search restriction \
                        to your query."
                    .to_owned(),
            );
        }
        Ok(Self { conditions, order })
    }

    /// Returns `true` if the query matches an issue.
    pub(super) fn matches(&self, issue: &Outline) -> bool {
        self.conditions.iter().all(|condition| match condition {
            JqlCondition::AnyProject => true,
            JqlCondition::Projects(projects) => projects.contains(&issue.project),
            JqlCondition::Compare(field, operator, value) => {
                operator.holds(field.of(issue).cmp(value))
            }
        })
    }

    /// The key by which issues are sorted, ascending. The id is last, so the order is total.
    pub(super) fn sort_key(&self, issue: &Outline) -> Vec<i64> {
        let key = self.order.iter().map(|&(field, direction)| match direction {
            Direction::Up => field.of(issue),
            Direction::Down => -field.of(issue),
        });
        key.chain([issue.id as i64]).collect()
    }
}

impl Field {
    fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "created" | "createddate" => Some(Self::Created),
            "id" | "issue" | "issuekey" | "key" => Some(Self::Id),
            "updated" | "updateddate" => Some(Self::Updated),
            _ => None,
        }
    }

    const fn of(self, issue: &Outline) -> i64 {
        match self {
            Self::Created => issue.created,
            Self::Id => issue.id as i64,
            Self::Updated => issue.updated,
        }
    }
}

impl Operator {
    fn named(name: &str) -> Option<Self> {
        match name {
            "=" => Some(Self::At),
            ">=" => Some(Self::AtLeast),
            "<=" => Some(Self::AtMost),
            ">" => Some(Self::Above),
            "<" => Some(Self::Below),
            _ => None,
        }
    }

    const fn holds(self, found: Ordering) -> bool {
        match self {
            Self::At => found.is_eq(),
            Self::AtLeast => found.is_ge(),
            Self::AtMost => found.is_le(),
            Self::Above => found.is_gt(),
            Self::Below => found.is_lt(),
        }
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Token {
    /// `=`, `>=`, ..., a parenthesis or a comma.
    Mark(String),
    /// A quoted string.
    Quoted(String),
    /// Anything else.
    Word(String),
}

struct Tokens<'a> {
    tokens: &'a [Token],
}

impl Tokens<'_> {
    const fn is_done(&self) -> bool {
        self.tokens.is_empty()
    }

    fn keyword(&self, word: &str) -> bool {
        matches!(self.tokens.first(), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word))
    }

    fn take(&mut self) -> Result<Token, String> {
        let (first, rest) = self
            .tokens
            .split_first()
            .ok_or("Error in the JQL Query: the query ends where more was expected.")?;
        self.tokens = rest;
        Ok(first.clone())
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        if self.keyword(word) {
            self.take().map(drop)
        } else {
            Err(format!(
                "Error in the JQL Query: Expecting '{}' but got '{}'.",
                word.to_ascii_uppercase(),
                self.tokens.first().map_or("", Token::text)
            ))
        }
    }

    fn condition(&mut self) -> Result<JqlCondition, String> {
        let name = self.take()?;
        if name.text().eq_ignore_ascii_case("project") {
            return self.project();
        }
        let field = Field::named(name.text()).ok_or_else(|| {
            format!(
                "Field '{}' does not exist or you do not have permission to view it.",
                name.text()
            )
        })?;
        let operator = self.take()?;
        let operator = Operator::named(operator.text()).ok_or_else(|| {
            format!(
                "Error in the JQL Query: the operator '{}' is not supported by the '{}' field.",
                operator.text(),
                name.text()
            )
        })?;
        let value = self.take()?;
        Ok(JqlCondition::Compare(field, operator, value_of(field, name.text(), value.text())?))
    }

    fn project(&mut self) -> Result<JqlCondition, String> {
        if self.keyword("is") {
            self.take()?;
            self.expect("not")?;
            return match self.take()? {
                Token::Word(word)
                    if word.eq_ignore_ascii_case("empty") || word.eq_ignore_ascii_case("null") =>
                {
                    Ok(JqlCondition::AnyProject)
                }
                other => Err(format!(
                    "Error in the JQL Query: Expecting 'EMPTY' but got '{}'.",
                    other.text()
                )),
            };
        }
        let mut projects = Vec::new();
        if self.keyword("in") {
            self.take()?;
            self.mark("(")?;
            loop {
                projects.push(project_of(self.take()?.text())?);
                if self.mark(",").is_err() {
                    break;
                }
            }
            self.mark(")")?;
        } else {
            self.mark("=")?;
            projects.push(project_of(self.take()?.text())?);
        }
        Ok(JqlCondition::Projects(projects))
    }

    fn mark(&mut self, mark: &str) -> Result<(), String> {
        match self.tokens.first() {
            Some(Token::Mark(found)) if found == mark => self.take().map(drop),
            other => Err(format!(
                "Error in the JQL Query: Expecting '{mark}' but got '{}'.",
                other.map_or("", Token::text)
            )),
        }
    }

    /// The default order is from the newest issue to the oldest.
    fn order(&mut self) -> Result<Vec<(Field, Direction)>, String> {
        if self.is_done() {
            return Ok(vec![(Field::Id, Direction::Down)]);
        }
        self.expect("order")?;
        self.expect("by")?;
        let mut order = Vec::new();
        loop {
            let name = self.take()?;
            let field = Field::named(name.text())
                .ok_or_else(|| format!("Not able to sort using field '{}'.", name.text()))?;
            let direction = if self.keyword("desc") { Direction::Down } else { Direction::Up };
            if self.keyword("asc") || self.keyword("desc") {
                self.take()?;
            }
            order.push((field, direction));
            if self.is_done() {
                return Ok(order);
            }
            self.mark(",")?;
        }
    }
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Mark(text) | Self::Quoted(text) | Self::Word(text) => text,
        }
    }
}

fn value_of(field: Field, name: &str, text: &str) -> Result<i64, String> {
    if field == Field::Id {
        let digits = text.rsplit_once('-').map_or(text, |(_, number)| number);
        return digits
            .parse()
            .map_err(|_| format!("An issue with key '{text}' does not exist for field '{name}'."));
    }
    parse_jql_time(text).ok_or_else(|| {
        format!(
            "Date value '{text}' for field '{name}' is invalid. Valid formats include: \
             'yyyy/MM/dd HH:mm', 'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd'."
        )
    })
}

fn project_of(key: &str) -> Result<usize, String> {
    PROJECTS
        .iter()
        .position(|project| {
            project.key.eq_ignore_ascii_case(key) || project.name.eq_ignore_ascii_case(key)
        })
        .ok_or_else(|| format!("The value '{key}' does not exist for the field 'project'."))
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '"' | '\'' => {
                let inner = rest.get(1..).unwrap_or_default();
                let end = inner.find(first).ok_or_else(|| {
                    format!(
                        "Error in the JQL Query: The quoted string {rest} has not been completed."
                    )
                })?;
                (Token::Quoted(inner.get(..end).unwrap_or_default().to_owned()), end + 2)
            }
            '(' | ')' | ',' | '=' => (Token::Mark(first.to_string()), 1),
            '<' | '>' | '!' => {
                let length = if rest.get(1..2) == Some("=") { 2 } else { 1 };
                (Token::Mark(rest.get(..length).unwrap_or_default().to_owned()), length)
            }
            _ => {
                let ends = |c: char| c.is_whitespace() || "\"'(),=<>!".contains(c);
                let length = rest.find(ends).unwrap_or(rest.len());
                (Token::Word(rest.get(..length).unwrap_or_default().to_owned()), length)
            }
        };
        tokens.push(token);
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generators::jira::outline;
    use crate::generators::parse_time;

    fn found(jql: &str) -> Vec<Outline> {
        let query = Query::parse(jql).unwrap();
        let mut issues = (0..500).map(|index| outline(1, index)).collect::<Vec<_>>();
        issues.retain(|issue| query.matches(issue));
        issues.sort_by_key(|issue| query.sort_key(issue));
        issues
    }

    #[test]
    fn queries_of_loads_are_supported() {
        let since = parse_time("2026-06-01T00:00:00+02:00").unwrap();
        let expected = (0..500).filter(|&index| outline(1, index).updated >= since).count();
        assert!((100..400).contains(&expected));
        for jql in [
            r#"updated >= "2026-06-01 00:00""#,
            r#"project is not EMPTY AND updated >= "2026-06-01""#,
            r#"project IS NOT empty and updated>='2026/06/01 00:00' order by updated"#,
            "updated >= 2026-06-01 ORDER BY updated DESC, id ASC",
        ] {
            assert_eq!(found(jql).len(), expected, "{jql}");
        }
        assert_eq!(found("project is not EMPTY").len(), 500);
        assert!(found("project = PLAT").iter().all(|issue| issue.key.starts_with("PLAT-")));
        assert_eq!(
            found("project in (plat, \"Data & Analytics\")").len(),
            found("project = PLAT").len() + found("project = DATA").len()
        );
    }

    #[test]
    fn issues_are_in_the_requested_order() {
        fn check(jql: &str, sorted: fn(&Outline, &Outline) -> bool) {
            assert!(found(jql).is_sorted_by(sorted), "{jql}");
        }
        check("id > 0", |a, b| a.id > b.id);
        check("id > 0 ORDER BY id", |a, b| a.id < b.id);
        check("id > 0 ORDER BY updated", |a, b| (a.updated, a.id) < (b.updated, b.id));
        check("id > 0 ORDER BY updated ASC", |a, b| (a.updated, a.id) < (b.updated, b.id));
        check("id > 0 ORDER BY updated DESC", |a, b| (-a.updated, a.id) < (-b.updated, b.id));
    }

    #[test]
    fn queries_that_jira_rejects_are_rejected() {
        for (jql, says) in [
            ("", "Unbounded"),
            ("ORDER BY updated", "Unbounded"),
            (r#"updated >= "2024-02-17T06:03:16""#, "Date value"),
            (r#"updated >= "2024-02-17 06:03:16""#, "Date value"),
            ("updated >=", "ends"),
            ("updated ~ 3", "operator"),
            ("updated >= \"2024-02-17", "completed"),
            ("project = NOWHERE", "does not exist"),
            ("flavour = sweet", "does not exist"),
            ("project is not EMPTY OR id > 3", "AND"),
            ("id > 3 ORDER BY flavour", "sort"),
        ] {
            let error = Query::parse(jql).unwrap_err();
            assert!(error.contains(says), "{jql}: {error}");
        }
    }
}
