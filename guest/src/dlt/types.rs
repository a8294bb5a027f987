//! The data types of columns: dlt's, with precision, scale and time zone. `DataType::facts` is a table of the properties
//! of each type. One of them is its [`StorageType`], which decides the column buffer and the Parquet type of a [`Kind`].
//!
//! Source: dlt 1.31, `common/data_types/typing.py`. Their Snowflake types are in
//! [`crate::sql`].

/// dlt's data types.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum DataType {
    /// Bytes.
    Binary,
    /// A 64 bit signed integer.
    Bigint,
    /// True or false.
    Bool,
    /// A calendar date.
    Date,
    /// A fixed-point number, by default of (38, 9).
    Decimal,
    /// A 64 bit float.
    Double,
    /// Any JSON value, stored unchanged.
    Json,
    /// A Unicode string.
    Text,
    /// A time of day.
    Time,
    /// An instant, by default in microseconds.
    Timestamp,
    /// An integer of up to 38 digits (in dlt: of 256 bits).
    Wei,
}

/// The form of the values of a column in memory and in Parquet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum StorageType {
    /// True or false.
    Bool,
    /// Bytes.
    Bytes,
    /// Days since 1970-01-01, 32 bits.
    Days,
    /// A fixed-point number in units of its last digit, 64 or 128 bits.
    Decimal,
    /// A 64 bit float.
    Double,
    /// A 64 bit signed integer.
    Int,
    /// JSON as text.
    Json,
    /// Microseconds since 1970-01-01T00:00:00, 64 bits.
    Micros,
    /// Nanoseconds of a time or timestamp with more than six fractional digits, 128 bits.
    Nanos,
    /// UTF-8.
    Text,
    /// Microseconds since midnight, 64 bits.
    TimeMicros,
}

/// The properties of a data type.
struct TypeFacts {
    /// Its name in schemas and variant columns.
    name: &'static str,
    /// Its storage with up to six fractional digits.
    storage: StorageType,
    /// Its position in the chain of numeric types.
    rank: Option<u8>,
    /// Whether the values are integers.
    integer: bool,
    /// The default number of digits after the point.
    scale: u32,
}

impl TypeFacts {
    /// A type that is not numeric.
    const fn of(name: &'static str, storage: StorageType) -> Self {
        Self { name, storage, rank: None, integer: false, scale: 0 }
    }
}

impl DataType {
    /// All types, in the order of error messages.
    pub(crate) const ALL: [Self; 11] = [
        Self::Text,
        Self::Bigint,
        Self::Double,
        Self::Bool,
        Self::Timestamp,
        Self::Date,
        Self::Time,
        Self::Decimal,
        Self::Wei,
        Self::Binary,
        Self::Json,
    ];

    /// The type with the given name. `complex` is an old name of `json`.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let name = if name == "complex" { "json" } else { name };
        Self::ALL.into_iter().find(|data_type| data_type.name() == name)
    }

    /// Its name in schemas and variant columns.
    pub(crate) const fn name(self) -> &'static str {
        self.facts().name
    }

    /// The storage of its values with up to six fractional digits: never [`StorageType::Nanos`], unlike
    /// [`Kind::storage`].
    #[inline]
    pub(crate) const fn coarse_storage(self) -> StorageType {
        self.facts().storage
    }

    /// Returns `true` if the values are integers.
    #[inline]
    pub(crate) const fn is_integer(self) -> bool {
        self.facts().integer
    }

    /// The smallest type that represents the numbers of both, or the type they share. `None` if
    /// there is none. The numeric types form a chain (bigint, wei, double), so the result does not
    /// depend on the order or number of joins.
    ///
    /// A double does not accept an integer that it cannot represent exactly: that value goes to a
    /// variant column.
    pub(crate) fn join(self, other: Self) -> Option<Self> {
        match (self.facts().rank, other.facts().rank) {
            (Some(a), Some(b)) => Some(if a < b { other } else { self }),
            _ => (self == other).then_some(self),
        }
    }

    const fn facts(self) -> TypeFacts {
        match self {
            Self::Binary => TypeFacts::of("binary", StorageType::Bytes),
            Self::Bigint => TypeFacts {
                rank: Some(0),
                integer: true,
                ..TypeFacts::of("bigint", StorageType::Int)
            },
            Self::Bool => TypeFacts::of("bool", StorageType::Bool),
            Self::Date => TypeFacts::of("date", StorageType::Days),
            Self::Decimal => {
                TypeFacts { scale: 9, ..TypeFacts::of("decimal", StorageType::Decimal) }
            }
            Self::Double => {
                TypeFacts { rank: Some(2), ..TypeFacts::of("double", StorageType::Double) }
            }
            Self::Json => TypeFacts::of("json", StorageType::Json),
            Self::Text => TypeFacts::of("text", StorageType::Text),
            Self::Time => TypeFacts::of("time", StorageType::TimeMicros),
            Self::Timestamp => TypeFacts::of("timestamp", StorageType::Micros),
            Self::Wei => TypeFacts {
                rank: Some(1),
                integer: true,
                ..TypeFacts::of("wei", StorageType::Decimal)
            },
        }
    }
}

