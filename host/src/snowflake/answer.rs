//! The answer to a statement: its rows, and the number of rows that it changed.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use serde_json::Value;

use super::error::SnowflakeError;
use super::wire::Wire;
use crate::credentials::Secret;
use crate::interface::Outcome;

/// The result of a statement.
///
/// ```
/// use snowcat_host::snowflake::Answer;
///
/// /// Returns the single value of an answer.
/// fn single(answer: &Answer) -> Option<&str> {
///     answer.rows.first()?.first()?.as_deref()
/// }
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Answer {
    /// The id of the statement in the account's query history.
    pub query_id: String,
    /// The names of the columns.
    pub columns: Vec<String>,
    /// A text or NULL per column.
    pub rows: Vec<Vec<Option<String>>>,
    /// The number of rows that the statement inserted, updated and deleted, or loaded. `None` if
    /// its result does not have it.
    pub affected: Option<u64>,
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        Self { rows: answer.rows, affected: answer.affected }
    }
}

/// The data of an answer, as the service sends it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AnswerData {
    pub(super) query_id: Option<String>,
    pub(super) get_result_url: Option<String>,
    #[serde(alias = "rowType")]
    rowtype: Option<Vec<ColumnData>>,
    rowset: Option<Vec<Vec<Cell>>>,
    rowset_base64: Option<String>,
    total: Option<u64>,
    chunks: Option<Vec<Chunk>>,
    chunk_headers: Option<serde_json::Map<String, Value>>,
    qrmk: Option<String>,
}

#[derive(Deserialize)]
struct ColumnData {
    name: Option<String>,
}

/// A file of rows.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk {
    url: String,
    row_count: Option<u64>,
}

impl AnswerData {
    /// Returns `true` if the answer announces rows, but has neither the rows nor a place to read
    /// them from.
    pub(super) fn lacks_rows(&self) -> bool {
        let elsewhere = self.chunks.as_ref().is_some_and(|chunks| !chunks.is_empty());
        let arrow = self.rowset_base64.is_some();
        self.rowset.is_none() && self.total.unwrap_or(0) > 0 && !elsewhere && !arrow
    }

    /// Returns the rows, those in files included.
    pub(super) fn into_answer(self, wire: &Wire) -> Result<Answer, SnowflakeError> {
        let id = self.query_id.clone();
        self.read(wire).map_err(|error| error.with_query_id(id))
    }

    fn read(self, wire: &Wire) -> Result<Answer, SnowflakeError> {
        if self.rowset_base64.as_deref().is_some_and(|rows| !rows.is_empty()) {
            return Err(SnowflakeError::answer("expected rows in JSON, found rows in Arrow"));
        }
        let columns = self.rowtype.as_deref().unwrap_or_default().iter();
        let columns: Vec<String> =
            columns.map(|column| column.name.clone().unwrap_or_default()).collect();
        let headers = self.headers();
        let mut rows: Vec<Vec<Option<String>>> = Vec::new();
        let texts = |row: Vec<Cell>| row.into_iter().map(|cell| cell.0).collect();
        rows.extend(self.rowset.unwrap_or_default().into_iter().map(texts));
        for (number, chunk) in self.chunks.unwrap_or_default().into_iter().enumerate() {
            let read = chunk_rows(wire, &chunk, &headers);
            let read = read.map_err(|error| error.during(format!("file {number} of the rows")))?;
            rows.extend(read.into_iter().map(texts));
        }
        if let Some(total) = self.total.filter(|total| *total != rows.len() as u64) {
            let found = rows.len();
            return Err(SnowflakeError::answer(format!("expected {total} rows, found {found}")));
        }
        let affected = affected(&columns, &rows);
        Ok(Answer { query_id: self.query_id.unwrap_or_default(), columns, rows, affected })
    }

    /// Returns the headers of requests for files of rows.
    fn headers(&self) -> Vec<(String, Secret)> {
        const CUSTOMER: &str = "x-amz-server-side-encryption-customer";
        let given = self.chunk_headers.iter().flatten();
        let given: Vec<(String, Secret)> = given
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .map(|(name, value)| (name, Secret::new(value)))
            .collect();
        match &self.qrmk {
            Some(key) if given.is_empty() => vec![
                (format!("{CUSTOMER}-algorithm"), Secret::new("AES256".to_owned())),
                (format!("{CUSTOMER}-key"), Secret::new(key.clone())),
            ],
            _ => given,
        }
    }
}

