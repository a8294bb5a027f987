//! What a family of tables is made of.

use super::{RootId, RootKey, UnnestRule};
use crate::dlt::coerce::{self, Scalar};
use crate::dlt::naming::Convention;
use crate::dlt::types::{DataType, Kind};

/// What a family of tables is made of, decided before the first record.
pub struct ShredOptions {
    /// How names are made.
    pub convention: Convention,
    /// The root table's name, normalised.
    pub table: String,
    /// Levels of nesting that become columns and tables; what is deeper is kept as JSON.
    pub max_nesting: i64,
    /// The load's id, for `_dlt_load_id`.
    pub load_id: String,
    /// Where a root row's id comes from.
    pub root_id: RootId,
    /// What child rows carry as `_dlt_root_id`.
    pub root_key: RootKey,
    /// Which rows carry the number of their root row.
    pub sequence: Sequence,
    /// When set, what is unnested; everything else that is nested is kept as JSON.
    pub unnest: Option<UnnestRule>,
    /// The types that columns of some names are to have, whatever the first value is.
    pub preferred: Option<Preferred>,
    /// Whether a text that reads as a timestamp is a text all the same.
    pub texts_only: bool,
    /// Whether the numbers of a new column may widen its type.
    pub widen: bool,
    /// Columns a table may have before the widest objects are kept as JSON.
    pub max_columns: usize,
    /// Tables the family may have.
    pub max_tables: usize,
}

/// The type that a column of this name is to have, if any.
pub type Preferred = Box<dyn Fn(&str) -> Option<DataType>>;

impl ShredOptions {
    pub(super) fn preferred(&self, column: &str) -> Option<DataType> {
        self.preferred.as_ref().and_then(|preferred| preferred(column))
    }

    /// The type of a new column that begins with this value, if its name does not tell.
    pub(super) fn inferred(&self, value: Scalar<'_>) -> Kind {
        if self.texts_only { Kind::of(value.form()) } else { coerce::infer(value) }
    }
}

/// Which rows carry the number of their root row in the load, in the column [`SEQ`]. It is staged
/// only, never kept: it ranks rows of one key, and ties child rows to one of several root rows that
/// share an id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sequence {
    /// Root and child rows.
    All,
    /// None.
    None,
    /// Root rows.
    Root,
}

/// The staged column that holds the number of the root row in the load.
pub const SEQ: &str = "_snowcat_seq";
