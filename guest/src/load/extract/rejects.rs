//! Records that could not be read, for resources whose job keeps them: rows of the table `_rejected`, published
//! by the load that found them.

use super::family::OpenFamily;
use super::part::Part;
use super::staged::StagedFamily;
use super::staging::Staging;
use crate::dlt::schema::Schema;
use crate::fault::{Context, Fault, Result};
use crate::job::Resource;
use crate::json::Reader;
use crate::load::plan::tables::{self, Plan};
use crate::load::session::context::LoadContext;
use crate::sources::formats::quote;

/// Bytes of a rejected record that are kept.
const MAX_RAW: usize = 1 << 20;

/// The rejected records of a load; empty if no resource keeps them.
#[derive(Default)]
pub(crate) struct Rejects(Option<Box<RejectedRows>>);

struct RejectedRows {
    open: OpenFamily,
    /// The number of records by resource.
    counts: Vec<(String, u64)>,
    json: String,
}

/// A record that could not be read.
pub(crate) struct RejectedRecord<'r> {
    pub(crate) resource: &'r str,
    /// Empty where the input has no name.
    pub(crate) file: &'r str,
    pub(crate) line: u64,
    pub(crate) reason: &'r str,
    pub(crate) raw: &'r str,
}

impl Rejects {
    /// No records yet. `resource` is that of the table of rejected records, `number` its number in the load.
    pub(crate) fn new(
        part: &Part<'_>,
        resource: &Resource,
        number: usize,
        schema: &Schema,
    ) -> Result<Self> {
        // The schema of the load gets the table only if there are records.
        let mut schema = schema.clone();
        let plan = plan(part, resource, &mut schema)?;
        let open = OpenFamily::new(part, resource, number, &schema, &plan)?;
        Ok(Self(Some(Box::new(RejectedRows { open, counts: Vec::new(), json: String::new() }))))
    }

    /// Adds a record.
    pub(crate) fn add(&mut self, record: &RejectedRecord<'_>) -> Result<()> {
        let Some(rows) = &mut self.0 else {
            return Err(Fault::internal("a record was rejected, and there is no table for it"));
        };
        match rows.counts.iter_mut().find(|(name, _)| name == record.resource) {
            Some((_, count)) => *count += 1,
            None => rows.counts.push((record.resource.to_owned(), 1)),
        }
        record.write(&mut rows.json);
        let family = &mut rows.open.family;
        family.record(&mut Reader::new(&rows.json)).at(|| "the rejected records")
    }

    /// Writes the rows to files if they are large enough. Returns the files to upload.
    pub(crate) fn flush(&mut self) -> Result<Option<&mut Staging>> {
        let Some(rows) = &mut self.0 else { return Ok(None) };
        let OpenFamily { family, staging, .. } = &mut rows.open;
        if !staging.limits().is_full(family) {
            return Ok(None);
        }
        staging.take(family)?;
        Ok(Some(staging))
    }

    /// Stages the rest. Returns the family of the table `resource`, if there are records.
    pub(crate) async fn finish(
        self,
        part: &Part<'_>,
        resource: &Resource,
        context: &mut LoadContext<'_>,
    ) -> Result<Option<StagedFamily>> {
        let Some(rows) = self.0.filter(|rows| !rows.counts.is_empty()) else { return Ok(None) };
        let RejectedRows { mut open, counts, .. } = *rows;
        let table = &resource.name;
        for (name, count) in counts {
            let records = if count == 1 { "record was" } else { "records were" };
            context.warn(&name, &format!("{count} {records} rejected, see the table {table}"));
        }
        let plan = plan(part, resource, &mut context.schema)?;
        open.finish(part, context).await?;
        Ok(open.staged(plan, &context.schema, &mut context.report).into_iter().next())
    }
}

fn plan(part: &Part<'_>, resource: &Resource, schema: &mut Schema) -> Result<Plan> {
    let plan = tables::declare(part.job, resource, schema)?;
    plan.ok_or_else(|| Fault::internal("the rejected records have no table"))
}

impl RejectedRecord<'_> {
    /// Writes the row of the table `_rejected` as a JSON object.
    fn write(&self, json: &mut String) {
        let mut most = self.raw.len().min(MAX_RAW);
        while !self.raw.is_char_boundary(most) {
            most -= 1;
        }
        json.clear();
        json.push_str("{\"resource\":");
        quote(self.resource, json);
        json.push_str(",\"file\":");
        match self.file {
            "" => json.push_str("null"),
            file => quote(file, json),
        }
        json.push_str(&format!(",\"line\":{},\"reason\":", self.line));
        quote(self.reason, json);
        json.push_str(",\"record\":");
        quote(self.raw.get(..most).unwrap_or_default(), json);
        json.push('}');
    }
}
