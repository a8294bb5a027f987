//! One run of a load in phases: restore the dataset, plan, extract every resource into staged files, publish
//! them in one transaction, clean up.
//!
//! It reads like a program that blocks, and never does: each `await` is a [`crate::protocol::Step`].

pub mod approved;
mod extract;
pub mod logs;
mod plan;
mod publish;
mod restore;
mod session;
mod slices;
pub mod status;
mod target;
#[cfg(test)]
mod tests;

use crate::dlt::schema::Schema;
use crate::dlt::state::{Instant, LoadId};
use crate::fault::{Context, Fault, FaultKind, Result};
use crate::job::{Job, Policy, Resource, SliceStep};
use crate::protocol::{Io, Load, Report};
use crate::sources::incremental::scheduled;
use crate::sql::ddl;

use extract::Extraction;
use extract::part::Part;
use plan::refresh::RefreshPlan;
use publish::Publisher;
use publish::drop::ResetState;
use publish::lock::is_overtaken;
use publish::slices::{SliceKey, SliceWork};
use restore::Restored;
use session::Session;
use session::context::LoadContext;
use slices::Ledger;
use target::Target;

/// Begins a run of the job. `now` is the current instant, RFC 3339 with an offset.
///
/// ```
/// use snowcat_guest::load;
///
/// let fault = load::start(r#"{"pipelin": "p"}"#, "2026-01-01T00:00:00Z").err();
/// let message = fault.map(|fault| fault.message);
/// assert_eq!(message.as_deref(), Some("unknown key \"pipelin\", did you mean \"pipeline\"?"));
/// ```
///
/// # Errors
/// A config fault where the job is not valid.
pub fn start(job: &str, now: &str) -> Result<Load> {
    begin(job, None, now)
}

/// Begins a run of the job, if the policy of the installation allows it.
///
/// ```
/// use snowcat_guest::load;
///
/// let job = r#"{
///     "pipeline": "shop", "database": "RAW", "dataset": "shop",
///     "resources": [{"name": "orders", "source": "pull"}]
/// }"#;
/// let (allowed, now) = (r#"{"schemas": ["RAW.SHOP"]}"#, "2026-01-01T00:00:00Z");
/// assert!(load::start_within(job, allowed, now).is_ok());
/// assert!(load::start_within(job, r#"{"schemas": ["RAW.OTHER"]}"#, now).is_err());
/// ```
///
/// # Errors
/// A config fault where the job or the policy is not valid, or the job wants what the policy does not name.
pub fn start_within(job: &str, policy: &str, now: &str) -> Result<Load> {
    let policy = Policy::parse(policy).at(|| "the owner's policy")?;
    begin(job, Some(policy), now)
}

fn begin(job: &str, policy: Option<Policy>, now: &str) -> Result<Load> {
    let now = Instant::parse(now)?;
    let job = scheduled(Job::parse(job)?.at(now.to_utc()))?;
    if let Some(policy) = &policy {
        let target = Target::new(&job);
        policy.check(&job, &target.database, target.schema.last())?;
    }
    let io = Io::default();
    Ok(Load::new(io.clone(), run(io, job, policy, now)))
}

async fn run(io: Io, job: Job, policy: Option<Policy>, now: Instant) -> Result<Report> {
    let is_of_another = policy.as_ref().is_some_and(Policy::is_for_others);
    let quiet = is_of_another && job.has_conditions();
    let mut session = Session::new(io, policy, quiet);
    let done = match job.slice {
        None => load(&mut session, &job, now, SliceWork::None).await,
        Some(step) => backfill(&mut session, &job, now, step).await,
    };
    match done {
        Ok(report) => Ok(report),
        Err(mut fault) => {
            if session.checkpoints > 0 {
                fault.message.push_str(&format!(
                    "; the {} parts of the load before that are committed, and the next run goes on \
                     behind them",
                    session.checkpoints
                ));
            }
            Err(session.abandon(fault).await.at(format_args!("pipeline {}", job.pipeline)))
        }
    }
}

