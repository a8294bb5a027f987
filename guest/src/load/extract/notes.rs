//! Warnings about the pages of a resource.

use crate::json::{Path, Segment};

/// Facts about the pages of a resource that lead to warnings.
#[derive(Default)]
pub(crate) struct Notes {
    /// What was detected because the job does not define it.
    found: Vec<String>,
    /// First pages that were examined for a paginator that the job overlooks.
    doubted: u32,
    pub(crate) nothing: Nothing,
    pub(crate) gaps: Gaps,
    errors: Errors,
    /// Records that were null.
    pub(crate) nulls: u64,
}

/// At most so many guesses become warnings: each record of a parent can lead to a different one.
const FOUND: usize = 5;

impl Notes {
    /// Adds what was detected.
    pub(crate) fn find(&mut self, found: Vec<String>) {
        for finding in found {
            if self.found.len() < FOUND && !self.found.contains(&finding) {
                self.found.push(finding);
            }
        }
    }

    /// Returns `true` if one more first page is examined for pages that its paginator did not find. Each record
    /// of a parent has a first page, and they are alike, so the first ten are enough.
    pub(crate) const fn may_doubt(&mut self) -> bool {
        self.doubted += 1;
        self.doubted <= 10
    }

    /// Counts a page with an error at one of the watched paths.
    pub(crate) fn watch(&mut self, found: &[Option<String>]) {
        let error = found.iter().flatten().find(|raw| is_error(raw));
        if let Some(raw) = error {
            self.errors.pages += 1;
            self.errors.first.get_or_insert_with(|| raw.chars().take(200).collect());
        }
    }

    /// The warnings.
    pub(crate) fn warnings(self, resource: &str) -> Vec<String> {
        let mut warnings = self.found;
        warnings.extend(self.nothing.warning());
        warnings.extend(self.gaps.warning());
        warnings.extend(self.errors.warning());
        let nulls = self.nulls;
        if nulls > 0 {
            let records = if nulls == 1 { "1 record is" } else { &format!("{nulls} records are") };
            warnings.push(format!("{records} null in the answers, and not loaded"));
        }
        warnings.into_iter().map(|warning| format!("resource {resource}: {warning}")).collect()
    }
}

/// Where a page may have errors beside its records, as in GraphQL.
pub(crate) fn watched(selector: Option<&Path>) -> Vec<Path> {
    let Some([Segment::Key(first), ..]) = selector.map(Path::segments) else { return Vec::new() };
    let keys = ["errors", "error"].into_iter().filter(|key| first != key);
    keys.map(|key| Path::of_keys(&[key])).collect()
}

/// Returns `true` if raw JSON is more than null, false, zero, an empty string, list or object.
fn is_error(raw: &str) -> bool {
    let inner = raw.trim_start_matches(['[', '{', '"']).trim_end_matches([']', '}', '"']).trim();
    !matches!(inner, "" | "null" | "false" | "0")
}

/// Pages that have errors beside their records.
#[derive(Default)]
struct Errors {
    pages: u64,
    first: Option<String>,
}

impl Errors {
    fn warning(self) -> Option<String> {
        let first = self.first?;
        let pages =
            if self.pages == 1 { "1 page has" } else { &format!("{} pages have", self.pages) };
        Some(format!("{pages} errors beside the records; the first: {first}"))
    }
}

/// Pages with fewer records than requested that are not the last: an offset assumes full pages.
#[derive(Default)]
pub(crate) struct Gaps {
    /// How many such pages.
    pages: u64,
    size: u64,
    /// The most records of any page.
    most: u64,
}

impl Gaps {
    /// Counts a page; `short`: the page before it was not full.
    pub(crate) fn page(&mut self, size: u64, records: u64, short: bool) {
        self.size = size;
        self.most = self.most.max(records);
        self.pages += u64::from(short && records > 0);
    }

    /// A source that sometimes returns less has filtered the page. One that never returns as many records as
    /// requested has a lower limit, and an offset skips what is beyond it.
    fn warning(self) -> Option<String> {
        let Self { pages, size, most } = self;
        (pages > 0 && most < size).then(|| {
            format!(
                "no page had more than {most} records, where {size} were asked for, and \
                 {pages} such pages had others behind them: if the source gives no more than that, say \
                 \"limit\": {most}, for what lies between was not read"
            )
        })
    }
}

/// Pages that have nothing where the records should be.
#[derive(Default)]
pub(crate) struct Nothing {
    pages: u64,
    first: Option<(Path, Vec<String>)>,
}

impl Nothing {
    pub(crate) fn count(&mut self, selector: &Path, keys: Vec<String>) {
        self.pages += 1;
        if self.first.is_none() {
            self.first = Some((selector.clone(), keys));
        }
    }

    fn warning(self) -> Option<String> {
        let (selector, keys) = self.first?;
        let keys = if keys.is_empty() { "none".to_owned() } else { keys.join(", ") };
        Some(format!(
            "nothing at {selector} on {} pages, which were taken as empty (keys of \
             the first: {keys})",
            self.pages
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_other_than_empty_ones_are_errors() {
        for raw in ["null", "false", "0", "\"\"", "[]", "{}", "[ ]"] {
            assert!(!is_error(raw), "{raw}");
        }
        for raw in ["true", "1", "\"no\"", "[{}, 1]", "{\"code\":7}", "[\"no\"]"] {
            assert!(is_error(raw), "{raw}");
        }
    }

    #[test]
    fn paths_of_errors_are_beside_the_records() {
        let check = |selector: Option<&str>, expect: &[&str]| {
            let selector = selector.map(|text| Path::parse(text).unwrap());
            let paths = watched(selector.as_ref());
            assert_eq!(paths.iter().map(Path::as_str).collect::<Vec<_>>(), expect);
        };
        check(Some("data.users.nodes"), &["errors", "error"]);
        check(Some("errors"), &["error"]);
        check(Some("$"), &[]);
        check(Some("[*].x"), &[]);
        check(None, &[]);
    }
}
