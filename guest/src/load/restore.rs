//! The dataset before the load: its tables and columns, the stored schema and the stored state.
//!
//! Three statements for an existing dataset, one for a new one. The catalogue is read by every
//! load, so that a dropped table is created again, whatever the stored schema has.

use super::session::Session;
use super::target::Target;
use super::target::catalog::{self, Catalog};
use crate::dlt::schema::{STATE_TABLE, Schema, VERSION_TABLE};
use crate::dlt::state::State;
use crate::fault::{Context, Fault, Result};
use crate::job::Job;
use crate::sql::state::{SELECT_QUOTED_CASE, StoredSchema, StoredState, folds_quoted_names};

/// The dataset at the beginning of the load.
pub(crate) struct Restored {
    pub(crate) catalog: Catalog,
    pub(crate) schema: Schema,
    pub(crate) state: State,
    /// The load with the greatest id.
    pub(crate) last_load: Option<String>,
    /// Whether the pipeline has a row in the table of states, for a load to lock.
    pub(crate) has_state_row: bool,
    /// The load that began a refresh and did not finish it.
    pub(crate) refreshing: Option<String>,
}

pub(crate) async fn restore(session: &mut Session, job: &Job, target: &Target) -> Result<Restored> {
    check_case(session, job).await?;
    let mut catalog = catalog::read(session, target).await?;
    let RestoredState { mut state, last_load, has_row } =
        restore_state(session, job, target, &catalog).await?;
    let schema = restore_schema(session, job, target, &state, &mut catalog).await?;
    let refreshing = state.take_refreshing();
    Ok(Restored { catalog, schema, state, last_load, has_state_row: has_row, refreshing })
}

struct RestoredState {
    state: State,
    last_load: Option<String>,
    /// Whether the pipeline has a row in the table of states.
    has_row: bool,
}

/// The state of the last load that finished; a new state if there is none.
async fn restore_state(
    session: &mut Session,
    job: &Job,
    target: &Target,
    catalog: &Catalog,
) -> Result<RestoredState> {
    let books = target.bookkeeping();
    let mut restored =
        RestoredState { state: State::new(&job.pipeline), last_load: None, has_row: false };
    if !(catalog.has(&books.state) && catalog.has(&books.loads)) {
        return Ok(restored);
    }
    let reply = session.sql(books.select_state(&job.pipeline)).await?;
    let Some(row) = reply.rows().first() else { return Ok(restored) };
    let stored = StoredState::read(row).at(|| STATE_TABLE)?;
    restored.has_row = true;
    if stored.finished {
        restored.state = State::parse(stored.state)?;
        if restored.state.pipeline() != job.pipeline {
            return Err(Fault::destination(format_args!(
                "expected the state of {}, found that of {}",
                job.pipeline,
                restored.state.pipeline()
            )));
        }
    }
    // Loads that did not change the state have ids too, and they compare as strings.
    restored.last_load = stored.load_id.max(stored.last_load).map(str::to_owned);
    // A load that failed half-way in another tool may have left a later version behind.
    restored.state.continue_from(stored.greatest_version);
    Ok(restored)
}

/// The stored schema; a new one if there is none.
async fn restore_schema(
    session: &mut Session,
    job: &Job,
    target: &Target,
    state: &State,
    catalog: &mut Catalog,
) -> Result<Schema> {
    let books = target.bookkeeping();
    let name = job.schema_name.as_deref().or(state.default_schema_name()).unwrap_or(&job.pipeline);
    let wanted = job.convention().naming.name();
    if !catalog.has(&books.version) {
        return Ok(Schema::new(name, wanted));
    }
    let reply = session.sql(books.select_schema(name)).await?;
    let Some(row) = reply.rows().first() else { return Ok(Schema::new(name, wanted)) };
    let stored = StoredSchema::read(row).at(|| VERSION_TABLE)?;
    catalog.set_schema_row(stored.stored_at);
    let schema = Schema::parse(stored.schema)?;
    let found = schema.naming()?;
    if found != wanted {
        return Err(Fault::config(format_args!(
            "naming: expected {found}, for the dataset was made so, found {wanted}: \
             names cannot change under the data"
        )));
    }
    Ok(schema)
}

/// Checks that quoted names keep their case, where the naming convention has lower-case names.
///
/// # Errors
/// A config fault if the account's QUOTED_IDENTIFIERS_IGNORE_CASE folds them: the catalogue would
/// not have the names of the load's tables.
async fn check_case(session: &mut Session, job: &Job) -> Result<()> {
    let convention = job.convention();
    if convention.fold("a") == "A" {
        return Ok(());
    }
    let reply = session.sql(SELECT_QUOTED_CASE.to_owned()).await?;
    if folds_quoted_names(reply.rows()) {
        return Err(Fault::config(format_args!(
            "naming: expected quoted names that keep their case, which {} needs, found the parameter \
             QUOTED_IDENTIFIERS_IGNORE_CASE: set it to FALSE for the account or the user, or use snake_case",
            convention.naming.name()
        )));
    }
    Ok(())
}
