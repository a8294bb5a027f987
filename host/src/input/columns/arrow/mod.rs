//! Arrow IPC, one batch at a time.

mod writer;

use std::io::{self, Read};

use arrow2::array::Array;
use arrow2::chunk::Chunk;
use arrow2::datatypes::Field;
use arrow2::io::ipc::read::{StreamReader, StreamState, read_stream_metadata};

use self::writer::{Writer, cell};
use super::fault::invalid;
use super::ipc::Plain;
use super::kind;
use crate::interface::Column;

type Columns = Chunk<Box<dyn Array>>;

/// The rows of Arrow IPC: a stream, or a file, which is a stream between a mark and an index.
pub(crate) fn of_arrow(
    mut reader: impl Read + Send + 'static,
    size: usize,
) -> io::Result<ArrowRows> {
    let mut head = [0; 8];
    let mut read = 0;
    while let Some(rest) = head.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest)? {
            0 => break,
            some => read += some,
        }
    }
    let head = head.get(..read).unwrap_or_default();
    if head.starts_with(b"FEA1") {
        return Err(invalid("expected Arrow IPC, found the first version of Feather"));
    }
    let head = if head == b"ARROW1\0\0" { Vec::new() } else { head.to_vec() };
    let mut stream = Plain::new(io::Cursor::new(head).chain(reader));
    let metadata = read_stream_metadata(&mut stream).map_err(unreadable)?;
    let fields = metadata.schema.fields.clone();
    let mut batches = StreamReader::new(stream, metadata, None);
    let next = move || match batches.next()? {
        Ok(StreamState::Some(columns)) => Some(Ok(columns)),
        // A stream may end without an end mark.
        Ok(StreamState::Waiting) => None,
        Err(error) => Some(Err(unreadable(error))),
    };
    ArrowRows::new(&fields, std::iter::from_fn(next), size)
}

/// The rows of Arrow IPC, as cells.
pub(crate) struct ArrowRows {
    described: Vec<Column>,
    columns: Box<dyn Iterator<Item = io::Result<Columns>> + Send>,
    /// The batch that is being written, and its next row.
    open: Option<(Columns, usize)>,
    size: usize,
}

impl ArrowRows {
    fn new(
        fields: &[Field],
        columns: impl Iterator<Item = io::Result<Columns>> + Send + 'static,
        size: usize,
    ) -> io::Result<Self> {
        let described = fields.iter().map(kind::of_field).collect();
        Ok(Self { described, columns: Box::new(columns), open: None, size })
    }

    /// The columns, with their types.
    pub(crate) fn columns(&self) -> Vec<Column> {
        self.described.clone()
    }

    /// Returns the next rows, of about `size` bytes.
    pub(crate) fn next_page(&mut self) -> io::Result<Option<String>> {
        let mut page = Vec::new();
        while page.len() < self.size {
            let Some((columns, mut row)) = self.open.take() else {
                match self.columns.next() {
                    Some(columns) => self.open = Some((columns?, 0)),
                    None => break,
                }
                continue;
            };
            let writers: Vec<Writer<'_>> =
                columns.arrays().iter().map(|a| cell(a.as_ref())).collect::<io::Result<_>>()?;
            while row < columns.len() && page.len() < self.size {
                for (n, write) in writers.iter().enumerate() {
                    if n > 0 {
                        page.push(b'\t');
                    }
                    write(row, &mut page)?;
                }
                page.push(b'\n');
                row += 1;
            }
            drop(writers);
            if row < columns.len() {
                self.open = Some((columns, row));
            }
        }
        let page = String::from_utf8(page).map_err(io::Error::other)?;
        Ok(Some(page).filter(|page| !page.is_empty()))
    }
}

fn unreadable(error: arrow2::error::Error) -> io::Error {
    invalid(&error.to_string())
}
