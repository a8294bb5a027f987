//! The state of a pipeline as dlt stores it in `_dlt_pipeline_state`: the positions of its
//! incremental resources, and other state of its sources.
//!
//! The stored text is JSON, compressed with zlib, in base64. A type that JSON lacks is a string
//! that begins with a private use character (see [`Tag`]). dlt restores the state of the newest
//! finished load if it is newer than its own, and appends a row only if the hash of the content has
//! changed. Unknown keys are kept.
//!
//! Source: dlt 1.31, `common/versioned_state.py`, `pipeline/state_sync.py`, `common/json/__init__.py`,
//! `extract/incremental/typing.py`.

mod load_id;
mod rows;
mod tag;

use serde_json::{Map, Value, json};

pub(crate) use load_id::{Instant, LoadId};
pub(crate) use rows::{Cell, LoadRow, StateRow, VersionRow};
pub(crate) use tag::Tag;

use crate::dlt::schema::packed;
use crate::fault::{Context, Fault, Result};

/// The version of the stored form; dlt's `PIPELINE_STATE_ENGINE_VERSION`.
pub(crate) const ENGINE_VERSION: u64 = 4;

/// The key of a resource's checkpoint. dlt leaves unknown keys alone.
const CHECKPOINT: &str = "snowcat_checkpoint";

/// The key of the load that is dropping tables. dlt leaves unknown keys alone.
const REFRESHING: &str = "snowcat_refreshing";

/// dlt's name of its Snowflake destination.
const DESTINATION: &str = "dlt.destinations.snowflake";

/// The position of an incremental resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct IncrementalState {
    /// The start of the first run.
    pub(crate) initial_value: Value,
    /// The largest (or smallest) value seen: the start of the next run.
    pub(crate) last_value: Value,
    /// The start of the last run.
    pub(crate) start_value: Value,
    /// The hashes of the rows at `last_value`: the next load reads these rows again and discards
    /// them.
    pub(crate) unique_hashes: Vec<String>,
}

/// The state of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    document: Map<String, Value>,
}

impl State {
    /// The state of a pipeline that never ran. Its version is 0 until the first [`Self::bump`].
    pub(crate) fn new(pipeline: &str) -> Self {
        let document = [
            ("_state_version", 0.into()),
            ("_state_engine_version", ENGINE_VERSION.into()),
            ("pipeline_name", pipeline.into()),
            ("destination_type", DESTINATION.into()),
            ("destination_name", Value::Null),
        ];
        Self {
            document: document.map(|(key, value)| (key.to_owned(), value)).into_iter().collect(),
        }
    }

