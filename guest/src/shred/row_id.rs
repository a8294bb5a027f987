//! Row ids, and the values by which nested rows refer to their root row.
//!
//! A nested row's id is always dlt's: a digest of its parent's id, its table and its position. In
//! dlt the id of a root row is random if nothing depends on it; here it is a digest of the load and
//! the row's number, so that the same input gives the same bytes. If dlt derives it from the
//! primary key (which the merge strategy decides), the digest is the same here.

use std::collections::{BTreeMap, BTreeSet};

use super::options::{RootKey, ShredOptions};
use crate::dlt::coerce::Scalar;
use crate::dlt::hash;
use crate::dlt::naming::Convention;
use crate::dlt::orjson;
use crate::dlt::types::{DataType, Kind};
use crate::fault::{Fault, Result};
use crate::json::{Peek, Reader, push_string, unescape};

/// The value by which nested rows refer to a row.
pub(super) enum RowIdentity {
    /// Its id, contained in the record or a digest of its key.
    Given(String),
    /// Its id: a digest.
    Digest(hash::RowId),
    /// A value of it.
    Value(Box<RootValue>),
}

/// A value of a root row, which nested rows carry as `_dlt_root_id`.
pub(super) struct RootValue {
    /// As spelled in the record.
    pub(super) raw: String,
    /// Its type for a column that has none yet.
    pub(super) kind: Kind,
}

impl RowIdentity {
    /// Its text.
    #[inline]
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Given(id) => id,
            Self::Digest(id) => id.as_str(),
            Self::Value(value) => &value.raw,
        }
    }
}

/// The ids of root rows without a key: a stream of digest bytes, seeded with the load and the
/// table, ten bytes per row. One permutation makes sixteen ids.
pub(super) struct NumberedIds {
    seed: String,
    /// The number of the block in `bytes`.
    block: u64,
    bytes: [u8; BLOCK],
}

/// The bytes of one block: the output of SHAKE128 between two permutations.
const BLOCK: usize = 168;
/// Bytes of an id, as in dlt.
const ID: usize = 10;

impl NumberedIds {
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

/// The id that dlt derives from a version of a root row: the digest of the record with sorted keys,
/// without dlt's own keys at the top level.
/// Source: dlt, `common/normalizers/json/relational.py`, `_add_row_id`, and dlt's `helpers.py`,
/// `get_row_hash`.
pub(super) fn record_hash(record: &str) -> Result<String> {
    let mut members = BTreeMap::new();
    let mut reader = Reader::new(record);
    if reader.peek()? == Peek::Object {
        let mut more = reader.enter();
        while more {
            let key = unescape(reader.key()?);
            let raw = reader.skip()?;
            // The last value of a repeated key is used.
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
        push_string(&mut text, key);
        text.push(':');
        text.push_str(&orjson::canonical_sorted(raw)?);
    }
    text.push('}');
    Ok(hash::b64_digest(text.as_bytes(), 10))
}

/// The id that dlt derives from the key of a root row: the digest of an object of the key columns,
/// sorted by name, with the values as spelled in the record.
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
        push_string(&mut text, name);
        text.push(':');
        // A key column may be NULL or missing if the job allows it. Otherwise the row is rejected
        // later.
        let value = found.get(name.as_str()).map(|raw| orjson::canonical(raw)).transpose()?;
        text.push_str(value.as_deref().unwrap_or("null"));
    }
    text.push('}');
    Ok(hash::b64_digest(text.as_bytes(), 10))
}

/// The values of these columns as spelled in the record; of a repeated key, the last one.
fn raw_values<'r, 'c>(
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

/// The value of a record that nested rows carry as `_dlt_root_id`. `None` if they carry its id, or
/// nothing.
#[cold]
pub(super) fn root_value(
    key: &RootKey,
    record: &str,
    options: &ShredOptions,
) -> Result<Option<RowIdentity>> {
    let RootKey::Columns { names, or_id } = key else { return Ok(None) };
    let found = raw_values(record, names, &options.convention)?;
    let raw = names.iter().rev().find_map(|name| found.get(name.as_str()).copied());
    let raw = match raw {
        None if *or_id => return Ok(None),
        raw => raw.unwrap_or("null"),
    };
    let kind = match (options.preferred("_dlt_root_id"), raw) {
        (Some(data_type), _) => Kind::of(data_type),
        // This is an error only if there are nested rows.
        (None, "null") => Kind::of(DataType::Text),
        (None, raw) => with_scalar(raw, |value| Ok(options.inferred(value)))?,
    };
    Ok(Some(RowIdentity::Value(Box::new(RootValue { raw: raw.to_owned(), kind }))))
}

/// Calls a function with the value of a raw JSON scalar.
///
/// # Errors
/// A data fault if it is null.
pub(super) fn with_scalar<T>(raw: &str, use_it: impl FnOnce(Scalar<'_>) -> Result<T>) -> Result<T> {
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
