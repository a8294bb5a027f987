//! The conditions of a job (`source_filter`, `destination_scope`): parsed by a small grammar, and
//! printed again.
//!
//! The procedure that runs a job has its owner's rights, and the job is the caller's. So the text
//! of a condition is never passed on. Allowed are columns of the table, literals, operators, and
//! functions of a list that neither change nor reveal anything. The only subquery is `IN (SELECT
//! column FROM {staging_table} ..)`.
//!
//! ```text
//! or      = and { OR and }                    and    = not { AND not }            not = NOT not | test
//! test    = sum [ comparison sum | IS [NOT] NULL | IS [NOT] DISTINCT FROM sum
//!               | [NOT] BETWEEN sum AND sum | [NOT] (LIKE | ILIKE) sum [ESCAPE sum] | [NOT] IN ( list | select ) ]
//! sum     = product { (+ | - | '||') product }  product = unary { (* | / | %) unary }   unary = - unary | cast
//! cast    = primary { :: type }
//! primary = literal | column { : key | . key | [ number ] } | function ( .. ) | CAST ( or AS type ) | ( or )
//! column  = [ {table} . ] name                  select = SELECT [DISTINCT] column FROM {staging_table} [ WHERE or ]
//! ```

mod parse;
mod token;

use crate::fault::{Fault, Result};

use super::{Name, join, literal, quote};

/// A parsed condition.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RowCondition(Expression);

