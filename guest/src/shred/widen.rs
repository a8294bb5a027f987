//! Numbers of several types under one key, where the job says that the column is to be widened for them:
//! 1 and then 1.5 make a column of doubles, where dlt makes a column of integers and another one beside
//! it. Off unless the job says so.
//!
//! Only a column that is new with the load can be widened, for Snowflake turns no NUMBER into a FLOAT; and
//! only by rules under which the order of the rows does not matter and no digit is lost:
//!
//! - types join as [`DataType::join`] has it;
//! - an integer that a double cannot hold goes to the variant column of a column of doubles, whether it
//!   came before the column was widened or after;
//! - what went into files before is converted by COPY, so it must be the same as a double. If it is not,
//!   the column stays as it is, and the fraction goes to a variant column. (This takes integers beyond
//!   2^53 in a batch that is full before the first fraction comes.)

use super::ShredOptions;
use super::table::{ShredColumn, ShredTable};
use crate::columnar::batch::{BufferError, ColumnBuffer};
use crate::dlt::coerce::{Scalar, is_exact, is_exact_integer};
use crate::dlt::schema::Mode;
use crate::dlt::types::{DataType, Kind};
use crate::fault::{Fault, Result};

/// What a number finds when it meets its column.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum WidenOutcome {
    /// The column as it is: what it cannot hold is for the variant column, as ever.
    Fits,
    /// The column cannot hold its digits.
    Variant,
    /// The column has another type now.
    Widened,
}

impl ShredTable {
    /// Widens a column, where it must and can be, for a number that is about to come.
    pub(super) fn meet(
        &mut self,
        at: usize,
        value: Scalar<'_>,
        options: &ShredOptions,
    ) -> Result<WidenOutcome> {
        let (Some(number), Some(kind)) = (value.number(), self.column_at(at).kind) else {
            return Ok(WidenOutcome::Fits);
        };
        let form = value.form();
        Ok(match kind.data_type {
            DataType::Double if form != DataType::Double && !is_exact(number) => {
                WidenOutcome::Variant
            }
            // 1e2 would fit a column of integers: its type must not depend on what came first.
            DataType::Bigint | DataType::Wei
                if form != kind.data_type && self.widen(at, value, options)? =>
            {
                WidenOutcome::Widened
            }
            _ => WidenOutcome::Fits,
        })
    }

    /// Widens a column so that it takes this number; says no if it cannot be.
    #[cold]
    fn widen(&mut self, at: usize, value: Scalar<'_>, options: &ShredOptions) -> Result<bool> {
        let refused = self.contract.modes.data_type != Mode::Evolve;
        let column = self.column_at(at);
        let (Some(_), true, Some(kind)) = (value.number(), column.inferred, column.kind) else {
            return Ok(false);
        };
        let joined = kind.data_type.join(value.form());
        let Some(wider) = joined.filter(|wider| *wider != kind.data_type && !refused) else {
            return Ok(false);
        };
        if wider == DataType::Double && !column.exact {
            return Ok(false);
        }
        let wider = Kind::of(wider);
        let name = column.name.clone();
        let place = |refused: BufferError| Fault::internal(refused).at(format!("column {name}"));
        let mut values = ColumnBuffer::new(wider);
        let mut spilled = Vec::new();
        for (row, value) in column.values.integers() {
            match wider.data_type {
                DataType::Double if !is_exact_integer(value) => spilled.push((row, value)),
                // Exact, as was just asked.
                DataType::Double => values.set_double(row, value as f64).map_err(place)?,
                _ => values.set_decimal(row, value).map_err(place)?,
            }
        }
        if let Some((row, value)) = spilled.first()
            && self.has_variant_behind(at, *row, &value.to_string(), options)?
        {
            return Ok(false);
        }
        let column = self.column_at(at);
        column.kind = Some(wider);
        column.values = values;
        for (row, value) in spilled {
            self.spill(at, row, &value.to_string(), options)
                .map_err(|f| f.at(format!("column {name}")))?;
        }
        Ok(true)
    }
}

impl ShredColumn {
    /// The rows of the batch go into a file.
    pub(super) fn flushed(&mut self) {
        if self.inferred && self.exact {
            let values = self.values.integers();
            self.exact = values.iter().all(|(_, value)| is_exact_integer(*value));
        }
    }
}
