//! Messages about the records of a family: warnings, and counts of what the schema contract
//! discarded.

use std::collections::BTreeMap;

/// Warnings, each once.
#[derive(Debug, Default)]
pub(super) struct Notices {
    warnings: Vec<String>,
    pub(super) discarded: Discarded,
}

impl Notices {
    /// Adds a warning unless it exists.
    #[cold]
    pub(super) fn warn(&mut self, warning: String) {
        const MOST: usize = 100;
        if self.warnings.len() < MOST && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// The warnings, including those about discarded rows and values.
    pub(super) fn lines(&self) -> Vec<String> {
        self.warnings.iter().cloned().chain(self.discarded.lines()).collect()
    }
}

/// Counts of discarded rows, values and lists.
#[derive(Debug, Default)]
pub(super) struct Discarded {
    counts: BTreeMap<(String, String), u64>,
    /// Those of the current record.
    open: Vec<(String, String)>,
}

impl Discarded {
    /// Returns `true` if nothing was discarded.
    pub(super) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Records that a row or a value of a table was discarded.
    pub(super) fn add(&mut self, table: &str, what: String) {
        self.open.push((table.to_owned(), what));
    }

    /// Counts what was discarded of the record.
    #[inline]
    pub(super) fn keep(&mut self) {
        for what in self.open.drain(..) {
            *self.counts.entry(what).or_default() += 1;
        }
    }

    /// Drops the counts of the record: it is rejected, or its walk restarts.
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
    fn only_completed_records_are_counted() {
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
