//! dlt's schema contracts: the changes of the schema that data may cause.
//!
//! Source: dlt 1.31, `common/schema/schema.py` (`expand_schema_contract_settings`,
//! `resolve_contract_settings_for_table`).

use serde_json::Value;

use super::{Column, Schema, Table, is_dlt};
use crate::fault::{Context, Fault, FaultKind, Result};

/// What happens with something new.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ContractMode {
    /// It is added to the schema.
    Evolve,
    /// The load fails.
    Freeze,
    /// The row that has it is discarded.
    DiscardRow,
    /// The value is discarded.
    DiscardValue,
}

impl ContractMode {
    /// Returns a fault if the mode is `freeze`.
    fn refuse(self, expected: &str, found: &str) -> Result<()> {
        match self {
            Self::Freeze => Err(Fault::new(
                FaultKind::Contract,
                format_args!(
                    "expected {expected}, for the schema contract freezes them, found {found}"
                ),
            )),
            _ => Ok(()),
        }
    }

    /// The mode with the given name in dlt.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "evolve" => Self::Evolve,
            "freeze" => Self::Freeze,
            "discard_row" => Self::DiscardRow,
            "discard_value" => Self::DiscardValue,
            _ => return None,
        })
    }
}

/// The modes for new tables, new columns, and values that need another type.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Contract {
    /// New tables.
    pub(crate) tables: ContractMode,
    /// New columns of existing tables.
    pub(crate) columns: ContractMode,
    /// Values that a column cannot store.
    pub(crate) data_type: ContractMode,
}

impl Contract {
    /// The default: everything is added to the schema.
    pub(crate) const EVOLVE: Self = Self {
        tables: ContractMode::Evolve,
        columns: ContractMode::Evolve,
        data_type: ContractMode::Evolve,
    };

    /// Parses one mode for everything, or an object with a mode for each. Missing ones evolve.
    ///
    /// # Errors
    /// A config fault that names an unknown mode or entity.
    pub(crate) fn parse(settings: &Value) -> Result<Self> {
        let mode = |value: &Value| {
            value.as_str().and_then(ContractMode::parse).ok_or_else(|| {
                Fault::config(format_args!(
                    "expected evolve, freeze, discard_row or discard_value, found {value}"
                ))
            })
        };
        let mut contract = Self::EVOLVE;
        match settings {
            Value::Null => {}
            Value::Object(settings) => {
                for (entity, value) in settings.iter().filter(|(_, value)| !value.is_null()) {
                    let place = match entity.as_str() {
                        "tables" => &mut contract.tables,
                        "columns" => &mut contract.columns,
                        "data_type" => &mut contract.data_type,
                        _ => {
                            return Err(Fault::config(format_args!(
                                "expected tables, columns or data_type, found {entity}"
                            ))
                            .at("schema_contract"));
                        }
                    };
                    *place = mode(value).at(|| format!("schema_contract.{entity}"))?;
                }
            }
            one => {
                let mode = mode(one).at(|| "schema_contract")?;
                contract = Self { tables: mode, columns: mode, data_type: mode };
            }
        }
        Ok(contract)
    }

    /// The contract of a table. For a table that is created by data, pass its parent.
    ///
    /// # Errors
    /// As [`Contract::parse`].
    pub(crate) fn of(schema: &Schema, table: &str) -> Result<Self> {
        if is_dlt(table) {
            return Ok(Self::EVOLVE);
        }
        let settings = schema.inherited(table, "schema_contract");
        let settings = settings.or_else(|| schema.settings().get("schema_contract"));
        settings.map_or(Ok(Self::EVOLVE), Self::parse).at(|| format!("table {table}"))
    }

