//! What is stored of the pipelines of a dataset: states, cursors, checkpoints, schemas, loads and rejected records.

use chrono::{DateTime, SecondsFormat};

use super::session::Session;
use super::target::Target;
use super::target::catalog;
use crate::dlt::schema::STATE_TABLE;
use crate::dlt::state::{Instant, State};
use crate::fault::{Context, Result};
use crate::job::{Job, REJECTED};
use crate::protocol::{Io, Listing, Listings, Load};
use crate::sources::incremental::convert::plain;
use crate::sql::state::StoredState;
use crate::sql::status;

/// Begins to read what is stored of the job's pipeline, or of `every` pipeline in its dataset.
///
/// # Errors
/// A config fault if the job is not valid.
pub fn start(job: &str, every: bool, now: &str) -> Result<Load> {
    let job = Job::parse(job)?.at(Instant::parse(now)?.to_utc());
    let io = Io::default();
    Ok(Load::listing(io.clone(), read(io, job, every)))
}

type StatusRows = Vec<Vec<Option<String>>>;

async fn read(io: Io, job: Job, every: bool) -> Result<Listings> {
    let target = Target::new(&job);
    let mut session = Session::new(io, None, false);
    let catalog = catalog::read(&mut session, &target).await?;
    let books = target.bookkeeping();
    let mut stored = StoredStates::default();
    let has_loads = catalog.has(&books.loads);
    if catalog.has(&books.state) && has_loads {
        let pipelines = match every {
            true => firsts(&rows(&mut session, status::select_pipelines(&books)).await?),
            false => vec![job.pipeline.clone()],
        };
        for pipeline in pipelines {
            let found = rows(&mut session, books.select_state(&pipeline)).await?;
            if let Some(row) = found.first() {
                stored.add(&pipeline, row)?;
            }
        }
    }
    let mut schemas = Vec::new();
    if catalog.has(&books.version) {
        schemas = dated(rows(&mut session, status::select_schemas(&books)).await?);
    }
    let mut loads = Vec::new();
    if has_loads {
        loads = dated(rows(&mut session, status::select_loads(&books)).await?);
    }
    let (table, mut rejected) = (target.table(REJECTED), Vec::new());
    if catalog.has(&table) {
        let column = target.convention.fold("resource");
        rejected = rows(&mut session, status::count_rejected(&table, &column)).await?;
    }
    let listings = vec![
        listing("states", &["pipeline", "version", "load"], stored.states),
        listing("cursors", &["pipeline", "resource", "path", "value"], stored.cursors),
        listing("checkpoints", &["pipeline", "resource", "position"], stored.checkpoints),
        listing("schemas", &["schema", "version", "stored at"], schemas),
        listing("loads", &["load", "schema", "status", "ended at"], loads),
        listing("rejected", &["resource", "records"], rejected),
    ];
    Ok(Listings { listings, statements: session.statements })
}

async fn rows(session: &mut Session, statement: String) -> Result<StatusRows> {
    Ok(session.sql(statement).await?.rows().to_vec())
}

pub(super) fn listing(name: &str, columns: &[&str], rows: StatusRows) -> Listing {
    let columns = columns.iter().map(|column| (*column).to_owned()).collect();
    Listing { name: name.to_owned(), columns, rows }
}

/// Returns the first cell of each row.
fn firsts(rows: &StatusRows) -> Vec<String> {
    rows.iter().filter_map(|row| row.first()?.clone()).collect()
}

/// Returns rows whose last cell is an instant as RFC 3339 instead of microseconds since 1970.
fn dated(mut rows: StatusRows) -> StatusRows {
    for cell in rows.iter_mut().filter_map(|row| row.last_mut()) {
        let micros = cell.as_deref().and_then(|text| text.parse().ok());
        if let Some(instant) = micros.and_then(DateTime::from_timestamp_micros) {
            *cell = Some(instant.to_rfc3339_opts(SecondsFormat::Secs, true));
        }
    }
    rows
}

/// The rows of the listings that are made of states.
#[derive(Default)]
struct StoredStates {
    states: StatusRows,
    cursors: StatusRows,
    checkpoints: StatusRows,
}

