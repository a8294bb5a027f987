//! Names for the columns and tables of keys whose own name belongs to another key.

use crate::dlt::hash;
use crate::dlt::naming::Convention;

/// The name for a key whose own name belongs to another key. It depends only on the path of the
/// key. The first attempt is free unless an input uses that name on purpose.
pub(super) fn own_name(
    parts: &[&str],
    path: &[String],
    attempt: u32,
    convention: &Convention,
) -> String {
    let mut path = path.join("\u{0}");
    if attempt > 0 {
        path.push_str(&format!("\u{0}\u{0}{attempt}"));
    }
    let tag: String = hash::b64_digest(path.as_bytes(), 4)
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { 'x' })
        .collect();
    let tag = format!("x_{tag}");
    let parts: Vec<&str> = parts.iter().copied().chain([tag.as_str()]).collect();
    convention.shorten_fragments(&parts)
}
