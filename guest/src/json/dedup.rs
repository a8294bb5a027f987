//! Keys that stand twice in one object: which Snowflake's PARSE_JSON refuses.

use super::{MAX_DEPTH, Peek, Reader, unescape};
use crate::fault::Result;

/// The same value with each object's repeated keys removed: the last one counts, in the place of
/// the first, as every JSON parser of Python has it.
pub fn without_repeats(json: &str) -> Result<String> {
    let mut out = String::with_capacity(json.len());
    copy_without_repeats(&mut Reader::new(json), &mut out, 0)?;
    Ok(out)
}

/// Whether some object in the value has a key twice.
pub fn has_repeats(json: &str) -> Result<bool> {
    let mut reader = Reader::new(json);
    let mut open: Vec<Option<Vec<&str>>> = Vec::new();
    loop {
        let peek = reader.peek()?;
        if matches!(peek, Peek::Object | Peek::Array) {
            if reader.enter() {
                open.push((peek == Peek::Object).then(Vec::new));
                if let Some(Some(keys)) = open.last_mut() {
                    keys.push(reader.key()?);
                }
                continue;
            }
        } else {
            reader.skip()?;
        }
        loop {
            let Some(innermost) = open.last_mut() else { return Ok(false) };
            let close = if innermost.is_some() { b'}' } else { b']' };
            if reader.more(close)? {
                if let Some(keys) = innermost {
                    keys.push(reader.key()?);
                }
                break;
            }
            if let Some(Some(mut keys)) = open.pop() {
                // Two spellings of one key are rare, and harmless: the slow path unescapes.
                keys.sort_unstable();
                if keys.windows(2).any(|pair| pair.first() == pair.last())
                    || keys.iter().any(|key| key.contains('\\'))
                {
                    return Ok(true);
                }
            }
        }
    }
}

fn copy_without_repeats(reader: &mut Reader<'_>, out: &mut String, depth: u32) -> Result<()> {
    if depth >= MAX_DEPTH {
        return Err(reader.too_deep());
    }
    match reader.peek()? {
        Peek::Object => {
            let mut members: indexmap::IndexMap<String, (&str, String)> = indexmap::IndexMap::new();
            let mut more = reader.enter();
            while more {
                let key = reader.key()?;
                let mut value = String::new();
                copy_without_repeats(reader, &mut value, depth + 1)?;
                members.insert(unescape(key), (key, value));
                more = reader.more(b'}')?;
            }
            out.push('{');
            for (i, (key, value)) in members.values().enumerate() {
                out.push_str(if i == 0 { "\"" } else { ",\"" });
                out.push_str(key);
                out.push_str("\":");
                out.push_str(value);
            }
            out.push('}');
        }
        Peek::Array => {
            out.push('[');
            let mut more = reader.enter();
            while more {
                copy_without_repeats(reader, out, depth + 1)?;
                more = reader.more(b']')?;
                if more {
                    out.push(',');
                }
            }
            out.push(']');
        }
        _ => out.push_str(reader.skip()?),
    }
    Ok(())
}
