//! The text encodings that both hosts support, with the same characters for the same bytes
//! (`procedures/handler/snowcat_text.py`; `tests/data/network/cases.json` tests both).

use std::fmt;

use encoding_rs::DecoderResult;

/// An encoding of text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Encoding {
    name: &'static str,
    how: How,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum How {
    Utf8,
    /// Either byte order; a mark at the beginning determines it.
    Utf16,
    /// One byte per character.
    Bytes(&'static encoding_rs::Encoding),
    /// Each byte is the character with its number.
    Latin1,
    /// Several bytes per character.
    Several(&'static encoding_rs::Encoding),
}

const ALL: [Encoding; 30] = {
    use How::{Bytes, Latin1, Several, Utf8, Utf16};
    use encoding_rs as rs;
    const fn of(name: &'static str, how: How) -> Encoding {
        Encoding { name, how }
    }
    [
        of("utf-8", Utf8),
        of("utf-16", Utf16),
        of("utf-16le", Several(rs::UTF_16LE)),
        of("utf-16be", Several(rs::UTF_16BE)),
        of("shift_jis", Several(rs::SHIFT_JIS)),
        of("koi8-r", Bytes(rs::KOI8_R)),
        of("ibm866", Bytes(rs::IBM866)),
        of("macintosh", Bytes(rs::MACINTOSH)),
        of("iso-8859-1", Latin1),
        of("iso-8859-2", Bytes(rs::ISO_8859_2)),
        of("iso-8859-3", Bytes(rs::ISO_8859_3)),
        of("iso-8859-4", Bytes(rs::ISO_8859_4)),
        of("iso-8859-5", Bytes(rs::ISO_8859_5)),
        of("iso-8859-6", Bytes(rs::ISO_8859_6)),
        of("iso-8859-7", Bytes(rs::ISO_8859_7)),
        of("iso-8859-8", Bytes(rs::ISO_8859_8)),
        of("iso-8859-10", Bytes(rs::ISO_8859_10)),
        of("iso-8859-13", Bytes(rs::ISO_8859_13)),
        of("iso-8859-14", Bytes(rs::ISO_8859_14)),
        of("iso-8859-15", Bytes(rs::ISO_8859_15)),
        of("iso-8859-16", Bytes(rs::ISO_8859_16)),
        of("windows-874", Bytes(rs::WINDOWS_874)),
        of("windows-1250", Bytes(rs::WINDOWS_1250)),
        of("windows-1251", Bytes(rs::WINDOWS_1251)),
        of("windows-1252", Bytes(rs::WINDOWS_1252)),
        of("windows-1253", Bytes(rs::WINDOWS_1253)),
        of("windows-1254", Bytes(rs::WINDOWS_1254)),
        of("windows-1256", Bytes(rs::WINDOWS_1256)),
        of("windows-1257", Bytes(rs::WINDOWS_1257)),
        of("windows-1258", Bytes(rs::WINDOWS_1258)),
    ]
};

/// Other names, with `-` for `_`. ASCII is a part of UTF-8.
const ALIASES: [(&str, &str); 20] = [
    ("ascii", "utf-8"),
    ("cp866", "ibm866"),
    ("cp874", "windows-874"),
    ("cp932", "shift_jis"),
    ("l1", "iso-8859-1"),
    ("latin-1", "iso-8859-1"),
    ("latin-9", "iso-8859-15"),
    ("latin1", "iso-8859-1"),
    ("mac-roman", "macintosh"),
    ("macroman", "macintosh"),
    ("ms932", "shift_jis"),
    ("shift-jis", "shift_jis"),
    ("sjis", "shift_jis"),
    ("us-ascii", "utf-8"),
    ("utf-16-be", "utf-16be"),
    ("utf-16-le", "utf-16le"),
    ("utf16", "utf-16"),
    ("utf8", "utf-8"),
    ("windows-31j", "shift_jis"),
    ("x-sjis", "shift_jis"),
];

/// An undecodable byte. `None` for several bytes, which are not shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bad {
    /// Its position in the decoded input.
    pub(crate) at: usize,
    pub(crate) byte: Option<u8>,
}

/// Decodes input in parts that may be cut anywhere.
pub(crate) struct Decoder {
    state: DecoderState,
    /// The number of bytes in earlier parts.
    before: usize,
}

enum DecoderState {
    /// With the beginning of a character.
    Utf8(Vec<u8>),
    /// With the beginning of a byte order mark.
    Utf16(Vec<u8>),
    Bytes(Box<[Option<char>; 256]>),
    Several(Box<encoding_rs::Decoder>),
}

impl Encoding {
    /// The default encoding.
    pub(crate) const UTF_8: Self = Self { name: "utf-8", how: How::Utf8 };

    /// The encoding with this name.
    pub(crate) fn named(label: &str) -> Option<Self> {
        let label = label.trim().to_ascii_lowercase().replace('_', "-");
        let windows = label.strip_prefix("x-").unwrap_or(&label).strip_prefix("cp125");
        let name = if let Some(page) = windows.filter(|page| page.len() == 1) {
            format!("windows-125{page}")
        } else if let Some(part) = label
            .strip_prefix("iso")
            .map(|rest| rest.strip_prefix('-').unwrap_or(rest))
            .and_then(|rest| rest.strip_prefix("8859"))
        {
            format!("iso-8859-{}", part.strip_prefix('-').unwrap_or(part))
        } else {
            let alias = ALIASES.iter().find(|(alias, _)| *alias == label);
            alias.map_or(label, |(_, name)| (*name).to_owned())
        };
        ALL.into_iter().find(|it| it.name == name)
    }

    /// Decodes bytes.
    ///
    /// # Errors
    /// The position of the first undecodable byte.
    pub(crate) fn text(self, bytes: Vec<u8>) -> Result<String, usize> {
        if self.how == How::Utf8 {
            return String::from_utf8(bytes).map_err(|e| e.utf8_error().valid_up_to());
        }
        let mut text = String::with_capacity(bytes.len());
        let mut first = None;
        let mut bad = |_: &mut String, bad: Bad| {
            first.get_or_insert(bad.at);
        };
        self.decoder().decode(&bytes, true, &mut text, &mut bad);
        first.map_or(Ok(text), Err)
    }

    /// A decoder for a new text.
    pub(crate) fn decoder(self) -> Decoder {
        let state = match self.how {
            How::Utf8 => DecoderState::Utf8(Vec::new()),
            How::Utf16 => DecoderState::Utf16(Vec::new()),
            How::Latin1 => {
                DecoderState::Bytes(Box::new(std::array::from_fn(|n| char::from_u32(n as u32))))
            }
            How::Bytes(encoding) => {
                let windows = self.name.starts_with("windows");
                let mut number = 0..=u8::MAX;
                let table = std::array::from_fn(|_| {
                    let bytes = [number.next()?];
                    let text =
                        encoding.decode_without_bom_handling_and_without_replacement(&bytes)?;
                    // Browsers decode bytes that Windows does not define as control characters.
                    text.chars().next().filter(|c| !(windows && matches!(c, '\u{80}'..='\u{9f}')))
                });
                DecoderState::Bytes(Box::new(table))
            }
            How::Several(encoding) => several(encoding),
        };
        Decoder { state, before: 0 }
    }
}

/// The name in errors.
impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.how {
            How::Utf8 | How::Utf16 => f.write_str(&self.name.to_ascii_uppercase()),
            How::Several(_) if self.name.starts_with("utf") => {
                f.write_str(&self.name.to_ascii_uppercase())
            }
            _ => f.write_str(self.name),
        }
    }
}

