//! One part of a load: what all its resources share, and the upload of their files.

use super::staging::Staging;
use crate::fault::Result;
use crate::job::Job;
use crate::load::session::Session;
use crate::load::target::Target;
use crate::load::target::catalog::Catalog;
use crate::protocol::Report;

/// One part of a load. Most loads are of one part; see [`super::checkpoint`].
pub(crate) struct Part<'a> {
    pub(crate) job: &'a Job,
    pub(crate) target: &'a Target,
    pub(crate) catalog: &'a Catalog,
    pub(crate) load_id: &'a str,
}

impl Part<'_> {
    /// Uploads the files that are ready. The stage, and the schema that holds it, are created for the first.
    pub(crate) async fn upload(
        &self,
        session: &mut Session,
        staging: &mut Staging,
        report: &mut Report,
    ) -> Result<()> {
        for file in staging.ready() {
            if !session.has_stage() && !self.catalog.has_schema_of(&self.target.table("")) {
                session.make_schema(&self.target.schema).await?;
            }
            session.make_stage(&self.target.stage, self.job.stage_encryption).await?;
            session.upload(&self.target.stage, file.report.path.clone(), file.bytes).await?;
            report.files.push(file.report);
        }
        Ok(())
    }
}
