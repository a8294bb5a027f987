//! Rows as answers and files of results have them.

use std::io::Read as _;

use flate2::read::GzDecoder;
use serde_json::Value;

/// A text or NULL for each column.
pub(crate) type Row = Vec<Option<String>>;

/// The rows of a file, which has no brackets around them and can be packed. None when it is no such file.
pub(crate) fn rows(body: &[u8]) -> Option<Vec<Row>> {
    let mut text = String::new();
    if body.starts_with(&[0x1f, 0x8b]) {
        GzDecoder::new(body).read_to_string(&mut text).ok()?;
    } else {
        text.push_str(std::str::from_utf8(body).ok()?);
    }
    row_set(&serde_json::from_str(&format!("[{text}]")).ok()?)
}

/// The rows of a list. None when it is no list of lists.
pub(crate) fn row_set(json: &Value) -> Option<Vec<Row>> {
    let cell = |cell: &Value| match cell {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        cell => Some(cell.to_string()),
    };
    let row = |row: &Value| Some(row.as_array()?.iter().map(cell).collect());
    json.as_array()?.iter().map(row).collect()
}
