//! gzip: RFC 1952 around the DEFLATE of `miniz_oxide`.

use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, TDEFLStatus, compress, create_comp_flags_from_zip_params,
};

use crate::fault::{Fault, Result};

/// The level: higher ones take three times as long for files that are a tenth smaller.
const LEVEL: i32 = 1;
/// Raw DEFLATE, without the header of zlib.
const RAW: i32 = -15;
/// Magic bytes, DEFLATE, no name and no time; `4`: the fastest level; no operating system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];

/// Compresses texts, one after the other.
pub(crate) struct Deflater(Box<CompressorOxide>);

impl Deflater {
    pub(crate) fn new() -> Self {
        Self(Box::new(CompressorOxide::new(create_comp_flags_from_zip_params(LEVEL, RAW, 0))))
    }

    /// Appends a member of gzip with these bytes.
    pub(crate) fn append(&mut self, plain: &[u8], to: &mut Vec<u8>) -> Result<()> {
        to.extend_from_slice(&HEADER);
        self.0.reset();
        self.deflate(plain, TDEFLFlush::Finish, to)?;
        push_trailer(crc32(0, plain), plain.len() as u64, to);
        Ok(())
    }

    fn deflate(&mut self, plain: &[u8], flush: TDEFLFlush, to: &mut Vec<u8>) -> Result<()> {
        let mut rest = plain;
        loop {
            let start = to.len();
            to.resize(start + (rest.len() / 2).max(1 << 10), 0);
            let free = to.get_mut(start..).unwrap_or_default();
            let room = free.len();
            let (status, read, written) = compress(&mut self.0, rest, free, flush);
            to.truncate(start + written);
            rest = rest.get(read..).unwrap_or_default();
            match status {
                TDEFLStatus::Done => return Ok(()),
                // What is left is in the compressor.
                TDEFLStatus::Okay
                    if flush == TDEFLFlush::None && rest.is_empty() && written < room =>
                {
                    return Ok(());
                }
                TDEFLStatus::Okay => {}
                other => {
                    return Err(Fault::internal(format_args!("could not compress: {other:?}")));
                }
            }
        }
    }
}

/// One member of gzip that is written piece by piece.
#[derive(Debug)]
pub(crate) struct GzipStream {
    deflater: Deflater,
    crc: u32,
    length: u64,
}

impl GzipStream {
    /// Appends the beginning of a member.
    pub(crate) fn begin(to: &mut Vec<u8>) -> Self {
        to.extend_from_slice(&HEADER);
        Self { deflater: Deflater::new(), crc: 0, length: 0 }
    }

    /// Appends a piece.
    pub(crate) fn append(&mut self, plain: &[u8], to: &mut Vec<u8>) -> Result<()> {
        self.crc = crc32(self.crc, plain);
        self.length += plain.len() as u64;
        self.deflater.deflate(plain, TDEFLFlush::None, to)
    }

    /// Appends the end of the member.
    pub(crate) fn finish(mut self, to: &mut Vec<u8>) -> Result<()> {
        self.deflater.deflate(&[], TDEFLFlush::Finish, to)?;
        push_trailer(self.crc, self.length, to);
        Ok(())
    }
}

/// The checksum, and the size modulo 2^32.
fn push_trailer(crc: u32, length: u64, to: &mut Vec<u8>) {
    to.extend_from_slice(&crc.to_le_bytes());
    to.extend_from_slice(&(length as u32).to_le_bytes());
}

impl std::fmt::Debug for Deflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Deflater")
    }
}

/// The CRC-32 of RFC 1952 of bytes that follow those with the CRC `before`, eight bytes at a time.
#[expect(clippy::indexing_slicing, reason = "a byte is an index of a table")]
fn crc32(before: u32, bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut crc = !before;
    for word in words {
        let word = u64::from_le_bytes(*word) ^ u64::from(crc);
        crc = 0;
        for (table, byte) in TABLES.iter().rev().zip(word.to_le_bytes()) {
            crc ^= table[usize::from(byte)];
        }
    }
    for byte in rest {
        crc = (crc >> 8) ^ TABLES[0][usize::from(crc as u8 ^ byte)];
    }
    !crc
}

/// The table of a byte, and of bytes that are followed by one to seven zero bytes.
static TABLES: [[u32; 256]; 8] = tables();

#[expect(clippy::indexing_slicing, reason = "the indices are constants")]
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before: u32 = tables[table - 1][byte];
            tables[table][byte] = (before >> 8) ^ tables[0][(before & 255) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;
    use miniz_oxide::inflate::decompress_to_vec;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        let check = |text: &str, expect| assert_eq!(crc32(0, text.as_bytes()), expect, "{text}");
        check("", 0);
        check("a", 0xe8b7_be43);
        check("123456789", 0xcbf4_3926);
        check("The quick brown fox jumps over the lazy dog", 0x414f_a339);
    }

    #[test]
    fn members_are_decompressed_to_the_same_bytes() {
        let mut deflater = Deflater::new();
        let noise = |n: u32| (n.wrapping_mul(2_654_435_761) >> 13) as u8;
        for length in [0, 1, 100, 5000, 100_000] {
            for plain in [vec![7; length as usize], (0..length).map(noise).collect()] {
                let mut member = b"before".to_vec();
                deflater.append(&plain, &mut member).unwrap();
                let (body, trailer) = member.split_at(member.len() - 8);
                assert!(body.starts_with(b"before\x1f\x8b"));
                assert_eq!(decompress_to_vec(&body[16..]).unwrap(), plain, "{length}");
                assert_eq!(trailer[4..], length.to_le_bytes(), "{length}");
                let mut pieces = Vec::new();
                let mut stream = GzipStream::begin(&mut pieces);
                for piece in plain.chunks(999) {
                    stream.append(piece, &mut pieces).unwrap();
                }
                stream.finish(&mut pieces).unwrap();
                let (body, same) = pieces.split_at(pieces.len() - 8);
                assert_eq!(decompress_to_vec(&body[10..]).unwrap(), plain, "{length}");
                assert_eq!(same, trailer, "{length}");
                assert_eq!(trailer[..4], crc32(0, &plain).to_le_bytes());
            }
        }
    }
}
