//! Sources that would never end: pages that refer to one another in a circle, and sources that give the
//! same page whatever they are asked for.

use std::hash::{BuildHasher, Hash};

use rustc_hash::FxBuildHasher;

use crate::fault::{Fault, Result};

/// Finds out whether references go round in a circle, and holds two of them for it (Brent).
#[derive(Clone, Debug, Default)]
pub(super) struct Loop {
    count: u64,
    last: Option<String>,
    mark: Option<String>,
}

impl Loop {
    /// How many there were.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// Takes the reference of the next page; whether it was there before.
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

/// Notices a source that gives the same page whatever it is asked for.
#[derive(Clone, Debug)]
pub(in crate::sources::rest) struct Repeats {
    keyed: bool,
    /// What is asked with is a guess.
    guessed: bool,
    pages: Same,
    records: Same,
    /// How many pages in a row had no records.
    empty: u32,
}

/// How often in a row a text was the same.
#[derive(Clone, Debug, Default)]
struct Same {
    count: u32,
    last: Option<u64>,
}

/// How many pages in a row may have no records, where each says that there is more: some sources look
/// through much to find a little, and some refer to a next page for ever.
const EMPTY: u32 = 10_000;

impl Repeats {
    /// Of pages whose records have keys, or have none.
    pub(in crate::sources::rest) fn new(keyed: bool) -> Self {
        Self { keyed, guessed: false, pages: Same::default(), records: Same::default(), empty: 0 }
    }

    /// What is asked with is a guess from now on: the second page that is the same is one too many.
    pub(in crate::sources::rest) const fn guess(&mut self) {
        self.guessed = true;
    }

    /// Whether what is asked with is a guess.
    pub(in crate::sources::rest) const fn is_guess(&self) -> bool {
        self.guessed
    }

    /// Takes a page and the part of it that its records are: what is around them (a time, a new token) may
    /// differ in any case. `param` is what was asked with; none where the source itself said what to ask.
    ///
    /// Two pages with the same keys are not two pages. Records without a key may be all alike; but hardly
    /// whole pages three times, or all records of ten.
    ///
    /// # Errors
    /// A source fault when there are too many of the same.
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

/// Enough of records to know them again: pages are large, and this is done with each.
fn ends(records: &str) -> (usize, &[u8], &[u8]) {
    const SOME: usize = 4096;
    let bytes = records.as_bytes();
    let first = bytes.get(..SOME).unwrap_or(bytes);
    let last = bytes.get(bytes.len().saturating_sub(SOME)..).unwrap_or_default();
    (bytes.len(), first, last)
}

impl Same {
    /// How often it is by now.
    fn take(&mut self, what: impl Hash) -> u32 {
        let digest = FxBuildHasher.hash_one(what);
        self.count = if self.last == Some(digest) { self.count.saturating_add(1) } else { 1 };
        self.last = Some(digest);
        self.count
    }
}
