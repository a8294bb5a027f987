//! The job: what is loaded, from where, and into which dataset. It is JSON that reads like a
//! configuration of dlt's `rest_api` source, so that one can be turned into the other.
//!
//! It is parsed once, into types that have no invalid values. The error of an unknown key or word
//! has its path and the nearest known one. A secret in the job is an error too.

mod backfill;
mod contract;
mod credential;
mod cursor;
mod delivery;
mod disposition;
mod endpoint;
mod file;
mod hints;
mod instant;
mod key;
mod nested;
mod order;
mod ordering;
pub(crate) mod paginator;
mod parent;
mod parse;
mod policy;
mod processing;

mod references;
mod resource;
mod slices;
mod template;
mod unnest;
pub(crate) mod url;
mod value;

use indexmap::IndexMap;
use serde_json::Value;

pub(crate) use self::backfill::SliceStep;
pub(crate) use self::credential::Credential;
pub(crate) use self::cursor::{Convert, Cursor, Last, OnMissing};
pub(crate) use self::delivery::{DeliveredFormat, Delivery, FileCompression};
pub(crate) use self::disposition::{NeedsAllRows, WriteDisposition};
pub(crate) use self::endpoint::{Client, Endpoint, ResponseAction, ResponseRule};
pub(crate) use self::file::{Csv, Encoding, Format, Header, OfFile, OnBadRecord, Pulled};
pub(crate) use self::hints::{ColumnHints, Sort};
pub(crate) use self::instant::WrittenInstant;
pub(crate) use self::key::Key;
pub(crate) use self::nested::NestedHints;
pub(crate) use self::ordering::CursorFormat;
pub(crate) use self::paginator::Paginator;
pub(crate) use self::parent::Parent;
use self::parse::{JobObject, Keys, at, element, nearest};
pub(crate) use self::policy::Policy;
pub(crate) use self::processing::{Condition, Filter, ProcessingStep, Test};
use self::resource::Defaults;
pub(crate) use self::resource::{Input, OnTypeConflict, REJECTED, Resource};
pub(crate) use self::slices::{FileShare, Slices};
pub(crate) use self::template::{CursorBound, JsonTemplate, Placeholder, Template};
pub(crate) use self::value::CursorValue;
use crate::dlt::naming::{Convention, Naming};
use crate::fault::Result;

/// A job.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Job {
    /// The pipeline: the name the state is kept under.
    pub(crate) pipeline: String,
    /// The database that is written to.
    pub(crate) database: String,
    /// The dataset: the schema that is written to, not normalized.
    pub(crate) dataset: String,
    /// The name of the dlt schema. `None`: the default one of the saved state, or the pipeline's
    /// name if there is no state.
    pub(crate) schema_name: Option<String>,
    /// How names are normalized.
    pub(crate) naming: Naming,
    /// The maximal length of a name, in characters.
    pub(crate) max_identifier_length: u32,
    /// How deep records are unnested if their resource has no limit.
    pub(crate) max_table_nesting: u32,
    /// The maximal number of columns of a table. Beyond it the widest records are kept as JSON.
    pub(crate) max_columns: usize,
    /// The maximal number of tables of a resource, nested ones included.
    pub(crate) max_tables: usize,
    /// `true` if nested tables get `_dlt_root_id`. `None`: if the disposition needs it.
    pub(crate) root_key: Option<bool>,
    /// The contract of the schema as the job writes it; null if there is none.
    pub(crate) schema_contract: Value,
    /// `true` if tables are created with PRIMARY KEY and UNIQUE, as in the hints.
    pub(crate) create_indexes: bool,
    /// How the files of the load's stage are encrypted.
    pub(crate) stage_encryption: StageEncryption,
    /// The files of the load.
    pub(crate) delivery: Delivery,
    /// Ignores the saved cursors, and loads everything.
    pub(crate) force_full_load: bool,
    /// The resources to start over, and how.
    pub(crate) refresh: Option<Refresh>,
    /// The interval that a scheduler runs the job for, start and end: the range of cursors that use
    /// it.
    pub(crate) interval: Option<(String, String)>,
    /// The step of a backfill in slices. `None`: an ordinary load.
    pub(crate) slice: Option<SliceStep>,
    /// What the name of a resource is followed by when its input is read.
    pub(crate) input_suffix: String,
    /// `true` if each load is the first one, into a dataset of its own.
    pub(crate) dev_mode: bool,
    /// Credentials by name.
    pub(crate) credentials: IndexMap<String, Credential>,
    /// The part that all requests have in common. `None` if no resource is requested over HTTP.
    pub(crate) client: Option<Client>,
    /// The resources in the order of the job, including those that are not selected.
    pub(crate) resources: Vec<Resource>,
}

