//! One run of a load, straight down: restore what was there, read every resource, stage its rows,
//! bring the tables up to date, publish in one transaction, clean up.
//!
//! It reads like a program that blocks, and never does: each `await` is a [`crate::protocol::Step`].

pub mod approved;
mod asking;
mod catalogue;
mod cells;
mod checkpoint;
mod commit;
mod declare;
mod evolve;
mod ingest;
mod intake;
mod lock;
mod nested;
mod notes;
mod publish;
mod pulling;
mod refresh;
mod reject;
mod restore;
mod session;
mod staging;

use indexmap::IndexMap;

use crate::dlt::hash::sha3_256;
use crate::dlt::naming::Convention;
use crate::dlt::schema::{LOADS_TABLE, STATE_TABLE, Schema, VERSION_TABLE};
use crate::dlt::state::{Instant, LoadId, State};
use crate::fault::{Context, Result};
use crate::job::{Job, Policy, Resource, WriteDisposition};
use crate::protocol::{Io, Load, Report};
use crate::sources::rest::{Parents, scheduled};
use crate::sql::state::Bookkeeping;
use crate::sql::{Name, ddl};

use catalogue::{LeftStage, Live};
use checkpoint::Open;
use commit::{Brought, Progress};
use refresh::{Forgotten, Fresh};
use reject::Rejects;
use restore::Restored;
use session::Session;

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
    let Restored { live, mut schema, mut state, last_load, has_state_row, refreshing } =
        restore::restore(session, job, &target).await.at(|| "restoring the dataset")?;
    let mut load_id = LoadId::new(now, last_load.as_deref())?;
    let committed = state.version();
    state.set_target(&job.dataset, schema.name());
    let stored = schema.clone();
    let fresh = Fresh::plan(job, &mut schema, &mut state);
    let forgotten = match fresh.drops() {
        true => Some(Forgotten::begin(&mut state, stored, &mut load_id, now)?),
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
        live,
        before,
        fresh,
        forgotten,
        has_state_row,
        committed,
        advanced: false,
    };
    let rejected = Resource::rejected()?;
    let mut sources = Sources::new(job, &rejected);
    // Most loads are of one part; see `checkpoint`.
    loop {
        report.load_id = load_id.to_string();
        let part = Part { target: &target, load_id: &load_id, live: &progress.live };
        let ingested =
            part.read(session, &mut sources, &mut schema, &mut state, &mut report).await?;
        let (schema_changed, state_changed) = (schema.bump()?, state.bump()?);
        let brought = Brought {
            schema: &schema,
            schema_changed,
            state: &state,
            state_changed,
            load_id: &load_id,
            ingested: &ingested,
        };
        progress.commit(session, &brought, &mut report).await?;
        if sources.are_read() {
            break;
        }
        session.checkpoints += 1;
        load_id = load_id.next();
        progress.before = schema.clone();
        progress.fresh = Fresh::default();
    }
    if let Err(fault) = clean_up(session, &target, progress.live.stages(), progress.advanced).await
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

/// The resources of a run, and how far they are read.
struct Sources<'a> {
    job: &'a Job,
    /// The table of rejected records.
    rejected: &'a Resource,
    /// Each resource that is read, and whether it is loaded.
    reading: Vec<(&'a Resource, bool)>,
    /// How many of them are read.
    done: usize,
    /// What is kept of the records of parents whose children are still to be read.
    parents: IndexMap<&'a str, Parents>,
    /// The one that is being read, if the last part ended in the midst of it.
    open: Option<Open>,
}

impl<'a> Sources<'a> {
    fn new(job: &'a Job, rejected: &'a Resource) -> Self {
        let (reading, parents) = (job.reading(), IndexMap::new());
        Self { job, rejected, reading, done: 0, parents, open: None }
    }

    fn are_read(&self) -> bool {
        self.done >= self.reading.len()
    }
}

/// One part of a load.
struct Part<'a> {
    target: &'a Target,
    load_id: &'a LoadId,
    live: &'a Live,
}

