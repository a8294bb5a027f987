//! The headers of pages and the footer of a file. Source: `parquet.thrift`, including the numbers
//! of fields.

use std::ops::Range;

use parquet2::compression::Compression;

use super::schema::{self, FileColumn, Physical};
use super::thrift::Struct;

/// An upper limit for the size of a page header.
pub(super) const HEADER: usize = 64;

/// The writer of the file, in the form that the format specifies.
const CREATED_BY: &str = concat!("snowcat version ", env!("CARGO_PKG_VERSION"));

/// Version 2 of the format, as pyarrow declares by default: the logical types and the encoding of
/// dictionary indices are of that version, although the pages are of version 1.
const VERSION: i32 = 2;

/// `Encoding`.
const PLAIN: i32 = 0;
const RLE: i32 = 3;
const RLE_DICTIONARY: i32 = 8;

/// The kind of a page, and the number of its values.
#[derive(Clone, Copy, Debug)]
pub(super) enum Page {
    Dictionary(i32),
    Indices(i32),
    Plain(i32),
}

/// The location and content of the pages of one column of a row group.
#[derive(Debug)]
pub(super) struct ChunkMeta {
    pub(super) codec: Compression,
    /// The start of the first data page.
    pub(super) data: usize,
    /// The start of the dictionary page.
    pub(super) dictionary: Option<usize>,
    /// The minimum and the maximum.
    pub(super) limits: Option<(Vec<u8>, Vec<u8>)>,
    pub(super) nulls: u32,
    /// The size including headers, uncompressed.
    pub(super) plain: usize,
    /// The size including headers, as stored.
    pub(super) stored: usize,
}

/// A row group: its columns, the location of its pages, and its number in the file.
#[derive(Debug)]
pub(super) struct GroupMeta {
    pub(super) chunks: Vec<ChunkMeta>,
    pub(super) pages: Range<usize>,
    pub(super) rows: u32,
    pub(super) ordinal: u32,
}

/// Appends the header of a page (`PageHeader`).
pub(super) fn write_page(to: &mut Vec<u8>, page: Page, plain: i32, stored: i32) {
    let mut header = Struct::begin(to);
    header.i32(1, if matches!(page, Page::Dictionary(_)) { 2 } else { 0 });
    header.i32(2, plain);
    header.i32(3, stored);
    let mut data = |values, encoding| {
        header.nested(5, |data| {
            data.i32(1, values);
            data.i32(2, encoding);
            // The levels: of definition, and of repetition, of which there are none.
            data.i32(3, RLE);
            data.i32(4, RLE);
        });
    };
    match page {
        Page::Indices(values) => data(values, RLE_DICTIONARY),
        Page::Plain(values) => data(values, PLAIN),
        Page::Dictionary(values) => header.nested(7, |dictionary| {
            dictionary.i32(1, values);
            dictionary.i32(2, PLAIN);
        }),
    }
    header.end();
}

/// Appends a row group (`RowGroup`).
pub(super) fn write_group(to: &mut Vec<u8>, fields: &[FileColumn], meta: &GroupMeta) {
    let GroupMeta { chunks, pages, rows, ordinal } = meta;
    let mut group = Struct::begin(to);
    group.structs(1, chunks.len(), |to| {
        for (field, chunk) in fields.iter().zip(chunks) {
            write_chunk(to, field, chunk, *rows);
        }
    });
    group.i64(2, chunks.iter().map(|chunk| chunk.plain).sum::<usize>() as i64);
    group.i64(3, (*rows).into());
    group.i64(5, pages.start as i64);
    group.i64(6, pages.len() as i64);
    if let Ok(ordinal) = i16::try_from(*ordinal) {
        group.i16(7, ordinal);
    }
    group.end();
}

/// Appends the footer (`FileMetaData`); `groups` are the row groups as [`write_group`] wrote them.
pub(super) fn write(
    to: &mut Vec<u8>,
    fields: &[FileColumn],
    rows: u64,
    group_count: u32,
    groups: &[u8],
) {
    let mut file = Struct::begin(to);
    file.i32(1, VERSION);
    file.structs(2, fields.len() + 1, |to| schema::write(to, fields));
    file.i64(3, rows as i64);
    file.structs(4, group_count as usize, |to| to.extend_from_slice(groups));
    file.structs(5, 1, |to| {
        let (key, value) = schema::arrow(fields);
        let mut pair = Struct::begin(to);
        pair.bytes(1, key.as_bytes());
        pair.bytes(2, value.as_bytes());
        pair.end();
    });
    file.bytes(6, CREATED_BY.as_bytes());
    // Every column has the order of its type; without this the statistics are undefined.
    file.structs(7, fields.len(), |to| {
        for _ in fields {
            let mut order = Struct::begin(to);
            order.nested(1, |_| {});
            order.end();
        }
    });
    file.end();
}

/// Appends a `ColumnChunk` with its `ColumnMetaData`.
fn write_chunk(to: &mut Vec<u8>, field: &FileColumn, chunk: &ChunkMeta, rows: u32) {
    let mut outer = Struct::begin(to);
    // There is no metadata outside the footer.
    outer.i64(2, 0);
    outer.nested(3, |meta| {
        meta.i32(1, Physical::of(field.kind) as i32);
        match chunk.dictionary {
            None => meta.numbers(2, &[PLAIN, RLE]),
            Some(_) => meta.numbers(2, &[PLAIN, RLE, RLE_DICTIONARY]),
        }
        meta.strings(3, &[&field.name]);
        // Its members are in the order of `CompressionCodec`.
        meta.i32(4, chunk.codec as i32);
        meta.i64(5, rows.into());
        meta.i64(6, chunk.plain as i64);
        meta.i64(7, chunk.stored as i64);
        meta.i64(9, chunk.data as i64);
        if let Some(place) = chunk.dictionary {
            meta.i64(11, place as i64);
        }
        meta.nested(12, |statistics| {
            statistics.i64(3, chunk.nulls.into());
            if let Some((min, max)) = &chunk.limits {
                statistics.bytes(5, max);
                statistics.bytes(6, min);
            }
        });
    });
    outer.end();
}
