//! The tokens of a condition.

use crate::fault::{Fault, Result};

/// The maximum length of a condition in bytes.
const LONGEST: usize = 10_000;
const MARKS: [&str; 18] = [
    "<>", "!=", "<=", ">=", "::", "||", "(", ")", ",", ".", "<", ">", "=", "+", "-", "*", "/", "%",
];
const MORE_MARKS: [&str; 3] = [":", "[", "]"];

/// A token, and its position in characters from 1.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct ConditionToken {
    pub(super) kind: TokenKind,
    pub(super) at: usize,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum TokenKind {
    /// A name or a keyword as written.
    Word(String),
    /// A name in double quotes, without them.
    Quoted(String),
    /// A decoded string.
    Text(String),
    /// A number as written.
    Number(String),
    /// `{table}` or `{staging_table}`, without the braces.
    Placeholder(String),
    /// An operator or a parenthesis.
    Mark(&'static str),
    /// The end of the condition.
    End,
}

impl TokenKind {
    /// The token for messages.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Word(text) | Self::Number(text) => text.clone(),
            Self::Quoted(text) => format!("\"{text}\""),
            Self::Text(text) => format!("{text:?}"),
            Self::Placeholder(text) => format!("{{{text}}}"),
            Self::Mark(mark) => (*mark).to_owned(),
            Self::End => "the end".to_owned(),
        }
    }
}

/// Splits a text into tokens.
///
/// # Errors
/// A config fault at a character that starts no token, or at an unterminated string, name or
/// placeholder.
pub(super) fn tokens(text: &str) -> Result<Vec<ConditionToken>> {
    if text.len() > LONGEST {
        return Err(Fault::config(format_args!(
            "expected a condition of at most {LONGEST} bytes, found {}",
            text.len()
        )));
    }
    let mut scanner = ConditionScanner { rest: text, at: 1 };
    let mut found = Vec::new();
    loop {
        scanner.skip_space();
        let at = scanner.at;
        let kind = scanner.next()?;
        let ends = kind == TokenKind::End;
        found.push(ConditionToken { kind, at });
        if ends {
            return Ok(found);
        }
    }
}

/// A fault at a position of a condition.
pub(super) fn fault(at: usize, expected: &str, found: &str) -> Fault {
    Fault::config(format_args!("expected {expected}, found {found} at character {at}"))
}

struct ConditionScanner<'t> {
    rest: &'t str,
    at: usize,
}

impl<'t> ConditionScanner<'t> {
    fn skip_space(&mut self) {
        while self.rest.starts_with(char::is_whitespace) {
            self.take(1);
        }
    }

    /// Consumes `count` characters.
    fn take(&mut self, count: usize) -> &'t str {
        let end = self.rest.char_indices().nth(count).map_or(self.rest.len(), |(at, _)| at);
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.at += count;
        taken
    }

    /// Consumes characters while `is` returns `true`.
    fn take_while(&mut self, is: impl Fn(char) -> bool) -> &'t str {
        let count = self.rest.chars().take_while(|c| is(*c)).count();
        self.take(count)
    }

    fn next(&mut self) -> Result<TokenKind> {
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let Some(first) = self.rest.chars().next() else { return Ok(TokenKind::End) };
        match first {
            '\'' => self.text().map(TokenKind::Text),
            '"' => self.quoted().map(TokenKind::Quoted),
            '{' => self.placeholder().map(TokenKind::Placeholder),
            '0'..='9' => self.number(),
            c if c.is_alphabetic() || c == '_' => {
                Ok(TokenKind::Word(self.take_while(is_word).to_owned()))
            }
            // Comments and further statements are rejected.
            _ if ["--", "/*", "//"].iter().any(|sign| self.rest.starts_with(sign)) => {
                Err(fault(self.at, "a condition without comments", &format!("{:?}", self.take(2))))
            }
            _ => match MARKS.iter().chain(&MORE_MARKS).find(|mark| self.rest.starts_with(**mark)) {
                Some(mark) => {
                    self.take(mark.len());
                    Ok(TokenKind::Mark(mark))
                }
                None => Err(fault(self.at, "a condition", &format!("{first:?}"))),
            },
        }
    }

    /// Reads a string between single quotes, in which a backslash escapes as in Snowflake.
    fn text(&mut self) -> Result<String> {
        let at = self.at;
        self.take(1);
        let mut text = String::new();
        loop {
            match self.take(1) {
                "" => return Err(fault(at, "a string with an end", "none")),
                "'" if self.rest.starts_with('\'') => text.push_str(self.take(1)),
                "'" => return Ok(text),
                "\\" => text.push_str(match self.take(1) {
                    "n" => "\n",
                    "t" => "\t",
                    "r" => "\r",
                    sign @ ("\\" | "'" | "\"") => sign,
                    sign => {
                        return Err(fault(self.at - 1, "\\\\, \\', \\\", \\n, \\r or \\t", sign));
                    }
                }),
                other => text.push_str(other),
            }
        }
    }

    fn quoted(&mut self) -> Result<String> {
        let at = self.at;
        self.take(1);
        let mut name = String::new();
        loop {
            match self.take(1) {
                "" => return Err(fault(at, "a name with an end", "none")),
                "\"" if self.rest.starts_with('"') => name.push_str(self.take(1)),
                "\"" => return Ok(name),
                other => name.push_str(other),
            }
        }
    }

    fn placeholder(&mut self) -> Result<String> {
        let at = self.at;
        self.take(1);
        let name = self.take_while(|c| c.is_alphanumeric() || c == '_');
        match (name, self.take(1)) {
            (name @ ("table" | "staging_table"), "}") => Ok(name.to_owned()),
            (name, _) => Err(fault(at, "{table} or {staging_table}", &format!("{{{name}"))),
        }
    }

    fn number(&mut self) -> Result<TokenKind> {
        let at = self.at;
        let mut number = self.take_while(|c| c.is_ascii_digit()).to_owned();
        if self.rest.starts_with('.') {
            number.push_str(self.take(1));
            number.push_str(self.take_while(|c| c.is_ascii_digit()));
        }
        if self.rest.starts_with(['e', 'E']) {
            number.push_str(self.take(1));
            if self.rest.starts_with(['+', '-']) {
                number.push_str(self.take(1));
            }
            number.push_str(self.take_while(|c| c.is_ascii_digit()));
        }
        let ends = number.ends_with(|c: char| c.is_ascii_digit());
        let word = self.rest.starts_with(|c: char| c.is_alphabetic() || c == '_');
        match ends && !word {
            true => Ok(TokenKind::Number(number)),
            false => Err(fault(at, "a number", &format!("{number}{}", self.take(1)))),
        }
    }
}
