//! Decompresses Arrow IPC: arrow2 reads compressed buffers only if none is empty and none is stored
//! uncompressed, and other writers produce both.

use std::io::{self, Read};

use arrow_format::ipc::planus::{Builder, ReadAsRoot as _};
use arrow_format::ipc::{Buffer, CompressionType, Message, MessageHeader, MessageRef, RecordBatch};

use super::fault::invalid;

/// A stream of messages with uncompressed record batches. It keeps one message in memory.
pub(super) struct Plain<R> {
    inner: R,
    message: io::Cursor<Vec<u8>>,
    ended: bool,
}

/// The first bytes of a message since version 5 of the format.
const MARK: [u8; 4] = [0xff; 4];

impl<R: Read> Plain<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, message: io::Cursor::default(), ended: false }
    }

    /// Returns the next message with its body, or `None` at the end.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut size = [0; 4];
        // A stream may end without an end mark.
        if part(&mut self.inner, 4)?.map(|read| size.copy_from_slice(&read)).is_none() {
            return Ok(None);
        }
        if size == MARK {
            self.inner.read_exact(&mut size)?;
        }
        let size = u64::try_from(i32::from_le_bytes(size)).map_err(|_| damaged())?;
        if size == 0 {
            return Ok(None);
        }
        let head = part(&mut self.inner, size)?.ok_or_else(damaged)?;
        let message = MessageRef::read_as_root(&head).and_then(Message::try_from);
        let mut message = message.map_err(|error| invalid(&error.to_string()))?;
        let length = u64::try_from(message.body_length).map_err(|_| damaged())?;
        let body = match length {
            0 => Vec::new(),
            length => part(&mut self.inner, length)?.ok_or_else(damaged)?,
        };
        let batch = match &mut message.header {
            Some(MessageHeader::RecordBatch(batch)) => Some(&mut **batch),
            Some(MessageHeader::DictionaryBatch(batch)) => batch.data.as_deref_mut(),
            _ => None,
        };
        let plain = match batch {
            Some(batch) => unpacked(batch, &body)?,
            None => None,
        };
        let Some(body) = plain else { return framed(&head, &body).map(Some) };
        message.body_length = i64::try_from(body.len()).map_err(|_| damaged())?;
        framed(Builder::new().finish(&message, None), &body).map(Some)
    }
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.message.read(into)?;
        if read > 0 || into.is_empty() || self.ended {
            return Ok(read);
        }
        match self.next()? {
            Some(message) => self.message = io::Cursor::new(message),
            None => self.ended = true,
        }
        self.message.read(into)
    }
}

/// Reads `size` bytes. `None` at the end of the stream.
fn part(reader: &mut impl Read, size: u64) -> io::Result<Option<Vec<u8>>> {
    let mut read = Vec::new();
    reader.take(size).read_to_end(&mut read)?;
    match read.len() as u64 {
        0 => Ok(None),
        length if length < size => Err(damaged()),
        _ => Ok(Some(read)),
    }
}

fn framed(head: &[u8], body: &[u8]) -> io::Result<Vec<u8>> {
    let size = i32::try_from(head.len()).map_err(|_| damaged())?;
    Ok([&MARK, &size.to_le_bytes(), head, body].concat())
}

/// The uncompressed body of a batch, whose buffers are updated. `None` if it was not compressed.
fn unpacked(batch: &mut RecordBatch, body: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let Some(compression) = batch.compression.take() else { return Ok(None) };
    let mut plain = Vec::new();
    for buffer in batch.buffers.iter_mut().flatten() {
        let offset = plain.len();
        let packed = usize::try_from(buffer.offset).ok().and_then(|start| {
            let length = usize::try_from(buffer.length).ok()?;
            body.get(start..start.checked_add(length)?)
        });
        let packed = packed.ok_or_else(damaged)?;
        if let Some((size, packed)) = packed.split_first_chunk::<8>() {
            match i64::from_le_bytes(*size) {
                -1 => plain.extend_from_slice(packed),
                size => {
                    let size = u64::try_from(size).map_err(|_| damaged())?;
                    let read = match compression.codec {
                        CompressionType::Lz4Frame => lz4_flex::frame::FrameDecoder::new(packed)
                            .take(size)
                            .read_to_end(&mut plain)?,
                        CompressionType::Zstd => zstd::stream::read::Decoder::new(packed)?
                            .take(size)
                            .read_to_end(&mut plain)?,
                    };
                    if read as u64 != size {
                        return Err(damaged());
                    }
                }
            }
        } else if !packed.is_empty() {
            return Err(damaged());
        }
        let number = |value: usize| i64::try_from(value).map_err(|_| damaged());
        *buffer = Buffer { offset: number(offset)?, length: number(plain.len() - offset)? };
        plain.resize(plain.len().next_multiple_of(8), 0);
    }
    Ok(Some(plain))
}

#[cold]
fn damaged() -> io::Error {
    invalid("the Arrow IPC is cut off, or is damaged")
}
