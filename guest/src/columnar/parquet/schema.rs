//! The Parquet and Arrow types of columns.
//!
//! The choices are pyarrow's where possible, because readers are tested with its files. A legacy
//! converted type accompanies each logical type that has one. Source: Parquet's `LogicalTypes.md`
//! and `parquet.thrift`, including the numbers.

use arrow2::datatypes::{DataType as Arrow, Field as ArrowField, Schema, TimeUnit};
use arrow2::io::ipc::write::{default_ipc_fields, schema_to_bytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::thrift::Struct;
use crate::columnar::batch::is_narrow;
use crate::dlt::types::{Kind, StorageType};
use crate::fault::{Fault, Result};

/// The maximum number of digits of a decimal in 128 bits.
const DIGITS: u32 = 38;

/// `FieldRepetitionType::OPTIONAL`.
const OPTIONAL: i32 = 1;

/// `TimeUnit::MICROS`, a member of a union.
const MICROS: u8 = 2;

/// One column of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct FileColumn {
    /// Its name. The fields of a file have distinct names.
    pub(crate) name: String,
    /// The type of its values.
    pub(crate) kind: Kind,
}

/// The storage of values: `Type`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Physical {
    Boolean = 0,
    Int32 = 1,
    Int64 = 2,
    Double = 5,
    ByteArray = 6,
    /// 16 bytes.
    Fixed = 7,
}

impl Physical {
    /// The storage of values of a type.
    pub(super) fn of(kind: Kind) -> Self {
        match kind.storage() {
            StorageType::Bytes | StorageType::Json | StorageType::Text => Self::ByteArray,
            StorageType::Int | StorageType::Micros | StorageType::TimeMicros => Self::Int64,
            StorageType::Bool => Self::Boolean,
            StorageType::Days => Self::Int32,
            StorageType::Decimal if is_narrow(kind) => Self::Int64,
            StorageType::Decimal | StorageType::Nanos => Self::Fixed,
            StorageType::Double => Self::Double,
        }
    }
}

/// Fails for decimals that Parquet does not support.
pub(super) fn check(kind: Kind) -> Result<()> {
    let (precision, scale) = kind.decimal();
    let decimal = kind.storage() == StorageType::Decimal;
    if decimal && (!(1..=DIGITS).contains(&precision) || scale > precision) {
        return Err(Fault::internal(format_args!(
            "expected a decimal of 1 to {DIGITS} digits, found precision {precision}, scale {scale}"
        )));
    }
    Ok(())
}

/// Appends the elements of the schema (`SchemaElement`): a root, then each column.
pub(super) fn write(to: &mut Vec<u8>, fields: &[FileColumn]) {
    let mut root = Struct::begin(to);
    root.bytes(4, b"schema");
    root.i32(5, fields.len() as i32);
    root.end();
    for FileColumn { name, kind } in fields {
        let mut leaf = Struct::begin(to);
        let physical = Physical::of(*kind);
        leaf.i32(1, physical as i32);
        if physical == Physical::Fixed {
            leaf.i32(2, 16);
        }
        leaf.i32(3, OPTIONAL);
        leaf.bytes(4, name.as_bytes());
        logical(&mut leaf, *kind);
        leaf.end();
    }
}

/// The converted (field 6, with 7 and 8) and the logical type (field 10, a union).
fn logical(leaf: &mut Struct<'_>, kind: Kind) {
    match kind.storage() {
        StorageType::Int | StorageType::Bytes | StorageType::Bool | StorageType::Double => {}
        StorageType::Days => {
            leaf.i32(6, 6);
            leaf.nested(10, |of| of.nested(6, |_| {}));
        }
        StorageType::Decimal => decimal(leaf, kind.decimal()),
        // A 64 bit timestamp would end in the year 2262.
        StorageType::Nanos => decimal(leaf, (DIGITS, 0)),
        // As text: readers with a JSON type would convert it or reject it.
        StorageType::Json | StorageType::Text => {
            leaf.i32(6, 0);
            leaf.nested(10, |of| of.nested(1, |_| {}));
        }
        StorageType::TimeMicros => {
            leaf.i32(6, 8);
            leaf.nested(10, |of| of.nested(7, |time| moment(time, false)));
        }
        StorageType::Micros => {
            leaf.i32(6, 10);
            leaf.nested(10, |of| of.nested(8, |timestamp| moment(timestamp, kind.timezone)));
        }
    }
}

/// A decimal with this precision and scale.
fn decimal(leaf: &mut Struct<'_>, (precision, scale): (u32, u32)) {
    let (precision, scale) = (precision as i32, scale as i32);
    leaf.i32(6, 5);
    leaf.i32(7, scale);
    leaf.i32(8, precision);
    leaf.nested(10, |of| {
        of.nested(5, |decimal| {
            decimal.i32(1, scale);
            decimal.i32(2, precision);
        });
    });
}

/// The members of `TimeType` and `TimestampType`. A time of day is not adjusted to UTC, because
/// DuckDB would read it as TIME WITH TIME ZONE.
fn moment(of: &mut Struct<'_>, adjusted_to_utc: bool) {
    of.bool(1, adjusted_to_utc);
    of.nested(2, |unit| unit.nested(MICROS, |_| {}));
}

/// The key and value of the metadata from which Arrow's readers take their schema: an IPC message
/// in base64 (of the old format, which starts with a length of 32 bits).
pub(super) fn arrow(fields: &[FileColumn]) -> (&'static str, String) {
    let fields: Vec<_> = fields
        .iter()
        .map(|field| ArrowField::new(field.name.as_str(), arrow_type(field.kind), true))
        .collect();
    let schema = Schema::from(fields);
    let message = schema_to_bytes(&schema, &default_ipc_fields(&schema.fields));
    let mut bytes = vec![0xff; 4];
    bytes.extend_from_slice(&(message.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&message);
    ("ARROW:schema", STANDARD.encode(bytes))
}

fn arrow_type(kind: Kind) -> Arrow {
    match kind.storage() {
        StorageType::Int => Arrow::Int64,
        StorageType::Bytes => Arrow::Binary,
        StorageType::Bool => Arrow::Boolean,
        StorageType::Days => Arrow::Date32,
        StorageType::Decimal => {
            let (precision, scale) = kind.decimal();
            Arrow::Decimal(precision as usize, scale as usize)
        }
        StorageType::Double => Arrow::Float64,
        StorageType::Json | StorageType::Text => Arrow::Utf8,
        StorageType::Nanos => Arrow::Decimal(DIGITS as usize, 0),
        StorageType::TimeMicros => Arrow::Time64(TimeUnit::Microsecond),
        StorageType::Micros => {
            Arrow::Timestamp(TimeUnit::Microsecond, kind.timezone.then(|| "UTC".to_owned()))
        }
    }
}
