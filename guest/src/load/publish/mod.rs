//! Publication of staged files: tables of a refresh, new tables and columns, the lock, and the
//! transaction.

mod ddl;
mod destination;
pub(crate) mod drop;
pub(crate) mod lock;
mod merge;
mod scd2;
pub(crate) mod slices;
mod strategies;
mod transaction;

use ddl::{ChangedTables, SchemaTarget};
use destination::Destination;
use drop::{ResetState, drop_tables};
use lock::Fence;
use slices::{Claim, SliceWork};
use transaction::Transaction;

use crate::dlt::schema::Schema;
use crate::dlt::state::{Instant, LoadId, State};
use crate::fault::{Context, Result};
use crate::job::Job;
use crate::load::extract::staged::StagedFamily;
use crate::load::plan::refresh::RefreshPlan;
use crate::load::session::Session;
use crate::load::session::context::LoadContext;
use crate::load::target::Target;
use crate::load::target::catalog::Catalog;

/// The state of a load that its parts share.
pub(crate) struct Publisher<'a> {
    pub(crate) job: &'a Job,
    pub(crate) target: Target,
    pub(crate) now: Instant,
    /// The id of the part.
    pub(crate) load_id: LoadId,
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
    /// What the load does with slices of a backfill.
    pub(crate) slices: SliceWork<'a>,
}

/// The result of reading one part.
pub(crate) struct StagedPart<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) schema_changed: bool,
    pub(crate) state: &'a State,
    pub(crate) state_changed: bool,
    pub(crate) load_id: &'a LoadId,
    pub(crate) staged: &'a [StagedFamily],
}

impl StagedPart<'_> {
    /// Returns `true` if there is something to commit. Records that the contract discards have no
    /// rows, but they may have a contract for the schema: as in dlt they are a load.
    fn is_a_load(&self) -> bool {
        let discarded = self.staged.iter().any(|staged| staged.discarded);
        discarded || self.state_changed || self.staged.iter().any(StagedFamily::changes)
    }
}

impl Publisher<'_> {
    /// Commits what a part has read, if it has read anything.
    ///
    /// # Errors
    /// A destination fault if a statement fails, or if another load committed meanwhile.
    pub(crate) async fn publish(
        &mut self,
        context: &mut LoadContext<'_>,
        staged: &[StagedFamily],
    ) -> Result<()> {
        let schema_changed = context.schema.bump()?;
        let state_changed = !self.slices.is_slice() && context.state.bump()?;
        let LoadContext { session, schema, state, report } = context;
        let load_id = &self.load_id.clone();
        let part = StagedPart { schema, schema_changed, state, state_changed, load_id, staged };
        if !part.is_a_load() && !self.refresh.acts() && !self.slices.acts() {
            return Ok(());
        }
        let had_state_row = self.has_state_row;
        self.start_over(session, &part).await?;
        let changes = SchemaTarget {
            target: &self.target,
            schema,
            catalog: &self.catalog,
            staged,
            schema_made: session.has_made_schema(),
            create_indexes: self.job.create_indexes,
        }
        .changes()?;
        self.transaction(&part, had_state_row).check().at(|| "publishing")?;
        let ChangedTables { tables, adopted } =
            changes.run(session).await.at(|| "bringing the tables up to date")?;
        report.warnings.extend(adopted.iter().map(|table| {
            format!(
                "the table {table} existed although the catalogue did not show it: it was adopted"
            )
        }));
        if let SliceWork::Plan(_) = self.slices {
            session.sql(self.target.slices(&self.job.pipeline).create()).await?;
        }
        self.seed(session, load_id).await?;
        // Adopted tables may have rows: the transaction replaces those like any other.
        let (adopted, created): (Vec<_>, Vec<_>) =
            tables.into_iter().partition(|(table, _)| adopted.contains(table));
        self.catalog.note(adopted);
        let transaction = self.transaction(&part, had_state_row);
        let stored = transaction.schema_changed.then_some(transaction.schema_stored_at);
        transaction.run(session).await.at(|| "publishing")?;
        if state_changed {
            (self.committed, self.advanced) = (state.version(), true);
        }
        self.catalog.note(created);
        if let Some(stored_at) = stored {
            self.catalog.note_schema(stored_at);
        }
        Ok(())
    }

    /// Goes on with the next part of the load.
    pub(crate) fn next_part(&mut self, context: &mut LoadContext<'_>) {
        context.session.checkpoints += 1;
        self.load_id = self.load_id.next();
        context.report.load_id = self.load_id.to_string();
        self.before = context.schema.clone();
        self.refresh = RefreshPlan::default();
    }

    /// Drops the tables of a refresh, once.
    async fn start_over(&mut self, session: &mut Session, part: &StagedPart<'_>) -> Result<()> {
        let Some(reset) = self.reset.take() else { return Ok(()) };
        if self.catalog.has(&self.target.bookkeeping().state) {
            self.seed(session, part.load_id).await?;
        }
        let (target, pipeline) = (&self.target, self.job.pipeline.as_str());
        let fence = Fence::new(target, pipeline, self.committed, part.schema.name(), &self.catalog);
        let dropped = drop_tables(session, &self.refresh, &fence, &mut self.catalog, &reset).await;
        if dropped.at(|| "starting over")? {
            (self.committed, self.advanced) = (reset.state.version(), true);
        }
        Ok(())
    }

    /// Inserts the row that loads of the pipeline lock, if there is none.
    async fn seed(&mut self, session: &mut Session, load_id: &LoadId) -> Result<()> {
        if !self.has_state_row {
            let pipeline = &self.job.pipeline;
            lock::seed(session, &self.target, &self.catalog, pipeline, load_id).await?;
            self.has_state_row = true;
        }
        Ok(())
    }

    /// The transaction of the part, on the tables and columns that are known now.
    fn transaction<'p>(&'p self, part: &'p StagedPart<'_>, had_state_row: bool) -> Transaction<'p> {
        let (catalog, pipeline) = (&self.catalog, self.job.pipeline.as_str());
        let StagedPart { schema, state, load_id, staged, .. } = *part;
        Transaction {
            destination: Destination { target: &self.target, schema, catalog },
            schema_changed: part.schema_changed
                || !catalog.has_schema_row()
                || self.refresh.drops(),
            state,
            state_changed: part.state_changed,
            seeded: !had_state_row,
            load_id,
            now: self.now,
            schema_stored_at: self.now.after(catalog.schema_stored_at()),
            refresh: &self.refresh,
            staged,
            before: &self.before,
            fence: Fence::new(&self.target, pipeline, self.committed, schema.name(), catalog),
            slices: self.slices,
            claim: Claim { target: &self.target, pipeline, load_id, now: self.now },
        }
    }
}
