//! The text of all SQL statements, for an owner's-rights procedure on Snowflake.
//!
//! The statements allowed there (Snowflake documentation, "Understanding caller's rights and
//! owner's rights stored procedures" and "Limitations on owner's rights") are SELECT, DML, DDL,
//! SHOW and DESCRIBE. Not allowed are temporary objects, user and table stages, PUT, GET, REMOVE,
//! USE and ALTER SESSION. So every name is fully qualified, there are no binds, and nothing depends
//! on a session parameter: strings are cast explicitly, and instants are numbers of microseconds.
//!
//! Only [`quote`] quotes identifiers, and only [`literal`] quotes strings.

pub(crate) mod approved;
pub(crate) mod condition;
pub(crate) mod copy;
pub(crate) mod copy_text;
pub(crate) mod ddl;
pub(crate) mod doctor;
pub(crate) mod identifier;
pub(crate) mod merge;
pub(crate) mod services;
pub(crate) mod slices;
pub(crate) mod stage;
pub(crate) mod state;
pub(crate) mod status;

use std::fmt;

use crate::dlt::types::{DataType, Kind};

/// An identifier in double quotes.
/// Source: Snowflake documentation, "Identifier requirements", double-quoted identifiers.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string in single quotes. The backslash is an escape character there, too.
/// Source: Snowflake documentation, "String & binary data types", string constants.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// A fully qualified schema or object. The parts are the names that Snowflake stores.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Name(Vec<String>);

impl Name {
    /// The schema of a database.
    pub(crate) fn schema(database: &str, schema: &str) -> Self {
        Self(vec![database.to_owned(), schema.to_owned()])
    }

    /// An object of this schema.
    #[must_use]
    pub(crate) fn object(&self, name: &str) -> Self {
        Self(self.0.iter().take(2).cloned().chain([name.to_owned()]).collect())
    }

    /// The last part, unquoted.
    pub(crate) fn last(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, part) in self.0.iter().enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { "." }, quote(part))?;
        }
        Ok(())
    }
}

/// A column in a statement.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct SqlColumn {
    /// The name that Snowflake stores.
    pub(crate) name: String,
    /// Its type.
    pub(crate) kind: Kind,
    /// Whether it may be NULL.
    pub(crate) nullable: bool,
    /// Whether it is UNIQUE, which Snowflake stores and does not enforce.
    pub(crate) unique: bool,
    /// Its comment.
    pub(crate) comment: Option<String>,
    /// Whether the column is TIMESTAMP_TZ in the database: dlt before 1.27 made such columns.
    pub(crate) with_offset: bool,
    /// Whether values of the load are larger than the default length of the type: 16 MiB of text, 8 MiB
    /// of binary.
    pub(crate) large: bool,
}

impl SqlColumn {
    /// A nullable column.
    pub(crate) fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self {
            name: name.into(),
            kind,
            nullable: true,
            unique: false,
            comment: None,
            with_offset: false,
            large: false,
        }
    }

    /// `"NAME"`
    pub(crate) fn quoted(&self) -> String {
        quote(&self.name)
    }

    /// Its type in a table of the dataset, or in a cast to it.
    pub(crate) fn type_name(&self) -> String {
        match self.kind.data_type {
            DataType::Text if self.large && self.kind.precision.is_none() => {
                format!("VARCHAR({MAX_TEXT})")
            }
            DataType::Binary if self.large => format!("BINARY({MAX_BINARY})"),
            _ => type_of(&self.kind),
        }
    }

    /// Its type in a staging table, where JSON is a string.
    pub(crate) fn text_type_name(&self) -> String {
        match self.kind.data_type {
            DataType::Json if self.large => format!("VARCHAR({MAX_TEXT})"),
            DataType::Json => "VARCHAR".to_owned(),
            _ => self.type_name(),
        }
    }
}

/// The maximum length of a VARCHAR without a declared length, in characters.
/// Source: Snowflake documentation, "String & binary data types".
pub(crate) const DEFAULT_TEXT: u64 = 16 << 20;
/// The maximum length of a VARCHAR with a declared length, in characters.
pub(crate) const MAX_TEXT: u64 = 128 << 20;
/// The maximum length of a BINARY without a declared length, in bytes.
pub(crate) const DEFAULT_BINARY: u64 = 8 << 20;
/// The maximum length of a BINARY with a declared length, in bytes.
pub(crate) const MAX_BINARY: u64 = 64 << 20;

/// An instant with the offset +00:00, for a column of TIMESTAMP_TZ. A plain conversion would use
/// the offset of the session's TIMEZONE.
/// Source: Snowflake documentation, "CONVERT_TIMEZONE", and "Date & time data types", TIMESTAMP_TZ.
fn in_utc(instant: &str) -> String {
    format!("CONVERT_TIMEZONE('UTC', {instant})")
}

/// The Snowflake type of a column: dlt's mapping (`destinations/impl/snowflake/factory.py`), so
/// that both create the same tables.
pub(crate) fn type_of(kind: &Kind) -> String {
    let sized = |name: &str| match kind.precision {
        Some(precision) => format!("{name}({precision})"),
        None => name.to_owned(),
    };
    match kind.data_type {
        DataType::Binary => "BINARY".to_owned(),
        DataType::Bigint => "NUMBER(19,0)".to_owned(),
        DataType::Bool => "BOOLEAN".to_owned(),
        DataType::Date => "DATE".to_owned(),
        DataType::Decimal | DataType::Wei => {
            let (precision, scale) = kind.decimal();
            format!("NUMBER({precision},{scale})")
        }
        DataType::Double => "FLOAT".to_owned(),
        DataType::Json => "VARIANT".to_owned(),
        DataType::Text => sized("VARCHAR"),
        DataType::Time => sized("TIME"),
        DataType::Timestamp if kind.timezone => sized("TIMESTAMP_LTZ"),
        DataType::Timestamp => sized("TIMESTAMP_NTZ"),
    }
}

/// Quoted names, separated by commas.
fn list<'a>(columns: impl IntoIterator<Item = &'a SqlColumn>) -> String {
    join(columns, ", ", SqlColumn::quoted)
}

/// The texts of the items, separated by `by`.
fn join<T>(items: impl IntoIterator<Item = T>, by: &str, text: impl Fn(T) -> String) -> String {
    items.into_iter().map(text).collect::<Vec<_>>().join(by)
}

#[cfg(test)]
mod tests;
