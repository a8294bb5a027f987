//! One column of a row group as pages: definition levels, then values.

use std::ops::Range;

use super::rle;
use crate::columnar::batch::{
    Bits, BufferValues, ColumnBuffer, NumberLayout, Strings, index_width,
};
use crate::fault::Result;

/// The approximate size of a page's values in bytes; readers keep a page in memory.
const PAGE: usize = 1 << 20;

/// Rows are processed in groups of this size: the bits of a word.
const GROUP: usize = 64;

/// A dictionary of numbers is tried if their range is smaller than their count by this factor: then
/// it pays off, and a table of the range finds each number without hashing.
const CROWD: usize = 4;

/// A smaller count of numbers does not justify a page.
const FEWEST: usize = 64;

/// The largest such range.
const RANGE: u64 = 1 << 16;

/// One column of a row group.
pub(super) struct Chunk<'a> {
    column: &'a ColumnBuffer,
    rows: usize,
    layout: Layout<'a>,
    limits: Option<Limits>,
}

/// The minimum and the maximum of a column.
#[derive(Clone, Copy)]
enum Limits {
    Days(i32, i32),
    Numbers(i64, i64),
}

/// The source of the pages' values.
enum Layout<'a> {
    Bools(&'a Bits),
    /// Numbers, in their order.
    Fixed(NumberLayout, &'a [u8]),
    /// Indices into a dictionary page of numbers.
    Crowded(Numbers),
    /// Strings, in their order.
    Plain(&'a Strings),
    /// Indices into a dictionary page of strings.
    Indices(&'a Strings, &'a [u32]),
    /// Strings, found through the indices of a dictionary that is not worth writing.
    Lookup(&'a Strings, &'a [u32]),
}

/// The part of a chunk that becomes a page.
pub(super) struct PageSpan {
    pub(super) rows: Range<usize>,
    values: Range<usize>,
}

impl<'a> Chunk<'a> {
    /// # Errors
    /// If strings of the column are pending.
    pub(super) fn new(column: &'a ColumnBuffer, rows: u32) -> Result<Self> {
        let values = column.values()?;
        let limits = Limits::of(values);
        let layout = match values {
            BufferValues::Bools(bits) => Layout::Bools(bits),
            BufferValues::Fixed { role, bytes } => match limits {
                Some(Limits::Numbers(min, max)) => Numbers::new(bytes, min, max)
                    .map_or(Layout::Fixed(*role, bytes), Layout::Crowded),
                _ => Layout::Fixed(*role, bytes),
            },
            BufferValues::Bytes(strings) | BufferValues::Texts(strings) => {
                match strings.indices() {
                    None => Layout::Plain(strings),
                    Some(indices) if strings.dictionary_repays() => {
                        Layout::Indices(strings, indices)
                    }
                    Some(indices) => Layout::Lookup(strings, indices),
                }
            }
        };
        Ok(Self { column, rows: rows as usize, layout, limits })
    }

    /// The number of values of the dictionary page, and the values.
    pub(super) fn dictionary(&self) -> Option<(usize, &[u8])> {
        match &self.layout {
            Layout::Crowded(numbers) => Some((numbers.distinct.len() / 8, &numbers.distinct)),
            Layout::Indices(strings, _) => Some((strings.starts().len(), strings.data().all())),
            _ => None,
        }
    }

    /// The approximate size of the values of all pages in bytes.
    pub(super) fn size(&self) -> usize {
        self.size_of(&(0..self.column.count() as usize))
            + self.dictionary().map_or(0, |(_, values)| values.len())
    }

    /// The minimum and the maximum in the form of the format's statistics.
    pub(super) fn limits(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        self.limits.map(|limits| match limits {
            Limits::Days(min, max) => (min.to_le_bytes().to_vec(), max.to_le_bytes().to_vec()),
            Limits::Numbers(min, max) => (min.to_le_bytes().to_vec(), max.to_le_bytes().to_vec()),
        })
    }

    /// The ranges of rows of the pages.
    pub(super) fn spans(&self) -> Vec<PageSpan> {
        let all = 0..self.column.count() as usize;
        // A million booleans are an eighth of a page, and bits may only be split at bytes.
        if self.size_of(&all) <= PAGE || matches!(self.layout, Layout::Bools(_)) {
            return vec![PageSpan { rows: 0..self.rows, values: all }];
        }
        let mut spans = Vec::new();
        let (mut rows, mut values) = (0..0, 0..0);
        for word in self.column.present().words() {
            let next = values.end + word.count_ones() as usize;
            if rows.end > rows.start && self.size_of(&(values.start..next)) > PAGE {
                spans.push(PageSpan { rows: rows.clone(), values: values.clone() });
                rows.start = rows.end;
                values.start = values.end;
            }
            rows.end += GROUP;
            values.end = next;
        }
        rows.end = self.rows;
        spans.push(PageSpan { rows, values });
        spans
    }

    /// Appends the body of a page.
    pub(super) fn encode(&self, span: &PageSpan, to: &mut Vec<u8>) {
        let start = to.len();
        to.extend_from_slice(&[0; 4]);
        let words = self.column.present().words();
        let words = words.get(span.rows.start / GROUP..).unwrap_or_default();
        rle::levels(to, words, span.rows.len());
        let length = (to.len() - start - 4) as u32;
        if let Some(place) = to.get_mut(start..).and_then(<[u8]>::first_chunk_mut) {
            *place = length.to_le_bytes();
        }
        let Range { start, end } = span.values;
        match &self.layout {
            Layout::Bools(bits) => {
                let whole = to.len() + end.div_ceil(8);
                for word in bits.words() {
                    to.extend_from_slice(&word.to_le_bytes());
                }
                to.truncate(whole);
            }
            Layout::Fixed(role, bytes) => {
                let width = role.width();
                to.extend_from_slice(bytes.get(start * width..end * width).unwrap_or_default());
            }
            Layout::Crowded(numbers) => {
                indices(to, numbers.indices.get(start..end), numbers.distinct.len() / 8);
            }
            Layout::Plain(strings) => {
                let bytes = strings.data().all();
                let range = offset(strings, start)..offset(strings, end);
                to.extend_from_slice(bytes.get(range).unwrap_or_default());
            }
            Layout::Indices(strings, values) => {
                indices(to, values.get(start..end), strings.starts().len());
            }
            Layout::Lookup(strings, indices) => {
                for &index in indices.get(start..end).unwrap_or_default() {
                    let index = index as usize;
                    let range = offset(strings, index)..offset(strings, index + 1);
                    to.extend_from_slice(strings.data().all().get(range).unwrap_or_default());
                }
            }
        }
    }

    /// The approximate size of these values in a page in bytes.
    fn size_of(&self, values: &Range<usize>) -> usize {
        let count = values.len();
        match &self.layout {
            Layout::Bools(_) => count / 8,
            Layout::Crowded(numbers) => {
                count * index_width(numbers.distinct.len() / 8) as usize / 8
            }
            Layout::Fixed(role, _) => count * role.width(),
            Layout::Plain(strings) => offset(strings, values.end) - offset(strings, values.start),
            Layout::Indices(strings, _) => count * index_width(strings.starts().len()) as usize / 8,
            // A dictionary does not pay off: few values are repeated.
            Layout::Lookup(strings, _) => {
                count * strings.data().len() / strings.starts().len().max(1)
            }
        }
    }
}

/// The start of a string, or the end of the last one.
fn offset(strings: &Strings, string: usize) -> usize {
    strings.starts().get(string).map_or(strings.data().len(), |start| *start as usize)
}

/// Appends the values of a page as indices into a dictionary of `entries` values.
fn indices(to: &mut Vec<u8>, values: Option<&[u32]>, entries: usize) {
    let width = index_width(entries);
    to.push(width as u8);
    rle::indices(to, values.unwrap_or_default(), width);
}

impl Limits {
    fn of(values: &BufferValues) -> Option<Self> {
        match values {
            BufferValues::Fixed {
                role: NumberLayout::Int | NumberLayout::Micros | NumberLayout::Narrow,
                bytes,
            } => limits(bytes, i64::from_le_bytes).map(|(min, max)| Self::Numbers(min, max)),
            BufferValues::Fixed { role: NumberLayout::Days, bytes } => {
                limits(bytes, i32::from_le_bytes).map(|(min, max)| Self::Days(min, max))
            }
            _ => None,
        }
    }
}

fn limits<T: Ord + Copy, const WIDTH: usize>(
    bytes: &[u8],
    number: fn([u8; WIDTH]) -> T,
) -> Option<(T, T)> {
    let mut numbers = bytes.as_chunks().0.iter().map(|bytes| number(*bytes));
    let first = numbers.next()?;
    Some(numbers.fold((first, first), |(min, max), number| (min.min(number), max.max(number))))
}

/// A dictionary of numbers.
struct Numbers {
    /// 64 bits each, little-endian, in the order of first use.
    distinct: Vec<u8>,
    indices: Vec<u32>,
}

impl Numbers {
    /// The dictionary of numbers within these limits, if it pays off.
    fn new(bytes: &[u8], min: i64, max: i64) -> Option<Self> {
        const NONE: u32 = u32::MAX;
        let numbers = bytes.as_chunks::<8>().0;
        let range = max.abs_diff(min);
        if numbers.len() < FEWEST || range >= RANGE.min((numbers.len() / CROWD) as u64) {
            return None;
        }
        let mut table = vec![NONE; range as usize + 1];
        let mut distinct = Vec::new();
        let indices = numbers
            .iter()
            .map(|number| {
                let at = i64::from_le_bytes(*number).abs_diff(min) as usize;
                match table.get_mut(at) {
                    Some(index) if *index == NONE => {
                        *index = (distinct.len() / 8) as u32;
                        distinct.extend_from_slice(number);
                        *index
                    }
                    Some(index) => *index,
                    // Unreachable: every number is within the limits.
                    None => NONE,
                }
            })
            .collect();
        Some(Self { distinct, indices })
    }
}