/// Reads a file of rows: `[..],[..]`, without the brackets of a list.
fn chunk_rows(
    wire: &Wire,
    chunk: &Chunk,
    headers: &[(String, Secret)],
) -> Result<Vec<Vec<Cell>>, SnowflakeError> {
    let body = wire.file(&chunk.url, headers)?;
    let mut list = Vec::with_capacity(body.len().saturating_add(2));
    list.push(b'[');
    list.extend_from_slice(&body);
    list.push(b']');
    let rows: Vec<Vec<Cell>> = serde_json::from_slice(&list)
        .map_err(|error| SnowflakeError::answer(format!("expected rows in JSON: {error}")))?;
    match chunk.row_count {
        Some(count) if count != rows.len() as u64 => {
            let found = rows.len();
            Err(SnowflakeError::answer(format!("expected {count} rows, found {found}")))
        }
        _ => Ok(rows),
    }
}

/// Returns the number of rows that a statement changed; `None` if its result does not have it.
fn affected(columns: &[String], rows: &[Vec<Option<String>>]) -> Option<u64> {
    let counts = |name: &String| {
        let name = name.to_ascii_lowercase();
        name.starts_with("number of rows ") || name == "rows_loaded"
    };
    let mut total = None;
    for row in rows {
        for (_, cell) in columns.iter().zip(row).filter(|(name, _)| counts(name)) {
            let count: u64 = cell.as_deref().and_then(|it| it.parse().ok()).unwrap_or(0);
            total = Some(total.unwrap_or(0_u64).saturating_add(count));
        }
    }
    total
}

/// A cell: a text or NULL.
#[derive(Debug, Eq, PartialEq)]
struct Cell(Option<String>);

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl Visitor<'_> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, a truth value or null")
    }

    fn visit_str<E>(self, text: &str) -> Result<Cell, E> {
        Ok(Cell(Some(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Cell, E> {
        Ok(Cell(Some(text)))
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell(None))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Cell, E> {
        Ok(Cell(Some(value.to_string())))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Cell, E> {
        Ok(Cell(Some(value.to_string())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Cell, E> {
        Ok(Cell(Some(value.to_string())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Cell, E> {
        Ok(Cell(Some(value.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::super::account::{Account, Address};
    use super::super::connection::Pace;
    use super::*;

    fn answer(data: &str) -> Result<Answer, SnowflakeError> {
        let account = Account::parse("acme").unwrap();
        let address = Address::new(&account, None, None, None).unwrap();
        let data: AnswerData = serde_json::from_str(data).unwrap();
        data.into_answer(&Wire::new(address, Pace::default()))
    }

    #[test]
    fn rows_are_texts() {
        let found = answer(
            r#"{"queryId": "01", "rowtype": [{"name": "A", "type": "text"}], "total": 2,
                "rowset": [["x", null, 1, 1.5, true], []], "queryResultFormat": "json"}"#,
        )
        .unwrap();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(found.columns, ["A"]);
        assert_eq!(found.rows[0], [text("x"), None, text("1"), text("1.5"), text("true")]);
        assert_eq!((found.rows.len(), found.affected), (2, None));
    }

    #[test]
    fn changed_rows_are_counted_by_the_names_of_columns() {
        let check = |columns: &[&str], rows: &str, expected: Option<u64>| {
            let columns: Vec<_> =
                columns.iter().map(|name| serde_json::json!({"name": name})).collect();
            let columns = Value::from(columns);
            let data = format!(r#"{{"rowtype": {columns}, "rowset": {rows}}}"#);
            assert_eq!(answer(&data).unwrap().affected, expected);
        };
        let merged = ["number of rows inserted", "number of rows updated"];
        check(&merged, r#"[["2", "3"]]"#, Some(5));
        check(&["file", "rows_loaded"], r#"[["a", "2"], ["b", "4"]]"#, Some(6));
        check(&["file", "rows_loaded"], r#"[["a", null]]"#, Some(0));
        check(&["status"], r#"[["done"]]"#, None);
        check(&merged, "[]", None);
    }

    #[test]
    fn missing_rows_are_an_error() {
        let check = |data: &str, expected: &str| {
            let error = answer(data).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(
            r#"{"total": 2, "rowset": [["1"]], "queryId": "01"}"#,
            "expected 2 rows, found 1 (query 01)",
        );
        check(r#"{"rowsetBase64": "AAAA"}"#, "found rows in Arrow");
    }
}
