//! One run of a load, straight down: restore what was there, read every resource, stage its rows,
//! bring the tables up to date, publish in one transaction, clean up.
//!
//! It reads like a program that blocks, and never does: each `await` is a [`crate::step::Step`].

mod asking;
mod checkpoint;
mod declare;
mod evolve;
mod ingest;
mod intake;
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

use crate::fault::{Context, Result};
use crate::job::{Job, Resource, WriteDisposition};
use crate::name::Convention;
use crate::schema::{LOADS_TABLE, STATE_TABLE, Schema, VERSION_TABLE};
use crate::source::{Parents, scheduled};
use crate::sql::state::{Bookkeeping, select_stages};
use crate::sql::{Name, ddl};
use crate::state::{Instant, LoadId, State};
use crate::step::{Io, Load, Report};

use checkpoint::Open;
use publish::Publication;
use refresh::{Forgotten, Fresh};
use reject::Rejects;
use restore::{Live, Restored};
use session::{Answer, Session};

/// Begins a run of the job. `now` is the current instant, RFC 3339 with an offset.
pub fn start(job: &str, now: &str) -> Result<Load> {
    let now = Instant::parse(now)?;
    let job = scheduled(Job::parse(job)?.at(now.to_utc()))?;
    let io = Io::default();
    Ok(Load::new(io.clone(), run(io, job, now)))
}

async fn run(io: Io, job: Job, now: Instant) -> Result<Report> {
    let mut session = Session::new(io);
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
    let Restored { mut live, mut schema, mut state, last_load } =
        restore::restore(session, job, &target).await.at(|| "restoring the dataset")?;
    let mut load_id = LoadId::new(now, last_load.as_deref())?;
    state.set_target(&job.dataset, schema.name());
    let stored = schema.clone();
    let mut fresh = Fresh::plan(job, &mut schema, &mut state);
    let mut before = schema.clone();
    let mut forgotten = if fresh.drops() {
        if !state.bump()? {
            state.touch();
        }
        let (state, schema) = (state.clone(), stored);
        let next = load_id.next();
        Some(Forgotten { state, schema, load_id: std::mem::replace(&mut load_id, next), now })
    } else {
        None
    };
    target.begin(&load_id);
    let mut report = Report {
        pipeline: job.pipeline.clone(),
        database: job.database.clone(),
        dataset: job.dataset.clone(),
        warnings: ignored(&schema),
        ..Report::default()
    };
    let rejected = Resource::rejected()?;
    let mut sources = Sources::new(job, &rejected);
    // Most loads are of one part; see `checkpoint`.
    loop {
        report.load_id = load_id.to_string();
        let part = Part { target: &target, load_id: &load_id, live: &live };
        let ingested =
            part.read(session, &mut sources, &mut schema, &mut state, &mut report).await?;
        let schema_changed = schema.bump()?;
        let state_changed = state.bump()?;
        // Records that are all left out bring no rows; and yet it is a load, as in dlt, and may bring the
        // contract that the schema is to keep.
        let told = ingested.iter().any(|ingested| ingested.left_out);
        let changes = told || ingested.iter().any(publish::Ingested::changes);
        if changes || state_changed || fresh.acts() {
            if let Some(forgotten) = forgotten.take() {
                let dropped = fresh.drop_tables(session, &target, &mut live, &forgotten).await;
                dropped.at(|| "starting over")?;
            }
            let mut made = Vec::new();
            let statements = evolve::ddl(
                &target,
                &schema,
                &live,
                &ingested,
                session.has_made_schema(),
                job.create_indexes,
                &mut made,
            )?;
            let publication = Publication {
                target: &target,
                schema: &schema,
                schema_changed: schema_changed || !live.has_schema_row() || fresh.drops(),
                schema_stored_at: now.after(live.schema_stored_at()),
                fresh: &fresh,
                state: &state,
                state_changed,
                load_id: &load_id,
                now,
                ingested: &ingested,
                before: &before,
                live: &|table: &Name| live.has(table),
            };
            publication.check().at(|| "publishing")?;
            session.run_all(statements).await.at(|| "bringing the tables up to date")?;
            publication.run(session).await.at(|| "publishing")?;
            if publication.schema_changed {
                live.note_schema(publication.schema_stored_at);
            }
            made.into_iter().for_each(|(table, columns)| live.note(table, columns));
        }
        if sources.are_read() {
            break;
        }
        session.checkpoints += 1;
        load_id = load_id.next();
        before = schema.clone();
        fresh = Fresh::default();
    }
    if let Err(fault) = clean_up(session, &target).await {
        // The load is committed; what is left is for the next one to clear away.
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

/// Drops the stage of this load, and those that earlier loads of the pipeline left when they were
/// killed. One that is still running has lost to the fence, or fails for want of its files; either way
/// its CALL fails and nothing of it is written.
async fn clean_up(session: &mut Session, target: &Target) -> Result<()> {
    if !session.has_stage() {
        return Ok(());
    }
    session.drop_stage().await?;
    let schema = target.schema.last();
    let left = select_stages(&target.database, schema, &target.stage_prefix);
    let Answer::Ran(outcome) = session.sql(left).await? else { return Ok(()) };
    let names = outcome.rows.iter().filter_map(|row| row.first()?.as_deref());
    for name in names.filter(|name| target.is_earlier_stage(name)) {
        session.sql(ddl::drop_stage(&target.schema.object(name))).await?;
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
        let pipeline = convention.normalize_identifier(&job.pipeline);
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
