//! The options of a family of tables, set before its first record.

use crate::dlt::coerce::{self, Scalar};
use crate::dlt::naming::Convention;
use crate::dlt::types::{DataType, Kind};

/// The staged column with the number of the root row in the load.
pub(crate) const SEQ: &str = "_snowcat_seq";

/// The options of a family of tables.
pub(crate) struct ShredOptions {
    /// The naming convention.
    pub(crate) convention: Convention,
    /// The normalized name of the root table.
    pub(crate) table: String,
    /// The levels of nesting that become columns and tables; deeper values are stored as JSON.
    pub(crate) max_nesting: i64,
    /// The load's id, for `_dlt_load_id`.
    pub(crate) load_id: String,
    /// The source of a root row's id.
    pub(crate) root_id: RootId,
    /// The value that nested rows carry as `_dlt_root_id`.
    pub(crate) root_key: RootKey,
    /// The rows that carry the number of their root row.
    pub(crate) sequence: Sequence,
    /// The paths that are unnested; other nested values are stored as JSON. `None`: all paths.
    pub(crate) unnest: Option<UnnestRule>,
    /// The types of columns by name, regardless of the first value.
    pub(crate) preferred: Option<Preferred>,
    /// Whether strings are never read as timestamps.
    pub(crate) texts_only: bool,
    /// Whether the numbers of a new column may widen its type.
    pub(crate) widen: bool,
    /// The maximum number of columns of a table, after which the widest objects are stored as JSON.
    pub(crate) max_columns: usize,
    /// The maximum number of tables of the family.
    pub(crate) max_tables: usize,
}

/// Returns the type of the columns with a name, if it is fixed.
pub(crate) type Preferred = Box<dyn Fn(&str) -> Option<DataType>>;

/// Returns `true` if the nested values at a path are unnested. The path is the raw keys from the record's root;
/// lists add none.
pub(crate) type UnnestRule = Box<dyn Fn(&[String]) -> bool>;

/// The source of the ids of root rows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum RootId {
    /// The values of these columns: the primary key.
    Key(Vec<String>),
    /// The load and the number of the row.
    Numbered,
    /// The complete record, including nested values.
    Record,
}

/// The value that the rows nested in a row carry as `_dlt_root_id`.
/// Source: dlt 1.31, `common/normalizers/json/relational.py`, `extend_table` and `_get_propagated_values`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum RootKey {
    /// The last of these columns that the row has.
    Columns {
        /// Normalized names.
        names: Vec<String>,
        /// Whether the row's id is used if it has none of the columns. Otherwise such a row is an
        /// error.
        or_id: bool,
    },
    /// The row's id.
    Id,
    /// Nothing.
    None,
}

/// Rows that are elements of lists, and also root rows of their own family: dlt's nested tables
/// with a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct NestedRoot {
    /// The source of the rows' ids.
    pub(crate) root_id: RootId,
    /// The value that the rows nested in them carry as `_dlt_root_id`. `None`: the value that these
    /// rows carry.
    pub(crate) root_key: RootKey,
    /// The rows that carry the number of their root row.
    pub(crate) sequence: Sequence,
}

/// The rows that carry the number of their root row in the load, in the column [`SEQ`]. The column
/// is only staged, never stored: it orders rows of one key, and assigns nested rows to one of
/// several root rows that share an id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sequence {
    /// Root rows and nested rows.
    All,
    /// No rows.
    None,
    /// Root rows.
    Root,
}

impl ShredOptions {
    /// The type of the columns with this name, if it is fixed.
    pub(super) fn preferred(&self, column: &str) -> Option<DataType> {
        self.preferred.as_ref().and_then(|preferred| preferred(column))
    }

    /// The type of a new column whose first value this is.
    pub(super) fn inferred(&self, value: Scalar<'_>) -> Kind {
        if self.texts_only { Kind::of(value.form()) } else { coerce::infer(value) }
    }

    /// The maximum number of columns including those that `max_columns` does not limit: objects
    /// stored as JSON, variant columns, and separate columns of keys that share a name.
    pub(super) fn most_columns(&self) -> usize {
        self.max_columns.saturating_mul(2)
    }
}

impl RootKey {
    /// The root key of a table, made of the columns from which its schema takes `_dlt_root_id`, in
    /// order.
    pub(crate) fn of(columns: &[&str]) -> Self {
        const ID: &str = "_dlt_id";
        // Every row has an id, so columns before it are never used.
        let or_id = columns.iter().rposition(|name| *name == ID);
        let behind = columns.get(or_id.map_or(0, |at| at + 1)..).unwrap_or_default();
        match (behind, or_id) {
            ([], None) => Self::None,
            ([], Some(_)) => Self::Id,
            (names, or_id) => {
                let names = names.iter().map(|name| (*name).to_owned()).collect();
                Self::Columns { names, or_id: or_id.is_some() }
            }
        }
    }
}
