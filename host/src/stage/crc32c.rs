//! CRC-32C (RFC 3720), which Google checks files with.

/// The polynomial, its bits reversed.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// Bytes that are read at once, with a table for each.
const LANES: usize = 8;

static TABLES: [[u32; 256]; LANES] = tables();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which would refuse it")]
const fn tables() -> [[u32; 256]; LANES] {
    let mut tables = [[0; 256]; LANES];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ POLYNOMIAL } else { sum >> 1 };
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut lane = 1;
    while lane < LANES {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[lane - 1][byte];
            tables[lane][byte] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        lane += 1;
    }
    tables
}

/// The sum of these bytes.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    let (chunks, rest) = bytes.as_chunks::<LANES>();
    let mut sum = !0;
    for chunk in chunks {
        let mut mixed = *chunk;
        for (byte, old) in mixed.iter_mut().zip(u32::to_le_bytes(sum)) {
            *byte ^= old;
        }
        // The first byte has the farthest way to go.
        let lanes = TABLES.iter().rev().zip(mixed);
        sum = lanes.fold(0, |sum, (table, byte)| sum ^ entry(table, byte));
    }
    for &byte in rest {
        let [low, ..] = u32::to_le_bytes(sum);
        sum = (sum >> 8) ^ TABLES.first().map_or(0, |table| entry(table, low ^ byte));
    }
    !sum
}

/// There is one for each byte.
fn entry(table: &[u32; 256], byte: u8) -> u32 {
    table.get(usize::from(byte)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 3720, B.4, and others' test vector.
    #[test]
    fn sums_are_those_of_the_standard() {
        let rising: Vec<u8> = (0..32).collect();
        let falling: Vec<u8> = (0..32).rev().collect();
        for (bytes, expect) in [
            (&[][..], 0),
            (b"123456789", 0xe306_9283),
            (&[0; 32], 0x8a91_36aa),
            (&[0xff; 32], 0x62a8_ab43),
            (&rising, 0x46dd_794e),
            (&falling, 0x113f_db5c),
        ] {
            assert_eq!(crc32c(bytes), expect, "{bytes:?}");
        }
    }
}
