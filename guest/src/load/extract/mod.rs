//! The resources of a job, read one after the other into staged files.

mod ahead;
mod attempt;
mod checkpoint;
mod cursor;
mod family;
mod files;
mod http;
mod notes;
pub(crate) mod part;
mod reading;
mod record;
mod rejects;
mod resource;
mod row_file;
pub(crate) mod staged;
mod staging;
mod typed;

use indexmap::IndexMap;

use crate::fault::{Context, Result};
use crate::job::{Job, Resource, WriteDisposition};
use crate::sources::rest::ParentRows;

use super::session::context::LoadContext;
use checkpoint::OpenResource;
use part::Part;
use rejects::Rejects;
use resource::{ResourceExtraction, SideOutputs};
use staged::StagedFamily;

/// The resources of a load, and how far they are read.
pub(crate) struct Extraction<'a> {
    job: &'a Job,
    /// The resource of rejected records.
    rejected: &'a Resource,
    /// Each resource that is read; `true` if it is loaded.
    resources: Vec<(&'a Resource, bool)>,
    /// The number of resources that are read.
    done: usize,
    /// What the child resources that are still to be read need of their parents' records.
    parents: IndexMap<&'a str, ParentRows>,
    /// The resource in which the last part ended, if it was not at its end.
    open: Option<OpenResource>,
}

impl<'a> Extraction<'a> {
    /// Nothing is read yet.
    pub(crate) fn new(job: &'a Job, rejected: &'a Resource) -> Self {
        let (resources, parents) = (job.reading(), IndexMap::new());
        Self { job, rejected, resources, done: 0, parents, open: None }
    }

    /// Returns `true` if every resource is read to its end.
    pub(crate) fn is_done(&self) -> bool {
        self.done >= self.resources.len()
    }

    /// Reads resources, to the end of the last one or to a checkpoint.
    pub(crate) async fn read_part(
        &mut self,
        part: &Part<'_>,
        context: &mut LoadContext<'_>,
    ) -> Result<Vec<StagedFamily>> {
        let number = self.job.resources.len();
        let mut rejects = match self.resources.iter().any(|(resource, _)| resource.rejects()) {
            true => Rejects::new(part, self.rejected, number, &context.schema)?,
            false => Rejects::default(),
        };
        let mut staged = Vec::new();
        while let Some(&(resource, loaded)) = self.resources.get(self.done) {
            let read = self.read_resource(part, context, &mut rejects, (resource, loaded)).await;
            staged.extend(read.at(|| format!("resource {}", resource.name))?);
            if self.open.is_some() {
                break;
            }
            self.done += 1;
        }
        staged.extend(rejects.finish(part, self.rejected, context).await?);
        Ok(staged)
    }

    async fn read_resource(
        &mut self,
        part: &Part<'_>,
        context: &mut LoadContext<'_>,
        rejects: &mut Rejects,
        (resource, loaded): (&'a Resource, bool),
    ) -> Result<Vec<StagedFamily>> {
        let (names, mut children) = self.children(resource);
        let skipped = resource.write_disposition == WriteDisposition::Skip;
        if loaded && skipped {
            let message = match children.is_empty() {
                true => "its write disposition is skip, so it was not read",
                false => "its write disposition is skip, so it was read for its children only",
            };
            context.warn(&resource.name, message);
        }
        let parents = self.parents.get(resource.name.as_str());
        let extraction = ResourceExtraction { part, resource, number: self.done, parents };
        let is_parent = !children.is_empty();
        let side = SideOutputs { children: &mut children, rejects };
        let mut staged = Vec::new();
        if loaded && !skipped {
            staged = extraction.run(context, side, &mut self.open).await?;
        } else if is_parent {
            extraction.read_for_children(context, side).await?;
        }
        if self.open.is_none() {
            self.parents.shift_remove(resource.name.as_str());
            self.parents.extend(names.into_iter().zip(children));
        }
        Ok(staged)
    }

    /// The names of the child resources of a resource, and what each will need of its records.
    fn children(&self, resource: &Resource) -> (Vec<&'a str>, Vec<ParentRows>) {
        self.resources
            .iter()
            .filter_map(|(child, _)| Some((child.name.as_str(), child.parent()?)))
            .filter(|(_, parent)| parent.resource == resource.name)
            .map(|(child, parent)| (child, ParentRows::new(parent)))
            .unzip()
    }
}
