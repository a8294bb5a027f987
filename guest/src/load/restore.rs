//! What the dataset holds already: its tables and columns, the schema and the state that were saved.
//!
//! Three statements when the dataset is known, one when it is new. The catalogue is asked every time,
//! for a table that somebody dropped is to be made again, whatever the saved schema says.

use super::session::{Session, SqlReply};
use super::target::Target;
use super::target::catalog::{self, Catalog};
use crate::dlt::schema::{Schema, VERSION_TABLE};
use crate::dlt::state::State;
use crate::fault::{Fault, Result};
use crate::job::Job;
use crate::sql::state::SELECT_QUOTED_CASE;

/// What was there when the load began.
pub(crate) struct Restored {
    pub(crate) catalog: Catalog,
    pub(crate) schema: Schema,
    pub(crate) state: State,
    /// The load with the greatest id.
    pub(crate) last_load: Option<String>,
    /// Whether the pipeline has a row in the table of states, for a load to lock.
    pub(crate) has_state_row: bool,
    /// The load that began a refresh and did not end it.
    pub(crate) refreshing: Option<String>,
}

pub(crate) async fn restore(session: &mut Session, job: &Job, target: &Target) -> Result<Restored> {
    check_case(session, job).await?;
    let mut catalog = catalog::read(session, target).await?;
    let books = target.bookkeeping();
    let mut state = State::new(&job.pipeline);
    let mut last_load = None;
    let mut has_state_row = false;
    if catalog.has(&books.state) && catalog.has(&books.loads) {
        let answer = session.sql(books.select_state(&job.pipeline)).await?;
        if let Some([_, text, _, load, finished, top, last]) = row::<7>(&answer) {
            has_state_row = true;
            if finished == Some("1") {
                state = State::parse(text.unwrap_or_default())?;
                if state.pipeline() != job.pipeline {
                    return Err(Fault::destination(format_args!(
                        "expected the state of {}, found that of {}",
                        job.pipeline,
                        state.pipeline()
                    )));
                }
            }
            // Loads that did not change the state have ids too, and they are texts.
            last_load = load.max(last).map(str::to_owned);
            // A load that failed half-way in another tool may have left a later version behind.
            let top = top.unwrap_or("0");
            let top = top.parse().map_err(|_| {
                Fault::destination(format_args!("expected a version number, found {top:?}"))
            })?;
            state.continue_from(top);
        }
    }

    let name = job.schema_name.as_deref().or(state.default_schema_name()).unwrap_or(&job.pipeline);
    let mut schema = Schema::new(name, job.convention().naming.name());
    if catalog.has(&books.version) {
        let answer = session.sql(books.select_schema(name)).await?;
        if let Some([_, _, text, stored_at]) = row::<4>(&answer) {
            let stored_at = stored_at.map(|micros| {
                micros.parse().map_err(|_| {
                    Fault::destination(format_args!("expected microseconds, found {micros:?}"))
                        .at(VERSION_TABLE)
                })
            });
            catalog.set_schema_row(stored_at.transpose()?);
            schema = Schema::parse(text.unwrap_or_default())?;
            let (found, wanted) = (schema.naming()?, job.convention().naming.name());
            if found != wanted {
                return Err(Fault::config(format_args!(
                    "naming: expected {found}, for the dataset was made so, found {wanted}: \
                     names cannot change under the data"
                )));
            }
        }
    }
    let refreshing = state.take_refreshing();
    Ok(Restored { catalog, schema, state, last_load, has_state_row, refreshing })
}

/// Checks that quoted names keep their case, where the naming convention has lower-case names.
///
/// # Errors
/// A config fault where the account's QUOTED_IDENTIFIERS_IGNORE_CASE folds them: the catalogue would not
/// know the tables that the load makes.
async fn check_case(session: &mut Session, job: &Job) -> Result<()> {
    let convention = job.convention();
    if convention.fold("a") == "A" {
        return Ok(());
    }
    let answer = session.sql(SELECT_QUOTED_CASE.to_owned()).await?;
    match row::<1>(&answer) {
        Some([Some("A")]) => Err(Fault::config(format_args!(
            "naming: expected quoted names that keep their case, which {} needs, found the parameter \
             QUOTED_IDENTIFIERS_IGNORE_CASE: set it to FALSE for the account or the user, or use snake_case",
            convention.naming.name()
        ))),
        _ => Ok(()),
    }
}

/// The first row of the answer, if it has that many columns.
fn row<const N: usize>(answer: &SqlReply) -> Option<[Option<&str>; N]> {
    let SqlReply::Ran(outcome) = answer else { return None };
    let row: Vec<Option<&str>> = outcome.rows.first()?.iter().map(|cell| cell.as_deref()).collect();
    row.try_into().ok()
}
