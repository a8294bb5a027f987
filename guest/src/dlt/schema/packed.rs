//! JSON documents as dlt stores them in a text column: plain, or compressed and in base64; and the
//! hash by which it compares them.
//!
//! Source: dlt 1.31, `common/versioned_state.py`, `destinations/job_client_impl.py`
//! (`_update_schema_in_storage`, `_row_to_schema_info`), `common/schema/utils.py`
//! (`generate_version_hash`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;
use serde_json::{Map, Value};

use crate::dlt::hash::sha3_256;
use crate::dlt::orjson::canonical_sorted;
use crate::fault::{Fault, Result};

/// dlt's compression level: the smallest result.
const LEVEL: u8 = 9;

/// The maximum size of an inflated document: Snowflake stores no text beyond 128 MiB.
const LIMIT: usize = 128 << 20;

/// Compresses a text with zlib and encodes it in base64.
pub(crate) fn pack(text: &str) -> String {
    STANDARD.encode(compress_to_vec_zlib(text.as_bytes(), LEVEL))
}

/// The JSON object in a text that may be compressed.
///
/// # Errors
/// A destination fault if it is neither a JSON object nor a compressed one.
pub(crate) fn unpack(text: &str) -> Result<Map<String, Value>> {
    let parse = |text: &str| {
        serde_json::from_str(text).map_err(|e| {
            Fault::destination(format_args!("expected a JSON object in the stored document: {e}"))
        })
    };
    if text.trim_start().starts_with('{') {
        return parse(text);
    }
    let broken = |why: &dyn std::fmt::Display| {
        Fault::destination(format_args!(
            "expected the stored document to be JSON, or zlib in base64: {why}"
        ))
    };
    let bytes = STANDARD.decode(text.trim()).map_err(|e| broken(&e))?;
    let bytes = decompress_to_vec_zlib_with_limit(&bytes, LIMIT).map_err(|e| broken(&e))?;
    parse(std::str::from_utf8(&bytes).map_err(|e| broken(&e))?)
}

/// The SHA3-256 of a document with sorted keys and of the texts after it, in base64.
///
/// # Errors
/// A destination fault if orjson cannot print the document.
pub(crate) fn hash<'a>(
    document: &Map<String, Value>,
    more: impl IntoIterator<Item = &'a str>,
) -> Result<String> {
    let mut content = canonical_sorted(&print(document))?.into_owned();
    content.extend(more);
    Ok(STANDARD.encode(sha3_256(content.as_bytes())))
}

/// The document as compact JSON, with the keys in their own order.
pub(crate) fn print(document: &Map<String, Value>) -> String {
    struct Object<'a>(&'a Map<String, Value>);
    impl std::fmt::Display for Object<'_> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("{")?;
            for (n, (key, value)) in self.0.iter().enumerate() {
                let comma = if n == 0 { "" } else { "," };
                // `Value` prints itself as compact JSON.
                write!(f, "{comma}{}:{value}", Value::from(key.as_str()))?;
            }
            f.write_str("}")
        }
    }
    Object(document).to_string()
}

/// Sets the value at a path of keys, creating objects as needed.
pub(crate) fn set(map: &mut Map<String, Value>, path: &[&str], value: Value) {
    match path {
        [] => {}
        [key] => {
            map.insert((*key).to_owned(), value);
        }
        [key, rest @ ..] => match map.get_mut(*key) {
            Some(Value::Object(inner)) => set(inner, rest, value),
            _ => {
                let mut inner = Map::new();
                set(&mut inner, rest, value);
                map.insert((*key).to_owned(), inner.into());
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpacks_what_it_and_python_packed() {
        let check = |text: &str, expect: &str| {
            assert_eq!(unpack(text).map(|d| print(&d)).unwrap_or_else(|f| f.to_string()), expect);
        };
        check(&pack("{\"b\":\"é\",\"a\":[1.5]}"), "{\"b\":\"é\",\"a\":[1.5]}");
        check(" {\"a\":1}", "{\"a\":1}");
        // This needs serde_json's `float_roundtrip`; without it the last digits differ.
        check(
            "{\"a\":[31.245270191439438,121.48791951161945]}",
            "{\"a\":[31.245270191439438,121.48791951161945]}",
        );
        // base64.b64encode(zlib.compress(b'{"a":1}', 9))
        check("eNqrVkpUsjKsBQAIKgIJ", "{\"a\":1}");
        check(
            "eNo!",
            "expected the stored document to be JSON, or zlib in base64: Invalid symbol 33, offset 3.",
        );
        assert!(unpack("AAAA").is_err());
        assert!(unpack("").is_err());
        assert!(unpack("{\"a\":").is_err());
        assert!(unpack(&pack("[]")).is_err());
    }
}
