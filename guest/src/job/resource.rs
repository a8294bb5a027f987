//! What a job says about one resource: what its rows are called, how they are written, and where
//! they come from.

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::contract::contract;
use super::cursor::Cursor;
use super::disposition::{WriteDisposition, disposition};
use super::endpoint::{self, Endpoint};
use super::file::{Checkpoint, OnBadRecord, Pulled};
use super::hints::{self, ColumnHints, columns};
use super::key::Key;
use super::nested::{NestedHints, REFUSED, nested_hints};
use super::parent::Parent;
use super::parse::{JobObject, Keys, element, text};
use super::processing::{self, ProcessingStep};
use super::references::references;
use super::unnest::Unnest;
use crate::fault::Result;

/// A resource: records of one kind, loaded into one table and its children.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resource {
    /// Its name, in the source's spelling.
    pub(crate) name: String,
    /// What the job says of where the records are and how they are read, as the job says it.
    pub(crate) reading: Value,
    /// The name of its table, not normalized; none means the resource's name.
    pub(crate) table_name: Option<String>,
    /// What is said of its table, for people.
    pub(crate) description: Option<String>,
    /// Whether the job says that its table is Snowflake's own kind, as any is.
    pub(crate) native: bool,
    /// How its rows are written.
    pub(crate) write_disposition: WriteDisposition,
    /// What a record is known by.
    pub(crate) primary_key: Key,
    /// What a group of records that is replaced as one is known by.
    pub(crate) merge_key: Key,
    /// How deep its records are unnested; none means the job's limit.
    pub(crate) max_table_nesting: Option<u32>,
    /// ColumnHints by the name of the column, not normalized.
    pub(crate) columns: IndexMap<String, ColumnHints>,
    /// What is unnested at all; none means everything.
    pub(crate) unnest: Option<Unnest>,
    /// Where the records come from.
    pub(crate) input: Input,
    /// What is new, if the source can say so.
    pub(crate) cursor: Option<Cursor>,
    /// What is done to each record first.
    pub(crate) processing_steps: Vec<ProcessingStep>,
    /// Whether it takes part when the job selects nothing.
    pub(crate) selected: bool,
    /// The contract of its tables as the resource writes it; null if there is none.
    pub(crate) schema_contract: Value,
    /// What its table refers to, as the schema keeps it; null where nothing is said.
    pub(crate) references: Value,
    /// Hints for its nested tables, the shorter paths first.
    pub(crate) nested_hints: Vec<NestedHints>,
    /// What becomes of a number that the type of its column does not hold.
    pub(crate) on_type_conflict: OnTypeConflict,
    /// How often what it has brought is committed, before all of it is there.
    pub(crate) checkpoint: Option<Checkpoint>,
}

/// What becomes of a number that the type of its column does not hold.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum OnTypeConflict {
    /// It goes to a column beside it, `{column}__v_{type}`, as in dlt.
    #[default]
    Variant,
    /// A column that is new with the load gets a type that holds both; in others as above.
    Widen,
}

/// The name of the table of records that were rejected.
pub(super) const REJECTED: &str = "_rejected";

/// Where records come from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Input {
    /// A source that is asked over HTTP.
    Endpoint(Box<Endpoint>),
    /// The host, which holds them: records, or pages as the endpoint would give them.
    Pull(Pulled),
}

/// What the job says of where the records are and how they are read: all but what becomes of them. A checkpoint
/// is good for as long as this stays as it is.
fn reading(merged: &Value) -> Value {
    const WRITING: [&str; 16] = [
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
    ];
    let mut map = merged.as_object().cloned().unwrap_or_default();
    map.retain(|key, _| !WRITING.contains(&key.as_str()) && key != "checkpoint");
    Value::Object(map)
}

/// `resource_defaults`, checked as far as that goes without a resource.
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
    /// Reads a resource laid over the defaults. A text is a name and a path at once, as in dlt.
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
        // First the resource alone, so that its unknown keys are named before anything is merged.
        let own_value = Value::Object(own);
        let alone = JobObject::new(&own_value, place, KEYS)?;
        let own_columns = columns(&alone)?;
        let merged = overlay(&defaults.map, alone.map_of_all());
        let merged = Value::Object(merged);
        let object = JobObject::new(&merged, place, KEYS)?;

        let name = object.required_text("name")?;
        let columns = match alone.has("columns") && alone.get("columns").is_none() {
            true => IndexMap::new(),
            false => hints::merge(&defaults.columns, own_columns),
        };
        let (input, cursor) = input(&object, &alone, name)?;
        let schema_contract = contract(&object)?;
        let resource = Self {
            name: name.to_owned(),
            reading: reading(&merged),
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
        };
        if resource.checkpoint.is_some()
            && let Some(why) = resource.in_one_piece()
        {
            return Err(object.fault_at("checkpoint", format!("expected none, {why}")));
        }
        Ok(resource)
    }

    /// Why its rows cannot be committed a part at a time, if they cannot.
    fn in_one_piece(&self) -> Option<&'static str> {
        match &self.write_disposition {
            WriteDisposition::Append | WriteDisposition::Skip => {}
            WriteDisposition::Replace(_) => {
                return Some("for what replaces a table is published in one piece");
            }
            WriteDisposition::Merge(merge) => match merge.strategy() {
                strategy if strategy.ends_absent() => {
                    return Some("for scd2 and cdc end the rows that a load does not have");
                }
                _ if !self.merge_key.is_empty() => {
                    return Some("for rows of one merge_key are replaced together");
                }
                _ => {}
            },
        }
        self.parent().is_some().then_some("for the resource depends on another")
    }

    /// The table of records that were rejected.
    ///
    /// # Errors
    /// None: what is read is fixed.
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

    /// Whether records that cannot be read are stored in `_rejected`.
    pub(crate) fn rejects(&self) -> bool {
        matches!(&self.input, Input::Pull(pulled) if pulled.on_bad_record == OnBadRecord::Reject)
    }

    /// The name its table has before it is normalized.
    pub(crate) fn table(&self) -> &str {
        self.table_name.as_deref().unwrap_or(&self.name)
    }

    /// Its parent, where it has one.
    pub(crate) fn parent(&self) -> Option<&Parent> {
        self.endpoint().and_then(|endpoint| endpoint.parent.as_ref())
    }

    /// Its endpoint, where it has one.
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
/// The defaults with a resource's own keys over them. Endpoints are merged, all else is replaced.
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

fn unnest(object: &JobObject<'_>) -> Result<Option<Unnest>> {
    let Some(paths) = object.texts("unnest")? else { return Ok(None) };
    let mut unnest = Unnest::default();
    for (n, path) in paths.iter().enumerate() {
        let place = element(&object.place_of("unnest"), n);
        unnest.allow(path).map_err(|fault| fault.at(place))?;
    }
    Ok(Some(unnest))
}

/// Where the records come from, and the cursor, which an endpoint or the resource can have.
fn input(
    object: &JobObject<'_>,
    alone: &JobObject<'_>,
    name: &str,
) -> Result<(Input, Option<Cursor>)> {
    let own_endpoint = alone.get("endpoint").is_some();
    let endpoint = object
        .choice("source", &[("endpoint", true), ("pull", false)])?
        .unwrap_or(own_endpoint && alone.get("files").is_none());
    // What the defaults say of files is for those resources that are read from files.
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