/// A data type with its parameters.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Kind {
    /// The data type.
    pub(crate) data_type: DataType,
    /// The digits of a decimal, characters of a text, or fractional digits of a timestamp or time.
    pub(crate) precision: Option<u32>,
    /// The fractional digits of a decimal.
    pub(crate) scale: Option<u32>,
    /// Whether a timestamp is an instant (the default) or a local time.
    pub(crate) timezone: bool,
}

impl Kind {
    /// The type without parameters.
    pub(crate) const fn of(data_type: DataType) -> Self {
        Self { data_type, precision: None, scale: None, timezone: true }
    }

    /// Returns `true` if values have more than six fractional digits: such a time or timestamp is
    /// stored as an integer of nanoseconds.
    pub(crate) const fn is_fine(&self) -> bool {
        matches!(self.storage(), StorageType::Nanos)
    }

    /// The storage of its values.
    #[inline]
    pub(crate) const fn storage(&self) -> StorageType {
        match (self.data_type.coarse_storage(), self.precision) {
            (StorageType::Micros | StorageType::TimeMicros, Some(7..)) => StorageType::Nanos,
            (storage, _) => storage,
        }
    }

    /// The precision and scale of a column of decimals. Each has its own default, so a precision
    /// alone keeps the default scale.
    ///
    /// Source: dlt 1.31, `destinations/type_mapping.py` (`decimal_precision`, `wei_precision`) with
    /// the capabilities in `destinations/impl/snowflake/factory.py`.
    pub(crate) const fn decimal(&self) -> (u32, u32) {
        let precision = match self.precision {
            Some(precision) => precision,
            None => 38,
        };
        let scale = match self.scale {
            Some(scale) => scale,
            None => self.data_type.facts().scale,
        };
        (precision, scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct() {
        for data_type in DataType::ALL {
            assert_eq!(DataType::parse(data_type.name()), Some(data_type));
        }
        assert_eq!(DataType::parse("complex"), Some(DataType::Json));
        assert_eq!(DataType::parse("varchar"), None);
    }

    #[test]
    fn joining_is_commutative_associative_and_idempotent() {
        // Types without a common type stay so, whatever is joined next.
        let join = |a: Option<DataType>, b: Option<DataType>| a?.join(b?);
        for a in DataType::ALL {
            assert_eq!(a.join(a), Some(a));
            for b in DataType::ALL {
                assert_eq!(a.join(b), b.join(a), "{a:?} {b:?}");
                for c in DataType::ALL {
                    let [a, b, c] = [a, b, c].map(Some);
                    assert_eq!(join(join(a, b), c), join(a, join(b, c)), "{a:?} {b:?} {c:?}");
                }
            }
        }
        assert_eq!(DataType::Bigint.join(DataType::Double), Some(DataType::Double));
        assert_eq!(DataType::Wei.join(DataType::Bigint), Some(DataType::Wei));
        assert_eq!(DataType::Decimal.join(DataType::Bigint), None);
        assert_eq!(DataType::Text.join(DataType::Bigint), None);
    }
}