/// How the files of a load's stage are encrypted.
/// Source: Snowflake documentation, "CREATE STAGE", internal stage parameters.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum StageEncryption {
    /// By the server: a host needs no keys to write to it. Accounts with Tri-Secret Secure reject it.
    #[default]
    Server,
    /// By the client as well.
    Client,
}

impl StageEncryption {
    /// Its name in Snowflake, and in a job.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Server => "SNOWFLAKE_SSE",
            Self::Client => "SNOWFLAKE_FULL",
        }
    }
}

/// What a load starts over: dlt's `refresh`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refresh {
    /// The rows of the selected resources, and their cursors.
    Data,
    /// Their tables too.
    Resources,
    /// All tables of the schema, and the state of all its resources.
    Sources,
}

impl Job {
    /// Parses a job.
    ///
    /// # Errors
    /// A config fault with the path (`resources[0].endpoint.path`), the expected and the found
    /// value. For text that is not JSON it has line and column.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let value = parse::json(text)?;
        let object = JobObject::new(&value, "", KEYS)?;
        // For editors: the URL of the schema of a job. It is ignored here.
        object.text("$schema")?;
        let pipeline = object.required_text("pipeline")?.to_owned();
        let client = object.get("client").map(Client::parse).transpose()?;
        let job = Self {
            database: object.required_text("database")?.to_owned(),
            dataset: object.required_text("dataset")?.to_owned(),
            schema_name: object.text("schema_name")?.map(str::to_owned),
            pipeline,
            naming: object.choice("naming", NAMINGS)?.unwrap_or(Naming::SnakeCase),
            max_identifier_length: object
                .whole("max_identifier_length", 10, 255)?
                .and_then(|length| u32::try_from(length).ok())
                .unwrap_or(255),
            max_table_nesting: resource::nesting(&object)?.unwrap_or(1000),
            max_columns: object
                .whole("max_columns", 1, 100_000)?
                .and_then(|columns| usize::try_from(columns).ok())
                .unwrap_or(MAX_COLUMNS),
            max_tables: object
                .whole("max_tables", 1, 100_000)?
                .and_then(|tables| usize::try_from(tables).ok())
                .unwrap_or(MAX_TABLES),
            root_key: object.boolean("root_key")?,
            schema_contract: contract::contract(&object)?,
            create_indexes: object.boolean("create_indexes")?.unwrap_or(false),
            stage_encryption: object.choice("stage_encryption", ENCRYPTIONS)?.unwrap_or_default(),
            delivery: object.get("delivery").map_or(Ok(Delivery::default()), Delivery::parse)?,
            force_full_load: object.boolean("force_full_load")?.unwrap_or(false),
            refresh: object.choice("refresh", REFRESHES)?,
            interval: object.get("interval").map(interval).transpose()?,
            slice: SliceStep::parse(&object)?,
            input_suffix: String::new(),
            dev_mode: object.boolean("dev_mode")?.unwrap_or(false),
            credentials: credential::credentials(object.map("credentials")?)?,
            client,
            resources: resources(&object)?,
        };
        job.check_requests()?;
        order::check(&job.resources)?;
        job.check_tables()?;
        let job = job.select(&object)?;
        backfill::check(&job, &object)?;
        Ok(job)
    }

    /// The job of a load that starts at this instant. In `dev_mode` the name of the dataset ends with it: dlt's
    /// `_YYYYMMDDhhmmss`, but with hours from 0 to 23, so that no two are the same. Cursors know the latest
    /// value that they save.
    #[must_use]
    pub(crate) fn at(mut self, now: chrono::DateTime<chrono::Utc>) -> Self {
        if self.dev_mode {
            let suffix = now.format("_%Y%m%d%H%M%S").to_string();
            // Two underscores would become one when the name is normalized.
            let doubled = self.dataset.ends_with('_');
            self.dataset.push_str(if doubled { suffix.trim_start_matches('_') } else { &suffix });
        }
        self.resources
            .iter_mut()
            .filter_map(|resource| resource.cursor.as_mut())
            .for_each(|cursor| cursor.start_at(now));
        self
    }

    /// The naming convention of the job.
    pub(crate) fn convention(&self) -> Convention {
        Convention { naming: self.naming, max_length: self.max_identifier_length as usize }
    }

    /// The selected resources, in the order of the job.
    pub(crate) fn selected(&self) -> impl Iterator<Item = &Resource> {
        self.resources.iter().filter(|resource| resource.selected)
    }

    /// The resources that a run reads, parents before their children, otherwise in the order of the
    /// job. `true` if a resource is loaded: a parent that is not selected is read for its children
    /// only.
    pub(crate) fn reading(&self) -> Vec<(&Resource, bool)> {
        order::reading(&self.resources)
    }

    /// A resource by name.
    pub(crate) fn resource(&self, name: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.name == name)
    }

    /// The credential of an endpoint: its own or the client's.
    pub(crate) fn credential(&self, endpoint: &Endpoint) -> Option<&Credential> {
        let client = self.client.as_ref().and_then(|client| client.auth.as_ref());
        self.credentials.get(endpoint.auth.as_ref().or(client)?)
    }

    /// Returns `true` if any resource has a condition, which a statement evaluates on rows of the
    /// tables.
    pub(crate) fn has_conditions(&self) -> bool {
        self.resources.iter().any(|resource| match &resource.write_disposition {
            WriteDisposition::Merge(merge) => {
                merge.options.source_filter.is_some() || merge.options.destination_scope.is_some()
            }
            _ => false,
        })
    }

    /// The URL of an endpoint with empty placeholders. They are after the host, or the whole URL.
    fn url_without_placeholders(&self, endpoint: &Endpoint) -> Result<String> {
        let base = self.client.as_ref().map_or("", |client| client.base_url.as_str());
        Ok(url::join(base, &endpoint.path.fill(|_| Ok(String::new()))?))
    }

    /// Checks that resources have separate tables, unless each of them has the `table_name` of a
    /// shared one.
    fn check_tables(&self) -> Result<()> {
        let convention = self.convention();
        let mut tables: IndexMap<String, &Resource> = IndexMap::new();
        for (n, resource) in self.resources.iter().enumerate() {
            let normalized = convention.normalize_path(resource.table());
            if normalized.to_lowercase().starts_with(DLT_PREFIX) {
                let message = format!(
                    "the table {normalized} would be one of dlt's own, where states and loads are kept: give it \
                     another \"table_name\""
                );
                return Err(at(&element("resources", n), message));
            }
            if normalized.eq_ignore_ascii_case(SLICES_TABLE) {
                let message = format!(
                    "the table {normalized} has the slices of backfills: give it another \"table_name\""
                );
                return Err(at(&element("resources", n), message));
            }
            let table = convention.fold(&normalized);
            let Some(other) = tables.get(&table) else {
                tables.insert(table, resource);
                continue;
            };
            if other.table_name.is_none() || resource.table_name.is_none() {
                let message = format!(
                    "the resources {:?} and {:?} would share the table {table}: give one of them another \
                     \"table_name\", or both this one if they are to share it",
                    other.name, resource.name
                );
                return Err(at(&element("resources", n), message));
            }
        }
        Ok(())
    }

    /// Checks the settings of requests: a base URL, credentials, and their hosts.
    fn check_requests(&self) -> Result<()> {
        let known = |auth: &str, place: &str| match self.credentials.get(auth) {
            Some(credential) => Ok(credential),
            None => {
                let hint = nearest(auth, self.credentials.keys().map(String::as_str))
                    .map_or_else(String::new, |known| format!(", did you mean {known:?}?"));
                Err(at(place, format_args!("{auth:?} is none of the job's credentials{hint}")))
            }
        };
        if let Some(auth) = self.client.as_ref().and_then(|client| client.auth.as_deref()) {
            known(auth, "client.auth")?;
        }
        for (n, resource) in self.resources.iter().enumerate() {
            let Some(endpoint) = resource.endpoint() else { continue };
            let place = element("resources", n);
            if let Some(auth) = &endpoint.auth {
                known(auth, &format!("{place}.endpoint.auth"))?;
            }
            let whole = self.url_without_placeholders(endpoint)?;
            if self.client.is_none() && url::scheme(&whole).is_none() {
                return Err(at("client", "expected an object with a base_url, found nothing"));
            }
            if let Some(credential) = self.credential(endpoint)
                && !credential.is_for(&whole)
            {
                let message = format!(
                    "the credential {:?} is for {} and not for {}: name the host in \
                     credentials.{}.hosts, or another credential in \"auth\"",
                    credential.name,
                    credential.hosts.join(", "),
                    url::authority(&whole).unwrap_or_default(),
                    credential.name,
                );
                return Err(at(&format!("{place}.endpoint"), message));
            }
        }
        Ok(())
    }

    /// Applies the job's own selection.
    fn select(mut self, object: &JobObject<'_>) -> Result<Self> {
        let Some(names) = object.texts("selected")? else { return Ok(self) };
        for (n, name) in names.iter().enumerate() {
            if self.resource(name).is_none() {
                let known: Vec<&str> = self.resources.iter().map(|r| r.name.as_str()).collect();
                let hint = nearest(name, known.iter().copied()).map_or_else(
                    || format!("expected one of {}", known.join(", ")),
                    |near| format!("did you mean {near:?}?"),
                );
                let message = format!("there is no resource {name:?}, {hint}");
                return Err(at(&element("selected", n), message));
            }
        }
        for resource in &mut self.resources {
            resource.selected = names.contains(&resource.name);
        }
        Ok(self)
    }
}

