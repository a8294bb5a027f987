//! The strings of a column. While it pays off they are stored once each, in the layout of Parquet's
//! dictionary page, with one index per value; otherwise all are stored, in the layout of its plain
//! pages.

use super::bytes::{Buffer, equal, hash, recycle};
use super::error::BufferError;

/// The number of values after which a dictionary is first judged, and then again at every power of
/// two.
const TRIAL: usize = 1024;

/// Before this number of values a dictionary must have saved only a small part of the bytes. With
/// some ten thousand distinct values, repeats are rare at first.
const EARLY: usize = 8192;
const EARLY_WORTH: usize = 128;

/// Later it must save this part of the bytes, including the indices; otherwise the hashing is not
/// worth its cost.
const WORTH: usize = 32;

/// The number of batches that a column has no dictionary after one that did not pay off.
const REST: u8 = 15;

/// A smaller number of strings says nothing about the next batch.
const FEW: usize = 64;

/// The bytes of strings that are looked up together. A record has hundreds of columns, whose
/// dictionaries would evict one another from the cache if each value was looked up at once.
const TOGETHER: usize = 4 << 10;

/// The maximum number of slots that are tried for one string. At least half of the slots are free,
/// so the longest search for one of a million ordinary strings takes some 70. More indicates
/// constructed collisions, and the dictionary is dropped.
const PROBES: usize = 256;

/// The strings of a column, in the order of their rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strings {
    /// The last strings, which are not stored yet.
    pending: Buffer,
    /// The strings of the dictionary, or all strings.
    data: Buffer,
    /// The start of each string in `data`.
    starts: Vec<u32>,
    /// The bytes of the stored strings in the plain layout.
    plain: usize,
    dictionary: Dictionary,
    /// Whether the dictionary was dropped.
    given_up: bool,
    /// The number of batches for which no dictionary is tried.
    rest: u8,
}

impl Strings {
    /// Appends a string.
    #[inline]
    pub(super) fn push(&mut self, string: &[u8]) -> Result<(), BufferError> {
        // The limit of every offset and length below.
        let plain = self.plain.saturating_add(self.pending.len()).saturating_add(string.len());
        if plain > u32::MAX as usize - 4 {
            return Err(BufferError::Full);
        }
        if self.given_up {
            self.place(string);
            return Ok(());
        }
        self.pending.push(string);
        if self.pending.len() >= TOGETHER {
            self.flush_pending();
        }
        Ok(())
    }

    /// Stores the pending strings.
    pub(super) fn flush_pending(&mut self) {
        if self.pending.len() == 0 {
            return;
        }
        let mut pending = std::mem::take(&mut self.pending);
        let mut at = 0;
        while at < pending.len() {
            let string = pending.at(at as u32);
            at += 4 + string.len();
            self.place(string);
        }
        pending.clear();
        self.pending = pending;
    }

    /// Returns `true` if strings are pending.
    pub(super) fn has_pending(&self) -> bool {
        self.pending.len() != 0
    }

    /// Appends the last string again. Returns `false` if there is none.
    #[inline]
    pub(super) fn repeat(&mut self) -> Result<bool, BufferError> {
        self.flush_pending();
        if let (false, Some(&last)) = (self.given_up, self.dictionary.indices.last()) {
            let length =
                self.starts.get(last as usize).map_or(0, |&start| self.data.at(start).len());
            let plain = self.plain.saturating_add(length);
            let count = self.dictionary.indices.len() + 1;
            // Where the dictionary is judged, the string is appended in the ordinary way.
            if plain <= u32::MAX as usize - 4 && !count.is_power_of_two() {
                self.plain = plain + 4;
                self.dictionary.indices.push(last);
                return Ok(true);
            }
        }
        let last = match self.given_up {
            true => self.starts.last(),
            false => {
                self.dictionary.indices.last().and_then(|&last| self.starts.get(last as usize))
            }
        };
        let Some(&start) = last else { return Ok(false) };
        let string = self.data.at(start).to_vec();
        self.push(&string).map(|()| true)
    }

    /// Drops all but the first `count` values.
    pub(super) fn truncate(&mut self, count: usize) {
        self.flush_pending();
        if self.given_up {
            let end = self.starts.get(count).copied().unwrap_or(self.data.len() as u32);
            self.starts.truncate(count);
            self.data.truncate(end as usize);
            self.plain = self.data.len();
            return;
        }
        while self.dictionary.indices.len() > count
            && let Some(index) = self.dictionary.indices.pop()
        {
            let Some(&start) = self.starts.get(index as usize) else { continue };
            self.plain -= 4 + self.data.at(start).len();
            // Strings are added in the order of their first use, so the last one is removed with
            // it.
            let now = self.dictionary.indices.len() as u32;
            if self.dictionary.entries.last().is_some_and(|entry| entry.first_use == now) {
                self.dictionary.remove_last();
                self.starts.pop();
                self.data.truncate(start as usize);
            }
        }
    }

