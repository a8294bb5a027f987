//! What the data may bring to a table: dlt's schema contracts, as they bear on one row.
//!
//! A row is judged before the lists in it are read, as dlt does it: what is left out takes its
//! descendants along, and what they would have brought is never looked at. So where there are rules at
//! all, each object is walked twice, first for its values and then for its lists; where there are none,
//! nothing here is ever asked.
//!
//! Source: dlt 1.31, `common/schema/schema.py` (`apply_schema_contract`) and
//! `normalize/items_normalizers/jsonl.py` (`_normalize_chunk`).

use std::collections::BTreeMap;

use crate::fault::{Fault, FaultKind};

/// What becomes of something new that is not welcome.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// The load fails.
    Freeze,
    /// The row that brings it is left out, and what is nested in it.
    Row,
    /// The value is left out.
    Value,
}

/// What a table takes; where nothing is said, everything is welcome.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rules {
    /// New tables: this one, and those that are nested in it.
    pub tables: Option<Refusal>,
    /// New columns of a table that is not new.
    pub columns: Option<Refusal>,
    /// New columns for what another column cannot hold.
    pub data_type: Option<Refusal>,
    /// The table is new with this load, whose rows may all bring columns.
    pub once: bool,
}

impl Rules {
    /// Whether anything could be refused.
    pub(super) fn refuse(&self) -> bool {
        self.tables.is_some() || self.columns.is_some() || self.data_type.is_some()
    }

    /// The rules of a table that the data brings, nested in one of these rules.
    pub(super) fn nested(&self) -> Self {
        Self { once: false, ..*self }
    }
}

/// What was left out, counted.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    counts: BTreeMap<(String, String), u64>,
    /// Of the record that is being taken.
    open: Vec<(String, String)>,
}

impl LeftOut {
    pub(super) fn add(&mut self, table: &str, what: String) {
        self.open.push((table.to_owned(), what));
    }

    /// The record is taken.
    pub(super) fn keep(&mut self) {
        for what in self.open.drain(..) {
            *self.counts.entry(what).or_default() += 1;
        }
    }

    /// The record is walked again, or refused.
    pub(super) fn forget(&mut self) {
        self.open.clear();
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        self.counts.iter().map(|((table, what), count)| {
            format!("table {table}: {what}, as the schema contract has it; {count} left out")
        })
    }
}

/// The fault of something new where all is frozen.
#[cold]
pub(super) fn frozen(expected: &str, found: impl std::fmt::Display) -> Fault {
    Fault::new(
        FaultKind::Contract,
        format_args!("expected {expected}, for the schema contract freezes them, found {found}"),
    )
}
