//! A resource of a job: its source, the names of its tables, and how its rows are written.

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::contract::contract;
use super::cursor::Cursor;
use super::disposition::{NeedsAllRows, WriteDisposition, disposition};
use super::endpoint::{self, Endpoint};
use super::file::{Checkpoint, OnBadRecord, Pulled};
use super::hints::{self, ColumnHints, columns};
use super::key::Key;
use super::nested::{NestedHints, REFUSED, nested_hints};
use super::parent::Parent;
use super::parse::{JobObject, Keys, element, text};
use super::processing::{self, ProcessingStep};
use super::references::references;
use super::slices::Slices;
use super::unnest::Unnest;
use crate::fault::Result;

/// A resource: records of one kind, loaded into one table and its children.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resource {
    /// Its name, in the source's spelling.
    pub(crate) name: String,
    /// The part of the job that defines where the records are and how they are read, unparsed.
    pub(crate) reading: Value,
    /// The name of its table, not normalized. `None`: the resource's name.
    pub(crate) table_name: Option<String>,
    /// The description of its table.
    pub(crate) description: Option<String>,
    /// `true` if the job sets the table format of Snowflake explicitly, which every table has.
    pub(crate) native: bool,
    /// How its rows are written.
    pub(crate) write_disposition: WriteDisposition,
    /// The primary key.
    pub(crate) primary_key: Key,
    /// The merge key: the records with one value are replaced as a group.
    pub(crate) merge_key: Key,
    /// How deep its records are unnested. `None`: the job's limit.
    pub(crate) max_table_nesting: Option<u32>,
    /// The hints of columns by name, not normalized.
    pub(crate) columns: IndexMap<String, ColumnHints>,
    /// The paths that are unnested. `None`: all.
    pub(crate) unnest: Option<Unnest>,
    /// The source of the records.
    pub(crate) input: Input,
    /// The incremental cursor, if there is one.
    pub(crate) cursor: Option<Cursor>,
    /// The processing steps of each record.
    pub(crate) processing_steps: Vec<ProcessingStep>,
    /// `true` if it is selected. That is the default if the job selects nothing.
    pub(crate) selected: bool,
    /// The contract of its tables as the resource writes it; null if there is none.
    pub(crate) schema_contract: Value,
    /// The references to other tables as the schema stores them; null if there are none.
    pub(crate) references: Value,
    /// Hints for its nested tables, the shorter paths first.
    pub(crate) nested_hints: Vec<NestedHints>,
    /// The column of a number that does not fit the type of its column.
    pub(crate) on_type_conflict: OnTypeConflict,
    /// How often records are committed before the resource is read to its end.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// How a backfill of it is divided.
    pub(crate) slices: Option<Slices>,
}

/// The column of a number that does not fit the type of its column.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum OnTypeConflict {
    /// A variant column, `{column}__v_{type}`, as in dlt.
    #[default]
    Variant,
    /// A column that is new in the load gets a type for both; other columns get a variant column.
    Widen,
}

/// The name of the table of rejected records.
pub(crate) const REJECTED: &str = "_rejected";

/// The source of records.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Input {
    /// A source with requests over HTTP.
    Endpoint(Box<Endpoint>),
    /// The input of the host: records, or pages like those of an endpoint.
    Pull(Pulled),
}

/// The part of the job that defines where the records are and how they are read. A checkpoint is
/// valid as long as this is unchanged.
fn reading(merged: &Value) -> Value {
    const WRITING: [&str; 17] = [
        "name",
        "table_name",
        "description",
        "table_format",
        "write_disposition",
        "primary_key",
        "merge_key",
        "max_table_nesting",
        "columns",
        "unnest",
        "processing_steps",
        "selected",
        "schema_contract",
        "references",
        "nested_hints",
        "on_type_conflict",
        "slices",
    ];
    let mut map = merged.as_object().cloned().unwrap_or_default();
    map.retain(|key, _| !WRITING.contains(&key.as_str()) && key != "checkpoint");
    // How many pages are requested at once does not change the pages.
    if let Some(paginator) = map.get_mut("endpoint").and_then(|it| it.get_mut("paginator"))
        && let Some(paginator) = paginator.as_object_mut()
    {
        paginator.retain(|key, _| key != "parallel");
    }
    Value::Object(map)
}