    /// Clears everything at the end of a batch. A dictionary that did not pay off is not tried
    /// again for a while: hashing strings that never repeat is much of the cost of a wide table.
    pub(super) fn clear(&mut self) {
        self.flush_pending();
        let tried = !self.given_up || self.rest == 0;
        let worthless = self.given_up || (self.starts.len() >= FEW && !self.dictionary_repays());
        self.rest = match (tried, worthless) {
            (true, true) => REST,
            (true, false) => 0,
            (false, _) => self.rest - 1,
        };
        self.data.clear();
        recycle(&mut self.starts);
        self.plain = 0;
        self.dictionary.clear();
        self.given_up = self.rest > 0;
    }

    /// The memory of the strings.
    pub(super) fn bytes(&self) -> usize {
        let dictionary = &self.dictionary;
        self.data.len()
            + self.pending.len()
            + (self.starts.len() + dictionary.indices.len()) * 4
            + dictionary.entries.len() * 8
            + dictionary.slots.len() * 4
    }

    /// The part of it for mostly-unique strings.
    pub(super) fn unique_bytes(&self) -> usize {
        let plain = self.given_up || self.starts.len() * 4 > self.dictionary.indices.len() * 3;
        if plain { self.data.len() } else { 0 }
    }

    /// The strings of the dictionary, or all of them.
    pub(crate) fn data(&self) -> &Buffer {
        &self.data
    }

    /// The start of each string in [`Self::data`].
    pub(crate) fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// The length of the longest string in bytes, or 0 if none is longer than `over`. No strings
    /// may be pending.
    pub(super) fn longest(&self, over: usize) -> usize {
        if self.data.len() <= over {
            return 0;
        }
        // Each string follows its length, as in the plain layout.
        let ends = self.starts.iter().skip(1).copied().chain([self.data.len() as u32]);
        let lengths = self.starts.iter().zip(ends).map(|(start, end)| (end - start) as usize);
        let lengths = lengths.map(|length| length.saturating_sub(size_of::<u32>()));
        lengths.filter(|length| *length > over).max().unwrap_or(0)
    }

    /// The index of each value in the dictionary, if there is one.
    pub(crate) fn indices(&self) -> Option<&[u32]> {
        (!self.given_up).then_some(self.dictionary.indices.as_slice())
    }

    /// Returns `true` if a dictionary is smaller than the values themselves.
    pub(crate) fn dictionary_repays(&self) -> bool {
        let entries = self.starts.len();
        !self.given_up
            && self.data.len() + index_bytes(self.dictionary.indices.len(), entries) < self.plain
    }

    /// Returns `true` if the string with this index equals `string`.
    #[inline]
    fn is(&self, index: u32, string: &[u8]) -> bool {
        self.starts.get(index as usize).is_some_and(|&start| equal(self.data.at(start), string))
    }

    /// Stores a string, through the dictionary if there is one, and judges the dictionary from time
    /// to time.
    #[inline]
    fn place(&mut self, string: &[u8]) {
        self.plain += 4 + string.len();
        if self.given_up {
            return self.append(string);
        }
        self.look_up(string);
        let count = self.dictionary.indices.len();
        if count >= TRIAL && count.is_power_of_two() && !self.promising(count) {
            self.give_up();
        }
    }

    /// Appends the index of a string, and adds a new string to the dictionary.
    #[inline]
    fn look_up(&mut self, string: &[u8]) {
        let hash = hash(string);
        self.dictionary.make_room();
        let mut at = self.dictionary.first_slot(hash);
        for _ in 0..PROBES {
            match self.dictionary.slots.get(at) {
                Some(&DictionarySlot::FREE) => {
                    if !self.dictionary.enter(at, hash) {
                        break;
                    }
                    return self.append(string);
                }
                Some(slot) if slot.has(hash) && self.is(slot.index(), string) => {
                    return self.dictionary.indices.push(slot.index());
                }
                _ => at = self.dictionary.next_slot(at),
            }
        }
        self.give_up();
        self.append(string);
    }

    #[inline]
    fn append(&mut self, string: &[u8]) {
        self.starts.push(self.data.len() as u32);
        self.data.push(string);
    }