/// One run: restore, plan, then extract and publish part by part, and clean up. Most loads are of one part; see
/// `extract::checkpoint`.
async fn load(
    session: &mut Session,
    job: &Job,
    now: Instant,
    slices: SliceWork<'_>,
) -> Result<Report> {
    let target = Target::new(job);
    let restored = restore::restore(session, job, &target).await.at(|| "restoring the dataset")?;
    match slices {
        SliceWork::None => {
            Ledger::read(session, job, &target, &restored.catalog).await?.check_ended()?;
        }
        SliceWork::Load(slice) => {
            check_refresh(&restored)?;
            if Ledger::read(session, job, &target, &restored.catalog).await?.has(slice) {
                return Err(slice.overtaken());
            }
        }
        SliceWork::Plan(_) | SliceWork::Finish(_) => check_refresh(&restored)?,
    }
    let (mut context, mut publisher) = plan(session, job, now, restored, slices)?;
    slices.move_cursors(&mut context.state, context.schema.name())?;
    let rejected = Resource::rejected()?;
    let mut extraction = Extraction::new(job, &rejected);
    loop {
        let Publisher { target, catalog, load_id, .. } = &publisher;
        let part = Part { job, target, catalog, load_id: load_id.as_str() };
        let staged = extraction.read_part(&part, &mut context).await?;
        publisher.publish(&mut context, &staged).await?;
        if extraction.is_done() {
            break;
        }
        publisher.next_part(&mut context);
    }
    if let Err(fault) = clean_up(context.session, &publisher).await {
        // The load is committed; the next one clears away what remains.
        context.report.warnings.push(format!("not everything could be cleared away: {fault}"));
    }
    Ok(context.into_report())
}

/// Checks that no refresh runs: it drops tables, and a slice does not save a state, by which it would be noticed.
fn check_refresh(restored: &Restored) -> Result<()> {
    match &restored.refreshing {
        None => Ok(()),
        Some(load) => Err(Fault::destination(format_args!(
            "expected no refresh, found that the load {load} began one and did not end it: run that job again \
             first"
        ))),
    }
}

/// The number of attempts at a load of a backfill that other loads overtake.
const ATTEMPTS: usize = 5;

/// One step of a backfill in slices. A share loads its slices one after the other, each as a load of its own. A
/// slice that fails does not stop the others.
async fn backfill(
    session: &mut Session,
    job: &Job,
    now: Instant,
    step: SliceStep,
) -> Result<Report> {
    let mut ledger = match step {
        SliceStep::Finish => read_ledger(session, job).await?,
        SliceStep::Plan | SliceStep::Share { .. } => planned(session, job, now).await?,
    };
    let mut total = Report { pipeline: job.pipeline.clone(), ..Report::default() };
    let resources = ledger.unfinished();
    match step {
        SliceStep::Plan => {}
        SliceStep::Finish if resources.is_empty() => {}
        SliceStep::Finish => {
            ledger.check_loaded()?;
            let work = SliceWork::Finish(&resources);
            total = load(session, &job.without_resources(), now, work).await?;
        }
        SliceStep::Share { index, of } => {
            let (mut faults, mut loaded) = (Vec::new(), 0);
            for slice in ledger.open(index, of) {
                match load_slice(session, job, now, &slice).await {
                    Ok(Some(report)) => {
                        total.add(report);
                        loaded += 1;
                    }
                    Ok(None) => {}
                    Err(fault) => match fault.kind {
                        FaultKind::Config | FaultKind::Protocol | FaultKind::Internal => {
                            return Err(fault);
                        }
                        _ => faults.push((slice, end(session, fault).await?)),
                    },
                }
            }
            if let Some(fault) = slices::failed(faults, loaded, step) {
                return Err(fault);
            }
            ledger = read_ledger(session, job).await?;
        }
    }
    total.warnings.extend(ledger.notes());
    (total.statements, total.requests, total.pages) =
        (session.statements, session.requests, session.pages);
    Ok(total)
}

/// Stores the slices, unless they are stored, and returns them.
async fn planned<'j>(session: &mut Session, job: &'j Job, now: Instant) -> Result<Ledger<'j>> {
    let ledger = read_ledger(session, job).await?;
    if ledger.is_planned() {
        return Ok(ledger);
    }
    slices::check_ends(job, now.to_utc().naive_utc())?;
    let (nothing, resources) = (job.without_resources(), ledger.unfinished());
    for attempt in 1..=ATTEMPTS {
        match load(session, &nothing, now, SliceWork::Plan(&resources)).await {
            Err(fault) if is_overtaken(&fault) && attempt < ATTEMPTS => {
                // The next attempt reports it, if there is one.
                drop(end(session, fault).await?);
            }
            done => drop(done.at(|| "planning the slices")?),
        }
        let ledger = read_ledger(session, job).await?;
        if ledger.is_planned() {
            return Ok(ledger);
        }
    }
    Err(Fault::destination(format_args!(
        "another load removed the slices {ATTEMPTS} times while they were planned"
    )))
}