impl StoredStates {
    fn add(&mut self, pipeline: &str, row: &[Option<String>]) -> Result<()> {
        let stored = StoredState::read(row).at(|| STATE_TABLE)?;
        if !stored.finished {
            self.states.push(vec![Some(pipeline.to_owned()), Some("0".to_owned()), None]);
            return Ok(());
        }
        let state = State::parse(stored.state)?;
        let text = |text: &str| Some(text.to_owned());
        let load = stored.load_id.map(str::to_owned);
        self.states.push(vec![text(pipeline), Some(state.version().to_string()), load]);
        for (source, resource, cursors) in state.resources() {
            for path in cursors {
                let value =
                    state.incremental(source, resource, path)?.map(|it| plain(&it.last_value));
                self.cursors.push(vec![text(pipeline), text(resource), text(path), value]);
            }
            if let Some(position) = state.checkpoint(source, resource) {
                self.checkpoints.push(vec![
                    text(pipeline),
                    text(resource),
                    Some(position.to_string()),
                ]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dlt::state::IncrementalState;
    use crate::protocol::{Outcome, Reply, Step};

    const JOB: &str = r#"{"pipeline": "p", "database": "RAW", "dataset": "shop",
        "resources": [{"name": "t", "source": "pull"}]}"#;

    /// Runs a status with these rows by a part of the statement. Returns the listings that have rows.
    fn run(every: bool, answers: &[(&str, Vec<Vec<&str>>)]) -> Vec<(String, StatusRows)> {
        let load = start(JOB, every, "2026-01-01T00:00:00Z").unwrap();
        let mut reply = Reply::Start;
        loop {
            let script = match load.resume(reply).unwrap() {
                Step::Sql(script) => script,
                Step::Listed(found) => {
                    let found = found.listings.into_iter().map(|it| (it.name, it.rows));
                    return found.filter(|(_, rows)| !rows.is_empty()).collect();
                }
                step => panic!("{step:?}"),
            };
            let [statement] = script.statements.as_slice() else { panic!("one statement") };
            let rows = answers.iter().find(|(part, _)| statement.contains(part)).map(|it| &it.1);
            let cell = |text: &&str| (*text != "NULL").then(|| (*text).to_owned());
            let rows =
                rows.into_iter().flatten().map(|row| row.iter().map(cell).collect()).collect();
            reply = Reply::Outcomes(vec![Outcome { rows, affected: None }]);
        }
    }

    #[test]
    fn what_is_stored_is_listed() {
        let mut state = State::new("p");
        let incremental = IncrementalState { last_value: json!(7), ..IncrementalState::default() };
        state.set_incremental("p", "t", "id", incremental);
        state.set_checkpoint("p", "u", Some(json!({"file": "a"})));
        state.bump().unwrap();
        let text = state.to_text();
        let tables = ["_DLT_LOADS", "_DLT_PIPELINE_STATE", "_DLT_VERSION", "_REJECTED"];
        let catalogue =
            tables.map(|name| vec!["column", "SHOP", name, "A", "TEXT", "NULL", "0", "4"]);
        let stored = vec![vec!["1", text.as_str(), "h", "100.0", "1", "1", "100.0"]];
        let found = run(
            true,
            &[
                ("INFORMATION_SCHEMA", catalogue.to_vec()),
                ("DISTINCT", vec![vec!["p"]]),
                ("LEFT JOIN", stored),
                ("GROUP BY \"SCHEMA_NAME\"", vec![vec!["p", "2", "0"]]),
                ("LIMIT 10", vec![vec!["100.0", "p", "0", "1000000"]]),
                ("\"_REJECTED\"", vec![vec!["t", "3"]]),
            ],
        );
        let row =
            |cells: &[&str]| cells.iter().map(|it| Some((*it).to_owned())).collect::<Vec<_>>();
        let one = |name: &str, cells: &[&str]| (name.to_owned(), vec![row(cells)]);
        let expected = [
            one("states", &["p", "1", "100.0"]),
            one("cursors", &["p", "t", "id", "7"]),
            one("checkpoints", &["p", "u", r#"{"file":"a"}"#]),
            one("schemas", &["p", "2", "1970-01-01T00:00:00Z"]),
            one("loads", &["100.0", "p", "0", "1970-01-01T00:00:01Z"]),
            one("rejected", &["t", "3"]),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_dataset_without_tables_has_nothing() {
        assert_eq!(run(false, &[]), []);
    }
}
