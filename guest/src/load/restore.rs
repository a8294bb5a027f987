//! What the dataset holds already: its tables and columns, the schema and the state that were saved.
//!
//! Three statements when the dataset is known, one when it is new. The catalogue is asked every time,
//! for a table that somebody dropped is to be made again, whatever the saved schema says.

use std::collections::{HashMap, HashSet};

use super::Target;
use super::session::{Answer, Session};
use crate::fault::{Context, Fault, Result};
use crate::job::Job;
use crate::schema::{Schema, VERSION_TABLE};
use crate::sql::Name;
use crate::sql::state::select_columns;
use crate::state::{Instant, State};
use crate::step::Outcome;

/// What was there when the load began.
pub(super) struct Restored {
    pub(super) live: Live,
    pub(super) schema: Schema,
    pub(super) state: State,
    /// The load with the greatest id.
    pub(super) last_load: Option<String>,
}

/// The tables that are there, and their columns, as Snowflake stores the names.
#[derive(Default)]
pub(super) struct Live {
    tables: HashMap<Name, HashSet<String>>,
    schema_row: bool,
    schema_stored_at: Option<i64>,
}

impl Live {
    /// Whether there is such a table.
    pub(super) fn has(&self, table: &Name) -> bool {
        self.tables.contains_key(table)
    }

    /// Notes that a table was made, or got more columns.
    pub(super) fn note(&mut self, table: Name, columns: Vec<String>) {
        self.tables.entry(table).or_default().extend(columns);
    }

    /// Notes that a schema was stored, and when.
    pub(super) fn note_schema(&mut self, stored_at: Instant) {
        self.schema_row = true;
        self.schema_stored_at = Some(stored_at.micros());
    }

    /// Notes that a table was dropped.
    pub(super) fn forget(&mut self, table: &Name) {
        self.tables.remove(table);
    }

    /// When the schema that was restored was stored, in microseconds since 1970.
    pub(super) fn schema_stored_at(&self) -> Option<i64> {
        self.schema_stored_at
    }

    /// Whether the table has such a column.
    pub(super) fn has_column(&self, table: &Name, column: &str) -> bool {
        self.tables.get(table).is_some_and(|columns| columns.contains(column))
    }

    /// Whether any table is in the schema of this table.
    pub(super) fn has_schema_of(&self, table: &Name) -> bool {
        self.tables.keys().any(|known| known.object("") == table.object(""))
    }

    /// Whether the schema that was restored is stored in this dataset.
    pub(super) fn has_schema_row(&self) -> bool {
        self.schema_row
    }
}

pub(super) async fn restore(session: &mut Session, job: &Job, target: &Target) -> Result<Restored> {
    let mut live = live(session, target).await?;
    let books = target.bookkeeping();
    let mut state = State::new(&job.pipeline);
    let mut last_load = None;
    if live.has(&books.state) && live.has(&books.loads) {
        let answer = session.sql(books.select_state(&job.pipeline)).await?;
        if let Some([_, text, _, load, finished, top, last]) = row::<7>(&answer) {
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
    if live.has(&books.version) {
        let answer = session.sql(books.select_schema(name)).await?;
        if let Some([_, _, text, stored_at]) = row::<4>(&answer) {
            let stored_at = stored_at.map(|micros| {
                micros.parse().map_err(|_| {
                    Fault::destination(format_args!("expected microseconds, found {micros:?}"))
                        .at(VERSION_TABLE)
                })
            });
            live.schema_stored_at = stored_at.transpose()?;
            schema = Schema::parse(text.unwrap_or_default())?;
            live.schema_row = true;
            let (found, wanted) = (schema.naming()?, job.convention().naming.name());
            if found != wanted {
                return Err(Fault::config(format_args!(
                    "naming: expected {found}, for the dataset was made so, found {wanted}: \
                     names cannot change under the data"
                )));
            }
        }
    }
    Ok(Restored { live, schema, state, last_load })
}

async fn live(session: &mut Session, target: &Target) -> Result<Live> {
    let schemas = [target.schema.last().to_owned(), target.staging_schema.last().to_owned()];
    let answer = session.sql(select_columns(&target.database, &schemas)).await?;
    let mut live = Live::default();
    let Answer::Ran(Outcome { rows, .. }) = answer else { return Ok(live) };
    for row in rows {
        let mut cells = row.into_iter();
        let (Some(Some(schema)), Some(Some(table)), Some(Some(column))) =
            (cells.next(), cells.next(), cells.next())
        else {
            return Err(Fault::destination("expected schema, table and column, found NULL"))
                .at(|| "reading the catalogue");
        };
        let table = Name::schema(&target.database, &schema).object(&table);
        live.tables.entry(table).or_default().insert(column);
    }
    Ok(live)
}

/// The first row of the answer, if it has that many columns.
fn row<const N: usize>(answer: &Answer) -> Option<[Option<&str>; N]> {
    let Answer::Ran(outcome) = answer else { return None };
    let row: Vec<Option<&str>> = outcome.rows.first()?.iter().map(|cell| cell.as_deref()).collect();
    row.try_into().ok()
}
