//! Changes of the command line to a job: resources that read files.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use snowcat_host::dry_run::samples::Sample;

/// A file for a resource.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct ResourceFile {
    /// The resource.
    pub(super) resource: String,
    /// The file; `-` is the standard input.
    pub(super) file: PathBuf,
}

impl ResourceFile {
    /// The saved pages for each record of a parent, if the name of the file has a field of it.
    pub(super) fn sample(&self) -> Option<Sample> {
        Sample::new(&self.resource, self.file.to_str()?)
    }
}

/// The keys by which a resource names its source.
const SOURCES: [&str; 3] = ["endpoint", "files", "source"];

/// Changes a job so that these resources read files and no others are loaded. Without an input the
/// job is unchanged. An input is `RESOURCE=FILE`, or `FILE` for the first resource.
pub(super) fn feed(job: &mut Value, inputs: &[String]) -> Result<Vec<ResourceFile>, String> {
    if inputs.is_empty() {
        return Ok(Vec::new());
    }
    // A format in the defaults is used if no file name implies one.
    let default = job.pointer("/resource_defaults/format").is_some();
    let has_client = job.get("client").is_some();
    let in_defaults = |key: &&str| job.pointer(&format!("/resource_defaults/{key}")).is_some();
    let defaults: Vec<&str> = SOURCES.iter().copied().filter(in_defaults).collect();
    let resources = job
        .get_mut("resources")
        .and_then(Value::as_array_mut)
        .ok_or("expected a list of resources in the job")?;
    let names: Vec<String> = resources.iter().filter_map(name).map(str::to_owned).collect();
    let files = assign(inputs, &names)?;
    for sample in files.iter().filter_map(ResourceFile::sample) {
        if let Some(parent) =
            sample.parents().find(|parent| !files.iter().any(|other| other.resource == **parent))
        {
            return Err(format!(
                "the input of {:?} is one for each record of {parent:?}, which needs an input too",
                sample.resource()
            ));
        }
    }
    for resource in resources {
        let Some(name) = name(resource).map(str::to_owned) else { continue };
        let Some(file) = files.iter().find(|file| file.resource == name) else { continue };
        if resource.is_string() {
            let named = ("name".to_owned(), Value::from(name.as_str()));
            *resource = Value::Object(Map::from_iter([named]));
        }
        let Some(map) = resource.as_object_mut() else { continue };
        // The path of a resource without one is its name: the file has pages, whose records are detected.
        let has_source = |key: &&str| map.contains_key(*key) || defaults.contains(key);
        if has_client && !SOURCES.iter().any(has_source) {
            map.insert("endpoint".to_owned(), json!({"path": name}));
        }
        match file.sample() {
            Some(sample) => read_sample(map, &sample),
            None => read_file(map, &file.file, default),
        }
    }
    // In the order of the job, regardless of the order of the arguments.
    let selected: Vec<String> =
        names.into_iter().filter(|name| files.iter().any(|file| file.resource == *name)).collect();
    if let Some(map) = job.as_object_mut() {
        map.insert("selected".to_owned(), Value::from(selected));
    }
    Ok(files)
}

/// Assigns the files to resources.
fn assign(inputs: &[String], names: &[String]) -> Result<Vec<ResourceFile>, String> {
    let mut files: Vec<ResourceFile> = Vec::new();
    for input in inputs {
        let input = match input.split_once('=') {
            Some((resource, file)) if names.iter().any(|name| name == resource) => {
                ResourceFile { resource: resource.to_owned(), file: file.into() }
            }
            // A name with `=` is that of a file if such a file exists.
            Some((resource, _)) if !PathBuf::from(input).exists() => {
                return Err(format!(
                    "there is no resource {resource:?} in the job, expected one of {}",
                    names.join(", ")
                ));
            }
            _ => ResourceFile {
                resource: names.first().ok_or("expected a resource in the job")?.clone(),
                file: input.into(),
            },
        };
        if files.iter().any(|other| other.resource == input.resource) {
            return Err(format!("the resource {:?} has two inputs", input.resource));
        }
        if input.file.as_os_str() == "-" && files.iter().any(|other| other.file == input.file) {
            return Err("the standard input can be read once only".to_owned());
        }
        files.push(input);
    }
    Ok(files)
}

