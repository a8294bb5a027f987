//! A refresh that drops tables.
//!
//! DROP commits in Snowflake, so it cannot be part of the transaction that publishes. Nothing is changed before
//! all new rows are staged. Then, in this order:
//!
//! 1. one transaction, locked and checked like any other, deletes the rows and saves the state without the
//!    cursors. The state names the load that drops. A load that dies after it leaves empty tables, and the
//!    next load begins at the beginning;
//! 2. the tables are dropped, each under the lock and after a check: a load that began after step 1 and has
//!    committed removed the name from the state, and so wrote a later one. Then nothing more is dropped and
//!    this load fails. A table that the stored schema has and the database lacks is created again;
//! 3. the load goes on as any other, and stores the schema without the old columns.
//!
//! dlt drops first and relies on files on the machine it ran on to go on after a crash.
//!
//! Source: dlt 1.31, `pipeline/drop.py`, `load/utils.py` (`init_client`).

use super::lock::Fence;
use super::slices::Claim;
use crate::dlt::schema::{Schema, VERSION_TABLE};
use crate::dlt::state::{Instant, LoadId, LoadRow, State, StateRow};
use crate::fault::{Context, Result};
use crate::load::plan::refresh::RefreshPlan;
use crate::load::session::Session;
use crate::load::target::catalog::Catalog;
use crate::load::target::records::cells;
use crate::sql::{Name, ddl, merge};

/// What is saved before the tables are dropped: a separate load without rows.
pub(crate) struct ResetState {
    /// The state without what was reset, bumped.
    pub(crate) state: State,
    /// The schema as it is stored.
    pub(crate) schema: Schema,
    /// A load id below the load's own.
    pub(crate) load_id: LoadId,
    pub(crate) now: Instant,
}

impl ResetState {
    /// The state and the stored schema to save. They get the load's own id, and the load gets the
    /// next one.
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

/// Drops the tables when all new rows are staged. `fence` has the versions that the load has read.
/// Returns `true` if the state without the cursors was saved.
pub(crate) async fn drop_tables(
    session: &mut Session,
    plan: &RefreshPlan,
    fence: &Fence<'_>,
    catalog: &mut Catalog,
    stored: &ResetState,
) -> Result<bool> {
    if !plan.drops() {
        return Ok(false);
    }
    let target = fence.target;
    let of_dataset = plan.tables().iter().map(|table| target.table(table));
    let dropped: Vec<Name> = of_dataset.filter(|table| catalog.has(table)).collect();
    let books = target.bookkeeping();
    let forgets = catalog.has(&books.state) && catalog.has(&books.loads) && !dropped.is_empty();
    if forgets {
        let empty = async |session: &mut Session| {
            let row = StateRow::new(&stored.load_id, &stored.state, stored.now);
            fence.insert_state(session, catalog, &row).await?;
            // Rows that another load committed since are not deleted: this load would fail after
            // it.
            fence.lock_schema(session).await?;
            fence.check_schema(session).await?;
            let claim = Claim {
                target,
                pipeline: fence.pipeline,
                load_id: &stored.load_id,
                now: stored.now,
            };
            claim.forget(session, catalog, plan).await?;
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
    // The staging tables of Snowcat and dlt, which would have the old columns.
    let staged = plan.tables().iter().flat_map(|table| {
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
