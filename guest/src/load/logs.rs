//! The logs of job services in containers.

use serde::Deserialize;

use super::session::Session;
use super::status::listing;
use crate::fault::{Fault, Result};
use crate::protocol::{Io, Listing, Listings, Load};
use crate::sql::{identifier, services};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogOptions {
    service: Option<String>,
    database: Option<String>,
    schema: Option<String>,
    #[serde(default = "container")]
    container: String,
    #[serde(default = "lines")]
    lines: u32,
}

fn container() -> String {
    "load".to_owned()
}

const fn lines() -> u32 {
    1000
}

/// What is read, and its statement.
enum LogQuery {
    Log(String),
    Services(String),
}

/// Begins to read the log of a job service, or a list of job services.
///
/// # Errors
/// A config fault if the options are not valid.
pub fn start(options: &str) -> Result<Load> {
    let options: LogOptions = serde_json::from_str(options)
        .map_err(|error| Fault::config(format_args!("the options are not valid: {error}")))?;
    let reading = match (&options.service, &options.database, &options.schema) {
        (Some(service), _, _) => {
            let Some((parts, "")) =
                identifier::qualified(service).filter(|(parts, _)| parts.len() == 3)
            else {
                return Err(Fault::config(format_args!(
                    "expected a job service, DATABASE.SCHEMA.NAME, found {service:?}"
                )));
            };
            LogQuery::Log(services::select_log(&parts, &options.container, options.lines))
        }
        (None, Some(database), Some(schema)) => {
            LogQuery::Services(services::show_job_services(database, schema))
        }
        _ => {
            return Err(Fault::config(
                "expected a service, or a database and a schema, found none",
            ));
        }
    };
    let io = Io::default();
    Ok(Load::listing(io.clone(), read(io, reading)))
}

async fn read(io: Io, reading: LogQuery) -> Result<Listings> {
    let mut session = Session::new(io, None, false);
    let (LogQuery::Log(statement) | LogQuery::Services(statement)) = &reading;
    let found = session.sql(statement.clone()).await?.rows().to_vec();
    let listing = match reading {
        LogQuery::Log(_) => lines_of(&found),
        LogQuery::Services(_) => {
            let row = |row: &Vec<Option<String>>| {
                services::SHOWN.map(|at| row.get(at).cloned().flatten()).to_vec()
            };
            listing("services", &["service", "status"], found.iter().map(row).collect())
        }
    };
    Ok(Listings { listings: vec![listing], statements: session.statements })
}

/// The lines of a log, which is one text.
fn lines_of(found: &[Vec<Option<String>>]) -> Listing {
    let text = found.first().and_then(|row| row.first()?.as_deref()).unwrap_or_default();
    let rows = text.lines().map(|line| vec![Some(line.to_owned())]).collect();
    listing("log", &["line"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Outcome, Reply, Step};

    fn run(options: &str, row: &[&str]) -> Result<(String, Listing)> {
        let load = start(options)?;
        let Step::Sql(script) = load.resume(Reply::Start)? else { panic!("no SQL") };
        let [statement] = script.statements.as_slice() else { panic!("one statement") };
        let rows = vec![row.iter().map(|cell| Some((*cell).to_owned())).collect()];
        match load.resume(Reply::Outcomes(vec![Outcome { rows, affected: None }]))? {
            Step::Listed(Listings { mut listings, .. }) => {
                Ok((statement.clone(), listings.remove(0)))
            }
            step => panic!("{step:?}"),
        }
    }

    #[test]
    fn a_log_has_a_row_for_each_line() {
        let (statement, log) =
            run(r#"{"service": "snowcat.code.\"a'b\"", "lines": 2}"#, &["x\ny\n"]).unwrap();
        assert_eq!(
            statement,
            r#"SELECT SYSTEM$GET_SERVICE_LOGS('"SNOWCAT"."CODE"."a''b"', '0', 'load', 2)"#
        );
        assert_eq!(log.rows, [[Some("x".to_owned())], [Some("y".to_owned())]]);
    }

    #[test]
    fn job_services_are_listed() {
        let (statement, found) =
            run(r#"{"database": "SNOWCAT", "schema": "CODE"}"#, &["J", "DONE", "SNOWCAT", "CODE"])
                .unwrap();
        assert_eq!(statement, r#"SHOW JOB SERVICES IN SCHEMA "SNOWCAT"."CODE""#);
        assert_eq!((found.name.as_str(), found.rows[0][1].as_deref()), ("services", Some("DONE")));
    }

    #[test]
    fn options_that_are_not_valid_are_faults() {
        let check = |options: &str, part: &str| {
            let fault = start(options).err().unwrap();
            assert!(fault.message.contains(part), "{fault:?}");
        };
        check("{}", "expected a service, or a database");
        check(r#"{"service": "a"}"#, "DATABASE.SCHEMA.NAME");
        check(r#"{"servce": "a"}"#, "unknown field");
    }
}