/// Changes a resource so that saved pages answer its requests.
fn read_sample(resource: &mut Map<String, Value>, sample: &Sample) {
    for key in ["files", "format", "encoding", "on_bad_record"] {
        resource.shift_remove(key);
    }
    resource.insert("source".to_owned(), Value::from("endpoint"));
    let endpoint = resource.entry("endpoint").or_insert_with(|| json!({}));
    // A string is the path.
    if endpoint.is_string() {
        *endpoint = json!({"path": endpoint.take()});
    }
    if let Some(endpoint) = endpoint.as_object_mut() {
        sample.prepare(endpoint);
    }
}

/// Changes a resource so that it reads a file. `default`: the defaults of the job have a format.
fn read_file(resource: &mut Map<String, Value>, file: &Path, default: bool) {
    resource.insert("source".to_owned(), Value::from("pull"));
    // Records without a parent have none of its fields, in the primary key neither.
    if let Some(included) = resource.shift_remove("include_from_parent") {
        without_parent(resource, &included);
    }
    resource.remove("files");
    let format = format(file).or_else(|| (!default).then(|| json!("json")));
    if let Some(format) = format.filter(|_| !resource.contains_key("format")) {
        resource.insert("format".to_owned(), format);
    }
}

/// Removes fields of the parent from a primary key.
fn without_parent(resource: &mut Map<String, Value>, included: &Value) {
    let ends: Vec<String> = included
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|field| Some(format!("_{}", field.as_str()?)))
        .collect();
    if let Some(Value::Array(key)) = resource.get_mut("primary_key") {
        key.retain(|part| {
            let part = part.as_str().unwrap_or_default();
            !part.starts_with('_') || !ends.iter().any(|end| part.ends_with(end))
        });
    }
}

/// The last segment of the path of a resource's endpoint, unless it is empty.
pub(super) fn path(job: &Value, resource: &str) -> Option<String> {
    let mut resources = job.get("resources")?.as_array()?.iter();
    let endpoint = resources.find(|it| name(it) == Some(resource))?.get("endpoint")?;
    let path = endpoint.as_str().or_else(|| endpoint.get("path")?.as_str())?;
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let last = path.trim_end_matches('/').rsplit('/').next().filter(|it| !it.contains('{'))?;
    Some(last.to_owned())
}

/// Sets the `data_selector` of a resource. Returns `false` if it has one, or has no endpoint.
pub(super) fn select(job: &mut Value, resource: &str, selector: &str) -> bool {
    let defaults = job.pointer("/resource_defaults/endpoint/data_selector").is_some();
    let resources = job.get_mut("resources").and_then(Value::as_array_mut);
    let found = resources.into_iter().flatten().find(|it| name(it) == Some(resource));
    let Some(map) = found.and_then(Value::as_object_mut) else { return false };
    // A string is the path of an endpoint.
    let path = map.get("endpoint").and_then(Value::as_str).map(|path| json!({"path": path}));
    if let Some(endpoint) = path {
        map.insert("endpoint".to_owned(), endpoint);
    }
    match map.get_mut("endpoint").and_then(Value::as_object_mut) {
        Some(endpoint) if !defaults && !endpoint.contains_key("data_selector") => {
            endpoint.insert("data_selector".to_owned(), selector.into());
            true
        }
        _ => false,
    }
}

/// The format implied by a file's name, unless it is the default.
pub(super) fn format(file: &Path) -> Option<Value> {
    let name = file.to_string_lossy().to_ascii_lowercase();
    let plain = [".gz", ".gzip", ".zst", ".zstd"].iter().find_map(|end| name.strip_suffix(end));
    let (_, end) = plain.unwrap_or(&name).rsplit_once('.')?;
    match end {
        "csv" => Some(json!("csv")),
        "tsv" => Some(json!({"type": "csv", "delimiter": "\t"})),
        "jsonl" | "ndjson" => Some(json!("jsonl")),
        "parquet" => Some(json!("parquet")),
        "arrow" | "arrows" | "feather" => Some(json!("arrow")),
        _ => None,
    }
}

