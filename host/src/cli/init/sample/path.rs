//! Paths in the notation of jobs.

/// Returns the path of these keys in the notation of jobs.
pub(in super::super) fn path_of(keys: &[String]) -> String {
    if keys.is_empty() {
        return "$".to_owned();
    }
    let plain = |key: &String| {
        let mut chars = key.chars();
        chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if keys.iter().all(plain) {
        return keys.join(".");
    }
    let quoted = keys.iter().map(|key| format!("['{}']", key.replace('\'', "\\'")));
    format!("${}", quoted.collect::<String>())
}
