//! Writes the values of Arrow's arrays as cells and as JSON.

use std::io::{self, Write as _};

use arrow2::array::{
    Array, BinaryArray, BooleanArray, DictionaryArray, DictionaryKey, FixedSizeBinaryArray,
    FixedSizeListArray, ListArray, MapArray, PrimitiveArray, StructArray, UnionArray, Utf8Array,
};
use arrow2::datatypes::{DataType, Field, IntegerType};
use arrow2::offset::Offset;
use arrow2::types::{NativeType, f16, i256};

use super::super::fault::invalid;
use super::super::kind::{ColumnKind, UUID};
use super::super::text::{
    Form, boolean, bytes, date, decimal, double, duration, instant, json, name, null, text, time,
    uuid,
};

/// Writes a value of a column.
pub(super) type Writer<'a> = Box<dyn Fn(usize, &mut Vec<u8>) -> io::Result<()> + 'a>;

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
pub(super) fn cell(array: &dyn Array) -> io::Result<Writer<'_>> {
    if !ColumnKind::of_arrow(array.data_type()).is_nested() {
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
    match kind.to_logical_type() {
        T::Null => Ok(Box::new(move |_, out| null(form, out))),
        T::Boolean => {
            let values: &BooleanArray = of(array)?;
            Ok(nullable(array, form, move |row, out| boolean(values.value(row), form, out)))
        }
        T::Utf8 => utf8::<i32>(array, form),
        T::LargeUtf8 => utf8::<i64>(array, form),
        T::Binary => binary::<i32>(array, form),
        T::LargeBinary => binary::<i64>(array, form),
        T::FixedSizeBinary(_) => {
            let values: &FixedSizeBinaryArray = of(array)?;
            Ok(match kind {
                T::Extension(name, ..) if name == UUID => {
                    nullable(array, form, move |row, out| uuid(values.value(row), form, out))
                }
                _ => nullable(array, form, move |row, out| bytes(values.value(row), form, out)),
            })
        }
        T::Timestamp(..) | T::Date32 | T::Date64 | T::Time32(_) | T::Time64(_) | T::Duration(_) => {
            temporal(array, form)
        }
        T::List(_) => list::<i32>(array, form),
        T::LargeList(_) => list::<i64>(array, form),
        T::FixedSizeList(..) | T::Struct(_) | T::Map(..) | T::Union(..) => nested(array, form),
        T::Dictionary(key, ..) => match key {
            IntegerType::Int8 => dictionary::<i8>(array, form),
            IntegerType::Int16 => dictionary::<i16>(array, form),
            IntegerType::Int32 => dictionary::<i32>(array, form),
            IntegerType::Int64 => dictionary::<i64>(array, form),
            IntegerType::UInt8 => dictionary::<u8>(array, form),
            IntegerType::UInt16 => dictionary::<u16>(array, form),
            IntegerType::UInt32 => dictionary::<u32>(array, form),
            IntegerType::UInt64 => dictionary::<u64>(array, form),
        },
        _ => number(array, form),
    }
}

/// Writes integers, floating-point numbers and decimals.
fn number(array: &dyn Array, form: Form) -> io::Result<Writer<'_>> {
    use DataType as T;
    match array.data_type().to_logical_type() {
        T::Int8 => each(array, form, move |value: i8, out| write!(out, "{value}")),
        T::Int16 => each(array, form, move |value: i16, out| write!(out, "{value}")),
        T::Int32 => each(array, form, move |value: i32, out| write!(out, "{value}")),
        T::Int64 => each(array, form, move |value: i64, out| write!(out, "{value}")),
        T::UInt8 => each(array, form, move |value: u8, out| write!(out, "{value}")),
        T::UInt16 => each(array, form, move |value: u16, out| write!(out, "{value}")),
        T::UInt32 => each(array, form, move |value: u32, out| write!(out, "{value}")),
        T::UInt64 => each(array, form, move |value: u64, out| write!(out, "{value}")),
        T::Float16 => {
            each(array, form, move |value: f16, out| double(f64::from(value.to_f32()), form, out))
        }
        T::Float32 => each(array, form, move |value: f32, out| double(f64::from(value), form, out)),
        T::Float64 => each(array, form, move |value: f64, out| double(value, form, out)),
        T::Decimal(_, scale) => {
            let scale = *scale;
            each(array, form, move |value: i128, out| decimal(&value.to_string(), scale, out))
        }
        T::Decimal256(_, scale) => {
            let scale = *scale;
            each(array, form, move |value: i256, out| decimal(&value.to_string(), scale, out))
        }
        _ => Err(unknown(array)),
    }
}

/// Writes instants, dates, times and durations.
fn temporal(array: &dyn Array, form: Form) -> io::Result<Writer<'_>> {
    use DataType as T;
    match array.data_type().to_logical_type() {
        T::Timestamp(unit, zone) => {
            let (unit, zone) = (*unit, zone.as_ref().is_some_and(|zone| !zone.is_empty()));
            each(array, form, move |value, out| instant(value, unit, zone, form, out))
        }
        T::Date32 => each(array, form, move |days: i32, out| date(days.into(), form, out)),
        T::Date64 => each(array, form, move |millis: i64, out| {
            date(millis.div_euclid(86_400_000), form, out)
        }),
        T::Time32(unit) => {
            let unit = *unit;
            each(array, form, move |value: i32, out| time(value.into(), unit, form, out))
        }
        T::Time64(unit) => {
            let unit = *unit;
            each(array, form, move |value, out| time(value, unit, form, out))
        }
        T::Duration(unit) => {
            let unit = *unit;
            each(array, form, move |value, out| duration(value, unit, form, out))
        }
        _ => Err(unknown(array)),
    }
}

/// Writes lists of a fixed size, structs, maps and unions.
fn nested(array: &dyn Array, form: Form) -> io::Result<Writer<'_>> {
    use DataType as T;
    Ok(match array.data_type().to_logical_type() {
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
        _ => return Err(unknown(array)),
    })
}

#[cold]
fn unknown(array: &dyn Array) -> io::Error {
    invalid(&format!("there is no JSON for values of the type {:?}", array.data_type()))
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
