//! Rows of cells: input whose column types the host knows.
//!
//! A page is rows, one per line, in the text form of PostgreSQL's COPY: cells in the order of the
//! columns, separated by tabs, `\N` for NULL. A row is scanned once, for tab, line feed and
//! backslash; columns are not looked up by name. `wit/loads.wit` (`column`, `content`) specifies
//! the cells of each kind.

use std::borrow::Cow;

use crate::dlt::coerce::{Scalar, Typed};
use crate::dlt::orjson::push_string;
use crate::dlt::types::{DataType, Kind, StorageType};
use crate::fault::{Fault, Result};

/// A column of the input.
#[derive(Clone, Debug)]
pub(crate) struct CellColumn {
    /// Its name in the source.
    pub(crate) name: String,
    /// Its name as a key of JSON, without quotes.
    pub(crate) key: String,
    /// The form of its cells.
    pub(crate) form: CellForm,
}

/// The form of a column's cells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum CellForm {
    /// A JSON value.
    Json,
    /// Text that is interpreted as the fields of a CSV file are.
    Text,
    /// A value of this type.
    Typed(Kind),
    /// A value of this type whose column type is set by the job: it is interpreted as the same
    /// value in JSON.
    Declared(Kind),
}

impl CellColumn {
    /// A column as the host describes it. `declared`: the job sets its type.
    pub(crate) fn new(
        name: &str,
        kind: &str,
        (precision, scale): (Option<u32>, Option<u32>),
        declared: bool,
    ) -> Result<Self> {
        let kind = match kind {
            "" => None,
            "timestamp_ntz" => {
                Some(Kind { timezone: false, precision, ..Kind::of(DataType::Timestamp) })
            }
            word => match DataType::parse(word).map(Kind::of) {
                Some(kind) => Some(match kind.storage() {
                    StorageType::Decimal => Kind { precision, scale, ..kind },
                    StorageType::Micros | StorageType::TimeMicros => Kind { precision, ..kind },
                    _ => kind,
                }),
                None => {
                    return Err(Fault::protocol(format_args!(
                        "expected the kind of a column, found {word:?}"
                    )));
                }
            },
        };
        if let Some(kind) = kind.filter(|kind| kind.storage() == StorageType::Decimal) {
            let (digits, scale) = kind.decimal();
            if !(1..=38).contains(&digits) || scale > digits {
                return Err(Fault::protocol(format_args!(
                    "expected a decimal of 1 to 38 digits, found {digits} digits, {scale} of them \
                     behind the point"
                )));
            }
        }
        let form = match kind {
            None => CellForm::Text,
            Some(kind) if kind.data_type == DataType::Json => CellForm::Json,
            Some(kind) if declared => CellForm::Declared(kind),
            Some(kind) => CellForm::Typed(kind),
        };
        let mut key = String::new();
        push_string(&mut key, name);
        key.pop();
        key.remove(0);
        Ok(Self { name: name.to_owned(), key, form })
    }

    /// Appends a cell as JSON.
    fn push_json(&self, out: &mut String, cell: Option<&str>) {
        let Some(cell) = cell else { return out.push_str("null") };
        let kind = match self.form {
            CellForm::Json => return out.push_str(cell),
            CellForm::Text => return push_string(out, cell),
            CellForm::Typed(kind) | CellForm::Declared(kind) => kind,
        };
        let typed = Typed { text: Cow::Borrowed(cell), kind };
        match typed.scalar() {
            Scalar::Bool(value) => out.push_str(if value { "true" } else { "false" }),
            Scalar::Number(number) => out.push_str(number),
            // JSON has no such number; it becomes a string.
            _ => push_string(out, &typed.spelled()),
        }
    }
}

/// The rows of a page, one at a time.
#[derive(Debug)]
pub(crate) struct CellReader<'t> {
    text: &'t str,
    /// The start of the next row.
    at: usize,
    width: usize,
    spans: Vec<CellSpan>,
    /// The unescaped text of the row's cells with escapes.
    unescaped: String,
}

/// The position of a cell of the row.
#[derive(Clone, Copy, Debug)]
enum CellSpan {
    Null,
    /// In the page.
    Plain(usize, usize),
    /// In the unescaped text.
    Unescaped(usize, usize),
}

impl<'t> CellReader<'t> {
    /// The rows of a page, with `width` cells each.
    pub(crate) fn new(text: &'t str, width: usize) -> Self {
        Self { text, at: 0, width, spans: Vec::with_capacity(width), unescaped: String::new() }
    }

    /// The start of the next row, in bytes of the page.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Advances to the next row. Returns `false` at the end.
    ///
    /// # Errors
    /// A protocol fault if the row is malformed.
    pub(crate) fn advance(&mut self) -> Result<bool> {
        let bytes = self.text.as_bytes();
        if self.at >= bytes.len() {
            return Ok(false);
        }
        self.spans.clear();
        self.unescaped.clear();
        if self.width == 0 && bytes.get(self.at) == Some(&b'\n') {
            self.at += 1;
            return Ok(true);
        }
        loop {
            let (span, end) = self.cell(self.at)?;
            self.spans.push(span);
            self.at = end + 1;
            if bytes.get(end) != Some(&b'\t') {
                break;
            }
        }
        match self.spans.len() {
            found if found == self.width => Ok(true),
            found => Err(Fault::protocol(format_args!(
                "expected {} cells, one for each column, found {found}",
                self.width
            ))),
        }
    }

