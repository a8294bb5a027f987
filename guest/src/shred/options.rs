//! What a family of tables is made of, decided before its first record.

use crate::dlt::coerce::{self, Scalar};
use crate::dlt::naming::Convention;
use crate::dlt::types::{DataType, Kind};

/// The staged column that holds the number of the root row in the load.
pub(crate) const SEQ: &str = "_snowcat_seq";

/// What a family of tables is made of.
pub(crate) struct ShredOptions {
    /// How names are made.
    pub(crate) convention: Convention,
    /// The root table's name, normalised.
    pub(crate) table: String,
    /// Levels of nesting that become columns and tables; what is deeper is stored as JSON.
    pub(crate) max_nesting: i64,
    /// The load's id, for `_dlt_load_id`.
    pub(crate) load_id: String,
    /// Where a root row's id comes from.
    pub(crate) root_id: RootId,
    /// What child rows carry as `_dlt_root_id`.
    pub(crate) root_key: RootKey,
    /// Which rows carry the number of their root row.
    pub(crate) sequence: Sequence,
    /// What is unnested; everything else that is nested is stored as JSON. `None`: everything is unnested.
    pub(crate) unnest: Option<UnnestRule>,
    /// The types of columns with certain names, whatever their first value is.
    pub(crate) preferred: Option<Preferred>,
    /// Strings are never read as timestamps.
    pub(crate) texts_only: bool,
    /// The numbers of a new column may widen its type.
    pub(crate) widen: bool,
    /// Columns a table may have before the widest objects are stored as JSON.
    pub(crate) max_columns: usize,
    /// Tables the family may have.
    pub(crate) max_tables: usize,
}

/// Returns the type of the columns with a name, if it is fixed.
pub(crate) type Preferred = Box<dyn Fn(&str) -> Option<DataType>>;

/// Returns `true` if the nested values at a path are unnested. The path is the raw keys from the record's root;
/// lists add none.
pub(crate) type UnnestRule = Box<dyn Fn(&[String]) -> bool>;

/// Where the ids of root rows come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum RootId {
    /// The values of these columns: the primary key.
    Key(Vec<String>),
    /// The load and the number of the row in it.
    Numbered,
    /// The whole record, what is nested in it too.
    Record,
}

/// What the rows nested in a row carry as `_dlt_root_id`.
/// Source: dlt 1.31, `common/normalizers/json/relational.py`, `extend_table` and `_get_propagated_values`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum RootKey {
    /// The value of one of these columns of the row: of those that it has, the last one.
    Columns {
        /// Names, normalised.
        names: Vec<String>,
        /// The row's id is used if it has none of the columns. Otherwise a row without them is an error.
        or_id: bool,
    },
    /// The row's id.
    Id,
    /// Nothing.
    None,
}

/// Rows that are elements of lists, and yet root rows of a family of their own: dlt's nested tables with a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct NestedRoot {
    /// Where the rows' ids come from.
    pub(crate) root_id: RootId,
    /// What the rows nested in them carry as `_dlt_root_id`. `None`: what these rows carry themselves.
    pub(crate) root_key: RootKey,
    /// Which rows carry the number of their root row.
    pub(crate) sequence: Sequence,
}

/// Which rows carry the number of their root row in the load, in the column [`SEQ`]. It is staged only, never stored:
/// it ranks rows of one key, and ties child rows to one of several root rows that share an id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sequence {
    /// Root and child rows.
    All,
    /// None.
    None,
    /// Root rows.
    Root,
}

impl ShredOptions {
    /// The type of the columns with this name, if it is fixed.
    pub(super) fn preferred(&self, column: &str) -> Option<DataType> {
        self.preferred.as_ref().and_then(|preferred| preferred(column))
    }

    /// The type of a new column whose first value is this one.
    pub(super) fn inferred(&self, value: Scalar<'_>) -> Kind {
        if self.texts_only { Kind::of(value.form()) } else { coerce::infer(value) }
    }

    /// The columns a table may have with those that `max_columns` does not exclude: objects stored as JSON, variant
    /// columns, keys whose name belongs to another key.
    pub(super) fn most_columns(&self) -> usize {
        self.max_columns.saturating_mul(2)
    }
}

impl RootKey {
    /// The root key of a table, by the columns from which its schema takes `_dlt_root_id`, in their order.
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
