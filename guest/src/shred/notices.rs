//! What a person should know of the records of a family: warnings, and what the schema contract discarded.

use std::collections::BTreeMap;

/// Warnings, each once.
#[derive(Debug, Default)]
pub(super) struct Notices {
    warnings: Vec<String>,
    pub(super) discarded: Discarded,
}

impl Notices {
    /// Adds a warning, unless it is among them.
    #[cold]
    pub(super) fn warn(&mut self, warning: String) {
        const MOST: usize = 100;
        if self.warnings.len() < MOST && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// The warnings, those of discarded rows and values included.
    pub(super) fn lines(&self) -> Vec<String> {
        self.warnings.iter().cloned().chain(self.discarded.lines()).collect()
    }
}

/// Counts of discarded rows, values and lists.
#[derive(Debug, Default)]
pub(super) struct Discarded {
    counts: BTreeMap<(String, String), u64>,
    /// Those of the record that is being walked.
    open: Vec<(String, String)>,
}

impl Discarded {
    /// Returns `true` if nothing was discarded.
    pub(super) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Notes that the record lost a row or a value of a table.
    pub(super) fn add(&mut self, table: &str, what: String) {
        self.open.push((table.to_owned(), what));
    }

    /// Counts what the record lost.
    #[inline]
    pub(super) fn keep(&mut self) {
        for what in self.open.drain(..) {
            *self.counts.entry(what).or_default() += 1;
        }
    }

    /// Forgets what the record lost: it is rejected, or walked again.
    pub(super) fn undo(&mut self) {
        self.open.clear();
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        self.counts.iter().map(|((table, what), count)| {
            format!("table {table}: {what}, as the schema contract has it; {count} discarded")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_walked_records_lost_is_counted() {
        let mut notices = Notices::default();
        notices.discarded.add("t", "rows".to_owned());
        notices.discarded.undo();
        notices.discarded.keep();
        assert!(notices.discarded.is_empty());
        for _ in 0..2 {
            notices.discarded.add("t", "rows".to_owned());
            notices.discarded.keep();
        }
        notices.warn("once".to_owned());
        notices.warn("once".to_owned());
        let expect = ["once", "table t: rows, as the schema contract has it; 2 discarded"];
        assert_eq!(notices.lines(), expect);
    }
}
