//! Batches to text: files of JSON lines and of CSV, compressed as one member of gzip or not.
//!
//! Both hold what Parquet files hold. NULL is a missing key of JSON, and an empty field of CSV without quotes;
//! texts are always quoted. Numbers that a reader of JSON could round are strings: decimals and floats. Instants,
//! dates and times are integers of nanoseconds, so that no format of a session decides how they are read. Bytes
//! are hexadecimal.

mod cursor;
mod value;

use self::cursor::ColumnCursor;
use super::batch::ColumnBuffer;
use super::gzip::GzipStream;
use crate::dlt::orjson::push_string;
use crate::fault::Result;

/// The format of a text file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TextFormat {
    /// One object per line, with the names of the columns as keys.
    JsonLines,
    /// One row per line, without a header.
    Csv,
}

/// A text file that is built in memory.
#[derive(Debug)]
pub(crate) struct TextFile {
    format: TextFormat,
    /// `None` if the file is not compressed.
    gzip: Option<GzipStream>,
    body: Vec<u8>,
    rows: u64,
}

/// Rows are written to a text of this size before it is compressed.
const PIECE: usize = 256 << 10;

impl TextFile {
    /// A file without rows.
    pub(crate) fn create(format: TextFormat, compressed: bool) -> Self {
        let mut body = Vec::new();
        let gzip = compressed.then(|| GzipStream::begin(&mut body));
        Self { format, gzip, body, rows: 0 }
    }

    /// Appends rows. The columns are in the order of the file; `None` is a column without values.
    ///
    /// # Errors
    /// If a column has pending strings.
    pub(crate) fn append(
        &mut self,
        columns: &[(&str, Option<&ColumnBuffer>)],
        rows: u32,
    ) -> Result<()> {
        let mut cursors = Vec::with_capacity(columns.len());
        for (name, values) in columns {
            let mut key = String::new();
            if self.format == TextFormat::JsonLines {
                push_string(&mut key, name);
                key.push(':');
            }
            cursors.push((key, values.map(ColumnCursor::new).transpose()?));
        }
        let mut text = String::with_capacity(PIECE + (PIECE >> 3));
        for row in 0..rows {
            match self.format {
                TextFormat::JsonLines => push_object(&mut text, &mut cursors, row)?,
                TextFormat::Csv => push_fields(&mut text, &mut cursors, row)?,
            }
            if text.len() >= PIECE {
                self.write(&text)?;
                text.clear();
            }
        }
        self.write(&text)?;
        self.rows += u64::from(rows);
        Ok(())
    }

    /// The approximate size of the finished file in bytes.
    pub(crate) fn size(&self) -> usize {
        self.body.len()
    }

    /// The number of rows.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Returns the complete file.
    ///
    /// # Errors
    /// If the compression fails, which is a defect.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>> {
        if let Some(gzip) = self.gzip.take() {
            gzip.finish(&mut self.body)?;
        }
        Ok(self.body)
    }

    fn write(&mut self, text: &str) -> Result<()> {
        match &mut self.gzip {
            Some(gzip) => gzip.append(text.as_bytes(), &mut self.body),
            None => {
                // Doubling would need three times the memory of the file while it moves.
                if self.body.capacity() - self.body.len() < text.len() {
                    self.body.reserve_exact(text.len().max(self.body.len() / 4));
                }
                self.body.extend_from_slice(text.as_bytes());
                Ok(())
            }
        }
    }
}

type Cursors<'a> = Vec<(String, Option<ColumnCursor<'a>>)>;

fn push_object(text: &mut String, cursors: &mut Cursors<'_>, row: u32) -> Result<()> {
    let mut separator = '{';
    for (key, cursor) in cursors {
        let value = cursor.as_mut().map(|cursor| cursor.next(row)).transpose()?.flatten();
        let Some(value) = value else { continue };
        text.push(separator);
        text.push_str(key);
        value.push_json(text)?;
        separator = ',';
    }
    text.push_str(if separator == '{' { "{}\n" } else { "}\n" });
    Ok(())
}

fn push_fields(text: &mut String, cursors: &mut Cursors<'_>, row: u32) -> Result<()> {
    let mut is_first = true;
    for (_, cursor) in cursors {
        if !std::mem::take(&mut is_first) {
            text.push(',');
        }
        let value = cursor.as_mut().map(|cursor| cursor.next(row)).transpose()?.flatten();
        if let Some(value) = value {
            value.push_field(text)?;
        }
    }
    text.push('\n');
    Ok(())
}

#[cfg(test)]
mod tests;
