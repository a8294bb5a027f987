//! Parquet's hybrid of run lengths and bit packing, for definition levels and dictionary indices.
//! Source: `Encodings.md`, "Run Length Encoding / Bit-Packing Hybrid".

use super::thrift::varint;

/// Values are processed in blocks of this size; a block of equal values becomes part of a run.
const BLOCK: usize = 64;

/// Appends definition levels of one bit: of `rows` rows, those set in `words` have a value. A word
/// has one bit per row from the least significant one on; there may be fewer words than rows.
pub(super) fn levels(to: &mut Vec<u8>, words: &[u64], rows: usize) {
    let blocks = rows.div_ceil(BLOCK);
    let word = |block: usize| words.get(block).copied().unwrap_or(0);
    let rows_in = |block: usize| BLOCK.min(rows - block * BLOCK);
    let run = |block: usize| match word(block) {
        0 => Some(0),
        // The bits after the last row are zero.
        bits if bits.count_ones() as usize == rows_in(block) => Some(1),
        _ => None,
    };
    let mut at = 0;
    while at < blocks {
        let start = at;
        let value = run(at);
        while at < blocks && run(at) == value {
            at += 1;
        }
        let rows = (start..at).map(rows_in).sum::<usize>();
        match value {
            Some(value) => {
                varint(to, (rows as u64) << 1);
                to.push(value);
            }
            None => {
                let bytes = rows.div_ceil(8);
                varint(to, (bytes as u64) << 1 | 1);
                let end = to.len() + bytes;
                for block in start..at {
                    to.extend_from_slice(&word(block).to_le_bytes());
                }
                to.truncate(end);
            }
        }
    }
}

/// Appends numbers of `width` bits (1 to 32).
pub(super) fn indices(to: &mut Vec<u8>, values: &[u32], width: u32) {
    let blocks: Vec<_> = values.chunks(BLOCK).map(|block| (uniform(block), block)).collect();
    for run in blocks.chunk_by(|a, b| a.0 == b.0) {
        let count: usize = run.iter().map(|(_, block)| block.len()).sum();
        if let Some((Some(value), _)) = run.first() {
            varint(to, (count as u64) << 1);
            let bytes = value.to_le_bytes();
            to.extend(bytes.iter().take(width.div_ceil(8) as usize));
        } else {
            varint(to, (count.div_ceil(8) as u64) << 1 | 1);
            for (_, block) in run {
                pack(to, block, width);
            }
        }
    }
}

/// The value of a block of equal values.
fn uniform(block: &[u32]) -> Option<u32> {
    let first = *block.first()?;
    block.iter().all(|value| *value == first).then_some(first)
}

/// Appends a block in packs of eight values; the last pack is padded with zeros.
fn pack(to: &mut Vec<u8>, block: &[u32], width: u32) {
    let end = to.len() + block.len().div_ceil(8) * width as usize;
    let mut word = 0;
    let mut used = 0;
    for &value in block {
        let value = u64::from(value);
        word |= value << used;
        used += width;
        if used >= 64 {
            to.extend_from_slice(&word.to_le_bytes());
            used -= 64;
            word = if used == 0 { 0 } else { value >> (width - used) };
        }
    }
    if to.len() < end {
        to.extend_from_slice(&word.to_le_bytes());
        to.resize(end, 0);
    }
}

#[cfg(test)]
mod tests {
    use parquet2::encoding::hybrid_rle::HybridRleDecoder;

    use super::*;

    fn decode(bytes: &[u8], width: u32, count: usize) -> Vec<u32> {
        let decoder = HybridRleDecoder::try_new(bytes, width, count).unwrap();
        decoder.map(|value| value.unwrap()).collect()
    }

    #[test]
    fn levels_are_read_back() {
        // Alternating stretches of rows without a value (even indices) and with one (odd indices).
        let check = |stretches: &[usize]| {
            let rows: usize = stretches.iter().sum();
            let mut words = vec![0u64; rows.div_ceil(64)];
            let mut expect = Vec::new();
            for (at, length) in stretches.iter().enumerate() {
                for _ in 0..*length {
                    let row = expect.len();
                    *words.get_mut(row / 64).unwrap() |= (at as u64 % 2) << (row % 64);
                    expect.push(at as u32 % 2);
                }
            }
            let used = words.iter().rposition(|word| *word != 0).map_or(0, |last| last + 1);
            let mut bytes = Vec::new();
            levels(&mut bytes, words.get(..used).unwrap(), rows);
            assert_eq!(decode(&bytes, 1, rows), expect, "{stretches:?}");
            bytes.len()
        };
        for rows in 1..200 {
            assert!(check(&[rows]) <= 3);
            assert!(check(&[0, rows]) <= 3);
            check(&[rows / 2, 1, rows / 3, 3]);
            check(&vec![1; rows]);
        }
        check(&[64, 64, 63, 1, 129, 1, 1]);
        assert!(check(&[0, 1_000_000]) <= 5);
        assert!(check(&[500_000, 1, 500_000]) <= 20);
    }

    #[test]
    fn indices_are_read_back() {
        for width in 1..=32 {
            let top = u32::MAX >> (32 - width);
            for count in [1, 7, 8, 9, 63, 64, 65, 128, 1000] {
                let mixed: Vec<u32> =
                    (0..count as u32).map(|i| i.wrapping_mul(0x9e37_79b9) & top).collect();
                let equal = vec![top; count];
                let both = [equal.as_slice(), &mixed, &equal, &equal, &mixed].concat();
                for values in [mixed, equal, both] {
                    let mut bytes = Vec::new();
                    indices(&mut bytes, &values, width);
                    assert_eq!(decode(&bytes, width, values.len()), values, "{width} {count}");
                }
            }
        }
    }
}
