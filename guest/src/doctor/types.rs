//! TIMESTAMP_TZ, the type that dlt used before 1.27. Such a value stores an offset, which must be
//! that of UTC.

use super::copy::file_of_instants;
use super::examiner::{Examiner, Found, Rule, cell, cells, shown};
use super::names::Scratch;
use super::stage;
use crate::dlt::types::{DataType, Kind};
use crate::sql::copy::{Json, copy_into};
use crate::sql::{SqlColumn, doctor};

const INSERT: Rule = Rule {
    name: "types.offset_of_insert",
    assumed: "CONVERT_TIMEZONE('UTC', ..) gives a column of TIMESTAMP_TZ the offset +00:00 by INSERT",
    remedy: "ALTER SESSION SET TIMEZONE = 'UTC' before the CALL, and in the task",
};
const COPY: Rule = Rule {
    name: "types.offset_of_copy",
    assumed: "CONVERT_TIMEZONE('UTC', ..) gives a column of TIMESTAMP_TZ the offset +00:00 by COPY",
    remedy: "ALTER SESSION SET TIMEZONE = 'UTC' before the CALL, and in the task",
};
const EXISTING: Rule = Rule {
    name: "types.existing_offsets",
    assumed: "The information schema says which columns of the dataset are TIMESTAMP_TZ",
    remedy: "ALTER SESSION SET TIMEZONE = 'UTC' before the CALL, if the dataset has such columns",
};

pub(super) const RULES: &[&Rule] = &[&INSERT, &COPY, &EXISTING];

/// 2026-11-21 08:00:00.5 UTC.
const INSTANT: i64 = 1_795_248_000_500_000;
const SHOWN: &str = "2026-11-21 08:00:00 +00:00";

pub(super) async fn run(x: &mut Examiner) -> Found {
    let Scratch { database, user_schemas: [dataset, staging], .. } = x.scratch.clone();
    match x.sql(doctor::select_offset_columns(&database, &[&dataset, &staging])).await? {
        Ok(outcome) if outcome.rows.is_empty() => x.note(&EXISTING, true, "no such column"),
        Ok(outcome) => {
            let names = outcome.rows.iter().take(5);
            let names = names.map(|row| format!("{}.{}", cell(row, 1), cell(row, 2)));
            let names = names.collect::<Vec<_>>().join(", ");
            x.note(&EXISTING, true, format!("{} columns: {names}", outcome.rows.len()));
        }
        Err(failure) => x.untried(&EXISTING, shown(&failure), EXISTING.remedy),
    }
    let at = SqlColumn { with_offset: true, ..SqlColumn::new("AT", Kind::of(DataType::Timestamp)) };
    let table = x.scratch.object("DOCTOR_OFFSETS");
    x.need(doctor::create_with_offset(&table, &at)).await?;
    x.need(doctor::insert_with_offset(&table, &at, INSTANT)).await?;
    let outcome = x.need(doctor::select_offsets(&table, &at)).await?;
    x.note(&INSERT, cells(&outcome) == SHOWN, cells(&outcome));

    let table = x.scratch.object("DOCTOR_OFFSETS_COPIED");
    x.need(doctor::create_with_offset(&table, &at)).await?;
    let stage = stage::make(x, "DOCTOR_TYPES").await?;
    x.need_upload(&stage, "1.5/at/0.parquet", file_of_instants(&at, &[INSTANT])?).await?;
    let columns = std::slice::from_ref(&at);
    match x.sql(copy_into(&table, columns, &stage, "1.5/at", Json::Parse)).await? {
        Ok(_) => {
            let outcome = x.need(doctor::select_offsets(&table, &at)).await?;
            x.note(&COPY, cells(&outcome) == SHOWN, cells(&outcome));
        }
        Err(failure) => x.note(&COPY, false, shown(&failure)),
    }
    Ok(())
}
