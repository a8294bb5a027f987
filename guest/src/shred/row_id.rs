//! Row ids.
//!
//! A child row's id is dlt's, always: a digest of its parent's id, its table and its place. A root
//! row's id is random in dlt where nothing depends on it; here it is a digest of the load and the row's
//! number, so that the same input gives the same bytes. Where dlt makes it of the primary key (upsert,
//! insert-only), it is the same digest here.

use std::collections::{BTreeMap, BTreeSet};

use super::ShredOptions;
use super::table::{ShredTable, store};
use crate::dlt::coerce::{self, Scalar};
use crate::dlt::hash;
use crate::dlt::naming::Convention;
use crate::dlt::orjson;
use crate::dlt::types::{DataType, Kind};
use crate::fault::{Fault, Result};
use crate::json::{Peek, Reader, unescape};

/// Where the ids of root rows come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RootId {
    /// The values of these columns: the primary key.
    Key(Vec<String>),
    /// The load and the number of the row in it.
    Numbered,
    /// The whole record, what is nested in it too.
    Record,
}

/// What the rows of a table are that are elements of lists, and yet begin a family of their own: dlt's
/// nested tables with a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NestedRoot {
    /// Where the rows' ids come from.
    pub root_id: RootId,
    /// What the rows nested in them carry as `_dlt_root_id`; where it is nothing, they carry what these
    /// rows do.
    pub root_key: RootKey,
    /// Which rows carry the number of the row that begins their family.
    pub sequence: super::Sequence,
}

/// The id of a row.
pub enum RowIdentity {
    /// Brought by the data.
    Given(String),
    /// A digest.
    Digest(hash::RowId),
    /// Not its id, but a value of it that nested rows know it by.
    Value(Box<RootValue>),
}

impl RowIdentity {
    /// The text of it.
    #[inline]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Given(id) => id,
            Self::Digest(id) => id.as_str(),
            Self::Value(value) => value.raw(),
        }
    }

    pub(super) fn given(id: &str) -> Self {
        Self::Given(id.to_owned())
    }
}

/// The ids of root rows that have no key to make them of: a stream of digest bytes that begins with
/// the load and the table, ten bytes a row. One permutation gives sixteen of them.
pub(super) struct Numbered {
    seed: String,
    /// Which block of the stream is at hand.
    block: u64,
    bytes: [u8; BLOCK],
}

/// Bytes of one block: what SHAKE128 gives before it must permute again.
const BLOCK: usize = 168;
/// Bytes of an id, as in dlt.
const ID: usize = 10;

impl Numbered {
    pub(super) fn new(load_id: &str, table: &str) -> Self {
        let seed = format!("{load_id}_{table}");
        Self { seed, block: u64::MAX, bytes: [0; BLOCK] }
    }

    pub(super) fn id(&mut self, number: u64) -> RowIdentity {
        let ids = (BLOCK / ID) as u64;
        let (block, at) = (number / ids, (number % ids) as usize * ID);
        if block != self.block {
            self.block = block;
            hash::shake128(format!("{}_{block}", self.seed).as_bytes(), &mut self.bytes);
        }
        let bytes = self.bytes.get(at..at + ID).and_then(|id| id.first_chunk());
        RowIdentity::Digest(hash::RowId::of_digest(bytes.unwrap_or(&[0; ID])))
    }
}

/// The id dlt gives a root row whose id tells its versions apart: the digest of the record with its keys
/// sorted, without what is dlt's own at the top.
/// Source: dlt, `common/normalizers/json/relational.py`, `_add_row_id`, and `helpers.py`,
/// `get_row_hash`.
pub(super) fn record_hash(record: &str) -> Result<String> {
    let mut members = BTreeMap::new();
    let mut reader = Reader::new(record);
    if reader.peek()? == Peek::Object {
        let mut more = reader.enter();
        while more {
            let key = unescape(reader.key()?);
            let raw = reader.skip()?;
            // The last of several counts.
            members.insert(key, raw);
            more = reader.more(b'}')?;
        }
    } else {
        members.insert("value".to_owned(), record.trim());
    }
    let mut text = String::from("{");
    for (key, raw) in members.iter().filter(|(key, _)| !key.starts_with("_dlt")) {
        if text.len() > 1 {
            text.push(',');
        }
        orjson::push_string(&mut text, key);
        text.push(':');
        text.push_str(&orjson::canonical_sorted(raw)?);
    }
    text.push('}');
    Ok(hash::b64_digest(text.as_bytes(), 10))
}

/// The id dlt gives a root row whose id is made of its key: the digest of an object of the key columns,
/// sorted by name, with the values as they stand in the record.
/// Source: dlt, `common/normalizers/json/helpers.py`, `get_row_hash`.
pub(super) fn key_hash(
    record: &str,
    columns: &[String],
    convention: &Convention,
) -> Result<String> {
    let found = raw_values(record, columns, convention)?;
    let names: BTreeSet<&String> = columns.iter().collect();
    let mut text = String::from("{");
    for name in names {
        if text.len() > 1 {
            text.push(',');
        }
        orjson::push_string(&mut text, name);
        text.push(':');
        // A key column may be NULL, or missing, where the job allows it: if it does not, the row is
        // refused.
        let value = found.get(name.as_str()).map(|raw| orjson::canonical(raw)).transpose()?;
        text.push_str(value.as_deref().unwrap_or("null"));
    }
    text.push('}');
    Ok(hash::b64_digest(text.as_bytes(), 10))
}

