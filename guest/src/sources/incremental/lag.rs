//! The lag of a cursor: how far before the saved value a run begins.

use super::convert::delta;
use crate::job::{Cursor, CursorValue, Last};

/// A value minus the lag (`extract/incremental/lag.py`). `None` if the value has no such operation.
pub(super) fn lag_off(
    lag: f64,
    value: &CursorValue<'_>,
    cursor: &Cursor,
    initial: Option<&CursorValue<'_>>,
) -> Option<CursorValue<'static>> {
    let back = match cursor.last {
        Last::Max => -lag,
        Last::Min => lag,
    };
    let text = match value {
        CursorValue::Bool(_) => return None,
        CursorValue::Real(real) => return Some(CursorValue::Real(real + back)),
        CursorValue::Whole(whole) if back.fract() == 0.0 && back.abs() < 1e18 => {
            return Some(CursorValue::Whole(whole.checked_add(back as i128)?));
        }
        CursorValue::Whole(whole) => {
            return Some(CursorValue::Whole((*whole as f64 + back).trunc() as i128));
        }
        CursorValue::Text(text) => text,
    };
    let instant = cursor.format.instant(text)?;
    let declared = match initial {
        Some(CursorValue::Text(initial)) => cursor.format.instant(initial).map(|i| i.is_date()),
        _ => None,
    };
    let lagged = if declared.unwrap_or(instant.is_date()) {
        // Calendar days; a part of a day counts as one.
        let days = chrono::TimeDelta::try_days(back.floor() as i64)?;
        let day = instant.utc_day()?.checked_add_signed(days)?;
        if instant.is_date() {
            instant.plus(days)?
        } else {
            // The whole day remains in range.
            let boundary = match cursor.last {
                Last::Max => chrono::NaiveTime::MIN,
                Last::Min => chrono::NaiveTime::from_hms_micro_opt(23, 59, 59, 999_999)?,
            };
            instant.at_utc(day.and_time(boundary))?
        }
    } else {
        instant.plus(delta(back)?)?
    };
    Some(CursorValue::Text(lagged.text().into()))
}
