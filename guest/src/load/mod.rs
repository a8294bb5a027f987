//! One run of a load, straight down: restore what was there, read every resource, stage its rows,
//! bring the tables up to date, publish in one transaction, clean up.
//!
//! It reads like a program that blocks, and never does: each `await` is a [`crate::protocol::Step`].

pub mod approved;
mod extract;
mod plan;
mod publish;
mod restore;
mod session;
mod target;

use crate::dlt::schema::Schema;
use crate::dlt::state::{Instant, LoadId};
use crate::fault::{Context, Result};
use crate::job::{Job, Policy, Resource};
use crate::protocol::{Io, Load, Report};
use crate::sources::incremental::scheduled;
use crate::sql::ddl;

use extract::{Part, Sources};
use plan::refresh::{RefreshPlan, ResetState};
use publish::commit::{Brought, Progress};
use restore::Restored;
use session::Session;
use target::Target;
use target::catalog::EarlierStage;

/// Begins a run of the job. `now` is the current instant, RFC 3339 with an offset.
///
/// # Errors
/// A config fault where the job is not valid.
pub fn start(job: &str, now: &str) -> Result<Load> {
    begin(job, None, now)
}

/// Begins a run of the job, if the policy of the installation allows it.
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
    match load(&mut session, &job, now).await {
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

async fn load(session: &mut Session, job: &Job, now: Instant) -> Result<Report> {
    let mut target = Target::new(job);
    let Restored { catalog, mut schema, mut state, last_load, has_state_row, refreshing } =
        restore::restore(session, job, &target).await.at(|| "restoring the dataset")?;
    let mut load_id = LoadId::new(now, last_load.as_deref())?;
    let committed = state.version();
    state.set_target(&job.dataset, schema.name());
    let stored = schema.clone();
    let refresh = RefreshPlan::plan(job, &mut schema, &mut state);
    let reset = match refresh.drops() {
        true => Some(ResetState::begin(&mut state, stored, &mut load_id, now)?),
        false => None,
    };
    target.begin(&load_id);
    let mut report = Report {
        pipeline: job.pipeline.clone(),
        database: job.database.clone(),
        dataset: job.dataset.clone(),
        warnings: ignored(&schema),
        ..Report::default()
    };
    if let Some(load) = refreshing {
        report.warnings.push(format!(
            "the load {load} began a refresh and did not end it: this load reads from the beginning"
        ));
    }
    let before = schema.clone();
    let mut progress = Progress {
        job,
        target: &target,
        now,
        catalog,
        before,
        refresh,
        reset,
        has_state_row,
        committed,
        advanced: false,
    };
    let rejected = Resource::rejected()?;
    let mut sources = Sources::new(job, &rejected);
    // Most loads are of one part; see `checkpoint`.
    loop {
        report.load_id = load_id.to_string();
        let part = Part { target: &target, load_id: &load_id, catalog: &progress.catalog };
        let staged = part.read(session, &mut sources, &mut schema, &mut state, &mut report).await?;
        let (schema_changed, state_changed) = (schema.bump()?, state.bump()?);
        let brought = Brought {
            schema: &schema,
            schema_changed,
            state: &state,
            state_changed,
            load_id: &load_id,
            staged: &staged,
        };
        progress.commit(session, &brought, &mut report).await?;
        if sources.are_read() {
            break;
        }
        session.checkpoints += 1;
        load_id = load_id.next();
        progress.before = schema.clone();
        progress.refresh = RefreshPlan::default();
    }
    if let Err(fault) =
        clean_up(session, &target, progress.catalog.stages(), progress.advanced).await
    {
        // The load is committed; the next one clears away what remains.
        report.warnings.push(format!("not everything could be cleared away: {fault}"));
    }
    report.state = state.to_json();
    report.statements = session.statements;
    report.requests = session.requests;
    report.pages = session.pages;
    Ok(report)
}

/// Drops the stage of this load, and stages of the pipeline that other loads left.
///
/// A stage that was there when this load began belongs to a load that had read the state before. If this load
/// wrote a later state (`advanced`), that load cannot commit any more, alive or not, and needs its files no
/// longer. Otherwise it may be alive and commit, so that only stages go which no load can still use: those
/// made more than 30 days ago. A CALL ends after 7 days at most (STATEMENT_TIMEOUT_IN_SECONDS).
async fn clean_up(
    session: &mut Session,
    target: &Target,
    stages: &[EarlierStage],
    advanced: bool,
) -> Result<()> {
    session.drop_stage().await?;
    for stage in stages.iter().filter(|stage| advanced || stage.old) {
        if target.is_earlier_stage(&stage.name) {
            session.sql(ddl::drop_stage(&target.schema.object(&stage.name))).await?;
        }
    }
    Ok(())
}

/// What dlt would heed in the stored schema and this load does not.
fn ignored(schema: &Schema) -> Vec<String> {
    let settings = schema.ignored_settings().into_iter();
    settings
        .map(|setting| format!("the stored schema says what is not heeded: {setting}"))
        .collect()
}
