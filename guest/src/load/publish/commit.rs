//! From what a part of a load has read to what it commits: tables that start over, new tables and columns,
//! the row that is locked, and the transaction.

use super::ddl::{ChangedTables, SchemaTarget};
use super::lock::{self, Fence};
use super::transaction::{StagedFamily, Transaction};
use crate::dlt::schema::Schema;
use crate::dlt::state::{Instant, LoadId, State};
use crate::fault::{Context, Result};
use crate::job::Job;
use crate::load::plan::refresh::{RefreshPlan, ResetState};
use crate::load::session::Session;
use crate::load::target::Target;
use crate::load::target::catalog::Catalog;
use crate::protocol::Report;

/// What the parts of a load share, and how far they have come.
pub(crate) struct Progress<'a> {
    pub(crate) job: &'a Job,
    pub(crate) target: &'a Target,
    pub(crate) now: Instant,
    /// The tables and columns of the database, as far as the load knows.
    pub(crate) catalog: Catalog,
    /// The schema as the part found it.
    pub(crate) before: Schema,
    /// The tables that the load starts over with.
    pub(crate) refresh: RefreshPlan,
    /// What is saved before tables are dropped, until it is saved.
    pub(crate) reset: Option<ResetState>,
    /// Whether the pipeline has a committed row in the table of states.
    pub(crate) has_state_row: bool,
    /// The greatest version of the state that was read or committed.
    pub(crate) committed: u64,
    /// Whether the load has committed a state.
    pub(crate) advanced: bool,
}

/// What a part has read.
pub(crate) struct Brought<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) schema_changed: bool,
    pub(crate) state: &'a State,
    pub(crate) state_changed: bool,
    pub(crate) load_id: &'a LoadId,
    pub(crate) staged: &'a [StagedFamily],
}

impl Brought<'_> {
    /// Whether there is something to commit. Records that the contract discards bring no rows, but they may
    /// bring the contract that the schema keeps: as in dlt they make a load.
    fn is_a_load(&self) -> bool {
        let discarded = self.staged.iter().any(|staged| staged.left_out);
        discarded || self.state_changed || self.staged.iter().any(StagedFamily::changes)
    }
}

impl Progress<'_> {
    /// Commits what a part has read, if that is anything.
    pub(crate) async fn commit(
        &mut self,
        session: &mut Session,
        brought: &Brought<'_>,
        report: &mut Report,
    ) -> Result<()> {
        if !brought.is_a_load() && !self.refresh.acts() {
            return Ok(());
        }
        let had_state_row = self.has_state_row;
        self.start_over(session, brought).await?;
        let wanted = SchemaTarget {
            target: self.target,
            schema: brought.schema,
            catalog: &self.catalog,
            staged: brought.staged,
            schema_made: session.has_made_schema(),
            create_indexes: self.job.create_indexes,
        };
        let evolution = wanted.evolution()?;
        self.publication(brought, had_state_row).check().at(|| "publishing")?;
        let ChangedTables { tables, adopted } =
            evolution.run(session).await.at(|| "bringing the tables up to date")?;
        report.warnings.extend(adopted.iter().map(|table| {
            format!(
                "the table {table} existed although the catalogue did not show it: it was adopted"
            )
        }));
        self.seed(session, brought.load_id).await?;
        // They may have rows: the transaction replaces those like any other.
        let (adopted, made): (Vec<_>, Vec<_>) =
            tables.into_iter().partition(|(table, _)| adopted.contains(table));
        self.catalog.note(adopted);
        let publication = self.publication(brought, had_state_row);
        let stored = publication.schema_changed.then_some(publication.schema_stored_at);
        publication.run(session).await.at(|| "publishing")?;
        if brought.state_changed {
            (self.committed, self.advanced) = (brought.state.version(), true);
        }
        self.catalog.note(made);
        if let Some(stored_at) = stored {
            self.catalog.note_schema(stored_at);
        }
        Ok(())
    }

    /// Drops the tables of a refresh, once.
    async fn start_over(&mut self, session: &mut Session, brought: &Brought<'_>) -> Result<()> {
        let Some(reset) = self.reset.take() else { return Ok(()) };
        if self.catalog.has(&self.target.bookkeeping().state) {
            self.seed(session, brought.load_id).await?;
        }
        let (target, pipeline) = (self.target, self.job.pipeline.as_str());
        let fence =
            Fence::new(target, pipeline, self.committed, brought.schema.name(), &self.catalog);
        let dropped = self.refresh.drop_tables(session, &fence, &mut self.catalog, &reset).await;
        if dropped.at(|| "starting over")? {
            (self.committed, self.advanced) = (reset.state.version(), true);
        }
        Ok(())
    }

    /// Inserts the row that loads of the pipeline lock, if there is none.
    async fn seed(&mut self, session: &mut Session, load_id: &LoadId) -> Result<()> {
        if !self.has_state_row {
            let pipeline = &self.job.pipeline;
            lock::seed(session, self.target, &self.catalog, pipeline, load_id).await?;
            self.has_state_row = true;
        }
        Ok(())
    }

    /// The transaction of the part, on the tables and columns that are known now.
    fn publication<'p>(&'p self, brought: &'p Brought<'_>, had_state_row: bool) -> Transaction<'p> {
        let (catalog, pipeline) = (&self.catalog, self.job.pipeline.as_str());
        Transaction {
            target: self.target,
            schema: brought.schema,
            schema_changed: brought.schema_changed
                || !catalog.has_schema_row()
                || self.refresh.drops(),
            schema_stored_at: self.now.after(catalog.schema_stored_at()),
            refresh: &self.refresh,
            state: brought.state,
            state_changed: brought.state_changed,
            seeded: !had_state_row,
            load_id: brought.load_id,
            now: self.now,
            staged: brought.staged,
            before: &self.before,
            catalog,
            fence: Fence::new(
                self.target,
                pipeline,
                self.committed,
                brought.schema.name(),
                catalog,
            ),
        }
    }
}