/// The name of a resource, which is an object with a name, or only a name.
pub(super) fn name(resource: &Value) -> Option<&str> {
    resource.as_str().or_else(|| resource.get("name")?.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_fed() {
        let both = json!({"resources": ["a", {"name": "b", "endpoint": "x"}]});
        check(&both, &[], both.clone(), &[]);
        check(
            &both,
            &["f"],
            json!({"resources": [{"name": "a", "source": "pull", "format": "json"},
                {"name": "b", "endpoint": "x"}], "selected": ["a"]}),
            &["a=f"],
        );
        check(
            &both,
            &["b=f=1", "a=-"],
            json!({"resources": [{"name": "a", "source": "pull", "format": "json"},
                {"name": "b", "endpoint": "x", "source": "pull", "format": "json"}],
                "selected": ["a", "b"]}),
            &["b=f=1", "a=-"],
        );
    }

    #[test]
    fn a_resource_of_an_api_is_fed_pages_of_the_path_with_its_name() {
        let client = json!({"base_url": "https://x.net"});
        let fed = |mut resource: Value, endpoint: Option<Value>| {
            resource["source"] = json!("pull");
            if let Some(endpoint) = endpoint {
                resource["endpoint"] = endpoint;
            }
            resource["format"] = json!("json");
            resource
        };
        let cases = [
            (json!("a"), fed(json!({"name": "a"}), Some(json!({"path": "a"})))),
            (json!({"name": "a"}), fed(json!({"name": "a"}), Some(json!({"path": "a"})))),
            (json!({"name": "a", "endpoint": "x"}), fed(json!({"name": "a"}), Some(json!("x")))),
            (json!({"name": "a", "source": "pull"}), fed(json!({"name": "a"}), None)),
            (json!({"name": "a", "files": "f"}), fed(json!({"name": "a"}), None)),
        ];
        for (resource, expected) in cases {
            let job = json!({"client": client, "resources": [resource]});
            let expected = json!({"client": client, "resources": [expected], "selected": ["a"]});
            check(&job, &["f"], expected, &["a=f"]);
        }
        let defaults = json!({"endpoint": {"path": "x"}});
        let job = json!({"client": client, "resource_defaults": defaults, "resources": ["a"]});
        let expected = json!({
            "client": client, "resource_defaults": defaults,
            "resources": [fed(json!({"name": "a"}), None)], "selected": ["a"],
        });
        check(&job, &["f"], expected, &["a=f"]);
    }

    #[test]
    fn children_are_fed_for_each_record_of_their_parent() {
        let job = json!({"resources": ["a", {"name": "b", "endpoint": "a/{resources.a.id}/b",
            "include_from_parent": ["id"], "format": "json"}]});
        check(
            &job,
            &["f", "b=b/{resources.a.id}-{resources.a.by.name}.json"],
            json!({"resources": [
                {"name": "a", "source": "pull", "format": "json"},
                {"name": "b", "source": "endpoint", "include_from_parent": ["id"], "endpoint": {
                    "path": "a/{resources.a.id}/b",
                    "paginator": "header_link",
                }},
            ], "selected": ["a", "b"]}),
            &["a=f", "b=b/{resources.a.id}-{resources.a.by.name}.json"],
        );
        refuse(
            &job,
            &["b={resources.a.id}.json"],
            "each record of \"a\", which needs an input too",
        );
    }

    #[test]
    fn keys_of_children_without_parents_have_no_parent_fields() {
        let job = json!({"resources": [{
            "name": "b", "include_from_parent": ["id"], "primary_key": ["_a_id", "_id", "b_id"],
            "endpoint": "a/{resources.a.id}/b",
        }]});
        let changed = json!({"resources": [{
            "name": "b", "primary_key": ["b_id"], "endpoint": "a/{resources.a.id}/b",
            "source": "pull", "format": "json",
        }], "selected": ["b"]});
        check(&job, &["f.json"], changed, &["b=f.json"]);
    }

    #[test]
    fn the_last_part_of_a_path_names_the_resource() {
        let check = |resource: Value, expected: Option<&str>| {
            assert_eq!(path(&json!({"resources": [resource]}), "a").as_deref(), expected);
        };
        check(json!({"name": "a", "endpoint": "v1/users/?x=1"}), Some("users"));
        check(json!({"name": "a", "endpoint": {"path": "users"}}), Some("users"));
        check(json!({"name": "a", "endpoint": "users/{resources.b.id}"}), None);
        check(json!("a"), None);
    }

    #[test]
    fn missing_selector_is_set() {
        let check = |resource: Value, defaults: Value, expected: Value| {
            let mut job = json!({"resource_defaults": defaults, "resources": [resource]});
            let changed = select(&mut job, "a", "data");
            assert_eq!(job["resources"][0], expected);
            changed
        };
        let a = |endpoint: Value| json!({"name": "a", "endpoint": endpoint});
        let selected = json!({"path": "x", "data_selector": "data"});
        assert!(check(a(json!("x")), json!({}), a(selected.clone())));
        assert!(check(a(json!({"path": "x"})), json!({}), a(selected)));
        let own = a(json!({"data_selector": "own"}));
        assert!(!check(own.clone(), json!({}), own));
        let from_defaults = json!({"endpoint": {"data_selector": "d"}});
        assert!(!check(a(json!({})), from_defaults, a(json!({}))));
        assert!(!check(json!({"name": "a"}), json!({}), json!({"name": "a"})));
    }

    #[test]
    fn the_format_follows_from_the_name() {
        let check = |resource: Value, file: &str, format: Value| {
            let mut job = json!({"resources": [resource]});
            feed(&mut job, &owned(&[file])).unwrap();
            assert_eq!(job["resources"][0]["format"], format, "{file}");
            assert_eq!(job["resources"][0].get("files"), None);
        };
        check(json!("a"), "f.json", json!("json"));
        check(json!({"name": "a", "files": "@s/x.json"}), "F.CSV.GZ", json!("csv"));
        check(json!("a"), "x/*.tsv", json!({"type": "csv", "delimiter": "\t"}));
        check(json!({"name": "a", "format": "json"}), "f.csv", json!("json"));
        let mut job = json!({"resource_defaults": {"format": "csv"}, "resources": ["a", "b"]});
        feed(&mut job, &owned(&["a=f", "b=f.jsonl"])).unwrap();
        assert_eq!(job["resources"][0].get("format"), None);
        assert_eq!(job["resources"][1]["format"], "jsonl");
    }

    #[test]
    fn impossible_inputs_are_reported() {
        let both = json!({"resources": ["a", {"name": "b", "endpoint": "x"}]});
        refuse(&both, &["c=f"], "no resource \"c\" in the job, expected one of a, b");
        refuse(&both, &["f", "a=g"], "\"a\" has two inputs");
        refuse(&both, &["a=-", "b=-"], "read once only");
        refuse(&json!({"resources": []}), &["f"], "expected a resource");
        refuse(&json!({}), &["f"], "expected a list of resources");
    }

    #[track_caller]
    fn check(job: &Value, inputs: &[&str], changed: Value, fed: &[&str]) {
        let mut job = job.clone();
        let found = feed(&mut job, &owned(inputs)).unwrap();
        let found: Vec<String> =
            found.iter().map(|it| format!("{}={}", it.resource, it.file.display())).collect();
        assert_eq!(found, fed);
        assert_eq!(job, changed);
    }

    #[track_caller]
    fn refuse(job: &Value, inputs: &[&str], expected: &str) {
        let error = feed(&mut job.clone(), &owned(inputs)).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }

    fn owned(inputs: &[&str]) -> Vec<String> {
        inputs.iter().map(|&input| input.to_owned()).collect()
    }
}
