//! Bodies: decompressed, of a size that is allowed, and text.

use std::io::{self, Read};

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// What a server may compress with.
pub(super) const ENCODINGS: &str = "gzip, deflate";

/// Why a body is none.
pub(super) enum Unfit {
    /// It broke off, or its bytes are not what its headers say: another attempt may do.
    Broken(String),
    /// It will not do.
    Lasting(String),
}

/// The text of a body that came with this `content-encoding`.
pub(super) fn text(bytes: Vec<u8>, encoding: Option<&str>, limit: u64) -> Result<String, Unfit> {
    if bytes.len() as u64 > limit {
        return Err(Unfit::Lasting(too_large(limit)));
    }
    let encoding = encoding.unwrap_or_default().trim().to_ascii_lowercase();
    let bytes = match encoding.as_str() {
        "" | "identity" => bytes,
        // An answer without a body can say what it would have been compressed with.
        _ if bytes.is_empty() => bytes,
        "gzip" | "x-gzip" => read(MultiGzDecoder::new(&*bytes), limit)?,
        // By the book it is zlib's format; some send it bare.
        "deflate" if bytes.first().is_some_and(|first| first & 0x0f == 8) => {
            read(ZlibDecoder::new(&*bytes), limit)?
        }
        "deflate" => read(DeflateDecoder::new(&*bytes), limit)?,
        other => {
            let why =
                format!("expected a body compressed with {ENCODINGS} or not, found {other:?}");
            return Err(Unfit::Lasting(why));
        }
    };
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Unfit::Lasting(format!("expected a body in UTF-8, found other bytes at {at}"))
    })
}

/// What is said of a body that is too large.
pub(super) fn too_large(limit: u64) -> String {
    format!("the body is larger than the limit of {limit} bytes")
}

/// A few bytes can stand for many: no more are unpacked than may be.
fn read(decoder: impl Read, limit: u64) -> Result<Vec<u8>, Unfit> {
    let mut bytes = Vec::new();
    let unpacked: io::Result<usize> = decoder.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    unpacked.map_err(|e| Unfit::Broken(format!("the body cannot be decompressed: {e}")))?;
    if bytes.len() as u64 > limit { Err(Unfit::Lasting(too_large(limit))) } else { Ok(bytes) }
}
