//! Widening: numbers of several types under one key. 1 and then 1.5 make a column of doubles, where
//! dlt makes a column of integers and a variant column. Enabled by the job only.
//!
//! Only a column that is new in the load can be widened, because Snowflake does not convert a
//! NUMBER column to FLOAT. The rules make the result independent of the order of rows, and lose no
//! digit:
//!
//! - Types are joined by [`DataType::join`].
//! - An integer that a double cannot represent goes to the variant column of a column of doubles,
//!   whether its row is before or after the one that widened the column.
//! - COPY converts the values of files that are already written, so they must be unchanged as
//!   doubles. If one is not, the column keeps its type, and the fraction goes to a variant column.
//!   (This requires integers beyond 2^53 in a batch that is full before the first fraction.)

use super::ShredTable;
use crate::columnar::batch::{BufferError, ColumnBuffer};
use crate::dlt::coerce::{Scalar, is_exact, is_exact_integer};
use crate::dlt::schema::ContractMode;
use crate::dlt::types::{DataType, Kind};
use crate::fault::{Fault, Result};
use crate::shred::arena::ColumnId;
use crate::shred::options::ShredOptions;

/// The effect of a number on its column.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum WidenOutcome {
    /// The column keeps its type. A number that does not fit goes to its variant column.
    Fits,
    /// The column cannot represent the number's digits.
    Variant,
    /// The column has a new type.
    Widened,
}

impl ShredTable {
    /// Widens a column for a number if necessary and possible.
    pub(super) fn widen_for(
        &mut self,
        id: ColumnId,
        value: Scalar<'_>,
        options: &ShredOptions,
    ) -> Result<WidenOutcome> {
        let (Some(number), Some(kind)) = (value.number(), self.kind_at(id)) else {
            return Ok(WidenOutcome::Fits);
        };
        let form = value.form();
        Ok(match kind.data_type {
            DataType::Double if form != DataType::Double && !is_exact(number) => {
                WidenOutcome::Variant
            }
            // 1e2 fits a column of integers, but the type must not depend on the order of the rows.
            integer
                if integer.is_integer() && form != integer && self.widen(id, value, options)? =>
            {
                WidenOutcome::Widened
            }
            _ => WidenOutcome::Fits,
        })
    }

    /// Widens a column for this number. Returns `false` if that is not possible.
    #[cold]
    fn widen(&mut self, id: ColumnId, value: Scalar<'_>, options: &ShredOptions) -> Result<bool> {
        let evolves = self.contract.modes.data_type == ContractMode::Evolve;
        let column = &self.columns.all[id];
        let (Some(_), true, Some(kind)) = (value.number(), column.inferred, column.kind) else {
            return Ok(false);
        };
        let joined = kind.data_type.join(value.form());
        let Some(wider) = joined.filter(|wider| *wider != kind.data_type && evolves) else {
            return Ok(false);
        };
        if wider == DataType::Double && !column.exact {
            return Ok(false);
        }
        let wider = Kind::of(wider);
        let name = column.name.clone();
        let place = |error: BufferError| Fault::internal(error).at(format!("column {name}"));
        let mut values = ColumnBuffer::new(wider);
        let mut spilled = Vec::new();
        for (row, value) in column.values.integers() {
            match wider.data_type {
                DataType::Double if !is_exact_integer(value) => spilled.push((row, value)),
                // This is exact: the arm above handles the others.
                DataType::Double => values.set_double(row, value as f64).map_err(place)?,
                _ => values.set_decimal(row, value).map_err(place)?,
            }
        }
        if let Some((row, value)) = spilled.first()
            && self.has_variant_from(id, *row, &value.to_string(), options)?
        {
            return Ok(false);
        }
        let column = &mut self.columns.all[id];
        column.kind = Some(wider);
        column.values = values;
        for (row, value) in spilled {
            self.spill(id, row, &value.to_string(), options)
                .map_err(|fault| fault.at(format!("column {name}")))?;
        }
        Ok(true)
    }
}
