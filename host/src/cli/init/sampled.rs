//! A job written from a sample response.

use std::io::Cursor;

use serde_json::{Map, Value, json};
use snowcat_host::input::files::Input;
use snowcat_host::{DryRun, Engine, Runner};

use super::asked::{Asked, is_id};
use super::{Failed, Init, NOW, names, sample, stem, word};

impl Init {
    pub(super) fn of_sample(
        &self,
        values: &[Value],
        text: &str,
        file: &str,
        engine: &Engine,
    ) -> Result<Value, Failed> {
        let asked = self.url.as_deref().map(Asked::of).transpose().map_err(Failed::Usage)?;
        let path = asked.as_ref().map(Asked::whole_path);
        let path = path.as_deref().and_then(resource_of);
        let named = |key: Option<&str>| {
            let key = key.filter(|key| !names::RECORD_KEYS.contains(key));
            let name = self.name.as_deref().or(key).or(path).map(str::to_owned);
            word(&name.unwrap_or_else(|| stem(&self.file)))
        };
        let called: Vec<&str> = self.name.as_deref().into_iter().chain(path).collect();
        let none = Map::new();
        let params = asked.as_ref().map_or(&none, |it| &it.params);
        let found = sample::look(values, &called, params, named);
        let selector = found.selector.as_deref();
        let name = named(selector.filter(|it| *it != "$").and_then(|it| it.rsplit('.').next()));

        let mut resource = Map::new();
        resource.insert("name".to_owned(), name.clone().into());
        keys(&found, &mut resource);
        if asked.is_none() {
            resource.insert(
                "//source".to_owned(),
                "Records come from the host (snowcat plan --input). To read from an API, remove this and add a client with a \
                 base_url and an endpoint with a path."
                    .into(),
            );
            resource.insert("source".to_owned(), "pull".into());
        }
        let mut endpoint = endpoint(asked.as_ref(), &found);
        let holder = if endpoint.is_empty() { &mut resource } else { &mut endpoint };
        cursor(&found, holder);
        if !endpoint.is_empty() {
            resource.insert("endpoint".to_owned(), endpoint.into());
        }

        let base_url = asked.as_ref().map(|it| it.base_url.as_str());
        let mut job = self.head(file, base_url);
        if let Some(asked) = &asked {
            asked.client(&mut job);
        }
        job.insert("resources".to_owned(), json!([resource]));
        let mut job = Value::Object(job);
        let tables = match found.records {
            0 => "The sample has no records: key, cursor and columns are not known. Run init again with a sample that \
                  has records."
                .into(),
            _ => preview(&job, &name, text, engine),
        };
        if let Some(resource) = job.pointer_mut("/resources/0").and_then(Value::as_object_mut) {
            resource.insert("//tables".to_owned(), tables);
        }
        Ok(job)
    }
}

/// Returns the endpoint of a sample, from its URL, if known, and from the detection.
fn endpoint(asked: Option<&Asked>, found: &sample::SampleFindings) -> Map<String, Value> {
    let mut endpoint = Map::new();
    if let Some(asked) = asked {
        let path = if asked.path.is_empty() { "/" } else { asked.path.as_str() };
        endpoint.insert("path".to_owned(), path.into());
        let params = other_params(&asked.params, found.paginator.as_ref().map(|(it, _)| it));
        if !params.is_empty() {
            endpoint.insert("params".to_owned(), params.into());
        }
    }
    if !found.others.is_empty() {
        let note = format!("Other lists in the sample: {}.", found.others.join(", "));
        endpoint.insert("//data_selector".to_owned(), note.into());
    }
    let selector = found.selector.as_deref();
    if let Some(selector) = selector.filter(|it| asked.is_some() || *it != "$") {
        endpoint.insert("data_selector".to_owned(), selector.into());
    }
    match &found.paginator {
        Some((paginator, note)) if asked.is_some() => {
            endpoint.insert("//paginator".to_owned(), (*note).into());
            endpoint.insert("paginator".to_owned(), paginator.clone());
        }
        None if asked.is_some() => {
            let note = "The sample shows no pages: the load finds the paginator in the first answer and its headers.";
            endpoint.insert("//paginator".to_owned(), note.into());
        }
        _ => {}
    }
    endpoint
}

/// The name of the records in a path: its last segment that is not an id.
fn resource_of(path: &str) -> Option<&str> {
    let mut parts = path.split('/').filter(|part| !part.is_empty()).rev();
    let last = parts.next()?;
    let named = if is_id(last) { parts.find(|part| !is_id(part)).unwrap_or(last) } else { last };
    named.split('.').next().filter(|it| !it.is_empty())
}

