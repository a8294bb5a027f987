//! One resource, from its first page to its last file.

use super::checkpoint::{OpenResource, OpenSource};
use super::cursor::ResourceCursor;
use super::family::OpenFamily;
use super::part::Part;
use super::reading::{Reading, ReadingStop};
use super::record::RecordSink;
use super::rejects::Rejects;
use super::staged::StagedFamily;
use super::staging::Staging;
use super::{files, http};
use crate::dlt::schema::{Schema, Table};
use crate::fault::{Fault, Result};
use crate::job::{Input, Resource};
use crate::load::plan::merge::WriteAction;
use crate::load::plan::tables::{self, Plan};
use crate::load::session::context::LoadContext;
use crate::sources::rest::ParentRows;

/// A resource that is read next.
pub(crate) struct ResourceExtraction<'a> {
    pub(crate) part: &'a Part<'a>,
    pub(crate) resource: &'a Resource,
    /// Its number in the load.
    pub(crate) number: usize,
    /// The records of its parent, if it has one.
    pub(crate) parents: Option<&'a ParentRows>,
}

/// Results of reading a resource in addition to the rows of its tables.
pub(crate) struct SideOutputs<'r> {
    /// The fields of the records that each child resource needs.
    pub(crate) children: &'r mut [ParentRows],
    pub(crate) rejects: &'r mut Rejects,
}

impl ResourceExtraction<'_> {
    /// Reads the resource to its end, or to a checkpoint: `open` is then the position. Stages the
    /// new rows.
    pub(crate) async fn run(
        &self,
        context: &mut LoadContext<'_>,
        side: SideOutputs<'_>,
        open: &mut Option<OpenResource>,
    ) -> Result<Vec<StagedFamily>> {
        let before = context.schema.clone();
        let Some(plan) = tables::declare(self.part.job, self.resource, &mut context.schema)? else {
            context.warn(
                &self.resource.name,
                "its table is new, and discarded by the schema contract",
            );
            if !side.children.is_empty() {
                self.read_for_children(context, side).await?;
            }
            return Ok(Vec::new());
        };
        let warnings = std::iter::once(&plan).chain(&plan.nested).filter_map(|p| p.warning.clone());
        context.report.warnings.extend(warnings);
        let mut rows =
            OpenFamily::new(self.part, self.resource, self.number, &context.schema, &plan)?;
        if rows.replaces {
            // A load that replaces all rows reads all records. Source: dlt 1.31, `extract/extract.py`,
            // which overlooks a disposition that is written as an object.
            context.state.forget_resource(context.schema.name(), &self.resource.name);
        }
        let mut reading = match open.take() {
            Some(open) => open,
            None => OpenResource::new(self.part.job, self.resource, context)?,
        };
        match self.read(context, side, &mut reading, Some(&mut rows)).await? {
            ReadingStop::End => self.close(context, reading.cursor)?,
            ReadingStop::Checkpoint => {
                reading.save(self.part.job, self.resource, context)?;
                *open = Some(reading);
            }
        }
        rows.finish(self.part, context).await?;
        if rows.family.root_rows() == 0 && !rows.family.has_discarded() {
            self.restore_schema(&mut context.schema, before, &plan, rows.replaces);
        }
        Ok(rows.staged(plan, &context.schema, &mut context.report))
    }

    /// Reads the resource for its children only. Nothing of it is loaded.
    pub(crate) async fn read_for_children(
        &self,
        context: &mut LoadContext<'_>,
        side: SideOutputs<'_>,
    ) -> Result<()> {
        let (job, resource) = (self.part.job, self.resource);
        let cursor = ResourceCursor::open(job, resource, &context.schema, &context.state)?;
        let mut reading = OpenResource { cursor, source: OpenSource::new(resource) };
        self.read(context, side, &mut reading, None).await?;
        match &mut reading.cursor {
            Some(cursor) => cursor.finish(resource, context),
            None => Ok(()),
        }
    }

    async fn read(
        &self,
        context: &mut LoadContext<'_>,
        side: SideOutputs<'_>,
        open: &mut OpenResource,
        rows: Option<&mut OpenFamily>,
    ) -> Result<ReadingStop> {
        let (family, staging) = match rows {
            Some(rows) => (Some(&mut rows.family), Some(&mut rows.staging)),
            None => (None, None),
        };
        let limits = staging.as_deref().map(Staging::limits);
        let cursor = open.cursor.as_mut().map(|cursor| &mut cursor.incremental);
        let mut reading = Reading {
            part: self.part,
            resource: self.resource,
            session: context.session,
            report: &mut context.report,
            sink: RecordSink::new(self.resource, family.zip(limits), cursor, side.children),
            staging,
            rejects: side.rejects,
            pages: 0,
            bytes: 0,
        };
        match (&self.resource.input, &mut open.source) {
            (Input::Pull(pulled), OpenSource::Input(input)) => {
                files::read(&mut reading, pulled, input).await
            }
            (_, OpenSource::Http(requests)) => {
                http::read(&mut reading, self.parents, requests).await
            }
            (_, OpenSource::Input(_)) => Err(Fault::internal("an endpoint is pulled")),
        }
    }

    /// Saves the cursor of a resource that is read to its end, and deletes its checkpoint.
    fn close(&self, context: &mut LoadContext<'_>, cursor: Option<ResourceCursor>) -> Result<()> {
        if let Some(mut cursor) = cursor {
            cursor.finish(self.resource, context)?;
        }
        let (state, source) = (&mut context.state, context.schema.name());
        if state.checkpoint(source, &self.resource.name).is_some() {
            state.set_checkpoint(source, &self.resource.name, None);
        }
        Ok(())
    }

    /// Removes the hints that the resource declared: dlt applies the hints of a resource only after
    /// it has seen a record, kept or discarded. Without a record only `replace` takes effect.
    fn restore_schema(&self, schema: &mut Schema, before: Schema, plan: &Plan, replaces: bool) {
        let plans = std::iter::once(plan).chain(&plan.nested);
        let emptied: Vec<&str> = plans
            .filter(|plan| replaces && plan.action == WriteAction::Replace)
            .map(|plan| plan.table.as_str())
            .filter(|table| before.table(table).is_some_and(Table::has_seen_data))
            .collect();
        *schema = before;
        emptied.into_iter().for_each(|table| schema.set_replaced(table));
    }
}
