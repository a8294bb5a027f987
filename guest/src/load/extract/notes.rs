//! What a person should know of the pages of a resource, and is no error: the report's warnings.

use super::resource::Reading;
use crate::json::{Path, Segment};

/// What is noted of the pages of a resource.
#[derive(Default)]
pub(crate) struct Notes {
    /// What was found out since the job does not say it.
    found: Vec<String>,
    /// First pages that were looked at again.
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
    /// Takes what was found out.
    pub(crate) fn find(&mut self, found: Vec<String>) {
        for said in found {
            if self.found.len() < FOUND && !self.found.contains(&said) {
                self.found.push(said);
            }
        }
    }

    /// Whether one more first page is looked at for pages that its paginator did not find: each record of
    /// a parent has a first page, and they are alike.
    pub(crate) const fn may_doubt(&mut self) -> bool {
        self.doubted += 1;
        self.doubted <= 10
    }

    /// Takes what a page has at each of the watched paths.
    pub(crate) fn watch(&mut self, found: &[Option<String>]) {
        let told = found.iter().flatten().find(|raw| says_something(raw));
        if let Some(raw) = told {
            self.errors.pages += 1;
            self.errors.first.get_or_insert_with(|| raw.chars().take(200).collect());
        }
    }

    pub(crate) fn tell(self, reading: &mut Reading<'_>, resource: &str) {
        for said in self.found {
            reading.warn(Some(format!("resource {resource}: {said}")));
        }
        reading.warn(self.nothing.warning(resource));
        reading.warn(self.gaps.warning(resource));
        reading.warn(self.errors.warning(resource));
        let nulls = self.nulls;
        reading.warn((nulls > 0).then(|| {
            let records = if nulls == 1 { "1 record is" } else { &format!("{nulls} records are") };
            format!("resource {resource}: {records} null in the answers, and not loaded")
        }));
    }
}

/// Where a page may have errors beside its records, as in GraphQL.
pub(crate) fn watched(selector: Option<&Path>) -> Vec<Path> {
    let Some([Segment::Key(first), ..]) = selector.map(Path::segments) else { return Vec::new() };
    let keys = ["errors", "error"].into_iter().filter(|key| first != key);
    keys.map(|key| Path::of_keys(&[key])).collect()
}

/// Whether raw JSON is more than null, false, zero, an empty text, list or object.
fn says_something(raw: &str) -> bool {
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
    fn warning(self, resource: &str) -> Option<String> {
        let first = self.first?;
        let pages =
            if self.pages == 1 { "1 page has" } else { &format!("{} pages have", self.pages) };
        Some(format!("resource {resource}: {pages} errors beside the records; the first: {first}"))
    }
}

/// Pages with fewer records than were asked for, and others behind them: an offset counts on full ones.
#[derive(Default)]
pub(crate) struct Gaps {
    /// How many such pages.
    pages: u64,
    size: u64,
    /// The most records of any page.
    most: u64,
}

impl Gaps {
    /// Takes a page; `short` says that the one before it was not full.
    pub(crate) fn page(&mut self, size: u64, records: u64, short: bool) {
        self.size = size;
        self.most = self.most.max(records);
        self.pages += u64::from(short && records > 0);
    }

    /// A source that sometimes gives less has left something out on purpose; one that never gives what is
    /// asked for has a limit of its own, and what is beyond it is skipped.
    fn warning(self, resource: &str) -> Option<String> {
        let Self { pages, size, most } = self;
        (pages > 0 && most < size).then(|| {
            format!(
                "resource {resource}: no page had more than {most} records, where {size} were asked for, and \
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

    fn warning(self, resource: &str) -> Option<String> {
        let (selector, keys) = self.first?;
        let keys = if keys.is_empty() { "none".to_owned() } else { keys.join(", ") };
        Some(format!(
            "resource {resource}: nothing at {selector} on {} pages, which were taken as empty (keys of \
             the first: {keys})",
            self.pages
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_says_something() {
        for raw in ["null", "false", "0", "\"\"", "[]", "{}", "[ ]"] {
            assert!(!says_something(raw), "{raw}");
        }
        for raw in ["true", "1", "\"no\"", "[{}, 1]", "{\"code\":7}", "[\"no\"]"] {
            assert!(says_something(raw), "{raw}");
        }
    }

    #[test]
    fn watches_what_is_beside_the_records() {
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