    /// The cell that starts here, and its end.
    #[inline]
    fn cell(&mut self, start: usize) -> Result<(CellSpan, usize)> {
        let bytes = self.text.as_bytes();
        let end = start + special(bytes.get(start..).unwrap_or_default());
        if bytes.get(end) != Some(&b'\\') {
            return Ok((CellSpan::Plain(start, end), end));
        }
        let behind = bytes.get(end + 2);
        if end == start
            && bytes.get(end + 1) == Some(&b'N')
            && matches!(behind, None | Some(b'\t' | b'\n'))
        {
            return Ok((CellSpan::Null, end + 2));
        }
        self.escaped(start, end)
    }

    /// Reads a cell with an escape at `end`.
    fn escaped(&mut self, start: usize, mut end: usize) -> Result<(CellSpan, usize)> {
        let bytes = self.text.as_bytes();
        let begins = self.unescaped.len();
        let mut piece = start;
        while bytes.get(end) == Some(&b'\\') {
            self.unescaped.push_str(self.text.get(piece..end).unwrap_or_default());
            self.unescaped.push(match bytes.get(end + 1) {
                Some(b'\\') => '\\',
                Some(b'b') => '\u{8}',
                Some(b'f') => '\u{c}',
                Some(b'n') => '\n',
                Some(b'r') => '\r',
                Some(b't') => '\t',
                Some(b'v') => '\u{b}',
                _ => {
                    let found: String =
                        self.text.get(end..).unwrap_or_default().chars().take(2).collect();
                    return Err(Fault::protocol(format_args!(
                        "expected \\N alone in a cell, or one of \\\\, \\b, \\f, \\n, \\r, \\t and \
                         \\v, found {found:?}"
                    )));
                }
            });
            piece = end + 2;
            end = piece + special(bytes.get(piece..).unwrap_or_default());
        }
        self.unescaped.push_str(self.text.get(piece..end).unwrap_or_default());
        Ok((CellSpan::Unescaped(begins, self.unescaped.len()), end))
    }

    /// A cell of the row, or `None` for NULL.
    #[inline]
    pub(crate) fn cell_at(&self, at: usize) -> Option<&str> {
        match *self.spans.get(at)? {
            CellSpan::Null => None,
            CellSpan::Plain(start, end) => self.text.get(start..end),
            CellSpan::Unescaped(start, end) => self.unescaped.get(start..end),
        }
    }

    /// Writes the row as a JSON object.
    pub(crate) fn json(&self, fields: &[CellColumn], out: &mut String) {
        out.clear();
        out.push('{');
        for (at, field) in fields.iter().enumerate() {
            out.push_str(if at == 0 { "\"" } else { ",\"" });
            out.push_str(&field.key);
            out.push_str("\":");
            field.push_json(out, self.cell_at(at));
        }
        out.push('}');
    }
}

/// The number of bytes before the next tab, line feed or backslash, or to the end. Reads eight
/// bytes at a time.
#[inline]
fn special(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let (words, rest) = bytes.as_chunks::<8>();
    for (n, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // The lowest set bit is that of the first such byte; higher ones may be wrong.
        let is = |byte: u8| {
            let zero = word ^ (ONES * u64::from(byte));
            zero.wrapping_sub(ONES) & !zero & HIGH
        };
        let found = is(b'\t') | is(b'\n') | is(b'\\');
        if found != 0 {
            return n * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let behind = rest.iter().position(|byte| matches!(byte, b'\t' | b'\n' | b'\\'));
    words.len() * 8 + behind.unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_bytes_are_found_at_every_position() {
        for length in 0..20 {
            for at in 0..length {
                for (byte, other) in [(b'\t', 8), (b'\n', 11), (b'\\', 0xff), (b'\t', 0x89)] {
                    let mut bytes = vec![other; length];
                    assert_eq!(special(&bytes), length);
                    bytes[at] = byte;
                    // Bytes behind it do not matter.
                    bytes.extend([b'\n', b'\t', b'\\']);
                    assert_eq!(special(&bytes), at, "{bytes:?}");
                }
            }
        }
    }

    #[test]
    fn rows_become_json() {
        let check = |columns: &[(&str, &str)], row: &str, expect: &str| {
            let field =
                |(name, kind): &(&str, &str)| CellColumn::new(name, kind, (None, None), false);
            let fields: Vec<CellColumn> = columns.iter().map(|it| field(it).unwrap()).collect();
            let mut rows = CellReader::new(row, fields.len());
            let mut json = String::from("of the row before");
            assert!(rows.advance().unwrap());
            rows.json(&fields, &mut json);
            assert_eq!(json, expect);
            assert!(!rows.advance().unwrap());
        };
        check(&[], "\n", "{}");
        check(
            &[("a \"b\"", "bigint"), ("c", "decimal"), ("d", "double"), ("e", "bool")],
            "1\t12345678901234567890.10\t1e+300\tt\n",
            r#"{"a \"b\"":1,"c":12345678901234567890.10,"d":1e+300,"e":true}"#,
        );
        check(
            &[("a", "text"), ("b", "json"), ("c", "binary"), ("d", "date"), ("e", "")],
            "\\t\"\\\\\t[1,{\"a\":null}]\t00ff\t2024-01-31\t1\n",
            r#"{"a":"\t\"\\","b":[1,{"a":null}],"c":"AP8=","d":"2024-01-31","e":"1"}"#,
        );
        check(
            &[("a", "double"), ("b", "text"), ("c", "decimal"), ("d", "bigint")],
            "NaN\t\\N\tNaN\t01x\n",
            r#"{"a":"NaN","b":null,"c":"NaN","d":"01x"}"#,
        );
    }
}