/// `resource_defaults`, checked as far as possible without a resource.
pub(super) struct Defaults {
    map: Map<String, Value>,
    columns: IndexMap<String, ColumnHints>,
}

impl Defaults {
    pub(super) fn parse(value: Option<&Value>) -> Result<Self> {
        const PLACE: &str = "resource_defaults";
        let Some(value) = value else {
            return Ok(Self { map: Map::new(), columns: IndexMap::new() });
        };
        let object = JobObject::new(value, PLACE, KEYS)?;
        if object.has("name") {
            return Err(
                object.fault_at("name", "expected nothing: every resource has a name of its own")
            );
        }
        let mut map = value.as_object().cloned().unwrap_or_default();
        if let Some(Value::String(path)) = map.get("endpoint") {
            let endpoint = Map::from_iter([("path".to_owned(), Value::from(path.as_str()))]);
            map.insert("endpoint".to_owned(), Value::Object(endpoint));
        }
        if let Some(endpoint) = map.get("endpoint").filter(|v| !v.is_null()) {
            endpoint::check_defaults(endpoint, &object.place_of("endpoint"))?;
        }
        if let Some(value) = object.get("write_disposition") {
            WriteDisposition::parse(value, &object.place_of("write_disposition"))?;
        }
        let columns = columns(&object)?;
        map.shift_remove("columns");
        Ok(Self { map, columns })
    }
}

impl Resource {
    /// Parses a resource merged into the defaults. A string is both the name and the path, as in
    /// dlt.
    pub(super) fn parse(value: &Value, place: &str, defaults: &Defaults) -> Result<Self> {
        let mut own = match value {
            Value::String(path) => {
                text(value, place)?;
                let path = Value::from(path.as_str());
                Map::from_iter([("name".to_owned(), path.clone()), ("endpoint".to_owned(), path)])
            }
            Value::Object(map) => map.clone(),
            other => return Err(super::parse::wrong_type("an object or a string", other, place)),
        };
        if let Some(Value::String(path)) = own.get("endpoint") {
            let endpoint = Map::from_iter([("path".to_owned(), Value::from(path.as_str()))]);
            own.insert("endpoint".to_owned(), Value::Object(endpoint));
        }
        // The resource is checked first, so that errors about its unknown keys have its path.
        let own_value = Value::Object(own);
        let alone = JobObject::new(&own_value, place, KEYS)?;
        let own_columns = columns(&alone)?;
        let merged = overlay(&defaults.map, alone.map_of_all());
        let with_end = with_end(&merged);
        let ended = with_end.is_some();
        let as_written = Value::Object(merged);
        let merged = with_end.map_or_else(|| as_written.clone(), Value::Object);
        let object = JobObject::new(&merged, place, KEYS)?;

        let name = object.required_text("name")?;
        let columns = match alone.has("columns") && alone.get("columns").is_none() {
            true => IndexMap::new(),
            false => hints::merge(&defaults.columns, own_columns),
        };
        let (input, mut cursor) = input(&object, &alone, name)?;
        if let Some(cursor) = cursor.as_mut().filter(|_| ended) {
            cursor.end_value = None;
        }
        let schema_contract = contract(&object)?;
        let files = match &input {
            Input::Pull(pulled) => pulled.files.as_slice(),
            Input::Endpoint(_) => &[],
        };
        let slices = match object.get("slices") {
            None => None,
            Some(value) => {
                let place = object.place_of("slices");
                Some(Slices::parse(value, &place, cursor.as_ref(), files)?)
            }
        };
        let resource = Self {
            name: name.to_owned(),
            reading: reading(&as_written),
            table_name: object.text("table_name")?.map(str::to_owned),
            description: object.text("description")?.map(str::to_owned),
            native: object.choice("table_format", &[("native", ())])?.is_some(),
            write_disposition: disposition(&object)?.unwrap_or(WriteDisposition::Append),
            primary_key: Key::parse(&object, "primary_key")?.unwrap_or_default(),
            merge_key: Key::parse(&object, "merge_key")?.unwrap_or_default(),
            max_table_nesting: nesting(&object)?,
            columns,
            unnest: unnest(&object)?,
            input,
            cursor,
            processing_steps: processing::steps(&object)?,
            selected: object.boolean("selected")?.unwrap_or(true),
            schema_contract,
            references: references(&object)?,
            nested_hints: nested_hints(&object)?,
            on_type_conflict: object
                .choice("on_type_conflict", ON_TYPE_CONFLICT)?
                .unwrap_or_default(),
            checkpoint: match object.get("checkpoint") {
                None => None,
                Some(value) => Some(Checkpoint::parse(value, &object.place_of("checkpoint"))?),
            },
            slices,
        };
        for (key, has, parts) in [
            ("checkpoint", resource.checkpoint.is_some(), "checkpoint is"),
            ("slices", resource.slices.is_some(), "slices are"),
        ] {
            if let Some(why) = resource.in_one_piece().filter(|_| has) {
                return Err(object.fault_at(key, format!("no {parts} possible: {why}")));
            }
        }
        Ok(resource)
    }