    /// Parses `_dlt_pipeline_state.state`.
    ///
    /// # Errors
    /// A destination fault that names what differs from dlt's form, or if it was stored by a dlt
    /// that is too new.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        Self::from_document(packed::unpack(text)?).at(|| "stored pipeline state")
    }

    /// The text for `_dlt_pipeline_state.state`.
    pub(crate) fn to_text(&self) -> String {
        packed::pack(&self.to_json())
    }

    /// The state as JSON.
    pub(crate) fn to_json(&self) -> String {
        packed::print(&self.document)
    }

    /// Updates the version and its hash if the content has changed. Call it at the end of a load,
    /// and store the state only if it returns `true`.
    ///
    /// Source: dlt 1.31, `common/versioned_state.py`, `bump_state_version_if_modified`.
    ///
    /// # Errors
    /// A destination fault if the content has no canonical form.
    pub(crate) fn bump(&mut self) -> Result<bool> {
        let mut content = self.document.clone();
        for key in ["_state_version", "_state_engine_version", "_version_hash", "_local"] {
            content.shift_remove(key);
        }
        let hash = packed::hash(&content, [])?;
        if hash == self.version_hash() {
            return Ok(false);
        }
        self.document.insert("_state_version".into(), (self.version() + 1).into());
        self.document.insert("_version_hash".into(), hash.into());
        Ok(true)
    }

    /// The number of its versions.
    pub(crate) fn version(&self) -> u64 {
        self.document.get("_state_version").and_then(Value::as_u64).unwrap_or(0)
    }

    /// The hash of the content at the last [`Self::bump`]; empty before the first.
    pub(crate) fn version_hash(&self) -> &str {
        self.text("_version_hash").unwrap_or_default()
    }

    /// Raises the version to `version` if that is later: a load that failed half-way may have
    /// stored it.
    pub(crate) fn continue_from(&mut self, version: u64) {
        let version = version.max(self.version());
        self.document.insert("_state_version".into(), version.into());
    }

    /// The name of the pipeline.
    pub(crate) fn pipeline(&self) -> &str {
        self.text("pipeline_name").unwrap_or_default()
    }

    /// Sets the target of the pipeline, as dlt does when a run begins: the dataset, and the sorted
    /// names of its schemas. The first schema stays the default.
    pub(crate) fn set_target(&mut self, dataset: &str, schema: &str) {
        self.document.insert("dataset_name".into(), dataset.into());
        if self.text("default_schema_name").is_none() {
            self.document.insert("default_schema_name".into(), schema.into());
        }
        let mut names = self.schema_names();
        names.push(schema);
        names.sort_unstable();
        names.dedup();
        let names = json!(names);
        self.document.insert("schema_names".into(), names);
    }

    /// The names of the pipeline's schemas.
    pub(crate) fn schema_names(&self) -> Vec<&str> {
        let names = self.document.get("schema_names").and_then(Value::as_array);
        names.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The position of an incremental resource, or `None` if it never ran. `cursor` is the path of
    /// the cursor as in the job. A source has the name of its schema.
    ///
    /// # Errors
    /// A destination fault if the stored value is not in dlt's form.
    pub(crate) fn incremental(
        &self,
        source: &str,
        resource: &str,
        cursor: &str,
    ) -> Result<Option<IncrementalState>> {
        let path = ["sources", source, "resources", resource, "incremental", cursor];
        let mut stored = None;
        for key in path {
            stored = match stored {
                None => self.document.get(key),
                Some(value) => Value::get(value, key),
            };
            if stored.is_none() {
                return Ok(None);
            }
        }
        let fault = |what: &str, found: &Value| {
            Fault::destination(format_args!("expected {what}, found {found}"))
                .at(format_args!("stored pipeline state: {}", path.join(".")))
        };
        let Some(stored) = stored else { return Ok(None) };
        let Value::Object(stored) = stored else { return Err(fault("an object", stored)) };
        if stored.is_empty() {
            return Ok(None);
        }
        let hashes = match stored.get("unique_hashes") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(hashes)) => {
                let text = |hash: &Value| hash.as_str().map(str::to_owned);
                let texts = hashes.iter().map(|h| text(h).ok_or_else(|| fault("a string", h)));
                texts.collect::<Result<_>>()?
            }
            Some(other) => return Err(fault("a list of strings as unique_hashes", other)),
        };
        let value = |key: &str| stored.get(key).cloned().unwrap_or(Value::Null);
        Ok(Some(IncrementalState {
            initial_value: value("initial_value"),
            last_value: value("last_value"),
            start_value: value("start_value"),
            unique_hashes: hashes,
        }))
    }

    /// The resources with a state: source, resource, and the paths of its cursors.
    pub(crate) fn resources(&self) -> Vec<(&str, &str, Vec<&str>)> {
        let mut found = Vec::new();
        fn members(value: Option<&Value>) -> Option<&Map<String, Value>> {
            value.and_then(Value::as_object)
        }
        for (source, state) in members(self.document.get("sources")).into_iter().flatten() {
            for (resource, state) in members(state.get("resources")).into_iter().flatten() {
                let cursors = members(state.get("incremental")).into_iter().flatten();
                let cursors = cursors.map(|(path, _)| path.as_str()).collect();
                found.push((source.as_str(), resource.as_str(), cursors));
            }
        }
        found
    }

    /// Sets the position of an incremental resource.
    pub(crate) fn set_incremental(
        &mut self,
        source: &str,
        resource: &str,
        cursor: &str,
        state: IncrementalState,
    ) {
        let values = [
            ("initial_value", state.initial_value),
            ("last_value", state.last_value),
            ("unique_hashes", state.unique_hashes.into()),
            ("start_value", state.start_value),
        ];
        for (key, value) in values {
            let path = ["sources", source, "resources", resource, "incremental", cursor, key];
            packed::set(&mut self.document, &path, value);
        }
    }

    /// The checkpoint of an interrupted load of a resource.
    pub(crate) fn checkpoint(&self, source: &str, resource: &str) -> Option<&Value> {
        let resources = self.document.get("sources")?.get(source)?.get("resources")?;
        resources.get(resource)?.get(CHECKPOINT)
    }

    /// Sets the checkpoint of a resource. `None`: the load is complete.
    pub(crate) fn set_checkpoint(
        &mut self,
        source: &str,
        resource: &str,
        checkpoint: Option<Value>,
    ) {
        let path = ["sources", source, "resources", resource, CHECKPOINT];
        if let Some(checkpoint) = checkpoint {
            return packed::set(&mut self.document, &path, checkpoint);
        }
        let resources = self.document.get_mut("sources").and_then(|s| s.get_mut(source));
        let resources = resources.and_then(|s| s.get_mut("resources"));
        let resource = resources.and_then(|resources| resources.get_mut(resource));
        if let Some(resource) = resource.and_then(Value::as_object_mut) {
            resource.shift_remove(CHECKPOINT);
        }
    }

    /// Removes the state of a resource, including its cursors. Returns `true` if there was any.
    pub(crate) fn forget_resource(&mut self, source: &str, resource: &str) -> bool {
        let resources = self.document.get_mut("sources").and_then(|s| s.get_mut(source));
        let resources = resources.and_then(|s| s.get_mut("resources"));
        let resources = resources.and_then(Value::as_object_mut);
        resources.is_some_and(|resources| resources.shift_remove(resource).is_some())
    }

    /// Removes the state of a source and of all its resources. As in dlt, the source keeps an empty
    /// entry.
    pub(crate) fn reset_source(&mut self, source: &str) {
        let sources = self.document.get_mut("sources").and_then(|sources| sources.get_mut(source));
        let Some(source) = sources.and_then(Value::as_object_mut) else { return };
        source.retain(|key, _| key == "resources");
        if let Some(resources) = source.get_mut("resources") {
            *resources = Value::Object(Map::new());
        }
    }

    /// Records that a load is dropping the tables of a source, for loads that restore this state
    /// meanwhile.
    pub(crate) fn set_refreshing(&mut self, load: &LoadId) {
        self.document.insert(REFRESHING.to_owned(), load.as_str().into());
    }

    /// Removes and returns the load that is dropping tables, if any. A load that restores such a
    /// state and commits changes it, so that the dropping load detects the conflict.
    pub(crate) fn take_refreshing(&mut self) -> Option<String> {
        let load = self.document.shift_remove(REFRESHING)?;
        Some(load.as_str().unwrap_or_default().to_owned())
    }

    /// The default schema.
    pub(crate) fn default_schema_name(&self) -> Option<&str> {
        self.text("default_schema_name")
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.document.get(key)?.as_str()
    }

    fn from_document(mut document: Map<String, Value>) -> Result<Self> {
        let engine = document.get("_state_engine_version").and_then(Value::as_u64);
        let Some(engine @ 1..=ENGINE_VERSION) = engine else {
            let found = document.get("_state_engine_version").unwrap_or(&Value::Null);
            return Err(Fault::destination(format_args!(
                "expected an engine version from 1 to {ENGINE_VERSION}, found {found}: \
                 the state was stored by a newer dlt than 1.31"
            )));
        };
        for key in ["_state_version", "pipeline_name"] {
            let found = document.get(key).unwrap_or(&Value::Null);
            if !(if key == "pipeline_name" { found.is_string() } else { found.is_u64() }) {
                return Err(Fault::destination(format_args!("expected {key}, found {found}")));
            }
        }
        document.shift_remove("_local");
        // `migrate_pipeline_state`: older states have only the type of a destination.
        for kind in ["destination", "staging"] {
            let [type_key, name_key] = ["type", "name"].map(|what| format!("{kind}_{what}"));
            if engine < ENGINE_VERSION
                && let Some(Value::String(name)) = document.shift_remove(kind)
            {
                document.insert(type_key.clone(), name.into());
                document.insert(name_key.clone(), Value::Null);
            }
            let short = document.get(&type_key).and_then(Value::as_str);
            let short = short.and_then(|name| name.rsplit('.').next());
            if short.is_some() && short == document.get(&name_key).and_then(Value::as_str) {
                document.insert(name_key, Value::Null);
            }
        }
        document.insert("_state_engine_version".into(), ENGINE_VERSION.into());
        Ok(Self { document })
    }
}

#[cfg(test)]
mod tests;
