//! Arrow IPC, a batch at a time.

use std::io::{self, Read, Write as _};

use arrow2::array::{
    Array, BinaryArray, BooleanArray, DictionaryArray, DictionaryKey, FixedSizeBinaryArray,
    FixedSizeListArray, ListArray, MapArray, PrimitiveArray, StructArray, UnionArray, Utf8Array,
};
use arrow2::chunk::Chunk;
use arrow2::datatypes::{DataType, Field, IntegerType};
use arrow2::io::ipc::read::{StreamReader, StreamState, read_stream_metadata};
use arrow2::offset::Offset;
use arrow2::types::{NativeType, f16, i256};

use super::ipc::Plain;
use super::kind::{self, Kind, UUID};
use super::text::{
    Form, boolean, bytes, date, decimal, double, duration, instant, json, null, text, time, uuid,
};
use super::{invalid, name};
use crate::interface::Column;

type Columns = Chunk<Box<dyn Array>>;

/// The rows of Arrow IPC: a stream, or a file, which is a stream between a mark and an index.
pub(crate) fn of_arrow(mut reader: impl Read + Send + 'static, size: usize) -> io::Result<Rows> {
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
        // That a stream ends without saying so is allowed.
        Ok(StreamState::Waiting) => None,
        Err(error) => Some(Err(unreadable(error))),
    };
    Rows::new(&fields, std::iter::from_fn(next), size)
}

/// Rows, written as cells.
pub(crate) struct Rows {
    described: Vec<Column>,
    columns: Box<dyn Iterator<Item = io::Result<Columns>> + Send>,
    /// What is being written, from this row on.
    open: Option<(Columns, usize)>,
    size: usize,
}

impl Rows {
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

    /// The next rows, of about so many bytes.
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

/// Writes a value of a column.
type Writer<'a> = Box<dyn Fn(usize, &mut Vec<u8>) -> io::Result<()> + 'a>;

fn object(
    names: &[Vec<u8>],
    writers: &[Writer<'_>],
    row: usize,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    out.push(b'{');
    for (n, (name, write)) in names.iter().zip(writers).enumerate() {
        if n > 0 {
            out.push(b',');
        }
        out.extend_from_slice(name);
        out.push(b':');
        write(row, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn names(fields: &[Field]) -> io::Result<Vec<Vec<u8>>> {
    fields.iter().map(|field| name(&field.name)).collect()
}

/// Writes the cells of a column.
fn cell(array: &dyn Array) -> io::Result<Writer<'_>> {
    if !Kind::of_arrow(array.data_type()).is_nested() {
        return writer(array, Form::Cell);
    }
    let write = writer(array, Form::Json)?;
    Ok(Box::new(move |row, out| {
        let mut nested = Vec::new();
        write(row, &mut nested)?;
        json(&nested, out)
    }))
}

fn writer(array: &dyn Array, form: Form) -> io::Result<Writer<'_>> {
    use DataType as T;
    let kind = array.data_type();
    Ok(match kind.to_logical_type() {
        T::Null => Box::new(move |_, out| null(form, out)),
        T::Boolean => {
            let values: &BooleanArray = of(array)?;
            nullable(array, form, move |row, out| boolean(values.value(row), form, out))
        }
        T::Int8 => each(array, form, move |value: i8, out| write!(out, "{value}"))?,
        T::Int16 => each(array, form, move |value: i16, out| write!(out, "{value}"))?,
        T::Int32 => each(array, form, move |value: i32, out| write!(out, "{value}"))?,
        T::Int64 => each(array, form, move |value: i64, out| write!(out, "{value}"))?,
        T::UInt8 => each(array, form, move |value: u8, out| write!(out, "{value}"))?,
        T::UInt16 => each(array, form, move |value: u16, out| write!(out, "{value}"))?,
        T::UInt32 => each(array, form, move |value: u32, out| write!(out, "{value}"))?,
        T::UInt64 => each(array, form, move |value: u64, out| write!(out, "{value}"))?,
        T::Float16 => {
            each(array, form, move |value: f16, out| double(f64::from(value.to_f32()), form, out))?
        }
        T::Float32 => {
            each(array, form, move |value: f32, out| double(f64::from(value), form, out))?
        }
        T::Float64 => each(array, form, move |value: f64, out| double(value, form, out))?,
        T::Decimal(_, scale) => {
            let scale = *scale;
            each(array, form, move |value: i128, out| decimal(&value.to_string(), scale, out))?
        }
        T::Decimal256(_, scale) => {
            let scale = *scale;
            each(array, form, move |value: i256, out| decimal(&value.to_string(), scale, out))?
        }
        T::Timestamp(unit, zone) => {
            let (unit, zone) = (*unit, zone.as_ref().is_some_and(|zone| !zone.is_empty()));
            each(array, form, move |value, out| instant(value, unit, zone, form, out))?
        }
        T::Date32 => each(array, form, move |days: i32, out| date(days.into(), form, out))?,
        T::Date64 => each(array, form, move |millis: i64, out| {
            date(millis.div_euclid(86_400_000), form, out)
        })?,
        T::Time32(unit) => {
            let unit = *unit;
            each(array, form, move |value: i32, out| time(value.into(), unit, form, out))?
        }
        T::Time64(unit) => {
            let unit = *unit;
            each(array, form, move |value, out| time(value, unit, form, out))?
        }
        T::Duration(unit) => {
            let unit = *unit;
            each(array, form, move |value, out| duration(value, unit, form, out))?
        }
        T::Utf8 => utf8::<i32>(array, form)?,
        T::LargeUtf8 => utf8::<i64>(array, form)?,
        T::Binary => binary::<i32>(array, form)?,
        T::LargeBinary => binary::<i64>(array, form)?,
        T::FixedSizeBinary(_) => {
            let values: &FixedSizeBinaryArray = of(array)?;
            match kind {
                T::Extension(name, ..) if name == UUID => {
                    nullable(array, form, move |row, out| uuid(values.value(row), form, out))
                }
                _ => nullable(array, form, move |row, out| bytes(values.value(row), form, out)),
            }
        }
        T::List(_) => list::<i32>(array, form)?,
        T::LargeList(_) => list::<i64>(array, form)?,
        T::FixedSizeList(_, _) => {
            let lists: &FixedSizeListArray = of(array)?;
            let (size, write) = (lists.size(), writer(lists.values().as_ref(), form)?);
            nullable(array, form, move |row, out| {
                elements(row * size, (row + 1) * size, &write, out)
            })
        }
        T::Struct(fields) => {
            let values: &StructArray = of(array)?;
            let (names, writers) = (names(fields)?, writers(values.values(), form)?);
            nullable(array, form, move |row, out| object(&names, &writers, row, out))
        }
        T::Map(_, _) => {
            let maps: &MapArray = of(array)?;
            let entries: &StructArray = of(maps.field().as_ref())?;
            let names = [br#""key""#.to_vec(), br#""value""#.to_vec()];
            let writers = writers(entries.values(), form)?;
            let write: Writer<'_> =
                Box::new(move |row, out: &mut Vec<u8>| object(&names, &writers, row, out));
            let offsets = maps.offsets();
            nullable(array, form, move |row, out| {
                let (start, end) = offsets.start_end(row);
                elements(start, end, &write, out)
            })
        }
        T::Union(..) => {
            let union: &UnionArray = of(array)?;
            let writers = writers(union.fields(), form)?;
            Box::new(move |row, out| {
                let (field, row) = union.index(row);
                writers.get(field).ok_or_else(|| invalid("a union is broken"))?(row, out)
            })
        }
        T::Dictionary(key, ..) => match key {
            IntegerType::Int8 => dictionary::<i8>(array, form)?,
            IntegerType::Int16 => dictionary::<i16>(array, form)?,
            IntegerType::Int32 => dictionary::<i32>(array, form)?,
            IntegerType::Int64 => dictionary::<i64>(array, form)?,
            IntegerType::UInt8 => dictionary::<u8>(array, form)?,
            IntegerType::UInt16 => dictionary::<u16>(array, form)?,
            IntegerType::UInt32 => dictionary::<u32>(array, form)?,
            IntegerType::UInt64 => dictionary::<u64>(array, form)?,
        },
        T::Interval(_) | T::Extension(..) => {
            return Err(invalid(&format!("there is no JSON for values of the type {kind:?}")));
        }
    })
}

fn writers(arrays: &[Box<dyn Array>], form: Form) -> io::Result<Vec<Writer<'_>>> {
    arrays.iter().map(|array| writer(array.as_ref(), form)).collect()
}

fn of<T: 'static>(array: &dyn Array) -> io::Result<&T> {
    let found = || invalid(&format!("found other values than {:?}", array.data_type()));
    array.as_any().downcast_ref().ok_or_else(found)
}

fn nullable<'a>(
    array: &'a dyn Array,
    form: Form,
    write: impl Fn(usize, &mut Vec<u8>) -> io::Result<()> + 'a,
) -> Writer<'a> {
    match array.validity() {
        None => Box::new(write),
        Some(valid) => Box::new(
            move |row, out| if valid.get_bit(row) { write(row, out) } else { null(form, out) },
        ),
    }
}

