//! The properties of the session, before anything is done in it.

use super::examiner::{Examiner, Found, Rule, cells, first, shown};
use crate::sql::doctor;

pub(super) const NO_TRANSACTION: Rule = Rule {
    name: "session.no_open_transaction",
    assumed: "No transaction is open when a procedure is called: DDL inside a caller's transaction is rejected",
    remedy: "COMMIT or ROLLBACK before the CALL",
};
const VERSION: Rule = Rule {
    name: "session.version",
    assumed: "The server says its version",
    remedy: "None: for reports only",
};
const REGION: Rule = Rule {
    name: "session.region",
    assumed: "The server says its region and cloud",
    remedy: "None: for reports only",
};
const WAREHOUSE: Rule = Rule {
    name: "session.warehouse",
    assumed: "The session has a warehouse; XSMALL is large enough",
    remedy: "USE WAREHOUSE SNOWCAT_WH",
};

pub(super) const RULES: &[&Rule] = &[&NO_TRANSACTION, &VERSION, &REGION, &WAREHOUSE];

pub(super) async fn run(x: &mut Examiner) -> Found {
    match x.sql(doctor::SELECT_TRANSACTION.to_owned()).await? {
        Ok(outcome) => {
            let open = first(&outcome).map(str::to_owned);
            let seen =
                open.as_ref().map_or("none is open".to_owned(), |id| format!("{id} is open"));
            x.note(&NO_TRANSACTION, open.is_none(), seen);
        }
        Err(failure) => x.untried(&NO_TRANSACTION, shown(&failure), NO_TRANSACTION.remedy),
    }
    for (rule, statement) in [(&VERSION, doctor::SELECT_VERSION), (&REGION, doctor::SELECT_REGION)]
    {
        match x.sql(statement.to_owned()).await? {
            Ok(outcome) => x.note(rule, true, cells(&outcome)),
            Err(failure) => x.untried(rule, shown(&failure), rule.remedy),
        }
    }
    let outcome = x.need(doctor::SELECT_WAREHOUSE.to_owned()).await?;
    let Some(name) = first(&outcome).map(str::to_owned) else {
        x.note(&WAREHOUSE, false, "none");
        return Ok(());
    };
    let seen = match x.sql(doctor::show_warehouse(&name)).await? {
        // Columns: name, state, type, size, ...
        Ok(outcome) => outcome.rows.first().map_or_else(
            || name.clone(),
            |row| row.iter().take(4).flatten().map(String::as_str).collect::<Vec<_>>().join(", "),
        ),
        Err(failure) => format!("{name}; SHOW WAREHOUSES: {}", shown(&failure)),
    };
    x.note(&WAREHOUSE, true, seen);
    Ok(())
}