/// The limit of Snowflake for good performance. A record with more columns is a document whose keys
/// are data.
const MAX_COLUMNS: usize = 2000;

/// Each resource has requests, tables and a state of its own.
const MAX_RESOURCES: usize = 1000;

/// The prefix of dlt's own tables, in all naming conventions.
/// Source: dlt 1.31, `common/schema/utils.py`, `is_valid_schema_name` and `dlt_tables`.
const DLT_PREFIX: &str = "_dlt";

/// The table of the slices of backfills.
pub(crate) const SLICES_TABLE: &str = "_snowcat_slices";

/// More tables than anybody unnests on purpose: each costs statements with every load.
const MAX_TABLES: usize = 1000;

const NAMINGS: &[(&str, Naming)] = &[
    ("snake_case", Naming::SnakeCase),
    ("direct", Naming::Direct),
    ("duck_case", Naming::DuckCase),
    ("sql_ci_v1", Naming::SqlCi),
    ("sql_cs_v1", Naming::SqlCs),
];

const REFRESHES: &[(&str, Refresh)] = &[
    ("drop_sources", Refresh::Sources),
    ("drop_resources", Refresh::Resources),
    ("drop_data", Refresh::Data),
];

const ENCRYPTIONS: &[(&str, StageEncryption)] = &[
    (StageEncryption::Server.name(), StageEncryption::Server),
    (StageEncryption::Client.name(), StageEncryption::Client),
];