    /// Why a load of its rows must be complete, as far as the job alone decides it.
    pub(super) fn needs_all_rows(&self) -> Option<NeedsAllRows> {
        let merges = matches!(self.write_disposition, WriteDisposition::Merge(_));
        let in_groups = (merges && !self.merge_key.is_empty()).then_some(NeedsAllRows::MergeKey);
        self.write_disposition.needs_all_rows().or(in_groups)
    }

    /// Why its rows cannot be committed a part at a time, as far as the job alone decides it. The
    /// plan of a load decides by the stored schema as well.
    fn in_one_piece(&self) -> Option<&'static str> {
        match self.needs_all_rows() {
            Some(why) => Some(why.reason()),
            None => self.parent().is_some().then_some("the resource depends on another one"),
        }
    }

    /// The table of rejected records.
    ///
    /// # Errors
    /// None: the parsed text is constant.
    pub(crate) fn rejected() -> Result<Self> {
        let value = json!({
            "name": REJECTED,
            "description": "Records that could not be read",
            "schema_contract": "evolve",
            "columns": {
                "resource": {"data_type": "text"},
                "file": {"data_type": "text"},
                "line": {"data_type": "bigint"},
                "reason": {"data_type": "text"},
                "record": {"data_type": "text"},
            },
        });
        Self::parse(&value, REJECTED, &Defaults::parse(None)?)
    }

    /// Returns `true` if records that cannot be read are stored in `_rejected`.
    pub(crate) fn rejects(&self) -> bool {
        matches!(&self.input, Input::Pull(pulled) if pulled.on_bad_record == OnBadRecord::Reject)
    }

    /// The name of its table, not normalized.
    pub(crate) fn table(&self) -> &str {
        self.table_name.as_deref().unwrap_or(&self.name)
    }

    /// Its parent, if it has one.
    pub(crate) fn parent(&self) -> Option<&Parent> {
        self.endpoint().and_then(|endpoint| endpoint.parent.as_ref())
    }

    /// Its endpoint, if it has one.
    pub(crate) fn endpoint(&self) -> Option<&Endpoint> {
        match &self.input {
            Input::Endpoint(endpoint) => Some(endpoint),
            Input::Pull(_) => None,
        }
    }
}

/// A limit of nesting, for a resource or the whole job.
pub(super) fn nesting(object: &JobObject<'_>) -> Result<Option<u32>> {
    let limit = object.whole("max_table_nesting", 0, 1000)?;
    Ok(limit.and_then(|limit| u32::try_from(limit).ok()))
}

const ON_TYPE_CONFLICT: &[(&str, OnTypeConflict)] =
    &[("variant", OnTypeConflict::Variant), ("widen", OnTypeConflict::Widen)];