async fn read_ledger<'j>(session: &mut Session, job: &'j Job) -> Result<Ledger<'j>> {
    let target = Target::new(job);
    let restored = restore::restore(session, job, &target).await.at(|| "restoring the dataset")?;
    check_refresh(&restored)?;
    Ledger::read(session, job, &target, &restored.catalog).await
}

/// Loads a slice. Returns `None` if another load has loaded it.
async fn load_slice(
    session: &mut Session,
    job: &Job,
    now: Instant,
    slice: &SliceKey,
) -> Result<Option<Report>> {
    let mut attempt = 0;
    loop {
        let Some(of_slice) = job.of_slice(&slice.resource, slice.number, attempt) else {
            return Err(Fault::internal(format_args!("there is no slice {slice:?}")));
        };
        attempt += 1;
        match load(session, &of_slice, now, SliceWork::Load(slice)).await {
            Err(fault) if is_overtaken(&fault) && attempt < ATTEMPTS => {
                drop(end(session, fault).await?);
            }
            done => return done.map(Some),
        }
        if read_ledger(session, job).await?.has(slice) {
            return Ok(None);
        }
    }
}

/// Ends a load that failed, so that another one can begin. Returns its fault.
async fn end(session: &mut Session, fault: Fault) -> Result<Fault> {
    let message = fault.message.clone();
    let fault = session.abandon(fault).await;
    // A longer message has the fault of the ROLLBACK.
    if fault.message == message { Ok(fault) } else { Err(fault) }
}

/// Plans the load: its id, its stage, and what a refresh removes.
fn plan<'s, 'j>(
    session: &'s mut Session,
    job: &'j Job,
    now: Instant,
    restored: Restored,
    slices: SliceWork<'j>,
) -> Result<(LoadContext<'s>, Publisher<'j>)> {
    let Restored { catalog, mut schema, mut state, last_load, has_state_row, refreshing } =
        restored;
    let mut target = Target::new(job);
    let mut load_id = LoadId::new(now, last_load.as_deref())?;
    if let SliceWork::Load(slice) = slices {
        load_id = slice.load_id(&load_id, now);
    }
    let committed = state.version();
    state.set_target(&job.dataset, schema.name());
    let stored = schema.clone();
    let refresh = RefreshPlan::of(job, &mut schema, &mut state);
    let reset = match refresh.drops() {
        true => Some(ResetState::begin(&mut state, stored, &mut load_id, now)?),
        false => None,
    };
    target.name_stage(&load_id);
    let mut report = Report {
        load_id: load_id.to_string(),
        pipeline: job.pipeline.clone(),
        database: job.database.clone(),
        dataset: job.dataset.clone(),
        warnings: ignored(&schema, job),
        ..Report::default()
    };
    if let Some(load) = refreshing {
        report.warnings.push(format!(
            "the load {load} began a refresh and did not end it: this load reads from the beginning"
        ));
    }
    let publisher = Publisher {
        job,
        target,
        now,
        load_id,
        catalog,
        before: schema.clone(),
        refresh,
        reset,
        has_state_row,
        committed,
        advanced: false,
        slices,
    };
    Ok((LoadContext { session, schema, state, report }, publisher))
}

/// Drops the stage of this load, and stages of the pipeline that other loads left.
///
/// A stage that existed when this load began belongs to a load that had read the state before. If this load
/// wrote a later state (`advanced`), that load cannot commit any more, and its files are not needed. Otherwise
/// that load may still commit, and only stages older than 30 days are dropped. A CALL ends after 7 days at most (STATEMENT_TIMEOUT_IN_SECONDS).
async fn clean_up(session: &mut Session, publisher: &Publisher<'_>) -> Result<()> {
    let Publisher { target, catalog, advanced, .. } = publisher;
    session.drop_stage().await?;
    for stage in catalog.stages().iter().filter(|stage| *advanced || stage.old) {
        if target.is_earlier_stage(&stage.name) {
            session.sql(ddl::drop_stage(&target.schema.object(&stage.name))).await?;
        }
    }
    Ok(())
}

/// A warning for each setting of the stored schema that dlt applies and this load ignores.
fn ignored(schema: &Schema, job: &Job) -> Vec<String> {
    let settings = schema.ignored_settings(job.max_table_nesting).into_iter();
    settings
        .map(|setting| format!("the stored schema has a setting that is not applied: {setting}"))
        .collect()
}
