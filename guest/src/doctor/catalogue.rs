//! Checks that the catalogue shows what a load reads of the dataset.

use super::examiner::{Examiner, Found, Rule, cell, cells, shown};
use super::names::Scratch;
use super::stage;
use crate::protocol::Outcome;
use crate::sql::{doctor, state};

const AT_ONCE: Rule = Rule {
    name: "catalogue.at_once",
    assumed: "The information schema shows a table and a stage as soon as they are made",
    remedy: "Run one load of a pipeline at a time: a load that follows another at once may miss a new table; \
             it then fails and says so",
};
const WHOLE: Rule = Rule {
    name: "catalogue.rows",
    assumed: "The answer of the information schema counts its rows, so that one that is cut short shows",
    remedy: "ALTER SESSION SET ROWS_PER_RESULTSET = 0 before the CALL, and in the task",
};
const DATASET: Rule = Rule {
    name: "catalogue.dataset",
    assumed: "The information schema answers for the schemas of the dataset",
    remedy: "Loads use SHOW COLUMNS instead, which is slower; a database with fewer objects answers",
};
const SHOW: Rule = Rule {
    name: "catalogue.show",
    assumed: "SHOW COLUMNS IN SCHEMA gives what the information schema gives",
    remedy: "Please report it: it is used if the information schema rejects a query",
};

pub(super) const RULES: &[&Rule] = &[&AT_ONCE, &WHOLE, &DATASET, &SHOW];

const STAGE: &str = "DOCTOR_NEW_STAGE";
const TABLE: &str = "DOCTOR_NEW";

pub(super) async fn run(x: &mut Examiner) -> Found {
    let Scratch { database, schema, user_schemas, .. } = x.scratch.clone();
    let schemas = user_schemas.each_ref().map(|schema| schema.last().to_owned());
    match x.sql(state::select_catalogue(&database, &schemas, "SNOWCAT__")).await? {
        Ok(outcome) => {
            x.note(&DATASET, true, format!("{} columns and stages", outcome.rows.len()));
        }
        Err(failure) => x.note(&DATASET, false, shown(&failure)),
    }

    let table = x.scratch.object(TABLE);
    x.need(doctor::create_texts(&table, &["A", "B"])).await?;
    stage::make(x, STAGE).await?;
    let of_schema = [schema.last().to_owned()];
    let outcome = x.need(state::select_catalogue(&database, &of_schema, STAGE)).await;
    if let Ok(outcome) = &outcome {
        let has = |kind: &str, name: &str, column: &str| {
            outcome
                .rows
                .iter()
                .any(|row| cell(row, 0) == kind && cell(row, 2) == name && (cell(row, 3) == column))
        };
        let columns = has("column", TABLE, "A") && has("column", TABLE, "B");
        let stage = has("stage", STAGE, "");
        let shown = |is: bool| if is { "is shown" } else { "is not shown" };
        let seen = format!("the table {}, the stage {}", shown(columns), shown(stage));
        x.note(&AT_ONCE, columns && stage, seen);
        let said: Vec<&str> = outcome.rows.iter().map(|row| cell(row, 7)).collect();
        let found = outcome.rows.len().to_string();
        let whole = said.iter().all(|rows| *rows == found);
        let said = said.first().copied().unwrap_or("none");
        x.note(&WHOLE, whole, format!("{found} rows, which say {said}"));
    }
    match x.sql(state::show_columns_of_schema(&schema)).await? {
        Ok(shown) => show(x, &shown),
        Err(failure) => x.note(&SHOW, false, shown(&failure)),
    }
    outcome.map(drop)
}

/// The rows of SHOW COLUMNS: table_name, schema_name, column_name, data_type (JSON), ...
fn show(x: &mut Examiner, shown: &Outcome) {
    let row = shown.rows.iter().find(|row| cell(row, 0) == TABLE && cell(row, 2) == "A");
    let Some(row) = row else {
        x.note(&SHOW, false, format!("{} rows, none of the new table", shown.rows.len()));
        return;
    };
    let described: Result<serde_json::Value, _> = serde_json::from_str(cell(row, 3));
    let holds = described.is_ok_and(|described| {
        described.get("type").and_then(|name| name.as_str()) == Some("TEXT")
            && described.get("length").is_some_and(serde_json::Value::is_u64)
    });
    let row = Outcome { rows: vec![row.iter().take(4).cloned().collect()], affected: None };
    x.note(&SHOW, holds, cells(&row));
}