    /// Returns `true` if the dictionary is kept after `count` values.
    #[cold]
    fn promising(&self, count: usize) -> bool {
        let saved = self.plain - self.data.len();
        if count < EARLY {
            saved >= self.plain / EARLY_WORTH
        } else {
            saved >= index_bytes(count, self.starts.len()) + self.plain / WORTH
        }
    }

    /// Converts the strings to the plain layout.
    #[cold]
    fn give_up(&mut self) {
        let mut plain =
            Self { given_up: true, plain: self.plain, rest: self.rest, ..Self::default() };
        for &index in &self.dictionary.indices {
            if let Some(&start) = self.starts.get(index as usize) {
                plain.append(self.data.at(start));
            }
        }
        *self = plain;
    }
}

/// The number of bytes of the indices.
fn index_bytes(count: usize, entries: usize) -> usize {
    count * index_width(entries) as usize / 8
}

/// The number of bits of an index into a dictionary of `entries` strings; at least one.
pub(crate) fn index_width(entries: usize) -> u32 {
    (usize::BITS - entries.saturating_sub(1).leading_zeros()).max(1)
}

/// Finds strings by their hash: open addressing with linear probing.
#[derive(Clone, Debug, Default)]
struct Dictionary {
    /// The string of each value.
    indices: Vec<u32>,
    /// One entry per string, in the order of addition.
    entries: Vec<DictionaryEntry>,
    /// The number of slots is zero or a power of two.
    slots: Vec<DictionarySlot>,
    /// The shift that reduces a hash to a slot.
    shift: u32,
}

#[derive(Clone, Copy, Debug)]
struct DictionaryEntry {
    hash: u32,
    /// The value that added it.
    first_use: u32,
}

/// A part of a string's hash, and its index plus one. This is half the size of both in full: the
/// slots of hundreds of columns compete for the cache.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct DictionarySlot(u32);

impl DictionarySlot {
    const FREE: Self = Self(0);

    /// The maximum number of strings of a dictionary.
    const LIMIT: usize = (1 << 22) - 1;

    #[inline]
    fn new(index: u32, hash: u32) -> Self {
        Self(hash << 22 | (index + 1))
    }

    #[inline]
    fn has(self, hash: u32) -> bool {
        self.0 >> 22 == hash & 0x3ff
    }

    #[inline]
    fn index(self) -> u32 {
        (self.0 & 0x3f_ffff).wrapping_sub(1)
    }
}

impl Dictionary {
    /// Ensures that at least half of the slots are free.
    #[inline]
    fn make_room(&mut self) {
        if self.entries.len() * 2 >= self.slots.len() {
            self.grow();
        }
    }

    #[inline]
    fn first_slot(&self, hash: u32) -> usize {
        (hash >> self.shift) as usize
    }

    #[inline]
    fn next_slot(&self, slot: usize) -> usize {
        (slot + 1) & (self.slots.len() - 1)
    }

    /// Adds a string for the next value. Returns `false` if there are too many.
    #[inline]
    fn enter(&mut self, at: usize, hash: u32) -> bool {
        if self.entries.len() >= DictionarySlot::LIMIT {
            return false;
        }
        let index = self.entries.len() as u32;
        self.entries.push(DictionaryEntry { hash, first_use: self.indices.len() as u32 });
        self.indices.push(index);
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = DictionarySlot::new(index, hash);
        }
        true
    }

    /// Removes the string that was added last. No string was placed after it, so its slot is simply
    /// freed.
    fn remove_last(&mut self) {
        let Some(entry) = self.entries.pop() else { return };
        let last = DictionarySlot::new(self.entries.len() as u32, entry.hash);
        let mut at = self.first_slot(entry.hash);
        for _ in 0..self.slots.len() {
            match self.slots.get_mut(at) {
                Some(slot) if *slot == last => {
                    *slot = DictionarySlot::FREE;
                    return;
                }
                _ => at = self.next_slot(at),
            }
        }
    }

    /// Doubles the slots. Strings are added again in their order, as `remove_last` requires.
    #[cold]
    fn grow(&mut self) {
        let len = (self.slots.len() * 2).max(32);
        self.slots.clear();
        self.slots.resize(len, DictionarySlot::FREE);
        self.shift = u32::BITS - len.trailing_zeros();
        for (index, entry) in (0..).zip(&self.entries) {
            let mut at = self.first_slot(entry.hash);
            while self.slots.get(at).is_some_and(|slot| *slot != DictionarySlot::FREE) {
                at = self.next_slot(at);
            }
            if let Some(slot) = self.slots.get_mut(at) {
                *slot = DictionarySlot::new(index, entry.hash);
            }
        }
    }

    fn clear(&mut self) {
        recycle(&mut self.indices);
        recycle(&mut self.entries);
        recycle(&mut self.slots);
    }
}
