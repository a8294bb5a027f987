//! Session parameters that change the results of loads. Procedures with owner's rights may not run
//! SHOW PARAMETERS, so each one is tested by its effect.

use super::examiner::{Examiner, Found, Rule, first, has_code, shown};
use crate::sql::{doctor, merge, state};

const QUOTED: Rule = Rule {
    name: "parameters.quoted_identifiers",
    assumed: "QUOTED_IDENTIFIERS_IGNORE_CASE is FALSE: quoted names keep their case",
    remedy: "ALTER ACCOUNT SET QUOTED_IDENTIFIERS_IGNORE_CASE = FALSE, or use the naming snake_case only",
};
const ROWS: Rule = Rule {
    name: "parameters.rows_per_resultset",
    assumed: "ROWS_PER_RESULTSET is 0: answers are not cut short",
    remedy: "ALTER SESSION SET ROWS_PER_RESULTSET = 0 before the CALL, and in the task",
};
const AUTOCOMMIT: Rule = Rule {
    name: "parameters.autocommit",
    assumed: "AUTOCOMMIT is TRUE: a statement outside of a transaction commits",
    remedy: "ALTER SESSION SET AUTOCOMMIT = TRUE before the CALL, and in the task",
};
const MERGE: Rule = Rule {
    name: "parameters.nondeterministic_merge",
    assumed: "ERROR_ON_NONDETERMINISTIC_MERGE is TRUE: two source rows for one row are error 100090",
    remedy: "ALTER SESSION SET ERROR_ON_NONDETERMINISTIC_MERGE = TRUE; loads keep one row for each key \
             before they merge, so nothing is wrong without it",
};
const HIDDEN: Rule = Rule {
    name: "parameters.not_visible",
    assumed: "LOCK_TIMEOUT, STATEMENT_TIMEOUT_IN_SECONDS and READ_CONSISTENCY_MODE come from the caller or the \
              account",
    remedy: "As the caller: SHOW PARAMETERS IN SESSION. LOCK_TIMEOUT = 900 is a good value for the task: the \
             default is 12 hours",
};

pub(super) const RULES: &[&Rule] = &[&QUOTED, &ROWS, &AUTOCOMMIT, &MERGE, &HIDDEN];

/// More rows than any limit that is set to preview results.
const MANY_ROWS: usize = 10_001;

pub(super) async fn run(x: &mut Examiner) -> Found {
    match x.sql(state::SELECT_QUOTED_CASE.to_owned()).await? {
        Ok(outcome) => {
            let name = first(&outcome).unwrap_or("NULL").to_owned();
            x.note(&QUOTED, name == "a", format!("the name \"a\" is {name}"));
        }
        Err(failure) => x.untried(&QUOTED, shown(&failure), QUOTED.remedy),
    }
    match x.sql(state::select_rows(MANY_ROWS)).await? {
        Ok(outcome) => {
            let found = outcome.rows.len();
            x.note(&ROWS, found == MANY_ROWS, format!("{found} rows of {MANY_ROWS}"));
        }
        Err(failure) => x.untried(&ROWS, shown(&failure), ROWS.remedy),
    }
    x.untried(
        &HIDDEN,
        "SHOW PARAMETERS is not allowed to procedures with owner's rights",
        HIDDEN.remedy,
    );
    let table = x.scratch.object("DOCTOR_PARAMETERS");
    x.need(doctor::create_texts(&table, &["K"])).await?;
    x.need(doctor::insert_texts(&table, &["a"])).await?;
    match x.sql(doctor::SELECT_TRANSACTION.to_owned()).await? {
        Ok(outcome) => {
            let open = first(&outcome).is_some();
            let seen = if open { "a statement left a transaction open" } else { "it committed" };
            x.note(&AUTOCOMMIT, !open, seen);
        }
        Err(failure) => x.untried(&AUTOCOMMIT, shown(&failure), AUTOCOMMIT.remedy),
    }
    x.need(merge::COMMIT.to_owned()).await?;
    match x.sql(doctor::merge_twice(&table, "K", "a")).await? {
        Ok(_) => x.note(&MERGE, false, "no error"),
        Err(failure) => x.note(&MERGE, has_code(&failure, "100090"), shown(&failure)),
    }
    x.need(merge::COMMIT.to_owned()).await?;
    Ok(())
}
