//! The parser of conditions: from tokens to a tree.

use super::token::{ConditionToken, TokenKind, fault, tokens};
use super::{Argument, ColumnName, Expression, PathStep};
use crate::fault::Result;

/// The maximum nesting of a condition, in parentheses and arguments.
const DEEPEST: usize = 64;
/// The maximum number of operators and casts in a condition: its tree may be as deep, and is walked
/// by recursion.
const MOST_OPERATORS: usize = 200;
/// Functions that neither change nor reveal anything but their arguments, each with the minimum and
/// maximum of arguments.
const FUNCTIONS: [(&str, usize, usize); 44] = [
    ("ABS", 1, 1),
    ("CEIL", 1, 1),
    ("COALESCE", 1, 50),
    ("CONCAT", 1, 50),
    ("CONTAINS", 2, 2),
    ("DATEADD", 3, 3),
    ("DATEDIFF", 3, 3),
    ("DATE_PART", 2, 2),
    ("DATE_TRUNC", 2, 2),
    ("DAY", 1, 1),
    ("DAYOFWEEK", 1, 1),
    ("ENDSWITH", 2, 2),
    ("FLOOR", 1, 1),
    ("GREATEST", 1, 50),
    ("HOUR", 1, 1),
    ("IFF", 3, 3),
    ("IFNULL", 2, 2),
    ("LEAST", 1, 50),
    ("LEFT", 2, 2),
    ("LENGTH", 1, 1),
    ("LOWER", 1, 1),
    ("LTRIM", 1, 2),
    ("MINUTE", 1, 1),
    ("MOD", 2, 2),
    ("MONTH", 1, 1),
    ("NULLIF", 2, 2),
    ("NVL", 2, 2),
    ("REPLACE", 2, 3),
    ("RIGHT", 2, 2),
    ("ROUND", 1, 2),
    ("RTRIM", 1, 2),
    ("SIGN", 1, 1),
    ("STARTSWITH", 2, 2),
    ("SUBSTR", 2, 3),
    ("TO_DATE", 1, 2),
    ("TO_TIMESTAMP_LTZ", 1, 2),
    ("TO_TIMESTAMP_NTZ", 1, 2),
    ("TO_VARCHAR", 1, 2),
    ("TRIM", 1, 2),
    ("TRY_TO_DATE", 1, 2),
    ("TRY_TO_NUMBER", 1, 3),
    ("UPPER", 1, 1),
    ("YEAR", 1, 1),
    ("ZEROIFNULL", 1, 1),
];
/// Functions whose first argument is a date part.
const DATED: [&str; 4] = ["DATEADD", "DATEDIFF", "DATE_PART", "DATE_TRUNC"];
const DATE_PARTS: [&str; 8] =
    ["YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"];
const NOW: [&str; 2] = ["CURRENT_DATE", "CURRENT_TIMESTAMP"];
const TYPES: [&str; 17] = [
    "BIGINT",
    "BOOLEAN",
    "DATE",
    "DECIMAL",
    "DOUBLE",
    "FLOAT",
    "INT",
    "INTEGER",
    "NUMBER",
    "STRING",
    "TEXT",
    "TIME",
    "TIMESTAMP_LTZ",
    "TIMESTAMP_NTZ",
    "TIMESTAMP_TZ",
    "VARCHAR",
    "VARIANT",
];
/// Words that are column names only if they are quoted.
const KEYWORDS: [&str; 18] = [
    "AND", "AS", "BETWEEN", "CAST", "DISTINCT", "ESCAPE", "FROM", "ILIKE", "IN", "IS", "LIKE",
    "NOT", "NULL", "OR", "SELECT", "TRUE", "FALSE", "WHERE",
];
const COMPARISONS: [(&str, &str); 7] =
    [("=", "="), ("<>", "<>"), ("!=", "<>"), ("<=", "<="), (">=", ">="), ("<", "<"), (">", ">")];

