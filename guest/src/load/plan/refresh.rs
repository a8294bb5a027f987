//! Starting over: dlt's `refresh`.
//!
//! `drop_data` forgets what the selected resources remember and deletes their rows, in the transaction
//! that publishes: readers see the old rows or the new ones.
//!
//! `drop_resources` also drops their tables, and `drop_sources` all tables of the schema with all that
//! its resources remember. DROP commits in Snowflake, so it cannot be part of that transaction. Nothing
//! is touched before everything new is staged. Then, in this order:
//!
//! 1. one transaction, locked and checked like any other, deletes the rows and saves the state without the
//!    cursors. The state names the load that drops. A load that dies after it leaves empty tables, and the
//!    next load begins at the beginning;
//! 2. the tables are dropped, each under the lock and after a check: a load that began after step 1 and has
//!    committed removed the name from the state, and so wrote a later one. Then nothing more is dropped and
//!    this load fails. A table that the stored schema knows and the database lacks is made again;
//! 3. the load goes on as any other, and stores the schema that does not know the old columns.
//!
//! dlt drops first and relies on files on the machine it ran on to go on after a crash.
//!
//! Source: dlt 1.31, `pipeline/helpers.py` (`prepare_refresh_source`), `pipeline/drop.py`,
//! `load/utils.py` (`init_client`).

use std::collections::HashSet;

use crate::dlt::schema::{Schema, VERSION_TABLE, is_dlt};
use crate::dlt::state::{Instant, LoadId, LoadRow, State, StateRow};
use crate::fault::{Context, Result};
use crate::job::{Job, Refresh, WriteDisposition};
use crate::load::publish::lock::Fence;
use crate::load::publish::transaction::cells;
use crate::load::session::Session;
use crate::load::target::Target;
use crate::load::target::catalog::Catalog;
use crate::sql::{Name, ddl, merge};

/// What is to be reset.
#[derive(Default)]
pub(crate) struct RefreshPlan {
    /// The tables whose rows go, parents first, by their names in the schema.
    tables: Vec<String>,
    /// Whether the tables go too.
    drops: bool,
}

impl RefreshPlan {
    /// Forgets in the schema and the state what the job says. Nothing is done to the database yet.
    pub(crate) fn plan(job: &Job, schema: &mut Schema, state: &mut State) -> Self {
        let Some(refresh) = job.refresh else { return Self::default() };
        let selected: HashSet<&str> = job
            .selected()
            .filter(|resource| resource.write_disposition != WriteDisposition::Skip)
            .map(|resource| resource.name.as_str())
            .collect();
        let everything = refresh == Refresh::DropSources;
        let source = schema.name().to_owned();
        if everything {
            state.reset_source(&source);
        } else {
            for resource in &selected {
                state.forget_resource(&source, resource);
            }
        }
        let roots = schema.tables().values().filter(|table| {
            table.parent().is_none()
                && !is_dlt(table.name())
                && (everything || table.resource().is_some_and(|name| selected.contains(name)))
        });
        let roots: Vec<String> = roots.map(|table| table.name().to_owned()).collect();
        let chain = |root: &String| schema.chain(root).into_iter().map(|t| t.name().to_owned());
        let tables = roots.iter().flat_map(chain).collect();
        let drops = refresh != Refresh::DropData;
        if everything {
            *schema = schema.fresh();
        } else if drops {
            for root in &roots {
                schema.drop(root);
            }
        }
        Self { tables, drops }
    }

    /// Whether something is done even if nothing new comes.
    pub(crate) fn acts(&self) -> bool {
        !self.tables.is_empty()
    }

    /// Whether tables are dropped, and with them what was stored of the schema.
    pub(crate) fn drops(&self) -> bool {
        self.drops && self.acts()
    }

    /// The tables to empty in the transaction that publishes.
    pub(crate) fn emptied<'a>(&'a self, target: &'a Target) -> impl Iterator<Item = Name> + 'a {
        self.tables.iter().filter(|_| !self.drops).map(|table| target.table(table))
    }

    /// Drops the tables, when everything new is staged. `fence` is what the load has read. Returns `true` if
    /// the state without the cursors was saved.
    pub(crate) async fn drop_tables(
        &self,
        session: &mut Session,
        fence: &Fence<'_>,
        catalog: &mut Catalog,
        stored: &ResetState,
    ) -> Result<bool> {
        if !self.drops() {
            return Ok(false);
        }
        let target = fence.target;
        let of_dataset = self.tables.iter().map(|table| target.table(table));
        let dropped: Vec<Name> = of_dataset.filter(|table| catalog.has(table)).collect();
        let books = target.bookkeeping();
        let forgets = catalog.has(&books.state) && catalog.has(&books.loads) && !dropped.is_empty();
        if forgets {
            let empty = async |session: &mut Session| {
                let row = StateRow::new(&stored.load_id, &stored.state, stored.now);
                fence.insert_state(session, catalog, &row).await?;
                // What another load committed since is not deleted: this load would fail behind it.
                fence.lock_schema(session).await?;
                fence.check_schema(session).await?;
                for table in &dropped {
                    session.sql(merge::delete_all(table)).await?;
                }
                let row = LoadRow::new(&stored.load_id, &stored.schema, stored.now);
                let row = cells(target, catalog, &books.loads, row.cells());
                session.sql(books.insert(&books.loads, &row)).await?;
                session.commit().await
            };
            let emptied = fence.transaction(session, &stored.load_id, empty).await;
            emptied.at(|| "forgetting what was loaded")?;
        }
        // The staging tables, ours and dlt's: their columns would be the old ones.
        let staged = self.tables.iter().flat_map(|table| {
            [target.staging(table), target.staging_schema.object(target.table(table).last())]
        });
        let staged: Vec<Name> = staged.filter(|table| catalog.has(table)).collect();
        let fence = Fence { version: stored.state.version(), ..fence.clone() };
        for table in dropped.iter().chain(&staged) {
            if forgets {
                let drop = async |session: &mut Session| {
                    fence.check_state(session).await?;
                    session.end_with(ddl::drop_table(table)).await
                };
                fence.transaction(session, &stored.load_id, drop).await?;
            } else {
                session.sql(ddl::drop_table(table)).await?;
            }
            catalog.forget(table);
        }
        let versions = target.staging_schema.object(target.table(VERSION_TABLE).last());
        if catalog.has(&versions) {
            session.sql(books.delete_versions(&versions, stored.schema.name())).await?;
        }
        Ok(forgets)
    }
}

/// What is saved before the tables are dropped: a load of its own that brought nothing.
pub(crate) struct ResetState {
    /// The state without what was reset, bumped.
    pub(crate) state: State,
    /// The schema as it is stored.
    pub(crate) schema: Schema,
    /// A load id before the load's own.
    pub(crate) load_id: LoadId,
    pub(crate) now: Instant,
}

impl ResetState {
    /// What is saved for this state, with the schema as it is stored: the load's own id goes to it, and the
    /// load has the next one.
    pub(crate) fn begin(
        state: &mut State,
        stored: Schema,
        load_id: &mut LoadId,
        now: Instant,
    ) -> Result<Self> {
        let next = load_id.next();
        let own = std::mem::replace(load_id, next);
        state.set_refreshing(&own);
        state.bump()?;
        let saved = state.clone();
        state.take_refreshing();
        Ok(Self { state: saved, schema: stored, load_id: own, now })
    }
}
