//! A worksheet: its statements, and the files that it uploads.

/// A step of a worksheet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum DeployStep {
    /// A statement, without the semicolon and without comments around it.
    Statement(String),
    /// The upload of a file of the package.
    Put(PutFile),
}

/// The upload of a file of the package to a stage.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct PutFile {
    /// Its name in the package.
    pub(super) name: String,
    /// The stage, without the `@`.
    pub(super) stage: String,
    /// Whether it replaces an existing file.
    pub(super) overwrite: bool,
}

/// Returns the steps of a worksheet.
///
/// # Errors
/// If a string or a comment does not end, or a PUT has another form than those of a package.
pub(super) fn steps(text: &str) -> Result<Vec<DeployStep>, String> {
    let statements = statements(text)?;
    let step = |statement: String| match statement.get(..4) {
        Some(put) if put.eq_ignore_ascii_case("PUT ") => put_file(&statement).map(DeployStep::Put),
        _ => Ok(DeployStep::Statement(statement)),
    };
    statements.into_iter().map(step).collect()
}

/// Reads a PUT of a package: `PUT file://NAME @STAGE AUTO_COMPRESS = FALSE OVERWRITE = TRUE`.
fn put_file(statement: &str) -> Result<PutFile, String> {
    let wrong = || {
        format!(
            "expected PUT file://NAME @STAGE AUTO_COMPRESS = FALSE OVERWRITE = .., found {statement}"
        )
    };
    let spaced = statement.replace('=', " = ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let [_, file, stage, "AUTO_COMPRESS", "=", "FALSE", "OVERWRITE", "=", overwrite] =
        words.as_slice()
    else {
        return Err(wrong());
    };
    let (Some(name), Some(stage)) = (file.strip_prefix("file://"), stage.strip_prefix('@')) else {
        return Err(wrong());
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !name.chars().all(plain) || name.starts_with('.') || name.is_empty() || stage.contains('\'')
    {
        return Err(wrong());
    }
    let overwrite = match *overwrite {
        "TRUE" => true,
        "FALSE" => false,
        _ => return Err(wrong()),
    };
    Ok(PutFile { name: name.to_owned(), stage: stage.to_owned(), overwrite })
}

/// Splits a worksheet at the semicolons outside of strings, quoted names and comments.
fn statements(text: &str) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    // Without comments before the first and after the last character of a statement.
    let (mut first, mut last) = (None, 0);
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let (length, is_part) = piece(rest, || line(text, at))?;
        if rest.starts_with(';') {
            if let Some(first) = first.take() {
                found.push(text.get(first..last).unwrap_or_default().to_owned());
            }
        } else if is_part {
            first = first.or(Some(at));
            last = at + length;
        }
        at += length;
    }
    if let Some(first) = first {
        found.push(text.get(first..last).unwrap_or_default().to_owned());
    }
    Ok(found)
}

/// Returns the length of the string, comment or character that the text begins with, and whether it is part of a
/// statement.
fn piece(text: &str, line: impl Fn() -> usize) -> Result<(usize, bool), String> {
    let until = |opened: usize, end: &str, what: &str| -> Result<usize, String> {
        let rest = text.get(opened..).unwrap_or_default();
        let length =
            rest.find(end).ok_or_else(|| format!("line {}: {what} does not end", line()))?;
        Ok(opened + length + end.len())
    };
    if text.starts_with("--") {
        return Ok((text.find('\n').unwrap_or(text.len()), false));
    }
    if text.starts_with("/*") {
        return Ok((until(2, "*/", "a comment")?, false));
    }
    if text.starts_with("$$") {
        return Ok((until(2, "$$", "a string")?, true));
    }
    if text.starts_with('"') {
        return Ok((until(1, "\"", "a name")?, true));
    }
    if text.starts_with('\'') {
        return string(text)
            .map(|length| (length, true))
            .ok_or_else(|| format!("line {}: a string does not end", line()));
    }
    let first = text.chars().next().unwrap_or_default();
    Ok((first.len_utf8(), !first.is_whitespace()))
}

/// Returns the length of a string in single quotes, in which a backslash escapes the next character.
fn string(text: &str) -> Option<usize> {
    let mut characters = text.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '\'' => return Some(at + 1),
            '\\' => _ = characters.next(),
            _ => {}
        }
    }
    None
}

fn line(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or_default().matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_at_semicolons_outside_of_strings() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(statements(text).unwrap(), expected, "{text}")
        };
        check("", &[]);
        check("A; B ;\n;-- c;\nC", &["A", "B", "C"]);
        check("A ';' \";\" $$;'$$ /* ; */ B;", &["A ';' \";\" $$;'$$ /* ; */ B"]);
        check("A 'it''s;' 'a\\';' B", &["A 'it''s;' 'a\\';' B"]);
        check("/* x */ A -- y;\n+ 1 -- z\n;", &["A -- y;\n+ 1"]);
        check("SELECT 'é;', 1 - 1", &["SELECT 'é;', 1 - 1"]);
        let wrong =
            |text: &str, expected: &str| assert_eq!(statements(text).unwrap_err(), expected);
        wrong("A;\n'x", "line 2: a string does not end");
        wrong("/* x", "line 1: a comment does not end");
        wrong("$$ x", "line 1: a string does not end");
    }

    #[test]
    fn uploads_are_those_of_a_package() {
        let put = |text: &str| steps(text).map(|mut steps| steps.remove(0));
        let file = |name: &str, overwrite| {
            let (name, stage) = (name.to_owned(), "A.B.C".to_owned());
            Ok(DeployStep::Put(PutFile { name, stage, overwrite }))
        };
        assert_eq!(
            put("PUT file://a-1.b @A.B.C AUTO_COMPRESS = FALSE OVERWRITE = TRUE;"),
            file("a-1.b", true)
        );
        assert_eq!(
            put("put file://a @A.B.C AUTO_COMPRESS=FALSE OVERWRITE=FALSE"),
            file("a", false)
        );
        for wrong in [
            "PUT file:///etc/passwd @A AUTO_COMPRESS = FALSE OVERWRITE = TRUE",
            "PUT file://../a @A AUTO_COMPRESS = FALSE OVERWRITE = TRUE",
            "PUT file://a @A AUTO_COMPRESS = TRUE OVERWRITE = TRUE",
            "PUT file://a @A",
        ] {
            assert!(put(wrong).unwrap_err().contains("expected PUT file://NAME"), "{wrong}");
        }
    }
}
