//! Hashes: row ids and the tags of shortened names are SHAKE128, schema versions are SHA3-256.
//!
//! Every row of a nested table needs a hash, so this is one of the hottest parts of a load: an id
//! takes one permutation and no allocation, and the rows of a list share the state of their common
//! prefix. Two ids of a list are hashed at once if the target has vectors of two 64 bit lanes.
//!
//! Source: FIPS 202. The hashed texts are dlt 1.31's, `common/normalizers/json/helpers.py` and
//! `common/utils.py` (`digest128`).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

mod keccak;

use keccak::{Pair, permute};

/// The rate of SHAKE128: bytes absorbed or squeezed per permutation.
const SHAKE128_RATE: usize = 168;
/// The rate of SHA3-256.
const SHA3_256_RATE: usize = 136;
/// The suffix that FIPS 202 appends to a message of SHAKE, with the first bit of the padding.
const SHAKE_SUFFIX: u8 = 0x1f;
/// The suffix of SHA-3, with the first bit of the padding.
const SHA3_SUFFIX: u8 = 0x06;
/// The last bit of the padding.
const PADDING_END: u8 = 0x80;

/// The id of a row (`_dlt_id`): ten bytes in base64 without padding.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct RowId([u8; 14]);

impl RowId {
    /// The id of a row that is identified by its content: `text` is its key, or the whole row, as
    /// compact JSON with sorted keys.
    ///
    /// Source: dlt 1.31, `common/normalizers/json/helpers.py` (`get_row_hash`).
    pub(crate) fn of_content(text: &[u8]) -> Self {
        let mut digest = [0; 10];
        shake128(text, &mut digest);
        Self::of_digest(&digest)
    }

    /// The id made of the bytes of a digest.
    pub(crate) fn of_digest(digest: &[u8; 10]) -> Self {
        let [a, b, c, d, e, f, g, h, x, y] = *digest;
        let low = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        Self::of(low, u64::from(u16::from_le_bytes([x, y])))
    }

    /// The id as text: 14 ASCII characters.
    pub(crate) fn as_str(&self) -> &str {
        // Base64 is ASCII, so the default is never used.
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The id as bytes.
    pub(crate) const fn as_bytes(&self) -> &[u8; 14] {
        &self.0
    }

    /// The id in the first 80 bits of a state.
    #[expect(
        clippy::indexing_slicing,
        reason = "the alphabet has 64 digits, and the index is below 64"
    )]
    fn of(low: u64, high: u64) -> Self {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        // The first lane makes ten digits of six bits. Its last four bits and the next two bytes
        // make four more, padded with four zero bits.
        let head = low.swap_bytes();
        let tail = (head & 0xf) << 20 | (high.swap_bytes() >> 48) << 4;
        Self(std::array::from_fn(|i| {
            let bits = if i < 10 { head >> (58 - 6 * i) } else { tail >> (78 - 6 * i) };
            ALPHABET[bits as usize & 63]
        }))
    }
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The ids of the rows of one list: rows of a nested table with the same parent.
///
/// Source: dlt 1.31, `common/normalizers/json/helpers.py` (`get_nested_row_hash`).
#[derive(Clone, Debug)]
pub(crate) struct ChildIds {
    /// The state after absorbing the text up to the position, and the end of the padding.
    state: [u64; 25],
    /// The number of bytes absorbed.
    len: usize,
    /// The same text, if it may be too long for one block.
    long: Option<String>,
    /// Whether [`Self::in_turn`] has returned an id.
    begun: bool,
    /// The id that was computed ahead, and its position.
    ahead: Option<(u64, RowId)>,
}

impl ChildIds {
    /// Creates the ids of rows of `table` whose parent has the id `parent`.
    pub(crate) fn new(parent: &str, table: &str) -> Self {
        let len = parent.len() + table.len() + 2;
        let mut state = [0; 25];
        if len + POSITION_DIGITS >= SHAKE128_RATE {
            let long = Some(format!("{parent}_{table}_"));
            return Self { state, len, long, begun: false, ahead: None };
        }
        let mut block = [0; SHAKE128_RATE];
        let mut at = 0;
        for part in [parent, "_", table, "_"] {
            if let Some(to) = block.get_mut(at..at + part.len()) {
                to.copy_from_slice(part.as_bytes());
            }
            at += part.len();
        }
        absorb(&mut state, &block);
        put(&mut state, SHAKE128_RATE - 1, PADDING_END);
        Self { state, len, long: None, begun: false, ahead: None }
    }

