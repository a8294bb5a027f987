//! Names of objects as a user writes them: unquoted ones are upper case, quoted ones exact.

/// The parts of a qualified name, as Snowflake stores them, and the text after its first slash:
/// `db."my schema"/x` is `DB`, `my schema` and `x`. `None` if it is not a qualified name, or a part
/// is empty.
/// Source: Snowflake documentation, "Identifier requirements".
pub(crate) fn qualified(text: &str) -> Option<(Vec<String>, &str)> {
    let (mut parts, mut part, mut path) = (Vec::new(), String::new(), "");
    let mut quoted = false;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if quoted && chars.next_if(|(_, next)| *next == '"').is_some() => part.push('"'),
            '"' if quoted || part.is_empty() => quoted = !quoted,
            _ if quoted => part.push(c),
            '.' => parts.push(std::mem::take(&mut part)),
            '/' => {
                path = text.get(at + 1..).unwrap_or_default();
                break;
            }
            c if c.is_alphanumeric() || matches!(c, '_' | '$') => part.extend(c.to_uppercase()),
            _ => return None,
        }
    }
    parts.push(part);
    (!quoted && parts.iter().all(|part| !part.is_empty())).then_some((parts, path))
}

#[cfg(test)]
mod tests {
    use super::qualified;

    #[test]
    fn reads_qualified_names() {
        let check = |text: &str, expect: Option<(&[&str], &str)>| {
            let found = qualified(text);
            let found = found
                .as_ref()
                .map(|(parts, path)| (parts.iter().map(String::as_str).collect::<Vec<_>>(), *path));
            assert_eq!(found, expect.map(|(parts, path)| (parts.to_vec(), path)), "{text}");
        };
        check("raw.sales", Some((&["RAW", "SALES"], "")));
        check(
            r#"raw."my ""own"" schema".s/a/b.csv"#,
            Some((&["RAW", "my \"own\" schema", "S"], "a/b.csv")),
        );
        check("", None);
        check("raw.", None);
        check("raw..sales", None);
        check(r#"raw."open"#, None);
        check("raw.sales--", None);
        check("raw.sales*", None);
    }
}
