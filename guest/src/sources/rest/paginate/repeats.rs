//! Detection of sources that never end: pages that refer to one another in a cycle, and sources
//! that return the same page for different requests.

use std::hash::{BuildHasher, Hash};

use rustc_hash::FxBuildHasher;

use crate::fault::{Fault, Result};

/// Detects a cycle of references, keeping only two of them (Brent's algorithm).
#[derive(Clone, Debug, Default)]
pub(super) struct Loop {
    count: u64,
    last: Option<String>,
    mark: Option<String>,
}

impl Loop {
    /// The number of references.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// Adds the reference to the next page. Returns `true` if it closes a cycle.
    pub(super) fn closes(&mut self, reference: &str) -> bool {
        let closes = [&self.last, &self.mark].into_iter().flatten().any(|seen| seen == reference);
        self.count += 1;
        self.last = Some(reference.to_owned());
        if self.count.is_power_of_two() {
            self.mark.clone_from(&self.last);
        }
        closes
    }
}

/// Detects a source that returns the same page for different requests.
#[derive(Clone, Debug)]
pub(in crate::sources::rest) struct Repeats {
    keyed: bool,
    /// Whether the requests rely on a guess.
    guessed: bool,
    pages: Same,
    records: Same,
    /// The number of consecutive pages without records.
    empty: u32,
}

/// The number of consecutive repetitions of a value.
#[derive(Clone, Debug, Default)]
struct Same {
    count: u32,
    last: Option<u64>,
}

/// The maximum number of consecutive pages without records that all announce more: some sources
/// search much data for few results, and some refer to a next page forever.
const EMPTY: u32 = 10_000;

impl Repeats {
    /// `keyed`: the records have keys.
    pub(in crate::sources::rest) fn new(keyed: bool) -> Self {
        Self { keyed, guessed: false, pages: Same::default(), records: Same::default(), empty: 0 }
    }

    /// Marks the requests as relying on a guess from now on: then the first repeated page is an
    /// error.
    pub(in crate::sources::rest) const fn guess(&mut self) {
        self.guessed = true;
    }

    /// Returns `true` if the requests rely on a guess.
    pub(in crate::sources::rest) const fn is_guess(&self) -> bool {
        self.guessed
    }

    /// Checks a page and the part of it with the records: what surrounds them (a time, a new token)
    /// may differ in any case. `param` is the parameter of the request, or `None` if the source
    /// returned the URL.
    ///
    /// Two pages with the same keys are the same page. Records without keys may be equal, but
    /// hardly three whole pages, or all records of ten pages.
    ///
    /// # Errors
    /// A source fault if too many pages are the same.
    pub(in crate::sources::rest) fn take(
        &mut self,
        param: Option<&str>,
        page: &str,
        records: &str,
    ) -> Result<()> {
        if records.is_empty() {
            self.empty = self.empty.saturating_add(1);
            return match self.empty > EMPTY {
                false => Ok(()),
                true => Err(Fault::source(format_args!(
                    "expected an end, found {EMPTY} pages in a row without records"
                ))),
            };
        }
        self.empty = 0;
        let Some(param) = param else { return Ok(()) };
        let many = if self.keyed || self.guessed {
            self.records.take(ends(records)) > 1
        } else {
            self.pages.take(page) > 2 || self.records.take(records) > 9
        };
        if many {
            let hint = match self.guessed {
                true => " (which is a guess: name the paginator)",
                false => "",
            };
            return Err(Fault::source(format_args!(
                "expected a new page, found the records of the one before, byte for byte: the source \
                 seems to ignore {param:?}{hint}"
            )));
        }
        Ok(())
    }
}

/// A part of the records that is enough to recognize them: pages are large, and every page is
/// checked.
fn ends(records: &str) -> (usize, &[u8], &[u8]) {
    const SOME: usize = 4096;
    let bytes = records.as_bytes();
    let first = bytes.get(..SOME).unwrap_or(bytes);
    let last = bytes.get(bytes.len().saturating_sub(SOME)..).unwrap_or_default();
    (bytes.len(), first, last)
}

impl Same {
    /// Returns the number of consecutive repetitions.
    fn take(&mut self, what: impl Hash) -> u32 {
        let digest = FxBuildHasher.hash_one(what);
        self.count = if self.last == Some(digest) { self.count.saturating_add(1) } else { 1 };
        self.last = Some(digest);
        self.count
    }
}