fn each<'a, T: NativeType>(
    array: &'a dyn Array,
    form: Form,
    write: impl Fn(T, &mut Vec<u8>) -> io::Result<()> + 'a,
) -> io::Result<Writer<'a>> {
    let values: &PrimitiveArray<T> = of(array)?;
    Ok(nullable(array, form, move |row, out| write(values.value(row), out)))
}

fn utf8<O: Offset>(array: &dyn Array, form: Form) -> io::Result<Writer<'_>> {
    let values: &Utf8Array<O> = of(array)?;
    Ok(nullable(array, form, move |row, out| text(values.value(row), form, out)))
}

fn binary<O: Offset>(array: &dyn Array, form: Form) -> io::Result<Writer<'_>> {
    let values: &BinaryArray<O> = of(array)?;
    Ok(nullable(array, form, move |row, out| bytes(values.value(row), form, out)))
}

fn list<O: Offset>(array: &dyn Array, form: Form) -> io::Result<Writer<'_>> {
    let lists: &ListArray<O> = of(array)?;
    let (offsets, write) = (lists.offsets(), writer(lists.values().as_ref(), form)?);
    Ok(nullable(array, form, move |row, out| {
        let (start, end) = offsets.start_end(row);
        elements(start, end, &write, out)
    }))
}

fn dictionary<K: DictionaryKey>(array: &dyn Array, form: Form) -> io::Result<Writer<'_>> {
    let coded: &DictionaryArray<K> = of(array)?;
    let write = writer(coded.values().as_ref(), form)?;
    Ok(nullable(array, form, move |row, out| write(coded.key_value(row), out)))
}

fn elements(start: usize, end: usize, write: &Writer<'_>, out: &mut Vec<u8>) -> io::Result<()> {
    out.push(b'[');
    for element in start..end {
        if element > start {
            out.push(b',');
        }
        write(element, out)?;
    }
    out.push(b']');
    Ok(())
}

fn unreadable(error: arrow2::error::Error) -> io::Error {
    invalid(&error.to_string())
}
