//! The declarations in the statements of a load, parsed from their text: which statements are DDL,
//! and the columns of new tables. The report only has row counts.

/// A table that a statement creates.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Created {
    /// The schema and the name, as quoted in the statement.
    pub(super) path: Vec<String>,
    /// Names and types; types include their parameters.
    pub(super) columns: Vec<(String, String)>,
}

/// Returns `true` if the statement changes objects rather than rows.
pub(super) fn is_ddl(statement: &str) -> bool {
    let word = statement.split_whitespace().next().unwrap_or_default();
    ["ALTER", "CREATE", "DROP"].iter().any(|ddl| word.eq_ignore_ascii_case(ddl))
}

/// Parses a `CREATE TABLE .. ("A" NUMBER(19,0) NOT NULL, ..)`.
pub(super) fn created(statement: &str) -> Option<Created> {
    let (head, rest) = statement.split_at_checked(top_level(statement, '(').next()?)?;
    let mut words = head.split_whitespace();
    if !words.next()?.eq_ignore_ascii_case("CREATE")
        || !words.any(|word| word.eq_ignore_ascii_case("TABLE"))
    {
        return None;
    }
    let path = head.get(head.find('"')?..)?.trim_end();
    let path = split(path, '.').map(unquote).collect();
    let rest = rest.get(1..)?;
    let body = rest.get(..top_level(rest, ')').next()?)?;
    let columns = split(body, ',')
        .filter_map(|definition| {
            let definition = definition.trim();
            // An unquoted item is a constraint.
            let end = quoted_end(definition)?;
            let (name, rest) = definition.split_at_checked(end)?;
            Some((unquote(name), rest.trim().to_owned()))
        })
        .collect();
    Some(Created { path, columns })
}

/// The parts between separators outside of quotes and parentheses.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut start = 0;
    let ends: Vec<usize> = top_level(text, separator).chain([text.len()]).collect();
    ends.into_iter().filter_map(move |end| {
        let part = text.get(start..end);
        start = end + separator.len_utf8();
        part
    })
}

/// The positions of a character outside of quotes and of parentheses that this text opens.
fn top_level(text: &str, wanted: char) -> impl Iterator<Item = usize> {
    let mut quote = None;
    let mut depth = 0_usize;
    text.char_indices().filter_map(move |(at, c)| {
        match (quote, c) {
            // A doubled quote closes and opens at once, with the same result.
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, c) if c == wanted && depth == 0 => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        None
    })
}

/// The end of the quoted identifier at the start of the text.
fn quoted_end(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('"')?;
    let mut rest = inner.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        if c == '"' && rest.next_if(|(_, next)| *next == '"').is_none() {
            return Some(at + 2);
        }
    }
    None
}

fn unquote(identifier: &str) -> String {
    let inner = identifier.trim().strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.map_or_else(|| identifier.trim().to_owned(), |text| text.replace("\"\"", "\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read() {
        check(
            "CREATE TABLE IF NOT EXISTS \"D\".\"S\".\"T\" (\n\"ID\" NUMBER(19,0) NOT NULL,\n\"A,(\"\"B\" VARCHAR COMMENT 'it''s (,'\n) CLUSTER BY (\"ID\")",
            "D / S / T: ID = NUMBER(19,0) NOT NULL; A,(\"B = VARCHAR COMMENT 'it''s (,'",
        );
        check(
            "create transient table \"S\".\"a.b\" (\"x\" DATE, PRIMARY KEY (\"x\"))",
            "S / a.b: x = DATE",
        );
        check("CREATE STAGE \"S\".\"ST\" ENCRYPTION = (TYPE = 'X')", "none");
        check("INSERT INTO \"T\" (\"A\") VALUES (1)", "none");
        check("CREATE TABLE \"T\" (\"A", "none");
        check("CREATE SCHEMA \"S\"", "none");
    }

    #[track_caller]
    fn check(statement: &str, expected: &str) {
        let found = created(statement).map_or_else(
            || "none".to_owned(),
            |it| {
                let columns: Vec<String> =
                    it.columns.iter().map(|(name, kind)| format!("{name} = {kind}")).collect();
                format!("{}: {}", it.path.join(" / "), columns.join("; "))
            },
        );
        assert_eq!(found, expected);
    }
}
