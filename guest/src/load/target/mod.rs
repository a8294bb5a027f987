//! The database, the schemas and the stage that a load writes to, and the spelling of names there.

pub(crate) mod catalog;
pub(crate) mod records;

use crate::dlt::hash::sha3_256;
use crate::dlt::naming::Convention;
use crate::dlt::schema::{LOADS_TABLE, STATE_TABLE, VERSION_TABLE};
use crate::dlt::state::LoadId;
use crate::job::{Job, SLICES_TABLE};
use crate::sql::Name;
use crate::sql::slices::SliceTable;
use crate::sql::state::Bookkeeping;

/// The database, the schemas and the stage that a load writes to, and the spelling of names there.
pub(crate) struct Target {
    pub(crate) convention: Convention,
    pub(crate) schema: Name,
    pub(crate) staging_schema: Name,
    /// The prefix of the names of the pipeline's stages; the load's id follows.
    pub(crate) stage_prefix: String,
    pub(crate) stage: Name,
    pub(crate) database: String,
}

impl Target {
    pub(crate) fn new(job: &Job) -> Self {
        let convention = job.convention();
        // The job names an existing database: in quotes exactly, otherwise as SQL reads an identifier.
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
            // Pipelines with the same normalized name have separate states and stages.
            let digest = sha3_256(job.pipeline.as_bytes());
            let digest: String = digest.iter().take(5).map(|byte| format!("{byte:02x}")).collect();
            pipeline = format!("{pipeline}_{digest}");
        }
        let stage_prefix =
            convention.fold(&format!("{}__", short.shorten_fragments(&["snowcat", &pipeline])));
        let stage = schema.object(&stage_prefix);
        Self { convention, schema, staging_schema, stage_prefix, stage, database }
    }

    /// Names the stage of the load after its id: two loads that race do not touch each other's files.
    pub(crate) fn name_stage(&mut self, load_id: &LoadId) {
        let name = format!("{}{}", self.stage_prefix, load_id.as_str().replace('.', "_"));
        self.stage = self.schema.object(&name);
    }

    /// Returns `true` if this is the name of a stage that an earlier load of the pipeline created.
    pub(crate) fn is_earlier_stage(&self, name: &str) -> bool {
        let id = name.strip_prefix(&self.stage_prefix);
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let is_id =
            id.and_then(|id| id.split_once('_')).is_some_and(|(s, m)| digits(s) && digits(m));
        // Ids have equal lengths, so they compare as texts.
        is_id && name < self.stage.last()
    }

    /// A table of the dataset.
    pub(crate) fn table(&self, name: &str) -> Name {
        self.schema.object(&self.convention.fold(name))
    }

    /// The staging table of a table.
    pub(crate) fn staging(&self, name: &str) -> Name {
        let name = self.convention.shorten_fragments(&["_snowcat", name]);
        self.staging_schema.object(&self.convention.fold(&name))
    }

    pub(crate) fn bookkeeping(&self) -> Bookkeeping<'_> {
        Bookkeeping {
            loads: self.table(LOADS_TABLE),
            version: self.table(VERSION_TABLE),
            state: self.table(STATE_TABLE),
            fold: Box::new(|name| self.convention.fold(name)),
        }
    }

    /// The table of the slices of backfills.
    pub(crate) fn slices<'t>(&'t self, pipeline: &'t str) -> SliceTable<'t> {
        SliceTable {
            name: self.table(SLICES_TABLE),
            pipeline,
            fold: Box::new(|name| self.convention.fold(name)),
        }
    }
}
