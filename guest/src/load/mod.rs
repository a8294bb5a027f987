//! One run of a load, straight down: restore what was there, read every resource, stage its rows,
//! bring the tables up to date, publish in one transaction, clean up.
//!
//! It reads like a program that blocks, and never does: each `await` is a [`crate::step::Step`].

mod asking;
mod declare;
mod evolve;
mod ingest;
mod intake;
mod nested;
mod publish;
mod refresh;
mod restore;
mod session;
mod staging;

use indexmap::IndexMap;

use crate::fault::{Context, Result};
use crate::job::{Job, WriteDisposition};
use crate::name::Convention;
use crate::schema::{LOADS_TABLE, STATE_TABLE, Schema, VERSION_TABLE};
use crate::source::{Parents, scheduled};
use crate::sql::state::{Bookkeeping, select_stages};
use crate::sql::{Name, ddl};
use crate::state::{Instant, LoadId};
use crate::step::{Io, Load, Report};

use publish::Publication;
use refresh::{Forgotten, Fresh};
use restore::Restored;
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
        Err(fault) => {
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
    let fresh = Fresh::plan(job, &mut schema, &mut state);
    let before = schema.clone();
    let forgotten = if fresh.drops() {
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
    let mut ingested = Vec::new();
    let mut report = Report {
        load_id: load_id.to_string(),
        pipeline: job.pipeline.clone(),
        database: job.database.clone(),
        dataset: job.dataset.clone(),
        warnings: ignored(&schema),
        ..Report::default()
    };
    let reading = job.reading();
    let mut parents: IndexMap<&str, Parents> = IndexMap::new();
    for (number, &(resource, loaded)) in reading.iter().enumerate() {
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
        let ingest = ingest::Ingest {
            job,
            resource,
            number,
            target: &target,
            live: &live,
            load_id: load_id.as_str(),
            parents: parents.get(resource.name.as_str()),
        };
        let place = || format!("resource {}", resource.name);
        if loaded && !skipped {
            let brought =
                ingest.run(session, &mut schema, &mut state, &mut report, &mut children).await;
            ingested.extend(brought.at(place)?);
        } else if !children.is_empty() {
            let read = ingest.read(session, &schema, &mut state, &mut report, &mut children).await;
            read.at(place)?;
        }
        parents.shift_remove(resource.name.as_str());
        parents.extend(names.into_iter().zip(children));
    }

    let schema_changed = schema.bump()?;
    let state_changed = state.bump()?;
    // Records that are all left out bring no rows, and yet the contract that the schema is to keep.
    let told = schema_changed && ingested.iter().any(|ingested| ingested.left_out);
    let changes = told || ingested.iter().any(publish::Ingested::changes);
    if changes || state_changed || fresh.acts() {
        if let Some(forgotten) = &forgotten {
            let dropped = fresh.drop_tables(session, &target, &mut live, forgotten).await;
            dropped.at(|| "starting over")?;
        }
        let statements = evolve::ddl(
            &target,
            &schema,
            &live,
            &ingested,
            session.has_made_schema(),
            job.create_indexes,
        )?;
        session.run_all(statements).await.at(|| "bringing the tables up to date")?;
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
        publication.run(session).await.at(|| "publishing")?;
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
