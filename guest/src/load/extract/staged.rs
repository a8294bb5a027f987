//! The result of extraction, for publication: the staged rows of families of tables.

use crate::dlt::types::Kind;
use crate::job::DeliveredFormat;
use crate::load::plan::merge::WriteAction;

/// The staged rows of a root table and of the tables nested in it.
pub(crate) struct StagedFamily {
    pub(crate) resource: String,
    /// The root table.
    pub(crate) root: String,
    pub(crate) action: WriteAction,
    /// The root table first.
    pub(crate) tables: Vec<StagedTable>,
    /// Whether the root table has had rows, in this load or before.
    pub(crate) has_seen_data: bool,
    /// Whether the schema contract discarded rows or values.
    pub(crate) discarded: bool,
}

/// The staged rows of one table.
pub(crate) struct StagedTable {
    pub(crate) name: String,
    /// The columns that have values, in the table's order.
    pub(crate) columns: Vec<StagedColumn>,
    pub(crate) rows: u64,
    /// Where the files are under the stage.
    pub(crate) directory: String,
    /// The format of the files.
    pub(crate) format: DeliveredFormat,
}

/// A column that has values.
pub(crate) struct StagedColumn {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// The bytes of its longest value, if that is longer than the default of the type; else 0.
    pub(crate) longest: u64,
    /// Its position in files of CSV, from 1; 0 in other files.
    pub(crate) position: usize,
}

impl StagedFamily {
    fn staged_rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// Returns `true` if the load changes the tables of the family.
    pub(crate) fn changes(&self) -> bool {
        self.staged_rows() > 0 || (self.has_seen_data && self.deletes_absent())
    }

    /// Returns `true` if existing rows may be deleted although nothing was staged: a row that the contract
    /// discards counts as absent, as in dlt.
    fn deletes_absent(&self) -> bool {
        match &self.action {
            WriteAction::Append => false,
            WriteAction::Replace => true,
            WriteAction::Merge(plan) => self.discarded && plan.ends_unstaged_rows(),
        }
    }

    /// Returns `true` if nested rows may need staging tables of their own.
    pub(crate) fn stages_children(&self) -> bool {
        matches!(&self.action, WriteAction::Merge(plan) if plan.stages_children())
    }
}
