//! The logical meaning of a column's values, and the form in which each is written.

use std::io::{self, Write as _};

use arrow2::datatypes::{DataType, Field, TimeUnit};
use arrow2::io::ipc::read::deserialize_schema;
use arrow2::types::{NativeType as _, f16, i256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parquet::basic::{
    ConvertedType as Converted, LogicalType as Logical, TimeUnit as Unit, Type as Physical,
};
use parquet::data_type::Int96;
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::ColumnDescriptor;

use super::super::fault::invalid;
use super::super::kind::ColumnKind;
use super::super::text::{
    Form, bytes, date, decimal, double, duration, instant, moment, text, time, uuid,
};
use super::fault::damaged;

/// The logical meaning of a column's values.
#[derive(Clone, Copy)]
pub(super) enum Meaning {
    /// The physical value itself.
    Plain,
    Unsigned,
    Decimal(usize),
    Date,
    Time(TimeUnit),
    Instant {
        unit: TimeUnit,
        zone: bool,
    },
    Duration(TimeUnit),
    Text,
    Half,
    Uuid,
}

pub(super) fn meaning(
    column: &ColumnDescriptor,
    duration: Option<TimeUnit>,
) -> io::Result<Meaning> {
    let unit = |unit: &Unit| match unit {
        Unit::MILLIS => TimeUnit::Millisecond,
        Unit::MICROS => TimeUnit::Microsecond,
        Unit::NANOS => TimeUnit::Nanosecond,
    };
    let scale = |scale: i32| usize::try_from(scale).map(Meaning::Decimal).map_err(|_| damaged());
    let instant = |unit| Meaning::Instant { unit, zone: true };
    Ok(match (column.logical_type_ref(), column.converted_type()) {
        (Some(Logical::Decimal(decimal)), _) => scale(decimal.scale)?,
        (Some(Logical::Date), _) => Meaning::Date,
        (Some(Logical::Time(time)), _) => Meaning::Time(unit(&time.unit)),
        (Some(Logical::Timestamp(stamp)), _) => {
            Meaning::Instant { unit: unit(&stamp.unit), zone: stamp.is_adjusted_to_u_t_c }
        }
        (Some(Logical::Integer(integer)), _) if !integer.is_signed => Meaning::Unsigned,
        (Some(Logical::String | Logical::Json), _) => Meaning::Text,
        (Some(Logical::Float16), _) => Meaning::Half,
        (Some(Logical::Uuid), _) => Meaning::Uuid,
        (Some(_), _) => Meaning::Plain,
        (None, Converted::DECIMAL) => scale(column.type_scale())?,
        (None, Converted::DATE) => Meaning::Date,
        (None, Converted::TIME_MILLIS) => Meaning::Time(TimeUnit::Millisecond),
        (None, Converted::TIME_MICROS) => Meaning::Time(TimeUnit::Microsecond),
        // In the old format all have a time zone.
        (None, Converted::TIMESTAMP_MILLIS) => instant(TimeUnit::Millisecond),
        (None, Converted::TIMESTAMP_MICROS) => instant(TimeUnit::Microsecond),
        (
            None,
            Converted::UINT_8 | Converted::UINT_16 | Converted::UINT_32 | Converted::UINT_64,
        ) => Meaning::Unsigned,
        (None, Converted::UTF8 | Converted::JSON) => Meaning::Text,
        (None, _) => match duration {
            Some(unit) if column.physical_type() == Physical::INT64 => Meaning::Duration(unit),
            _ => Meaning::Plain,
        },
    })
}

/// Detects durations: only the Arrow schema that some writers add to a file declares them.
pub(super) fn durations(metadata: &ParquetMetaData) -> Vec<Option<TimeUnit>> {
    let more = metadata.file_metadata().key_value_metadata();
    let schema = more.into_iter().flatten().find(|it| it.key == "ARROW:schema");
    let schema = schema.and_then(|it| STANDARD.decode(it.value.as_deref()?).ok());
    let schema = schema.and_then(|it| {
        let message = it.strip_prefix(&[0xff; 4]).and_then(|it| it.get(4..)).unwrap_or(&it);
        // A type unknown to this code does not prevent reading: the physical type is used.
        Some(deserialize_schema(message).ok()?.0)
    });
    let mut leaves = Vec::new();
    for field in schema.iter().flat_map(|schema| &schema.fields) {
        units(field, &mut leaves);
    }
    let columns = metadata.file_metadata().schema_descr().num_columns();
    if leaves.len() == columns { leaves } else { Vec::new() }
}

pub(super) fn units(field: &Field, leaves: &mut Vec<Option<TimeUnit>>) {
    let mut meaning = &field.data_type;
    while let DataType::Extension(_, inner, _) | DataType::Dictionary(_, inner, _) = meaning {
        meaning = inner;
    }
    match meaning {
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => units(field, leaves),
        DataType::Struct(fields) => fields.iter().for_each(|field| units(field, leaves)),
        DataType::Duration(unit) => leaves.push(Some(*unit)),
        _ => leaves.push(None),
    }
}

pub(super) fn int32(value: i32, meaning: Meaning, form: Form, out: &mut Vec<u8>) -> io::Result<()> {
    match meaning {
        Meaning::Unsigned => write!(out, "{}", value.cast_unsigned()),
        meaning => int64(value.into(), meaning, form, out),
    }
}

pub(super) fn int64(value: i64, meaning: Meaning, form: Form, out: &mut Vec<u8>) -> io::Result<()> {
    match meaning {
        Meaning::Unsigned => write!(out, "{}", value.cast_unsigned()),
        Meaning::Decimal(scale) => decimal(&value.to_string(), scale, out),
        Meaning::Date => date(value, form, out),
        Meaning::Time(unit) => time(value, unit, form, out),
        Meaning::Instant { unit, zone } => instant(value, unit, zone, form, out),
        Meaning::Duration(unit) => duration(value, unit, form, out),
        Meaning::Plain | Meaning::Text | Meaning::Half | Meaning::Uuid => write!(out, "{value}"),
    }
}

/// Nanoseconds of a day, and the day as a Julian day number. Without a time zone.
pub(super) fn int96(value: &Int96, form: Form, out: &mut Vec<u8>) -> io::Result<()> {
    let &[low, high, day] = value.data() else { return Err(damaged()) };
    let nanos = i128::from(u64::from(high) << 32 | u64::from(low));
    let since = (i128::from(day) - 2_440_588) * 86_400_000_000_000 + nanos;
    let part = |part: i128| i64::try_from(part).map_err(|_| damaged());
    let (micros, nanos) = match form {
        Form::Cell => (part(since.div_euclid(1000))?, since.rem_euclid(1000)),
        Form::Json => (part(since / 1000)?, 0),
    };
    let nanos = u32::try_from(nanos).map_err(|_| damaged())?;
    moment(micros, nanos, false, form, out).map_err(|error| error.unwrap_or_else(damaged))
}

/// The kind of a column in the interface.
pub(super) fn column_kind(meaning: Meaning, column: &ColumnDescriptor) -> ColumnKind {
    match meaning {
        Meaning::Unsigned if column.physical_type() == Physical::INT64 => ColumnKind::unsigned(),
        Meaning::Unsigned => ColumnKind::of("uint", "bigint"),
        Meaning::Decimal(scale) => {
            ColumnKind::decimal(usize::try_from(column.type_precision()).unwrap_or_default(), scale)
        }
        Meaning::Date => ColumnKind::of("date", "date"),
        Meaning::Time(unit) => ColumnKind::time(unit),
        Meaning::Instant { unit, zone } => ColumnKind::instant(unit, zone),
        Meaning::Duration(unit) => ColumnKind::duration(unit),
        Meaning::Text => ColumnKind::of("string", "text"),
        Meaning::Half => ColumnKind::of("float", "double"),
        Meaning::Uuid => ColumnKind::of("uuid", "text"),
        Meaning::Plain if matches!(column.logical_type_ref(), Some(Logical::Unknown)) => {
            ColumnKind::of("null", "text")
        }
        Meaning::Plain => match column.physical_type() {
            Physical::BOOLEAN => ColumnKind::of("bool", "bool"),
            Physical::INT32 | Physical::INT64 => ColumnKind::of("int", "bigint"),
            Physical::INT96 => ColumnKind::instant(TimeUnit::Nanosecond, false),
            Physical::FLOAT | Physical::DOUBLE => ColumnKind::of("float", "double"),
            Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY => {
                ColumnKind::of("binary", "binary")
            }
        },
    }
}

pub(super) fn array(
    value: &[u8],
    meaning: Meaning,
    form: Form,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    match meaning {
        Meaning::Decimal(scale) => decimal(&whole(value)?, scale, out),
        Meaning::Text => {
            text(std::str::from_utf8(value).map_err(|e| invalid(&e.to_string()))?, form, out)
        }
        Meaning::Half => {
            let value = f16::from_le_bytes(value.try_into().map_err(|_| damaged())?);
            double(f64::from(value.to_f32()), form, out)
        }
        Meaning::Uuid => uuid(value, form, out),
        _ => bytes(value, form, out),
    }
}

/// The decimal digits of an integer of up to 256 bits, the highest byte first.
pub(super) fn whole(value: &[u8]) -> io::Result<String> {
    let fill = if value.first().is_some_and(|first| *first > 127) { 0xff } else { 0 };
    let mut wide = [fill; 32];
    let start = wide.len().checked_sub(value.len()).ok_or_else(damaged)?;
    wide.get_mut(start..).ok_or_else(damaged)?.copy_from_slice(value);
    Ok(i256::from_be_bytes(wide).to_string())
}
