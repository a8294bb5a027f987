//! The DDL of loads: every statement may run twice, and only adds objects.

use super::examiner::{Examiner, Found, Rule, cells, shown};
use crate::dlt::types::{DataType, Kind};
use crate::sql::{SqlColumn, ddl};

const CREATE: Rule = Rule {
    name: "ddl.create_table",
    assumed: "CREATE TABLE takes columns with comments, CLUSTER BY, COMMENT and PRIMARY KEY",
    remedy: "Please report it; a job without cluster and comment hints does not say them",
};
const AGAIN: Rule = Rule {
    name: "ddl.create_table_again",
    assumed: "CREATE TABLE IF NOT EXISTS says \"already exists\" where it made no table",
    remedy: "Please report it: a table that the owner may not see would be taken for a new one",
};
const ADD: Rule = Rule {
    name: "ddl.add_columns",
    assumed: "ALTER TABLE .. ADD COLUMN IF NOT EXISTS adds several columns and passes over one that exists",
    remedy: "Please report it: loads that bring new fields fail",
};
const STAGING: Rule = Rule {
    name: "ddl.staging_table",
    assumed: "CREATE TRANSIENT TABLE takes DATA_RETENTION_TIME_IN_DAYS = 0",
    remedy: "Check the account's MIN_DATA_RETENTION_TIME_IN_DAYS",
};
const WIDEN: Rule = Rule {
    name: "ddl.widen_column",
    assumed: "ALTER COLUMN .. SET DATA TYPE raises the length of a string column to VARCHAR(134217728)",
    remedy: "Keep values under 16 MiB",
};

pub(super) const RULES: &[&Rule] = &[&CREATE, &AGAIN, &ADD, &STAGING, &WIDEN];

pub(super) async fn run(x: &mut Examiner) -> Found {
    let column = |name: &str, data_type| SqlColumn::new(name, Kind::of(data_type));
    let staging = x.scratch.object("DOCTOR_STAGING");
    let text = column("T", DataType::Text);
    let made = x.sql(ddl::create_staging_table(&staging, std::slice::from_ref(&text))).await?;
    match &made {
        Ok(outcome) => x.note(&STAGING, true, cells(outcome)),
        Err(failure) => x.note(&STAGING, false, shown(failure)),
    }
    if made.is_ok() {
        let long = SqlColumn { large: true, ..text };
        match x.sql(ddl::widen_staging_column(&staging, &long)).await? {
            Ok(outcome) => x.note(&WIDEN, true, cells(&outcome)),
            Err(failure) => x.note(&WIDEN, false, shown(&failure)),
        }
    }

    let table = x.scratch.object("DOCTOR_TABLE");
    let columns = [
        SqlColumn { nullable: false, ..column("ID", DataType::Bigint) },
        SqlColumn {
            comment: Some("it's a \\ comment".to_owned()),
            ..column("GROUP", DataType::Text)
        },
    ];
    let (cluster, key) = (["GROUP".to_owned()], ["ID".to_owned()]);
    let more = ddl::TableOptions { cluster: &cluster, comment: Some("it's"), primary_key: &key };
    let create = ddl::create_table(&table, &columns, &more);
    match x.sql(create.clone()).await? {
        Ok(outcome) => x.note(&CREATE, true, cells(&outcome)),
        Err(failure) => {
            x.note(&CREATE, false, shown(&failure));
            return Ok(());
        }
    }
    let outcome = x.need(create).await?;
    let seen = cells(&outcome);
    x.note(&AGAIN, seen.contains("already exists"), seen);
    let [_, known] = columns;
    let more = [known, column("NEW", DataType::Json), column("NEWER", DataType::Timestamp)];
    match x.sql(ddl::add_columns(&table, &more)).await? {
        Ok(outcome) => x.note(&ADD, true, cells(&outcome)),
        Err(failure) => x.note(&ADD, false, shown(&failure)),
    }
    Ok(())
}
