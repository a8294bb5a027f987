//! A Parquet file in memory, with one row group per batch.

use std::borrow::Borrow;

use parquet2::compression::Compression;
use snap::raw::{Encoder, max_compress_len};

use crate::columnar::batch::ColumnBuffer;
use crate::columnar::gzip::Deflater;
use crate::fault::{Context, Fault, Result};

use super::footer::{self, ChunkMeta, GroupMeta, Page};
use super::page::Chunk;
use super::schema::{self, FileColumn};

/// The first and last bytes of every file.
const MAGIC: &[u8; 4] = b"PAR1";

/// Smaller chunks are not compressed.
const COMPRESS: usize = 64;

/// Larger chunks are compressed only if a sample becomes smaller: ids, digests and most floating
/// point numbers do not, and would cost time here and in every reader.
const DOUBTFUL: usize = 64 << 10;
/// The size of the sample in bytes.
const SAMPLE: usize = 4 << 10;

/// A Parquet file that is built in memory.
///
/// Every column is optional. `text` and `json` are strings; `timestamp` is in microseconds, of UTC
/// if it has a time zone; `time` is in microseconds; decimals have their precision and scale.
#[derive(Debug)]
pub(crate) struct ParquetFile {
    fields: Vec<FileColumn>,
    /// The encoded pages.
    body: Vec<u8>,
    /// The encoded entries of the footer for the row groups so far, one after the other.
    groups: Vec<u8>,
    group_count: u32,
    rows: u64,
}

/// The encoder of pages. It can be used for any number of files in turn.
#[derive(Debug)]
pub(crate) struct PageEncoder {
    page: Vec<u8>,
    compression: PageCompression,
    /// It is reused because its tables are as large as many a page.
    encoder: Encoder,
    deflater: Option<Deflater>,
    compressed: Vec<u8>,
}

/// How pages are compressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PageCompression {
    Snappy,
    Gzip,
    Uncompressed,
}

impl PageCompression {
    const fn codec(self) -> Compression {
        match self {
            Self::Snappy => Compression::Snappy,
            Self::Gzip => Compression::Gzip,
            Self::Uncompressed => Compression::Uncompressed,
        }
    }
}

impl ParquetFile {
    /// A file without rows.
    ///
    /// # Errors
    /// If there is no field, or Parquet does not support the precision or scale of a decimal.
    pub(crate) fn create(fields: Vec<FileColumn>) -> Result<Self> {
        if fields.is_empty() {
            return Err(Fault::internal("expected at least one column in a file, found none"));
        }
        for FileColumn { name, kind } in &fields {
            schema::check(*kind).at(|| format!("column {name}"))?;
        }
        Ok(Self { fields, body: MAGIC.to_vec(), groups: Vec::new(), group_count: 0, rows: 0 })
    }

    /// Appends a row group with `rows` rows; nothing for no rows. On an error the file is
    /// unchanged.
    ///
    /// # Errors
    /// If the columns are not those of the file, one has a value beyond the last row or pending
    /// strings, or a page is larger than 2 GiB.
    pub(crate) fn append<C: Borrow<ColumnBuffer>>(
        &mut self,
        columns: &[C],
        rows: u32,
        encoder: &mut PageEncoder,
    ) -> Result<()> {
        if rows == 0 {
            return Ok(());
        }
        let (body, groups) = (self.body.len(), self.groups.len());
        let outcome = self.append_group(columns, rows, encoder);
        if outcome.is_err() {
            self.body.truncate(body);
            self.groups.truncate(groups);
        }
        outcome
    }

    /// The approximate size of the finished file in bytes.
    pub(crate) fn size(&self) -> usize {
        self.body.len() + self.groups.len()
    }

    /// The number of rows.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Returns the complete file.
    ///
    /// # Errors
    /// If its footer is larger than 2 GiB.
    pub(crate) fn finish(self) -> Result<Vec<u8>> {
        let Self { mut body, fields, groups, group_count, rows } = self;
        let start = body.len();
        footer::write(&mut body, &fields, rows, group_count, &groups);
        let length = size(body.len() - start)?;
        body.extend_from_slice(&length.to_le_bytes());
        body.extend_from_slice(MAGIC);
        Ok(body)
    }

    fn append_group<C: Borrow<ColumnBuffer>>(
        &mut self,
        columns: &[C],
        rows: u32,
        encoder: &mut PageEncoder,
    ) -> Result<()> {
        if columns.len() != self.fields.len() {
            return Err(Fault::internal(format_args!(
                "expected {} columns in a row group, found {}",
                self.fields.len(),
                columns.len()
            )));
        }
        let start = self.body.len();
        let fields = std::mem::take(&mut self.fields);
        let chunks: Result<Vec<_>> = fields
            .iter()
            .zip(columns)
            .map(|(field, column)| {
                self.append_chunk(field, column.borrow(), rows, encoder)
                    .at(|| format!("column {}", field.name))
            })
            .collect();
        self.fields = fields;
        let (pages, ordinal) = (start..self.body.len(), self.group_count);
        let group = GroupMeta { chunks: chunks?, pages, rows, ordinal };
        footer::write_group(&mut self.groups, &self.fields, &group);
        self.group_count += 1;
        self.rows += u64::from(rows);
        Ok(())
    }