impl Part<'_> {
    /// Reads resources, to the end of the last or to a checkpoint.
    async fn read(
        &self,
        session: &mut Session,
        sources: &mut Sources<'_>,
        schema: &mut Schema,
        state: &mut State,
        report: &mut Report,
    ) -> Result<Vec<publish::Ingested>> {
        let Sources { job, rejected, reading, done, parents, open } = sources;
        let ingest = |number, resource| ingest::Ingest {
            job,
            resource,
            number,
            target: self.target,
            live: self.live,
            load_id: self.load_id.as_str(),
            parents: None,
        };
        let rejecting = ingest(job.resources.len(), rejected);
        let mut rejects = match reading.iter().any(|(resource, _)| resource.rejects()) {
            true => Rejects::new(&rejecting, schema)?,
            false => Rejects::default(),
        };
        let mut ingested = Vec::new();
        while let Some(&(resource, loaded)) = reading.get(*done) {
            // What is kept of its records, for each of its children.
            let (names, mut children): (Vec<&str>, Vec<Parents>) = reading
                .iter()
                .filter_map(|(child, _)| Some((child.name.as_str(), child.parent()?)))
                .filter(|(_, parent)| parent.resource == resource.name)
                .map(|(child, parent)| (child, Parents::new(parent)))
                .unzip();
            let skipped = resource.write_disposition == WriteDisposition::Skip;
            if loaded && skipped {
                let message = match children.is_empty() {
                    true => "so it was not read",
                    false => "so it was read for its children only",
                };
                report.warnings.push(format!(
                    "resource {}: its write disposition is skip, {message}",
                    resource.name
                ));
            }
            let parents_of = parents.get(resource.name.as_str());
            let ingest = ingest::Ingest { parents: parents_of, ..ingest(*done, resource) };
            let place = || format!("resource {}", resource.name);
            let aside = ingest::Aside { children: &mut children, rejects: &mut rejects };
            if loaded && !skipped {
                let run = ingest.run(session, schema, state, report, aside, open);
                ingested.extend(run.await.at(place)?);
            } else if !aside.children.is_empty() {
                ingest.read(session, schema, state, report, aside).await.at(place)?;
            }
            if open.is_some() {
                break;
            }
            parents.shift_remove(resource.name.as_str());
            parents.extend(names.into_iter().zip(children));
            *done += 1;
        }
        ingested.extend(rejects.finish(&rejecting, session, schema, report).await?);
        Ok(ingested)
    }
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
    stages: &[LeftStage],
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

/// Where the load writes, and how names are spelled there.
pub(crate) struct Target {
    convention: Convention,
    schema: Name,
    staging_schema: Name,
    /// What the names of the pipeline's stages begin with; the load's id follows.
    stage_prefix: String,
    stage: Name,
    database: String,
}

impl Target {
    fn new(job: &Job) -> Self {
        let convention = job.convention();
        // A database is named by whoever made it: in quotes exactly so, otherwise as SQL would read it.
        let database = match job.database.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'))
        {
            Some(exact) => exact.to_owned(),
            None => convention.fold(&job.database),
        };
        let dataset = convention.normalize_identifier(&job.dataset);
        let schema = Name::schema(&database, &convention.fold(&dataset));
        let staging_schema =
            Name::schema(&database, &convention.fold(&format!("{dataset}_staging")));
        // Room for the load's id.
        let short = Convention { max_length: 200.min(convention.max_length), ..convention };
        let mut pipeline = convention.normalize_identifier(&job.pipeline);
        if pipeline != job.pipeline {
            // Pipelines whose names become one have states of their own, and stages of their own.
            let digest = sha3_256(job.pipeline.as_bytes());
            let digest: String = digest.iter().take(5).map(|byte| format!("{byte:02x}")).collect();
            pipeline = format!("{pipeline}_{digest}");
        }
        let stage_prefix =
            convention.fold(&format!("{}__", short.shorten_fragments(&["snowcat", &pipeline])));
        let stage = schema.object(&stage_prefix);
        Self { convention, schema, staging_schema, stage_prefix, stage, database }
    }

    /// Gives the load a stage of its own: two that race do not touch each other's files.
    fn begin(&mut self, load_id: &LoadId) {
        let name = format!("{}{}", self.stage_prefix, load_id.as_str().replace('.', "_"));
        self.stage = self.schema.object(&name);
    }

    /// Whether this is the name of a stage that an earlier load of the pipeline made.
    fn is_earlier_stage(&self, name: &str) -> bool {
        let id = name.strip_prefix(&self.stage_prefix);
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let is_id =
            id.and_then(|id| id.split_once('_')).is_some_and(|(s, m)| digits(s) && digits(m));
        // Ids are as long as one another, so they compare as texts.
        is_id && name < self.stage.last()
    }

    /// A table of the dataset.
    fn table(&self, name: &str) -> Name {
        self.schema.object(&self.convention.fold(name))
    }

    /// The staging table of a table.
    fn staging(&self, name: &str) -> Name {
        let name = self.convention.shorten_fragments(&["_snowcat", name]);
        self.staging_schema.object(&self.convention.fold(&name))
    }

    fn bookkeeping(&self) -> Bookkeeping<'_> {
        Bookkeeping {
            loads: self.table(LOADS_TABLE),
            version: self.table(VERSION_TABLE),
            state: self.table(STATE_TABLE),
            fold: Box::new(|name| self.convention.fold(name)),
        }
    }
}

/// What dlt would heed in the stored schema and this load does not.
fn ignored(schema: &Schema) -> Vec<String> {
    let settings = schema.ignored_settings().into_iter();
    settings
        .map(|setting| format!("the stored schema says what is not heeded: {setting}"))
        .collect()
}
