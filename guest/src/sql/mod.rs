//! The SQL text, and nothing else: statements for an owner's-rights procedure on Snowflake.
//!
//! What may be said there (Snowflake documentation, "Understanding caller's rights and owner's rights
//! stored procedures" and "Limitations on owner's rights"): SELECT, DML, DDL, SHOW, DESCRIBE; no temporary
//! object, no user or table stage, no PUT, GET or REMOVE, no USE, no ALTER SESSION. So every name is
//! qualified in full, there are no binds, and nothing relies on a session parameter: texts are cast
//! explicitly, and instants are written as numbers of microseconds.
//!
//! Identifiers are quoted by [`quote`] and by nothing else, texts by [`literal`] and by nothing else.

pub mod copy;
pub mod ddl;
pub mod merge;
pub mod stage;
pub mod state;

use std::fmt;

use crate::kind::{DataType, Kind};

/// An identifier between double quotes.
/// Source: Snowflake documentation, "Identifier requirements", double-quoted identifiers.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text between single quotes. In a single-quoted constant the backslash escapes too.
/// Source: Snowflake documentation, "String & binary data types", string constants.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// A schema, or an object in it, qualified in full. The names are as Snowflake stores them.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Name(Vec<String>);

impl Name {
    /// A schema of a database.
    pub fn schema(database: &str, schema: &str) -> Self {
        Self(vec![database.to_owned(), schema.to_owned()])
    }

    /// An object of this schema.
    #[must_use]
    pub fn object(&self, name: &str) -> Self {
        Self(self.0.iter().take(2).cloned().chain([name.to_owned()]).collect())
    }

    /// The last part, unquoted.
    pub fn last(&self) -> &str {
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

/// A column as the statements need it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Column {
    /// As Snowflake stores it.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// Whether UNIQUE is said of it, which Snowflake keeps and does not check.
    pub unique: bool,
    /// What COMMENT says of it.
    pub comment: Option<String>,
}

impl Column {
    /// A nullable column.
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self { name: name.into(), kind, nullable: true, unique: false, comment: None }
    }

    /// `"NAME"`
    pub fn quoted(&self) -> String {
        quote(&self.name)
    }
}

/// The Snowflake type of a column: dlt's mapping (`destinations/impl/snowflake/factory.py`), so that
/// tables made by either are the same.
pub fn type_of(kind: &Kind) -> String {
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

/// The names, quoted and separated by commas.
fn list<'a>(columns: impl IntoIterator<Item = &'a Column>) -> String {
    join(columns, ", ", Column::quoted)
}

/// The items as texts, separated.
fn join<T>(items: impl IntoIterator<Item = T>, by: &str, text: impl Fn(T) -> String) -> String {
    items.into_iter().map(text).collect::<Vec<_>>().join(by)
}

#[cfg(test)]
mod tests;
