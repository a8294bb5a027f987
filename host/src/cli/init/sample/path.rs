//! How a job writes the path to a value.

/// Returns the path of these keys as a job writes it.
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