impl Decoder {
    /// The number of bytes that begin an incomplete character.
    pub(crate) fn held(&self) -> usize {
        match &self.state {
            DecoderState::Utf8(rest) | DecoderState::Utf16(rest) => rest.len(),
            DecoderState::Bytes(_) | DecoderState::Several(_) => 0,
        }
    }

    /// Appends the text of some bytes. `last`: the input ends. Calls a function for undecodable
    /// bytes.
    pub(crate) fn decode(
        &mut self,
        bytes: &[u8],
        last: bool,
        text: &mut String,
        bad: &mut dyn FnMut(&mut String, Bad),
    ) {
        let before = self.before;
        self.before += bytes.len();
        match &mut self.state {
            DecoderState::Utf8(rest) => {
                let at = before - rest.len();
                rest.extend_from_slice(bytes);
                let kept = utf_8(rest, last, text, &mut |text, found| {
                    bad(text, Bad { at: at + found.at, ..found });
                });
                rest.drain(..rest.len() - kept);
            }
            DecoderState::Utf16(mark) => {
                mark.extend_from_slice(bytes);
                if mark.len() < 2 && !last {
                    return;
                }
                let (encoding, skip) = match mark.as_slice() {
                    [0xfe, 0xff, ..] => (encoding_rs::UTF_16BE, 2),
                    [0xff, 0xfe, ..] => (encoding_rs::UTF_16LE, 2),
                    _ => (encoding_rs::UTF_16LE, 0),
                };
                let bytes = std::mem::take(mark);
                self.state = several(encoding);
                self.before = skip;
                self.decode(bytes.get(skip..).unwrap_or_default(), last, text, bad);
            }
            DecoderState::Bytes(table) => {
                for (at, &byte) in (before..).zip(bytes) {
                    match table.get(usize::from(byte)).copied().flatten() {
                        Some(c) => text.push(c),
                        None => bad(text, Bad { at, byte: Some(byte) }),
                    }
                }
            }
            DecoderState::Several(decoder) => {
                let mut done = 0;
                loop {
                    let rest = bytes.get(done..).unwrap_or_default();
                    let most = decoder.max_utf8_buffer_length_without_replacement(rest.len());
                    text.reserve(most.unwrap_or(rest.len()));
                    let (result, read) =
                        decoder.decode_to_string_without_replacement(rest, text, last);
                    done += read;
                    match result {
                        DecoderResult::InputEmpty => return,
                        DecoderResult::OutputFull => {}
                        DecoderResult::Malformed(length, behind) => {
                            let at = before + done - usize::from(length) - usize::from(behind);
                            bad(text, Bad { at, byte: None });
                        }
                    }
                }
            }
        }
    }
}

fn several(encoding: &'static encoding_rs::Encoding) -> DecoderState {
    DecoderState::Several(Box::new(encoding.new_decoder_without_bom_handling()))
}

/// Appends the text of UTF-8 bytes. Returns the number of bytes at the end that begin an incomplete
/// character.
fn utf_8(
    mut bytes: &[u8],
    last: bool,
    text: &mut String,
    bad: &mut dyn FnMut(&mut String, Bad),
) -> usize {
    let mut at = 0;
    loop {
        let error = match str::from_utf8(bytes) {
            Ok(whole) => {
                text.push_str(whole);
                return 0;
            }
            Err(error) => error,
        };
        let (whole, rest) = bytes.split_at(error.valid_up_to());
        text.push_str(str::from_utf8(whole).unwrap_or_default());
        at += whole.len();
        if error.error_len().is_none() && !last {
            return rest.len();
        }
        let (found, rest) = rest.split_at(error.error_len().unwrap_or(rest.len()));
        for &byte in found {
            bad(text, Bad { at, byte: Some(byte) });
            at += 1;
        }
        bytes = rest;
    }
}
