//! The rows of a batch that have a value, one bit per row.

use super::bytes::recycle;
use super::error::BufferError;

/// Bits, packed from the least significant one on: Parquet's layout of booleans and of one bit
/// definition levels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    /// Appends a bit.
    #[inline]
    pub(super) fn push(&mut self, bit: bool) {
        let shift = self.len % 64;
        match self.words.last_mut() {
            Some(word) if shift != 0 => *word |= u64::from(bit) << shift,
            _ => self.words.push(u64::from(bit)),
        }
        self.len += 1;
    }

    pub(super) fn truncate(&mut self, len: usize) {
        if len < self.len {
            self.len = len;
            self.words.truncate(len.div_ceil(64));
            clear_from(&mut self.words, len);
        }
    }

    pub(super) fn clear(&mut self) {
        recycle(&mut self.words);
        self.len = 0;
    }

    /// The bits; those after the last are zero.
    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }
}

/// A set of rows that grows at its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Presence {
    /// One bit per row; rows after the last word are not set.
    words: Vec<u64>,
    count: u32,
    /// One more than the last row.
    next: u32,
}

impl Presence {
    /// Fails unless the row is after those that are set.
    #[inline]
    pub(super) fn admit(&self, row: u32) -> Result<(), BufferError> {
        if row >= self.next && row != u32::MAX { Ok(()) } else { Err(BufferError::Order) }
    }

    /// Sets a row that was admitted.
    #[inline]
    pub(super) fn insert(&mut self, row: u32) {
        let word = row as usize / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        if let Some(word) = self.words.get_mut(word) {
            *word |= 1 << (row % 64);
        }
        self.count += 1;
        self.next = row + 1;
    }

    /// Drops the rows from `rows` on. Returns the number of remaining rows.
    pub(super) fn truncate(&mut self, rows: u32) -> u32 {
        let rows = rows as usize;
        let kept = rows.div_ceil(64);
        let lost = self.words.get(rows / 64..).unwrap_or_default().iter().enumerate();
        let lost: u32 = lost
            .map(|(at, word)| if at == 0 { word >> (rows % 64) } else { *word })
            .map(u64::count_ones)
            .sum();
        self.words.truncate(kept);
        clear_from(&mut self.words, rows);
        while self.words.last() == Some(&0) {
            self.words.pop();
        }
        self.next = match self.words.last() {
            // The rows of a batch are counted in 32 bits, so this fits.
            Some(word) => (self.words.len() * 64) as u32 - word.leading_zeros(),
            None => 0,
        };
        self.count -= lost;
        self.count
    }

    pub(super) fn clear(&mut self) {
        recycle(&mut self.words);
        self.count = 0;
        self.next = 0;
    }

    /// The number of set rows.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// The last row that is set.
    pub(crate) fn last(&self) -> Option<u32> {
        self.next.checked_sub(1)
    }

    /// One bit per row; rows after the last word are not set.
    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }
}

/// Clears the bits from `len` on in the word that contains it.
fn clear_from(words: &mut [u64], len: usize) {
    if let Some(word) = words.get_mut(len / 64) {
        *word &= (1 << (len % 64)) - 1;
    }
}