    /// The id of the row at a position of the list, counted from 0.
    pub(crate) fn id(&self, position: u64) -> RowId {
        if let Some(prefix) = &self.long {
            return RowId::of_content(format!("{prefix}{position}").as_bytes());
        }
        let state = permute(self.state(position));
        RowId::of(state[0], state[1])
    }

    /// The same id, for positions requested in ascending order: with vectors the second and third
    /// id are computed together, and so on. The first is computed alone, because many lists have
    /// one row.
    pub(crate) fn in_turn(&mut self, position: u64) -> RowId {
        match self.ahead.take() {
            Some((at, id)) if at == position => id,
            _ if self.begun && Pair::IS_FAST => {
                let [id, next] = self.pair(position);
                self.ahead = Some((position.saturating_add(1), next));
                id
            }
            _ => {
                self.begun = true;
                self.id(position)
            }
        }
    }

    /// The ids at a position and the next one: cheaper than two single ids if the target has
    /// vectors, and no more expensive otherwise.
    #[expect(clippy::indexing_slicing, reason = "all three arrays have 25 lanes")]
    pub(crate) fn pair(&self, position: u64) -> [RowId; 2] {
        let next = position.saturating_add(1);
        if self.long.is_some() || !Pair::IS_FAST {
            return [self.id(position), self.id(next)];
        }
        let (a, b) = (self.state(position), self.state(next));
        let state = permute(std::array::from_fn(|lane| Pair::join(a[lane], b[lane])));
        let ([a, b], [c, d]) = (state[0].split(), state[1].split());
        [RowId::of(a, c), RowId::of(b, d)]
    }

    /// The state after absorbing the whole text.
    fn state(&self, position: u64) -> [u64; 25] {
        let mut state = self.state;
        let (mut rest, mut count) = (position, 1);
        while rest > 9 {
            rest /= 10;
            count += 1;
        }
        put(&mut state, self.len + count, SHAKE_SUFFIX);
        rest = position;
        for place in (self.len..self.len + count).rev() {
            put(&mut state, place, b'0' + (rest % 10) as u8);
            rest /= 10;
        }
        state
    }
}

/// The number of digits of the largest position.
const POSITION_DIGITS: usize = 20;

/// The first `bytes` bytes of SHAKE128 of a text, in base64 without padding (dlt's `digest128`).
pub(crate) fn b64_digest(text: &[u8], bytes: usize) -> String {
    let mut digest = vec![0; bytes];
    shake128(text, &mut digest);
    STANDARD_NO_PAD.encode(digest)
}

/// Fills `out` with SHAKE128 of `input`.
pub(crate) fn shake128(input: &[u8], out: &mut [u8]) {
    sponge::<SHAKE128_RATE>(input, SHAKE_SUFFIX, out);
}

/// SHA3-256 of `input`.
pub(crate) fn sha3_256(input: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    sponge::<SHA3_256_RATE>(input, SHA3_SUFFIX, &mut out);
    out
}

/// The sponge construction of FIPS 202, section 4, on whole bytes.
fn sponge<const RATE: usize>(input: &[u8], suffix: u8, out: &mut [u8]) {
    let mut state = [0; 25];
    let (blocks, tail) = input.as_chunks::<RATE>();
    for block in blocks {
        absorb(&mut state, block);
        state = permute(state);
    }
    let mut last = [0; RATE];
    last.iter_mut().zip(tail.iter().chain([&suffix])).for_each(|(to, from)| *to = *from);
    absorb(&mut state, &last);
    put(&mut state, RATE - 1, PADDING_END);
    for chunk in out.chunks_mut(RATE) {
        state = permute(state);
        let bytes = state.iter().flat_map(|lane| lane.to_le_bytes());
        chunk.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    }
}

/// Adds a block to a state.
fn absorb(state: &mut [u64; 25], block: &[u8]) {
    for (lane, bytes) in state.iter_mut().zip(block.as_chunks().0) {
        *lane ^= u64::from_le_bytes(*bytes);
    }
}