/// The parameters of a URL without those of the paginator.
fn other_params(params: &Map<String, Value>, paginator: Option<&Value>) -> Map<String, Value> {
    let own = ["cursor_param", "offset_param", "limit_param", "page_param"];
    let taken: Vec<&str> = own.iter().filter_map(|key| paginator?.get(key)?.as_str()).collect();
    params
        .iter()
        .filter(|(name, _)| !taken.contains(&name.as_str()))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

/// Sets the primary key and the write disposition of a resource.
pub(super) fn keys(found: &sample::SampleFindings, resource: &mut Map<String, Value>) {
    match found.keys.as_slice() {
        [] if found.records == 0 => {
            resource.insert("write_disposition".to_owned(), "append".into());
        }
        [] => {
            let note = "No field looks like a primary key: rows are appended. With one, merge replaces rows.";
            resource.insert("//primary_key".to_owned(), note.into());
            resource.insert("write_disposition".to_owned(), "append".into());
        }
        [key, others @ ..] => {
            let mut note = match found.records {
                1 => "A guess from the name: the sample has one record.".to_owned(),
                count => format!("Its value is unique in the {count} records of the sample."),
            };
            if !others.is_empty() {
                note.push_str(&format!(" Others: {}.", others.join(", ")));
            }
            resource.insert("//primary_key".to_owned(), note.into());
            resource.insert("primary_key".to_owned(), key.clone().into());
            resource.insert("write_disposition".to_owned(), "merge".into());
        }
    }
}

/// Sets the cursor of the holder if a field is the time of a change, or else adds a comment with
/// other candidates.
pub(super) fn cursor(found: &sample::SampleFindings, holder: &mut Map<String, Value>) {
    let paths: Vec<&str> = found.cursors.iter().map(|(path, _)| path.as_str()).collect();
    match found.cursors.first() {
        Some((path, value)) if sample::tells_changes(path) => {
            let mut note =
                "Records that are not newer than the last load are skipped; with start_param, the name of a \
                            parameter, the source is asked for newer ones only."
                    .to_owned();
            if let [_, others @ ..] = paths.as_slice()
                && !others.is_empty()
            {
                note.push_str(&format!(" Others: {}.", others.join(", ")));
            }
            holder.insert("//incremental".to_owned(), note.into());
            holder.insert("incremental".to_owned(), {
                let initial = match value {
                    Value::Number(_) => json!(0),
                    // A date is compared with a date.
                    Value::String(text) if text.len() == 10 => json!("1970-01-01"),
                    _ => json!("1970-01-01T00:00:00Z"),
                };
                json!({"cursor_path": path, "initial_value": initial})
            });
        }
        Some(_) => {
            let note = format!(
                "No field is the time of a change. These are times of creation: {}. {{\"cursor_path\": \"..\"}} loads \
                 only records that are newer than the last load.",
                paths.join(", ")
            );
            holder.insert("//incremental".to_owned(), note.into());
        }
        None => {}
    }
}

/// The tables of the sample, and their numbers of rows.
fn preview(job: &Value, resource: &str, text: &str, engine: &Engine) -> Value {
    let mut job = job.clone();
    if let Some(pulled) = job.pointer_mut("/resources/0").and_then(Value::as_object_mut) {
        pulled.insert("source".to_owned(), "pull".into());
        pulled.insert("format".to_owned(), "json".into());
    }
    let run = || {
        let input = Input::of_reader(Cursor::new(text.to_owned()));
        let mut host = DryRun::new().input(resource, input);
        let run = Runner::new(engine).run(&job.to_string(), NOW, &mut host);
        run.map_err(|e| e.to_string())
    };
    match run() {
        Ok(report) => {
            let tables = report.tables.iter().filter(|table| table.resource == resource);
            tables.map(|table| (table.name.clone(), Value::from(table.rows))).collect()
        }
        Err(why) => format!("the sample could not be loaded: {why}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_named_after_paths() {
        let check =
            |path: &str, expected: Option<&str>| assert_eq!(resource_of(path), expected, "{path}");
        check("users", Some("users"));
        check("v1/users/5", Some("users"));
        check("users/0b7e3a52-90c1-4b6e-a2b1-1f3c5d7e9a10/", Some("users"));
        check("users/5/orders.json", Some("orders"));
        check("v2", Some("v2"));
        check("oauth2", Some("oauth2"));
        check("5", Some("5"));
        check("", None);
    }

    #[test]
    fn parameters_of_pages_are_the_paginators() {
        let params = json!({"state": "all", "page": "2", "per_page": "50"});
        let paginator = json!({"type": "page_number", "page_param": "page"});
        let found = other_params(params.as_object().unwrap(), Some(&paginator));
        assert_eq!(Value::from(found), json!({"state": "all", "per_page": "50"}));
    }
}
