//! The types of columns, with the names of the interface. The procedure's handler has the same
//! names.

use arrow2::datatypes::{DataType, Field, TimeUnit};

use super::text::digits;
use crate::interface::Column;

/// The extension type of bytes that represent a string.
pub(super) const UUID: &str = "arrow.uuid";

/// The maximum number of digits of a decimal column: those of Snowflake's NUMBER.
const DIGITS: usize = 38;

/// A type: its name in the source, and the kind of its cells.
#[derive(Clone, Debug)]
pub(super) struct ColumnKind {
    native: String,
    kind: &'static str,
    precision: Option<u32>,
    scale: Option<u32>,
}

impl ColumnKind {
    pub(super) fn of(native: &str, kind: &'static str) -> Self {
        Self { native: native.to_owned(), kind, precision: None, scale: None }
    }

    /// A decimal. One with more digits than a column may have is a string, so that no digit is
    /// lost.
    pub(super) fn decimal(precision: usize, scale: usize) -> Self {
        let native = format!("decimal({precision},{scale})");
        if precision > DIGITS || scale > precision {
            return Self::of(&native, "text");
        }
        Self::sized(&native, precision, scale)
    }

    /// An unsigned 64 bit integer.
    pub(super) fn unsigned() -> Self {
        Self::sized("uint", 20, 0)
    }

    /// A duration, in seconds.
    pub(super) fn duration(unit: TimeUnit) -> Self {
        Self::sized("duration", 19, digits(unit))
    }

    pub(super) fn time(unit: TimeUnit) -> Self {
        Self { precision: finer(unit), ..Self::of("time", "time") }
    }

    pub(super) fn instant(unit: TimeUnit, zone: bool) -> Self {
        let of = match zone {
            true => Self::of("timestamp with time zone", "timestamp"),
            false => Self::of("timestamp", "timestamp_ntz"),
        };
        Self { precision: finer(unit), ..of }
    }

    /// The type of an Arrow column.
    pub(super) fn of_arrow(data_type: &DataType) -> Self {
        use DataType as T;
        if let T::Extension(name, ..) = data_type
            && name == UUID
        {
            return Self::of("uuid", "text");
        }
        match data_type.to_logical_type() {
            T::Null => Self::of("null", "text"),
            T::Boolean => Self::of("bool", "bool"),
            T::Int8 | T::Int16 | T::Int32 | T::Int64 => Self::of("int", "bigint"),
            T::UInt8 | T::UInt16 | T::UInt32 => Self::of("uint", "bigint"),
            T::UInt64 => Self::unsigned(),
            T::Float16 | T::Float32 | T::Float64 => Self::of("float", "double"),
            T::Decimal(precision, scale) | T::Decimal256(precision, scale) => {
                Self::decimal(*precision, *scale)
            }
            T::Timestamp(unit, zone) => {
                Self::instant(*unit, zone.as_ref().is_some_and(|zone| !zone.is_empty()))
            }
            T::Date32 | T::Date64 => Self::of("date", "date"),
            T::Time32(unit) | T::Time64(unit) => Self::time(*unit),
            T::Duration(unit) => Self::duration(*unit),
            T::Utf8 | T::LargeUtf8 => Self::of("string", "text"),
            T::Binary | T::LargeBinary | T::FixedSizeBinary(_) => Self::of("binary", "binary"),
            T::Dictionary(_, values, _) => Self::of_arrow(values),
            T::List(_) | T::LargeList(_) | T::FixedSizeList(..) => Self::of("list", "json"),
            T::Map(..) => Self::of("map", "json"),
            T::Struct(_) => Self::of("struct", "json"),
            T::Union(..) => Self::of("union", "json"),
            // These types have no values.
            T::Interval(_) | T::Extension(..) => Self::of("unknown", "text"),
        }
    }

    /// Returns `true` if its cells are JSON.
    pub(super) fn is_nested(&self) -> bool {
        self.kind == "json"
    }

    pub(super) fn column(self, name: &str, nullable: bool) -> Column {
        let Self { native, kind, precision, scale } = self;
        Column { name: name.to_owned(), native, kind: kind.to_owned(), precision, scale, nullable }
    }

    fn sized(native: &str, precision: usize, scale: usize) -> Self {
        let number = |value| u32::try_from(value).ok();
        Self { precision: number(precision), scale: number(scale), ..Self::of(native, "decimal") }
    }
}

/// The column of an Arrow field.
pub(super) fn of_field(field: &Field) -> Column {
    ColumnKind::of_arrow(&field.data_type).column(&field.name, field.is_nullable)
}

/// The number of fractional digits, if more than six.
fn finer(unit: TimeUnit) -> Option<u32> {
    (unit == TimeUnit::Nanosecond).then_some(9)
}