    /// Applies the contract to a table that a resource declares. Removes the columns that are not
    /// allowed. Returns `false` if the table is discarded. The contract concerns what is new:
    /// tables without columns, new columns of existing tables, and other types for existing
    /// columns.
    ///
    /// Source: dlt 1.31, `common/schema/schema.py`, `apply_schema_contract`.
    ///
    /// # Errors
    /// A contract fault if something new is frozen. It names the table and the column.
    pub(super) fn admits(&self, schema: &Schema, table: &mut Table) -> Result<bool> {
        if is_dlt(table.name()) || *self == Self::EVOLVE {
            return Ok(true);
        }
        let known = schema.table(table.name());
        let is_new = known.is_none_or(Table::is_new);
        let place = format!("table {}", table.name());
        if is_new && self.tables != ContractMode::Evolve {
            return self
                .tables
                .refuse("no new tables", "one that the stored schema does not have")
                .at(|| place)
                .map(|()| false);
        }
        let columns = match is_new || known.is_some_and(Table::evolves_once) {
            true => ContractMode::Evolve,
            false => self.columns,
        };
        let mut refused = Vec::new();
        for column in table.columns().values().filter(|column| !is_dlt(column.name())) {
            let known = known.and_then(|known| known.column(column.name()));
            let known = known.filter(|known| known.is_complete());
            let (mode, expected) = match known {
                _ if column.has("variant") => (self.data_type, "no new variant columns"),
                None => (columns, "no new columns"),
                Some(known) if changes_type(known, column) => {
                    (self.data_type, "the type that the column has")
                }
                Some(_) => continue,
            };
            if mode != ContractMode::Evolve {
                let place = || format!("column {}", column.name());
                mode.refuse(expected, "another")
                    .at(place)
                    .at(|| format!("table {}", table.name()))?;
                refused.push(column.name().to_owned());
            }
        }
        for column in refused {
            table.columns_mut().shift_remove(&column);
        }
        Ok(true)
    }

    /// The contract for a table that is being declared.
    pub(super) fn of_new(schema: &Schema, table: &Table) -> Result<Self> {
        match (table.hint("schema_contract"), table.parent()) {
            (Some(settings), _) if !is_dlt(table.name()) => Self::parse(settings),
            (None, Some(parent)) => Self::of(schema, parent),
            _ if is_dlt(table.name()) => Ok(Self::EVOLVE),
            _ => schema.settings().get("schema_contract").map_or(Ok(Self::EVOLVE), Self::parse),
        }
        .at(|| format!("table {}", table.name()))
    }
}

/// Returns `true` if a column declares another type than the known one.
fn changes_type(known: &Column, column: &Column) -> bool {
    ["data_type", "nullable", "precision", "scale", "timezone"].iter().any(|property| {
        let hint = column.hints().get(*property);
        hint.is_some_and(|hint| known.hint(property).unwrap_or(&Value::Null) != hint)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses() {
        let check = |settings: &str, expect: Result<Contract, &str>| {
            let found = Contract::parse(&serde_json::from_str(settings).unwrap());
            assert_eq!(
                found.map_err(|f| f.to_string()),
                expect.map_err(str::to_owned),
                "{settings}"
            );
        };
        let freeze = Contract {
            tables: ContractMode::Freeze,
            columns: ContractMode::Freeze,
            data_type: ContractMode::Freeze,
        };
        check("null", Ok(Contract::EVOLVE));
        check("\"freeze\"", Ok(freeze));
        check(
            "{\"columns\":\"discard_value\",\"tables\":null}",
            Ok(Contract { columns: ContractMode::DiscardValue, ..Contract::EVOLVE }),
        );
        check(
            "\"no\"",
            Err(
                "schema_contract: expected evolve, freeze, discard_row or discard_value, found \"no\"",
            ),
        );
        check(
            "{\"columns\":1}",
            Err(
                "schema_contract.columns: expected evolve, freeze, discard_row or discard_value, found 1",
            ),
        );
        check(
            "{\"rows\":1}",
            Err("schema_contract: expected tables, columns or data_type, found rows"),
        );
    }
}