/// The values of these columns, as the record spells them; the last of several counts.
pub(super) fn raw_values<'r, 'c>(
    record: &'r str,
    columns: &'c [String],
    convention: &Convention,
) -> Result<BTreeMap<&'c str, &'r str>> {
    let mut values = BTreeMap::new();
    let mut reader = Reader::new(record);
    if reader.peek()? == Peek::Object {
        find(&mut reader, &[], columns, convention, &mut values)?;
    } else if let Some(column) = columns.iter().find(|column| *column == "value") {
        values.insert(column.as_str(), record.trim());
    }
    Ok(values)
}

fn find<'r, 'c>(
    reader: &mut Reader<'r>,
    path: &[String],
    columns: &'c [String],
    convention: &Convention,
    values: &mut BTreeMap<&'c str, &'r str>,
) -> Result<()> {
    let mut more = reader.enter();
    while more {
        let norm = convention.norm(&unescape(reader.key()?));
        let parts: Vec<&str> = path.iter().map(String::as_str).chain([norm.as_str()]).collect();
        let name =
            if path.is_empty() { norm.clone() } else { convention.shorten_fragments(&parts) };
        let peek = reader.peek()?;
        let raw = reader.skip()?;
        match peek {
            Peek::Object => {
                let path: Vec<String> = path.iter().cloned().chain([norm]).collect();
                find(&mut Reader::new(raw), &path, columns, convention, values)?;
            }
            _ => {
                if let Some(column) = columns.iter().find(|column| **column == name) {
                    values.insert(column.as_str(), raw);
                }
            }
        }
        more = reader.more(b'}')?;
    }
    Ok(())
}

/// What the rows nested in a row carry as `_dlt_root_id`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RootKey {
    /// The value of these columns of the row: of those it has, the last one; its id, where that is said
    /// and it has none of them.
    Columns {
        /// Names, normalised.
        names: Vec<String>,
        /// Whether the id stands in.
        or_id: bool,
    },
    /// Its id.
    Id,
    /// Nothing.
    None,
}

/// A value of a root row, as nested rows have it.
pub struct RootValue {
    /// As the record spells it.
    raw: String,
    /// Its type in a column that has none yet.
    kind: Kind,
}

impl RootKey {
    /// The key of columns: those from which `_dlt_root_id` is taken, in their order.
    pub fn of(columns: &[&str]) -> Self {
        const ID: &str = "_dlt_id";
        // Every row has an id: what is said before it never counts.
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

    /// What the rows nested in this record carry instead of its id.
    #[cold]
    pub(super) fn value(
        &self,
        record: &str,
        options: &ShredOptions,
    ) -> Result<Option<RowIdentity>> {
        let Self::Columns { names, or_id } = self else { return Ok(None) };
        let found = raw_values(record, names, &options.convention)?;
        let raw = names.iter().rev().find_map(|name| found.get(name.as_str()).copied());
        let raw = match raw {
            None if *or_id => return Ok(None),
            raw => raw.unwrap_or("null"),
        };
        let kind = match (options.preferred("_dlt_root_id"), raw) {
            (Some(data_type), _) => Kind::of(data_type),
            // There may be no rows to carry it.
            (None, "null") => Kind::of(DataType::Text),
            (None, raw) => with_scalar(raw, |value| Ok(options.inferred(value)))?,
        };
        Ok(Some(RowIdentity::Value(Box::new(RootValue { raw: raw.to_owned(), kind }))))
    }
}

impl RootValue {
    /// As the record spells it.
    pub(super) fn raw(&self) -> &str {
        &self.raw
    }
}

impl ShredTable {
    /// Puts the value of the root row into a nested row.
    #[cold]
    pub(super) fn system_value(
        &mut self,
        row: u32,
        name: &'static str,
        value: &RootValue,
    ) -> Result<()> {
        with_scalar(&value.raw, |scalar| {
            let (kind, values) = self.system_column(name, value.kind);
            let datum = coerce::coerce(&scalar, &kind).ok_or_else(|| {
                let (expected, found) = (kind.data_type.name(), scalar.form().name());
                Fault::data(format_args!(
                    "expected a row key of the type {expected}, found {found}"
                ))
            })?;
            store(values, row, datum).map_err(Fault::internal)
        })
        .map_err(|fault| fault.at(format_args!("column {name}")))
        .map_err(|fault| fault.at(format_args!("table {}", self.name)))
    }
}

/// The value that is spelled so; a null is none.
fn with_scalar<T>(raw: &str, use_it: impl FnOnce(Scalar<'_>) -> Result<T>) -> Result<T> {
    let mut reader = Reader::new(raw);
    match reader.peek()? {
        Peek::Null => Err(Fault::data(
            "expected a value of the row key in the root row, which nested rows carry, found null or nothing",
        )),
        Peek::Bool => use_it(Scalar::Bool(reader.bool()?)),
        Peek::Number => use_it(Scalar::Number(reader.number()?)),
        Peek::String => use_it(Scalar::Text(&reader.string()?)),
        Peek::Array | Peek::Object => use_it(Scalar::Json(reader.skip()?)),
    }
}
