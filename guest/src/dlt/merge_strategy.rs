//! The merge strategies of dlt and their properties. Each question about a strategy is a method
//! here. A new strategy is a variant, a row of `MergeStrategy::facts`, and its statements.

/// How the staged rows of a table are merged with the existing ones.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum MergeStrategy {
    /// Deletes the existing rows with a staged key, then inserts the staged rows.
    #[default]
    DeleteInsert,
    /// Updates the existing rows with a staged key, and inserts the other staged rows.
    Upsert,
    /// Inserts the staged rows whose key does not exist.
    InsertOnly,
    /// Keeps every version of a row, with the time span in which it was valid.
    Scd2,
    /// As `Upsert`, and deletes the existing rows that are not staged.
    Cdc,
}

/// Whether nested rows carry the id of their root row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RootKeyNeed {
    /// In all nested tables.
    Always,
    /// Only if all nested tables are new. dlt does not add the column for the strategy, so tables
    /// that dlt created keep their columns.
    IfNew,
}

/// The source of the id of a root row.
/// Source: dlt 1.31, `common/normalizers/json/helpers.py`, `get_root_row_id_type`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RowIdSource {
    /// The load id and the number of the record.
    Number,
    /// The primary key.
    PrimaryKey,
    /// The content of the record: the id identifies the version of the row.
    Content,
}

/// The columns by which staged rows are duplicates of one row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Duplicates {
    /// The primary key.
    PrimaryKey,
    /// The primary key, unless the job declares that the staged rows are distinct.
    PrimaryKeyUnlessDistinct,
    /// The primary key and the version of the row.
    Version,
}

struct StrategyFacts {
    name: &'static str,
    /// The options that a job may set (`MERGE_STRATEGY_OPTIONS` in `common/schema/typing.py`).
    /// `newer_by` is not an option of dlt.
    options: &'static [&'static str],
    root_key: RootKeyNeed,
    row_id: RowIdSource,
    duplicates: Duplicates,
    /// Whether the first of several duplicates is kept rather than the last.
    keeps_first: bool,
    /// Whether existing rows may end because no row with their key is staged.
    ends_absent: bool,
    /// Whether nested rows always go through staging tables.
    stages_children: bool,
    /// Whether existing nested rows are deleted with their root row.
    deletes_children: bool,
}

impl MergeStrategy {
    /// All strategies, in the order in which errors list them.
    pub(crate) const ALL: [Self; 5] =
        [Self::DeleteInsert, Self::Upsert, Self::InsertOnly, Self::Scd2, Self::Cdc];

    /// The strategy with this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.name() == name)
    }

    /// The name in a job and in a schema.
    pub(crate) const fn name(self) -> &'static str {
        self.facts().name
    }

    /// Returns `true` if a job may set this option.
    pub(crate) fn allows(self, option: &str) -> bool {
        self.facts().options.contains(&option)
    }

    /// Whether nested rows carry the id of their root row.
    pub(crate) const fn root_key(self) -> RootKeyNeed {
        self.facts().root_key
    }

    /// The source of the id of a root row.
    pub(crate) const fn row_id(self) -> RowIdSource {
        self.facts().row_id
    }

    /// Returns `true` if rows are matched by the primary key only, which is then required.
    pub(crate) const fn matches_by_primary_key(self) -> bool {
        matches!(self.row_id(), RowIdSource::PrimaryKey)
    }

    /// The columns by which staged rows are duplicates of one row.
    pub(crate) const fn duplicates(self) -> Duplicates {
        self.facts().duplicates
    }

    /// Returns `true` if the first of several duplicates is kept, `false` if the last is.
    pub(crate) const fn keeps_first(self) -> bool {
        self.facts().keeps_first
    }

    /// Returns `true` if existing rows may end because no row with their key is staged.
    pub(crate) const fn ends_absent(self) -> bool {
        self.facts().ends_absent
    }

    /// Returns `true` if existing rows are retired and new versions inserted; rows are not changed
    /// otherwise.
    pub(crate) const fn keeps_versions(self) -> bool {
        matches!(self.duplicates(), Duplicates::Version)
    }

    /// Returns `true` if nested rows always go through staging tables, because their root rows
    /// decide which are inserted.
    pub(crate) const fn stages_children(self) -> bool {
        self.facts().stages_children
    }

    /// Returns `true` if existing nested rows are deleted with their root row.
    pub(crate) const fn deletes_children(self) -> bool {
        self.facts().deletes_children
    }

    const fn facts(self) -> StrategyFacts {
        match self {
            Self::DeleteInsert => StrategyFacts {
                name: "delete-insert",
                options: &["deduplicated", "source_filter", "destination_scope", "newer_by"],
                root_key: RootKeyNeed::Always,
                row_id: RowIdSource::Number,
                duplicates: Duplicates::PrimaryKeyUnlessDistinct,
                keeps_first: false,
                ends_absent: false,
                stages_children: false,
                deletes_children: true,
            },
            Self::Upsert => StrategyFacts {
                name: "upsert",
                options: &[
                    "source_filter",
                    "skip_unchanged_rows",
                    "row_version_column_name",
                    "newer_by",
                ],
                root_key: RootKeyNeed::Always,
                row_id: RowIdSource::PrimaryKey,
                duplicates: Duplicates::PrimaryKey,
                keeps_first: false,
                ends_absent: false,
                stages_children: true,
                deletes_children: true,
            },
            Self::InsertOnly => StrategyFacts {
                name: "insert-only",
                options: &[],
                root_key: RootKeyNeed::Always,
                row_id: RowIdSource::PrimaryKey,
                duplicates: Duplicates::PrimaryKey,
                keeps_first: true,
                ends_absent: false,
                stages_children: true,
                deletes_children: false,
            },
            Self::Scd2 => StrategyFacts {
                name: "scd2",
                options: &[
                    "source_filter",
                    "destination_scope",
                    "row_version_column_name",
                    "validity_column_names",
                    "active_record_timestamp",
                    "boundary_timestamp",
                ],
                root_key: RootKeyNeed::IfNew,
                row_id: RowIdSource::Content,
                duplicates: Duplicates::Version,
                keeps_first: false,
                ends_absent: true,
                stages_children: true,
                deletes_children: false,
            },
            Self::Cdc => StrategyFacts {
                name: "cdc",
                options: &[
                    "source_filter",
                    "destination_scope",
                    "skip_unchanged_rows",
                    "row_version_column_name",
                    "newer_by",
                ],
                root_key: RootKeyNeed::Always,
                row_id: RowIdSource::PrimaryKey,
                duplicates: Duplicates::PrimaryKey,
                keeps_first: false,
                ends_absent: true,
                stages_children: true,
                deletes_children: true,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct() {
        for strategy in MergeStrategy::ALL {
            assert_eq!(MergeStrategy::parse(strategy.name()), Some(strategy));
        }
        assert_eq!(MergeStrategy::parse("merge"), None);
    }
}