/// Adds one byte to a state. Positions beyond 200 are ignored.
fn put(state: &mut [u64; 25], at: usize, byte: u8) {
    if let Some(lane) = state.get_mut(at / 8) {
        *lane ^= u64::from(byte) << (at % 8 * 8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standard() {
        let check = |input: &[u8], shake: &str, sha: &str| {
            let mut out = [0; 32];
            shake128(input, &mut out);
            assert_eq!((hex(&out), hex(&sha3_256(input))), (shake.into(), sha.into()));
        };
        check(
            b"",
            "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26",
            "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a",
        );
        check(
            b"abc",
            "5881092dd818bf5cf8a3ddb793fbcba74097d5c526a6d35f97b83351940f2cc8",
            "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
        );
    }

    /// Compares digests around the block sizes of both with Python's hashlib: the end of 500 bytes
    /// of SHAKE128, the beginning of SHA3-256.
    #[test]
    fn digests_around_block_sizes() {
        let cases = [
            (0, "7f9c2ba4e88f827ddd544512dda25298", "a7ffc6f8bf1ed766"),
            (1, "776915233d1e790962c65156480a97d0", "e3ed56bd086d8958"),
            (7, "ec1531e014d16b98ae6d1350135fe68d", "5a85987e2b471b18"),
            (8, "0c00180510bf550645762ed234c66f3a", "fb5960edfcf34231"),
            (135, "c46af4f9a43a25a3b11265905de51e18", "d9dcf1f98e49a79b"),
            (136, "c9b065cf999862c0ad73f4795bd7d0fb", "743bd32e775ac738"),
            (137, "4bd0a672017e5874ad35192208d62771", "01d47e8d6dce6e3d"),
            (167, "bb961bb015521037e44bbaa7402e63b4", "684bf83317ea400f"),
            (168, "d4f73f3b6c4b72d0ac43abb620feda54", "a5a267be79238367"),
            (169, "30454dd0f630ab1bc91040f669cc4c6b", "f7a2c4983e6cf268"),
            (272, "227c2d5657571be5cdb79df692c0b63e", "ddeb5151c0797399"),
            (335, "d7b9f9df93b966da530928f8f2f4add3", "e1ab3c6aa3b21c1f"),
            (336, "bcac93c8c1c863cf0cd39ab0f6702ad2", "91484bea8e1df927"),
            (337, "a8953cbd0a39b2554b4fb562ba25c0ee", "ee0641863ff329d6"),
            (1000, "e666e4224e1a107591fd3f8a3a70287b", "bd8b4d76041e0135"),
        ];
        for (len, shake, sha) in cases {
            let text: Vec<u8> = (0..len).map(|i: usize| (i * 7 + 3) as u8).collect();
            let mut out = [0; 500];
            shake128(&text, &mut out);
            let ends = [hex(&out[..8]), hex(&out[492..])].concat();
            assert_eq!((ends.as_str(), hex(&sha3_256(&text)[..8]).as_str()), (shake, sha), "{len}");
        }
    }

    #[test]
    fn row_ids_are_those_of_dlt() {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/conformance/corpus/rowhash.json");
        let text = std::fs::read_to_string(path).unwrap();
        let corpus: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        let mut checked = 0;
        for case in &corpus {
            let found = match (case["parent"].as_str(), case["json"].as_str()) {
                (Some(parent), _) => {
                    let table = case["table"].as_str().unwrap();
                    ChildIds::new(parent, table).id(case["idx"].as_u64().unwrap())
                }
                (_, Some(json)) => RowId::of_content(json.as_bytes()),
                _ => continue,
            };
            assert_eq!(found.as_str(), case["_dlt_id"], "{case}");
            assert_eq!(
                case["json"]
                    .as_str()
                    .map_or(found.as_str().into(), |json| b64_digest(json.as_bytes(), 10)),
                found.as_str()
            );
            checked += 1;
        }
        assert!(checked >= 10, "the corpus holds {checked} texts");
    }

    /// Each method returns the digest of the same text.
    #[test]
    fn child_ids_are_digests_of_their_texts() {
        for table in ["", "t", "issues__fields__comment", &"long".repeat(35), &"é".repeat(255)] {
            let mut ids = ChildIds::new("z5jIxXIbUnmbKw", table);
            for position in [0, 1, 8, 9, 10, 99, 100, 12_345, u64::MAX - 1] {
                let expect = |position| {
                    b64_digest(format!("z5jIxXIbUnmbKw_{table}_{position}").as_bytes(), 10)
                };
                assert_eq!(ids.id(position).as_str(), expect(position));
                assert_eq!(ids.in_turn(position).as_str(), expect(position));
                let pair = ids.pair(position);
                assert_eq!(
                    pair.each_ref().map(RowId::as_str),
                    [expect(position).as_str(), expect(position + 1).as_str()]
                );
            }
        }
    }

    /// The order of requests does not change an id.
    #[test]
    fn ids_requested_in_any_order_are_equal() {
        let mut ids = ChildIds::new("z5jIxXIbUnmbKw", "t");
        for position in (0..12).chain([12, 13, 13, 20, 7]) {
            assert_eq!(ids.in_turn(position), ids.id(position));
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
