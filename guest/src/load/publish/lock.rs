//! The lock under which a load publishes, and the check that no other load committed first.
//!
//! The lock is a committed row of the pipeline in `_dlt_pipeline_state`, rewritten as it is: Snowflake
//! documents that an UPDATE keeps other UPDATEs of the same rows out until its transaction ends. The check
//! is a statement of its own that begins when the lock is held, so that it sees what was committed before,
//! whatever a statement that waited sees. ARCHITECTURE.md ("Two loads of one pipeline") has the proof and
//! what it assumes.

use crate::dlt::schema::{STATE_TABLE, VERSION_TABLE};
use crate::dlt::state::{LoadId, State, StateRow};
use crate::fault::{Context, Fault, FaultKind, Result};
use crate::load::session::{Session, SqlReply};
use crate::load::target::{Target, catalog::Catalog};
use crate::protocol::Pause;
use crate::sql::state::Bookkeeping;

use crate::load::target::records::cells;

/// Seconds between two attempts at a transaction that found too many others waiting.
const PAUSES: [f64; 5] = [5.0, 10.0, 20.0, 40.0, 60.0];

/// The versions of state and schema that a load has read. They must be unchanged when it publishes.
#[derive(Clone)]
pub(crate) struct Fence<'a> {
    pub(crate) target: &'a Target,
    pub(crate) pipeline: &'a str,
    /// The greatest version of the state that was read, or written by this load since.
    pub(crate) version: u64,
    pub(crate) schema: &'a str,
    /// When the schema's row that was read was stored, in microseconds since 1970.
    pub(crate) schema_stored_at: Option<i64>,
    /// Whether this dataset stores a version of the schema.
    pub(crate) has_schema_row: bool,
    /// Whether a transaction begins with the lock.
    pub(crate) locks: bool,
}

/// Inserts the row that loads of a new pipeline lock. It has version 0 and a load id of no load, so neither dlt
/// nor Snowcat reads it as a state. It commits at once: a row that is not committed does not lock out other loads.
pub(crate) async fn seed(
    session: &mut Session,
    target: &Target,
    catalog: &Catalog,
    pipeline: &str,
    load_id: &LoadId,
) -> Result<()> {
    let books = target.bookkeeping();
    let row = StateRow::new(&LoadId::none(), &State::new(pipeline), load_id.instant());
    let row = cells(target, catalog, &books.state, row.cells());
    session.sql(books.insert(&books.state, &row)).await.map(drop)
}

impl<'a> Fence<'a> {
    /// The fence of a load that has read, or written, the state of this version.
    pub(crate) fn new(
        target: &'a Target,
        pipeline: &'a str,
        version: u64,
        schema: &'a str,
        catalog: &Catalog,
    ) -> Self {
        Self {
            target,
            pipeline,
            version,
            schema,
            schema_stored_at: catalog.schema_stored_at(),
            has_schema_row: catalog.has_schema_row(),
            locks: true,
        }
    }

    /// The fence of a load whose transaction takes other locks, when its rows are copied.
    #[must_use]
    pub(crate) fn without_lock(&self) -> Self {
        Self { locks: false, ..self.clone() }
    }

    /// Runs a transaction under the lock. If the lock is not available, because too many wait for
    /// it or for too long, all of it is rolled back and retried, a few times.
    pub(crate) async fn transaction(
        &self,
        session: &mut Session,
        load_id: &LoadId,
        work: impl AsyncFn(&mut Session) -> Result<()>,
    ) -> Result<()> {
        // Loads that failed together do not retry together.
        let spread = 1.0 + (load_id.micros() % 1000) as f64 / 2000.0;
        for pause in PAUSES {
            match self.attempt(session, &work).await {
                Err(_) if session.take_lock_refusal() => {
                    session.roll_back().await?;
                    let reason = "another load holds the lock of the dataset's tables".to_owned();
                    session.wait(Pause { seconds: pause * spread, reason }).await?;
                }
                result => return result,
            }
        }
        self.attempt(session, &work).await.map_err(|mut fault| {
            if session.take_lock_refusal() {
                fault.message.push_str(STUCK);
            }
            fault
        })
    }

    async fn attempt(
        &self,
        session: &mut Session,
        work: &impl AsyncFn(&mut Session) -> Result<()>,
    ) -> Result<()> {
        session.begin().await?;
        if self.locks {
            self.lock(session).await.at(|| format!("table {STATE_TABLE}"))?;
        }
        work(session).await
    }