const KEYS: Keys = Keys {
    known: &[
        "$schema",
        "pipeline",
        "database",
        "dataset",
        "schema_name",
        "naming",
        "max_identifier_length",
        "max_table_nesting",
        "max_columns",
        "max_tables",
        "root_key",
        "schema_contract",
        "selected",
        "create_indexes",
        "stage_encryption",
        "delivery",
        "force_full_load",
        "refresh",
        "interval",
        "slice",
        "dev_mode",
        "credentials",
        "client",
        "resource_defaults",
        "resources",
    ],
    refused: &[
        ("pipeline_name", "it is called \"pipeline\""),
        ("dataset_name", "it is called \"dataset\""),
        ("destination", "it is always Snowflake"),
        ("full_refresh", "it is called \"dev_mode\""),
    ],
};

fn interval(value: &Value) -> Result<(String, String)> {
    let object = JobObject::new(value, "interval", Keys::of(&["start", "end"]))?;
    let end = |key| object.required_text(key).map(str::to_owned);
    Ok((end("start")?, end("end")?))
}

fn resources(object: &JobObject<'_>) -> Result<Vec<Resource>> {
    let defaults = Defaults::parse(object.get("resource_defaults"))?;
    let list = object.list("resources")?.map_or(&[][..], Vec::as_slice);
    if list.is_empty() {
        return Err(object.missing("resources", "at least one resource"));
    }
    if list.len() > MAX_RESOURCES {
        let message = format!("expected at most {MAX_RESOURCES} resources, found {}", list.len());
        return Err(object.fault_at("resources", message));
    }
    let mut resources: Vec<Resource> = Vec::new();
    for (n, value) in list.iter().enumerate() {
        let place = element("resources", n);
        let resource = Resource::parse(value, &place, &defaults)?;
        if resources.iter().any(|other| other.name == resource.name) {
            let message = format!("the resource {:?} is given twice", resource.name);
            return Err(at(&format!("{place}.name"), message));
        }
        resources.push(resource);
    }
    for (n, resource) in resources.iter().enumerate() {
        let is_parent =
            |child: &Resource| child.parent().is_some_and(|p| p.resource == resource.name);
        if resource.checkpoint.is_some() && resources.iter().any(is_parent) {
            let place = format!("{}.checkpoint", element("resources", n));
            return Err(at(
                &place,
                "no checkpoint is possible: other resources depend on this one",
            ));
        }
    }
    if resources.iter().any(Resource::rejects)
        && let Some(n) = resources.iter().position(|resource| resource.table() == REJECTED)
    {
        let message = "the name _rejected is reserved for rejected records";
        return Err(at(&format!("{}.name", element("resources", n)), message));
    }
    Ok(resources)
}

#[cfg(test)]
mod tests;