const KEYS: Keys = Keys {
    known: &[
        "name",
        "table_name",
        "description",
        "table_format",
        "write_disposition",
        "primary_key",
        "merge_key",
        "max_table_nesting",
        "columns",
        "unnest",
        "source",
        "files",
        "format",
        "encoding",
        "on_bad_record",
        "include_file",
        "checkpoint",
        "slices",
        "endpoint",
        "incremental",
        "include_from_parent",
        "processing_steps",
        "selected",
        "schema_contract",
        "references",
        "nested_hints",
        "on_type_conflict",
    ],
    refused: REFUSED,
};
/// The defaults with a resource's own keys. Endpoints are merged, other keys are replaced.
fn overlay(defaults: &Map<String, Value>, own: &Map<String, Value>) -> Map<String, Value> {
    let mut merged = defaults.clone();
    for (key, value) in own {
        let value = match (merged.get(key), value) {
            (Some(Value::Object(below)), Value::Object(above)) if key == "endpoint" => {
                Value::Object(endpoint::merge(below, above))
            }
            _ => value.clone(),
        };
        merged.insert(key.clone(), value);
    }
    merged
}

/// The resource with the end of its slices as that of its cursor, if the cursor has a parameter for an end but no
/// end: each slice has one.
fn with_end(resource: &Map<String, Value>) -> Option<Map<String, Value>> {
    let to = resource.get("slices")?.get("to")?.clone();
    let mut resource = resource.clone();
    let cursor = match resource.contains_key("incremental") {
        true => resource.get_mut("incremental"),
        false => resource.get_mut("endpoint")?.get_mut("incremental"),
    };
    let cursor = cursor?.as_object_mut()?;
    if !cursor.contains_key("end_param") || cursor.contains_key("end_value") {
        return None;
    }
    cursor.insert("end_value".to_owned(), to);
    Some(resource)
}

fn unnest(object: &JobObject<'_>) -> Result<Option<Unnest>> {
    let Some(paths) = object.texts("unnest")? else { return Ok(None) };
    let mut unnest = Unnest::default();
    for (n, path) in paths.iter().enumerate() {
        let place = element(&object.place_of("unnest"), n);
        unnest.allow(path).map_err(|fault| fault.at(place))?;
    }
    Ok(Some(unnest))
}

/// The source of the records, and the cursor, which an endpoint or the resource can have.
fn input(
    object: &JobObject<'_>,
    alone: &JobObject<'_>,
    name: &str,
) -> Result<(Input, Option<Cursor>)> {
    let own_endpoint = alone.get("endpoint").is_some();
    let endpoint = object
        .choice("source", &[("endpoint", true), ("pull", false)])?
        .unwrap_or(own_endpoint && alone.get("files").is_none());
    // The defaults for files apply to resources that are read from files.
    for key in ["files", "format", "encoding", "on_bad_record", "include_file"] {
        if endpoint && alone.get(key).is_some() {
            let message =
                "expected nothing: the resource is asked for over HTTP, not read from files";
            return Err(object.fault_at(key, message));
        }
    }
    let pulled = Pulled::parse(object)?;
    if !endpoint {
        pulled.check_encoding(object)?;
    }
    let own = match object.get("incremental") {
        None => None,
        Some(value) => {
            let cursor = Cursor::parse(value, &object.place_of("incremental"), endpoint)?;
            Some(Cursor { hinted: endpoint, ..cursor })
        }
    };
    let include = object.texts("include_from_parent")?.unwrap_or_default();
    if !endpoint && !own_endpoint && !include.is_empty() {
        return Err(object.fault(
            "unknown key \"include_from_parent\": it belongs to a resource with an endpoint",
        ));
    }
    if !endpoint && !own_endpoint {
        return Ok((Input::Pull(pulled), own));
    }
    let empty = Value::Object(Map::new());
    let value = object.get("endpoint").unwrap_or(&empty);
    let (parsed, cursor) = Endpoint::parse(value, &object.place_of("endpoint"), name, &include)?;
    if own.is_some() && cursor.is_some() {
        return Err(
            object.fault_at("incremental", "expected one cursor, found another in the endpoint")
        );
    }
    let input = if endpoint {
        Input::Endpoint(Box::new(parsed))
    } else {
        Input::Pull(Pulled { selector: parsed.data_selector, ..pulled })
    };
    Ok((input, own.or(cursor)))
}
