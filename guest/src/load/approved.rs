//! The search for a job by its name in the table of approved jobs.

use crate::fault::{Context, Fault, Result};
use crate::protocol::{Io, Load, Reply, Script, Step, unexpected};
use crate::sql::{approved, identifier};

/// Begins the search for a job in a table `DATABASE.SCHEMA.TABLE`, which has the columns NAME and JOB.
///
/// # Errors
/// A config fault if the table's name is not valid.
pub fn start(table: &str, name: &str) -> Result<Load> {
    let Some((parts, "")) = identifier::qualified(table).filter(|(parts, _)| parts.len() == 3)
    else {
        let message = format!("expected a table, DATABASE.SCHEMA.TABLE, found {table:?}");
        return Err(Fault::config(message));
    };
    let (io, name, table) = (Io::default(), name.to_owned(), table.to_owned());
    Ok(Load::finding(io.clone(), async move {
        search(&io, approved::select(&parts, &name), &name)
            .await
            .at(|| format!("the table of jobs {table}"))
    }))
}

async fn search(io: &Io, statement: String, name: &str) -> Result<String> {
    let script = Script { statements: vec![statement], any_order: false };
    let outcomes = match io.ask(Step::Sql(script)).await {
        Reply::Outcomes(outcomes) => outcomes,
        Reply::Failed(failure) => {
            return Err(Fault::destination(format_args!("{}: {}", failure.code, failure.message)));
        }
        other => return Err(unexpected("outcomes or failed", &other)),
    };
    let mut rows = outcomes.into_iter().flat_map(|outcome| outcome.rows);
    match (rows.next(), rows.next()) {
        (Some(row), None) => match row.into_iter().next().flatten() {
            Some(job) => Ok(job),
            None => Err(Fault::config(format_args!("the job {name:?} is NULL"))),
        },
        (Some(_), Some(_)) => {
            Err(Fault::config(format_args!("expected one job {name:?}, found several rows")))
        }
        (None, _) => Err(Fault::config(format_args!("there is no approved job {name:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::start;
    use crate::protocol::{Failure, Outcome, Reply, Step};

    #[test]
    fn finds_the_job_of_a_name() {
        let check = |name: &str, rows: &[Option<&str>], expect: Result<&str, &str>| {
            let search = start("snowcat.code.jobs", name).unwrap();
            let Step::Sql(script) = search.resume(Reply::Start).unwrap() else { panic!("no SQL") };
            let [statement] = script.statements.as_slice() else { panic!("one statement") };
            assert!(statement.contains(r#"FROM "SNOWCAT"."CODE"."JOBS""#), "{statement}");
            let rows = rows.iter().map(|cell| vec![cell.map(str::to_owned)]).collect();
            let outcome = Outcome { rows, affected: None };
            let found = match search.resume(Reply::Outcomes(vec![outcome])) {
                Ok(Step::Found(job)) => Ok(job),
                Ok(step) => panic!("{step:?}"),
                Err(fault) => Err(fault.message),
            };
            assert_eq!(found.as_deref().map_err(String::as_str), expect, "{name}");
        };
        check("sales", &[Some("{}")], Ok("{}"));
        check("sales", &[], Err(r#"there is no approved job "sales""#));
        check("sales", &[None], Err(r#"the job "sales" is NULL"#));
        check("x", &[Some("{}"), Some("{}")], Err(r#"expected one job "x", found several rows"#));
    }

    #[test]
    fn a_name_is_a_literal() {
        let search = start("a.b.c", "x' OR '1'='1").unwrap();
        let Step::Sql(script) = search.resume(Reply::Start).unwrap() else { panic!("no SQL") };
        assert!(
            script.statements[0].ends_with("WHERE NAME = 'x'' OR ''1''=''1' LIMIT 2"),
            "{script:?}"
        );
    }

    #[test]
    fn failed_searches_have_the_reason() {
        assert!(start("jobs", "x").is_err());
        let search = start("a.b.c", "x").unwrap();
        search.resume(Reply::Start).unwrap();
        let failure = Failure { code: "2003".into(), message: "no table".into(), transient: false };
        let fault = search.resume(Reply::Failed(failure)).unwrap_err();
        assert_eq!(fault.message, "2003: no table");
    }
}
