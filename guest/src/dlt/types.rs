//! The data types of columns: dlt's, with precision, scale and time zone.
//!
//! Source: dlt 1.31, `common/data_types/typing.py`. Their Snowflake types are in
//! [`crate::sql`].

/// dlt's data types.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum DataType {
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

impl DataType {
    /// Its name in schemas and variant columns.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Bigint => "bigint",
            Self::Bool => "bool",
            Self::Date => "date",
            Self::Decimal => "decimal",
            Self::Double => "double",
            Self::Json => "json",
            Self::Text => "text",
            Self::Time => "time",
            Self::Timestamp => "timestamp",
            Self::Wei => "wei",
        }
    }

    /// The type with the given name.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "binary" => Self::Binary,
            "bigint" => Self::Bigint,
            "bool" => Self::Bool,
            "date" => Self::Date,
            "decimal" => Self::Decimal,
            "double" => Self::Double,
            "json" | "complex" => Self::Json,
            "text" => Self::Text,
            "time" => Self::Time,
            "timestamp" => Self::Timestamp,
            "wei" => Self::Wei,
            _ => return None,
        })
    }
}

impl DataType {
    /// The smallest type that represents the numbers of both, or the type they share. `None` if
    /// there is none. The numeric types form a chain (bigint, wei, double), so the result does not
    /// depend on the order or number of joins.
    ///
    /// A double does not accept an integer that it cannot represent exactly: that value goes to a
    /// variant column.
    pub fn join(self, other: Self) -> Option<Self> {
        let rank = |data_type| match data_type {
            Self::Bigint => Some(0),
            Self::Wei => Some(1),
            Self::Double => Some(2),
            _ => None,
        };
        match (rank(self), rank(other)) {
            (Some(a), Some(b)) => Some(if a < b { other } else { self }),
            _ => (self == other).then_some(self),
        }
    }
}

/// A data type with its parameters.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Kind {
    /// The data type.
    pub data_type: DataType,
    /// The digits of a decimal, characters of a text, or fractional digits of a timestamp or time.
    pub precision: Option<u32>,
    /// The fractional digits of a decimal.
    pub scale: Option<u32>,
    /// Whether a timestamp is an instant (the default) or a local time.
    pub timezone: bool,
}

impl Kind {
    /// The type without parameters.
    pub const fn of(data_type: DataType) -> Self {
        Self { data_type, precision: None, scale: None, timezone: true }
    }

    /// Returns `true` if values have more than six fractional digits: such a time or timestamp is
    /// stored as an integer of nanoseconds.
    pub const fn is_fine(&self) -> bool {
        let moment = matches!(self.data_type, DataType::Time | DataType::Timestamp);
        moment && matches!(self.precision, Some(7..))
    }

    /// The precision and scale of a decimal or wei column. Each has its own default, so a precision
    /// alone keeps nine fractional digits.
    ///
    /// Source: dlt 1.31, `destinations/type_mapping.py` (`decimal_precision`, `wei_precision`) with
    /// the capabilities in `destinations/impl/snowflake/factory.py`.
    pub const fn decimal(&self) -> (u32, u32) {
        let default_scale = match self.data_type {
            DataType::Wei => 0,
            _ => 9,
        };
        let precision = match self.precision {
            Some(precision) => precision,
            None => 38,
        };
        let scale = match self.scale {
            Some(scale) => scale,
            None => default_scale,
        };
        (precision, scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [DataType; 11] = [
        DataType::Binary,
        DataType::Bigint,
        DataType::Bool,
        DataType::Date,
        DataType::Decimal,
        DataType::Double,
        DataType::Json,
        DataType::Text,
        DataType::Time,
        DataType::Timestamp,
        DataType::Wei,
    ];

    #[test]
    fn joining_is_commutative_associative_and_idempotent() {
        // Types without a common type stay so, whatever is joined next.
        let join = |a: Option<DataType>, b: Option<DataType>| a?.join(b?);
        for a in ALL {
            assert_eq!(a.join(a), Some(a));
            for b in ALL {
                assert_eq!(a.join(b), b.join(a), "{a:?} {b:?}");
                for c in ALL {
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
