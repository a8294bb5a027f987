//! The resources of a job, read one after the other into staged files.

mod checkpoint;
mod files;
mod http;
mod notes;
mod record;
mod rejects;
mod resource;
mod staging;
mod typed;

use indexmap::IndexMap;

use crate::dlt::schema::Schema;
use crate::dlt::state::{LoadId, State};
use crate::fault::{Context, Result};
use crate::job::{Job, Resource, WriteDisposition};
use crate::load::publish::transaction::StagedFamily;
use crate::load::session::Session;
use crate::load::target::Target;
use crate::load::target::catalog::Catalog;
use crate::protocol::Report;
use crate::sources::rest::Parents;

use checkpoint::OpenResource;
use rejects::Rejects;

/// The resources of a run, and how far they are read.
pub(crate) struct Sources<'a> {
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
    open: Option<OpenResource>,
}

impl<'a> Sources<'a> {
    pub(crate) fn new(job: &'a Job, rejected: &'a Resource) -> Self {
        let (reading, parents) = (job.reading(), IndexMap::new());
        Self { job, rejected, reading, done: 0, parents, open: None }
    }

    pub(crate) fn are_read(&self) -> bool {
        self.done >= self.reading.len()
    }
}

/// One part of a load.
pub(crate) struct Part<'a> {
    pub(crate) target: &'a Target,
    pub(crate) load_id: &'a LoadId,
    pub(crate) catalog: &'a Catalog,
}

impl Part<'_> {
    /// Reads resources, to the end of the last or to a checkpoint.
    pub(crate) async fn read(
        &self,
        session: &mut Session,
        sources: &mut Sources<'_>,
        schema: &mut Schema,
        state: &mut State,
        report: &mut Report,
    ) -> Result<Vec<StagedFamily>> {
        let Sources { job, rejected, reading, done, parents, open } = sources;
        let ingest = |number, resource| resource::Ingest {
            job,
            resource,
            number,
            target: self.target,
            catalog: self.catalog,
            load_id: self.load_id.as_str(),
            parents: None,
        };
        let rejecting = ingest(job.resources.len(), rejected);
        let mut rejects = match reading.iter().any(|(resource, _)| resource.rejects()) {
            true => Rejects::new(&rejecting, schema)?,
            false => Rejects::default(),
        };
        let mut staged = Vec::new();
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
            let ingest = resource::Ingest { parents: parents_of, ..ingest(*done, resource) };
            let place = || format!("resource {}", resource.name);
            let aside = resource::SideOutputs { children: &mut children, rejects: &mut rejects };
            if loaded && !skipped {
                let run = ingest.run(session, schema, state, report, aside, open);
                staged.extend(run.await.at(place)?);
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
        staged.extend(rejects.finish(&rejecting, session, schema, report).await?);
        Ok(staged)
    }
}