/// The names that a condition may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scoped<'a> {
    /// The columns of the table with the names that Snowflake stores.
    pub(crate) columns: &'a [String],
    /// The table of the staged rows.
    pub(crate) staging: &'a Name,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Expression {
    /// A number, TRUE, FALSE or NULL.
    Plain(String),
    Text(String),
    Column(ColumnName),
    /// A value inside a JSON column: the keys and numbers of its path.
    Inside(Box<Expression>, Vec<PathStep>),
    /// NOT, or a minus sign.
    Prefix(&'static str, Box<Expression>),
    /// Operands with operators between them.
    Infix(Box<Expression>, &'static str, Box<Expression>),
    Between {
        value: Box<Expression>,
        negated: bool,
        low: Box<Expression>,
        high: Box<Expression>,
    },
    Like {
        value: Box<Expression>,
        operator: &'static str,
        pattern: Box<Expression>,
        escape: Option<Box<Expression>>,
    },
    IsNull(Box<Expression>, bool),
    InList(Box<Expression>, bool, Vec<Expression>),
    InStaged {
        value: Box<Expression>,
        negated: bool,
        column: ColumnName,
        condition: Option<Box<Expression>>,
    },
    Cast(Box<Expression>, String),
    /// A function of the list. A date part is printed as it is.
    Function(&'static str, Vec<Argument>),
    /// A function without parentheses.
    Now(&'static str),
}

/// Left-associative operators. Comparisons cannot be chained.
const CHAINED: [&str; 8] = ["AND", "OR", "+", "-", "||", "*", "/", "%"];

#[derive(Clone, Debug, Eq, PartialEq)]
enum Argument {
    Value(Expression),
    DatePart(&'static str),
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum PathStep {
    Key(String),
    At(String),
}

/// A column as written in the job.
#[derive(Clone, Debug, Eq, PartialEq)]
struct ColumnName {
    name: String,
    quoted: bool,
    at: usize,
}

impl RowCondition {
    /// Parses a condition on rows of the table, which may use `{table}` and `{staging_table}`.
    ///
    /// # Errors
    /// A config fault with what was expected, what was found, and the position.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        parse::condition(text, true).map(Self)
    }

    /// Parses a condition on rows of the load, which can name no other table.
    ///
    /// # Errors
    /// See [`Self::parse`].
    pub(crate) fn parse_of_load(text: &str) -> Result<Self> {
        parse::condition(text, false).map(Self)
    }

    /// The condition as SQL.
    ///
    /// # Errors
    /// A config fault that names a column that the table does not have.
    pub(crate) fn sql(&self, scope: Scoped<'_>) -> Result<String> {
        self.0.sql(scope)
    }
}

impl ColumnName {
    /// An unquoted name is the one in upper case, as in SQL, or else the only one that differs in
    /// case.
    fn sql(&self, scope: Scoped<'_>) -> Result<String> {
        let exact = |name: &str| scope.columns.iter().find(|column| *column == name);
        let found = match self.quoted {
            true => exact(&self.name),
            false => exact(&self.name.to_uppercase()).or_else(|| {
                let mut alike = scope
                    .columns
                    .iter()
                    .filter(|column| column.to_lowercase() == self.name.to_lowercase());
                alike.next().filter(|_| alike.next().is_none())
            }),
        };
        found.map(|name| quote(name)).ok_or_else(|| {
            Fault::config(format_args!(
                "expected a column of the table, found {:?} at character {}; the columns are {}",
                self.name,
                self.at,
                scope.columns.iter().take(20).cloned().collect::<Vec<_>>().join(", ")
            ))
        })
    }
}

impl Expression {
    /// The text as the left operand of an operator: a chain of one left-associative operator needs
    /// no parentheses.
    fn chained(&self, operator: &str, scope: Scoped<'_>) -> Result<String> {
        match self {
            Self::Infix(left, own, right) if *own == operator && CHAINED.contains(own) => {
                Ok(format!("{} {own} {}", left.chained(own, scope)?, right.sql(scope)?))
            }
            other => other.sql(scope),
        }
    }

    fn sql(&self, scope: Scoped<'_>) -> Result<String> {
        let not = |negated: bool| if negated { "NOT " } else { "" };
        Ok(match self {
            Self::Plain(text) => text.clone(),
            Self::Text(text) => literal(text),
            Self::Column(column) => column.sql(scope)?,
            Self::Inside(value, path) => {
                let mut text = value.sql(scope)?;
                for (at, step) in path.iter().enumerate() {
                    match step {
                        PathStep::Key(key) if at == 0 => text.push_str(&format!(":{}", quote(key))),
                        PathStep::Key(key) => text.push_str(&format!(".{}", quote(key))),
                        PathStep::At(number) => text.push_str(&format!("[{number}]")),
                    }
                }
                text
            }
            Self::Prefix(operator, value) => format!("({operator}{})", value.sql(scope)?),
            Self::Infix(left, operator, right) => {
                format!("({} {operator} {})", left.chained(operator, scope)?, right.sql(scope)?)
            }
            Self::Between { value, negated, low, high } => format!(
                "({} {}BETWEEN {} AND {})",
                value.sql(scope)?,
                not(*negated),
                low.sql(scope)?,
                high.sql(scope)?
            ),
            Self::Like { value, operator, pattern, escape } => {
                let escape = escape.as_ref().map(|escape| escape.sql(scope)).transpose()?;
                let escape = escape.map_or(String::new(), |escape| format!(" ESCAPE {escape}"));
                format!("({} {operator} {}{escape})", value.sql(scope)?, pattern.sql(scope)?)
            }
            Self::IsNull(value, negated) => {
                format!("({} IS {}NULL)", value.sql(scope)?, not(*negated))
            }
            Self::InList(value, negated, list) => {
                let list = list.iter().map(|item| item.sql(scope)).collect::<Result<Vec<_>>>()?;
                format!("({} {}IN ({}))", value.sql(scope)?, not(*negated), list.join(", "))
            }
            Self::InStaged { value, negated, column, condition } => {
                let condition =
                    condition.as_ref().map(|condition| condition.sql(scope)).transpose()?;
                let condition = condition.map_or(String::new(), |text| format!(" WHERE {text}"));
                format!(
                    "({} {}IN (SELECT {} FROM {}{condition}))",
                    value.sql(scope)?,
                    not(*negated),
                    column.sql(scope)?,
                    scope.staging
                )
            }
            Self::Cast(value, to) => format!("CAST({} AS {to})", value.sql(scope)?),
            Self::Function(name, arguments) => {
                let values = arguments.iter().map(|argument| match argument {
                    Argument::Value(value) => value.sql(scope),
                    Argument::DatePart(part) => Ok((*part).to_owned()),
                });
                let values = values.collect::<Result<Vec<_>>>()?;
                format!("{name}({})", join(values, ", ", |value| value))
            }
            Self::Now(name) => (*name).to_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
