//! Placeholders that a test of the recording's author would have filled: `{{ name }}` and `%NAME%`.
//!
//! A name says what to fill in: an address, or a text. Outside of a string stands a JSON value: after
//! `"response":` a failure, for `%NAME%` a boolean, else a number.

/// What is filled in.
#[derive(Clone, Copy, Debug)]
pub struct Filling<'a> {
    /// Where the server listens, with no slash at the end.
    pub url: &'a str,
    /// The path of a file that exists.
    pub file: &'a str,
    /// The answer that fails, as JSON.
    pub failure: &'a str,
}

/// Beyond 2^53, so that a reader that takes it for a double changes it.
const NUMBER: &str = "9007199254740993";

/// The text with its placeholders filled.
pub fn filled(text: &str, filling: Filling<'_>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut quoted = false;
    while let Some(c) = rest.chars().next() {
        let placeholder = in_braces(rest).or_else(|| in_percents(rest).filter(|_| !quoted));
        if let Some((name, length)) = placeholder {
            rest = rest.get(length..).unwrap_or_default();
            out.push_str(&value(name, quoted.then_some(rest), &out, filling));
            continue;
        }
        let escaped = if c == '\\' && quoted { rest.chars().nth(1) } else { None };
        quoted ^= c == '"';
        out.push(c);
        out.extend(escaped);
        let length = c.len_utf8() + escaped.map_or(0, char::len_utf8);
        rest = rest.get(length..).unwrap_or_default();
    }
    out
}

/// The name of a placeholder `{{ name }}` that starts here, and its length.
fn in_braces(text: &str) -> Option<(&str, usize)> {
    let inner = text.strip_prefix("{{")?;
    let end = inner.find("}}")?;
    let name = inner.get(..end)?.trim();
    // An expression of a template has dots or spaces.
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_name.then_some((name, end + 4))
}

/// The name of a placeholder `%NAME%` that starts here, and its length.
fn in_percents(text: &str) -> Option<(&str, usize)> {
    let inner = text.strip_prefix('%')?;
    let end = inner.find('%')?;
    let name = inner.get(..end)?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    is_name.then_some((name, end + 2))
}

/// What is filled in between two texts; there is none after a placeholder outside of a string.
fn value(name: &str, after: Option<&str>, before: &str, filling: Filling<'_>) -> String {
    let lower = name.to_lowercase();
    let has = |part: &str| lower.contains(part);
    let Some(after) = after else {
        let key = before.trim_end().trim_end_matches(':').trim_end();
        return match () {
            () if has("response") || key.ends_with("\"response\"") => filling.failure.to_owned(),
            () if has("enabled") || has("disabled") => "false".to_owned(),
            () => NUMBER.to_owned(),
        };
    };
    let authority = filling.url.split_once("://").map_or(filling.url, |(_, rest)| rest);
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    let starts_url = before.ends_with("http://") || before.ends_with("https://");
    match () {
        () if has("port") && before.ends_with(':') => port.to_owned(),
        () if starts_url && after.starts_with(':') => host.to_owned(),
        () if starts_url => authority.to_owned(),
        () if has("chunk") => format!("{}/chunks/0", filling.url),
        () if has("url") || has("host") || has("endpoint") => filling.url.to_owned(),
        () if has("root") || has("dir") => String::new(),
        () if has("file") || has("path") || has("glob") => filling.file.to_owned(),
        () => format!("placeholder-{lower}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled() {
        let filling = Filling { url: "http://x:1", file: "/tmp/f", failure: "{\"status\":503}" };
        let check = |text: &str, expect: &str| assert_eq!(filled(text, filling), expect, "{text}");
        check("{}", "{}");
        check(r#"{"url": "{{ baseUrl }}/a"}"#, r#"{"url": "http://x:1/a"}"#);
        check(r#"{"u": "{{TARGET_HTTP_HOST_WITH_PORT}}"}"#, r#"{"u": "http://x:1"}"#);
        check(r#"{"url": "http://{{host}}:{{port}}/a"}"#, r#"{"url": "http://x:1/a"}"#);
        check(r#"{"url": "http://{{ address }}/a"}"#, r#"{"url": "http://x:1/a"}"#);
        check(r#"{"url": "{{ chunkUrl }}"}"#, r#"{"url": "http://x:1/chunks/0"}"#);
        check(r#"["file://{{ putFileName }}"]"#, r#"["file:///tmp/f"]"#);
        check(r#"["{{putFilePath}}"]"#, r#"["/tmp/f"]"#);
        check(r#"["{{REPO_ROOT}}/a"]"#, r#"["/a"]"#);
        check(r#"{"smkId": {{ raw }}}"#, r#"{"smkId": 9007199254740993}"#);
        check(r#"{"value": %LOG_ENABLED%}"#, r#"{"value": false}"#);
        check(r#"{"response": {{ failureResponse }}}"#, r#"{"response": {"status":503}}"#);
        check(r#"{"response": {{ other }}}"#, r#"{"response": {"status":503}}"#);
        check(r#"{"a": "50%AB%"}"#, r#"{"a": "50%AB%"}"#);
        check(r#"{"a": "\"{{ x }}"}"#, r#"{"a": "\"placeholder-x"}"#);
        check(r#"{"a": "{{request.path}}"}"#, r#"{"a": "{{request.path}}"}"#);
        check(r#"{"a": {"b": {}}}"#, r#"{"a": {"b": {}}}"#);
    }
}
