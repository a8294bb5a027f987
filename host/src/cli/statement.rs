//! A statement in readable form: table definitions are indented, long literals are truncated.

use std::fmt::{self, Write as _};

/// The number of characters of a literal that are shown.
const SHOWN: usize = 120;

/// Writes a statement with a semicolon. The rest of a long literal is replaced by a comment with
/// its length.
pub(super) struct Readable<'a>(pub(super) &'a str);

impl fmt::Display for Readable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut depth = 0_usize;
        let mut rest = self.0;
        while let Some(c) = rest.chars().next() {
            if matches!(c, '"' | '\'') {
                let (quoted, after) = rest.split_at(end_of_quoted(rest, c));
                write_quoted(f, quoted, c)?;
                rest = after;
                continue;
            }
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            f.write_char(c)?;
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                '\n' if depth > 0 && !rest.starts_with([')', ' ']) => f.write_str("    ")?,
                _ => {}
            }
        }
        f.write_char(';')
    }
}

/// The end of the text that starts with this quote; a doubled quote does not end it.
fn end_of_quoted(text: &str, quote: char) -> usize {
    let mut rest = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = rest.next() {
        if c == quote && rest.next_if(|(_, next)| *next == quote).is_none() {
            return at + 1;
        }
    }
    text.len()
}

fn write_quoted(f: &mut fmt::Formatter<'_>, quoted: &str, quote: char) -> fmt::Result {
    let length = quoted.chars().count();
    if quote == '"' || length <= 2 * SHOWN {
        return f.write_str(quoted);
    }
    let end = quoted.char_indices().nth(SHOWN).map_or(quoted.len(), |(at, _)| at);
    write!(f, "{}...' /* {length} characters */", quoted.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_readable() {
        check("SELECT 1", "SELECT 1;");
        check("T (\n\"A\" X(1,2),\n\"B\" Y\n)", "T (\n    \"A\" X(1,2),\n    \"B\" Y\n);");
        // Quoted text is unchanged.
        check("T (\n'(\n'')\n',\n\"a\n\"\n)", "T (\n    '(\n'')\n',\n    \"a\n\"\n);");
        check("SELECT '\n", "SELECT '\n;");
        let long = format!("SELECT '{}', 1", "é".repeat(300));
        let short = format!("SELECT '{}...' /* 302 characters */, 1;", "é".repeat(119));
        check(&long, &short);
    }

    #[track_caller]
    fn check(statement: &str, expected: &str) {
        assert_eq!(Readable(statement).to_string(), expected);
    }
}
