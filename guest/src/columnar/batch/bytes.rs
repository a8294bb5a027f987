//! Fast copying, comparing and hashing of short strings, and the buffer that stores them.
//!
//! Most strings of JSON are shorter than 64 bytes. In WebAssembly `memory.copy` is a call into the
//! host and `memcmp` a loop over bytes, so short strings are handled inline, in fixed blocks that
//! overlap in the middle, without a loop that the compiler could convert back into such a call.

/// The length up to which strings are handled inline.
const INLINE: usize = 64;

/// The minimum memory that [`recycle`] keeps, in bytes.
const KEEP: usize = 4 << 10;

/// Strings in the layout of Parquet's BYTE_ARRAY: 32 bits of length, little-endian, and the bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buffer {
    /// The used bytes, followed by zeros.
    data: Vec<u8>,
    used: usize,
}

impl Buffer {
    /// Appends a string and its length. The caller has checked that the length fits 32 bits.
    #[inline]
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let end = self.used + 4 + bytes.len();
        if end > self.data.len() {
            self.grow(end);
        }
        let room = self.data.get_mut(self.used..end).unwrap_or_default();
        if let Some((length, room)) = room.split_first_chunk_mut::<4>() {
            *length = (bytes.len() as u32).to_le_bytes();
            copy(room, bytes);
        }
        self.used = end;
    }

    /// The string that starts at `start`, without its length.
    #[inline]
    pub(crate) fn at(&self, start: u32) -> &[u8] {
        let rest = self.data.get(start as usize..self.used).unwrap_or_default();
        match rest.split_first_chunk::<4>() {
            Some((length, rest)) => {
                rest.get(..u32::from_le_bytes(*length) as usize).unwrap_or_default()
            }
            None => &[],
        }
    }

    /// All strings.
    pub(crate) fn all(&self) -> &[u8] {
        self.data.get(..self.used).unwrap_or_default()
    }

    /// The number of bytes used.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.used = self.used.min(len);
    }

    /// Clears it, and keeps memory for about as much again.
    pub(crate) fn clear(&mut self) {
        if self.data.len() > KEEP.max(self.used * 4) {
            self.data = Vec::new();
        }
        self.used = 0;
    }

    #[cold]
    fn grow(&mut self, end: usize) {
        self.data.resize(end.max(self.data.len() * 2).max(256), 0);
    }
}

/// Clears a vector, and keeps memory for about as much again.
pub(super) fn recycle<T>(values: &mut Vec<T>) {
    let used = size_of_val(values.as_slice());
    if values.capacity() * size_of::<T>() > KEEP.max(used * 4) {
        *values = Vec::new();
    }
    values.clear();
}

/// Returns `true` if two strings are the same.
#[inline]
pub(super) fn equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match a.len() {
        0..=7 => small(a) == small(b),
        8..=16 => difference(a, b, 0) | difference(a, b, a.len() - 8) == 0,
        _ => {
            // All blocks but the last, which overlaps the previous one.
            let last = a.len() - 16;
            let mut at = 0;
            while at < last {
                if difference(a, b, at) | difference(a, b, at + 8) != 0 {
                    return false;
                }
                at += 16;
            }
            difference(a, b, last) | difference(a, b, last + 8) == 0
        }
    }
}

/// A hash of a string, the same in every run. Its upper bits are the better ones.
///
/// It is fast, and collisions can be constructed: callers must limit their probes.
#[inline]
pub(super) fn hash(bytes: &[u8]) -> u32 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(MULTIPLIER);
    let len = bytes.len();
    let mut hash = mix(0, len as u64);
    if len < 8 {
        hash = mix(hash, small(bytes));
    } else {
        let last = len - 8;
        let mut at = 0;
        while at < last {
            hash = mix(hash, word(bytes, at));
            at += 8;
        }
        hash = mix(hash, word(bytes, last));
    }
    ((hash ^ (hash >> 29)).wrapping_mul(MULTIPLIER) >> 32) as u32
}

/// Copies `from` to `to`, which has the same length.
#[inline]
fn copy(to: &mut [u8], from: &[u8]) {
    match from.len() {
        0..=3 => {
            for (to, from) in to.iter_mut().zip(from) {
                *to = *from;
            }
        }
        4..=7 => ends::<4>(to, from),
        8..=16 => ends::<8>(to, from),
        17..=32 => ends::<16>(to, from),
        33..=INLINE => ends::<32>(to, from),
        _ => to.copy_from_slice(from),
    }
}

/// Copies the first and the last `N` bytes, which overlap or are adjacent.
#[inline]
fn ends<const N: usize>(to: &mut [u8], from: &[u8]) {
    if let (Some(to), Some(from)) = (to.first_chunk_mut::<N>(), from.first_chunk::<N>()) {
        *to = *from;
    }
    if let (Some(to), Some(from)) = (to.last_chunk_mut::<N>(), from.last_chunk::<N>()) {
        *to = *from;
    }
}

/// Up to seven bytes as a number, unique among strings of the same length.
#[inline]
fn small(bytes: &[u8]) -> u64 {
    match (bytes, bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (_, Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
        }
        (&[a], ..) => u64::from(a),
        (&[a, b], ..) => u64::from(u16::from_le_bytes([a, b])),
        (&[a, b, c], ..) => u64::from(u32::from_le_bytes([a, b, c, 0])),
        _ => 0,
    }
}

/// The eight bytes that start at `at`.
#[inline]
fn word(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u64::from_le_bytes(*word))
}

#[inline]
fn difference(a: &[u8], b: &[u8], at: usize) -> u64 {
    word(a, at) ^ word(b, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_every_length_are_copied_compared_and_hashed() {
        let source: Vec<u8> = (0..300).map(|i| (i * 7 % 251) as u8).collect();
        for len in 0..300 {
            let string = source.get(..len).unwrap();
            let mut buffer = Buffer::default();
            for _ in 0..3 {
                buffer.push(string);
            }
            assert_eq!(buffer.len(), 3 * (len + 4));
            for start in 0..3 {
                assert_eq!(buffer.at(start * (len as u32 + 4)), string, "length {len}");
            }
            let copy = string.to_vec();
            assert!(equal(string, &copy), "length {len}");
            assert!(!equal(string, source.get(..len + 1).unwrap_or_default()), "length {len}");
            for at in 0..len {
                let mut other = string.to_vec();
                *other.get_mut(at).unwrap() ^= 0x40;
                assert!(!equal(string, &other), "length {len}, difference at {at}");
                assert_ne!(hash(string), hash(&other), "length {len}, difference at {at}");
            }
        }
    }

    #[test]
    fn memory_is_kept_within_reason() {
        let mut buffer = Buffer::default();
        buffer.push(&vec![1; 1 << 20]);
        buffer.clear();
        assert!(buffer.data.len() >= 1 << 20);
        buffer.push(b"little");
        buffer.clear();
        assert_eq!(buffer.data.len(), 0);
    }
}
