//! Records that could not be read, where the job has them set aside: rows of the table `_rejected`,
//! published with the load they were met in.

use super::resource::Ingest;
use super::staging::{BATCH_BYTES, Staging};
use crate::dlt::schema::Schema;
use crate::fault::{Context, Fault, Result};
use crate::json::Reader;
use crate::load::plan::tables;
use crate::load::publish::transaction::StagedFamily;
use crate::load::session::Session;
use crate::protocol::Report;
use crate::shred::Family;
use crate::sources::formats::quote;

/// Bytes of a bad record that are kept.
const MAX_RAW: usize = 1 << 20;

/// The rejected records of a load, if any resource has them.
#[derive(Default)]
pub(crate) struct Rejects(Option<Box<Filling>>);

struct Filling {
    family: Family,
    staging: Staging,
    /// How many, by resource.
    counts: Vec<(String, u64)>,
    json: String,
}

impl Rejects {
    /// None yet. `ingest` is that of the table of rejected records.
    pub(crate) fn new(ingest: &Ingest<'_>, schema: &Schema) -> Result<Self> {
        // It is declared in earnest when there is something to put into it.
        let mut schema = schema.clone();
        let plan = tables::declare(ingest.job, ingest.resource, &mut schema)?;
        let plan = plan.ok_or_else(|| Fault::internal("the rejected records have no table"))?;
        let family = tables::family(ingest.job, ingest.resource, &schema, &plan, ingest.load_id)?;
        let staging = Staging::new(ingest.load_id, ingest.number, ingest.target.convention);
        let (counts, json) = (Vec::new(), String::new());
        Ok(Self(Some(Box::new(Filling { family, staging, counts, json }))))
    }

    /// Takes a record: of which resource, from which line of which file, and why it is none.
    pub(crate) fn add(
        &mut self,
        resource: &str,
        file: &str,
        line: u64,
        reason: &str,
        raw: &str,
    ) -> Result<()> {
        let Some(filling) = &mut self.0 else {
            return Err(Fault::internal("a record was rejected, and nobody takes it"));
        };
        let mut most = raw.len().min(MAX_RAW);
        while !raw.is_char_boundary(most) {
            most -= 1;
        }
        let json = &mut filling.json;
        json.clear();
        json.push_str("{\"resource\":");
        quote(resource, json);
        json.push_str(",\"file\":");
        match file {
            "" => json.push_str("null"),
            file => quote(file, json),
        }
        json.push_str(&format!(",\"line\":{line},\"reason\":"));
        quote(reason, json);
        json.push_str(",\"record\":");
        quote(raw.get(..most).unwrap_or_default(), json);
        json.push('}');
        match filling.counts.iter_mut().find(|(name, _)| name == resource) {
            Some((_, count)) => *count += 1,
            None => filling.counts.push((resource.to_owned(), 1)),
        }
        filling.family.record(&mut Reader::new(json)).at(|| "the rejected records")
    }

    /// Makes files of what is there, when it is enough: those are to be uploaded.
    pub(crate) fn full(&mut self) -> Result<Option<&mut Staging>> {
        let Some(filling) = &mut self.0 else { return Ok(None) };
        if filling.family.weight() < BATCH_BYTES {
            return Ok(None);
        }
        filling.staging.take(&mut filling.family)?;
        Ok(Some(&mut filling.staging))
    }

    /// All of them, as what a resource brought.
    pub(crate) async fn finish(
        self,
        ingest: &Ingest<'_>,
        session: &mut Session,
        schema: &mut Schema,
        report: &mut Report,
    ) -> Result<Vec<StagedFamily>> {
        let Some(filling) = self.0.filter(|filling| !filling.counts.is_empty()) else {
            return Ok(Vec::new());
        };
        let Filling { mut family, mut staging, counts, .. } = *filling;
        for (resource, count) in counts {
            let records = if count == 1 { "record was" } else { "records were" };
            report.warnings.push(format!(
                "resource {resource}: {count} {records} rejected, see the table {}",
                ingest.resource.name
            ));
        }
        let plan = tables::declare(ingest.job, ingest.resource, schema)?
            .ok_or_else(|| Fault::internal("the rejected records have no table"))?;
        staging.take(&mut family)?;
        staging.finish(&family)?;
        ingest.upload(session, &mut staging, report).await?;
        ingest.learn(schema, &family, &staging)?;
        Ok(ingest.staged(plan, &family, &staging, schema, report))
    }
}