pub(super) fn condition(text: &str, placeholders: bool) -> Result<Expression> {
    let tokens = tokens(text)?;
    let placeholder = |token: &&ConditionToken| matches!(token.kind, TokenKind::Placeholder(_));
    if let Some(found) = tokens.iter().find(placeholder).filter(|_| !placeholders) {
        return Err(fault(found.at, "no placeholder", &found.kind.shown()));
    }
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0, operators: 0, staged: false };
    let condition = parser.or()?;
    match parser.peek() {
        TokenKind::End => Ok(condition),
        _ => Err(parser.expected("AND, OR or the end")),
    }
}

struct Parser<'t> {
    tokens: &'t [ConditionToken],
    at: usize,
    depth: usize,
    operators: usize,
    /// Whether the parser is inside the subquery.
    staged: bool,
}

impl Parser<'_> {
    fn or(&mut self) -> Result<Expression> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.expected(&format!("at most {DEEPEST} levels of nesting")));
        }
        let mut left = self.and()?;
        while self.word("OR") {
            left = self.infix(left, "OR", Self::and)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    fn and(&mut self) -> Result<Expression> {
        let mut left = self.not()?;
        while self.word("AND") {
            left = self.infix(left, "AND", Self::not)?;
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Expression> {
        let mut negated = false;
        while self.word("NOT") {
            negated = !negated;
        }
        let value = self.test()?;
        Ok(if negated { Expression::Prefix("NOT ", Box::new(value)) } else { value })
    }

    fn test(&mut self) -> Result<Expression> {
        let value = self.sum()?;
        for (sign, operator) in COMPARISONS {
            if self.mark(sign) {
                return self.infix(value, operator, Self::sum);
            }
        }
        if self.word("IS") {
            let negated = self.word("NOT");
            if self.word("NULL") {
                return Ok(Expression::IsNull(Box::new(value), negated));
            }
            self.expect_word("DISTINCT")?;
            self.expect_word("FROM")?;
            let operator = if negated { "IS NOT DISTINCT FROM" } else { "IS DISTINCT FROM" };
            return self.infix(value, operator, Self::sum);
        }
        let negated = self.word("NOT");
        if self.word("BETWEEN") {
            let low = Box::new(self.sum()?);
            self.expect_word("AND")?;
            let high = Box::new(self.sum()?);
            return Ok(Expression::Between { value: Box::new(value), negated, low, high });
        }
        if self.word("IN") {
            return self.list(value, negated);
        }
        for (word, operator) in [
            ("LIKE", if negated { "NOT LIKE" } else { "LIKE" }),
            ("ILIKE", if negated { "NOT ILIKE" } else { "ILIKE" }),
        ] {
            if self.word(word) {
                let pattern = Box::new(self.sum()?);
                let escape = match self.word("ESCAPE") {
                    true => Some(Box::new(self.sum()?)),
                    false => None,
                };
                return Ok(Expression::Like { value: Box::new(value), operator, pattern, escape });
            }
        }
        match negated {
            true => Err(self.expected("BETWEEN, IN, LIKE or ILIKE")),
            false => Ok(value),
        }
    }

    /// Parses what follows IN.
    fn list(&mut self, value: Expression, negated: bool) -> Result<Expression> {
        self.expect_mark("(")?;
        let value = Box::new(value);
        if !self.word("SELECT") {
            let mut list = vec![self.sum()?];
            while self.mark(",") {
                list.push(self.sum()?);
            }
            self.expect_mark(")")?;
            return Ok(Expression::InList(value, negated, list));
        }
        if self.staged {
            return Err(self.expected("no subquery in a subquery"));
        }
        self.word("DISTINCT");
        let column = self.column_name()?;
        self.expect_word("FROM")?;
        match self.peek() {
            TokenKind::Placeholder(name) if name == "staging_table" => self.at += 1,
            _ => return Err(self.expected("{staging_table}, the only table of a subquery")),
        }
        self.staged = true;
        let condition = match self.word("WHERE") {
            true => Some(Box::new(self.or()?)),
            false => None,
        };
        self.staged = false;
        self.expect_mark(")")?;
        Ok(Expression::InStaged { value, negated, column, condition })
    }

    fn sum(&mut self) -> Result<Expression> {
        let mut left = self.product()?;
        while let Some(operator) = ["+", "-", "||"].into_iter().find(|mark| self.mark(mark)) {
            left = self.infix(left, operator, Self::product)?;
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Expression> {
        let mut left = self.unary()?;
        while let Some(operator) = ["*", "/", "%"].into_iter().find(|mark| self.mark(mark)) {
            left = self.infix(left, operator, Self::unary)?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expression> {
        match self.mark("-") {
            true => Ok(Expression::Prefix("-", Box::new(self.cast()?))),
            false => self.cast(),
        }
    }

    fn cast(&mut self) -> Result<Expression> {
        let mut value = self.primary()?;
        while self.mark("::") {
            self.count_operator()?;
            value = Expression::Cast(Box::new(value), self.type_name()?);
        }
        Ok(value)
    }

    fn primary(&mut self) -> Result<Expression> {
        match self.peek().clone() {
            TokenKind::Text(text) => {
                self.at += 1;
                Ok(Expression::Text(text))
            }
            TokenKind::Number(number) => {
                self.at += 1;
                Ok(Expression::Plain(number))
            }
            TokenKind::Mark("(") => {
                self.at += 1;
                let value = self.or()?;
                self.expect_mark(")")?;
                Ok(value)
            }
            TokenKind::Word(word) => self.word_or_column(&word.to_uppercase()),
            TokenKind::Quoted(_) | TokenKind::Placeholder(_) => self.column(),
            TokenKind::Mark(_) | TokenKind::End => Err(self.expected("a column or a value")),
        }
    }

    fn word_or_column(&mut self, word: &str) -> Result<Expression> {
        if let "TRUE" | "FALSE" | "NULL" = word {
            self.at += 1;
            return Ok(Expression::Plain(word.to_owned()));
        }
        if let Some(now) = NOW.into_iter().find(|name| *name == word) {
            self.at += 1;
            if self.mark("(") {
                self.expect_mark(")")?;
            }
            return Ok(Expression::Now(now));
        }
        let calls = self.tokens.get(self.at + 1).is_some_and(|t| t.kind == TokenKind::Mark("("));
        match (word, calls) {
            ("CAST", true) => {
                self.at += 2;
                let value = Box::new(self.or()?);
                self.expect_word("AS")?;
                let to = self.type_name()?;
                self.expect_mark(")")?;
                Ok(Expression::Cast(value, to))
            }
            (_, true) => self.function(word),
            (_, false) if KEYWORDS.contains(&word) => Err(self.expected("a column or a value")),
            (_, false) => self.column(),
        }
    }

    fn function(&mut self, word: &str) -> Result<Expression> {
        let Some((name, least, most)) = FUNCTIONS.into_iter().find(|(name, ..)| *name == word)
        else {
            let names: Vec<&str> = FUNCTIONS.iter().map(|(name, ..)| *name).collect();
            return Err(self.expected(&format!("one of the functions {}", names.join(", "))));
        };
        let at = self.at;
        self.at += 2;
        let mut arguments = Vec::new();
        if DATED.contains(&name) {
            arguments.push(self.date_part()?);
        } else if !self.peek_is(")") {
            arguments.push(Argument::Value(self.or()?));
        }
        while self.mark(",") {
            arguments.push(Argument::Value(self.or()?));
        }
        self.expect_mark(")")?;
        if !(least..=most).contains(&arguments.len()) {
            self.at = at;
            return Err(self.expected(&format!(
                "{name} with {least} to {most} arguments, and not with {}",
                arguments.len()
            )));
        }
        Ok(Expression::Function(name, arguments))
    }

    fn date_part(&mut self) -> Result<Argument> {
        let (TokenKind::Word(part) | TokenKind::Text(part)) = self.peek().clone() else {
            return Err(self.expected("a part of a date"));
        };
        let part = part.to_uppercase();
        match DATE_PARTS.into_iter().find(|known| *known == part) {
            Some(part) => {
                self.at += 1;
                Ok(Argument::DatePart(part))
            }
            None => Err(self.expected(&format!("one of {}", DATE_PARTS.join(", ")))),
        }
    }

    /// Parses a column and a path in it.
    fn column(&mut self) -> Result<Expression> {
        let column = Expression::Column(self.column_name()?);
        let mut path = Vec::new();
        loop {
            if self.mark(if path.is_empty() { ":" } else { "." }) {
                let (TokenKind::Word(key) | TokenKind::Quoted(key)) = self.peek().clone() else {
                    return Err(self.expected("a key"));
                };
                self.at += 1;
                path.push(PathStep::Key(key));
            } else if !path.is_empty() && self.mark("[") {
                match self.peek().clone() {
                    TokenKind::Number(n) if n.bytes().all(|b| b.is_ascii_digit()) => {
                        self.at += 1;
                        path.push(PathStep::At(n));
                    }
                    _ => return Err(self.expected("a number from 0")),
                }
                self.expect_mark("]")?;
            } else if path.is_empty() {
                return Ok(column);
            } else {
                return Ok(Expression::Inside(Box::new(column), path));
            }
        }
    }

    fn column_name(&mut self) -> Result<ColumnName> {
        if let TokenKind::Placeholder(table) = self.peek() {
            if table != "table" || self.staged {
                return Err(self.expected("a column"));
            }
            self.at += 1;
            self.expect_mark(".")?;
        }
        let at = self.tokens.get(self.at).map_or(0, |token| token.at);
        let column = match self.peek() {
            TokenKind::Word(word) if !KEYWORDS.contains(&word.to_uppercase().as_str()) => {
                ColumnName { name: word.clone(), quoted: false, at }
            }
            TokenKind::Quoted(name) => ColumnName { name: name.clone(), quoted: true, at },
            _ => return Err(self.expected("a column")),
        };
        self.at += 1;
        if self.peek_is(".") {
            return Err(
                self.expected("a column of the table alone, without another name before it")
            );
        }
        Ok(column)
    }

    fn type_name(&mut self) -> Result<String> {
        let name = match self.peek() {
            TokenKind::Word(word) => TYPES.into_iter().find(|name| *name == word.to_uppercase()),
            _ => None,
        };
        let Some(name) = name else {
            return Err(self.expected(&format!("one of the types {}", TYPES.join(", "))));
        };
        self.at += 1;
        if !self.mark("(") {
            return Ok(name.to_owned());
        }
        let mut numbers = Vec::new();
        loop {
            match self.peek().clone() {
                TokenKind::Number(n) if n.bytes().all(|b| b.is_ascii_digit()) && n.len() < 10 => {
                    self.at += 1;
                    numbers.push(n);
                }
                _ => return Err(self.expected("an integer")),
            }
            if !self.mark(",") {
                break;
            }
        }
        self.expect_mark(")")?;
        Ok(format!("{name}({})", numbers.join(", ")))
    }

    /// Builds an infix operator from the operand before it and the one that follows.
    fn infix(
        &mut self,
        left: Expression,
        operator: &'static str,
        right: fn(&mut Self) -> Result<Expression>,
    ) -> Result<Expression> {
        self.count_operator()?;
        let right = right(self)?;
        Ok(Expression::Infix(Box::new(left), operator, Box::new(right)))
    }

    fn count_operator(&mut self) -> Result<()> {
        self.operators += 1;
        match self.operators > MOST_OPERATORS {
            true => Err(self.expected(&format!("at most {MOST_OPERATORS} operators"))),
            false => Ok(()),
        }
    }

    fn peek(&self) -> &TokenKind {
        self.tokens.get(self.at).map_or(&TokenKind::End, |token| &token.kind)
    }

    fn peek_is(&self, mark: &str) -> bool {
        matches!(self.peek(), TokenKind::Mark(found) if *found == mark)
    }

    /// Consumes this mark if it is next.
    fn mark(&mut self, mark: &str) -> bool {
        let found = self.peek_is(mark);
        self.at += usize::from(found);
        found
    }

    /// Consumes this keyword if it is next.
    fn word(&mut self, word: &str) -> bool {
        let found =
            matches!(self.peek(), TokenKind::Word(found) if found.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    fn expect_mark(&mut self, mark: &str) -> Result<()> {
        if self.mark(mark) { Ok(()) } else { Err(self.expected(mark)) }
    }

    fn expect_word(&mut self, word: &str) -> Result<()> {
        if self.word(word) { Ok(()) } else { Err(self.expected(word)) }
    }

    fn expected(&self, what: &str) -> crate::fault::Fault {
        let at = self.tokens.get(self.at).map_or(0, |token| token.at);
        fault(at, what, &self.peek().shown())
    }
}
