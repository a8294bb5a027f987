//! Transactions of one session: the effects of a rollback, of a failure, and of DDL.

use super::copy::file_of_text;
use super::examiner::{Examiner, Found, Rule, cells, first, number};
use super::stage;
use crate::dlt::types::{DataType, Kind};
use crate::sql::copy::{Json, copy_into};
use crate::sql::{SqlColumn, doctor};

const FAILURE: Rule = Rule {
    name: "transaction.failed_statement",
    assumed: "A statement that fails leaves the transaction open, with what was done before",
    remedy: "ALTER SESSION SET TRANSACTION_ABORT_ON_ERROR = FALSE; loads roll back after a failure anyway",
};
const ROLLBACK: Rule = Rule {
    name: "transaction.rollback",
    assumed: "ROLLBACK undoes INSERT and COPY",
    remedy: "Please report it: a load that fails would leave rows behind",
};
const COPY_AGAIN: Rule = Rule {
    name: "transaction.copy_after_rollback",
    assumed: "A file whose COPY was undone can be copied again, and COMMIT keeps it",
    remedy: "Please report it: a transaction that is tried again would miss rows (loads count them, and fail)",
};
const DDL: Rule = Rule {
    name: "transaction.ddl_commits",
    assumed: "DDL commits the open transaction: loads send none inside",
    remedy: "None: loads send DDL before the transaction",
};

pub(super) const RULES: &[&Rule] = &[&FAILURE, &ROLLBACK, &COPY_AGAIN, &DDL];

pub(super) async fn run(x: &mut Examiner) -> Found {
    let table = x.scratch.object("DOCTOR_TRANSACTION");
    let text = SqlColumn::new("T", Kind::of(DataType::Text));
    let columns = std::slice::from_ref(&text);
    x.need(doctor::create_texts(&table, &["T"])).await?;
    let stage = stage::make(x, "DOCTOR_TRANSACTION_STAGE").await?;
    x.need_upload(&stage, "1.5/t/0.parquet", file_of_text(columns, "copied")?).await?;
    let copy = copy_into(&table, columns, &stage, "1.5/t", Json::Parse);
    let scratch = x.scratch.schema.clone();

    x.begin().await?;
    x.need(doctor::insert_texts(&table, &["one"])).await?;
    x.need(copy.clone()).await?;
    let failed = x.sql(doctor::select_missing(&scratch)).await?.is_err();
    let inside = x.need(doctor::count(&table)).await?;
    let seen = format!("{} rows of 2 after the failure", cells(&inside));
    x.note(&FAILURE, failed && number(&inside) == Some(2), seen);
    x.roll_back().await?;
    let after = x.need(doctor::count(&table)).await?;
    x.note(&ROLLBACK, number(&after) == Some(0), format!("{} rows of 0", cells(&after)));

    x.begin().await?;
    let outcome = x.need(copy).await?;
    x.commit().await?;
    let after = x.need(doctor::count(&table)).await?;
    let seen = format!("{}; {} rows of 1", cells(&outcome), first(&after).unwrap_or("NULL"));
    x.note(&COPY_AGAIN, number(&after) == Some(1), seen);

    let more = x.scratch.object("DOCTOR_IN_TRANSACTION");
    x.begin().await?;
    x.need(doctor::insert_texts(&table, &["two"])).await?;
    x.need(doctor::create_texts(&more, &["T"])).await?;
    x.roll_back().await?;
    let after = x.need(doctor::count(&table)).await?;
    x.note(&DDL, number(&after) == Some(2), format!("{} rows of 2", cells(&after)));
    Ok(())
}