    /// Takes the lock, inside a transaction that has begun.
    async fn lock(&self, session: &mut Session) -> Result<()> {
        let books = self.books();
        // A schema without a row can be new to another pipeline too: all pipelines of the dataset
        // are locked out once.
        let statement = match self.has_schema_row {
            true => books.rewrite_states(self.pipeline, self.version),
            false => books.rewrite_all_states(),
        };
        match rewritten(session, statement).await? {
            Some(0) => Err(Fault::destination(format_args!(
                "expected a state of the pipeline {} to lock, found none: it was deleted while the load ran; \
                 run it again",
                self.pipeline
            ))),
            _ => Ok(()),
        }
    }

    /// Checks that no other load committed a state of the pipeline. Needs the lock.
    pub(crate) async fn check_state(&self, session: &mut Session) -> Result<()> {
        let statement = self.books().rewrite_states(self.pipeline, self.version.saturating_add(1));
        match rewritten(session, statement).await? {
            None | Some(0) => Ok(()),
            Some(_) => Err(self.lost()),
        }
    }

    /// Inserts the state's row, unless another load committed one. Needs the lock.
    pub(crate) async fn insert_state(
        &self,
        session: &mut Session,
        catalog: &Catalog,
        row: &StateRow,
    ) -> Result<()> {
        let books = self.books();
        let values = cells(self.target, catalog, &books.state, row.cells());
        let statement = books.insert_state_fenced(self.pipeline, row.version, &values);
        match rewritten(session, statement).await? {
            Some(0) => Err(self.lost()),
            _ => Ok(()),
        }
    }

    /// Takes the lock of the schema's row, for pipelines that share a schema, and checks that no other load
    /// stored a later one. Needs the lock of the pipeline.
    pub(crate) async fn lock_schema(&self, session: &mut Session) -> Result<()> {
        if self.has_schema_row {
            let statement = self.books().rewrite_versions(self.schema, self.schema_stored_at);
            if rewritten(session, statement).await? == Some(0) {
                return Err(Fault::destination(format_args!(
                    "expected the stored schema {}, found none: it was deleted while the load ran; run it again",
                    self.schema
                ))
                .at(format_args!("table {VERSION_TABLE}")));
            }
        }
        Ok(())
    }

    /// The instant from which on a stored row of the schema is another load's.
    pub(crate) fn later_schema(&self) -> Option<i64> {
        // The instant that was read is truncated to microseconds.
        self.schema_stored_at.map(|micros| micros.saturating_add(1))
    }

    /// Checks that no other load stored the schema. Needs the lock of the schema.
    pub(crate) async fn check_schema(&self, session: &mut Session) -> Result<()> {
        let statement = self.books().rewrite_versions(self.schema, self.later_schema());
        match rewritten(session, statement).await? {
            None | Some(0) => Ok(()),
            Some(_) => Err(self.schema_lost()),
        }
    }

    /// The fault of a load that another one of its pipeline overtook.
    fn lost(&self) -> Fault {
        Fault::destination(format_args!(
            "{ANOTHER_LOAD} of the pipeline {} committed while this one ran (it wrote a state after version {}): \
             nothing of this one was written; run it again",
            self.pipeline, self.version
        ))
        .at(format_args!("table {STATE_TABLE}"))
    }

    /// The fault of a load whose schema another one stored.
    pub(crate) fn schema_lost(&self) -> Fault {
        Fault::destination(format_args!(
            "{ANOTHER_LOAD} stored the schema {} while this one ran: nothing of this one was written; run it \
             again",
            self.schema
        ))
        .at(format_args!("table {VERSION_TABLE}"))
    }

    fn books(&self) -> Bookkeeping<'_> {
        self.target.bookkeeping()
    }
}

/// What the message of a load that another one overtook begins with.
pub(crate) const ANOTHER_LOAD: &str = "another load";

/// Returns `true` if another load overtook the one that failed.
pub(crate) fn is_overtaken(fault: &Fault) -> bool {
    fault.kind == FaultKind::Destination && fault.message.starts_with(ANOTHER_LOAD)
}

/// Advice about a lock that stays held.
const STUCK: &str = "; another session holds the lock: a load that runs, or one that was killed. Snowflake \
     ends the transaction of a killed session after 5 minutes if others wait for it, else after 4 hours. \
     To see it: SHOW LOCKS IN ACCOUNT; to end it: SELECT SYSTEM$ABORT_TRANSACTION(<its number>); then run \
     the load again. Nothing of this one was written";

/// The number of rows that a statement changed; `None` in a dry run.
///
/// # Errors
/// A protocol fault if the host does not report it: the lock depends on it.
pub(crate) async fn rewritten(session: &mut Session, statement: String) -> Result<Option<u64>> {
    match session.sql(statement).await? {
        SqlReply::DryRun => Ok(None),
        SqlReply::Ran(outcome) => match outcome.affected {
            Some(rows) => Ok(Some(rows)),
            None => Err(Fault::protocol(
                "expected the number of rows that the statement changed, found none",
            )),
        },
    }
}