    fn append_chunk(
        &mut self,
        field: &FileColumn,
        column: &ColumnBuffer,
        rows: u32,
        encoder: &mut PageEncoder,
    ) -> Result<ChunkMeta> {
        if column.kind() != field.kind {
            return Err(Fault::internal(format_args!(
                "expected a column of {:?}, found one of {:?}",
                field.kind,
                column.kind()
            )));
        }
        if let Some(last) = column.last_row().filter(|&last| last >= rows) {
            return Err(Fault::internal(format_args!("expected {rows} rows, found row {last}")));
        }
        let chunk = Chunk::new(column, rows)?;
        let small = chunk.size() < COMPRESS;
        let mut codec = match small {
            true => Compression::Uncompressed,
            false => encoder.compression.codec(),
        };
        let doubtful = chunk.size() >= DOUBTFUL;
        let start = self.body.len();
        let mut plain = 0;
        let mut dictionary = None;
        if let Some((count, strings)) = chunk.dictionary() {
            dictionary = Some(start);
            if doubtful {
                codec = encoder.judge(strings)?;
            }
            plain += self.append_page(strings, Page::Dictionary(size(count)?), codec, encoder)?;
        }
        let data = self.body.len();
        let mut page = std::mem::take(&mut encoder.page);
        for span in chunk.spans() {
            page.clear();
            chunk.encode(&span, &mut page);
            if doubtful && dictionary.is_none() && self.body.len() == start {
                codec = encoder.judge(&page)?;
            }
            let rows = size(span.rows.len())?;
            let header = if dictionary.is_some() { Page::Indices(rows) } else { Page::Plain(rows) };
            plain += self.append_page(&page, header, codec, encoder)?;
        }
        encoder.page = page;
        Ok(ChunkMeta {
            codec,
            data,
            dictionary,
            limits: chunk.limits(),
            nulls: rows - column.count(),
            plain,
            stored: self.body.len() - start,
        })
    }

    /// Appends a page. Returns its uncompressed size in bytes, header included.
    fn append_page(
        &mut self,
        plain: &[u8],
        page: Page,
        codec: Compression,
        encoder: &mut PageEncoder,
    ) -> Result<usize> {
        let stored = match codec {
            Compression::Snappy => encoder.compress(plain)?,
            Compression::Gzip => encoder.deflate(plain)?,
            _ => plain,
        };
        // Doubling would need three times the memory of the file while it moves.
        let needed = stored.len() + footer::HEADER;
        if self.body.capacity() - self.body.len() < needed {
            self.body.reserve_exact(needed.max(self.body.len() / 4));
        }
        let start = self.body.len();
        footer::write_page(&mut self.body, page, size(plain.len())?, size(stored.len())?);
        let header = self.body.len() - start;
        self.body.extend_from_slice(stored);
        Ok(header + plain.len())
    }
}

impl PageEncoder {
    /// A new encoder, with Snappy.
    pub(crate) fn new() -> Self {
        Self::compressing(PageCompression::Snappy)
    }

    /// A new encoder.
    pub(crate) fn compressing(compression: PageCompression) -> Self {
        Self {
            page: Vec::new(),
            compression,
            encoder: Encoder::new(),
            deflater: None,
            compressed: Vec::new(),
        }
    }

    /// Compresses a page if a part of its middle becomes smaller by at least a tenth.
    fn judge(&mut self, page: &[u8]) -> Result<Compression> {
        if self.compression == PageCompression::Uncompressed {
            return Ok(Compression::Uncompressed);
        }
        let start = (page.len() / 2).min(page.len().saturating_sub(SAMPLE));
        let sample = page.get(start..).unwrap_or_default();
        let sample = sample.get(..SAMPLE).unwrap_or(sample);
        let worth = self.compress(sample)?.len() <= sample.len() / 10 * 9;
        Ok(if worth { self.compression.codec() } else { Compression::Uncompressed })
    }

    fn deflate(&mut self, plain: &[u8]) -> Result<&[u8]> {
        self.compressed.clear();
        self.deflater.get_or_insert_with(Deflater::new).append(plain, &mut self.compressed)?;
        Ok(&self.compressed)
    }

    fn compress(&mut self, plain: &[u8]) -> Result<&[u8]> {
        let most = max_compress_len(plain.len());
        if self.compressed.len() < most {
            self.compressed.resize(most, 0);
        }
        let compressed = &mut self.compressed;
        self.encoder
            .compress(plain, compressed)
            .map(|length| compressed.get(..length).unwrap_or_default())
            .map_err(|error| Fault::internal(format_args!("could not compress a page: {error}")))
    }
}

impl Default for PageEncoder {
    fn default() -> Self {
        Self::new()
    }
}

/// A size as the format stores it.
fn size(bytes: usize) -> Result<i32> {
    i32::try_from(bytes)
        .map_err(|_| Fault::internal(format_args!("expected less than 2 GiB, found {bytes} bytes")))
}
