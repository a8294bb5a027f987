//! Bodies: decompressed, limited in size, and decoded to text.

use std::io::{self, Read};

use flate2::read::{DeflateDecoder, ZlibDecoder};

use crate::encoding::Encoding;
use crate::gzip::{Members, TooMany};

/// The compressions that a server may use.
pub(super) const ENCODINGS: &str = "gzip, deflate";

/// The maximum number of gzip members in a body: more cost too much time.
const MEMBERS: u64 = 1000;

/// The reason why a body is invalid.
pub(super) enum Unfit {
    /// It was truncated, or contradicts its headers: another attempt may succeed.
    Broken(String),
    /// Another attempt would have the same result.
    Lasting(String),
}

/// Returns the text of a body with this `content-encoding` and `content-type`.
pub(super) fn text(
    bytes: Vec<u8>,
    encoding: Option<&str>,
    kind: Option<&str>,
    limit: u64,
) -> Result<String, Unfit> {
    if bytes.len() as u64 > limit {
        return Err(Unfit::Lasting(too_large(limit)));
    }
    let encoding = encoding.unwrap_or_default().trim().to_ascii_lowercase();
    let bytes = match encoding.as_str() {
        "" | "identity" => bytes,
        // An empty response may have an encoding.
        _ if bytes.is_empty() => bytes,
        "gzip" | "x-gzip" => read(Members::new(&*bytes).at_most(MEMBERS), limit)?,
        // The standard requires zlib's format; some servers send plain deflate.
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
    let encoding = match kind.and_then(charset) {
        None => Encoding::UTF_8,
        Some(label) => Encoding::named(label).ok_or_else(|| {
            let why = format!("expected a body in a charset that this host knows, found {label:?}");
            Unfit::Lasting(why)
        })?,
    };
    encoding.text(bytes).map_err(|at| {
        Unfit::Lasting(format!("expected a body in {encoding}, found other bytes at {at}"))
    })
}

/// The charset in a content type.
fn charset(kind: &str) -> Option<&str> {
    kind.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'', ' ']);
        let is = name.trim().eq_ignore_ascii_case("charset") && !value.is_empty();
        is.then_some(value)
    })
}

/// Returns the message for a body that is too large.
pub(super) fn too_large(limit: u64) -> String {
    format!("the body is larger than the limit of {limit} bytes")
}

/// Decompresses at most `limit` bytes: a few compressed bytes can expand to many.
fn read(decoder: impl Read, limit: u64) -> Result<Vec<u8>, Unfit> {
    let mut bytes = Vec::new();
    let unpacked: io::Result<usize> = decoder.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    unpacked.map_err(|e| {
        let why = format!("the body cannot be decompressed: {e}");
        let many = e.get_ref().is_some_and(|e| e.is::<TooMany>());
        if many { Unfit::Lasting(why) } else { Unfit::Broken(why) }
    })?;
    if bytes.len() as u64 > limit { Err(Unfit::Lasting(too_large(limit))) } else { Ok(bytes) }
}
