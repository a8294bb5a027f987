//! Complete loads of records that this component contains: a first one, one that merges and adds a
//! column, and one that starts over. They are ordinary loads whose steps are passed on to the host.

use std::collections::HashMap;

use serde_json::json;

use super::examiner::{Examiner, Found, Rule, SubjectStop, number};
use super::stage;
use crate::fault::Fault;
use crate::load;
use crate::protocol::{Reply, Report, Step};
use crate::sql::doctor;

const FIRST: Rule = Rule {
    name: "load.first",
    assumed: "A load into a new dataset makes its tables, with those of nested lists",
    remedy: "The text names the statement: see the check of its subject",
};
const MERGE: Rule = Rule {
    name: "load.merge",
    assumed: "A second load merges rows and their children, and adds a column",
    remedy: "The text names the statement: see the check of its subject",
};
const REFRESH: Rule = Rule {
    name: "load.refresh",
    assumed: "A load with \"refresh\": \"drop_sources\" drops the tables and begins anew",
    remedy: "The text names the statement: see the check of its subject",
};

pub(super) const RULES: &[&Rule] = &[&FIRST, &MERGE, &REFRESH];

/// The records of the loads, by resource.
const RECORDS: [(&Rule, [(&str, &str); 2]); 3] = [
    (
        &FIRST,
        [
            (
                "orders",
                r#"[{"id": 1, "placed": "2026-01-02T03:04:05Z", "items": [{"sku": "A", "price": 9.5}, {"sku": "B"}]},
                    {"id": 2, "placed": "2026-01-03T03:04:05Z", "items": [{"sku": "A"}], "extra": {"a": null}}]"#,
            ),
            ("customers", r#"[{"name": "κόσμε"}, {"name": "it's"}]"#),
        ],
    ),
    (
        &MERGE,
        [
            (
                "orders",
                r#"[{"id": 2, "note": "new", "items": [{"sku": "A"}, {"sku": "C"}, {"sku": "D"}]},
                    {"id": 3, "note": null, "items": []}]"#,
            ),
            ("customers", r#"[{"name": "only"}]"#),
        ],
    ),
    (
        &REFRESH,
        [
            ("orders", r#"[{"id": 9, "items": [{"sku": "Z"}]}]"#),
            ("customers", r#"[{"name": "z"}]"#),
        ],
    ),
];

/// The number of rows of these tables after each load. A load that starts over has two rows in
/// `_dlt_loads`.
const TABLES: [&str; 4] = ["ORDERS", "ORDERS__ITEMS", "CUSTOMERS", "_DLT_LOADS"];
const ROWS: [[u64; 4]; 3] = [[2, 3, 2, 1], [3, 5, 1, 2], [1, 1, 1, 4]];

#[expect(clippy::indexing_slicing, reason = "the job is an object")]
pub(super) async fn run(x: &mut Examiner, now: &str) -> Found {
    for ((rule, records), expected) in RECORDS.iter().zip(ROWS) {
        let mut job = json!({
            "pipeline": "snowcat_doctor",
            "database": x.scratch.database_option,
            "dataset": x.scratch.dataset,
            "resources": [
                {"name": "orders", "primary_key": "id", "write_disposition": "merge"},
                {"name": "customers", "write_disposition": "replace"},
            ],
        });
        if x.fails(&stage::SSE) {
            job["stage_encryption"] = json!("SNOWFLAKE_FULL");
        }
        if rule.name == REFRESH.name {
            job["refresh"] = json!("drop_sources");
        }
        let report = match drive(x, &job.to_string(), now, records).await? {
            Ok(report) => report,
            Err(fault) => {
                x.note(rule, false, fault.to_string());
                return Err(SubjectStop::Reason(format!("{} failed", rule.name)));
            }
        };
        let mut seen = Vec::new();
        let mut holds = true;
        for (table, expected) in TABLES.iter().zip(expected) {
            let outcome = x.need(doctor::count(&x.scratch.object(table))).await?;
            let found = number(&outcome);
            holds &= found == Some(expected);
            let found = found.map_or("NULL".to_owned(), |found| found.to_string());
            seen.push(format!("{table} {found} of {expected}"));
        }
        let warnings = match report.warnings.join("; ") {
            warnings if warnings.is_empty() => warnings,
            warnings => format!("; {warnings}"),
        };
        let seen = seen.join(", ");
        x.note(rule, holds, format!("{} statements; {seen}{warnings}", report.statements));
    }
    Ok(())
}

/// Runs a load to its end. Returns its report or its fault.
async fn drive(
    x: &mut Examiner,
    job: &str,
    now: &str,
    records: &[(&str, &str)],
) -> Found<Result<Report, Fault>> {
    let mut pages: HashMap<&str, &str> = records.iter().copied().collect();
    let load = match load::start(job, now) {
        Ok(load) => load,
        Err(fault) => return Ok(Err(fault)),
    };
    let mut reply = Reply::Start;
    loop {
        reply = match load.resume(reply) {
            Err(fault) => return Ok(Err(fault)),
            Ok(Step::Finished(report)) => return Ok(Ok(report)),
            Ok(Step::Pull(pull)) => match pages.remove(pull.resource.as_str()) {
                Some(page) => Reply::Page(page.to_owned()),
                None => Reply::End,
            },
            Ok(step @ Step::Upload(_)) => {
                let payload = load.payload()?.to_vec();
                x.pass_on(step, payload).await
            }
            Ok(step @ (Step::Sql(_) | Step::Wait(_))) => x.pass_on(step, Vec::new()).await,
            Ok(Step::Fetch(_) | Step::Examined(_) | Step::Found(_) | Step::Listed(_)) => {
                return Err(
                    Fault::internal("a load of held records asks for something else").into()
                );
            }
        };
    }
}
